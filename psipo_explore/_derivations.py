"""Derivations: chains of definitions and claims, each claim checked in numbers and by SymPy.

An equation is about K actions, numbered from 1 to K, and its free indices y and y' stand for each
of them. The modules of `_proofs` read and prove it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import sympy as sp
from sympy.printing.latex import LatexPrinter

from psipo_explore._checks import as_count, require_instance
from psipo_explore._proofs.claims import POINTS, RELATIONS, require
from psipo_explore._proofs.domains import KINDS, POSITIVE, REAL, TABLES, assumes_at_most
from psipo_explore._proofs.identities import Psi
from psipo_explore._proofs.readings import INDICES, K, Reader, choices, other, sigma, y

__all__ = ["Derivation", "K", "Psi", "Step", "other", "sigma", "y"]

# Characters of a formula that fit a telephone, and fewer where further lines follow.
_MOST_IN_A_LINE, _MOST_WITH_LEFT = 46, 40
_NAMES = (sp.Symbol, sp.Dummy, sp.IndexedBase)


@dataclass(frozen=True)
class Step:
    """One line of a derivation, like the lines of App. A.1 of arXiv:2310.12036.

    Parameters
    ----------
    sentence : str
        The statement in words.
    equation : sympy.Eq, sympy.Gt or sympy.Lt
        The statement in symbols, about K actions. The free indices y and y' mean that it holds for
        each action. A claim may be an inequality. A claim about a limit has the limit as its left
        side.
    defines : bool
        Whether this step defines the left side; otherwise the equation is a claim. The left side of
        a definition is a symbol, or one symbol for each action. It may be a new symbol. It may also
        be a symbol with a kind, and the step then chooses one of the values of that kind.

    Raises
    ------
    TypeError
        If sentence is not a str, if equation is not a sympy.Eq, Gt or Lt, for instance because
        SymPy simplified it to True, or if defines is not a bool.
    ValueError
        If a definition is not an equality, if its left side is neither a symbol nor one symbol for
        each choice of y, y' or both, or if that symbol assumes more than that it is positive.

    Examples
    --------
    >>> Step("The sum of one and one is", sp.Eq(1 + sp.Symbol("x"), 2, evaluate=False)).equation
    Eq(x + 1, 2)
    """

    sentence: str
    equation: sp.Rel
    defines: bool = False

    def __post_init__(self) -> None:
        require_instance("sentence", self.sentence, str, "a text")
        if not isinstance(self.equation, RELATIONS):
            hint = "if it became True by itself, give evaluate=False"
            raise TypeError(f"equation = {self.equation!r}, must be a sympy.Eq, Gt or Lt; {hint}")
        if require_instance("defines", self.defines, bool, "True or False"):
            _require_definition(self.equation)

    def _take(self, reader: Reader, rng: np.random.Generator) -> None:
        """Add the definition to the reader, or prove the claim for each choice of the actions."""
        if self.defines:
            reader.define(self.equation)
            return
        for at in choices(self.equation, reader.k):
            require(self.equation, reader, at, rng)

    def _repr_markdown_(self) -> str:
        return f"{self.sentence}\n\n$${_latex(self.equation)}$$"


@dataclass(frozen=True)
class Derivation:
    """A chain of steps, such as a proof of App. A.1 of arXiv:2310.12036, and its symbols' kinds.

    Parameters
    ----------
    title : str
        What is derived.
    source : str
        Where the derivation comes from, such as an appendix of the paper.
    steps : tuple of Step
        The steps in order; a claim may use the definitions before it.
    kinds : mapping
        The kind of each symbol that a step uses before any step defines it: "real", "positive",
        "probability", "distribution" or "preferences". A claim is proved for all values of these
        kinds, and for no others. Probabilities lie strictly between 0 and 1. A derivative with
        respect to one entry of a distribution holds the other entries fixed.
    sizes : tuple of int
        Numbers of actions K for which `check` proves every step; it proves nothing for others.
    proves : str
        What follows from the steps, in words.
    leaves_open : str
        What does not follow from the steps, in words.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or kinds has a key that is not a sympy.Symbol or
        IndexedBase.
    ValueError
        If no step claims anything, a kind is unknown or does not suit its symbol, a symbol assumes
        more than its kind says, sizes are empty, repeated or less than 1, a symbol has two
        meanings, or two different symbols are written alike.

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
            require_instance(name, getattr(self, name), str, "a text")
        _require_steps(self.steps)
        _require_kinds(self.kinds)
        _require_sizes(self.sizes)
        _require_one_meaning_each(self.steps, self.kinds)
        # A copy is kept, so that later changes of the caller's mapping have no effect here.
        object.__setattr__(self, "kinds", dict(self.kinds))

    @property
    def claims(self) -> tuple[Step, ...]:
        """The steps that are claims rather than definitions."""
        return tuple(step for step in self.steps if not step.defines)

    def check(self, *, seed: int = 0) -> str:
        """Prove every claim for all values of its symbols, and compare its sides at 12 points.

        Parameters
        ----------
        seed : int
            Seed of the random points, at least 0.

        Returns
        -------
        str
            A sentence that says how many claims were proved, and for which K if the steps involve
            actions.

        Raises
        ------
        ValueError
            If a claim fails at a point or cannot be proved, if an expression is not known to be a
            real number for all values of its symbols, or if seed is negative. The message gives the
            number and the sentence of the step, and the point where its sides differ.
        TypeError
            If seed is not a whole number.

        Examples
        --------
        >>> from psipo_explore.symbolic import collapse
        >>> collapse().check()
        'The collapse: 7 claims proved by SymPy, confirmed at 12 points.'
        """
        if require_instance("seed", seed, Integral, "a whole number") < 0:
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
        """Copy the derivation with another equation at one step.

        `check` then shows whether the changed derivation still holds.

        Parameters
        ----------
        number : int
            Number of the step, counted from 1.
        equation : sympy.Eq, sympy.Gt or sympy.Lt
            The new equation of that step.

        Returns
        -------
        Derivation
            The changed copy; the original stays as it is.

        Raises
        ------
        TypeError
            If number is not a whole number, or equation is not a sympy.Eq, Gt or Lt.
        ValueError
            If no step has that number, or if the new equation does not suit the step.

        Examples
        --------
        >>> from psipo_explore.symbolic import rlhf
        >>> wrong = rlhf().with_equation(2, sp.Eq(sp.Symbol("x"), 1)).steps[1]
        >>> wrong.sentence, wrong.equation
        ('One of the two actions is always preferred.', Eq(x, 1))
        """
        if (
            not 1
            <= require_instance("number", number, Integral, "a whole number")
            <= len(self.steps)
        ):
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
    require_instance("steps", steps, tuple, "a tuple of Step")
    for n, step in enumerate(steps):
        require_instance(f"steps[{n}]", step, Step, "a Step")
    if all(step.defines for step in steps):
        raise ValueError("steps claim nothing, must hold at least one claim")


