"""Standings of players or models that were compared in pairs, by the scores of DPO and of IPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, Indices
from psipo_explore._tables import html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, IPO
from psipo_explore.minimisers import minimise

__all__ = ["Standings", "standings_of"]

_MOST_SHOWN = 50
_MOST_PAIRS_NAMED = 5


@dataclass(frozen=True, eq=False)
class Standings:
    """Scores of players, and who is unbeaten or never met whom.

    Parameters
    ----------
    players : tuple of str, length K
        Names of the players, the best by DPO's score first.
    wins, losses, ties : ndarray, shape (K,)
        Weight of the comparisons that each player won, lost and tied.
    dpo, ipo : ndarray, shape (K,)
        β log(π/π_ref) at the minimiser of DPO's and of IPO's loss, whose mean is 0. For DPO, it is
        the score of Bradley and Terry, with a tie as half a win each way; −∞ for a player who
        vanishes.
    unbeaten : tuple of str
        Players who lost to nobody.
    groups : int
        Number of groups of players between whom no comparison was made. Scores of two groups cannot
        be compared.
    never_met : int
        Number of pairs of players who were never compared.
    some_never_met : tuple of (str, str)
        The first of these pairs.

    Examples
    --------
    >>> data = Comparisons.from_pairs([("oak", "elm"), ("elm", "fir"), ("fir", "elm")])
    >>> found = standings_of(data)
    >>> found.players, found.unbeaten, found.some_never_met
    (('oak', 'elm', 'fir'), ('oak',), (('oak', 'fir'),))
    """

    players: tuple[str, ...]
    wins: Array
    losses: Array
    ties: Array
    dpo: Array
    ipo: Array
    unbeaten: tuple[str, ...]
    groups: int
    never_met: int
    some_never_met: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as numbers, texts and lists, ready for JSON; −∞ is None.

        Returns
        -------
        dict
            The values of the fields, by their names.

        Examples
        --------
        >>> standings_of(Comparisons.from_pairs([("a", "b"), ("b", "a")])).as_dict()["dpo"]
        [0.0, 0.0]
        """
        numbers = {name: getattr(self, name) for name in ("wins", "losses", "ties", "dpo", "ipo")}
        return {
            "players": list(self.players),
            **{name: _finite_or_none(array) for name, array in numbers.items()},
            "unbeaten": list(self.unbeaten),
            "groups": self.groups,
            "never_met": self.never_met,
            "some_never_met": [list(pair) for pair in self.some_never_met],
        }

    def __str__(self) -> str:
        rows = self._rows()
        width = max(map(len, [*(row[0] for row in rows), "player"]))
        titles = ["player".ljust(width), *(title.rjust(10) for title in _TITLES[1:])]
        table = ["".join(titles)]
        table += [row[0].ljust(width) + "".join(cell.rjust(10) for cell in row[1:]) for row in rows]
        return "\n".join([f"{_CAPTION}:", *table, *self._in_words()])

    def _rows(self) -> list[list[str]]:
        columns = (self.wins, self.losses, self.ties)
        return [
            [
                checks.cut(name),
                *(f"{column[k]:g}" for column in columns),
                _score(self.dpo[k]),
                _score(self.ipo[k]),
            ]
            for k, name in enumerate(self.players[:_MOST_SHOWN])
        ]

    def _in_words(self) -> list[str]:
        said = []
        if len(self.players) > _MOST_SHOWN:
            said.append(f"… and {len(self.players) - _MOST_SHOWN} more; --json holds all.")
        names = ", ".join(map(checks.cut, self.unbeaten[:_MOST_SHOWN]))
        said.append(f"Unbeaten: {names or 'nobody'}.")
        if self.groups > 1:
            said.append(
                f"The players are in {self.groups} groups that never met, whose scores cannot be "
                "compared."
            )
        if self.never_met:
            first = "; ".join(
                f"{checks.cut(a)} and {checks.cut(b)}" for a, b in self.some_never_met
            )
            more = ", such as" if self.never_met > len(self.some_never_met) else ""
            said.append(f"Pairs who never met: {self.never_met}{more}: {first}.")
        else:
            said.append("Everybody met everybody.")
        return said

    def _repr_html_(self) -> str:
        return html_table(_TITLES, self._rows(), caption=_CAPTION)


_TITLES = ["player", "wins", "losses", "ties", "DPO", "IPO"]
_CAPTION = "Scores β log(π/π_ref): DPO's are Bradley and Terry's, with a tie as half a win each way"


def _score(value: float) -> str:
    return f"{value:+.3f}" if np.isfinite(value) else "−∞"


def _finite_or_none(values: Array) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def standings_of(data: Comparisons) -> Standings:
    """Score players who are all in one context.

    Parameters
    ----------
    data : Comparisons
        Comparisons of one context.

    Returns
    -------
    Standings
        The players, the best first.

    Raises
    ------
    ValueError
        If the actions are in several contexts, or some of them are tied by nothing but rounding.

    Examples
    --------
    >>> votes = Comparisons.from_table([[0, 3], [1, 0]], actions=("oak", "elm"))
    >>> standings_of(votes).dpo.round(3)
    array([ 0.549, -0.549])
    """
    if np.ptp(data.contexts) > 0:
        raise ValueError("data has several contexts, must have one, in which all players are")
    dpo, ipo = (_scores(data, loss) for loss in (DPO, IPO))
    order = np.lexsort([-ipo, -dpo])
    tied = np.zeros(data.winners.size, bool) if data.ties is None else data.ties
    won = np.where(tied, 0.0, data.weights)
    counts = [
        np.bincount(ends, weights, data.n_actions).astype(np.float64)
        for ends, weights in (
            (data.winners, won),
            (data.losers, won),
            (data.winners, 2 * (data.weights - won)),
        )
    ]
    unbeaten = counts[1] == 0
    never_met, some = _never_met(data)
    return Standings(
        players=tuple(data.actions[y] for y in order),
        wins=counts[0][order],
        losses=counts[1][order],
        ties=counts[2][order],
        dpo=dpo[order],
        ipo=ipo[order],
        unbeaten=tuple(data.actions[y] for y in order if unbeaten[y]),
        groups=int(np.unique(data.components).size),
        never_met=never_met,
        some_never_met=tuple((data.actions[a], data.actions[b]) for a, b in some),
    )


def _scores(data: Comparisons, loss: Any) -> Array:
    """Return the log-ratio at β = 1, whose mean over the players that do not vanish is 0."""
    log_ratio = minimise(data.merged(), loss, 1.0).log_ratio
    return np.asarray(log_ratio - log_ratio[np.isfinite(log_ratio)].mean())


def _never_met(data: Comparisons) -> tuple[int, list[tuple[int, int]]]:
    """Count the pairs that were never compared, and return the first of them."""
    k = data.n_actions
    met: Indices = np.unique(
        np.minimum(data.winners, data.losers) * k + np.maximum(data.winners, data.losers)
    )
    count = k * (k - 1) // 2 - met.size
    some: list[tuple[int, int]] = []
    known = set(met.tolist())
    pairs = ((a, b) for a in range(k) for b in range(a + 1, k) if a * k + b not in known)
    while len(some) < min(count, _MOST_PAIRS_NAMED):
        some.append(next(pairs))
    return count, some
