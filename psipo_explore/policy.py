"""The optimal policy π*(y) ∝ π_ref(y) exp(g(y)/β), and the objective that it maximises.

The optimum of ΨPO is π_ref tilted by a score g from `scores` (Eq. 7 and 9 of arXiv:2310.12036). The
optimum of RLHF is the same tilt, where g is a reward.
"""

from __future__ import annotations

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike
from psipo_explore._tilt import actions_last, log_weights
from psipo_explore.divergences import KL, Divergence, kl_divergence, tilted_policy
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
    return tilted_policy(g, beta, KL, pi_ref=pi_ref)


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
    weights = log_weights(g, beta, pi_ref)
    return actions_last(np.subtract, weights, np.log(np.exp(weights).sum(0)))


def optimal_policy(
    p: ArrayLike,
    psi: Psi,
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    mu: ArrayLike | None = None,
    divergence: Divergence = KL,
) -> Array:
    """Optimal policy of ΨPO, π*(y) ∝ π_ref(y) exp(E_{y'∼μ}[Ψ(p*(y ≻ y'))]/β).

    Eq. 7 and 9 of arXiv:2310.12036. The preferences need not follow a Bradley–Terry model. If
    certain preferences make Ψ infinite, the policy is the limit for p clipped to [ε, 1−ε] as ε → 0.
    In this limit only the actions of the highest `ExpectedPsi.rate` keep any probability, and all
    others get exactly 0 at every β. Under another divergence than KL, the policy is that of
    `tilted_policy` for the same E_μ[Ψ(p*)].

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
    divergence : Divergence, optional
        What stands in the place of KL, such as `divergences.CHI_SQUARED`.

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
        If psi is not a Psi, or divergence is not a Divergence.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> rater = tournament([(0, 1)], 2, q=1.0)
    >>> optimal_policy(rater, LOGIT, beta=10.0)
    array([1., 0.])
    >>> optimal_policy(rater, IDENTITY, beta=10.0)
    array([0.5124974, 0.4875026])
    """
    return tilted_policy(expected_psi(p, psi, mu=mu), beta, divergence, pi_ref=pi_ref)


def objective(
    policy: ArrayLike,
    p: ArrayLike,
    psi: Psi,
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    mu: ArrayLike | None = None,
    divergence: Divergence = KL,
) -> Array:
    """Objective of ΨPO, E_{y∼π, y'∼μ}[Ψ(p*(y ≻ y'))] − β KL(π ‖ π_ref).

    Eq. 6 of arXiv:2310.12036, or the same with another divergence in the place of KL.

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
    divergence : Divergence, optional
        What stands in the place of KL.

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
        If psi is not a Psi, or divergence is not a Divergence.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, tournament
    >>> float(objective([0.5, 0.5], tournament([(0, 1)], 2, q=0.9), IDENTITY, beta=1.0))
    0.5
    """
    checks.require_instance("divergence", divergence, Divergence, "a Divergence")
    g = expected_psi(p, psi, mu=mu).value
    pi = checks.as_policy("policy", policy, g.shape[-1], of="p")
    pi_ref = checks.as_policy("pi_ref", pi_ref, g.shape[-1], of="p")
    beta = checks.as_positive("beta", beta)
    checks.require_broadcast(
        p=g.shape[:-1], policy=pi.shape[:-1], beta=beta.shape, pi_ref=pi_ref.shape[:-1]
    )
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.where(pi > 0, pi * g, 0.0).sum(-1)
        value = np.asarray(expected - beta * divergence(pi, pi_ref))
    if np.isnan(value).any():
        raise ValueError(
            "policy has the value ∞ − ∞: a certain preference makes it infinitely good, another "
            "one, or the divergence, infinitely bad"
        )
    return value[()]
