"""Derivations: chains of definitions and claims, each claim checked in numbers and by SymPy.

An equation holds over K actions, numbered 1 to K; its free indices y and y' stand for each of them.
`_proofs` reads it and proves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import sympy as sp

from psipo_explore._checks import count, instance
from psipo_explore._proofs.claims import POINTS, RELATIONS, require
from psipo_explore._proofs.domains import KINDS, POSITIVE, REAL, TABLES, assumes_at_most
from psipo_explore._proofs.identities import Psi
from psipo_explore._proofs.readings import INDICES, K, Reader, choices, other, sigma, y

__all__ = ["Derivation", "K", "Psi", "Step", "other", "sigma", "y"]

_NAMES = (sp.Symbol, sp.Dummy, sp.IndexedBase)


@dataclass(frozen=True)
class Step:
    """One line of a derivation, as App. A.1 of arXiv:2310.12036 has them.

    Parameters
    ----------
    sentence : str
        What is said, in words.
    equation : sympy.Eq, sympy.Gt or sympy.Lt
        What is said, in symbols: over K actions, with free indices y and y' where it holds for each
        action. A claim may be an inequality. A claim about a limit has the limit as its left side.
    defines : bool
        Whether this step gives the left side its meaning; else the equation is claimed. The left
        side is a symbol, or one symbol for each action. It is new, or it has a kind, any value of
        which would do: then this step chooses one.

    Raises
    ------
    TypeError
        If the equation is none, for instance because SymPy made it True by itself.
    ValueError
        If the left side of a definition is not a symbol, or not one symbol for each action.

    Examples
    --------
    >>> Step("The sum of one and one is", sp.Eq(1 + sp.Symbol("x"), 2, evaluate=False)).equation
    Eq(x + 1, 2)
    """

    sentence: str
    equation: sp.Rel
    defines: bool = False

    def __post_init__(self) -> None:
        instance("sentence", self.sentence, str, "a text")
        if not isinstance(self.equation, RELATIONS):
            hint = "if it became True by itself, give evaluate=False"
            raise TypeError(f"equation = {self.equation!r}, must be a sympy.Eq, Gt or Lt; {hint}")
        if instance("defines", self.defines, bool, "True or False"):
            _require_definition(self.equation)

    def _take(self, reader: Reader, rng: np.random.Generator) -> None:
        """Define what is defined, or prove what is claimed for each action."""
        if self.defines:
            reader.define(self.equation)
            return
        for at in choices(self.equation, reader.k):
            require(self.equation, reader, at, rng)

    def _repr_markdown_(self) -> str:
        return f"{self.sentence}\n\n$${_latex(self.equation)}$$"


@dataclass(frozen=True)
class Derivation:
    """A chain of steps, such as the proofs of App. A.1 of arXiv:2310.12036, and what its symbols
    stand for.

    Parameters
    ----------
    title : str
        What is derived.
    source : str
        Where the paper does so.
    steps : tuple of Step
        In order; a claim rests on the definitions before it.
    kinds : mapping
        What each symbol is that no step has defined yet: "real", "positive", "probability",
        "distribution" or "preferences". A claim is proved for all values of these kinds, and for no
        others. Probabilities are between 0 and 1, neither being reached. A derivative by one entry
        of a distribution leaves the other entries alone.
    sizes : tuple of int
        Numbers of actions K for which `check` proves every step, and for no others.
    proves : str
        What follows from the steps, in words.
    leaves_open : str
        What does not, in words.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, no step claims anything, a symbol is defined twice,
        two symbols look alike, or a symbol assumes more than its kind says.

    Examples
    --------
    >>> beta = sp.Symbol("beta", positive=True)
    >>> step = Step("A logarithm undoes an exponential.", sp.Eq(sp.log(sp.exp(beta)), beta, evaluate=False))
    >>> Derivation("Logarithms", "school", (step,), {beta: "positive"}, sizes=(1,)).check()
    'Logarithms: 1 claim proved by SymPy, confirmed at 12 points.'
    """

    title: str
    source: str
    steps: tuple[Step, ...]
    kinds: Mapping[sp.Basic, str]
    sizes: tuple[int, ...] = (1, 2, 3)
    proves: str = ""
    leaves_open: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "source", "proves", "leaves_open"):
            instance(name, getattr(self, name), str, "a text")
        _require_steps(self.steps)
        _require_kinds(self.kinds)
        _require_sizes(self.sizes)
        _require_one_meaning_each(self.steps, self.kinds)
        # what the caller does to his must not change ours
        object.__setattr__(self, "kinds", dict(self.kinds))

    @property
    def claims(self) -> tuple[Step, ...]:
        """The steps that are claimed, not defined."""
        return tuple(step for step in self.steps if not step.defines)

    def check(self, *, seed: int = 0) -> str:
        """Prove every claim for all values of its symbols, compare both sides at many points, and
        say so.

        Parameters
        ----------
        seed : int
            Of the points.

        Returns
        -------
        str
            How many claims were proved, and for which K if there are actions in them.

        Raises
        ------
        ValueError
            If a claim fails, with its number, its sentence, and the point where its sides differ;
            or if a step says something that is not known to be a real number for all values of its
            symbols.

        Examples
        --------
        >>> from psipo_explore.symbolic import collapse
        >>> collapse().check()
        'The collapse: 7 claims proved by SymPy, confirmed at 12 points.'
        """
        if instance("seed", seed, Integral, "a whole number") < 0:
            raise ValueError(f"seed = {seed}, must be at least 0")
        rng = np.random.default_rng(seed)
        for k in self.sizes:
            reader = Reader(self.kinds, k)
            for number, step in enumerate(self.steps, 1):
                try:
                    step._take(reader, rng)
                except ValueError as error:
                    raise ValueError(f"step {number} ({step.sentence}) {error}") from None
        claims = f"{len(self.claims)} claims" if len(self.claims) > 1 else "1 claim"
        has_actions = any(step.equation.has(K, sp.Indexed) for step in self.steps)
        sizes = f" for K = {', '.join(map(str, self.sizes))}" if has_actions else ""
        return f"{self.title}: {claims} proved by SymPy{sizes}, confirmed at {POINTS} points."

    def with_equation(self, number: int, equation: sp.Rel) -> Derivation:
        """The same derivation with another equation at one step; see what `check` says to it.

        Parameters
        ----------
        number : int
            Of the step, from 1.
        equation : sympy.Eq, sympy.Gt or sympy.Lt
            What it is to say instead.

        Returns
        -------
        Derivation
            This one is as it was.

        Raises
        ------
        ValueError
            If no step has that number.

        Examples
        --------
        >>> from psipo_explore.symbolic import rlhf
        >>> wrong = rlhf().with_equation(2, sp.Eq(sp.Symbol("x"), 1)).steps[1]
        >>> wrong.sentence, wrong.equation
        ('One of the two is preferred.', Eq(x, 1))
        """
        if not 1 <= instance("number", number, Integral, "a whole number") <= len(self.steps):
            raise ValueError(f"number = {number}, must be from 1 to {len(self.steps)}")
        steps = list(self.steps)
        steps[number - 1] = replace(steps[number - 1], equation=equation)
        return replace(self, steps=tuple(steps))

    def _repr_markdown_(self) -> str:
        lines = [f"**{self.title}** ({self.source})"]
        lines += [f"*Proved:* {self.proves}"] if self.proves else []
        lines += [f"*Not proved:* {self.leaves_open}"] if self.leaves_open else []
        lines += [
            f"**{number}.** {step._repr_markdown_()}" for number, step in enumerate(self.steps, 1)
        ]
        return "\n\n".join(lines)


def _require_definition(equation: sp.Rel) -> None:
    left, name = equation.lhs, _name(equation.lhs)
    indices = left.indices if isinstance(left, sp.Indexed) else ()
    different = set(indices) <= set(INDICES) and len(set(indices)) == len(indices)
    if (
        not isinstance(equation, sp.Eq)
        or type(left) not in (sp.Symbol, sp.Dummy, sp.Indexed)
        or not different
    ):
        raise ValueError(
            f"equation = {equation}, must define a symbol, or one for each choice of y, y' or both"
        )
    if not assumes_at_most(name, POSITIVE):
        raise ValueError(
            f"equation defines {name}, which must be assumed real or positive, or nothing"
        )


def _require_steps(steps: tuple[Step, ...]) -> None:
    instance("steps", steps, tuple, "a tuple of Step")
    for n, step in enumerate(steps):
        instance(f"steps[{n}]", step, Step, "a Step")
    if all(step.defines for step in steps):
        raise ValueError("steps claim nothing, must hold at least one claim")


def _require_kinds(kinds: Mapping[sp.Basic, str]) -> None:
    for symbol, kind in instance(
        "kinds", kinds, Mapping, "a mapping from symbols to kinds"
    ).items():
        if type(symbol) not in _NAMES:
            raise TypeError(f"kinds has {symbol!r}, must be a sympy.Symbol or IndexedBase")
        if kind not in KINDS:
            raise ValueError(f"kinds[{symbol}] = {kind!r}, must be one of {', '.join(KINDS)}")
        if kind in TABLES and not isinstance(symbol, sp.IndexedBase):
            raise ValueError(f"kinds[{symbol}] = {kind!r}, must be the kind of an IndexedBase")
        if not assumes_at_most(symbol, REAL if kind == "real" else POSITIVE):
            raise ValueError(
                f"kinds[{symbol}] = {kind!r}, must not be less than {symbol} assumes by itself"
            )


def _require_sizes(sizes: tuple[int, ...]) -> None:
    for n, k in enumerate(instance("sizes", sizes, tuple, "a tuple of whole numbers")):
        count(f"sizes[{n}]", k)
    if not sizes or len(set(sizes)) < len(sizes):
        raise ValueError(f"sizes = {sizes}, must be different numbers of actions, at least one")


def _require_one_meaning_each(steps: tuple[Step, ...], kinds: Mapping[sp.Basic, str]) -> None:
    defined = Counter(_name(step.equation.lhs) for step in steps if step.defines)
    for name, times in defined.items():
        if times > 1 or (name in kinds and isinstance(name, sp.IndexedBase)):
            raise ValueError(
                f"steps define {name}, which has a meaning already, must define each symbol once"
            )
    used = {K, *INDICES, *kinds}.union(*(step.equation.atoms(*_NAMES) for step in steps))
    for (_, name), different in Counter((type(symbol), str(symbol)) for symbol in used).items():
        if different > 1:
            raise ValueError(
                f"steps hold {different} different symbols that are written {name}, must hold one"
            )


def _name(left: sp.Expr) -> sp.Basic:
    """What is defined: of an indexed symbol its base, so that g[1] and g[y] have one name."""
    return left.base if isinstance(left, sp.Indexed) else left


def _latex(equation: sp.Rel) -> str:
    """LaTeX in the paper's symbols, such as π(y) and p(y ≻ y'), so named that β comes before them,
    and y before y'.
    """

    def words(e: sp.Indexed) -> sp.Symbol:
        between = r" \succ " if e.base.label.name == "p" else ", "
        indices = between.join(map(sp.latex, e.indices))
        return sp.Symbol(f"{{}}{sp.latex(e.base.label)}({indices})".replace("'", r"^{\prime}"))

    sides = (side.replace(lambda e: isinstance(e, sp.Indexed), words) for side in equation.args)
    return str(sp.latex(equation.func(*sides, evaluate=False)))
