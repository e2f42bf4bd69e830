"""Numbers and lists in words, for sentences, sliders and legends."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from psipo_explore._tables import as_html

_INDEX = re.compile(r"\b([πy])_(ref|[wlo])\b")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def typeset(text: str) -> str:
    """Return a sentence or a label as HTML in which the index of a symbol, as in π_ref, stands low.

    The underscore stays in the text, unseen, so that what is copied or searched for is the same.
    """
    return _INDEX.sub(r'\1<span class="psipo-index"><span>_</span>\2</span>', as_html(text))


def number(x: float) -> str:
    """Write a number to about three digits, with a power of ten if it is very large or small."""
    if x == 0 or math.isinf(x):
        return {0.0: "0", math.inf: "∞", -math.inf: "−∞"}[x]
    if 1e-3 <= abs(x) < 1e6:
        return (f"{x:.3g}" if abs(x) < 999.5 else f"{x:.0f}").replace("-", "−")
    mantissa, exponent = f"{x:.2e}".split("e")
    digits = mantissa.rstrip("0").rstrip(".").replace("-", "−")
    power = _power_of_ten(int(exponent))
    return power if digits == "1" else f"{digits}·{power}"


def _power_of_ten(exponent: int) -> str:
    return f"10{str(exponent).translate(_SUPERSCRIPT)}"


def probability(p: float) -> str:
    """Write a probability; one that is close to 1 is written as 1 minus its distance from 1."""
    if p == 1:
        return "exactly 1"
    if p == 0:
        return "exactly 0"
    return number(p) if p <= 0.9995 else f"1 − {number(_shortest_complement(p))}"


def _shortest_complement(p: float) -> float:
    """Return 1 − p with as few digits as identify p in float64: 1e-15, not 9.99e-16."""
    candidates = (float(f"{1 - p:.{digits}e}") for digits in range(3))
    return next((short for short in candidates if 1 - short == p), 1 - p)


def probability_from_log(log_p: float) -> str:
    """Write a probability given by its logarithm.

    Only a true 0 is "exactly 0", not a probability that float64 would round to 0.
    """
    if math.isfinite(log_p) and log_p < -700:
        return f"about {_power_of_ten(round(log_p / math.log(10)))}"
    return probability(math.exp(log_p)) if log_p == 0 or log_p < -1e-15 else "almost 1"


def enumeration(names: Sequence[str]) -> str:
    """Write the names as a list in a sentence: a, b and c."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
