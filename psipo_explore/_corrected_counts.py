"""Robust DPO as DPO on corrected counts, the wins to be expected without flipped labels.

If a share s of the labels is flipped, the wins W become C = ((1−s) W − s Wᵀ)/(1−2s). Where a count
is negative, robust DPO's loss has a minimum if and only if there is a circulation strictly between
−C and Cᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, Indices
from psipo_explore._data.graphs import components
from psipo_explore.comparisons import Comparisons

_EPS = float(np.finfo(float).eps)
# room for a circulation, as a share of a pair's counts, that the solver cannot tell from none
_TOLD_APART = 1e-6


@dataclass(frozen=True)
class CorrectedCounts:
    """How often each side of each pair would have won without the flipped labels.

    Parameters
    ----------
    first, second : ndarray of int, shape (P,)
        The two actions of each pair that was compared; each pair occurs once.
    wins, losses : ndarray, shape (P,)
        Corrected wins of the first against the second, and of the second against the first. Their
        sum is how often the two were compared.
    """

    first: Indices
    second: Indices
    wins: Array
    losses: Array

    @classmethod
    def of(cls, data: Comparisons, flipped: float) -> CorrectedCounts:
        """Correct the counts of data for a share of flipped labels."""
        low, high = np.minimum(data.winners, data.losers), np.maximum(data.winners, data.losers)
        pair, which = np.unique(low * data.n_actions + high, return_inverse=True)
        by_first = data.winners == low
        won = np.bincount(which, np.where(by_first, data.weights, 0.0)).astype(np.float64)
        lost = np.bincount(which, np.where(by_first, 0.0, data.weights)).astype(np.float64)
        first, second = np.divmod(pair, data.n_actions)
        return cls(first, second, _corrected(won, lost, flipped), _corrected(lost, won, flipped))

    @property
    def non_negative(self) -> bool:
        """Whether no count is negative, so that robust DPO is DPO on these counts."""
        return bool((self.wins >= 0).all() and (self.losses >= 0).all())

    def as_comparisons(self, data: Comparisons) -> Comparisons:
        """Return comparisons of the actions of data, weighted by the positive counts."""
        winners = np.concatenate([self.first, self.second])
        losers = np.concatenate([self.second, self.first])
        counts = np.concatenate([self.wins, self.losses])
        won = counts > 0
        return Comparisons(winners[won], losers[won], data.actions, counts[won], data.contexts)

    def won(self) -> tuple[Indices, Indices]:
        """Return the winner and the loser of each positive count.

        For counts that have a minimum, this graph tells which actions vanish. Negative counts need
        no edges in it: the circulation passes through each pair with a negative count, so the pair
        is on a cycle of positive counts and in one strongly connected component already.
        """
        forward, backward = self.wins > 0, self.losses > 0
        winners = np.concatenate([self.first[forward], self.second[backward]])
        losers = np.concatenate([self.second[forward], self.first[backward]])
        return winners, losers

    def require_minimum(self, data: Comparisons, loss_name: str) -> None:
        """Refuse counts on which the loss has no minimum, or on which rounding would decide."""
        room = self._room_for_a_circulation(data.n_actions, loss_name)
        if room > _TOLD_APART:
            return
        counts = np.concatenate([self.wins, self.losses])
        worst = int(counts.argmin())
        names = [checks.shown(data.actions[y]) for y in np.concatenate([self.first, self.second])]
        winner, loser = names[worst], names[(worst + self.first.size) % counts.size]
        is_not = "is not bounded below" if room < -_TOLD_APART else "has no minimum, or only just,"
        raise ValueError(
            f"loss '{loss_name}' {is_not} on these data: without the flipped labels {winner} would "
            f"have beaten {loser} "
            f"{counts[worst]:.3g} times; it can be trained"
        )

    def _room_for_a_circulation(self, n_actions: int, loss_name: str) -> float:
        """Return the largest ε such that a circulation keeps a margin of ε to its bounds.

        A circulation f satisfies −wins + ε size ≤ f ≤ losses − ε size on the components with a
        negative count, where size = |wins| + |losses|. The bounds come from the loss: its slope at
        infinity along v is the largest Σ f (v[first] − v[second]) over −wins ≤ f ≤ losses. A pair
        with a count of 0 needs no margin, because an action that never wins may vanish.
        """
        from scipy import sparse
        from scipy.optimize import linprog

        component = components(self.first, self.second, n_actions, "weak")[self.first]
        here = np.isin(component, component[(self.wins < 0) | (self.losses < 0)])
        first, second, wins, losses = (
            part[here] for part in (self.first, self.second, self.wins, self.losses)
        )
        size = np.abs(wins) + np.abs(losses)
        n = size.size
        rows, columns = np.concatenate([first, second]), np.tile(np.arange(n), 2)
        flow = sparse.coo_array(
            (np.concatenate([size, -size]), (rows, columns)), shape=(n_actions, n + 1)
        ).tocsr()
        largest = abs(flow).max(axis=1).toarray().ravel()
        flow = (sparse.diags_array(1 / np.where(largest > 0, largest, 1.0)) @ flow)[
            np.flatnonzero(largest)
        ]
        one, epsilon = (
            sparse.eye_array(n),
            ((wins != 0) & (losses != 0)).astype(np.float64)[:, np.newaxis],
        )
        found = linprog(
            np.append(np.zeros(n), -1.0),
            A_ub=sparse.block_array([[one, epsilon], [-one, epsilon]]),
            b_ub=np.concatenate([losses / size, wins / size]),
            A_eq=flow,
            b_eq=np.zeros(flow.shape[0]),
            bounds=(None, None),
            method="highs",
        )
        if not found.success:
            raise RuntimeError(
                f"{loss_name}: the linear programme that asks for a minimum was not solved: {found.message}"
            )
        return float(found.x[-1])


def _corrected(won: Array, lost: Array, flipped: float) -> Array:
    """Return ((1−s) won − s lost)/(1−2s), or exactly 0 where it differs from 0 only by rounding.

    It is computed as ½ (won + lost + (won − lost)/(1−2s)).
    """
    met, lead = won + lost, (won - lost) / (1 - 2 * flipped)
    nothing = np.abs(met + lead) <= 4 * _EPS * met
    return np.where(nothing, 0.0, (met + lead) / 2)
