"""A figure that stands still, and the sentence under a picture that some values do not have."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib.figure import Figure

from psipo_explore._tables import printable
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.palette import STYLE

CANNOT_BE_SHOWN = "This cannot be shown: {}."


def cannot_be_shown(error: Exception) -> str:
    """The sentence under a picture that some values do not have."""
    return printable(CANNOT_BE_SHOWN.format(error))


class StillFigure(Figure):
    """A Matplotlib figure that knows what it shows, and shows itself in a notebook without pyplot."""

    sentence = ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str | bytes]:
        # a notebook not yet trusted shows no SVG
        return {"image/png": self._png(), "text/plain": self.sentence}

    def _png(self) -> bytes:
        out = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(out, format="png", dpi=2 * svg.DPI)
        return out.getvalue()
