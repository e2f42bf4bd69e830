"""The verdict on a claim: means with their intervals, as text and as a picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import sem, t

from psipo_explore._checks import Array
from psipo_explore._tables import as_html
from psipo_explore.views.kit import palette, svg
from psipo_explore.views.kit.labels import not_mathematics
from psipo_explore.views.kit.still import StillFigure

_INTERVAL: palette.Look = {"color": palette.IDENTITY, "linewidth": 5, "solid_capstyle": "butt"}
_MEAN: palette.Look = {"color": palette.IDENTITY, "marker": "s", "markersize": 9}
_GUESS: palette.Look = {
    "color": "#000000",
    "marker": "D",
    "markersize": 8,
    "markerfacecolor": "white",
    "linestyle": "none",
}
_CLAIM: palette.Look = {"color": "#222222", "linestyle": "--", "linewidth": 1.4}


class Interval(NamedTuple):
    """A number, and the ends of the interval that it is known to lie in."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2g}, from {self.low:.2g} to {self.high:.2g}"


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
    2, from -0.48 to 4.5
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
    """What was measured, beside what was claimed and what was guessed.

    A notebook shows it as a picture, and `print` as lines of text.
    """

    measured: Mapping[str, Interval]
    claim: float | None = None
    guess: float | None = None

    def __str__(self) -> str:
        return "\n".join(f"{what}: {interval}" for what, interval in self.measured.items())

    def figure(self) -> StillFigure:
        """Draw each interval in a row under your guess, and the claim as a line through all."""
        first = 0 if self.guess is None else 1
        names = ["your guess"][:first] + list(self.measured)
        bottom, height = 0.42, 0.75 + 0.42 * len(names)
        with mpl.rc_context(palette.STYLE):
            picture = StillFigure(figsize=(9.0, height), dpi=svg.DPI)
            ax = picture.add_axes((0.42, bottom / height, 0.545, 0.42 * len(names) / height))
            for row, (mean, low, high) in enumerate(self.measured.values(), first):
                ax.plot([low, high], [row, row], **_INTERVAL)
                ax.plot([mean], [row], **_MEAN)
            if self.guess is not None:
                ax.plot([self.guess], [0], **_GUESS)
            if self.claim is not None:
                ax.axvline(self.claim, **_CLAIM)
                ax.text(self.claim, 1.04, "claim", transform=ax.get_xaxis_transform(), ha="center")
            ax.set_yticks(range(len(names)), [*map(not_mathematics, names)])
            ax.set_ylim(len(names) - 0.5, -0.5)
            ax.margins(x=0.12)
            ax.locator_params(axis="x", nbins=5)
            ax.grid(axis="y", visible=False)
            picture.sentence = str(self)
        return picture

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        figure = self.figure()
        png = b64encode(figure._png()).decode()
        picture = (
            f'<img style="max-width: 100%" width="{figure.get_figwidth() * svg.DPI:.0f}" '
            f'alt="{as_html(str(self))}" src="data:image/png;base64,{png}">'
        )
        lines = "<br>".join(map(as_html, str(self).splitlines()))
        return {"text/html": f"{picture}<br>{lines}", "text/plain": str(self)}


def verdict(
    measured: Mapping[str, ArrayLike | Interval],
    *,
    claim: float | None = None,
    guess: float | None = None,
) -> Verdict:
    """Say how large something is, with its 95 % interval, beside a claim and a guess.

    Parameters
    ----------
    measured : mapping from str
        Under each name, either independent draws whose mean is asked for (at least two, finite), or
        an `Interval`.
    claim : float, optional
        A number that the claim names, drawn as a dashed line.
    guess : float, optional
        Your guess, drawn as a diamond.

    Raises
    ------
    ValueError
        If nothing was measured, or draws are too few or not finite.

    Examples
    --------
    >>> print(verdict({"gain": [0.1, 0.3, 0.2]}, claim=0))
    gain: 0.2, from -0.048 to 0.45
    """
    if not measured:
        raise ValueError("measured is empty, must name at least one quantity")
    return Verdict(
        {
            what: values if isinstance(values, Interval) else mean_interval(values)
            for what, values in measured.items()
        },
        claim,
        guess,
    )
