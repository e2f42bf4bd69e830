"""Self-play: the opponent μ is the policy itself, so it learns too.

The policy solves π(y) ∝ π_ref(y) exp(E_{y'∼π}[Ψ(p*(y ≻ y'))]/β). For an odd Ψ it is the only
equilibrium of a symmetric zero-sum game, in which each player is held to π_ref by KL. For identity
it is the regularised Nash equilibrium of NLHF (Munos et al. 2023, arXiv:2312.00886).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore.psi import Psi
from psipo_explore.scores import flow_between, require_odd

__all__ = ["nash_policy"]

_CERTIFIED = 1e-10  # largest |log π − log of the right-hand side|, up to a constant
_SOLVED = 1e-11  # the same, at which Newton's method stops
_NEWTON_STEPS = 16  # before a β nearer to the last one that was solved is tried
_NEAR, _STEPS_NEAR = 0.5, 64  # the same for a β of at least this share of the last one
_HARDLY = 0.999  # share of the last β that was solved; a β above it is not tried
_HALVINGS = 30
_ROUNDS = 200
_AT_ONCE = 2**22  # entries of the tables that are worked on together


def nash_policy(
    p: ArrayLike, psi: Psi, beta: ArrayLike, *, pi_ref: ArrayLike | None = None
) -> Array:
    """Policy that is its own best response, π(y) ∝ π_ref(y) exp(E_{y'∼π}[Ψ(p*(y ≻ y'))]/β).

    Against itself as the opponent μ, it maximises the objective of ΨPO (Eq. 6 of arXiv:2310.12036).
    For an odd Ψ there is one such policy at each β. With identity it is the regularised Nash
    equilibrium of NLHF (Munos et al. 2023, arXiv:2312.00886), where online IPO ends (Calandriello
    et al. 2024, arXiv:2403.08635). With logit and Bradley–Terry preferences it is the policy of
    RLHF. The equation holds to 1e-10 in the logarithm of each probability, or an error is raised.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        Preferences; entry [y, y'] is the probability that y beats y', p + pᵀ = 1.
    psi : Psi
        An odd Ψ.
    beta : array_like, shape (...)
        Strength of the KL term, in the units of psi.
    pi_ref : array_like, shape (..., K), optional
        Reference policy; uniform by default.

    Returns
    -------
    ndarray, shape (..., K)
        Probabilities.

    Raises
    ------
    ValueError
        If psi is not odd, if p is not a preference table or has an entry at which psi is infinite,
        if pi_ref is not a distribution over its actions, if beta is not positive and finite, or if
        beta is so small that the equation cannot be certified.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, tournament
    >>> rock_paper_scissors = tournament([(0, 2), (1, 0), (2, 1)], 3, q=0.9)
    >>> nash_policy(rock_paper_scissors, IDENTITY, [0.01, 10.0]).round(6)
    array([[0.333333, 0.333333, 0.333333],
           [0.333333, 0.333333, 0.333333]])
    """
    require_odd(psi, "what one player wins is not what the other loses")
    p = checks.as_preference_table(p)
    beta = checks.as_positive("beta", beta)
    pi_ref = checks.as_policy("pi_ref", pi_ref, p.shape[-1], of="p")
    batch = checks.require_broadcast(p=p.shape[:-2], beta=beta.shape, pi_ref=pi_ref.shape[:-1])
    support = pi_ref > 0
    flow = flow_between(p, psi, support[..., :, np.newaxis] & support[..., np.newaxis, :])
    n_actions, axes = flow.shape[-1], batch or (1,)
    flow = np.broadcast_to(flow, (*axes, n_actions, n_actions))
    beta, pi_ref = np.broadcast_to(beta, axes), np.broadcast_to(pi_ref, (*axes, n_actions))
    policies = np.empty((*axes, n_actions))
    games, at_once = np.arange(beta.size), max(1, _AT_ONCE // n_actions**2)
    for start in range(0, beta.size, at_once):
        some = np.unravel_index(games[start : start + at_once], axes)
        with np.errstate(over="ignore", invalid="ignore"):  # a tiny beta is refused by name
            policies[some] = _equilibria(_Games(flow[some], pi_ref[some]), beta[some])
    return policies.reshape(*batch, n_actions)


class _Games:
    """Games with the payoff E_{y∼π, y'∼μ}[F(y, y')], where F is antisymmetric.

    A policy is given by u, whose softmax it is. Its equation is u = log π_ref + Fπ/β. Of an action
    that pi_ref excludes, u is 0 and does not count.
    """

    def __init__(self, flow: Array, pi_ref: Array) -> None:
        self.flow = flow  # F, shape (n, K, K)
        self.support = pi_ref > 0  # shape (n, K)
        self.log_pi_ref = np.log(np.where(self.support, pi_ref, 1.0))

    def some(self, which: Indices) -> _Games:
        if len(which) == len(self.flow):
            return self
        games = object.__new__(_Games)
        games.flow, games.support = self.flow[which], self.support[which]
        games.log_pi_ref = self.log_pi_ref[which]
        return games

    def at(self, u: Array, beta: Array) -> _Point:
        counted = np.where(self.support, u, -np.inf)
        pi = np.exp(counted - counted.max(-1, keepdims=True))
        pi /= pi.sum(-1, keepdims=True)
        values = _times(self.flow, pi)
        return _Point(u, pi, values, u - self.log_pi_ref - values / beta[:, np.newaxis])

    def slope(self, at: _Point, beta: Array) -> Array:
        """Return the derivative of the residual in u, 1 − F(diag π − ππᵀ)/β.

        It is never singular. If it took x to 0, then y = (diag π − ππᵀ)x would have x·y = y·Fy/β,
        which is 0, because F is antisymmetric. So y would be 0, and x = Fy/β as well.
        """
        spread = self.flow * at.pi[:, np.newaxis, :]
        spread -= at.values[:, :, np.newaxis] * at.pi[:, np.newaxis, :]
        spread /= -beta[:, np.newaxis, np.newaxis]
        diagonal = np.arange(spread.shape[-1])
        spread[:, diagonal, diagonal] += 1
        return spread


class _Point(NamedTuple):
    """Policies of several games, all arrays of shape (n, K)."""

    u: Array
    pi: Array
    values: Array  # Fπ
    residual: Array  # u − log π_ref − Fπ/β

    def put(self, where: Indices | Mask, other: _Point) -> None:
        for mine, new in zip(self, other, strict=True):
            mine[where] = new

    def some(self, which: Indices | Mask) -> _Point:
        return _Point(*(array[which] for array in self))

    @property
    def miss(self) -> Array:
        """The largest residual of each game."""
        return np.asarray(np.abs(self.residual).max(-1))


def _times(tables: Array, vectors: Array) -> Array:
    return np.asarray((tables @ vectors[..., np.newaxis])[..., 0])


def _solve(tables: Array, vectors: Array) -> Array:
    return np.asarray(np.linalg.solve(tables, vectors[..., np.newaxis])[..., 0])


def _equilibria(games: _Games, beta: Array) -> Array:
    """Return the policies, shape (n, K): Newton's method, from the largest β down where it must.

    Each game first tries its own β. Where Newton's method is too slow, a β nearer to the last one
    that was solved is tried, and the next start is extrapolated from there.
    """
    solved_at = 4 * np.abs(games.flow).max((-2, -1)) + beta  # π_ref is near a solution there
    point = games.at(games.log_pi_ref.copy(), solved_at)
    tried, left = beta.copy(), np.arange(len(beta))
    for attempt in range(_ROUNDS):
        some = games.some(left)
        start = (
            games.log_pi_ref.copy()
            if attempt == 0
            else _extrapolated(some, point.some(left), solved_at[left], tried[left])
        )
        steps = np.where(tried[left] > _NEAR * solved_at[left], _STEPS_NEAR, _NEWTON_STEPS)
        found = _by_newton(some, start, tried[left], steps)
        right = found.miss <= _SOLVED
        point.put(left[right], found.some(right))
        stride = tried[left] / solved_at[left]
        solved_at[left[right]] = tried[left[right]]
        tried[left] = np.where(right, tried[left] * stride**2, solved_at[left] * np.sqrt(stride))
        tried[left] = np.maximum(tried[left], beta[left])
        left = left[(solved_at[left] > beta[left]) & (tried[left] < _HARDLY * solved_at[left])]
        if not left.size:
            break
    miss = games.at(point.u, beta).miss
    refused = ~(miss <= _CERTIFIED)
    if refused.any():
        k = int(np.argmax(np.where(refused, solved_at / beta, 0.0)))
        raise ValueError(
            f"beta = {beta[k]:.6g} is too small: no policy was found whose log-probabilities satisfy "
            f"the equation to {_CERTIFIED:g}"
        )
    return point.pi


def _extrapolated(games: _Games, point: _Point, beta: Array, to: Array) -> Array:
    """Return u for another β, if Fπ goes on as it changes with β now."""
    pi, values = point.pi, point.values
    spread = pi * (values - (pi * values).sum(-1, keepdims=True))
    change = -_times(games.flow, spread) / beta[:, np.newaxis] ** 2
    slope = _solve(games.slope(point, beta), change)
    ahead = values + slope * (to - beta)[:, np.newaxis]
    return np.asarray(games.log_pi_ref + ahead / to[:, np.newaxis])


def _by_newton(games: _Games, u: Array, beta: Array, steps: Indices) -> _Point:
    """Return the points after Newton's steps on the residual, each shortened until it is smaller.

    The residual grows without bound with u, and its slope is never singular. So only a solution
    ends the descent, however far away it begins.
    """
    point = games.at(u, beta)
    stuck = np.zeros(len(u), dtype=bool)  # by rounding
    for step_taken in range(steps.max()):
        left = np.flatnonzero((point.miss > _SOLVED) & ~stuck & (step_taken < steps))
        if not left.size:
            break
        some, at = games.some(left), point.some(left)
        step = _solve(some.slope(at, beta[left]), -at.residual)
        size = np.linalg.norm(at.residual, axis=-1)
        share = np.ones(len(left))
        on = np.arange(len(left))
        for _ in range(_HALVINGS):
            ahead = games.some(left[on]).at(
                at.u[on] + share[on, np.newaxis] * step[on], beta[left[on]]
            )
            smaller = np.linalg.norm(ahead.residual, axis=-1) < (1 - 1e-4 * share[on]) * size[on]
            point.put(left[on[smaller]], ahead.some(smaller))
            on = on[~smaller]
            if not on.size:
                break
            share[on] /= 2
        stuck[left[on]] = True
    return point
