"""Training on a few comparisons (§5.4 of arXiv:2310.12036), under DPO and under another loss.

Probabilities are drawn along the steps and against β, beside the exact limit or the range of limits
that the loss leaves open. The runs are trained once on a grid of β's, kept, and then looked up;
`panel(data=…)` takes your own `Comparisons`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from psipo_explore import D1, D2, D3, DPO, IPO, Comparisons, MarginLoss, Minimum, minimise, train
from psipo_explore._checks import Array, Indices
from psipo_explore.losses import HINGE, cdpo
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.comparison_graph import draw_graph, room_in_node
from psipo_explore.views.kit.controls import Choice, Slider
from psipo_explore.views.kit.labels import Labels, Room, labels_of
from psipo_explore.views.kit.legend import line_mark
from psipo_explore.views.kit.still import StillFigure
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import enumeration, number

if TYPE_CHECKING:
    from psipo_explore.views.kit.panel import Panel

MOST_ACTIONS = len(palette.ACTION_LINES)
_YOURS = "your data"
_NEVER_WINS = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
_UNSEEN = Comparisons.from_pairs([("a", "b")], actions="abc")
_TWO_UNBEATEN = Comparisons.from_pairs([("a", "c"), ("b", "d"), ("d", "c")], actions="abcd")
NEVER_WINS = "c never wins: a and b beat each other, a beats c"
_EXAMPLES = {
    "D1: a beats b, b beats c, a beats c": D1,
    "D2, a cycle: a beats b, b beats c, c beats a": D2,
    "D3 as printed: a and b beat each other": D3,
    NEVER_WINS: _NEVER_WINS,
    "c unseen: a beats b": _UNSEEN,
    "two unbeaten: a beats c, b beats d, d beats c": _TWO_UNBEATEN,
}
_LOSSES: dict[str, MarginLoss] = {
    "DPO": DPO,
    "IPO": IPO,
    "cDPO, 10 % of labels taken as flipped": cdpo(0.1),
    "hinge": HINGE,
}
_ABOVE = "DPO"
_BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCH_SIZES = (1, 9, 81)
_STEPS, _EVERY, _SEEDS = 18_000, 200, 10
_FINE_BETAS = np.geomspace(_BETAS[0], _BETAS[-1], 61)
_STRIP = (21_000.0, 30_000.0)  # part of the step axis, behind the last step, for exact limits
_ROWS = ("above", "below")
# Widths in points: of a label in a legend of two columns, and of one column; of a row's header, and
# of a number in it.
_COLUMN, _LINE, _HEADER, _NUMBER = 37, 104, 290, 46
_COLOURS = {"DPO": palette.LOGIT, "IPO": palette.IDENTITY}


class Runs(NamedTuple):
    """Mean policy over all seeds, with the ends of its 95 % confidence interval.

    Each of the three arrays has shape (losses, β's, records, K), or is a part of such an array.
    """

    steps: Indices
    mean: Array
    low: Array
    high: Array

    def at(self, *index: int | slice) -> Runs:
        """Return the same part of all three arrays."""
        return Runs(self.steps, self.mean[index], self.low[index], self.high[index])


@cache
def _trained(
    data_sets: tuple[Comparisons, ...], batch_size: int, betas: tuple[float, ...]
) -> dict[Comparisons, Runs]:
    """Train all combinations of data sets, losses, β's and seeds in one array."""
    run = train(
        data_sets,
        list(_LOSSES.values()),
        betas,
        steps=_STEPS,
        record_every=_EVERY,
        seeds=_SEEDS,
        batch_size=batch_size,
    )
    low, high = (np.clip(end, 0, 1) for end in run.interval(0.95))
    parts = zip(data_sets, run.mean(), low, high, strict=True)
    return {data: Runs(run.steps, *summary) for data, *summary in parts}


def _runs(
    examples: Mapping[str, Comparisons],
    data: Comparisons,
    batch_size: float,
    betas: tuple[float, ...],
) -> Runs:
    """Return the runs on a data set, which are trained the first time they are asked for.

    Examples with the same actions are trained in one call, the reader's own data in another.
    """
    together = tuple(
        other
        for name, other in examples.items()
        if other.actions == data.actions and name != _YOURS
    )
    return _trained(together if data in together else (data,), int(batch_size), betas)[data]


def _compute(examples: Mapping[str, Comparisons], *, batch_size: float, comparisons: str) -> None:
    """Train ahead for every β on the slider."""
    _runs(examples, examples[comparisons], batch_size, _BETAS)


@cache
def _exact(data: Comparisons, loss: MarginLoss) -> Minimum | None:
    """Return the minimisers at the β's of the fine grid, or None if the loss has no minimiser.

    The grid begins and ends where the slider does.
    """
    return None if loss.no_minimiser else minimise(data, loss, _FINE_BETAS)


@lru_cache(maxsize=1024)
def _limit(data: Comparisons, loss: MarginLoss, beta: float) -> Minimum | None:
    """Return the minimiser at one β, or None if the loss has no minimiser."""
    return None if loss.no_minimiser else minimise(data, loss, beta)


def _examples_with(data: Comparisons | None) -> dict[str, Comparisons]:
    if data is None:
        return _EXAMPLES
    if not isinstance(data, Comparisons):
        raise TypeError(f"data = {data!r}, must be Comparisons, such as Comparisons.from_csv(…)")
    if data.n_actions > MOST_ACTIONS or np.ptp(data.contexts) > 0:
        n_contexts = np.unique(data.contexts).size
        raise ValueError(
            f"data holds {data.n_actions} actions in {n_contexts} contexts, must be at most "
            f"{MOST_ACTIONS} in one to be drawn"
            " (train takes any)"
        )
    return {_YOURS: data, **_EXAMPLES}


def build(examples: Mapping[str, Comparisons], figure: Figure, *, comparisons: str) -> Artists:
    """Draw the comparison graph and two rows of axes, with empty curves for each action."""
    chosen = examples[comparisons]
    graph = figure.add_axes((0.0, 0.47, 0.265, 0.52))
    labels = _labels(chosen)
    draw_graph(graph, chosen, minimise(chosen, DPO, 1.0).vanishing, palette.ACTION_LINES, labels)
    artists: dict[str, Artist] = {}
    for row, bottom in zip(_ROWS, (0.573, 0.125), strict=True):
        by_step, by_beta = _axes(figure, bottom, last=row == "below")
        artists[f"{row} step"] = by_step.axvline(0, color="#222222", linewidth=1)
        artists[f"{row} beta"] = by_beta.axvline(1, color="#222222", linewidth=1)
        for y, look in enumerate(palette.ACTION_LINES[: chosen.n_actions]):
            artists.update(_curves(f"{row} {y}", by_step, by_beta, look))
        middle = {
            "x": _places(1)[0],
            "y": 0.5,
            "ha": "center",
            "va": "center",
            "rotation": 90,
            "color": "#555555",
        }
        artists[f"{row} none"] = by_step.text(s="", **middle)
        artists[f"{row} name"] = figure.text(0.326, bottom + 0.376, "", weight="bold")
        artists[f"{row} numbers"] = figure.text(
            0.985, bottom + 0.376, "", ha="right", **labels.font
        )
    _explain(figure, labels)
    return artists


class _Drawn(NamedTuple):
    """The text of each action's label, for each room that the picture has for it."""

    in_nodes: tuple[str, ...]
    in_columns: tuple[str, ...]  # of a legend of two columns
    in_lines: tuple[str, ...]  # of a legend of one column
    in_header: tuple[str, ...]  # beside a row's name, with the action's probability


def _labels(data: Comparisons) -> Labels:
    """Fit the labels to the rooms of `_Drawn`, in that order."""
    in_node = room_in_node(data.n_actions)
    in_header = Room(_HEADER / data.n_actions - _NUMBER, 11) if data.n_actions <= 4 else in_node
    return labels_of(data.actions, in_node, Room(_COLUMN, 11), Room(_LINE, 11), in_header)


def _axes(figure: Figure, bottom: float, *, last: bool) -> tuple[Axes, Axes]:
    by_step = figure.add_axes((0.326, bottom, 0.372, 0.347))
    by_beta = figure.add_axes((0.715, bottom, 0.27, 0.347), sharey=by_step)
    by_step.set_xscale("function", functions=(_root, np.square))  # shows the first steps well
    by_step.set(xlim=(0, _STRIP[1]), ylim=(-0.02, 1.02), ylabel=r"$\pi(y)$")
    by_step.axvspan(*_STRIP, color="#f0f0f0", linewidth=0)
    by_step.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ticks = [0, 600, 2000, 5000, 10_000]
    by_step.set_xticks([*ticks, _STEPS, _places(1)[0]], [*map(_whole, ticks), "18 000", "limit"])
    by_step.set_xticks([], minor=True)
    by_beta.set(xscale="log", xlim=(_BETAS[0] / 1.12, _BETAS[-1] * 1.12))
    by_beta.tick_params(labelleft=False)
    by_beta.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    by_beta.set_xticks([], minor=True)
    if last:
        by_step.set_xlabel("step of training, then the exact limit", labelpad=3)
        by_beta.set_xlabel(r"$\beta$, at that step", labelpad=3)
    else:
        by_step.tick_params(labelbottom=False)
        by_beta.tick_params(labelbottom=False)
    return by_step, by_beta


def _root(step: Array) -> Array:
    return np.sqrt(np.maximum(step, 0.0))


def _places(n: int) -> Array:
    """Spread n marks evenly over the strip, and return their positions as steps."""
    low, high = _root(np.array(_STRIP))
    return np.asarray(np.square(low + (high - low) * (np.arange(n) + 0.5) / n))


def _curves(key: str, by_step: Axes, by_beta: Axes, look: Mapping[str, Any]) -> Artists:
    """Make the artists of one action in one row, all of them empty."""
    colour, marker = look["color"], look["marker"]
    mark = {"linestyle": "none", "marker": marker, "color": colour, "clip_on": False, "zorder": 5}
    hollow = {**mark, "markerfacecolor": "white", "markersize": 6, "zorder": 6}
    return {
        f"{key} band": by_step.add_patch(
            Polygon(np.zeros((1, 2)), color=colour, alpha=0.25, linewidth=0)
        ),
        f"{key} mean": by_step.plot(
            [], [], color=colour, linestyle=look["linestyle"], linewidth=1.8
        )[0],
        f"{key} here": by_step.plot([], [], markersize=6, **mark)[0],
        f"{key} limit": by_step.plot([], [], **hollow)[0],
        f"{key} limits": by_step.add_collection(
            LineCollection([], colors=colour, linewidths=3.2), autolim=False
        ),
        f"{key} intervals": by_beta.add_collection(
            LineCollection([], colors=colour, linewidths=1.4), autolim=False
        ),
        f"{key} means": by_beta.plot([], [], markersize=5, **mark)[0],
        f"{key} exact": by_beta.plot(
            [], [], color=colour, linestyle=look["linestyle"], linewidth=1.2
        )[0],
    }


def _explain(figure: Figure, labels: Labels) -> None:
    """Draw the legend under the graph, with the meaning of the marks."""
    drawn = _Drawn(*labels.drawn)
    # Three long labels stand better below each other than cut in two columns.
    few_and_long = len(drawn.in_lines) <= 3 and drawn.in_lines != drawn.in_columns
    columns, texts = (1, drawn.in_lines) if few_and_long else (2, drawn.in_columns)
    for y, (label, look) in enumerate(zip(texts, palette.ACTION_LINES, strict=False)):
        line, place = divmod(y, columns)
        mark = {**look, "linewidth": 1.8, "markersize": 6}
        figure.text(
            *line_mark(figure, 0.015 + 0.125 * place, 0.455 - 0.05 * line, mark),
            label,
            **labels.font,
        )
    said = (
        "arrow: from winner to loser",
        "grey: strongly connected",
        "component",
        r"$\rightarrow 0$: vanishes under DPO",
        "filled: mean, 95 % interval",
        "hollow or line at right: exact",
        "bar: all possible limits",
    )
    for line, words in enumerate(said):
        figure.text(0.015, 0.293 - 0.0455 * line, words, fontsize=10)


class _Row(NamedTuple):
    """The data that the two axes of one loss show."""

    name: str
    along_steps: Runs  # shape (records, K), at the reader's β
    against_beta: Runs  # shape (β's, K), at the reader's step
    record: int  # index of the record at the reader's step
    limit: Minimum | None  # at the reader's β; None if the loss has no minimiser
    exact: Minimum | None  # on the fine grid of β; None if the loss has no minimiser

    @property
    def loss(self) -> MarginLoss:
        return _LOSSES[self.name]

    @property
    def now(self) -> Array:
        """Mean policy at the reader's step and β."""
        return np.asarray(self.along_steps.mean[self.record])


def _rows(
    examples: Mapping[str, Comparisons],
    data: Comparisons,
    losses: Sequence[str],
    *,
    beta: float,
    step: float,
    batch_size: float,
) -> Iterator[_Row]:
    on_slider = _runs(examples, data, batch_size, _BETAS)
    if beta in _BETAS:
        at_beta, b = on_slider, _BETAS.index(beta)
    else:
        # A panel may start between two stops of β. No runs were trained ahead for such a β.
        at_beta, b = _runs(examples, data, batch_size, (beta,)), 0
    record = _record_after(step)
    for name in losses:
        k, loss = list(_LOSSES).index(name), _LOSSES[name]
        yield _Row(
            name,
            along_steps=at_beta.at(k, b),
            against_beta=on_slider.at(k, slice(None), record),
            record=record,
            limit=_limit(data, loss, beta),
            exact=_exact(data, loss),
        )


def _record_after(step: float) -> int:
    record, steps_since = divmod(step, _EVERY)
    if steps_since:
        raise ValueError(f"step = {step:.0f} was not recorded, must be a multiple of {_EVERY}")
    return int(record)


def update(
    examples: Mapping[str, Comparisons],
    artists: Artists,
    *,
    comparisons: str,
    loss: str,
    beta: float,
    step: float,
    batch_size: float,
) -> str:
    """Move every curve to the given values, and describe the policies and their limits."""
    data = examples[comparisons]
    labels = _labels(data)
    shown = _rows(examples, data, (_ABOVE, loss), beta=beta, step=step, batch_size=batch_size)
    said = []
    for place, row in zip(_ROWS, shown, strict=True):
        for y in range(data.n_actions):
            _move_along_steps(artists, f"{place} {y}", row, y)
            _move_against_beta(artists, f"{place} {y}", row, y)
        artists[f"{place} step"].set_xdata([step] * 2)
        artists[f"{place} beta"].set_xdata([beta] * 2)
        _write_header(artists, place, row, labels, step)
        said.append(_row_in_words(row, labels))
    batches = "single comparisons" if batch_size == 1 else f"batches of {batch_size:.0f}"
    return (
        f"{comparisons}. β = {number(beta)}, {batches}, step {_whole(step)}, mean of {_SEEDS} "
        f"runs. {' '.join(said)}{labels.note}"
    )


def _move_along_steps(artists: Artists, key: str, row: _Row, y: int) -> None:
    """Move one action's curve, its interval, the mark on the curve, and the limit on the right."""
    steps = row.along_steps.steps
    mean, low, high = (curve[:, y] for curve in row.along_steps[1:])
    artists[f"{key} band"].set_xy(_outline(steps, low, high))
    artists[f"{key} mean"].set_data(steps, mean)
    artists[f"{key} here"].set_data([steps[row.record]], [mean[row.record]])
    _move_limit(artists, key, row.limit, y)


def _outline(x: Array | Indices, low: Array, high: Array) -> Array:
    """Outline the area between two curves: along the lower one, then back along the upper one.

    The result has shape (points, 2).
    """
    along, back = np.stack([x, low], axis=-1), np.stack([x, high], axis=-1)[::-1]
    return np.concatenate([along, back])


def _move_limit(artists: Artists, key: str, limit: Minimum | None, y: int) -> None:
    """Mark the limit of one action's probability, or draw the range that the loss leaves open."""
    point, ranges = None, []
    if limit is not None:
        x = _places(len(limit.actions))[y]
        least, greatest = (bound[y] for bound in limit.bounds)
        if least == greatest:
            point = x, least
        else:
            ranges = [[(x, least), (x, greatest)]]
    artists[f"{key} limit"].set_data(*([], []) if point is None else np.reshape(point, (2, 1)))
    artists[f"{key} limits"].set_segments(ranges)


def _move_against_beta(artists: Artists, key: str, row: _Row, y: int) -> None:
    """Move one action's means and intervals, and its exact curve if the minimiser is unique."""
    mean, low, high = (points[:, y] for points in row.against_beta[1:])
    artists[f"{key} means"].set_data(_BETAS, mean)
    ends = np.stack([np.stack([_BETAS, low], axis=-1), np.stack([_BETAS, high], axis=-1)], axis=1)
    artists[f"{key} intervals"].set_segments(ends)
    exact = row.exact if row.exact is not None and row.exact.unique else None
    artists[f"{key} exact"].set_data(
        *([], []) if exact is None else (_FINE_BETAS, exact.policy[:, y])
    )


def _write_header(artists: Artists, place: str, row: _Row, labels: Labels, step: float) -> None:
    colour = _COLOURS.get(row.name, palette.CHOSEN)
    artists[f"{place} name"].set(text=_short(row.name), color=colour)
    artists[f"{place} numbers"].set_text(_header(_Drawn(*labels.drawn).in_header, row.now, step))
    artists[f"{place} none"].set_text("none drawn" if row.limit is None else "")


def _row_in_words(row: _Row, labels: Labels) -> str:
    heads_for = _heads_for(labels.said, row.limit, row.loss)
    return f"{_short(row.name)}: {_listed(labels.said, row.now)}; {heads_for}."


def _short(name: str) -> str:
    return name.split(",")[0]


def _whole(count: float) -> str:
    return f"{count:.0f}" if count < 10_000 else f"{count:,.0f}".replace(",", "\u2009")


def _listed(actions: tuple[str, ...], policy: Array) -> str:
    words = ("0" if p == 0 else f"{p:.3f}" if p >= 5e-4 else "<0.001" for p in policy.tolist())
    return ", ".join(f"{action} {word}" for action, word in zip(actions, words, strict=True))


def _header(labels: tuple[str, ...], policy: Array, step: float) -> str:
    """Write the probabilities beside a row's name, and the step too if there is room for it."""
    when = f"at step {_whole(step)}:  " if len(labels) <= 4 else ""
    return when + _listed(labels, policy)


def _heads_for(actions: tuple[str, ...], limit: Minimum | None, loss: MarginLoss) -> str:
    if limit is None:
        return f"{loss.no_minimiser}, so no limit is drawn"
    gone = [action for action, vanishes in zip(actions, limit.vanishing, strict=True) if vanishes]
    vanish = (
        f" ({enumeration(gone)} {'vanish' if len(gone) > 1 else 'vanishes'} at every β)"
        if gone
        else ""
    )
    if limit.unique:
        where = "its minimum is at" if limit.attained else "it has no minimum and heads for"
        return f"{where} {_listed(actions, limit.policy)}{vanish}"
    most = ", ".join(
        f"{a} up to {high:.3g}"
        for a, high in zip(actions, limit.bounds[1], strict=True)
        if high > 0
    )
    return f"it leaves a choice, {most}{vanish}"


def view_of(data: Comparisons | None = None) -> View:
    """Make the view of the examples, with your data before them if you give any."""
    examples = _examples_with(data)
    names = tuple(examples)
    steps = tuple(range(0, _STEPS + 1, _EVERY))
    return View(
        name="training",
        title="Training by DPO and by IPO, and where it heads",
        about=(
            "The curves show the probability π(y) of each answer y as DPO (above) and another loss "
            "(below) train on the comparisons drawn as arrows, and where each loss leads in the "
            "end. Here β says how strongly a loss holds π near its uniform start, and → 0 marks an "
            "answer that vanishes under DPO."
        ),
        controls=(
            Choice("comparisons", "comparisons trained on", names, start=names[0]),
            Choice("loss", "loss beside DPO", tuple(_LOSSES)[1:], start="IPO"),
            Slider("beta", "β, strength of the KL term", _BETAS, start=1.0),
            Slider(
                "step",
                "step of training",
                steps,
                start=_STEPS,
                write=_whole,
                plays=True,
                named=(200, 1000),
            ),
            Slider("batch_size", "comparisons a step", _BATCH_SIZES, start=9, write=_whole),
        ),
        build=partial(build, examples),
        update=partial(update, examples),
        rebuild_on=("comparisons",),
        compute=partial(_compute, examples),
        compute_on=("batch_size", "comparisons"),
        size=(9.0, 4.6),
        guesses=guesses.TRAINING if data is None else {},
    )


VIEW = view_of()


def figure(data: Comparisons | None = None, **values: Any) -> StillFigure:
    """Draw the picture at the given values, of your own data if you give any."""
    return (VIEW if data is None else view_of(data)).figure(**values)


def panel(data: Comparisons | None = None, **start: Any) -> Panel:
    """Make the picture with its controls, of your own data if you give any."""
    return (VIEW if data is None else view_of(data)).panel(**start)
