"""The formulas of the theory, written again as plainly as possible in 50-digit arithmetic.

Linear programmes are solved in whole numbers, without any rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

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


def exact_maximum(c: Any, rows: Any, limits: Any) -> tuple[Fraction, list[Fraction]]:
    """Maximise c·v over all v with rows·v ≤ limits, by the simplex method in whole numbers.

    All numbers are whole, v has any sign, and the limits are at least 0, so that v = 0 is feasible.
    The tableau is a table of whole numbers over one common denominator (Edmonds), and Bland's rule
    keeps it from cycling.
    """
    rows, c = np.asarray(rows, dtype=int), np.asarray(c, dtype=int)
    m, d = rows.shape
    table = np.zeros(
        (m + 1, 2 * d + 1), dtype=object
    )  # v is a difference of two non-negative parts
    table[:m, : 2 * d] = np.hstack([rows, -rows])
    table[:m, -1] = np.asarray(limits, dtype=int)
    table[m, : 2 * d] = np.concatenate([-c, c])
    table, denominator = np.vectorize(int, otypes=[object])(table), 1
    outside, basis = list(range(2 * d)), list(range(2 * d, 2 * d + m))
    while True:
        falling = [(outside[j], j) for j in range(2 * d) if table[m, j] < 0]
        if not falling:
            break
        enters = min(falling)[1]
        bound = [
            (Fraction(table[i, -1], table[i, enters]), basis[i], i)
            for i in range(m)
            if table[i, enters] > 0
        ]
        if not bound:
            raise AssertionError("the programme has no finite maximum")
        leaves = min(bound)[2]
        pivot, row, column = table[leaves, enters], table[leaves].copy(), table[:, enters].copy()
        table = (table * pivot - np.outer(column, row)) // denominator
        table[:, enters], table[leaves] = -column, row
        table[leaves, enters], denominator = denominator, pivot
        outside[enters], basis[leaves] = basis[leaves], outside[enters]
    parts = [Fraction(0)] * (2 * d + m)
    for i, name in enumerate(basis):
        parts[name] = Fraction(table[i, -1], denominator)
    v = [parts[k] - parts[d + k] for k in range(d)]
    return Fraction(table[m, -1], denominator), v


def exactly_separated(z: Table) -> tuple[list[bool], list[Fraction]]:
    """Return which rows some v with Zv ≥ 0 makes positive, and a v that makes all of them so.

    Z holds whole numbers. The programme is max Σ s subject to s ≤ Zv and 0 ≤ s ≤ 1.
    """
    n, d = z.shape
    none, one = np.zeros((n, d)), np.eye(n)
    below = np.block([[-z, one], [none, one], [none, -one]])
    _, found = exact_maximum(np.repeat([0, 1], [d, n]), below, np.repeat([0, 1, 0], n))
    assert set(found[d:]) <= {0, 1}
    return [s == 1 for s in found[d:]], found[:d]


def exactly_spared(z: Table, separated: Sequence[bool], rivals: Table) -> list[Fraction] | None:
    """Return a v with Zv > 0 on the separated rows, 0 on the others, and rivals·v ≤ 0, or None.

    All entries are whole numbers. The programme maximises the least entry of Zv, up to 1.
    """
    s, d = np.array(separated), z.shape[1]
    rows = np.vstack([-z[s], z[~s], -z[~s], rivals, np.zeros((1, d))])
    t = np.repeat([1, 0, 1], [s.sum(), len(rows) - s.sum() - 1, 1])
    limits = np.repeat([0, 1], [len(rows) - 1, 1])
    largest, found = exact_maximum([0] * d + [1], np.column_stack([rows, t]), limits)
    return found[:-1] if largest > 0 else None


def exact_rank(rows: Table) -> tuple[int, list[int]]:
    """Return the rank of a matrix of float64 numbers, exactly, and rows that span the others."""
    reduced: list[list[Fraction]] = []
    spanning = []
    for k, given in enumerate(np.asarray(rows, dtype=float).tolist()):
        row = [Fraction(x) for x in given]
        for other in reduced:
            lead = next(j for j, x in enumerate(other) if x)
            if row[lead]:
                share = row[lead] / other[lead]
                row = [x - share * y for x, y in zip(row, other, strict=True)]
        if any(row):
            reduced.append(row)
            spanning.append(k)
    return len(spanning), spanning


def shortest_weights(z: Table, w: Sequence[float], name: str, near: Sequence[float]) -> Any:
    """Return the shortest ψ that minimises Σ w φ(Zψ), with 50 digits; φ has a name of `PHI`.

    The minimum is attained. Newton's method begins near it. The shortest ψ is a sum of rows of Z,
    of which as many as their rank are taken.
    """
    slope, curvature = PHI[name]
    rank, spanning = exact_rank(z)
    if not rank:
        return [mpf(0)] * z.shape[1]
    with mp.workdps(120):
        span = mp.matrix(z[spanning].tolist())
        design = mp.matrix(z.tolist()) * span.T
        found = mp.lu_solve(span * span.T, span * mp.matrix([mpf(float(x)) for x in near]))
        for _ in range(40):
            x = design * found
            pulls = [mpf(float(w_i)) * slope(x_i) for w_i, x_i in zip(w, x, strict=True)]
            gradient = design.T * mp.matrix(pulls)
            weighted = design.copy()
            for i, (w_i, x_i) in enumerate(zip(w, x, strict=True)):
                weighted[i, :] *= mpf(float(w_i)) * curvature(x_i)
            step = mp.lu_solve(design.T * weighted, gradient)
            found -= step
            moves = design * step
            if max(abs(move) for move in moves) <= mpf(10) ** -55:
                return list(span.T * found)
    raise AssertionError(f"{name}: Newton's method does not settle near {near}")


def _slope_of_alpha(a: Number) -> tuple[Callable[[Number], Number], ...]:
    b = a - 1
    return (
        lambda t: (t**a - a * t + b) / (a * b),
        lambda t: t ** (a - 2),
        lambda t, x: (t**b + b * x) ** (1 / b) if t**b + b * x > 0 else mpf(0),
    )


def _omega(z: Number) -> Number:
    """Return the r with r + log r = z, by Newton's method on log r."""
    log_r = mp.log(z) if z > 1 else z
    for _ in range(200):
        r = mp.exp(log_r)
        step = (r + log_r - z) / (r + 1)
        log_r -= step
        if abs(step) <= mp.eps * 4 * (1 + abs(log_r)):
            return mp.exp(log_r)
    raise AssertionError(f"Newton's method does not settle at {z}")


