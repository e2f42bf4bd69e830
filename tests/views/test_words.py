import math

import pytest

from psipo_explore.views.kit.words import (
    enumeration,
    number,
    probability,
    probability_from_log,
    typeset,
)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.12345, "0.123"),
        (-2.5, "−2.5"),
        (999.7, "1000"),
        (1234.5, "1234"),
        (0.000209, "2.09·10⁻⁴"),
        (1e-12, "10⁻¹²"),
        (3e7, "3·10⁷"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_number(x: float, words: str) -> None:
    assert number(x) == words


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.9, "0.9"),
        (1.0, "exactly 1"),
        (0.0, "exactly 0"),
        (1 - 1e-9, "1 − 10⁻⁹"),
        (1 - 1e-15, "1 − 10⁻¹⁵"),
        (1 - 3.2e-7, "1 − 3.2·10⁻⁷"),
        (0.999, "0.999"),
        (0.957, "0.957"),
    ],
)
def test_probability(p: float, words: str) -> None:
    assert probability(p) == words


@pytest.mark.parametrize(
    ("log_p", "words"),
    [
        (-math.inf, "exactly 0"),
        (-3453.9, "about 10⁻¹⁵⁰⁰"),
        (math.log(0.25), "0.25"),
        (0.0, "exactly 1"),
    ],
)
def test_probability_from_log(log_p: float, words: str) -> None:
    assert probability_from_log(log_p) == words


@pytest.mark.parametrize(("names", "words"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_enumeration(names: str, words: str) -> None:
    assert enumeration(list(names)) == words


def test_indices_of_symbols_stand_low_and_keep_their_text() -> None:
    html = typeset("π_ref(y_l) < π*(y_w), key_l")
    low = '<span class="psipo-index"><span>_</span>{}</span>'
    assert html == (f"π{low.format('ref')}(y{low.format('l')}) &lt; π*(y{low.format('w')}), key_l")
