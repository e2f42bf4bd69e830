"""A still figure, and the sentence shown where a value has no picture."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib.figure import Figure

from psipo_explore._tables import printable
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.palette import STYLE

CANNOT_BE_SHOWN = "This cannot be shown: {}."


def cannot_be_shown(error: Exception) -> str:
    """Return the sentence that is shown in place of a picture that cannot be drawn."""
    return printable(CANNOT_BE_SHOWN.format(error))


class StillFigure(Figure):
    """A Matplotlib figure that has a sentence, and that a notebook shows without pyplot."""

    sentence = ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str | bytes]:
        # This is not SVG, because a notebook that is not yet trusted would not show it.
        return {"image/png": self._png(), "text/plain": self.sentence}

    def _png(self) -> bytes:
        out = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(out, format="png", dpi=2 * svg.DPI)
        return out.getvalue()