def _require_kinds(kinds: Mapping[sp.Basic, str]) -> None:
    for symbol, kind in require_instance(
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
    for n, k in enumerate(require_instance("sizes", sizes, tuple, "a tuple of whole numbers")):
        as_count(f"sizes[{n}]", k)
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
    """Return the symbol on a left side; for g[1] and g[y], that is their common base g."""
    return left.base if isinstance(left, sp.Indexed) else left


def _latex(equation: sp.Rel) -> str:
    """Write an equation as LaTeX in the paper's notation, such as π(y) and p(y ≻ y').

    SymPy orders factors by the names of their symbols. The names chosen here put β before π(y), and
    terms with y before those with y'.
    """

    def words(e: sp.Indexed) -> sp.Symbol:
        between = r" \succ " if e.base.label.name == "p" else ", "
        indices = between.join(map(sp.latex, e.indices))
        return sp.Symbol(f"{{}}{sp.latex(e.base.label)}({indices})".replace("'", r"^{\prime}"))

    sides = [side.replace(lambda e: isinstance(e, sp.Indexed), words) for side in equation.args]
    in_one_line = str(sp.latex(equation.func(*sides, evaluate=False)))
    return (
        in_one_line if _drawn_length(in_one_line) <= _MOST_IN_A_LINE else _broken(equation, sides)
    )


def _broken(equation: sp.Rel, sides: list[sp.Expr]) -> str:
    """Write an equation in several lines, as many terms in each as fit.

    A long left side gets lines of its own.
    """
    relation = {"==": "=", ">": ">", "<": "<"}[equation.rel_op]
    left, right = map(_lines, sides)
    right[0] = f"{relation} {right[0]}"
    if _drawn_length(f"{left[0]}{right[0]}") <= _MOST_WITH_LEFT and len(left) == 1:
        right[0] = f"{left.pop()} {right[0]}"
    return r"\begin{aligned}& " + r" \\ & ".join(left + right) + r"\end{aligned}"


def _lines(side: sp.Expr) -> list[str]:
    """Write one side of an equation in lines; those after the first are indented."""
    first, *rest = (str(sp.latex(term)) for term in LatexPrinter()._as_ordered_terms(side))
    lines = [first]
    for term in (term if term.startswith("-") else f"+ {term}" for term in rest):
        if _drawn_length(lines[-1] + term) <= _MOST_IN_A_LINE // 2:
            lines[-1] += f" {term}"
        else:
            lines.append(rf"\;\; {term}")
    return lines


def _drawn_length(latex: str) -> int:
    """Return about how many characters of a formula stand beside each other."""
    below_a_sum = re.sub(r"\\substack\{(?:[^{}]|\{[^{}]*\})*\}", "xxx", latex)
    letters = re.sub(r"\\[a-zA-Z]+", "x", below_a_sum)
    return len(re.sub(r"[\s{}^_&\\]", "", letters))
