"""What a few comparisons make of a preference: the exact law of p̂, and of the policy built on it.

Finite samples are where §4.2 of arXiv:2310.12036 sees the danger: a preference of 0.8 is often
unanimous in a handful of comparisons, and an unbounded Ψ then drops the loser at every β. All laws
here are finite sums, nothing is sampled.
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

_MOST_NUMBERS = 10**8  # summed over block by block, which takes about a minute
_BLOCK = 1 << 16  # numbers held at once
_TINY = 1e-170  # two successes are beyond float64


@dataclass(frozen=True, eq=False)
class PreferenceLaw:
    """Every table p̂ that n comparisons of each pair can give, and how likely each is (§4.2 of
    arXiv:2310.12036).

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
                f"values has shape {values.shape}, must be ({self.probability.shape[-1]}, ...), "
                "one for each outcome"
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
        If the outcomes are more than memory holds.

    Examples
    --------
    >>> from psipo_explore import tournament
    >>> preference_law(tournament([(0, 1)], 2, 0.8), n=1).probability
    array([0.2, 0.8])
    """
    p = checks.preference_table(p)
    n = checks.count("n", n)
    fits = f"they fill half of this machine's memory, {checks.in_bytes(checks.most_numbers())}"
    total = _number_of_outcomes(p, n, n + 1, checks.most_numbers() // _numbers_each(p), fits)
    return _law(_binomial(p, n), p.shape[-1], np.arange(total))


def _pairs(p: Array) -> tuple[Array, Array]:
    """How often the first action of each pair beats the second, and the second the first, shape
    (..., pairs).
    """
    first, second = np.triu_indices(p.shape[-1], 1)
    return p[..., first, second], p[..., second, first]


def _numbers_each(p: Array, n_betas: int = 1) -> int:
    """How many numbers are held for one outcome."""
    k: int = p.shape[-1]
    batch: int = prod(p.shape[:-2])
    return max(k * k, batch * k * (k - 1) // 2, n_betas * k)


def _number_of_outcomes(
    p: Array, n: int, ways: int, most: int, why: str = "more take minutes"
) -> int:
    """In how many ways the pairs can come out, each in one of its ways; too many are refused."""
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
    """The part of a law for some of the outcomes, by their number.

    of_pair, of shape (..., pairs, s + 1), is how likely p̂ of each pair is 0, 1/s, …, 1; its digits
    number an outcome.
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
    """The whole law, a part at a time; parts that float64 gives no probability are passed over."""
    size = max(1, _BLOCK // each)
    for start in range(0, total, size):
        part = _law(of_pair, k, np.arange(start, min(start + size, total)))
        if part.probability.any():
            yield part


def _binomial(p: Array, n: int) -> Array:
    """Probability of 0, 1, …, n wins in each pair, shape (..., pairs, n + 1)."""
    q, opposite = _pairs(p)
    rarer = (q <= opposite)[..., np.newaxis]  # the side on which float64 is finer
    wins = np.arange(n + 1)
    return _of_rarer(np.where(rarer, wins, n - wins), n, np.minimum(q, opposite)[..., np.newaxis])


def _of_rarer(k: Indices, n: int, q: Array) -> Array:
    """Probability of k successes in n draws; where q is tiny two terms are all of it, and SciPy's
    pmf overflows.
    """
    from scipy import stats

    in_two_terms = np.where(k == 0, 1.0, np.where(k == 1, n * q, 0.0))
    return np.where(q < _TINY, in_two_terms, stats.binom.pmf(k, n, np.maximum(q, _TINY)))


def _unanimous(p: Array, n: int) -> Array:
    """Probability that the first of each pair wins none, some but not all, and all of n, shape
    (..., pairs, 3).

    Without the middle where n = 1, shape (..., pairs, 2).
    """
    q, opposite = _pairs(p)
    smaller = np.minimum(q, opposite)
    with np.errstate(over="ignore", under="ignore"):
        shift = max(0, n.bit_length() - 1000)  # n may be more than float64 holds
        log_none = np.ldexp(np.log1p(-smaller) * (n / 2**shift), shift)
        rarer_wins = np.power(smaller, float(min(n, 10**300)))
    rarer_loses, mixed = np.exp(log_none), -np.expm1(log_none) - rarer_wins
    none, every = np.where(q <= opposite, (rarer_loses, rarer_wins), (rarer_wins, rarer_loses))
    return np.stack([none, every] if n == 1 else [none, mixed, every], axis=-1)


def collapse_probability(p: ArrayLike, psi: Psi, *, n: int, mu: ArrayLike | None = None) -> Array:
    """Probability that the ΨPO optimum at p̂ gives some action 0, whatever β is.

    §4.2 of arXiv:2310.12036. For two actions and Ψ = logit it is pⁿ + (1−p)ⁿ; for a bounded Ψ it is
    0. It matters only which pairs are unanimous, so that n may be any number.

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
        As `optimal_policy` does, or if psi is unbounded and the actions are more than five (six at
        n = 1).

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> float(collapse_probability(p, LOGIT, n=3).round(6)), float(collapse_probability(p, IDENTITY, n=3))
    (0.52, 0.0)
    """
    require_psi(psi)
    p = checks.preference_table(p)
    n = checks.count("n", n)
    _require_one("mu", mu)
    mu = checks.policy("mu", mu, p.shape[-1], of="p")
    if psi.bounded:
        return np.zeros(p.shape[:-2])[()]
    each = _numbers_each(p)
    total = _number_of_outcomes(p, n, min(n + 1, 3), _MOST_NUMBERS // each)
    probability = np.zeros(p.shape[:-2])
    for law in _in_blocks(_unanimous(p, n), p.shape[-1], total, each):
        probability += law.expectation(_collapses(expected_psi(law.p_hat, psi, mu=mu)))
    return probability[()]


def _collapses(score: ExpectedPsi) -> Mask:
    """Whether some action gets 0 at every β: a matter of rates alone, so that no finite part may
    round it to 0.
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
        As `optimal_policy` does, or if the outcomes are so many that summing over them takes
        minutes.

    Examples
    --------
    >>> from psipo_explore import IDENTITY, LOGIT, tournament
    >>> p = tournament([(0, 1)], 2, 0.8)
    >>> expected_policy(p, LOGIT, 1.0, n=3).round(3), expected_policy(p, IDENTITY, 1.0, n=3).round(3)
    (array([0.8, 0.2]), array([0.574, 0.426]))
    """
    require_psi(psi)
    p = checks.preference_table(p)
    n = checks.count("n", n)
    _require_one("pi_ref", pi_ref)
    _require_one("mu", mu)
    beta = checks.positive("beta", beta)
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
    """Refuse a batch, whose leading axes would meet those of the outcomes."""
    if policy is not None and (shape := checks.real(name, policy).shape) != shape[:1]:
        raise ValueError(f"{name} has shape {shape}, must be (K,)")
