"""The formulas of the theory, written again as plainly as possible in 50-digit arithmetic."""

from collections.abc import Callable, Mapping, Sequence

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import mp, mpf

from psipo_explore import Comparisons

mp.dps = 50
Table = npt.NDArray[np.float64]
Number = mpmath.mpf

# Each Ψ takes q and 1 − q, because with 50 digits 1 − q cannot be computed from q = 1e-300.
PSI: Mapping[str, Callable[[Number, Number], Number]] = {
    "logit": lambda q, opposite: mp.log(q / opposite),
    "identity": lambda q, _: q,
    "probit": lambda q, opposite: _probit(q, opposite),
    "log": lambda q, _: mp.log(q),
}
INFINITE_AT_ZERO, INFINITE_AT_ONE = ("logit", "probit", "log"), ("logit", "probit")


def psi_of(name: str) -> Callable[[Number, Number], Number]:
    """Return the Ψ that has this name in the package."""
    if name.startswith("folded power"):
        lam = mpf(float(name.removeprefix("folded power ")))
        return lambda q, opposite: (q**lam - opposite**lam) / lam
    return PSI[name]


def exact_pair(p: Table, i: int, j: int) -> tuple[Number, Number]:
    """Return p[i, j] and p[j, i], taking the larger as the complement of the smaller."""
    if p[i, j] <= p[j, i]:
        return mpf(float(p[i, j])), 1 - mpf(float(p[i, j]))
    return 1 - mpf(float(p[j, i])), mpf(float(p[j, i]))


def tilt(g: Sequence[Number], beta: float, pi_ref: Sequence[int]) -> list[Number]:
    """Return π_ref exp(g/β), normalised."""
    best = max(g_y for g_y, n in zip(g, pi_ref, strict=True) if n)
    weights = [
        n * mp.exp((g_y - best) / mpf(beta)) if n else mpf(0)
        for g_y, n in zip(g, pi_ref, strict=True)
    ]
    return [w / mp.fsum(weights) for w in weights]


def expected_psi(
    p: Table,
    name: str,
    mu: Sequence[int],
    log_one_over_eps: Callable[[int, int], Number] | None = None,
) -> list[Number]:
    """Return Σ_y' μ(y') Ψ(p(y ≻ y')) for each action y.

    Where Ψ of a certain preference would be infinite, it is ± the given huge number.
    """
    psi, total = psi_of(name), sum(mu)
    infinite_at_one = name in INFINITE_AT_ONE
    infinite_at_zero = name in INFINITE_AT_ZERO

    def term(i: int, j: int) -> Number:
        q, opposite = exact_pair(p, i, j)
        if q == 0 and infinite_at_zero:
            assert log_one_over_eps
            return -log_one_over_eps(i, j)
        if opposite == 0 and infinite_at_one:
            assert log_one_over_eps
            return log_one_over_eps(i, j)
        return psi(q, opposite)

    return [
        mp.fsum(mpf(m) / total * term(i, j) for j, m in enumerate(mu) if m) for i in range(len(p))
    ]


def _probit(q: Number, opposite: Number) -> Number:
    """Return Φ⁻¹(q), by Newton's method on log Φ from SciPy's answer.

    mpmath's erfinv would need 1 − 2q, which 50 digits cannot hold for q = 1e-300.
    """
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
    """Return the policy of Eq. 7 and 9, where certain preferences have finite log-odds."""
    return tilt(expected_psi(p, name, mu, log_one_over_eps), beta, pi_ref)


def huge(_: int, __: int) -> Number:
    """Return the same huge log-odds for every certain pair.

    They are large enough for every β and every difference of rates in the tests.
    """
    return mpf(10) ** 30


def _sigma(x: Number) -> Number:
    return 1 / (1 + mp.exp(-x))


def _logistic_curvature(x: Number) -> Number:
    return _sigma(x) * _sigma(-x)


# The slope and the curvature of φ, by the name of the loss.
PHI: Mapping[str, tuple[Callable[[Number], Number], Callable[[Number], Number]]] = {
    "DPO": (lambda x: -_sigma(-x), _logistic_curvature),
    "cDPO 0.1": (lambda x: _sigma(x) - (1 - mpf(0.1)), _logistic_curvature),
    "cDPO 1e-09": (lambda x: _sigma(x) - (1 - mpf(1e-9)), _logistic_curvature),
    "ODPO 2.5": (lambda x: -_sigma(mpf(2.5) - x), lambda x: _logistic_curvature(x - mpf(2.5))),
    "cDPO 0": (lambda x: -_sigma(-x), _logistic_curvature),
    "ODPO 0": (lambda x: -_sigma(-x), _logistic_curvature),
    "robust DPO 0.1": (
        lambda x: _sigma(x) - (1 - mpf(0.1)) / (1 - 2 * mpf(0.1)),
        _logistic_curvature,
    ),
    "exponential": (lambda x: -mp.exp(-x), lambda x: mp.exp(-x)),
    "IPO": (lambda x: 2 * x - 1, lambda x: mpf(2)),
    "squared": (lambda x: 2 * x - 2, lambda x: mpf(2)),
}


def minimiser_near(data: Comparisons, name: str, x: Sequence[float]) -> list[Number]:
    """Return the x that minimises Σ w φ(x[winner] − x[loser]) while the last x stays fixed.

    Newton's method starts from the given x and computes with 250 digits. Because the sum is convex,
    an x at which the pulls balance to 60 digits is the minimiser, wherever the steps began.
    """
    slope, curvature = PHI[name]
    pairs = list(
        zip(data.winners.tolist(), data.losers.tolist(), map(float, data.weights), strict=True)
    )
    with mp.workdps(250):
        x = [mpf(float(x_y)) for x_y in x]
        for _ in range(15):
            gradient, pulls = [mpf(0)] * len(x), [mpf(0)] * len(x)
            hessian = mp.zeros(len(x) - 1)
            for winner, loser, w in pairs:
                h = x[winner] - x[loser]
                for y, sign in ((winner, 1), (loser, -1)):
                    gradient[y] += sign * w * slope(h)
                    pulls[y] += abs(w * slope(h))
                    for other in (winner, loser):
                        if max(y, other) < len(x) - 1:
                            hessian[y, other] += (1 if y == other else -1) * w * curvature(h)
            if all(
                abs(g) <= mpf(10) ** -60 * max(p, mpf(10) ** -200)
                for g, p in zip(gradient, pulls, strict=True)
            ):
                return x
            step = mp.lu_solve(hessian, mp.matrix([-g for g in gradient[:-1]]))
            x = [x_y + d for x_y, d in zip(x, [*step, mpf(0)], strict=True)]
    raise AssertionError(f"{name}: Newton's method does not settle near {x}")
