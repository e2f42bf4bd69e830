"""The verdict on a claim: means with their intervals, as text and as a picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import sem, t

from psipo_explore._checks import Array
from psipo_explore._tables import as_html
from psipo_explore.views.kit import palette, svg
from psipo_explore.views.kit.guess import Guess, Question
from psipo_explore.views.kit.labels import not_mathematics
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.still import StillFigure
from psipo_explore.views.kit.view import Artists, View

_INTERVAL: palette.Look = {"color": palette.IDENTITY, "linewidth": 5, "solid_capstyle": "butt"}
_MEAN: palette.Look = {"color": palette.IDENTITY, "marker": "s", "markersize": 9}
_CLAIM: palette.Look = {"color": "#222222", "linestyle": "--", "linewidth": 1.4}
_NAME: palette.Look = {
    "va": "center",
    "zorder": 3,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2},  # over the line of the claim
}
_WIDE, _NARROW = 9.0, 5.0  # widths in inches
_AROUND = 0.75  # height in inches of what is over and under the rows
_ROW, _ROW_UNDER_NAME = 0.5, 0.75  # heights in inches of a row, beside its name and under it
_OVER = 0.33  # rows by which a guess stands over the interval that it is of


class Interval(NamedTuple):
    """A number, and the ends of the interval that it is known to lie in."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.mean:.3g}".replace("-", "−")
        mean, low, high = map(_written, self)
        return f"{mean}, from {low} to {high}"


