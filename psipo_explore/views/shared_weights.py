"""Where the probability of the chosen answer goes when answers share weights.

A log-linear policy π(y) ∝ π_ref(y) exp(φ(y)·θ) is trained on one comparison, w ≻ l. A third answer
o is never compared. Training moves θ along z = φ(w) − φ(l) only, so w becomes less likely as soon
as the mean of φ·z under the policy is larger than φ(w)·z (Razin et al. 2024, arXiv:2410.08847).
DPO is above, IPO below: curves along training on the left, the plane of features on the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psipo_explore import (
    DPO,
    IPO,
    Comparisons,
    GradientDescent,
    LogLinearMinimum,
    minimise_log_linear,
    train,
)
from psipo_explore._checks import Array, ArrayLike
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_mark, text_after
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability_from_log

_W, _L, _O = 0, 1, 2
_NAMES = "wlo"
_DATA = Comparisons.from_pairs([("w", "l")], actions=tuple(_NAMES))
_LOSSES = {"DPO": DPO, "IPO": IPO}
_COLOURS = {"DPO": palette.LOGIT, "IPO": palette.IDENTITY}
_BOTTOMS = {"DPO": 0.515, "IPO": 0.122}  # of each loss's axes
_HEIGHT = 0.298
# IPO at a rate of 1 would jump to and fro between 0 and twice its minimiser for ever.
_RATE, _STEPS = 0.05, 10_000
_STOPS_OF_STEP = tuple(
    step for step in (0, *(k * 10**power for power in range(4) for k in (1, 2, 3, 5, 7)), _STEPS)
)
_LIKENESSES = tuple(np.linspace(0, 2, 9).tolist())
_BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

_LOOKS = tuple(palette.ACTION_LINES[k] for k in (0, 2, 1))  # of w, l and o
_MEAN_LINE: palette.Look = {"color": "#000000", "linestyle": ":", "marker": "X", "markersize": 9}
_TURN: palette.Look = {
    "color": "#000000",
    "linestyle": "none",
    "marker": "*",
    "markersize": 11,
    "markerfacecolor": "white",
}
_LINE_OF_W: palette.Look = {"color": palette.WINNER, "linestyle": "--", "linewidth": 1.6}
_HIGHEST, _LOWEST, _ARROW_FROM = 0.02, -11.0, -6.5  # on the axis of log π
_STRIP = (14_000.0, 75_000.0)  # part of the step axis, behind the last step, for exact limits
_LARGEST, _SMALLEST = 30.0, 4.0  # width in points of a mark in the plane whose π is 1, or is 0
_DRAWN_AT = np.expm1(np.linspace(0, np.log1p(_STEPS), 161))  # steps, most of them between two


@cache
def _trained(betas: tuple[float, ...]) -> Array:
    """Return how far θ has moved along z after each step, shape (losses, β's, steps + 1).

    It depends neither on o nor on π_ref, since the margin of w over l is θ·z, and z = (1, 0).
    """
    run = train(
        _DATA,
        list(_LOSSES.values()),
        betas,
        features=_features(2.0, 0.0),
        optimiser=GradientDescent(_RATE),
        steps=_STEPS,
        batch_size=None,
        seeds=1,
        record_every=1,
    )
    assert run.theta is not None
    return np.asarray(run.theta[..., 0, :, 0])


def _path(name: str, beta: float) -> Array:
    """Return how far θ has moved along z after each step of one loss, shape (steps + 1,)."""
    k = list(_LOSSES).index(name)
    # A panel may start between two stops of β.
    betas = _BETAS if beta in _BETAS else (beta,)
    return np.asarray(_trained(betas)[k, betas.index(beta)])


def _features(a: float, b: float) -> Array:
    return np.array([[1.0, 0.0], [0.0, 0.0], [a, b]])


def _reference(share: float) -> Array:
    """Return π_ref, which shares equally between w and l what it does not give to o."""
    return np.array([(1 - share) / 2, (1 - share) / 2, share])


def _log_policy(moved: ArrayLike, a: float, share: float) -> Array:
    """Return log π of w, l and o where θ has moved so far along z."""
    scores = np.multiply.outer(moved, _features(a, 0.0)[:, 0])
    return np.asarray(log_gibbs_policy(scores, 1.0, pi_ref=_reference(share)))


def _turn(a: float, share: float) -> float:
    """Return how far θ must move along z for w to be most likely, or ∞ if w never turns.

    The slope of log π(w) is φ(w)·z − E_π[φ·z] = π(l) − (a − 1) π(o), which is 0 there.
    """
    if a <= 1:
        return np.inf
    w_or_l = _reference(share)[_L]
    return float(np.log(w_or_l / ((a - 1) * share)) / a)


@lru_cache(maxsize=4096)
def _minimum(name: str, beta: float, a: float, b: float, share: float) -> LogLinearMinimum:
    loss, pi_ref = _LOSSES[name], _reference(share)
    return minimise_log_linear(_DATA, loss, beta, _features(a, b), pi_ref=pi_ref)


class _Row(NamedTuple):
    """What one loss does, at the reader's values."""

    name: str
    path: Array  # how far θ has moved along z after each step
    moved: float  # how far θ has moved at the reader's step
    now: Array  # log π of w, l and o there
    beyond: float  # E_π[φ·z] − φ(w)·z there
    turn: float  # how far θ moves until w turns, where `beyond` is 0
    peak: float  # log π(w) there
    limit: LogLinearMinimum

    @property
    def turned_at(self) -> float | None:
        """Step at which w turns, which may be between two; None if it is not among those drawn."""
        if not 0 < self.turn < self.path[-1]:
            return None
        after = int(np.searchsorted(self.path, self.turn))
        before = self.path[after - 1]
        return float(after - 1 + (self.turn - before) / (self.path[after] - before))

    @property
    def ends_beyond_turn(self) -> bool:
        """Whether w is falling where training ends, or heads for if it has no end."""
        end = self.limit.theta[0] if self.limit.attained else np.inf
        return bool(self.turn < end)


def _row(name: str, *, a: float, b: float, beta: float, share: float, step: int) -> _Row:
    path, turn = _path(name, beta), _turn(a, share)
    now = _log_policy(path[step], a, share)
    return _Row(
        name,
        path=path,
        moved=float(path[step]),
        now=now,
        beyond=float((a - 1) * np.exp(now[_O]) - np.exp(now[_L])),
        turn=turn,
        peak=float(_log_policy(turn, a, share)[_W]) if np.isfinite(turn) else 0.0,
        limit=_minimum(name, beta, a, b, share),
    )


def build(figure: Figure) -> Artists:
    """Draw two rows of axes and the legend, and return the artists that move."""
    artists: dict[str, Artist] = {}
    for name, bottom in _BOTTOMS.items():
        last = name == "IPO"
        by_step = _axes_of_steps(figure, bottom, last=last)
        plane = _axes_of_features(figure, bottom, last=last)
        artists.update(_curves(name, by_step))
        artists.update(_points(name, plane))
        header = bottom + _HEIGHT + 0.018
        figure.text(0.07, header, name, weight="bold", color=_COLOURS[name])
        artists[f"{name} numbers"] = figure.text(0.135, header, "")
        mean = figure.text(0.65, header, r"mean $\varphi\cdot z$ =")
        artists[f"{name} mean number"] = text_after(mean, mean.get_text())
    _explain(figure)
    return artists


def _axes_of_steps(figure: Figure, bottom: float, *, last: bool) -> Axes:
    ax = figure.add_axes((0.07, bottom, 0.515, _HEIGHT))
    ax.set_xscale("function", functions=(_squeezed, np.expm1))
    ax.set_yscale("function", functions=(_stretched, _unstretched))
    ax.set(xlim=(0, _STRIP[1]), ylim=(_LOWEST, _HIGHEST))
    ax.set_ylabel(r"$\log\,\pi(y)$", labelpad=2)
    ax.axvspan(*_STRIP, color="#f0f0f0", linewidth=0)
    steps = {step: _whole(step) for step in (0, 1, 10, 100, 1000, _STEPS)}
    ax.set_xticks([*steps, _places()[1]], [*steps.values(), "limit"])
    ax.set_yticks([0, -1, -2, -4, -7, -11], ["0", "−1", "−2", "−4", "−7", "−11"])
    ax.set_xticks([], minor=True)
    ax.set_yticks([], minor=True)
    if last:
        ax.set_xlabel("step of gradient descent, then the exact limit", labelpad=3)
    else:
        ax.tick_params(labelbottom=False)
    return ax


def _squeezed(step: Array) -> Array:
    return np.log1p(np.maximum(step, 0.0))


def _stretched(log_p: Array) -> Array:
    """Give more room to probabilities near 1, so that a small rise of w is seen."""
    return np.asarray(np.sign(log_p) * np.sqrt(np.abs(log_p)))


def _unstretched(place: Array) -> Array:
    return np.asarray(np.sign(place) * np.square(place))


def _places() -> Array:
    """Return where the limits of w, l and o stand on the step axis."""
    low, high = _squeezed(np.array(_STRIP))
    return np.asarray(np.expm1(low + (high - low) * (np.arange(3) + 0.5) / 3))


def _axes_of_features(figure: Figure, bottom: float, *, last: bool) -> Axes:
    ax = figure.add_axes((0.65, bottom, 0.335, _HEIGHT))
    ax.set(xlim=(-0.3, 2.4), ylim=(-0.52, 1.6))
    ax.set_ylabel("only in $o$", labelpad=2)
    ax.set_xticks([0, 1, 2])
    ax.set_yticks([0, 1])
    if last:
        ax.set_xlabel(r"where $w$ and $l$ differ:  $\varphi\cdot z$", labelpad=3)
    else:
        ax.tick_params(labelbottom=False)
    ax.axvspan(1, 2.4, color="#f0f0f0", linewidth=0)
    ax.axvline(1, **_LINE_OF_W)
    ax.annotate(
        "",
        (1, 0),
        (0, 0),
        arrowprops={
            "arrowstyle": "-|>,head_width=0.35,head_length=0.7",
            "color": "#b5b5b5",
            "lw": 2.5,
        },
    )
    ax.text(0.5, -0.12, "$z$", ha="center", va="top", color="#555555")
    ax.text(0.95, 1.58, "steps lift $w$", ha="right", va="top", fontsize=10)
    ax.text(1.05, 1.58, "steps lower $w$", ha="left", va="top", fontsize=10)
    for y, x in ((_W, 0.84), (_L, -0.15)):
        ax.text(x, -0.23, f"${_NAMES[y]}$", ha="right", va="top")
    return ax


def _curves(name: str, ax: Axes) -> Artists:
    artists: dict[str, Artist] = {f"{name} step": ax.axvline(0, color="#222222", linewidth=1)}
    for y, look in zip(_NAMES, _LOOKS, strict=True):
        mark = {"linestyle": "none", "color": look["color"], "clip_on": False}
        limit = {**mark, "marker": look["marker"], "markersize": 7, "markerfacecolor": "white"}
        line = {"color": look["color"], "linestyle": look["linestyle"]}
        artists[f"{name} {y}"] = ax.plot([], [], **line)[0]
        artists[f"{name} {y} here"] = ax.plot(
            [], [], marker=look["marker"], markersize=7, zorder=5, **mark
        )[0]
        artists[f"{name} {y} limit"] = ax.plot([], [], zorder=5, **limit)[0]
        artists[f"{name} {y} to 0"] = ax.plot(
            [], [], marker="v", markersize=8, markevery=[1], **{**mark, "linestyle": "-"}
        )[0]
    artists[f"{name} turn"] = ax.plot([], [], clip_on=False, zorder=6, **_TURN)[0]
    return artists


def _points(name: str, ax: Axes) -> Artists:
    artists: dict[str, Artist] = {}
    for y, look in zip(_NAMES, _LOOKS, strict=True):
        # The mark of o is hollow, because it may lie on that of w or l.
        filled: palette.Look = (
            {"markerfacecolor": "none", "markeredgewidth": 2.5} if y == "o" else {}
        )
        artists[f"{name} {y} point"] = ax.plot(
            [], [], color=look["color"], marker=look["marker"], clip_on=False, zorder=3, **filled
        )[0]
    artists[f"{name} o label"] = ax.text(0, 0, "o", style="italic", va="bottom")
    trail = {"color": _MEAN_LINE["color"], "linestyle": _MEAN_LINE["linestyle"], "linewidth": 1.6}
    artists[f"{name} mean path"] = ax.plot([], [], zorder=4, **trail)[0]
    # The star is hollow here, because with b = 0 it lies on the mark of w.
    hollow: palette.Look = {**_TURN, "markerfacecolor": "none"}
    artists[f"{name} crossing"] = ax.plot([], [], zorder=5, **hollow)[0]
    artists[f"{name} mean"] = ax.plot(
        [], [], clip_on=False, zorder=6, markeredgecolor="white", **_MEAN_LINE
    )[0]
    return artists


def _explain(figure: Figure) -> None:
    """Draw the legend above the axes."""
    upper, lower = 0.965, 0.905
    hollow = {"color": "#000000", "linestyle": "none", "marker": "o", "markerfacecolor": "white"}
    arrow = {"color": "#000000", "linestyle": "none", "marker": "v", "markersize": 8}
    for x, y, words, look in (
        (0.02, upper, "$w$, chosen", _LOOKS[_W]),
        (0.2, upper, "$l$, rejected", _LOOKS[_L]),
        (0.37, upper, "$o$, never compared", _LOOKS[_O]),
        (0.63, upper, r"mean of $\varphi$ under $\pi$", _MEAN_LINE),
        (0.02, lower, "$w$ turns", _TURN),
        (0.2, lower, "exact limit", hollow),
        (0.37, lower, r"limit $-\infty$:  $\pi \rightarrow 0$", arrow),
        (0.63, lower, r"line through $w$, across $z$", _LINE_OF_W),
    ):
        figure.text(*line_mark(figure, x, y, look), words)
    figure.text(0.985, upper - 0.012, r"area:  $\pi(y)$", ha="right")


def update(
    artists: Artists, *, a: float, b: float, beta: float, pi_ref_o: float, step: float
) -> str:
    """Move every mark to the given values, and return the sentence about where w's share went."""
    rows = {
        name: _row(name, a=a, b=b, beta=beta, share=pi_ref_o, step=int(step)) for name in _LOSSES
    }
    for row in rows.values():
        _move_along_steps(artists, row, a, pi_ref_o, int(step))
        _move_in_plane(artists, row, a, b, pi_ref_o)
    return _sentence(rows, a=a, beta=beta, share=pi_ref_o, step=int(step))


def _move_along_steps(artists: Artists, row: _Row, a: float, share: float, step: int) -> None:
    name = row.name
    # A step of descent is straight, so between two steps θ lies on the line that joins them.
    moved = np.interp(_DRAWN_AT, np.arange(_STEPS + 1), row.path)
    curves = _log_policy(moved, a, share)
    with np.errstate(divide="ignore"):
        limits = row.limit.log_ratio + np.log(_reference(share))
    for k, y in enumerate(_NAMES):
        artists[f"{name} {y}"].set_data(_DRAWN_AT, curves[:, k])
        artists[f"{name} {y} here"].set_data(*_point(step, row.now[k]))
        place = _places()[k]
        artists[f"{name} {y} limit"].set_data(*_point(place, limits[k]))
        gone = np.isneginf(limits[k])
        artists[f"{name} {y} to 0"].set_data(
            *([place] * 2, [_ARROW_FROM, _LOWEST]) if gone else ([], [])
        )
    artists[f"{name} step"].set_xdata([step] * 2)
    artists[f"{name} turn"].set_data(*_point(row.turned_at, row.peak))
    shares = ", ".join(
        f"{y} {_short(log_p)}" for y, log_p in zip(_NAMES, row.now.tolist(), strict=True)
    )
    artists[f"{name} numbers"].set_text(f"step {_whole(step)}:  {shares}")


def _point(x: float | None, log_p: float) -> tuple[list[float], list[float]]:
    """Return the data of one mark, or of none if it has no place on the axis of log π."""
    return ([], []) if x is None or log_p < _LOWEST else ([x], [log_p])


def _whole(count: float) -> str:
    return f"{count:.0f}" if count < 10_000 else f"{count:,.0f}".replace(",", "\u2009")


def _short(log_p: float) -> str:
    p = np.exp(log_p)
    return f"{p:.3f}" if p >= 5e-4 else "<0.001"


def _move_in_plane(artists: Artists, row: _Row, a: float, b: float, share: float) -> None:
    name, phi = row.name, _features(a, b)
    for y, place, log_p in zip(_NAMES, phi, row.now, strict=True):
        artists[f"{name} {y} point"].set_data(*np.reshape(place, (2, 1)))
        artists[f"{name} {y} point"].set_markersize(max(_SMALLEST, _LARGEST * np.exp(log_p / 2)))
    artists[f"{name} o label"].set_position((a + 0.21, b + 0.08))
    moved = np.linspace(0, row.path[-1], 61)
    artists[f"{name} mean path"].set_data(*_mean(moved, phi, share).T)
    artists[f"{name} mean"].set_data(*_mean([row.moved], phi, share).T)
    crossed = [row.turn] if row.turned_at is not None else []
    artists[f"{name} crossing"].set_data(*_mean(crossed, phi, share).T)
    artists[f"{name} mean number"].set_text(_mean_in_words(row))


def _mean(moved: Sequence[float] | Array, phi: Array, share: float) -> Array:
    """Return E_π[φ] where θ has moved so far along z, shape (len(moved), 2)."""
    if not len(moved):
        return np.empty((0, 2))
    return np.exp(_log_policy(moved, phi[_O, 0], share)) @ phi


def _mean_in_words(row: _Row) -> str:
    place = "on" if row.moved == row.turn else "beyond" if row.moved > row.turn else "before"
    value = number(1 + row.beyond)
    if abs(row.beyond) < 5e-3:  # where three digits would say 1
        sign = {"on": "", "beyond": " + ", "before": " − "}[place]
        value = f"1{sign}{number(float(f'{abs(row.beyond):.1g}')) if sign else ''}"
    return f"{value}: {place} the line"


def _sentence(rows: dict[str, _Row], *, a: float, beta: float, share: float, step: int) -> str:
    return f"{_lifted(a)} {_so_far(rows, share, step)} {_in_the_end(rows, beta)}"


def _lifted(a: float) -> str:
    """Say what a step along z does to the scores φ·θ of the three answers."""
    if a == 0:
        return "A step lifts w's score, and neither o's nor l's."
    if a == 1:
        return "A step lifts the scores of w and o alike, and l's not at all."
    times = "twice" if a == 2 else f"{number(a)} times"
    return f"A step lifts o's score {times} as much as w's, and l's not at all."


def _so_far(rows: dict[str, _Row], share: float, step: int) -> str:
    w, _, o = map(number, _reference(share))
    if step == 0:
        return f"At step 0, w has {w} and o has {o}."
    dpo, ipo = (_taken(row, share) for row in rows.values())
    return f"At step {_whole(step)}, DPO has taken w from {w} to {dpo}; IPO has taken w to {ipo}."


def _taken(row: _Row, share: float) -> str:
    w, _, o = map(probability_from_log, row.now.tolist())
    return f"{w}{_peak(row, share)} and o to {o}"


def _peak(row: _Row, share: float) -> str:
    """Say where w was highest, if it has fallen since."""
    if row.turned_at is None or row.moved <= row.turn:
        return ""
    return f" (peak {probability_from_log(row.peak)} in step {_whole(np.ceil(row.turned_at))})"


def _in_the_end(rows: dict[str, _Row], beta: float) -> str:
    """Say who loses where the losses lead, and whether the loss or only the path decides it."""
    dpo, ipo = (row.limit for row in rows.values())
    stops = (
        f"IPO follows the same path and stops, with β = {number(beta)} at w = "
        f"{number(ipo.policy[_W])}"
    )
    if dpo.policy[_W] == 1:
        return f"Nothing takes w down: DPO heads for w = 1. {stops}."
    if dpo.policy[_W] > 0:
        w, _, o = map(number, dpo.policy)
        return f"Nothing takes w down: DPO heads for w = {w} and o = {o}. {stops}."
    if dpo.vanishing[_W]:
        why = "DPO's loss forces w out at every β: when l goes to 0, so does w."
    else:
        why = (
            "DPO's loss does not force w out, because b makes o different from w; but descent never "
            "moves along b, so w is lost."
        )
    return f"{why} {stops}, {_beside_turn(rows['IPO'])}."


def _beside_turn(row: _Row) -> str:
    if row.turn <= 0:
        return "falling from the first step"
    return "after w turns" if row.ends_beyond_turn else "before w turns"


VIEW = View(
    name="shared_weights",
    title="Where the chosen answer's probability goes when answers share weights",
    about=(
        "A model learns to prefer answer w to l, and the picture shows log π(y) for each answer y, "
        "also for o, which is never compared, and the features φ through which the model sees "
        "answers. Here z is φ(w) − φ(l), a and b place o along z and across it, and β says how "
        "strongly π is held near its start π_ref."
    ),
    controls=(
        Slider("a", "a, how much o is like w", _LIKENESSES, start=2.0, named=(1.0, 1.25)),
        Slider("b", "b, what only o has", (0.0, 0.5, 1.0), start=0.0),
        Slider("beta", "β, strength of the KL term", _BETAS, start=1.0, named=(0.1, 10.0)),
        Slider("pi_ref_o", "π_ref(o), where o starts", _SHARES, start=0.02),
        Slider(
            "step",
            "step of training",
            _STOPS_OF_STEP,
            start=_STEPS,
            write=_whole,
            plays=True,
            named=(100, 200, 1000, 5000),
        ),
    ),
    build=build,
    update=update,
    guesses=guesses.SHARED_WEIGHTS,
    size=(9.0, 4.6),
)
figure = VIEW.figure
panel = VIEW.panel
