"""A still figure, and the sentence shown where a value has no picture."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from psipo_explore._tables import printable
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.palette import STYLE

CANNOT_BE_SHOWN = "This cannot be shown: {}."
_NOTE = 0.25  # height in inches of a note under a picture


def cannot_be_shown(error: Exception) -> str:
    """Return the sentence that is shown in place of a picture that cannot be drawn."""
    return printable(CANNOT_BE_SHOWN.format(error))


class StillFigure(Figure):
    """A Matplotlib figure that has a sentence, and that a notebook shows without pyplot."""

    sentence = ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str | bytes]:
        # This is not SVG, because a notebook that is not yet trusted would not show it.
        return {"image/png": self._png(), "text/plain": self.sentence}

    def png_over(self, note: str) -> bytes:
        """Draw the picture with a note under it, as PNG."""
        width, height = self.get_size_inches()
        with mpl.rc_context(STYLE):
            words = self.text(0.02, -_NOTE / 2 / height, note, va="center", fontsize=10)
        try:
            return self._png(bbox_inches=Bbox.from_extents(0, -_NOTE, width, height))
        finally:
            words.remove()

    def _png(self, **looks: Any) -> bytes:
        out = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(out, format="png", dpi=2 * svg.DPI, **looks)
        return out.getvalue()
