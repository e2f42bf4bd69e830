"""Other leashes: f-divergences in the place of KL, and the policies that are optimal under them.

D_f(π ‖ π_ref) = E_{π_ref}[f(π/π_ref)] for a convex f with f(1) = 0. What maximises
E_π[g] − β D_f(π ‖ π_ref) is π(y) = π_ref(y) (f')⁻¹((g(y) − ν)/β), where ν makes the sum 1, and an
action whose (g(y) − ν)/β is not above f'(0) gets 0 (Wang et al. 2023, arXiv:2309.16240).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from scipy import special

from psipo_explore import _checks as checks
from psipo_explore._best_ratio import tilted
from psipo_explore._checks import Array, ArrayLike, Mask
from psipo_explore._excess import CLOSE, excess
from psipo_explore._tilt import actions_last, contenders, log_weights
from psipo_explore.scores import ExpectedPsi

__all__ = [
    "CHI_PO",
    "CHI_SQUARED",
    "JENSEN_SHANNON",
    "KL",
    "REVERSE_KL",
    "Divergence",
    "alpha",
    "tilted_policy",
]

Function = Callable[[Array], ArrayLike]
RatioBelow = Callable[[Array, Array], Array]
_TINY, _HUGE = 1e-300, 1e300
_GRID = np.geomspace(1e-3, 1e3, 241)
_WITHIN = 1e-6  # relative error that f, its slope and the inverse of the slope may have on the grid
_STEP = 1e-5  # relative step of the differences that stand for a curvature that is not given
_NODES, _WEIGHTS = (half / 2 for half in np.polynomial.legendre.leggauss(16))
_NODES = _NODES + 0.5
_LARGEST_A = 100.0


class Divergence:
    r"""An f-divergence D_f(π ‖ π_ref) = Σ_y π_ref(y) f(π(y)/π_ref(y)), for a convex f with f(1) = 0.

    It is the leash of a policy. The constructor checks on a grid from 1e-3 to 1e3 that f is
    strictly convex, and that the other functions are as claimed. An instance is
    called on two policies.

    Parameters
    ----------
    name : str
        Name for legends and messages.
    f : callable
        The function f of the ratio t = π/π_ref, elementwise on arrays of t ≥ 0.
    slope : callable
        Its slope f', elementwise. If f'(0) is finite, the divergence can drop actions.
    slope_inverse : callable
        The function (f')⁻¹, elementwise on the slopes of all t > 0.
    curvature : callable, optional
        The second derivative f'', elementwise; by default it is found from differences of slope.
    ratio_below : callable, optional
        The function (t, x) ↦ (f')⁻¹(f'(t) + x) for x ≤ 0, and 0 where there is no such ratio. By
        default it is computed from slope and slope_inverse, which may lose digits at a large t.

    Raises
    ------
    ValueError
        If f is not 0 at 1, is not strictly convex, or is not finite on the grid, or if slope,
        slope_inverse, curvature or ratio_below contradicts it.
    TypeError
        If name is not a text, or a function is not callable or not elementwise.

    Examples
    --------
    >>> hellinger = Divergence(
    ...     "squared Hellinger",
    ...     f=lambda t: (np.sqrt(t) - 1) ** 2,
    ...     slope=lambda t: 1 - 1 / np.sqrt(t),
    ...     slope_inverse=lambda s: 1 / (1 - s) ** 2,
    ... )
    >>> float(hellinger([0.5, 0.5], [0.5, 0.5]))
    0.0
    >>> tilted_policy([100.0, 0.0], 1.0, hellinger).round(6)
    array([9.99951e-01, 4.90000e-05])
    """

    def __init__(
        self,
        name: str,
        f: Function,
        slope: Function,
        slope_inverse: Function,
        *,
        curvature: Function | None = None,
        ratio_below: RatioBelow | None = None,
    ) -> None:
        self.name = checks.require_instance("name", name, str, "a text")
        self.f = _elementwise("f", f)
        self.slope = _elementwise("slope", slope)
        self.slope_inverse = _elementwise("slope_inverse", slope_inverse)
        self.has_exact_curvature = curvature is not None
        self.curvature = _elementwise(
            "curvature", self._difference_of_slopes if curvature is None else curvature
        )
        self._ratio_below = _elementwise(
            "ratio_below", self._ratio_by_slopes if ratio_below is None else ratio_below
        )
        self._check_on_grid()

    def __call__(self, policy: ArrayLike, pi_ref: ArrayLike) -> Array:
        """Return D_f(policy ‖ pi_ref), shape (...), for policies of shape (..., K).

        Where pi_ref excludes an action that policy supports, each unit of its probability costs
        f'(∞), which is infinite for some f and finite for others.
        """
        policy, pi_ref = _two_policies(policy, pi_ref)
        with np.errstate(all="ignore"):
            t = np.where(policy > 0, np.minimum(policy / pi_ref, _HUGE), 0.0)
            d = np.where(np.abs(t - 1) < CLOSE, (policy - pi_ref) / pi_ref, t - 1)
            bregman = self._bregman(t, d)
            by_ratio = np.where(t > 1, policy * (bregman / t), pi_ref * bregman)
            outside = np.where(policy > 0, policy * self._price_outside(), 0.0)
        return np.asarray(np.where(pi_ref > 0, by_ratio, outside).sum(-1))[()]

    def __repr__(self) -> str:
        return f"Divergence({self.name!r})"

    @property
    def drops(self) -> bool:
        """Whether f'(0) is finite, so that a policy may be exactly 0 where pi_ref is not."""
        return bool(np.isfinite(_at_end(self.slope, 0.0, _TINY)))

    def ratio_below(self, t: Array, x: Array) -> Array:
        """Return the ratio whose slope is f'(t) + x, for x ≤ 0, or 0 if there is none.

        Parameters
        ----------
        t : ndarray, shape (...)
            Ratios, at least 1.
        x : ndarray, shape (...)
            How far the slope is below that of t.

        Returns
        -------
        ndarray, shape (...)
            Ratios from 0 to t.

        Examples
        --------
        >>> CHI_SQUARED.ratio_below(np.array([1.5, 1.5]), np.array([-1.0, -2.0]))
        array([0.5, 0. ])
        """
        return self._ratio_below(t, x)

    def _bregman(self, t: Array, d: Array) -> Array:
        """Return f(t) − f'(1)d for d = t − 1, which has the same sum as f and is 0 to first order.

        Near 1 it is d² ∫₀¹ (1 − u) f''(1 + ud) du, which does not cancel. There d may have more
        digits than t has.
        """
        close = np.abs(d) < CLOSE
        near = np.where(close, d, 0.0)
        mean = sum(
            weight * (1 - node) * self.curvature(1 + node * near)
            for node, weight in zip(_NODES, _WEIGHTS, strict=True)
        )
        f = np.where(t == 0, _at_end(self.f, 0.0, _TINY), self.f(t))
        far = np.maximum(f - self.slope(np.ones(1)) * d, 0.0)
        return np.where(close, near**2 * mean, far)

    def _price_outside(self) -> Array:
        """Return f'(∞) − f'(1), what a unit of probability costs where pi_ref is 0."""
        return _at_end(self.slope, np.inf, _HUGE) - self.slope(np.ones(1))

    def _ratio_by_slopes(self, t: Array, x: Array) -> Array:
        slope = self.slope(t) + x
        least = _at_end(self.slope, 0.0, _TINY)
        below = np.where(slope > least, np.clip(self.slope_inverse(slope), 0.0, t), 0.0)
        return np.where(x == 0, t, below)

    def _difference_of_slopes(self, t: Array) -> Array:
        step = np.maximum(t, _TINY) * _STEP
        return np.asarray((self.slope(t + step) - self.slope(np.maximum(t - step, 0))) / (2 * step))

    def _tilt(self, g: ExpectedPsi | ArrayLike, beta: ArrayLike, pi_ref: ArrayLike | None) -> Array:
        contend, reference, x = contenders(g, beta, pi_ref)
        return tilted(self, np.where(contend, reference, 0.0), x)

    def _check_on_grid(self) -> None:
        """Refuse an f that is no divergence, and a slope or an inverse that is not its own."""
        t, at_one = _GRID, float(self.f(np.ones(1))[0])
        if not abs(at_one) <= _WITHIN:
            raise ValueError(f"f(1) = {at_one:.12g}, must be 0")
        f, slope = self.f(t), self.slope(t)
        _refuse_on_grid("f", t, ~np.isfinite(f), f, "must be finite")
        _refuse_on_grid("slope", t, ~np.isfinite(slope), slope, "must be finite")
        falls = np.append(False, np.diff(slope) <= 0)
        _refuse_on_grid(
            "slope", t, falls, slope, "must rise with t, because f must be strictly convex"
        )
        # By convexity, each chord of f is as steep as f is somewhere between its ends.
        chord, slack = np.diff(f) / np.diff(t), _WITHIN * (1 + np.abs(slope))
        off = (chord < slope[:-1] - slack[:-1]) | (chord > slope[1:] + slack[1:])
        _refuse_on_grid("slope", t[:-1], off, slope[:-1], "is not the slope of f there")
        curvature, found = self.curvature(t), self._difference_of_slopes(t)
        rounding = 4 * np.finfo(float).eps * np.abs(slope) / (_STEP * t)
        off = ~(np.abs(curvature - found) <= 1e-3 * np.abs(found) + rounding)
        _refuse_on_grid("curvature", t, off, curvature, "is not the slope of slope there")
        back, lost = self.slope_inverse(slope), 4 * np.finfo(float).eps * np.abs(slope) / found
        off = ~(np.abs(back - t) <= _WITHIN * t + lost)
        _refuse_on_grid("slope_inverse", slope, off, back, "is not the ratio that has this slope")
        one = (t >= 1) & (t <= 10)  # further on, rounding may hide the 1
        t = t[one]
        down = self._ratio_below(t, self.slope(np.ones_like(t)) - slope[one])
        lost = 4 * np.finfo(float).eps * np.abs(slope[one]) / self.curvature(np.ones_like(t))
        off = ~(np.abs(down - 1) <= _WITHIN + lost)
        _refuse_on_grid("ratio_below", t, off, down, "must be 1 for x = f'(1) − f'(t)")


def _elementwise(name: str, function: Callable[..., ArrayLike]) -> Callable[..., Array]:
    """Return the function without warnings, as one that returns float64 arrays."""
    if not callable(function):
        raise TypeError(f"{name} = {checks.shown(function)}, must be a function of arrays")

    def silent(*t: Array) -> Array:
        try:
            with np.errstate(all="ignore"):
                values = function(*t)
            if type(values) is not np.ndarray or values.dtype != np.float64:
                values = checks.as_real(name, values)
            return np.broadcast_to(values, np.broadcast_shapes(*map(np.shape, t)))
        except Exception as error:  # a function that takes no arrays may raise anything
            raise TypeError(
                f"{name} does not take arrays ({checks.cut(error)}), must be elementwise"
            ) from error

    return silent


def _at_end(function: Callable[[Array], Array], end: float, near: float) -> float:
    """Return the function at 0 or ∞, or near there if it is NaN, as t log t is if typed so."""
    there, beside = function(np.array([end, near]))
    return float(beside if np.isnan(there) else there)


def _refuse_on_grid(name: str, at: Array, off: Mask, values: Array, expected: str) -> None:
    if off.any():
        k = int(off.argmax())
        raise ValueError(f"{name}({at[k]:.6g}) = {values[k]:.6g}, {expected}")


def _two_policies(policy: ArrayLike, pi_ref: ArrayLike) -> tuple[Array, Array]:
    policy = checks.as_distribution("policy", policy)
    pi_ref = checks.as_real("pi_ref", pi_ref)  # refuses None, which would mean uniform below
    pi_ref = checks.as_policy("pi_ref", pi_ref, policy.shape[-1], of="policy")
    checks.require_broadcast(policy=policy.shape[:-1], pi_ref=pi_ref.shape[:-1])
    return policy, pi_ref


class _Known(Divergence):
    """A divergence of this module, whose formulas need no check."""

    def _check_on_grid(self) -> None:
        pass


class _KL(_Known):
    """KL, whose equation for ν has a closed form."""

    def __call__(self, policy: ArrayLike, pi_ref: ArrayLike) -> Array:
        return kl_divergence(policy, pi_ref)

    def _tilt(self, g: ExpectedPsi | ArrayLike, beta: ArrayLike, pi_ref: ArrayLike | None) -> Array:
        weights = log_weights(g, beta, pi_ref)
        np.exp(weights, out=weights)
        return actions_last(np.divide, weights, weights.sum(0))


def _ratio_of_chi_po(t: Array, x: Array) -> Array:
    """Return the r with r + log r = t + log t + x, by SciPy's function where x is not 0: it is slow."""
    ratio = t + np.zeros_like(x)
    return np.asarray(special.wrightomega(t + np.log(t) + x, out=ratio, where=x < 0))


#: f(t) = t log t: KL(π ‖ π_ref), the leash of ΨPO.
KL = _KL(
    "KL",
    f=lambda t: special.xlogy(t, t),
    slope=lambda t: np.log(t) + 1,
    slope_inverse=lambda s: np.exp(s - 1),
    curvature=lambda t: 1 / t,
    ratio_below=lambda t, x: t * np.exp(x),
)
#: f(t) = −log t: KL(π_ref ‖ π).
REVERSE_KL = _Known(
    "reverse KL",
    f=lambda t: -np.log(t),
    slope=lambda t: -1 / t,
    slope_inverse=lambda s: -1 / s,
    curvature=lambda t: t**-2.0,
    ratio_below=lambda t, x: 1 / (1 / t - x),
)
#: f(t) = ½(t − 1)².
CHI_SQUARED = _Known(
    "χ²",
    f=lambda t: (t - 1) ** 2 / 2,
    slope=lambda t: t - 1,
    slope_inverse=lambda s: s + 1,
    curvature=np.ones_like,
    ratio_below=lambda t, x: np.maximum(t + x, 0.0),
)
#: f(t) = ½(t − 1)² + t log t, the leash of χPO.
CHI_PO = _Known(
    "χPO",
    f=lambda t: (t - 1) ** 2 / 2 + special.xlogy(t, t),
    slope=lambda t: t + np.log(t),
    slope_inverse=special.wrightomega,
    curvature=lambda t: 1 + 1 / t,
    ratio_below=_ratio_of_chi_po,
)
#: f(t) = ½[t log t − (t + 1) log ((t + 1)/2)].
JENSEN_SHANNON = _Known(
    "Jensen–Shannon",
    f=lambda t: (special.xlogy(t, t) - special.xlogy(t + 1, (t + 1) / 2)) / 2,
    slope=lambda t: np.log(2 / (1 + 1 / t)) / 2,
    slope_inverse=lambda s: 1 / (2 * np.exp(-2 * s) - 1),
    curvature=lambda t: 1 / (2 * t * (t + 1)),
    ratio_below=lambda t, x: t * np.exp(2 * x) / (1 - t * np.expm1(2 * x)),
)


@lru_cache
def _cressie_read(a: float) -> Divergence:
    b = a - 1
    return _Known(
        f"α = {a:g}",
        f=partial(_f_of_alpha, a=a),
        slope=lambda t: special.boxcox(t, b),  # (tᵇ − 1)/b, also for a b near 0
        slope_inverse=lambda s: np.exp(np.log1p(np.maximum(b * s, -1.0)) / b),
        curvature=lambda t: t ** (b - 1),
        ratio_below=partial(_ratio_of_alpha, b=b),
    )


def _f_of_alpha(t: Array, a: float) -> Array:
    """Return (tᵃ − at + a − 1)/(a(a − 1)), by the form that does not cancel for a near 0 or 1."""
    if abs(a) < abs(a - 1):
        return np.asarray((special.boxcox(t, a) - (t - 1)) / (a - 1))
    return np.asarray((t * special.boxcox(t, a - 1) - (t - 1)) / a)


def _ratio_of_alpha(t: Array, x: Array, b: float) -> Array:
    """Return (tᵇ + bx)^(1/b), where tᵇ may be too small for float64."""
    if b > 0:
        x = np.maximum(x, -_HUGE)  # t^−b may be 0, and 0 · ∞ is no number
        return np.asarray(t * np.exp(np.log1p(np.maximum(b * x * t**-b, -1.0)) / b))
    z = np.log(b * x) - b * np.log(t)
    return np.asarray(t * np.exp((np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))) / b))


