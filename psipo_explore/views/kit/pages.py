"""Each view as one HTML file whose sliders work without Python, server or network.

Frames are drawn ahead on a grid of slider stops, by the same `build` and `update` as in the live
panel. To keep the file small, the still layer is stored once, each moving artist once for every
look that it takes, and each glyph or marker once for the whole page.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from math import prod
from typing import Any

import numpy as np

from psipo_explore._bars import with_passing_bar
from psipo_explore._checks import as_count
from psipo_explore._tables import as_html
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.controls import (
    Choice,
    Control,
    Grid,
    Slider,
    Typed,
    combinations,
)
from psipo_explore.views.kit.dark import IMAGE_FILTER, dark_palette
from psipo_explore.views.kit.foreground import Foreground
from psipo_explore.views.kit.guess import places, wire
from psipo_explore.views.kit.parting import parts
from psipo_explore.views.kit.still import cannot_be_shown
from psipo_explore.views.kit.svg import Piece
from psipo_explore.views.kit.view import Values, View
from psipo_explore.views.kit.words import typeset

USUAL_FRAMES = 2000  # takes about a minute to draw
MOST_FRAMES = 20_000
MOST_BYTES = 5_000_000  # small enough to be sent by mail
FEWEST_STOPS = 3  # for both ends and the start

_OWN = "psipo-own"  # what `live.js` replaces by a name that no other panel of the page has
_MORE_DIGITS = re.compile(r"(\.\d\d\d)\d+")  # no eye can see less than 0.001 points
_LINE_BREAK = re.compile(r"\n *")


def page(view: View, stops: int | None = None, *, progress: bool = False) -> str:
    """Make the page of a view, as HTML.

    Parameters
    ----------
    view : View
        View to draw. A formula cannot be typed without Python, so a control for formulas stays at
        its start.
    stops : int, optional
        Most stops that a slider keeps, including both ends and the start. The default is the
        largest number that gives at most 2000 frames.
    progress : bool
        Whether to show a progress bar that counts frames.

    Returns
    -------
    str
        HTML of the page.

    Raises
    ------
    ValueError
        If stops is less than 3, or the page would have more than 20 000 frames or more than 5 MB.
        If the page is too large, the message gives a number of stops that should do.
    TypeError
        If stops is not a whole number.

    Examples
    --------
    >>> from psipo_explore.views import VIEWS
    >>> page(VIEWS["collapse"], stops=3)[:15]
    '<!doctype html>'
    """
    stops = _most_stops(view, USUAL_FRAMES) if stops is None else stops
    frames = packed_frames(view, stops, progress=progress)
    picture, sentence = still_picture(view, {})
    html = _filled(
        _kit("page.html"),
        title=as_html(view.title),
        heading=typeset(view.title),
        about=typeset(view.about),
        view=view.name,
        still=picture + sentence,
        css=live("live.css"),
        js=live("live.js"),
        guess=f' data-guess="{view.first_guess}"' if view.first_guess else "",
        frames=frames,
    )
    if len(html) > MOST_BYTES:
        better = _most_stops(
            view, int(_n_frames(_grid(view, stops)) * MOST_BYTES / len(html) * 0.9)
        )
        raise ValueError(
            f"stops = {stops}: {view.name} would have {len(html) / 1e6:.1f} MB, a page holds "
            f"{MOST_BYTES / 1e6:.0f} MB; "
            f"must be at most {better}"
        )
    return html


def index(views: Iterable[View]) -> str:
    """Make the page that lists the pages of views, as HTML.

    Examples
    --------
    >>> from psipo_explore.views import VIEWS
    >>> '<a href="collapse.html">' in index([VIEWS["collapse"]])
    True
    """
    entries = "".join(
        f'<li><a href="{view.name}.html">{typeset(view.title)}</a><br>{typeset(view.about)}</li>\n'
        for view in views
    )
    return _filled(_kit("index.html"), entries=entries)


def packed_frames(
    view: View,
    stops: int | None = None,
    starts: Iterable[Values] = (),
    *,
    progress: bool = False,
) -> str:
    """Draw the frames of a view, and return them packed for `live.js`, as base64 of gzip.

    Parameters
    ----------
    view, stops, progress
        As in `page`.
    starts : iterable of mappings
        Values at which panels begin. They are stops too.

    Returns
    -------
    str
        What `psipoFrames` in `live.js` takes.

    Raises
    ------
    ValueError
        If stops is less than 3, or there would be more than 20 000 frames.

    Examples
    --------
    >>> from psipo_explore.views import VIEWS
    >>> gzip.decompress(base64.b64decode(packed_frames(VIEWS["collapse"], 3)))[:18]
    b'{"view":"collapse"'
    """
    stops = _most_stops(view, USUAL_FRAMES) if stops is None else stops
    grid = _grid(view, stops, starts)
    frames = _n_frames(grid)
    if frames > MOST_FRAMES:
        better = _most_stops(view, MOST_FRAMES)
        raise ValueError(
            f"stops = {stops}: {view.name} would have {frames} frames, a page holds {MOST_FRAMES}; "
            f"must be at most {better}"
        )
    view.compute_ahead(with_passing_bar if progress else _without_bar, grid)
    packed = json.dumps(
        _frames(view, grid, progress),
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return base64.b64encode(gzip.compress(packed.encode(), mtime=0)).decode()


def still_picture(view: View, values: Values) -> tuple[str, str]:
    """Return the picture at the given values, and its sentence, both as HTML."""
    figure, artists = view.drawn(view.values(values))
    moving = artists.values()
    layers = svg.background(figure, moving) + Foreground(figure, moving).element(figure.sentence)
    sentence = f'<p class="psipo-sentence">{typeset(figure.sentence)}</p>'
    return f'<div class="psipo-whole">{layers}</div>', sentence


def live(name: str) -> str:
    """Return the script or the style sheet of panels on pages, `live.js` or `live.css`."""
    return _kit(f"guess.{name.partition('.')[2]}") + _kit(name)


def _grid(view: View, most_stops: int, starts: Iterable[Values] = ()) -> Grid:
    if as_count("stops", most_stops) < FEWEST_STOPS:
        raise ValueError(
            f"stops = {most_stops}, must be at least {FEWEST_STOPS}: both ends of a slider and its start"
        )
    starts = list(starts)
    return {
        control: _stops(
            control,
            most_stops,
            {start[control.name] for start in starts},
            {question.values.get(control.name, control.start) for question in view.questions},
        )
        for control in view.controls
        if not isinstance(control, Typed)
    }


def _stops(
    control: Control, most: int, starts: Iterable[Any], asked: Iterable[Any] = ()
) -> tuple[Any, ...]:
    """Select at most so many stops of a control, and the given starts.

    They are spread evenly over its stops, and include both ends and its own start. They also include
    the stops that lessons name, and those at which a guess is answered, even if these are more. All
    names of a choice are kept.
    """
    if isinstance(control, Choice):
        return control.stops
    every = sorted({*control.stops, control.start})
    if len(every) <= most:
        return tuple(sorted({*every, *starts}))
    kept = {*np.linspace(0, len(every) - 1, most).round().astype(int).tolist()}
    named = control.named if isinstance(control, Slider) else ()
    wanted = (control.start, *named, *asked)
    needed = {0, len(every) - 1, *map(every.index, wanted)}
    for place in sorted(needed - kept):
        if free := kept - needed:
            kept.remove(min(free, key=lambda other: abs(other - place)))
        kept.add(place)
    return tuple(sorted({*(every[k] for k in kept), *starts}))


def _n_frames(grid: Grid) -> int:
    return prod(map(len, grid.values()))


def _most_stops(view: View, frames: int) -> int:
    """Return the largest number of stops that gives at most so many frames, but at least 3."""
    most = max((len(slider.stops) for slider in view.sliders), default=FEWEST_STOPS)
    return next(
        (n for n in range(most, FEWEST_STOPS, -1) if _n_frames(_grid(view, n)) <= frames),
        FEWEST_STOPS,
    )


def _frames(view: View, grid: Grid, progress: bool) -> dict[str, Any]:
    """Draw the view for wide windows, and again for phones if it has a form of its own for them."""
    forms = [view] if view.narrow is None else [view, view.on_phone]
    with _with_bar(_n_frames(grid) * len(forms), view.name, progress) as bar:
        wide, *narrow = [_form(form, grid, bar) for form in forms]
    return {
        "view": view.name,
        "controls": [_control(view, control, stops) for control, stops in grid.items()],
        "guesses": {name: wire(guess, view.values({})) for name, guess in view.guesses.items()},
        "dark": {"partners": dark_palette(), "filter": IMAGE_FILTER},
        "wide": wide,
        "narrow": narrow[0] if narrow else None,
    }


def _form(view: View, grid: Grid, bar: Any) -> dict[str, Any]:
    definitions: dict[str, str] = {}
    drawings = [
        _drawing(view, grid, built_for, definitions, bar)
        for built_for in combinations(_rebuilding(view, grid))
    ]
    return {
        "definitions": "".join(definitions.values()),
        "overlay": svg.overlay(view.figure(), "", ""),
        "drawings": drawings,
    }


def _kit(name: str) -> str:
    return (files("psipo_explore.views.kit") / name).read_text(encoding="utf-8")


def _filled(template: str, **parts: str) -> str:
    """Return the template, in which each mark <!--name--> is a part."""
    return re.sub(r"<!--(\w+)-->", lambda mark: parts[mark[1]], template)


def _drawing(
    view: View, grid: Grid, built_for: Values, definitions: dict[str, str], bar: Any
) -> dict[str, Any]:
    """Draw all frames over one still layer, that of the given values of the rebuilding controls."""
    figure, artists = view.built({**view.values({}), **built_for})
    background = svg.background(figure, artists.values())
    foreground = Foreground(figure, artists.values())
    looks: list[dict[str, int]] = [{"": 0} for _ in artists]
    shown: list[list[int]] = [[] for _ in artists]
    sentences, possible = [], []
    guessed: dict[str, dict[str, Any]] = {name: {} for name in view.guesses}
    for moved in combinations(
        {control: stops for control, stops in grid.items() if control.name not in view.rebuild_on}
    ):
        try:
            view.move(figure, artists, {**view.values({}), **built_for, **moved})
        except ValueError as error:
            possible.append(0)
            sentences.append(cannot_be_shown(error))
            pictures = [""] * len(artists)
        else:
            possible.append(1)
            sentences.append(figure.sentence)
            pictures = pack(foreground.pieces(), definitions)
            for name, guess in view.guesses.items():
                values = {**view.values({}), **built_for, **moved}
                guessed[name] |= places(guess, view.values({}), values, figure)
        for picture, look, which in zip(pictures, looks, shown, strict=True):
            which.append(look.setdefault(picture, len(look)))
        bar.update()
    return {
        "background": background,
        "parts": _parts(view, built_for, definitions),
        "looks": [list(look) for look in looks],
        "shown": shown,
        "sentences": sentences,
        "possible": possible,
        "guessed": guessed,
    }


def _parts(view: View, built_for: Values, definitions: dict[str, str]) -> str:
    """Return the parts of a drawing, whose layers `live.js` names."""
    layers = [f"{_OWN}-{layer}" for layer in ("still", "moving", "guess")]
    return "".join(
        part.element(layers, pack(part.pieces, definitions)) for part in parts(view, built_for)
    )


def pack(pieces: Iterable[Piece], definitions: dict[str, str]) -> list[str]:
    """Return the pictures with fewer digits, and add what they refer to to `definitions`."""
    pictures = []
    for piece in pieces:
        definitions |= piece.definitions
        pictures.append(_rounded(piece.picture))
    return pictures


@lru_cache(maxsize=2000)
def _rounded(picture: str) -> str:
    return _MORE_DIGITS.sub(r"\1", _LINE_BREAK.sub("", picture))


def _rebuilding(view: View, grid: Grid) -> Grid:
    return {control: stops for control, stops in grid.items() if control.name in view.rebuild_on}


def _control(view: View, control: Control, stops: Iterable[Any]) -> dict[str, Any]:
    stops = list(stops)
    return {
        "name": control.name,
        "label": control.label,
        "chosen": isinstance(control, Choice),
        "rebuilds": control.name in view.rebuild_on,
        "plays": isinstance(control, Slider) and control.plays,
        "written": [control.write(stop) if isinstance(control, Slider) else stop for stop in stops],
        "python": [repr(stop) for stop in stops],
        "start": stops.index(control.start),
    }


def _with_bar(frames: int, name: str, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=frames, desc=name, unit="frame", disable=not progress)


def _without_bar(pieces: Sequence[Values], _: str) -> Sequence[Values]:
    return pieces
