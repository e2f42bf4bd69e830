"""Results are shown as valid HTML, whatever characters the labels have."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from labels import NASTY

from psipo_explore import IPO, Comparisons, diagnose, minimise, train
from psipo_explore._tables import as_html, html_table, printable

DATA = Comparisons.from_pairs(list(pairwise(NASTY[:21])))


@pytest.mark.parametrize(
    "result",
    [DATA, minimise(DATA, IPO, 1.0), train(DATA, IPO, 1.0, steps=2, seeds=2), diagnose(DATA)],
    ids=type,
)
def test_a_table_is_well_formed_and_can_be_sent(result: Any) -> None:
    for html in (result._repr_html_(), f"<p>{as_html(repr(result))}</p>"):
        ElementTree.fromstring(f"<div>{html}</div>")
    repr(result).encode()


def test_a_run_of_many_data_sets_is_shown_in_words() -> None:
    run = train([DATA, DATA], [IPO], [1.0], steps=2, seeds=2)
    ElementTree.fromstring(run._repr_html_())


def test_what_is_no_text_is_replaced_and_all_else_kept() -> None:
    assert printable("a\x00\x1b[0m\x85\ud800\ufffe\u202eb") == "a��[0m����b"
    kept = "tab\tline\n猫 🐈 e\u0301 שלום \u2068x\u2069 \ufffd"
    assert printable(kept) == kept
    assert html_table(["<h>\x00"], [["\x1b", "&"]], caption="\ud800") == (
        '<table><caption>�</caption><thead><tr><th scope="col">&lt;h&gt;�</th></tr></thead>'
        '<tbody><tr><th scope="row">�</th><td>&amp;</td></tr></tbody></table>'
    )