def alpha(a: float) -> Divergence:
    """α-divergence of Cressie and Read, f(t) = (tᵃ − at + a − 1)/(a(a − 1)).

    Its members a = 0, 1 and 2 are `REVERSE_KL`, `KL` and `CHI_SQUARED`, and a = ½ is twice the
    squared Hellinger distance of f(t) = (√t − 1)². For a > 1 it drops actions.

    Parameters
    ----------
    a : float
        From −100 to 100.

    Returns
    -------
    Divergence
        The same object for the same a.

    Raises
    ------
    ValueError
        If a is not such a number; beyond them, float64 does not hold tᵃ.

    Examples
    --------
    >>> alpha(1) is KL
    True
    >>> tilted_policy([3.0, 0.0], 1.0, alpha(0.5)).round(4)
    array([0.9008, 0.0992])
    """
    a = checks.as_scalar("a", a)
    if not abs(a) <= _LARGEST_A:
        raise ValueError(f"a = {a:g}, must be from {-_LARGEST_A:g} to {_LARGEST_A:g}")
    return {0.0: REVERSE_KL, 1.0: KL, 2.0: CHI_SQUARED}.get(a) or _cressie_read(a)


def tilted_policy(
    g: ExpectedPsi | ArrayLike,
    beta: ArrayLike,
    divergence: Divergence,
    *,
    pi_ref: ArrayLike | None = None,
) -> Array:
    """Optimal policy under a divergence, π(y) = π_ref(y) (f')⁻¹((g(y) − ν)/β).

    It maximises E_π[g] − β D_f(π ‖ π_ref) over the policies that pi_ref supports. The number ν
    makes it sum to 1. Where f'(0) is finite, actions far below the best get exactly 0. For KL it
    is `gibbs_policy`. If certain preferences make g infinite, only the actions of the top rate
    keep any probability, as they do under KL. (For f-DPO see Wang et al. 2023, arXiv:2309.16240,
    for χPO Huang et al. 2024, arXiv:2407.13399.)

    Parameters
    ----------
    g : ExpectedPsi or array_like, shape (..., K)
        Score of each action; rewards may be ±inf.
    beta : array_like, shape (...)
        Strength of the divergence, in the units of g.
    divergence : Divergence
        The leash.
    pi_ref : array_like, shape (..., K), optional
        Reference policy; uniform by default. An action that it excludes stays out, even if the
        divergence would let it in for a finite price.

    Returns
    -------
    ndarray, shape (..., K)
        Probabilities.

    Raises
    ------
    ValueError
        If `gibbs_policy` refuses g, beta or pi_ref.
    TypeError
        If divergence is not a Divergence.
    RuntimeError
        If ν is not found, which only a divergence of your own can cause.

    Examples
    --------
    >>> tilted_policy([3.0, 0.0], 1.0, KL).round(4)
    array([0.9526, 0.0474])
    >>> tilted_policy([3.0, 0.0], 1.0, REVERSE_KL).round(4)
    array([0.8604, 0.1396])
    >>> tilted_policy([3.0, 0.0], 1.0, CHI_SQUARED)
    array([1., 0.])
    """
    return checks.require_instance("divergence", divergence, Divergence, "a Divergence")._tilt(
        g, beta, pi_ref
    )


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
    policy, pi_ref = _two_policies(policy, pi_ref)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        d = np.where(pi_ref > 0, (policy - pi_ref) / pi_ref, np.inf)
    # The terms π log(π/π_ref) − (π − π_ref) have the same sum as KL. Where π is close to π_ref they
    # would lose digits to cancellation, and `excess` does not.
    close = np.abs(d) < CLOSE
    near = pi_ref * excess(np.where(close, d, 0.0))
    far = special.rel_entr(policy, pi_ref) - (policy - pi_ref)
    return np.asarray(np.where(close, near, np.maximum(far, 0.0)).sum(-1))[()]
