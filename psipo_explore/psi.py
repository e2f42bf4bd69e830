"""The functions Ψ of a preference probability whose expectation ΨPO maximises.

A Ψ is a non-decreasing function on [0, 1] (Eq. 6 of arXiv:2310.12036), and the optimal policy can
collapse only if Ψ is unbounded. If Ψ is odd, so that Ψ(q) + Ψ(1−q) is constant, a certain
preference has a well-defined limit even where Ψ is infinite at both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from scipy import special

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike
from psipo_explore._psi import named
from psipo_explore._psi.formula_error import FormulaError
from psipo_explore._psi.numerical import (
    Function,
    is_odd,
    latex_of,
    limit,
    numerical_slope,
    on_grid,
    require_limits,
    require_non_decreasing,
    vectorised,
)

__all__ = ["IDENTITY", "LOG", "LOGIT", "PROBIT", "FormulaError", "Psi", "folded_power"]

_LEAST_LAM, _LARGEST_LAM = 1e-300, 1e12


class Psi:
    r"""A non-decreasing function Ψ on [0, 1] with its limits at both ends and its symmetry.

    Ψ is the function in the objective of ΨPO, Eq. 6 of arXiv:2310.12036. An instance is called on
    arrays of probabilities; at 0 and 1 it returns its limits, which may be infinite. The
    constructor checks on a grid that Ψ never decreases and that its limits and its oddness are as
    claimed.

    Parameters
    ----------
    name : str
        Name for legends and messages.
    function : callable
        Ψ on the open interval (0, 1), elementwise on arrays.
    latex : str
        Ψ(q) as LaTeX, without dollar signs.
    at_zero, at_one : float
        Limits of Ψ at 0 and 1; −inf or inf where Ψ is unbounded.
    derivative : callable, optional
        Ψ' on (0, 1), elementwise; by default it is found numerically.
    odd : bool
        Whether Ψ(q) + Ψ(1−q) is constant.
    of_log_odds : callable, optional
        The function x ↦ Ψ(σ(x)), for log-odds x so large that σ(x) rounds to 0 or 1.

    Raises
    ------
    ValueError
        If Ψ decreases somewhere or is not finite inside (0, 1), if a limit is NaN or contradicts
        the values near it, or if odd is True and Ψ is not odd.

    Examples
    --------
    >>> square_root = Psi("square root", np.sqrt, latex=r"\sqrt{q}", at_zero=0.0, at_one=1.0)
    >>> square_root([0.25, 1.0])
    array([0.5, 1. ])
    >>> square_root.bounded, square_root.spread
    (True, 1.0)
    """

    def __init__(
        self,
        name: str,
        function: Function,
        *,
        latex: str,
        at_zero: float,
        at_one: float,
        derivative: Function | None = None,
        odd: bool = False,
        of_log_odds: Function | None = None,
    ) -> None:
        self.name = checks.require_instance("name", name, str, "a text")
        self.latex = latex
        self.at_zero = checks.as_extended_scalar("at_zero", at_zero)
        self.at_one = checks.as_extended_scalar("at_one", at_one)
        self.odd = bool(checks.require_instance("odd", odd, (bool, np.bool_), "True or False"))
        self._function = function
        self._derivative = derivative
        self._of_log_odds = of_log_odds
        require_non_decreasing("function", function, self.at_zero, self.at_one)
        require_limits(function, self.at_zero, self.at_one)
        if odd and not is_odd(function, self.at_zero, self.at_one):
            raise ValueError(
                f"odd = True, but {checks.cut(name)}(q) + {checks.cut(name)}(1 - q) is not constant"
            )

    @classmethod
    def from_callable(cls, f: Callable[..., ArrayLike], *, name: str) -> Psi:
        """Make a Ψ from any non-decreasing function.

        The limits and the oddness of Ψ are found numerically.

        Parameters
        ----------
        f : callable
            A function of q in (0, 1). It may take arrays or single numbers; the latter are slower.
        name : str
            Name for legends and messages.

        Returns
        -------
        Psi
            Its limits are what f returns at 0 and 1, or, where f returns NaN or rounding spoils its
            value, what f tends to.

        Raises
        ------
        ValueError
            If f decreases somewhere, is not finite inside (0, 1), or has a limit at 0 or 1 that
            cannot be determined.

        Examples
        --------
        >>> clipped = Psi.from_callable(lambda q: np.log(np.clip(q, 0.01, 0.99)), name="clipped log")
        >>> clipped.bounded, clipped.odd, round(clipped.spread, 4)
        (True, False, 4.5951)
        """
        checks.require_instance("name", name, str, "a text")
        function = vectorised(f)
        on_grid("f", function)
        zero, one = limit(function, 0.0), limit(function, 1.0)
        require_non_decreasing("f", function, zero, one)
        return cls(
            name,
            function,
            latex=latex_of(name),
            at_zero=zero,
            at_one=one,
            odd=is_odd(function, zero, one),
        )

    @classmethod
    def from_formula(cls, text: str) -> Psi:
        """Make a Ψ from a typed formula in q.

        SymPy finds the limits, the slope, the oddness and the LaTeX of the formula. Where it fails
        or takes too long, they are found numerically. The text is parsed and never executed. It may
        contain q, numbers, pi and e, `+ - * / **`, parentheses, and functions such as log, exp, sqrt,
        atan, tanh, erf, logit, sigmoid, probit, min, max and clip.

        Parameters
        ----------
        text : str
            A formula in q of at most 200 characters.

        Returns
        -------
        Psi
            A Ψ whose name is the text. Recent formulas are cached, so the same text gives the same
            object.

        Raises
        ------
        TypeError
            If text is not a string.
        ValueError
            If the text is not such a formula, or if the formula is not real on (0, 1), decreases
            somewhere, or has no limit at 0 or 1. The error is a `FormulaError`, whose `column`
            says where the formula is wrong.

        Examples
        --------
        >>> slow = Psi.from_formula("-1/log(q/2)")
        >>> slow.at_zero, round(slow.at_one, 4), slow.odd
        (0.0, 1.4427, False)
        >>> Psi.from_formula("log(q/(1-q))").spread
        inf
        >>> Psi.from_formula("q + __import__('os')")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        psipo_explore.psi.FormulaError: text, column 5: __import__ is not known, the functions are ...
        """
        found = _read(
            checks.require_instance("text", text, str, "a formula in q, such as 'log(q/(1-q))'")
        )
        if isinstance(found, FormulaError):
            raise FormulaError(found.sentence, text, found.column)
        return found

    def __call__(self, q: ArrayLike) -> Array:
        """Return Ψ(q) for probabilities q of any shape, with the limits of Ψ at 0 and 1."""
        q = checks.as_probabilities("q", q)
        inside = self._function(np.where((q > 0) & (q < 1), q, 0.5))
        return np.asarray(np.where(q == 0, self.at_zero, np.where(q == 1, self.at_one, inside)))[()]

    def of_table(self, p: Array) -> Array:
        """Return Ψ(p) for a preference table p, accurate near certainty if Ψ is odd.

        The table must satisfy p + pᵀ = 1. For an odd Ψ, each entry is computed from the smaller of
        p(y ≻ y') and p(y' ≻ y), because float64 resolves small probabilities better.

        Parameters
        ----------
        p : ndarray, shape (..., K, K)
            Preferences; entry [y, y'] is the probability that y beats y'.

        Returns
        -------
        ndarray, shape (..., K, K)
            Ψ of each entry, which may be ±inf.

        Raises
        ------
        ValueError
            If p is not square or an entry is not a probability.

        Examples
        --------
        >>> LOGIT.of_table(np.array([[0.5, 1.0], [1e-30, 0.5]])).round(2)
        array([[  0.  ,  69.08],
               [-69.08,   0.  ]])
        """
        p = checks.as_square("p", p)
        if not self.odd:
            return self(p)
        mirror = np.swapaxes(p, -1, -2)
        of_smaller = self(np.minimum(p, mirror))
        return np.where(p <= mirror, of_smaller, 2 * self.centre - of_smaller)

    def of_log_odds(self, log_odds: ArrayLike) -> Array:
        """Return Ψ(σ(x)) for log-odds x, accurate even where σ(x) rounds to 0 or 1.

        Parameters
        ----------
        log_odds : array_like, shape (...)
            Log-odds x = log(q / (1−q)).

        Returns
        -------
        ndarray, shape (...)
            Ψ at the probabilities σ(log_odds).

        Raises
        ------
        ValueError
            If log_odds are not finite, or if Ψ is unbounded, known only as a function of q, and q
            rounds to 0 or 1.

        Examples
        --------
        >>> LOGIT.of_log_odds([-800.0, 800.0])
        array([-800.,  800.])
        """
        x = checks.as_finite("log_odds", log_odds)
        if self._of_log_odds is not None:
            return np.asarray(self._of_log_odds(x), dtype=np.float64)[()]
        if self.odd:
            smaller = self(special.expit(-np.abs(x)))
            values = np.where(x <= 0, smaller, 2 * self.centre - smaller)
        else:
            values = self(special.expit(x))
        expected = f"is too far out to tell from certainty under psi '{checks.cut(self.name)}'"
        checks.refuse_where(np.isinf(values), "log_odds", x, expected)
        return values[()]

    def derivative(self, q: ArrayLike) -> Array:
        """Return the slope Ψ'(q), which is inf at an end where it has no finite limit.

        Parameters
        ----------
        q : array_like, shape (...)
            Probabilities.

        Returns
        -------
        ndarray, shape (...)
            Slopes, at least 0.

        Raises
        ------
        ValueError
            If an entry of q is not a probability.

        Examples
        --------
        >>> LOGIT.derivative([0.1, 0.5, 1.0])
        array([11.11111111,  4.        ,         inf])
        """
        q = checks.as_probabilities("q", q)
        if self._derivative is not None:
            with np.errstate(divide="ignore", over="ignore"):
                slope = np.broadcast_to(np.asarray(self._derivative(q), dtype=np.float64), q.shape)
            return (
                np.where(np.isnan(slope), numerical_slope(self, q), slope)
                if np.isnan(slope).any()
                else slope
            )[()]
        return numerical_slope(self, q)

    @property
    def centre(self) -> float:
        """The value Ψ(½) of an even preference."""
        return float(self(0.5))

    @property
    def spread(self) -> float:
        """The difference Ψ(1) − Ψ(0), which limits how far the optimal policy can leave π_ref.

        For any two actions, the optimal policy's log-ratio differs from that of π_ref by at most
        spread / β.
        """
        return self.at_one - self.at_zero

    @property
    def bounded(self) -> bool:
        """Whether both limits of Ψ are finite."""
        return bool(np.isfinite(self.at_zero) and np.isfinite(self.at_one))

    def __repr__(self) -> str:
        return (
            f"Psi({self.name!r}, at_zero={self.at_zero:g}, at_one={self.at_one:g}, odd={self.odd})"
        )

    def _repr_latex_(self) -> str:
        return rf"$\Psi(q) = {self.latex}$"


@lru_cache(maxsize=256)
def _read(text: str) -> Psi | FormulaError:
    """Return the Ψ of a typed formula, or the error that says why it is not a Ψ.

    Errors are returned and not raised, so that the cache keeps them too.
    """
    from psipo_explore._psi.symbolic import facts_of

    try:
        found = facts_of(text)
    except FormulaError as error:
        return error
    try:
        return Psi(
            text.strip(),
            found.function,
            latex=found.latex,
            at_zero=found.at_zero,
            at_one=found.at_one,
            derivative=found.slope,
            odd=found.odd,
        )
    except ValueError as error:
        return FormulaError(f"the formula is no Ψ: {error}", text, found.column)


def folded_power(lam: float) -> Psi:
    """Folded power Ψ_λ(q) = (q^λ − (1−q)^λ)/λ, which leads from logit to identity.

    The folded powers of Tukey (1977) tend to logit as λ → 0. At λ = 2 the folded power is q − ½,
    which gives the same optimal policy as identity at every β. For every λ > 0 it is bounded by
    ±1/λ.

    Parameters
    ----------
    lam : float
        Exponent λ ≥ 0; 0 gives `LOGIT`.

    Returns
    -------
    Psi
        An odd Ψ whose centre is 0.

    Raises
    ------
    ValueError
        If lam is neither 0 nor from 1e-300 to 1e12. Below that range 1/λ may overflow. Above it,
        Ψ rises only near 0 and 1, and so close to 1 that float64 cannot resolve it.

    Examples
    --------
    >>> folded_power(2.0)([0.0, 0.5, 0.8])
    array([-0.5,  0. ,  0.3])
    >>> folded_power(0.25).spread
    8.0
    """
    lam = checks.as_scalar("lam", lam)
    if lam != 0 and not _LEAST_LAM <= lam <= _LARGEST_LAM:
        raise ValueError(
            f"lam = {lam:g}, must be 0 (logit) or from {_LEAST_LAM:g} to {_LARGEST_LAM:g} (2 is identity)"
        )
    if lam == 0:
        return LOGIT
    return Psi(
        f"folded power {lam:g}",
        partial(named.folded_power, lam=lam),
        latex=rf"\frac{{q^{{{lam:g}}} - (1-q)^{{{lam:g}}}}}{{{lam:g}}}",
        at_zero=-1 / lam,
        at_one=1 / lam,
        derivative=partial(named.folded_power_slope, lam=lam),
        odd=True,
        of_log_odds=partial(named.folded_power_of_log_odds, lam=lam),
    )


#: Ψ(q) = log(q/(1 − q)), the Ψ of RLHF and DPO; unbounded at both ends.
LOGIT = Psi(
    "logit",
    special.logit,
    latex=r"\log\frac{q}{1-q}",
    at_zero=-np.inf,
    at_one=np.inf,
    derivative=named.logit_slope,
    odd=True,
    of_log_odds=np.positive,
)
#: Ψ(q) = q, the Ψ of IPO; bounded.
IDENTITY = Psi(
    "identity",
    np.positive,
    latex="q",
    at_zero=0.0,
    at_one=1.0,
    derivative=np.ones_like,
    odd=True,
    of_log_odds=special.expit,
)
#: Ψ(q) = Φ⁻¹(q), the inverse of the normal distribution function; unbounded at both ends.
PROBIT = Psi(
    "probit",
    special.ndtri,
    latex=r"\Phi^{-1}(q)",
    at_zero=-np.inf,
    at_one=np.inf,
    derivative=named.probit_slope,
    odd=True,
    of_log_odds=named.probit_of_log_odds,
)
#: Ψ(q) = log q, which is unbounded at 0 only.
LOG = Psi(
    "log",
    np.log,
    latex=r"\log q",
    at_zero=-np.inf,
    at_one=0.0,
    derivative=np.reciprocal,
    of_log_odds=special.log_expit,
)
