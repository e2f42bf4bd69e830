"""What a few comparisons make of a preference: the exact law of p̂, and of the policy built on it.

Finite samples are where §4.2 of arXiv:2310.12036 sees the danger: a preference of 0.8 is often unanimous in a handful of
comparisons, and an unbounded Ψ then drops the loser at every β. All laws here are finite sums, nothing is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore.policy import gibbs_policy
from psipo_explore.psi import Psi
from psipo_explore.scores import expected_psi

__all__ = ["PreferenceLaw", "collapse_probability", "expected_policy", "preference_law"]

_MOST_OUTCOMES = 200_000
_TINY = 1e-290


@dataclass(frozen=True, eq=False)
class PreferenceLaw:
    """Every table p̂ that n comparisons of each pair can give, and how likely each is (§4.2 of arXiv:2310.12036).

    Parameters
    ----------
    p_hat : ndarray, shape (M, K, K)
        The possible empirical preferences; M = (n + 1) to the number of pairs.
    probability : ndarray, shape (..., M)
        Of each of them; the true p's leading axes lead.

    Examples
    --------
    >>> law = preference_law([[0.5, 0.8], [0.2, 0.5]], n=2)
    >>> law.p_hat[:, 0, 1], law.probability
    (array([0. , 0.5, 1. ]), array([0.04, 0.32, 0.64]))
    """

    p_hat: Array
    probability: Array

    def expectation(self, values: ArrayLike) -> Array:
        """E[f(p̂)], for the values that f takes on the outcomes.

        Parameters
        ----------
        values : array_like, shape (M, ...)
            f of each outcome.

        Returns
        -------
        ndarray, shape (..., ...)
            The true p's leading axes, then those of a value.

        Raises
        ------
        ValueError
            If values are not finite, or not one for each outcome.

        Examples
        --------
        >>> law = preference_law([[0.5, 0.8], [0.2, 0.5]], n=5)
        >>> law.expectation(law.p_hat)
        array([[0.5, 0.8],
               [0.2, 0.5]])
        """
        values = checks.finite("values", values)
        if values.shape[:1] != self.probability.shape[-1:]:
            raise ValueError(
                f"values has shape {values.shape}, must be ({self.probability.shape[-1]}, ...), one for each outcome"
            )
        return np.asarray(np.tensordot(self.probability, values, axes=1))[()]


def preference_law(p: ArrayLike, *, n: int) -> PreferenceLaw:
    """The law of p̂ when each pair is compared n times, all independently: products of binomials.

    The finite data of §4.2 of arXiv:2310.12036.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        True preferences, p + pᵀ = 1.
    n : int
        Comparisons of each pair, at least 1.

    Returns
    -------
    PreferenceLaw
        All outcomes, and their probabilities under each table of p.

    Raises
    ------
    ValueError
        If the outcomes are more than can be listed.

    Examples
    --------
    >>> from psipo_explore import tournament
    >>> preference_law(tournament([(0, 1)], 2, 0.8), n=1).probability
    array([0.2, 0.8])
    """
    p = checks.preference_table(p)
    n = checks.count("n", n)
    k = p.shape[-1]
    first, second = np.triu_indices(k, 1)
    digits = first.size * log10(n + 1)
    if digits > log10(_MOST_OUTCOMES):
        raise ValueError(
            f"n = {n if n < 1e9 else 'so many'} comparisons of each of {first.size} pairs have "
            f"{f'{10**digits:.3g}' if digits < 300 else 'over 1e300'} outcomes, must have at most {_MOST_OUTCOMES}"
        )
    outcome = np.arange((n + 1) ** first.size)[:, np.newaxis]
    wins = outcome // (n + 1) ** np.arange(first.size) % (n + 1)
    p_hat = np.full((len(wins), k, k), 0.5)
    p_hat[:, first, second], p_hat[:, second, first] = wins / n, (n - wins) / n
    q, opposite = p[..., np.newaxis, first, second], p[..., np.newaxis, second, first]
    rarer = q <= opposite  # the side on which float64 is finer
    of_pair = _binomial(np.where(rarer, wins, n - wins), n, np.where(rarer, q, opposite))
    return PreferenceLaw(p_hat, np.asarray(of_pair.prod(-1)))


def _binomial(k: Indices, n: int, q: Array) -> Array:
    """Probability of k successes in n draws; where q is tiny two terms are all of it, and SciPy's pmf overflows."""
    from scipy import stats

    in_two_terms = np.where(k == 0, 1.0, np.where(k == 1, n * q, 0.0))
    return np.where(q < _TINY, in_two_terms, stats.binom.pmf(k, n, np.maximum(q, _TINY)))


def collapse_probability(p: ArrayLike, psi: Psi, *, n: int, mu: ArrayLike | None = None) -> Array:
    """Probability that the ΨPO optimum at p̂ gives some action 0, whatever β is.

    §4.2 of arXiv:2310.12036. For two actions and Ψ = logit it is pⁿ + (1−p)ⁿ; for a bounded Ψ it is 0.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        True preferences, p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    n : int
        Comparisons of each pair, at least 1.
    mu : array_like, shape (K,), optional
        Distribution of the opponent; uniform by default.

    Returns
    -------
    ndarray, shape (...)
        For a reference policy that excludes no action.

    Raises
    ------
    ValueError
        As `preference_law` and `optimal_policy` do.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> float(collapse_probability(p, LOGIT, n=3).round(6)), float(collapse_probability(p, IDENTITY, n=3))
    (0.52, 0.0)
    """
    law = preference_law(p, n=n)
    _require_one("mu", mu)
    at_no_finite_beta = gibbs_policy(expected_psi(law.p_hat, psi, mu=mu), 1e300) == 0
    return law.expectation(at_no_finite_beta.any(-1))


def expected_policy(
    p: ArrayLike, psi: Psi, beta: ArrayLike, *, n: int, pi_ref: ArrayLike | None = None, mu: ArrayLike | None = None
) -> Array:
    """Mean over p̂ of the ΨPO optimum at p̂ (Eq. 7 and 9 of arXiv:2310.12036).

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        True preferences, p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    beta : array_like, shape (...)
        Strength of the KL term; its axes come after those of p.
    n : int
        Comparisons of each pair, at least 1.
    pi_ref, mu : array_like, shape (K,), optional
        Reference policy, and distribution of the opponent; uniform by default.

    Returns
    -------
    ndarray, shape p.shape[:-2] + beta.shape + (K,)
        Probabilities.

    Raises
    ------
    ValueError
        As `preference_law` and `optimal_policy` do.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> expected_policy(p, LOGIT, 1.0, n=3).round(3), expected_policy(p, IDENTITY, 1.0, n=3).round(3)
    (array([0.8, 0.2]), array([0.574, 0.426]))
    """
    law = preference_law(p, n=n)
    _require_one("pi_ref", pi_ref)
    _require_one("mu", mu)
    beta = checks.positive("beta", beta)
    outcome = (slice(None), *(np.newaxis,) * beta.ndim)
    score = expected_psi(law.p_hat[outcome], psi, mu=mu)
    return law.expectation(gibbs_policy(score, beta, pi_ref=pi_ref))


def _require_one(name: str, policy: ArrayLike | None) -> None:
    """Refuse a batch, whose leading axes would meet those of the outcomes."""
    if policy is not None and np.ndim(policy) != 1:
        raise ValueError(f"{name} has shape {np.shape(policy)}, must be (K,)")
