"""The optimal policy π*(y) ∝ π_ref(y) exp(g(y)/β), and the objective that it maximises.

The optimum of ΨPO is π_ref tilted by a score g from `scores` (Eq. 7 and 9 of arXiv:2310.12036). The
optimum of RLHF is the same tilt, where g is a reward.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Mask
from psipo_explore._exact_sums import refuse_what_rounding_decides
from psipo_explore._excess import CLOSE, excess
from psipo_explore.psi import Psi
from psipo_explore.scores import ExpectedPsi, expected_psi
from psipo_explore.scores import cyclic_share as cyclic_share  # it was first public here

__all__ = ["gibbs_policy", "kl_divergence", "log_gibbs_policy", "objective", "optimal_policy"]


def gibbs_policy(
    g: ExpectedPsi | ArrayLike, beta: ArrayLike, *, pi_ref: ArrayLike | None = None
) -> Array:
    """Tilt the reference policy by a score: π(y) ∝ π_ref(y) exp(g(y)/β).

    The result maximises E_π[g] − β KL(π ‖ π_ref), see App. A.1 of arXiv:2310.12036. If g is
    E_μ[Ψ(p*)], it is the optimum of ΨPO (Eq. 7). If g is a reward, it is the optimum of RLHF.

    Parameters
    ----------
    g : ExpectedPsi or array_like, shape (..., K)
        Score of each action; rewards may be ±inf.
    beta : array_like, shape (...)
        Strength of the KL term, in the units of g; a larger beta keeps the policy closer to pi_ref.
    pi_ref : array_like, shape (..., K), optional
        Reference policy; uniform by default.

    Returns
    -------
    ndarray, shape (..., K)
        Probabilities; exactly 0 for actions that collapse at every beta.

    Raises
    ------
    ValueError
        If beta is not positive and finite, if beta is so small that rounding errors in the scores
        would decide between two actions, if pi_ref is not a distribution over the actions of g, or
        if no action that pi_ref supports has a reward above −inf.

    Examples
    --------
    >>> gibbs_policy([1.0, 0.0], beta=0.5)
    array([0.88079708, 0.11920292])
    """
    weights = _by_action(g, beta, pi_ref)
    np.exp(weights, out=weights)
    return _actions_last(np.divide, weights, weights.sum(0))


def log_gibbs_policy(
    g: ExpectedPsi | ArrayLike, beta: ArrayLike, *, pi_ref: ArrayLike | None = None
) -> Array:
    """Logarithm of `gibbs_policy`, which stays finite where float64 rounds a probability to 0.

    The logarithm of Eq. 7 of arXiv:2310.12036.

    Parameters
    ----------
    g : ExpectedPsi or array_like, shape (..., K)
        Score of each action; rewards may be ±inf.
    beta : array_like, shape (...)
        Strength of the KL term, in the units of g; a larger beta keeps the policy closer to pi_ref.
    pi_ref : array_like, shape (..., K), optional
        Reference policy; uniform by default.

    Returns
    -------
    ndarray, shape (..., K)
        Log-probabilities; −inf for actions that collapse at every beta.

    Raises
    ------
    ValueError
        If `gibbs_policy` refuses the same arguments.

    Examples
    --------
    >>> log_gibbs_policy([0.0, -2000.0], beta=1.0)
    array([    0., -2000.])
    """
    log_weights = _by_action(g, beta, pi_ref)
    return _actions_last(np.subtract, log_weights, np.log(np.exp(log_weights).sum(0)))


def _actions_last(ufunc: np.ufunc, by_action: Array, of_all_actions: Array) -> Array:
    """Return ufunc(by_action, of_all_actions) with the actions on the last axis."""
    result = np.empty((*of_all_actions.shape, len(by_action)))
    ufunc(by_action, of_all_actions, out=np.moveaxis(result, -1, 0))
    return result


def _by_action(g: ExpectedPsi | ArrayLike, beta: ArrayLike, pi_ref: ArrayLike | None) -> Array:
    """Return log π_ref + g/β − c for the supported actions of the top rate, shape (K, ...).

    The largest value is 0. All other actions get −inf.
    """
    score = g if isinstance(g, ExpectedPsi) else _score_of_rewards(g)
    n_actions = score.rest.shape[-1]
    beta = checks.as_positive("beta", beta)
    pi_ref = checks.as_policy("pi_ref", pi_ref, n_actions, of="g")
    checks.require_broadcast(g=score.rest.shape[:-1], beta=beta.shape, pi_ref=pi_ref.shape[:-1])
    support = pi_ref > 0
    if not isinstance(g, ExpectedPsi) and (~support | (score.lost > 0)).all(-1).any():
        raise ValueError("g is -inf on every action of pi_ref, must be above -inf on one")

    contends = _has_top_rate(score, support)
    contending = np.where(contends, score.rest, -np.inf)
    if score.rounding is not None:
        refuse_what_rounding_decides(contending, score.rounding, beta)
    best = contending.max(-1, keepdims=True)
    with np.errstate(divide="ignore", over="ignore"):
        log_pi_ref = np.where(contends, np.log(pi_ref), -np.inf)
        shortfall = np.where(contends, score.rest - best, 0.0)
        shape = np.broadcast_shapes(log_pi_ref.shape, shortfall.shape, (*beta.shape, 1))
        log_weights = _empty_by_action(shape)
        actions_last = np.moveaxis(log_weights, 0, -1)
        np.divide(shortfall, beta[..., np.newaxis], out=actions_last)
        np.add(log_pi_ref, actions_last, out=actions_last)
    log_weights -= log_weights.max(0)
    return log_weights


def _empty_by_action(shape: tuple[int, ...]) -> Array:
    """Return an empty array of shape (K, ...), in which sums over the actions are fast.

    NumPy is slow along a short last axis, so a few actions come first in memory too. Up to seven
    numbers are added in the same order either way, so the sums are the same to the last bit.
    """
    *batch, n_actions = shape
    if n_actions < 8:
        return np.empty((n_actions, *batch))
    return np.moveaxis(np.empty(shape), -1, 0)


def _score_of_rewards(g: ArrayLike) -> ExpectedPsi:
    """Turn rewards into a score whose infinite entries all diverge at the same rate."""
    rewards = checks.as_real("g", g)
    checks.require_last_axis("g", rewards)
    checks.refuse_where(np.isnan(rewards), "g", rewards, "must be a number or ±inf")
    up, down = np.isposinf(rewards).astype(np.float64), np.isneginf(rewards).astype(np.float64)
    return ExpectedPsi(won=up, lost=down, rest=np.where(np.isinf(rewards), 0.0, rewards))


def _has_top_rate(score: ExpectedPsi, support: Mask) -> Mask:
    """Find the supported actions whose rate is the largest."""
    if score.place is not None:
        place = np.where(support, score.place, -1)
        return np.asarray(support & (place == place.max(-1, keepdims=True)))
    rate = np.where(support, score.rate, -np.inf)
    top = rate.max(-1, keepdims=True)
    few_ulps = 4 * np.finfo(np.float64).eps * (score.won + score.lost)
    return np.asarray(rate >= top - few_ulps)


def optimal_policy(
    p: ArrayLike,
    psi: Psi,
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    mu: ArrayLike | None = None,
) -> Array:
    """Optimal policy of ΨPO, π*(y) ∝ π_ref(y) exp(E_{y'∼μ}[Ψ(p*(y ≻ y'))]/β).

    Eq. 7 and 9 of arXiv:2310.12036. The preferences need not follow a Bradley–Terry model. If
    certain preferences make Ψ infinite, the policy is the limit for p clipped to [ε, 1−ε] as ε → 0.
    In this limit only the actions of the highest `ExpectedPsi.rate` keep any probability, and all
    others get exactly 0 at every β.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        Preferences; entry [y, y'] is the probability that y beats y', p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    beta : array_like, shape (...)
        Strength of the KL term, in the units of psi; a larger beta keeps the policy closer to
        pi_ref.
    pi_ref, mu : array_like, shape (..., K), optional
        Reference policy, and distribution of the opponent; uniform by default.

    Returns
    -------
    ndarray, shape (..., K)
        Probabilities.

    Raises
    ------
    ValueError
        If p is not a preference table, if pi_ref or mu is not a distribution over its actions, if
        beta is not positive and finite or is so small that rounding would decide between two
        actions, or if a certain preference has no limit because psi is infinite at both ends and
        not odd.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> rater = tournament([(0, 1)], 2, q=1.0)
    >>> optimal_policy(rater, LOGIT, beta=10.0)
    array([1., 0.])
    >>> optimal_policy(rater, IDENTITY, beta=10.0)
    array([0.5124974, 0.4875026])
    """
    return gibbs_policy(expected_psi(p, psi, mu=mu), beta, pi_ref=pi_ref)


def objective(
    policy: ArrayLike,
    p: ArrayLike,
    psi: Psi,
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    mu: ArrayLike | None = None,
) -> Array:
    """Objective of ΨPO, E_{y∼π, y'∼μ}[Ψ(p*(y ≻ y'))] − β KL(π ‖ π_ref).

    Eq. 6 of arXiv:2310.12036.

    Parameters
    ----------
    policy : array_like, shape (..., K)
        The policy π to evaluate.
    p : array_like, shape (..., K, K)
        Preferences; entry [y, y'] is the probability that y beats y', p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    beta : array_like, shape (...)
        Strength of the KL term, in the units of psi.
    pi_ref, mu : array_like, shape (..., K), optional
        Reference policy, and distribution of the opponent; uniform by default.

    Returns
    -------
    ndarray, shape (...)
        An extended real, in the units of psi.

    Raises
    ------
    ValueError
        If p is not a preference table, if policy, pi_ref or mu is not a distribution over its
        actions, if beta is not positive and finite, or if the value would be ∞ − ∞.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, tournament
    >>> float(objective([0.5, 0.5], tournament([(0, 1)], 2, q=0.9), IDENTITY, beta=1.0))
    0.5
    """
    g = expected_psi(p, psi, mu=mu).value
    pi = checks.as_policy("policy", policy, g.shape[-1], of="p")
    pi_ref = checks.as_policy("pi_ref", pi_ref, g.shape[-1], of="p")
    beta = checks.as_positive("beta", beta)
    checks.require_broadcast(
        p=g.shape[:-1], policy=pi.shape[:-1], beta=beta.shape, pi_ref=pi_ref.shape[:-1]
    )
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.where(pi > 0, pi * g, 0.0).sum(-1)
        value = np.asarray(expected - beta * kl_divergence(pi, pi_ref))
    if np.isnan(value).any():
        raise ValueError(
            "policy has the value ∞ − ∞: a certain preference makes it infinitely good, another "
            "one, or KL, infinitely bad"
        )
    return value[()]


def kl_divergence(policy: ArrayLike, pi_ref: ArrayLike) -> Array:
    """KL(π ‖ π_ref) = Σ_y π(y) log(π(y)/π_ref(y)), in nats.

    This is the regulariser in Eq. 6 of arXiv:2310.12036.

    Parameters
    ----------
    policy, pi_ref : array_like, shape (..., K)
        Two policies over the same actions.

    Returns
    -------
    ndarray, shape (...)
        Divergences of at least 0; inf where policy supports an action that pi_ref excludes.

    Raises
    ------
    ValueError
        If policy or pi_ref is not a distribution, or if their numbers of actions differ.

    Examples
    --------
    >>> kl_divergence([[1.0, 0.0], [0.5, 0.5]], [0.5, 0.5])
    array([0.69314718, 0.        ])
    """
    policy = checks.as_distribution("policy", policy)
    pi_ref = checks.as_real("pi_ref", pi_ref)  # refuses None, which would mean uniform below
    pi_ref = checks.as_policy("pi_ref", pi_ref, policy.shape[-1], of="policy")
    checks.require_broadcast(policy=policy.shape[:-1], pi_ref=pi_ref.shape[:-1])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        d = np.where(pi_ref > 0, (policy - pi_ref) / pi_ref, np.inf)
    # The terms π log(π/π_ref) − (π − π_ref) have the same sum as KL. Where π is close to π_ref they
    # would lose digits to cancellation, and `excess` does not.
    close = np.abs(d) < CLOSE
    near = pi_ref * excess(np.where(close, d, 0.0))
    far = special.rel_entr(policy, pi_ref) - (policy - pi_ref)
    return np.asarray(np.where(close, near, np.maximum(far, 0.0)).sum(-1))[()]