def _written(x: float) -> str:
    return f"{x:.2g}".replace("-", "−")


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Estimate a mean from independent draws, with Student's confidence interval.

    The interval is x̄ ± t · s/√n, with the quantile t of n − 1 degrees of freedom.

    Parameters
    ----------
    values : array, shape (n,)
        At least two finite draws.
    confidence : float
        Share of all samples whose interval holds the true mean, between 0 and 1.

    Raises
    ------
    ValueError
        If there are fewer than two values, one is not finite, or confidence is not between 0 and 1.

    Examples
    --------
    >>> print(mean_interval([1.0, 2.0, 3.0]))
    2, from −0.48 to 4.5
    """
    drawn = _draws(values)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence}, must be between 0 and 1")
    mean = float(np.mean(drawn))
    half = float(t.ppf((1 + confidence) / 2, drawn.size - 1) * sem(drawn))
    return Interval(mean, mean - half, mean + half)


def _draws(values: ArrayLike) -> Array:
    drawn = np.asarray(values, dtype=float).ravel()
    if drawn.size < 2:
        raise ValueError(f"values has {drawn.size} entries, must have at least 2")
    if not np.isfinite(drawn).all():
        worst = int(np.flatnonzero(~np.isfinite(drawn))[0])
        raise ValueError(f"values[{worst}] = {drawn[worst]}, must be finite")
    return drawn


@dataclass(frozen=True)
class Verdict:
    """What was measured, beside what was claimed.

    A notebook shows it as a picture, and `print` as lines of text.
    """

    measured: Mapping[str, Interval]
    claim: float | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines)

    @property
    def _lines(self) -> list[str]:
        return [f"{what}: {interval}" for what, interval in self.measured.items()]

    def figure(self) -> StillFigure:
        """Draw each interval in a row, and the claim as a line through all rows."""
        return self._view().figure()

    def ask(
        self,
        asks: str,
        *,
        about: str = "",
        of: str | None = None,
        low: float = 0.0,
        high: float = 1.0,
    ) -> Panel:
        """Ask for one of the means, and show the picture when a number has been guessed.

        The guess is drawn over the interval that it is of. The numbers that are measured do not
        depend on it.

        Parameters
        ----------
        asks : str
            What is guessed, in words that a colon and the answer can follow. A browser keeps the
            guess under these words.
        about : str
            A sentence before them, which says what they are about.
        of : str, optional
            Name of the mean that is asked for; the first one by default.
        low, high : float
            The least and the greatest number that may be guessed. The picture reaches from one to
            the other.

        Returns
        -------
        Panel
            What a notebook shows as a form, and then as the picture.

        Raises
        ------
        ValueError
            If nothing of that name was measured, an end is not finite, or the mean does not lie
            between the ends.

        Examples
        --------
        >>> told = verdict({"gain": [0.1, 0.3, 0.2]}, claim=0)
        >>> told.ask("The mean gain").sentence
        'gain: 0.2, from −0.048 to 0.45'
        """
        names = list(self.measured)
        row = 0 if of is None else _place(of, names)
        mean = self.measured[names[row]].mean
        for name, end in {"low": low, "high": high}.items():
            if not isfinite(end):
                raise ValueError(f"{name} = {end}, must be finite")
        if not low <= mean <= high:
            wrong = f"low = {low}" if mean < low else f"high = {high}"
            raise ValueError(f"{wrong} leaves out {_written(mean)}, the mean of {names[row]!r}")
        question = Question(
            asks,
            truth=lambda: mean,
            values={},
            low=low,
            high=high,
            place=lambda guess: (guess, row - _OVER),
            write=_written,
        )
        view = self._view((low, high), {asks: Guess(about, (question,))})
        return view.panel(guess=asks)

    def _view(
        self, reach: tuple[float, ...] = (), guesses: Mapping[str, Guess] | None = None
    ) -> View:
        """Return the picture as a view without controls, which reaches at least to these numbers."""
        rows = len(self.measured)
        return View(
            name="verdict",
            title="A verdict",
            controls=(),
            build=partial(self._build, reach=reach),
            update=lambda _: "; ".join(self._lines),
            size=(_WIDE, _AROUND + _ROW * rows),
            narrow=(_NARROW, _AROUND + _ROW_UNDER_NAME * rows),
            guesses=guesses or {},
        )

    def _build(self, figure: Figure, reach: tuple[float, ...]) -> Artists:
        width, height = figure.get_size_inches()
        rows, is_narrow = len(self.measured), width == _NARROW
        left, right = (0.05, 0.95) if is_narrow else (0.42, 0.965)
        ax = figure.add_axes(
            (left, 0.42 / height, right - left, (height - _AROUND) / height),
            ylim=(rows - 0.5, -0.5),
        )
        names = [*map(not_mathematics, self.measured)]
        ax.set_yticks(range(rows), names)
        if is_narrow:
            ax.set(yticks=[], ylim=(rows - 0.75, -0.8))
            ax.spines["left"].set_visible(False)
            for row, name in enumerate(names):
                ax.text(0, row - 0.62, name, transform=ax.get_yaxis_transform(), **_NAME)
        for row, (mean, low, high) in enumerate(self.measured.values()):
            ax.plot([low, high], [row, row], **_INTERVAL)
            ax.plot([mean], [row], **_MEAN)
        if self.claim is not None:
            ax.axvline(self.claim, **_CLAIM)
            above = ax.get_xaxis_transform()
            ax.text(self.claim, 1, "claim", transform=above, ha="center", va="bottom")
        ax.update_datalim([(x, 0) for x in reach], updatey=False)
        ax.margins(x=0.05 if reach else 0.12)
        ax.autoscale_view(scaley=False)
        ax.locator_params(axis="x", nbins=5)
        ax.grid(axis="y", visible=False)
        return {}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        figure = self.figure()
        png = b64encode(figure._png()).decode()
        picture = (
            f'<img style="max-width: 100%" width="{figure.get_figwidth() * svg.DPI:.0f}" '
            f'alt="{as_html(figure.sentence)}" src="data:image/png;base64,{png}">'
        )
        lines = "<br>".join(map(as_html, self._lines))
        return {"text/html": f"{picture}<br>{lines}", "text/plain": str(self)}


def _place(name: str, names: list[str]) -> int:
    if name not in names:
        raise ValueError(f"of = {name!r}, must be one of {', '.join(map(repr, names))}")
    return names.index(name)


def verdict(
    measured: Mapping[str, ArrayLike | Interval],
    *,
    claim: float | None = None,
) -> Verdict:
    """Say how large something is, with its 95 % interval, beside a claim.

    Parameters
    ----------
    measured : mapping from str
        Under each name, either independent draws whose mean is asked for (at least two, finite), or
        an `Interval`.
    claim : float, optional
        A number that the claim names, drawn as a dashed line.

    Raises
    ------
    ValueError
        If nothing was measured, or draws are too few or not finite.

    Examples
    --------
    >>> print(verdict({"gain": [0.1, 0.3, 0.2]}, claim=0))
    gain: 0.2, from −0.048 to 0.45
    """
    if not measured:
        raise ValueError("measured is empty, must name at least one quantity")
    return Verdict(
        {
            what: values if isinstance(values, Interval) else mean_interval(values)
            for what, values in measured.items()
        },
        claim,
    )
