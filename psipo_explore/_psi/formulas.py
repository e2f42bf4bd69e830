"""Typed formulas in q, which are parsed and checked against a short list, never executed.

`read_formula` turns a text into a tree of pieces, each of which is a real number on (0, 1).
`evaluate` computes such a tree on arrays, and `expression` translates it into SymPy.
"""

from __future__ import annotations

import ast
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy import special

from psipo_explore._checks import Array
from psipo_explore._psi.formula_error import FormulaError

_LONGEST = 200  # characters
_LARGEST = 10**15  # largest number in a formula; its inverse is the smallest but 0
_LARGEST_EXPONENT = 100
_EVERY = np.arange(1, 512) / 512

q = sp.Symbol("q", positive=True)


@dataclass(frozen=True)
class _Operation:
    """An operator or function that a formula may use, on arrays and in SymPy.

    The symbolic form is also applied to limits such as ∞.
    """

    numeric: Callable[..., Array]
    symbolic: Callable[..., sp.Expr]
    takes: int = 1


@dataclass(frozen=True)
class Piece:
    """A piece of a formula: q, a constant, or an operation on other pieces."""

    words: str
    column: int
    constant: sp.Expr | None = None
    value: float | None = None
    operation: _Operation | None = None
    arguments: tuple[Piece, ...] = ()

    @property
    def is_power(self) -> bool:
        return self.operation is _OPERATORS[ast.Pow]


_CONSTANTS = {"pi": (sp.pi, float(np.pi)), "e": (sp.E, float(np.e))}
_OPERATORS: dict[type[ast.AST], _Operation] = {
    ast.Add: _Operation(np.add, sp.Add),
    ast.Sub: _Operation(np.subtract, lambda a, b: a - b),
    ast.Mult: _Operation(np.multiply, sp.Mul),
    ast.Div: _Operation(np.divide, lambda a, b: a / b),
    ast.Pow: _Operation(np.power, sp.Pow),
    ast.UAdd: _Operation(np.positive, lambda a: a),
    ast.USub: _Operation(np.negative, lambda a: -a),
}
_FUNCTIONS = {
    # SymPy's log(0) is complex infinity. Here 0 is a limit from above, so the log tends to −∞.
    "log": _Operation(np.log, lambda x: -sp.oo if x == 0 else sp.log(x)),
    "exp": _Operation(np.exp, sp.exp),
    "sqrt": _Operation(np.sqrt, sp.sqrt),
    "abs": _Operation(np.abs, sp.Abs),
    "sin": _Operation(np.sin, sp.sin),
    "cos": _Operation(np.cos, sp.cos),
    "tan": _Operation(np.tan, sp.tan),
    "asin": _Operation(np.arcsin, sp.asin),
    "acos": _Operation(np.arccos, sp.acos),
    "atan": _Operation(np.arctan, sp.atan),
    "sinh": _Operation(np.sinh, sp.sinh),
    "cosh": _Operation(np.cosh, sp.cosh),
    "tanh": _Operation(np.tanh, sp.tanh),
    "asinh": _Operation(np.arcsinh, sp.asinh),
    "acosh": _Operation(np.arccosh, sp.acosh),
    "atanh": _Operation(np.arctanh, sp.atanh),
    "erf": _Operation(special.erf, sp.erf),
    "logit": _Operation(special.logit, lambda x: sp.log(x / (1 - x))),
    "sigmoid": _Operation(special.expit, lambda x: 1 / (1 + sp.exp(-x))),
    "probit": _Operation(special.ndtri, lambda x: sp.sqrt(2) * sp.erfinv(2 * x - 1)),
    "min": _Operation(np.minimum, sp.Min, takes=2),
    "max": _Operation(np.maximum, sp.Max, takes=2),
    "clip": _Operation(
        lambda x, low, high: np.maximum(low, np.minimum(x, high)),
        lambda x, low, high: sp.Max(low, sp.Min(x, high)),
        takes=3,
    ),
}
_FUNCTIONS |= {
    other: _FUNCTIONS[name]
    for other, name in {"ln": "log", "arctan": "atan", "arcsin": "asin"}.items()
}
_SYMBOLS = {
    ast.BitXor: "^",
    ast.Mod: "%",
    ast.FloorDiv: "//",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
}
_SYMBOLS |= {ast.LShift: "<<", ast.RShift: ">>"}
_MEANT = {
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DIVISION SIGN}": "/",
}
_MADE_OF = "a formula is made of numbers, q, + - * / **, parentheses and functions such as log(...)"
_NOT_IN_A_FORMULA: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute (a dot and a name)",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment (:=)",
    ast.Subscript: "an index in brackets",
    ast.Compare: "a comparison",
    ast.BoolOp: "and/or",
    ast.IfExp: "if/else",
    ast.Tuple: "a comma outside of a function",
    ast.JoinedStr: "a string",
    ast.Starred: "a star before a name",
    ast.UnaryOp: "not or ~",
    ast.List: "a list in brackets",
    ast.Dict: "a dictionary in braces",
    ast.Set: "a set in braces",
}


