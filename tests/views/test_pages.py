import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grids import at_start_and_end

from psipo_explore import cli
from psipo_explore.views import VIEWS, Choice, Slider, View
from psipo_explore.views.kit import pages
from psipo_explore.views.kit.foreground import Foreground
from psipo_explore.views.kit.words import typeset

SMALL = 3


def contents(html: str) -> dict[str, Any]:
    """Return the contents that the script of the page unpacks."""
    packed = re.search(r'psipoFrames\("\w+", "(.*?)"\)', html)
    assert packed
    unpacked = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return {**unpacked, **unpacked["wide"]}


def test_frames_are_what_the_view_draws() -> None:
    view = replace(VIEWS["collapse"], guesses={})  # so that a slider keeps only three stops
    unpacked = contents(pages.page(view, SMALL))
    (drawing,) = unpacked["drawings"]
    assert [len(control["written"]) for control in unpacked["controls"]] == [SMALL] * 3
    assert len(drawing["sentences"]) == SMALL**3
    figure, artists = view.drawn(view.values({"beta": 100.0, "p": 0.5, "pi_ref_loser": 0.99}))
    frame = 2 * SMALL + 2
    assert drawing["sentences"][frame] == figure.sentence
    glyphs: dict[str, str] = {}
    looks = pages.pack(Foreground(figure, artists.values()).pieces(), glyphs)
    assert [
        look[which[frame]] for look, which in zip(drawing["looks"], drawing["shown"], strict=True)
    ] == looks
    assert glyphs.keys() <= set(re.findall(r'id="([^"]+)"', unpacked["definitions"]))


def test_a_page_is_the_same_each_time_and_asks_for_nothing() -> None:
    html = pages.page(VIEWS["psi_curve"], SMALL)
    assert html == pages.page(VIEWS["psi_curve"], SMALL)
    unpacked = contents(html)
    for text in (
        html,
        unpacked["overlay"],
        *(drawing["background"] for drawing in unpacked["drawings"]),
    ):
        assert not re.search(
            r"(?:src|href)\s*=\s*[\"'](?!#)|url\((?!#)|@import|fetch\(|import\(", text
        )


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("most", [3, 7, 100])
def test_a_coarser_grid_keeps_ends_and_start(view: View, most: int) -> None:
    for control, stops in pages._grid(view, most).items():
        if isinstance(control, Choice):
            assert stops == control.stops
            continue
        every = sorted({*control.stops, control.start})
        assert stops[0] == every[0]
        assert stops[-1] == every[-1]
        assert control.start in stops
        asked = {question.values.get(control.name, control.start) for question in view.questions}
        assert isinstance(control, Slider)
        needed = {every[0], every[-1], control.start, *control.named, *asked}
        assert needed <= set(stops)
        assert len(stops) == len(set(stops)) == min(max(most, len(needed)), len(every))
        assert list(stops) == sorted(set(stops) & set(every))


def test_a_start_between_two_stops_is_kept() -> None:
    slider = Slider("x", "x", tuple(float(x) for x in range(30)), 17.5)
    assert 17.5 in pages._stops(slider, 4, ())
    assert len(pages._stops(slider, 4, ())) == 4


def test_where_lessons_begin_are_stops_too() -> None:
    view = VIEWS["collapse"]
    starts = [view.values({"p": 1 - 1e-15, "beta": 0.123}), view.values({"beta": 7.7})]
    by_name = {control.name: stops for control, stops in pages._grid(view, 3, starts).items()}
    assert {1 - 1e-15, 0.5, 1.0} < set(by_name["p"])
    assert {0.123, 7.7, view.values({})["beta"]} < set(by_name["beta"])
    assert all(list(stops) == sorted(stops) for stops in by_name.values())


def test_more_frames_than_a_page_holds_are_refused_with_what_would_do() -> None:
    with pytest.raises(
        ValueError,
        match=r"^stops = 41: explorer would have 161376 frames, a page holds 20000; must be at most",
    ) as e:
        pages.page(VIEWS["explorer"], 41)
    better = int(str(e.value).split()[-1])
    assert pages._n_frames(pages._grid(VIEWS["explorer"], better)) <= pages.MOST_FRAMES
    assert pages._n_frames(pages._grid(VIEWS["explorer"], better + 1)) > pages.MOST_FRAMES
    with pytest.raises(ValueError, match=r"^stops = 2, must be at least 3"):
        pages.page(VIEWS["explorer"], 2)
    with pytest.raises(TypeError, match=r"^stops = 3.5, must be a whole number"):
        pages.page(VIEWS["explorer"], 3.5)  # type: ignore[arg-type]


def test_more_bytes_than_a_page_holds_are_refused_with_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 80_000)
    assert cli.main(["pages", "collapse", "--out", str(tmp_path / "new"), "--stops", "5"]) == 2
    assert re.match(
        r"psipo: stops = 5: collapse would have 0\.\d MB, a page holds 0 MB; must be at most [34]$",
        capsys.readouterr().err,
    )
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_shown_says_why_in_its_frame() -> None:
    view = VIEWS["regularisation"]
    few = at_start_and_end(view)
    (drawing,) = contents(pages.page(few, SMALL))["drawings"]
    last = drawing["sentences"][-1]
    with pytest.raises(ValueError) as impossible:
        view.drawn({control.name: control.stops[-1] for control in view.controls})
    assert last == f"This cannot be shown: {impossible.value}."
    assert {
        look[which[-1]] for look, which in zip(drawing["looks"], drawing["shown"], strict=True)
    } == {""}


def test_pages_are_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "for the web"
    assert cli.main(["pages", "psi_curve", "--out", str(out), "--stops", "3"]) == 0
    assert capsys.readouterr() == (f"{out / 'psi_curve.html'}\n", "")
    assert (out / "psi_curve.html").read_text(encoding="utf-8") == pages.page(
        VIEWS["psi_curve"], SMALL
    )
    assert cli.main(["pages", "psi_kurve"]) == 2
    assert "no view is named psi_kurve; the views are" in capsys.readouterr().err


@pytest.mark.slow
def test_several_pages_are_drawn_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["collapse", "psi_curve"]
    assert cli.main(["pages", *names, "--out", str(tmp_path), "--stops", "3"]) == 0
    assert {*capsys.readouterr().out.split()} == {
        str(tmp_path / f"{name}.html") for name in (*names, "index")
    }
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in names:
        assert f'<a href="{name}.html">{typeset(VIEWS[name].title)}</a>' in index
        assert typeset(VIEWS[name].about) in index
    for name in names:
        assert (tmp_path / f"{name}.html").read_text(encoding="utf-8") == pages.page(
            VIEWS[name], SMALL
        )
    assert cli.main(["pages", *names, "--out", str(tmp_path / "none"), "--stops", "2"]) == 2
    assert "psipo: stops = 2, must be at least 3" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
