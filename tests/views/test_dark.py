"""On a dark page, every colour of every picture has a partner that is read as well."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from colours import contrast
from grids import DRAWINGS, places
from matplotlib.colors import to_hex, to_rgb

from psipo_explore import D1, diagnose
from psipo_explore.views import View, diagnosis, explorer
from psipo_explore.views.kit import dark, palette, svg
from psipo_explore.views.kit.dark import BACKGROUND, IMAGE_FILTER, dark_palette, darkened

FIGURES = sorted((Path(__file__).parents[2] / "figures").glob("*.svg"))
PAGES = (BACKGROUND, "#1a1c1e")
PARTNERS = dark_palette()
REGIONS = {"#dddddd", "#e0e0e0", "#eeeeee", "#f0f0f0", palette.IDENTITY_PALE}
THICK = {"#999999", "#b5b5b5", "#bbbbbb"}  # lines of 7 points, arrows and bars
HATCH = {"#c4c4c4"}
INK = PARTNERS.keys() - REGIONS - THICK - HATCH - {"#ffffff"}

every_figure = pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)


def paints(text: str) -> set[str]:
    """Return all that an SVG fills or strokes with, as it is written there."""
    return set(re.findall(r"\b(?:fill|stroke|color|stop-color)(?::\s*|=[\"'])([^;\"']+)", text))


def without_partner(text: str) -> set[str]:
    return {
        paint
        for paint in paints(text)
        if paint not in PARTNERS and paint != "none" and not paint.startswith("url(#")
    }


@every_figure
def test_every_colour_of_a_figure_has_a_partner(path: Path) -> None:
    assert without_partner(path.read_text(encoding="utf-8")) == set()


def test_every_colour_of_a_diagnosis_has_a_partner() -> None:
    assert without_partner(svg.document(diagnosis.figure(diagnose(D1)))) == set()


@pytest.mark.slow
@pytest.mark.parametrize("view", DRAWINGS.values(), ids=DRAWINGS)
def test_every_colour_at_the_ends_of_the_controls_has_a_partner(view: View) -> None:
    for text in drawings(view):
        assert without_partner(text) == set()


def drawings(view: View) -> Iterator[str]:
    for values in places(view):
        try:
            figure, _ = view.drawn(values)
        except ValueError:  # such values have no picture
            continue
        yield svg.document(figure)


def test_no_partner_is_left_over() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FIGURES]
    texts.append(svg.document(DRAWINGS["leashes"].figure(which="all six")))  # its figure has three
    assert set().union(*map(paints, texts)) >= PARTNERS.keys()


def test_other_spellings_of_a_colour_are_noticed() -> None:
    assert without_partner('<path style="fill: white; stroke: #FFF"/>') == {"white", "#FFF"}
    assert without_partner('<rect fill="#123456"/>') == {"#123456"}


@every_figure
def test_nothing_of_a_dark_figure_has_a_colour_of_the_white_page(path: Path) -> None:
    text = darkened(path.read_text(encoding="utf-8"))
    assert paints(text) <= {*PARTNERS.values(), "none", *re.findall(r"url\(#\w+\)", text)}
    assert "#ffffff" not in text
    assert text.count("<svg") == text.count(f'<svg fill="{PARTNERS["#000000"]}"') == 1
    assert text.count("<image") == text.count(f'{IMAGE_FILTER}<image filter="url(#on-dark)"')


def test_only_colours_change() -> None:
    text = (
        '<svg aria-label="#ffffff"><use xlink:href="#d55e00"/>'
        '<path style="fill: #0072b2; opacity: 0.25; stroke: #123456"/></svg>'
    )
    assert darkened(text) == (
        f'<svg fill="{PARTNERS["#000000"]}" aria-label="#ffffff"><use xlink:href="#d55e00"/>'
        f'<path style="fill: {PARTNERS["#0072b2"]}; opacity: 0.25; stroke: #123456"/></svg>'
    )


def test_partners_are_hex_and_no_two_colours_share_one() -> None:
    for colour in (*PARTNERS, *PARTNERS.values()):
        assert re.fullmatch("#[0-9a-f]{6}", colour)
    assert len(set(PARTNERS.values())) == len(PARTNERS)


def test_colours_may_be_replaced_one_after_the_other() -> None:
    assert PARTNERS.keys().isdisjoint(PARTNERS.values())


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", sorted(INK))
def test_text_and_thin_lines_stand_out(colour: str, page: str) -> None:
    assert contrast(PARTNERS[colour], page) >= 4.5


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", sorted(THICK))
def test_thick_lines_and_marks_stand_out(colour: str, page: str) -> None:
    assert contrast(PARTNERS[colour], page) >= 3


@pytest.mark.parametrize("colour", sorted(REGIONS | HATCH))
def test_regions_differ_from_the_page_and_labels_on_them_are_read(colour: str) -> None:
    region = PARTNERS[colour]
    assert contrast(region, BACKGROUND) >= contrast(colour, "#ffffff") - 0.01
    assert contrast(region, PAGES[1]) >= 1.1
    assert contrast(region, PARTNERS["#000000"]) >= 4.5


@pytest.mark.parametrize("ink", [palette.LOGIT, palette.IDENTITY])
def test_the_lines_of_both_psi_stand_out_from_the_region_of_one(ink: str) -> None:
    assert contrast(PARTNERS[ink.lower()], PARTNERS[palette.IDENTITY_PALE.lower()]) >= 3


def test_the_filter_leaves_white_as_dark_as_the_page() -> None:
    assert 1 <= contrast(to_hex(filtered((1.0, 1.0, 1.0))), BACKGROUND) < 1.02


def test_greys_keep_their_order() -> None:
    greys = [*sorted(dark._GREYS), "#ffffff"]
    lightness = [int(PARTNERS[grey][1:3], 16) for grey in greys]
    assert lightness == sorted(lightness, reverse=True)


@pytest.mark.parametrize("name", explorer._EXAMPLES)
def test_numbers_in_a_heat_map_are_read_on_both_pages(name: str) -> None:
    table = explorer.figure(preferences=name).axes[1]
    (heat_map,) = table.images
    p = heat_map.get_array()
    assert p is not None
    for text in table.texts:
        column, row = map(int, text.get_position())
        cell, ink = to_rgb(heat_map.to_rgba(p)[row, column, :3]), to_hex(text.get_color())
        assert contrast(to_hex(cell), ink) >= 4.5
        assert contrast(to_hex(filtered(cell)), PARTNERS[ink]) >= 4.5


def filtered(rgb: tuple[float, ...]) -> list[float]:
    """Return a colour as the filter of bitmaps shows it."""
    values = re.search('feColorMatrix values="([^"]+)"', IMAGE_FILTER)
    assert values
    matrix = np.array(values[1].split(), float).reshape(4, 5)[:3]
    amplitude, exponent, offset = (
        np.array(re.findall(f'{name}="([^"]+)"', IMAGE_FILTER), float)
        for name in ("amplitude", "exponent", "offset")
    )
    mirrored = np.clip(matrix[:, :3] @ rgb + matrix[:, 4], 0, 1)
    return np.clip(amplitude * mirrored**exponent + offset, 0, 1).tolist()  # type: ignore[no-any-return]