# f, f'' and (t, x) ↦ (f')⁻¹(f'(t) + x), by the name of the divergence.
_LEASHES: Mapping[str, tuple[Callable[..., Number], ...]] = {
    "KL": (lambda t: t * mp.log(t) if t else mpf(0), lambda t: 1 / t, lambda t, x: t * mp.exp(x)),
    "reverse KL": (lambda t: -mp.log(t), lambda t: t**-2, lambda t, x: t / (1 - t * x)),
    "χ²": (lambda t: (t - 1) ** 2 / 2, lambda t: mpf(1), lambda t, x: max(t + x, mpf(0))),
    "χPO": (
        lambda t: (t - 1) ** 2 / 2 + (t * mp.log(t) if t else 0),
        lambda t: 1 + 1 / t,
        lambda t, x: _omega(t + mp.log(t) + x),
    ),
    "Jensen–Shannon": (
        lambda t: ((t * mp.log(t) if t else 0) - (t + 1) * mp.log((t + 1) / 2)) / 2,
        lambda t: 1 / (2 * t * (t + 1)),
        lambda t, x: 1 / ((1 + 1 / t) * mp.exp(-2 * x) - 1),
    ),
}


def leash(name: str) -> tuple[Callable[..., Number], ...]:
    """Return f, f'' and (t, x) ↦ (f')⁻¹(f'(t) + x) of the divergence with this name."""
    if name.startswith("α = "):
        return _slope_of_alpha(mpf(float(name.removeprefix("α = "))))
    return _LEASHES[name]


def leashed(x: Sequence[Number], pi_ref: Sequence[Number], name: str) -> list[Number]:
    """Return the ratios π/π_ref under a divergence, for (g − max g)/β = x ≤ 0."""
    ratio = leash(name)[2]
    pairs = list(zip(pi_ref, x, strict=True))

    def ratios(log_t: Number) -> tuple[Number, list[Number]]:
        found = [ratio(mp.exp(log_t), x_y) if w else mpf(0) for w, x_y in pairs]
        return mp.fsum(w * r for (w, _), r in zip(pairs, found, strict=True)), found

    low, high = mpf(0), -mp.log(mp.fsum(w for w, x_y in pairs if not x_y))
    for _ in range(180):
        middle = (low + high) / 2
        low, high = (middle, high) if ratios(middle)[0] < 1 else (low, middle)
    (below, at_low), (above, at_high) = ratios(low), ratios(high)
    share = (1 - below) / (above - below) if above > below else mpf(0)
    # Under alpha(100), ratios just above 0 rise so steeply that 50 digits of t do not give them.
    return [r + share * (s - r) for r, s in zip(at_low, at_high, strict=True)]
