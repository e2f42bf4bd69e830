"""A part of a picture, which a narrow screen shows apart from the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psipo_explore.views.kit.rectangle import Rectangle
from psipo_explore.views.kit.svg import Piece

_LARGEST = 1.3  # pixels of a phone for a point of the picture


class Window(NamedTuple):
    """What a part shows of the drawing, and where in the part it begins."""

    shows: Rectangle
    x: float
    y: float


class Part(NamedTuple):
    """A part of a picture: windows on the drawing, and labels that the drawing does not have."""

    width: float
    height: float
    windows: tuple[Window, ...]
    labels: tuple[tuple[Piece, float, float], ...]  # each with the way that it is moved

    @property
    def pieces(self) -> list[Piece]:
        """The labels, each as it was drawn, before it is moved."""
        return [piece for piece, *_ in self.labels]

    def element(self, layers: Iterable[str], pictures: Sequence[str]) -> str:
        """Return the part as an SVG element.

        Parameters
        ----------
        layers : iterable of str
            Names of the groups that hold the layers of the drawing, elsewhere on the page.
        pictures : sequence of str
            Pictures of the labels, whose definitions also have to be on the page.
        """
        uses = "".join(f'<use href="#{layer}"/>' for layer in layers)
        windows = "".join(
            f'<svg x="{x:.6g}" y="{y:.6g}" width="{shows.width:.6g}" height="{shows.height:.6g}"'
            f' viewBox="{" ".join(f"{length:.6g}" for length in shows)}">{uses}</svg>'
            for shows, x, y in self.windows
        )
        labels = "".join(
            f'<g transform="translate({right:.6g} {down:.6g})">{picture}</g>'
            for picture, (_, right, down) in zip(pictures, self.labels, strict=True)
        )
        return (
            f'<svg viewBox="0 0 {self.width:.6g} {self.height:.6g}"'
            f' style="max-width:{_LARGEST * self.width:.0f}px">{windows}{labels}</svg>'
        )
