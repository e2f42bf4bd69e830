"""Exact laws of the preferences p̂ that a few comparisons show, and of policies built on p̂.

Finite samples are the danger that §4.2 of arXiv:2310.12036 describes: a preference of 0.8 is often
unanimous in a handful of comparisons, and an unbounded Ψ then drops the loser at every β. All laws
are finite sums, so nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log10, prod

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore.policy import gibbs_policy
from psipo_explore.psi import Psi
from psipo_explore.scores import ExpectedPsi, expected_psi, require_psi

__all__ = ["PreferenceLaw", "collapse_probability", "expected_policy", "preference_law"]

_MOST_NUMBERS = 10**8  # most numbers in a sum over all outcomes, which takes about a minute
_BLOCK = 1 << 16  # numbers held at once in such a sum
_TINY = 1e-170  # the square of a smaller probability underflows


@dataclass(frozen=True, eq=False)
class PreferenceLaw:
    """Every table p̂ that n comparisons of each pair can give, with its probability.

    These are the estimates from finite data that §4.2 of arXiv:2310.12036 discusses.

    Parameters
    ----------
    p_hat : ndarray, shape (M, K, K)
        The possible empirical preferences. With P pairs there are M = (n + 1)^P.
    probability : ndarray, shape (..., M)
        Probability of each outcome. The leading axes are those of the true p.

    Examples
    --------
    >>> law = preference_law([[0.5, 0.8], [0.2, 0.5]], n=2)
    >>> law.p_hat[:, 0, 1], law.probability
    (array([0. , 0.5, 1. ]), array([0.04, 0.32, 0.64]))
    """

    p_hat: Array
    probability: Array

    def expectation(self, values: ArrayLike) -> Array:
        """Return the expectation E[f(p̂)], given the value of f at each outcome.

        Parameters
        ----------
        values : array_like, shape (M, ...)
            Value of f at each outcome.

        Returns
        -------
        ndarray, shape (..., ...)
            Expectations, with the leading axes of the true p, then the axes of one value.

        Raises
        ------
        ValueError
            If values are not finite, or if their number is not that of the outcomes.

        Examples
        --------
        >>> law = preference_law([[0.5, 0.8], [0.2, 0.5]], n=5)
        >>> law.expectation(law.p_hat)
        array([[0.5, 0.8],
               [0.2, 0.5]])
        """
        values = checks.as_finite("values", values)
        if values.shape[:1] != self.probability.shape[-1:]:
            raise ValueError(
                f"values has shape {values.shape}, must be ({self.probability.shape[-1]}, ...), "
                "one for each outcome"
            )
        return np.asarray(np.tensordot(self.probability, values, axes=1))[()]


def preference_law(p: ArrayLike, *, n: int) -> PreferenceLaw:
    """Law of the empirical preferences p̂ when each pair is compared n times.

    All comparisons are independent, so the law is a product of binomial laws. It describes the
    finite data in §4.2 of arXiv:2310.12036.

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
        If p is not a preference table, if n is less than 1, or if the outcomes do not fit into
        memory.

    Examples
    --------
    >>> from psipo_explore import tournament
    >>> preference_law(tournament([(0, 1)], 2, 0.8), n=1).probability
    array([0.2, 0.8])
    """
    p = checks.as_preference_table(p)
    n = checks.as_count("n", n)
    fits = f"they fill half of this machine's memory, {checks.in_bytes(checks.most_numbers())}"
    total = _number_of_outcomes(p, n, n + 1, checks.most_numbers() // _numbers_each(p), fits)
    return _law(_binomial(p, n), p.shape[-1], np.arange(total))


def _pairs(p: Array) -> tuple[Array, Array]:
    """Return the probabilities that the first action of each pair wins, and that the second does.

    Both have shape (..., pairs).
    """
    first, second = np.triu_indices(p.shape[-1], 1)
    return p[..., first, second], p[..., second, first]


def _numbers_each(p: Array, n_betas: int = 1) -> int:
    """Count the numbers that are held in memory for one outcome."""
    k: int = p.shape[-1]
    batch: int = prod(p.shape[:-2])
    return max(k * k, batch * k * (k - 1) // 2, n_betas * k)


def _number_of_outcomes(
    p: Array, n: int, ways: int, most: int, why: str = "more take minutes"
) -> int:
    """Count the joint outcomes of all pairs, each of which can end in `ways` ways.

    More than `most` outcomes are refused.
    """
    n_pairs = _pairs(p)[0].shape[-1]
    digits = n_pairs * log10(ways)
    if digits > log10(max(most, 1)):
        found = f"{10**digits:.3g}" if digits < 300 else "over 1e300"
        raise ValueError(
            f"n = {checks.shown(n)} comparisons of each of {n_pairs} pairs have {found} outcomes, "
            f"must have at most {most:.3g}: {why}"
        )
    return int(ways**n_pairs)


def _law(of_pair: Array, k: int, outcomes: Indices) -> PreferenceLaw:
    """Return the part of a law that covers the outcomes of the given numbers.

    `of_pair`, of shape (..., pairs, s + 1), holds the probability that p̂ of a pair is d/s, for
    each d from 0 to s. An outcome's number in base s + 1 has one digit d for each pair.
    """
    first, second = np.triu_indices(k, 1)
    ways, pair = of_pair.shape[-1], np.arange(first.size)
    digit = outcomes[:, np.newaxis] // ways**pair % ways
    p_hat = np.full((outcomes.size, k, k), 0.5)
    p_hat[:, first, second], p_hat[:, second, first] = (
        digit / (ways - 1),
        (ways - 1 - digit) / (ways - 1),
    )
    return PreferenceLaw(p_hat, np.asarray(of_pair[..., pair, digit].prod(-1)))


def _in_blocks(of_pair: Array, k: int, total: int, each: int) -> Iterator[PreferenceLaw]:
    """Yield the whole law one part at a time, without parts whose probabilities round to 0."""
    size = max(1, _BLOCK // each)
    for start in range(0, total, size):
        part = _law(of_pair, k, np.arange(start, min(start + size, total)))
        if part.probability.any():
            yield part


def _binomial(p: Array, n: int) -> Array:
    """Return the probability of 0, 1, …, n wins in each pair, shape (..., pairs, n + 1)."""
    q, opposite = _pairs(p)
    # Count the wins of the rarer winner, because float64 resolves small probabilities better.
    rarer = (q <= opposite)[..., np.newaxis]
    wins = np.arange(n + 1)
    return _of_rarer(np.where(rarer, wins, n - wins), n, np.minimum(q, opposite)[..., np.newaxis])


def _of_rarer(k: Indices, n: int, q: Array) -> Array:
    """Return the probability of k successes in n draws of probability q ≤ ½.

    If q is tiny, SciPy's pmf overflows. More than one success then has a negligible probability.
    """
    from scipy import stats

    in_two_terms = np.where(k == 0, 1.0, np.where(k == 1, n * q, 0.0))
    return np.where(q < _TINY, in_two_terms, stats.binom.pmf(k, n, np.maximum(q, _TINY)))


def _unanimous(p: Array, n: int) -> Array:
    """Return the probabilities that the first of each pair wins none, some, or all of n.

    The shape is (..., pairs, 3). "Some" means neither none nor all. This is impossible at n = 1,
    where the shape is (..., pairs, 2).
    """
    q, opposite = _pairs(p)
    smaller = np.minimum(q, opposite)
    with np.errstate(over="ignore", under="ignore"):
        # n may be larger than any float64, so it is divided by a power of 2 first.
        shift = max(0, n.bit_length() - 1000)
        log_none = np.ldexp(np.log1p(-smaller) * (n / 2**shift), shift)
        rarer_wins = np.power(smaller, float(min(n, 10**300)))
    rarer_loses, mixed = np.exp(log_none), -np.expm1(log_none) - rarer_wins
    none, every = np.where(q <= opposite, (rarer_loses, rarer_wins), (rarer_wins, rarer_loses))
    return np.stack([none, every] if n == 1 else [none, mixed, every], axis=-1)


def collapse_probability(p: ArrayLike, psi: Psi, *, n: int, mu: ArrayLike | None = None) -> Array:
    """Probability that the ΨPO optimum at p̂ gives some action probability 0 at every β.

    §4.2 of arXiv:2310.12036 describes this collapse. For two actions and Ψ = logit its probability
    is pⁿ + (1−p)ⁿ, and for a bounded Ψ it is 0. It depends only on which pairs are unanimous, so n
    may be arbitrarily large.

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
        Probabilities, for any reference policy that excludes no action.

    Raises
    ------
    ValueError
        If p is not a preference table, if n is less than 1, if mu is not one distribution over the
        actions of p, if psi is infinite at both ends and not odd, or if psi is unbounded and there
        are more than five actions (six at n = 1; fewer for a large batch of tables).
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> float(collapse_probability(p, LOGIT, n=3).round(6)), float(collapse_probability(p, IDENTITY, n=3))
    (0.52, 0.0)
    """
    require_psi(psi)
    p = checks.as_preference_table(p)
    n = checks.as_count("n", n)
    _require_one("mu", mu)
    mu = checks.as_policy("mu", mu, p.shape[-1], of="p")
    if psi.bounded:
        return np.zeros(p.shape[:-2])[()]
    each = _numbers_each(p)
    total = _number_of_outcomes(p, n, min(n + 1, 3), _MOST_NUMBERS // each)
    probability = np.zeros(p.shape[:-2])
    for law in _in_blocks(_unanimous(p, n), p.shape[-1], total, each):
        probability += law.expectation(_collapses(expected_psi(law.p_hat, psi, mu=mu)))
    return probability[()]


def _collapses(score: ExpectedPsi) -> Mask:
    """Whether some action gets probability 0 at every β.

    Only the rates decide this. The finite parts are set to 0, because they could make a probability
    round to 0.
    """
    rates = replace(score, rest=np.zeros_like(score.rest))
    return np.asarray((gibbs_policy(rates, 1.0) == 0).any(-1))


def expected_policy(
    p: ArrayLike,
    psi: Psi,
    beta: ArrayLike,
    *,
    n: int,
    pi_ref: ArrayLike | None = None,
    mu: ArrayLike | None = None,
) -> Array:
    """Mean of the ΨPO optimum at p̂ over the law of p̂.

    The optimum at p̂ is Eq. 7 of arXiv:2310.12036, where p̂ takes the place of p*.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        True preferences, p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    beta : array_like, shape (...)
        Strength of the KL term. In the result, its axes follow the leading axes of p.
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
        If `optimal_policy` refuses the arguments at some p̂, if pi_ref or mu is more than one
        policy, if n is less than 1, or if a sum over all outcomes would take minutes.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> expected_policy(p, LOGIT, 1.0, n=3).round(3), expected_policy(p, IDENTITY, 1.0, n=3).round(3)
    (array([0.8, 0.2]), array([0.574, 0.426]))
    """
    require_psi(psi)
    p = checks.as_preference_table(p)
    n = checks.as_count("n", n)
    _require_one("pi_ref", pi_ref)
    _require_one("mu", mu)
    beta = checks.as_positive("beta", beta)
    k, betas = p.shape[-1], (np.newaxis,) * beta.ndim
    checks.require_fits("beta", (*p.shape[:-2], *beta.shape, k))
    each = _numbers_each(p, beta.size)
    total = _number_of_outcomes(p, n, n + 1, _MOST_NUMBERS // each)
    mean = np.zeros((*p.shape[:-2], *beta.shape, k))
    for law in _in_blocks(_binomial(p, n), k, total, each):
        score = expected_psi(law.p_hat[:, *betas], psi, mu=mu)
        mean += law.expectation(gibbs_policy(score, beta, pi_ref=pi_ref))
    return mean


def _require_one(name: str, policy: ArrayLike | None) -> None:
    """Refuse a batch of policies, whose leading axes would collide with that of the outcomes."""
    if policy is not None and (shape := checks.as_real(name, policy).shape) != shape[:1]:
        raise ValueError(f"{name} has shape {shape}, must be (K,)")
