"""Ψ: the functions of a preference probability that ΨPO maximises, with their limits, slopes and
bounds.

A Ψ is a non-decreasing function on [0, 1] (Eq. 6 of arXiv:2310.12036). Whether it is bounded
decides whether the optimal policy can collapse; whether it is odd, Ψ(q) + Ψ(1−q) constant, decides
what a certain preference means.
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
    r"""A non-decreasing function Ψ on [0, 1], its limits at both ends, and its symmetry.

    The Ψ of Eq. 6 of arXiv:2310.12036. Instances are called on arrays of probabilities and give
    their limits at 0 and 1, which may be infinite. What is claimed (limits, oddness, monotonicity)
    is checked on a grid when it is made.

    Parameters
    ----------
    name : str
        A word for legends and messages.
    function : callable
        Ψ on the open interval (0, 1), elementwise on arrays.
    latex : str
        Ψ(q) as LaTeX, without dollar signs.
    at_zero, at_one : float
        Limits of Ψ at 0 and 1; −inf and inf where it is unbounded.
    derivative : callable, optional
        Ψ' on (0, 1), elementwise; found numerically if not given.
    odd : bool
        Whether Ψ(q) + Ψ(1−q) is constant.
    of_log_odds : callable, optional
        x ↦ Ψ(σ(x)), for log-odds so large that σ(x) rounds to 0 or 1.

    Raises
    ------
    ValueError
        If Ψ decreases somewhere, is not finite inside (0, 1), or is not odd though said to be.

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
        self.name = checks.instance("name", name, str, "a text")
        self.latex = latex
        self.at_zero = checks.extended_scalar("at_zero", at_zero)
        self.at_one = checks.extended_scalar("at_one", at_one)
        self.odd = bool(checks.instance("odd", odd, (bool, np.bool_), "True or False"))
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
        """Make a Ψ (Eq. 6) of any non-decreasing function; its limits and its oddness are found
        numerically.

        Parameters
        ----------
        f : callable
            A function of q in (0, 1), of arrays or of single numbers (then it is slower).
        name : str
            A word for legends and messages.

        Returns
        -------
        Psi
            With the limits that f returns at 0 and 1, or, where it returns none, those it tends to.

        Raises
        ------
        ValueError
            If f decreases, is not finite inside (0, 1), or gives no number at an end where its
            limit cannot be told.

        Examples
        --------
        >>> clipped = Psi.from_callable(lambda q: np.log(np.clip(q, 0.01, 0.99)), name="clipped log")
        >>> clipped.bounded, clipped.odd, round(clipped.spread, 4)
        (True, False, 4.5951)
        """
        checks.instance("name", name, str, "a text")
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
        """Make a Ψ (Eq. 6) of a typed formula; its limits, slope, oddness and LaTeX are found
        symbolically.

        The text is read, never executed: it may hold q, numbers, pi and e, + - * / **, parentheses,
        and functions such as log, exp, sqrt, atan, tanh, erf, logit, sigmoid, probit, min, max and
        clip.

        Parameters
        ----------
        text : str
            A formula in q of at most 200 characters.

        Returns
        -------
        Psi
            Named by its text. The same text gives the same object.

        Raises
        ------
        TypeError
            If text is no string.
        ValueError
            A `FormulaError` with the `column` at fault, if the text is no such formula, or none
            that is real and non-decreasing on (0, 1) and has limits at its ends.

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
        found = _read(checks.instance("text", text, str, "a formula in q, such as 'log(q/(1-q))'"))
        if isinstance(found, FormulaError):
            raise FormulaError(found.sentence, text, found.column)
        return found

    def __call__(self, q: ArrayLike) -> Array:
        """Ψ(q) for probabilities q of any shape; the limits, which may be ±inf, at q = 0 and q = 1."""
        q = checks.probabilities("q", q)
        inside = self._function(np.where((q > 0) & (q < 1), q, 0.5))
        return np.asarray(np.where(q == 0, self.at_zero, np.where(q == 1, self.at_one, inside)))[()]

    def of_table(self, p: Array) -> Array:
        """Ψ of a table with p + pᵀ = 1; an odd Ψ is read off the smaller of p and pᵀ, where float64
        is finer.

        Parameters
        ----------
        p : ndarray, shape (..., K, K)
            Preferences; entry [y, y'] is the probability that y beats y'.

        Returns
        -------
        ndarray, shape (..., K, K)
            Ψ(p), ±inf where it is.

        Raises
        ------
        ValueError
            If p is not square, or an entry is no probability.

        Examples
        --------
        >>> LOGIT.of_table(np.array([[0.5, 1.0], [1e-30, 0.5]])).round(2)
        array([[  0.  ,  69.08],
               [-69.08,   0.  ]])
        """
        p = checks.square("p", p)
        if not self.odd:
            return self(p)
        mirror = np.swapaxes(p, -1, -2)
        of_smaller = self(np.minimum(p, mirror))
        return np.where(p <= mirror, of_smaller, 2 * self.centre - of_smaller)

    def of_log_odds(self, log_odds: ArrayLike) -> Array:
        """Ψ(σ(x)) for log-odds x, accurate also where the probability σ(x) rounds to 0 or 1.

        Parameters
        ----------
        log_odds : array_like, shape (...)
            log(q / (1−q)).

        Returns
        -------
        ndarray, shape (...)
            Ψ at the probabilities σ(log_odds).

        Raises
        ------
        ValueError
            If Ψ is unbounded and known only as a function of q, and q rounds to 0 or 1.

        Examples
        --------
        >>> LOGIT.of_log_odds([-800.0, 800.0])
        array([-800.,  800.])
        """
        x = checks.finite("log_odds", log_odds)
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
        """Slope Ψ'(q); inf at an end where Ψ runs off or its slope does not settle.

        Parameters
        ----------
        q : array_like, shape (...)
            Probabilities.

        Returns
        -------
        ndarray, shape (...)
            At least 0.

        Raises
        ------
        ValueError
            If q is no probability.

        Examples
        --------
        >>> LOGIT.derivative([0.1, 0.5, 1.0])
        array([11.11111111,  4.        ,         inf])
        """
        q = checks.probabilities("q", q)
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
        """Ψ(½), the value of a preference that leans neither way."""
        return float(self(0.5))

    @property
    def spread(self) -> float:
        """Ψ(1) − Ψ(0): no policy moves a log-ratio further from π_ref than spread / β."""
        return self.at_one - self.at_zero

    @property
    def bounded(self) -> bool:
        """Whether both limits are finite."""
        return bool(np.isfinite(self.at_zero) and np.isfinite(self.at_one))

    def __repr__(self) -> str:
        return (
            f"Psi({self.name!r}, at_zero={self.at_zero:g}, at_one={self.at_one:g}, odd={self.odd})"
        )

    def _repr_latex_(self) -> str:
        return rf"$\Psi(q) = {self.latex}$"


@lru_cache(maxsize=256)
def _read(text: str) -> Psi | FormulaError:
    """The Ψ of a typed formula, or what is wrong with it: each text is read once."""
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
    """The folded power Ψ_λ(q) = (q^λ − (1−q)^λ)/λ of Tukey (1977), the road from logit (λ = 0) to
    identity (λ = 2).

    Ψ_2(q) = 2q − 1 over 2, which is q − ½: identity at the same β. Bounded by ±1/λ for every λ > 0.

    Parameters
    ----------
    lam : float
        λ ≥ 0.

    Returns
    -------
    Psi
        Odd, with centre 0.

    Raises
    ------
    ValueError
        If lam is neither 0 nor from 1e-300 to 1e12. Below, 1/λ is not finite. Above, Ψ rises only
        where float64 has too few numbers, next to 1.

    Examples
    --------
    >>> folded_power(2.0)([0.0, 0.5, 0.8])
    array([-0.5,  0. ,  0.3])
    >>> folded_power(0.25).spread
    8.0
    """
    lam = checks.scalar("lam", lam)
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
LOG = Psi(
    "log",
    np.log,
    latex=r"\log q",
    at_zero=-np.inf,
    at_one=0.0,
    derivative=np.reciprocal,
    of_log_odds=special.log_expit,
)
