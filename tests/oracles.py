"""The formulas of theory, written again as plainly as they can be, in 50-digit arithmetic."""

from collections.abc import Callable, Mapping, Sequence

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import mp, mpf

mp.dps = 50
Table = npt.NDArray[np.float64]
Number = mpmath.mpf

# Ψ of q, given with 1 − q, which 50 digits cannot hold beside a q of 1e-300.
PSI: Mapping[str, Callable[[Number, Number], Number]] = {
    "logit": lambda q, opposite: mp.log(q / opposite),
    "identity": lambda q, _: q,
    "probit": lambda q, opposite: _probit(q, opposite),
    "log": lambda q, _: mp.log(q),
}


def psi_of(name: str) -> Callable[[Number, Number], Number]:
    """Ψ by its name in the package."""
    if name.startswith("folded power"):
        lam = mpf(float(name.removeprefix("folded power ")))
        return lambda q, opposite: (q**lam - opposite**lam) / lam
    return PSI[name]


def exact_pair(p: Table, i: int, j: int) -> tuple[Number, Number]:
    """p[i, j] and p[j, i], the smaller as float64 holds it and the larger its complement."""
    if p[i, j] <= p[j, i]:
        return mpf(float(p[i, j])), 1 - mpf(float(p[i, j]))
    return 1 - mpf(float(p[j, i])), mpf(float(p[j, i]))


def tilt(g: Sequence[Number], beta: float, pi_ref: Sequence[int]) -> list[Number]:
    """π_ref exp(g/β), normalised."""
    best = max(g_y for g_y, n in zip(g, pi_ref, strict=True) if n)
    weights = [n * mp.exp((g_y - best) / mpf(beta)) if n else mpf(0) for g_y, n in zip(g, pi_ref, strict=True)]
    return [w / mp.fsum(weights) for w in weights]


def expected_psi(
    p: Table, name: str, mu: Sequence[int], log_one_over_eps: Callable[[int, int], Number] | None = None
) -> list[Number]:
    """Σ_y' μ(y') Ψ(p(y ≻ y')); Ψ of a certain preference is ± the given huge number where it would be infinite."""
    psi, total = psi_of(name), sum(mu)
    infinite_at_one = name in ("logit", "probit")
    infinite_at_zero = infinite_at_one or name == "log"

    def term(i: int, j: int) -> Number:
        q, opposite = exact_pair(p, i, j)
        if q == 0 and infinite_at_zero:
            assert log_one_over_eps
            return -log_one_over_eps(i, j)
        if opposite == 0 and infinite_at_one:
            assert log_one_over_eps
            return log_one_over_eps(i, j)
        return psi(q, opposite)

    return [mp.fsum(mpf(m) / total * term(i, j) for j, m in enumerate(mu) if m) for i in range(len(p))]


def _probit(q: Number, opposite: Number) -> Number:
    """Φ⁻¹ by Newton on log Φ from SciPy's answer: erfinv cannot be asked for q = 1e-300 in 50 digits."""
    from scipy.special import ndtri

    if q == opposite:
        return mpf(0)
    smaller = min(q, opposite)
    z = mpf(float(ndtri(float(smaller))))
    with mp.workdps(80):
        for _ in range(6):
            phi = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
            cdf = mp.erfc(-z / mp.sqrt(2)) / 2
            z -= cdf / phi * mp.log(cdf / smaller)
    return +z if q < opposite else -z


def policy(
    p: Table,
    name: str,
    beta: float,
    pi_ref: Sequence[int],
    mu: Sequence[int],
    log_one_over_eps: Callable[[int, int], Number] | None = None,
) -> list[Number]:
    """Eq. 7 and 9, certain preferences replaced by finite ones of the given log-odds."""
    return tilt(expected_psi(p, name, mu, log_one_over_eps), beta, pi_ref)


def huge(_: int, __: int) -> Number:
    """The same log-odds for every certain pair, large enough for any β and any difference of rates in the tests."""
    return mpf(10) ** 30
