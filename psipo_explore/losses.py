"""DPO, IPO and other losses of the margin h = log π(y_w)π_ref(y_l) / (π(y_l)π_ref(y_w)).

Each loss is a function φ of x = βh, which IPO divides by β². Results that depend on φ alone, such
as the x at its minimum, hold for every β.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore import _phi as phi
from psipo_explore._checks import Array, ArrayLike

__all__ = [
    "DPO",
    "EXPONENTIAL",
    "HINGE",
    "IPO",
    "SAVAGE",
    "SQUARED",
    "TRUNCATED_SQUARED",
    "MarginLoss",
    "cdpo",
    "discopop",
    "exo",
    "odpo",
    "robust_dpo",
]

_DECIMALS = 60  # more decimal digits than two float64s hold together
Phi = Callable[[Array], Array]
SlopeParts = Callable[[Array], tuple[Array, Array]]
_LARGEST = np.finfo(np.float64).max
_RISES = 1e290  # a φ without a bound exceeds this at the largest float64
# Up to this |βh| the rounding error of βh is corrected. It can be large beside βh − ½, and no φ
# overflows.
_NEAR = 700.0
_LARGEST_OFFSET = 600.0
_SPLIT = 2.0**27 + 1  # factor of Veltkamp's splitting, which halves the digits of a float64


@dataclass(frozen=True, eq=False)
class MarginLoss:
    """A loss of the margin, ℓ(h; β) = φ(βh) or, for IPO, φ(βh)/β².

    DPO is Eq. 4 and IPO is Eq. 17 of arXiv:2310.12036.

    Parameters
    ----------
    name : str
        Name for legends and messages.
    latex : str
        ℓ as LaTeX, without dollar signs.
    phi, phi_slope, phi_curvature : callable
        φ, φ' and φ'' as functions of x = βh, elementwise on arrays.
    best_x : float
        The x at which φ has its minimum; inf if φ decreases everywhere.
    per_beta_squared : bool
        Whether ℓ is φ(βh)/β².
    no_minimiser : str
        Reason why the loss of a data set has no well-defined minimiser; empty if it has one.
    flipped : float
        Share of labels that the loss assumes to be flipped and corrects for, as `robust_dpo` does.
    phi_slope_parts : callable, optional
        φ' as a sum of two parts, for a φ' that saturates. Where φ' is close to a limit, the parts
        are this limit and the small difference from it; elsewhere they are 0 and φ'. The second
        part still distinguishes two slopes that round to the same limit.

    Examples
    --------
    >>> float(DPO.value(0.0, beta=1.0).round(6)), float(IPO.value(0.0, beta=1.0))
    (0.693147, 0.25)
    """

    name: str
    latex: str
    phi: Phi
    phi_slope: Phi
    phi_curvature: Phi
    best_x: float
    per_beta_squared: bool = False
    no_minimiser: str = ""
    flipped: float = 0.0
    phi_slope_parts: SlopeParts | None = None

    def value(self, h: ArrayLike, beta: ArrayLike) -> Array:
        """Return the loss ℓ(h; β), which is ±inf where ℓ or φ(βh) overflows.

        Parameters
        ----------
        h : array_like, shape (...)
            Margins log π(y_w)π_ref(y_l) / (π(y_l)π_ref(y_w)), in nats.
        beta : array_like, shape (...)
            Strength of the KL term; broadcasts with h.

        Returns
        -------
        ndarray, shape (...)
            The loss of each comparison.

        Raises
        ------
        ValueError
            If h is not finite, or if beta is not from 1e-100 to 1e100.

        Examples
        --------
        >>> IPO.value([0.0, 0.5, 1.0], beta=1.0)
        array([0.25, 0.  , 0.25])
        """
        return self._of(h, beta, 0)

    def slope(self, h: ArrayLike, beta: ArrayLike) -> Array:
        """Return the slope ∂ℓ/∂h, which is negative where gradient descent raises the winner.

        Parameters
        ----------
        h : array_like, shape (...)
            Margins, in nats.
        beta : array_like, shape (...)
            Strength of the KL term; broadcasts with h.

        Returns
        -------
        ndarray, shape (...)
            Slopes; at a kink, the slope to the right of it.

        Raises
        ------
        ValueError
            If h is not finite, or if beta is not from 1e-100 to 1e100.

        Examples
        --------
        >>> IPO.slope([0.0, 0.5, 1.0], beta=1.0)
        array([-1.,  0.,  1.])
        """
        return self._of(h, beta, 1)

    def curvature(self, h: ArrayLike, beta: ArrayLike) -> Array:
        """Return the curvature ∂²ℓ/∂h².

        Parameters
        ----------
        h : array_like, shape (...)
            Margins, in nats.
        beta : array_like, shape (...)
            Strength of the KL term; broadcasts with h.

        Returns
        -------
        ndarray, shape (...)
            Curvatures; at a kink, the curvature to the right of it.

        Raises
        ------
        ValueError
            If h is not finite, or if beta is not from 1e-100 to 1e100.

        Examples
        --------
        >>> DPO.curvature(0.0, beta=2.0)
        np.float64(1.0)
        """
        return self._of(h, beta, 2)

    def best_margin(self, beta: ArrayLike) -> Array:
        """Return the margin that minimises ℓ, to which training drives a winner that always wins.

        Parameters
        ----------
        beta : array_like, shape (...)
            Strength of the KL term.

        Returns
        -------
        ndarray, shape (...)
            Margins in nats, such as 1/(2β) for IPO and inf for DPO.

        Raises
        ------
        ValueError
            If beta is not positive and finite.

        Examples
        --------
        >>> IPO.best_margin([0.1, 1.0]), DPO.best_margin([0.1, 1.0])
        (array([5. , 0.5]), array([inf, inf]))
        """
        beta = checks.as_positive("beta", beta)
        with np.errstate(over="ignore"):
            return np.asarray(self.best_x / beta)[()]

    def _of(self, h: ArrayLike, beta: ArrayLike, order: int) -> Array:
        """Return the derivative of the given order at βh.

        It is computed at the float64 product of β and h. Taylor's series then corrects for the
        rounding error of this product.
        """
        h, beta = checks.as_finite("h", h), checks.as_beta_in_training(beta)
        checks.require_broadcast(h=h.shape, beta=beta.shape)
        power = order - 2 if self.per_beta_squared else order
        with np.errstate(over="ignore"):
            x = beta * h
            finite = np.clip(x, -_LARGEST, _LARGEST)  # at x = ±∞, φ could be ∞ − ∞ = NaN
            near = np.abs(x) < _NEAR
            rounding = np.where(near, _rounding_of_product(beta, h), 0.0)
            found, *more = (
                f(finite) for f in (self.phi, self.phi_slope, self.phi_curvature)[order:]
            )
            for term, power_of_rounding in zip(more, (rounding, rounding**2 / 2), strict=False):
                found = found + np.where(near, term, 0.0) * power_of_rounding
            overflows = np.isinf(x) & (np.abs(found) > _RISES)
            return np.asarray(beta**power * np.where(overflows, np.copysign(np.inf, found), found))[
                ()
            ]

    def __repr__(self) -> str:
        return f"MarginLoss({self.name!r})"

    def _repr_latex_(self) -> str:
        return rf"$\ell(h) = {self.latex}$"


def cdpo(smoothing: float) -> MarginLoss:
    """Conservative DPO, which assumes that a share of the labels is the wrong way round.

    The loss is −(1−s) log σ(βh) − s log σ(−βh). It is DPO with smoothed labels (Mitchell 2023, "A
    note on DPO with noisy preferences and relationship to IPO"), and DPO itself at s = 0.

    Parameters
    ----------
    smoothing : float
        The assumed share s, at least 0 and below ½.

    Returns
    -------
    MarginLoss
        A convex loss whose minimum is at βh = log((1−s)/s).

    Raises
    ------
    ValueError
        If smoothing is negative, or ½ or more.

    Examples
    --------
    >>> float(cdpo(0.1).best_margin(beta=1.0).round(4))
    2.1972
    """
    s = _smoothing(smoothing, zero=True)
    best = _smoothed_logit(s)
    return MarginLoss(
        f"cDPO {s:g}",
        rf"-{1 - s:g}\log\sigma(\beta h) - {s:g}\log\sigma(-\beta h)",
        partial(phi.cdpo, s=s),
        partial(phi.cdpo_slope, s=s, best=best),
        phi.logistic_curvature,
        best_x=best[0],
        phi_slope_parts=partial(phi.logistic_slope_parts, limits=(s - 1, s)),
    )


def robust_dpo(smoothing: float) -> MarginLoss:
    """Robust DPO, an unbiased DPO for labels of which a known share is the wrong way round.

    The loss is [−(1−s) log σ(βh) + s log σ(−βh)]/(1−2s), which is DPO at s = 0 (Chowdhury et al.
    2024, "Provably robust DPO"). If a data set has the counts of wins W, it equals DPO on the
    corrected counts ((1−s) W − s Wᵀ)/(1−2s).

    Parameters
    ----------
    smoothing : float
        The known share s, at least 0 and below ½.

    Returns
    -------
    MarginLoss
        A loss that may have no lower bound on one-sided data, which `minimise` then refuses.

    Raises
    ------
    ValueError
        If smoothing is negative, or ½ or more.

    Examples
    --------
    >>> float(robust_dpo(0.1).slope(0.0, beta=1.0))
    -0.625
    """
    s = _smoothing(smoothing, zero=True)
    return MarginLoss(
        f"robust DPO {s:g}",
        rf"\frac{{-{1 - s:g}\log\sigma(\beta h) + {s:g}\log\sigma(-\beta h)}}{{{1 - 2 * s:g}}}",
        partial(phi.robust, s=s),
        partial(phi.robust_slope, s=s),
        phi.logistic_curvature,
        best_x=np.inf,
        flipped=s,
        phi_slope_parts=partial(
            phi.logistic_slope_parts, limits=((s - 1) / (1 - 2 * s), -s / (1 - 2 * s))
        ),
    )


def odpo(offset: float) -> MarginLoss:
    """DPO with an offset: the loss expects the winner to lead by Δ, in units of βh.

    The loss is −log σ(βh − Δ) (Amini et al. 2024, "Direct preference optimization with an offset",
    arXiv:2402.10571). If all answers have the same length and the reference policy is uniform,
    SimPO's target reward margin γ is such a Δ.

    Parameters
    ----------
    offset : float
        The offset Δ, from −600 to 600, the same for every comparison.

    Returns
    -------
    MarginLoss
        A convex loss, which is DPO at Δ = 0. Whether its minimum is attained does not depend on Δ.

    Raises
    ------
    ValueError
        If offset is not from −600 to 600. Outside that range the curvature at h = 0 may underflow.

    Examples
    --------
    >>> float(odpo(2.0).value(2.0, beta=1.0).round(6)) == float(DPO.value(0.0, beta=1.0).round(6))
    True
    """
    delta = checks.as_scalar("offset", offset)
    if abs(delta) > _LARGEST_OFFSET:
        raise ValueError(
            f"offset = {delta:g}, must be from −{_LARGEST_OFFSET:g} to {_LARGEST_OFFSET:g}"
        )
    return MarginLoss(
        f"ODPO {delta:g}",
        rf"-\log\sigma(\beta h - {delta:g})"
        if delta >= 0
        else rf"-\log\sigma(\beta h + {-delta:g})",
        partial(phi.odpo, offset=delta),
        partial(phi.odpo_slope, offset=delta),
        partial(phi.odpo_curvature, offset=delta),
        best_x=np.inf,
        phi_slope_parts=partial(phi.logistic_slope_parts, limits=(-1.0, 0.0), offset=delta),
    )


def exo(smoothing: float) -> MarginLoss:
    """EXO for pairs, the reverse KL divergence of the policy's preference from a smoothed label.

    The loss is σ(βh)[log σ(βh) − log(1−s)] + σ(−βh)[log σ(−βh) − log s] (Ji et al. 2024, "Towards
    efficient exact optimization of language model alignment").

    Parameters
    ----------
    smoothing : float
        Probability s that the label gives to the loser, above 0 and below ½.

    Returns
    -------
    MarginLoss
        A loss that is not convex. Its minimum is at βh = log((1−s)/s).

    Raises
    ------
    ValueError
        If smoothing is 0, negative, or ½ or more.

    Examples
    --------
    >>> float(abs(exo(0.1).value(np.log(9.0), beta=1.0)).round(9))
    0.0
    """
    s = _smoothing(smoothing, zero=False)
    best = _smoothed_logit(s)
    return MarginLoss(
        f"EXO {s:g}",
        rf"\mathrm{{KL}}\big(\sigma(\pm\beta h)\,\|\,({1 - s:g}, {s:g})\big)",
        partial(phi.exo, s=s, best=best),
        partial(phi.exo_slope, best=best),
        partial(phi.exo_curvature, best=best),
        best_x=best[0],
        no_minimiser="it is not convex",
    )


def discopop(temperature: float) -> MarginLoss:
    """DiscoPOP, a blend of DPO and the exponential loss.

    The loss is −(1−m) log σ(βh) + m e^{−βh}, where m = σ(βh/τ) (Lu et al. 2024, "Discovering
    preference optimization"). If τ is small, its slope at h = 0 is positive, so gradient descent
    lowers the winner there.

    Parameters
    ----------
    temperature : float
        The temperature τ of the blend, at least 1e-100.

    Returns
    -------
    MarginLoss
        A loss that is not convex.

    Raises
    ------
    ValueError
        If temperature is below 1e-100 or not finite.

    Examples
    --------
    >>> float(discopop(0.05).slope(0.0, beta=1.0).round(2))
    0.78
    """
    tau = checks.as_scalar("temperature", temperature)
    if tau < 1e-100:
        raise ValueError(f"temperature = {tau:g}, must be positive, at least 1e-100")
    return MarginLoss(
        f"DiscoPOP {tau:g}",
        rf"-(1-m)\log\sigma(\beta h) + m e^{{-\beta h}},\; m = \sigma(\beta h/{tau:g})",
        partial(phi.discopop, tau=tau),
        partial(phi.discopop_slope, tau=tau),
        partial(phi.discopop_curvature, tau=tau),
        best_x=np.inf,
        no_minimiser="it is not convex",
    )


def _rounding_of_product(a: Array, b: Array) -> Array:
    """Return the exact product a·b minus its float64 value (Dekker 1971).

    The result is exact if nothing overflows or underflows. It may be NaN otherwise.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
        return np.asarray(
            a_low * b_low - (((a * b - a_high * b_high) - a_low * b_high) - a_high * b_low)
        )


def _halves(a: Array) -> tuple[Array, Array]:
    high = _SPLIT * a - (_SPLIT * a - a)
    return high, a - high


def _smoothing(smoothing: float, *, zero: bool) -> float:
    s = checks.as_scalar("smoothing", smoothing)
    if not (0 <= s < 0.5) or (s == 0 and not zero):
        raise ValueError(
            f"smoothing = {s:g}, must be {'at least' if zero else 'above'} 0 and below ½"
        )
    return s


def _smoothed_logit(s: float) -> phi.TwoFloats:
    """Return log((1−s)/s) as a sum of two float64s."""
    if s == 0:
        return np.inf, 0.0
    with decimal.localcontext(prec=_DECIMALS):
        exact = ((1 - Decimal(s)) / Decimal(s)).ln()
        nearest = float(exact)
        return nearest, float(exact - Decimal(nearest))


#: −log σ(βh), the loss of DPO (Eq. 4 of arXiv:2310.12036).
DPO = MarginLoss(
    "DPO",
    r"-\log\sigma(\beta h)",
    phi.dpo,
    phi.dpo_slope,
    phi.logistic_curvature,
    best_x=np.inf,
    phi_slope_parts=partial(phi.logistic_slope_parts, limits=(-1.0, 0.0)),
)
#: (h − 1/(2β))², the loss of IPO (Eq. 17 of arXiv:2310.12036).
IPO = MarginLoss(
    "IPO",
    r"\Big(h - \frac{1}{2\beta}\Big)^2",
    partial(phi.square_about, target=0.5),
    partial(phi.square_about_slope, target=0.5),
    phi.square_curvature,
    best_x=0.5,
    per_beta_squared=True,
)
#: (1 − βh)², which is β² times IPO at β/2.
SQUARED = MarginLoss(
    "squared",
    r"(1 - \beta h)^2",
    partial(phi.square_about, target=1.0),
    partial(phi.square_about_slope, target=1.0),
    phi.square_curvature,
    best_x=1.0,
)
#: exp(−βh).
EXPONENTIAL = MarginLoss(
    "exponential",
    r"e^{-\beta h}",
    phi.exponential,
    phi.exponential_slope,
    phi.exponential,
    best_x=np.inf,
)
#: max(0, 1 − βh), the loss of SLiC with a reference policy.
HINGE = MarginLoss(
    "hinge",
    r"\max(0, 1 - \beta h)",
    phi.hinge,
    phi.hinge_slope,
    np.zeros_like,
    best_x=1.0,
    no_minimiser="its minimiser is rarely unique",
)
#: max(0, 1 − βh)².
TRUNCATED_SQUARED = MarginLoss(
    "truncated squared",
    r"\max(0, 1 - \beta h)^2",
    phi.truncated_square,
    phi.truncated_square_slope,
    phi.truncated_square_curvature,
    best_x=1.0,
    no_minimiser="its minimiser is rarely unique",
)
#: 1/(1 + exp(βh))², which is not convex.
SAVAGE = MarginLoss(
    "Savage",
    r"\frac{1}{(1 + e^{\beta h})^2}",
    phi.savage,
    phi.savage_slope,
    phi.savage_curvature,
    best_x=np.inf,
    no_minimiser="it is not convex",
)