def read_formula(text: str) -> Piece:
    """Parse the text into a tree of known pieces that are real numbers inside (0, 1)."""
    formula = _parsed(text)
    _require_numbers(formula, text)
    return formula


def _parsed(text: str) -> Piece:
    if not text.strip():
        raise FormulaError(
            "nothing is there, must be a formula in q, such as log(q/(1-q))", text, 1
        )
    if len(text) > _LONGEST:
        raise FormulaError(
            f"the formula has {len(text)} characters, must have at most {_LONGEST}",
            text,
            _LONGEST + 1,
        )
    for k, character in enumerate(text):
        if not " " <= character <= "~":
            raise FormulaError(_stranger(character), text, k + 1)
    indent = len(text) - len(text.lstrip())
    try:
        with warnings.catch_warnings():
            # Python warns of texts such as '1if q else 0', which _Reader refuses.
            warnings.simplefilter("ignore")
            tree = ast.parse(text[indent:], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # If the text ends too soon, Python's offset is 0 or absent: point behind the text.
        column = min((getattr(error, "offset", None) or len(text) + 1) + indent, len(text) + 1)
        said = getattr(error, "msg", None) or "too deeply nested"
        raise FormulaError(f"the formula cannot be read from here ({said})", text, column) from None
    return _Reader(text, indent).read(tree)


def _stranger(character: str) -> str:
    name = unicodedata.name(character, "an unnamed character").lower()
    plain = unicodedata.normalize("NFKC", character)
    meant = _MEANT.get(character, plain)
    hint = (
        f", did you mean {meant}?"
        if meant != character and meant.isascii() and meant.isprintable()
        else ""
    )
    return f"{name} is not a plain character of the keyboard{hint or ', must be one'}"


class _Reader:
    """Translator of Python's syntax tree into pieces.

    It refuses everything that a formula may not contain and names the column.
    """

    def __init__(self, text: str, indent: int) -> None:
        self._text, self._indent = text, indent

    def read(self, node: ast.expr) -> Piece:
        words, column = (
            ast.get_source_segment(self._text[self._indent :], node) or "",
            self._column(node),
        )
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return Piece(words, column, self._rational(value, column), float(value))
            case ast.Name(id="q"):
                return Piece(words, column)
            case ast.Name(id=name) if name in _CONSTANTS:
                return Piece(words, column, *_CONSTANTS[name])
            case ast.Name(id=name) if name in _FUNCTIONS:
                raise self._error(f"{name} is a function, must be called: {name}(q)", node)
            case ast.Name(id=name):
                raise self._error(
                    f"{name} is not known, the variable is q, the constants pi and e", node
                )
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return Piece(
                    words, column, operation=_OPERATORS[type(op)], arguments=(self.read(operand),)
                )
            case ast.BinOp(left=left, op=op, right=right):
                return Piece(
                    words,
                    column,
                    operation=self._operator(op, left),
                    arguments=(self.read(left), self.read(right)),
                )
            case ast.Call(func=function, args=arguments, keywords=keywords):
                operation = self._function(function, len(arguments) + len(keywords))
                if keywords:
                    raise self._error(
                        "arguments have no names here, must be given in order", keywords[0]
                    )
                return Piece(
                    words, column, operation=operation, arguments=tuple(map(self.read, arguments))
                )
            case ast.Constant():
                raise self._error(f"{words} is not a number, {_MADE_OF}", node)
        found = _NOT_IN_A_FORMULA.get(type(node), f"Python's {type(node).__name__}")
        raise self._error(f"{found} is not read, {_MADE_OF}", node)

    def _column(self, node: ast.AST) -> int:
        return int(getattr(node, "col_offset", 0)) + self._indent + 1

    def _error(self, sentence: str, node: ast.AST) -> FormulaError:
        return FormulaError(sentence, self._text, self._column(node))

    def _rational(self, value: float, column: int) -> sp.Expr:
        if value and not 1 / _LARGEST <= value <= _LARGEST:
            raise FormulaError("the number must be 0 or from 1e-15 to 1e15", self._text, column)
        return sp.Rational(repr(value))

    def _operator(self, op: ast.operator, left: ast.expr) -> _Operation:
        if type(op) in _OPERATORS:
            return _OPERATORS[type(op)]
        symbol = _SYMBOLS[type(op)]
        at = self._text.find(symbol, (left.end_col_offset or 0) + self._indent)
        sentence = (
            "a power is written **, not ^" if symbol == "^" else f"{symbol} is not read, {_MADE_OF}"
        )
        raise FormulaError(sentence, self._text, at + 1)

    def _function(self, function: ast.expr, given: int) -> _Operation:
        if not isinstance(function, ast.Name):
            self.read(function)
        if not isinstance(function, ast.Name) or function.id == "q" or function.id in _CONSTANTS:
            raise self._error(
                "what stands before a parenthesis is no function, a product is written with *",
                function,
            )
        operation = _FUNCTIONS.get(function.id)
        if operation is None:
            raise self._error(
                f"{function.id} is not known, the functions are {', '.join(sorted(_FUNCTIONS))}",
                function,
            )
        if given != operation.takes:
            takes = "1 argument" if operation.takes == 1 else f"{operation.takes} arguments"
            raise self._error(f"{function.id} is given {given}, must be given {takes}", function)
        return operation


def evaluate(node: Piece, at: Array) -> Array:
    """Evaluate a formula at an array of probabilities."""
    if node.operation is None:
        return at if node.value is None else np.full(at.shape, node.value)
    with np.errstate(all="ignore"):
        return np.asarray(
            node.operation.numeric(*(evaluate(argument, at) for argument in node.arguments))
        )


def _require_numbers(node: Piece, text: str) -> Array:
    """Return the values of a formula at the fractions k/512, which must be finite real numbers.

    Every piece is checked, innermost first. An exponent that is too large is refused too.
    """
    arguments = [_require_numbers(argument, text) for argument in node.arguments]
    if node.operation is None:
        return evaluate(node, _EVERY)
    if node.is_power:
        exponent = arguments[1]
        if np.abs(exponent).max() > _LARGEST_EXPONENT:
            sentence = f"the exponent {node.arguments[1].words} reaches {np.abs(exponent).max():g}"
            raise FormulaError(
                f"{sentence}, must be from -{_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}",
                text,
                node.arguments[1].column,
            )
    with np.errstate(all="ignore"):
        values = np.asarray(node.operation.numeric(*arguments))
    bad = ~np.isfinite(values)
    if bad.any():
        k = int(np.argmax(bad))
        where = "for any q" if bad.all() else f"at q = {_EVERY[k]:.3g}"
        what = "is not a real number" if np.isnan(values[k]) else "is not finite"
        raise FormulaError(
            f"{node.words} {what} {where}, must be one for all q between 0 and 1", text, node.column
        )
    return values


def expression(node: Piece) -> sp.Expr:
    """Translate a formula into a SymPy expression."""
    if node.operation is None:
        return q if node.constant is None else node.constant
    return node.operation.symbolic(*map(expression, node.arguments))
