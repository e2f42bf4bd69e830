"""What a live panel shows, against what its figure draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Locator, Page, expect

from psipo_explore.views import View
from psipo_explore.views.kit import pages
from psipo_explore.views.kit.foreground import Foreground
from psipo_explore.views.kit.still import CANNOT_BE_SHOWN

PARTS = ".psipo-whole > svg[role=img] > g > g"
PARTS_ARE = """(parts, pictures) => parts.every((part, k) => {
    const probe = part.cloneNode(false);
    probe.innerHTML = pictures[k];
    return probe.innerHTML === part.innerHTML;
})"""


def assert_shows(panel: Page | Locator, view: View, values: Mapping[str, Any]) -> None:
    """Assert that the panel has the figure's sentence, alt text, and all parts of its picture."""
    sentence = panel.locator(".psipo-sentence")
    parts = panel.locator(PARTS)
    try:
        figure, artists = view.drawn(view.values(values))
    except ValueError as impossible:
        expect(sentence).to_have_text(CANNOT_BE_SHOWN.format(impossible))
        assert parts.evaluate_all(PARTS_ARE, [""] * parts.count())
        expect(panel.locator("code")).to_be_empty()
        return
    expect(sentence).to_have_text(figure.sentence)
    expect(panel.get_by_role("img")).to_have_attribute("aria-label", figure.sentence)
    assert parts.evaluate_all(
        PARTS_ARE, pages.pack(Foreground(figure, artists.values()).pieces(), {})
    )
