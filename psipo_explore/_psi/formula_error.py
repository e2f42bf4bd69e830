"""The error that a wrong formula for Ψ raises.

It is public in `psi`, but defined here so that the modules that `psi` imports can raise it.
"""

from __future__ import annotations

from textwrap import indent


class FormulaError(ValueError):
    """Error in a typed formula for Ψ, with the column where it occurs.

    Ψ is the function in Eq. 6 of arXiv:2310.12036, and `Psi.from_formula` reads it from a text.

    Parameters
    ----------
    sentence : str
        What was found and what is expected.
    text : str
        The formula.
    column : int
        Column of the error, counted from 1.

    Examples
    --------
    >>> from psipo_explore.psi import FormulaError, Psi
    >>> try:
    ...     Psi.from_formula("log(q/(1-q)")
    ... except FormulaError as error:
    ...     print(f"column {error.column}")
    ...     print(error.pointer)
    column 4
    log(q/(1-q)
       ^
    """

    __module__ = "psipo_explore.psi"

    def __init__(self, sentence: str, text: str, column: int) -> None:
        self.sentence, self.text, self.column = sentence, text, column
        super().__init__(f"text, column {column}: {sentence}\n{indent(self.pointer, '    ')}")

    def __reduce__(self) -> tuple[type[FormulaError], tuple[str, str, int]]:
        # By default, pickle rebuilds an exception from its message alone. That would fail here, and
        # a process pool could not return the error.
        return type(self), (self.sentence, self.text, self.column)

    @property
    def pointer(self) -> str:
        """The part of the text around the column, with a caret below that column."""
        start = max(0, self.column - 40)
        shown = "".join(c if c.isprintable() else "?" for c in self.text[start : start + 72])
        return f"{shown}\n{' ' * (self.column - 1 - start)}^"
