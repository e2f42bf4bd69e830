"""What a kernel shows in the place of panels while the site is built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from psipo_explore import exercises
from psipo_explore._tables import as_html
from psipo_explore.views import VIEWS
from psipo_explore.views.kit import view as with_panels
from psipo_explore.views.kit.pages import packed_frames, still_picture
from psipo_explore.views.kit.view import Values, View


def element(
    view: View, values: Mapping[str, Any], guess: str | None = None, attributes: str = ""
) -> str:
    """Return the element that `live.js` makes live, with a still picture for browsers without it.

    The frames of a view that is not in `VIEWS` are in the element itself.
    """
    begins = as_html(json.dumps(dict(values), ensure_ascii=False))
    picture, sentence = still_picture(view, values)
    asks = f' data-guess="{as_html(guess)}"' if guess else ""
    if view.name in VIEWS:
        drawn = f'data-view="{view.name}" data-values="{begins}"'
    else:
        drawn = f'data-frames="{packed_frames(view)}" data-values="{begins}"'
    return f"<psipo-panel {drawn}{asks}{attributes}>{picture}{sentence}</psipo-panel>"


_TYPED_ELSEWHERE = "In the notebook, you type your answer in the place of the dots: {takes}."


class StaticPanel:
    """Stands for a panel on a page: its picture at the start, which the page makes live."""

    def __init__(self, view: View, start: Values, guess: str | None = None) -> None:
        self._view = view
        self._guess = guess
        self._start = start

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        figure = self._view.figure(**self._start)
        return {
            "text/html": element(self._view, self._start, self._guess),
            "text/plain": figure.sentence,
        }


def show_static_panels() -> None:
    """Let this process show what makes sense on a page where nothing can be run.

    Panels are static. There are no progress bars, which would stay on the page. Cells that take
    the answer of an exercise say that they take it in the notebook.
    """
    import tqdm.auto

    vars(exercises).update(_OPEN=_TYPED_ELSEWHERE)
    vars(with_panels).update(Panel=StaticPanel)
    tqdm.auto.tqdm = partial(tqdm.auto.tqdm, disable=True)
