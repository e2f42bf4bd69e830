r"""A Sphinx extension that turns formulas into MathML while the site is built.

Browsers draw MathML themselves, so a page needs no script and no fonts from elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils.nodes import SkipNode
from math_core import LatexToMathML
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SPACED_BREAK = re.compile(r"\\\\\[[^]]*\]")  # math-core prints the length
_SIZED_BASE = re.compile(r"(<msu(?:p|b|bsup)>)(<mo minsize=[^>]*>[^<]*</mo>)")
_CONVERTER = LatexToMathML(macros={"substack": r"\begin{matrix}#1\end{matrix}"})


def to_mathml(formula: str, *, displayed: bool) -> str:
    r"""Convert a LaTeX formula to MathML.

    Raises
    ------
    ValueError
        If the formula is not understood.

    Examples
    --------
    >>> to_mathml(r"\pi^*", displayed=False)
    '<math><msup><mi>π</mi><mo>∗</mo></msup></math>'
    """
    plain = _SPACED_BREAK.sub(r"\\\\", formula)
    try:
        mathml = str(_CONVERTER.convert_with_local_state(plain, displaystyle=displayed))
    except Exception as error:
        raise ValueError(f"the formula {formula!r} is not understood: {error}") from error
    return _SIZED_BASE.sub(r"\1<mrow>\2</mrow>", mathml)  # or Chromium leaves it small


def _inline(translator: Any, node: Any) -> None:
    translator.body.append(_converted(node, displayed=False))
    raise SkipNode


def _displayed(translator: Any, node: Any) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    formula = _converted(node, displayed=True)
    translator.body.append(f'<div class="math">{formula}{number}</div>')
    raise SkipNode


def _converted(node: Any, *, displayed: bool) -> str:
    try:
        return to_mathml(node.astext(), displayed=displayed)
    except ValueError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        return ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
