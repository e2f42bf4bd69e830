"""What y_l keeps under other leashes than KL: it is Ψ, not KL, that drops it.

There are two actions, and μ is uniform. Under the leash β D_f(π ‖ π_ref), what π* leaves y_l
depends on π_ref and on gap/β alone, where the gap is g(y_w) − g(y_l) (Wang et al. 2023,
arXiv:2309.16240). The left axes show that, and end in a place for an infinite gap. How large the
gap can be is decided by Ψ: the right axes show the same policies as p nears 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from psipo_explore import ExpectedPsi, expected_psi, folded_power, tournament
from psipo_explore._checks import Array, ArrayLike
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    Divergence,
    alpha,
    tilted_policy,
)
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.certainty_axis import CERTAIN, DECADES, decade, set_certainty_axis
from psipo_explore.views.kit.controls import Choice, Slider
from psipo_explore.views.kit.legend import line_entry, patch_entry
from psipo_explore.views.kit.psi_control import psi_words
from psipo_explore.views.kit.stops import BETAS, LAMBDAS, TWENTIETHS, WINNING
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import enumeration, number, probability

_W, _L = 0, 1
_LEASHES: dict[str, Divergence] = {
    leash.name: leash for leash in (KL, REVERSE_KL, CHI_SQUARED, JENSEN_SHANNON, CHI_PO, alpha(0.5))
}
_THREE, _SIX = "KL, reverse KL, χ²", "all six"
_ALL = {3: "all three", 6: "all six"}  # in the sentence
_SHOWN: dict[str, tuple[str, ...]] = {_THREE: tuple(_LEASHES)[:3], _SIX: tuple(_LEASHES)}
_SIDES = ("gap", "p")
_HERE: palette.Look = {"color": "#222222", "linewidth": 1}
_OUT_OF_REACH: palette.Look = {
    "facecolor": "#ffffffb8",
    "edgecolor": "#c4c4c4",
    "hatch": "//",
    "linewidth": 0,
    "zorder": 3,  # above the curves, which it fades, and below the marks
}
_DROP: palette.Look = {
    "color": palette.LEASH_LINES["χ²"]["color"],
    "linestyle": "none",
    "marker": "*",
    "markersize": 15,
    "markeredgecolor": "#000000",
}
_LOWEST, _HIGHEST = 1e-8, 1.6  # on the axis of π*(y_l), where it is positive
_NOTHING, _FLOOR = 3e-10, 6e-11  # position of an exact 0 there, and the lower end of the axis
_LINEAR, _DECADE = 20.0, 4.0  # the gap's axis is linear up to 20 β, then has a decade per 4
_LAST, _ENDLESS = 1000.0, 29.0  # the last gap drawn, in β, and the position of an infinite one
_STRIP = 27.6  # left edge of the grey strip around it
_EDGE = 30.2
_GAPS = np.concatenate([np.linspace(0, _LINEAR, 161), np.geomspace(_LINEAR, _LAST, 41)[1:]])
_SPEED = 1e-6  # 1 − p at which the sentence compares the speeds of the leashes
_ROUNDING = np.finfo(float).eps
_FINE = np.append(np.geomspace(0.5, 1e-16, 3201), 0.0)  # 1 − p at which the gap is tabulated


class _Kept(NamedTuple):
    """What one leash leaves y_l."""

    on_p: Array  # at 1 − p = DECADES
    here: float  # at the reader's p
    at_speed: float  # at 1 − p = 10⁻⁶
    certain: float  # at p = 1


class _Limits(NamedTuple):
    """How large the gap is and can be, in units of β, and where χ² drops y_l."""

    here: float  # at the reader's p
    reach: float  # at p = 1; ∞ if Ψ is unbounded
    dropped: float  # the gap from which χ² leaves y_l exactly 0
    dropped_at: float | None  # 1 − p there; None if no p in float64 makes this gap

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite(self.reach))


def build(figure: Figure, which: str) -> Artists:
    """Draw the two axes and the legend, for the leashes that are shown."""
    looks = {name: palette.LEASH_LINES[name] for name in _SHOWN[which]}
    rows_of_legend = len(looks) // 3 + 1
    axes = dict(zip(_SIDES, _axes(figure, 0.96 - 0.065 * rows_of_legend), strict=True))
    artists: dict[str, Artist] = {
        "out of reach": axes["gap"].add_patch(
            Rectangle((0, 0), 0, 1, transform=axes["gap"].get_xaxis_transform(), **_OUT_OF_REACH)
        )
    }
    by_size = sorted(looks.items(), key=lambda item: item[1]["markersize"], reverse=True)
    for side, ax in axes.items():
        artists[f"{side} pi_ref"] = ax.axhline(1, **palette.REFERENCE_LINE)
        artists[f"{side} here"] = ax.axvline(0, **_HERE, zorder=4)
        for name, look in looks.items():
            line = {"color": look["color"], "linestyle": look["linestyle"]}
            artists[f"{side} {name}"] = ax.plot([], [], **line)[0]
        for name, look in by_size:  # draws the smaller marks last, on top
            mark = {**look, "linestyle": "none", "clip_on": False}
            artists[f"{side} {name} certain"] = ax.plot(
                [], [], **mark, zorder=5, markerfacecolor="white"
            )[0]
            artists[f"{side} {name} here"] = ax.plot([], [], **mark, zorder=6)[0]
        artists[f"{side} drop"] = ax.plot([], [], **_DROP, clip_on=False, zorder=7)[0]
    return {**artists, **_legend(figure, looks)}


def _axes(figure: Figure, top: float) -> tuple[Axes, Axes]:
    left, right = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.105, right=0.985, bottom=0.135, top=top, wspace=0.06)
    left.set(yscale="log", ylim=(_FLOOR, _HIGHEST), ylabel=r"$\pi^*(y_l)$")
    powers = {10.0**k: rf"$10^{{{k}}}$" for k in (-6, -4, -2)}
    left.set_yticks(
        [_NOTHING, _LOWEST, *powers, 1], ["0", r"$\leq 10^{-8}$", *powers.values(), "1"]
    )
    left.set_yticks([], minor=True)
    at = {0: "0", 5: "5", 10: "10", 15: "15", 20: "20", 100: "$10^2$", 1000: "$10^3$"}
    left.set_xticks([*_place(list(at)), _ENDLESS], [*at.values(), r"$\infty$"])
    left.set(xlim=(0, _EDGE), xlabel=r"gap $(g(y_w) - g(y_l))/\beta$, by decades from 20")
    left.axvspan(_STRIP, _EDGE, color="#f0f0f0", linewidth=0)
    left.axvline(_LINEAR, color="#b5b5b5", linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    set_certainty_axis(right)
    for ax in (left, right):
        ax.axhspan(_FLOOR, _LOWEST / 7, color="#f0f0f0", linewidth=0)
    return left, right


def _legend(figure: Figure, looks: dict[str, palette.Look]) -> Artists:
    """Draw the legend, and return the texts of the numbers in it."""
    columns, rows = (0.02, 0.385, 0.7), (0.955, 0.89, 0.825)
    artists: dict[str, Artist] = {}
    for k, (name, look) in enumerate(looks.items()):
        x, y = columns[k % 3], rows[k // 3]
        artists[f"{name} number"] = line_entry(figure, x, y, f"{name} leaves", look)
    here, pi_ref, drop, reach = 0.02, 0.275, 0.453, 0.72
    y = rows[len(looks) // 3]
    return {
        **artists,
        "here number": line_entry(figure, here, y, "here: gap =", _HERE),
        "pi_ref number": line_entry(
            figure, pi_ref, y, r"$\pi_{ref}(y_l)$ =", palette.REFERENCE_LINE
        ),
        "drop number": line_entry(figure, drop, y, "χ² drops $y_l$ at", _DROP),
        "reach number": patch_entry(figure, reach, y, "out of reach:", _OUT_OF_REACH),
    }


def _place(gap: ArrayLike) -> Array:
    """Return the position of a gap, in units of β, on the axis of gaps."""
    gap = np.asarray(gap, dtype=float)
    beyond = _LINEAR + _DECADE * np.log10(np.maximum(gap, _LINEAR) / _LINEAR)
    return np.where(np.isinf(gap), _ENDLESS, np.where(gap <= _LINEAR, gap, beyond))


def _height(kept: float) -> float:
    """Return the position of π*(y_l) on its axis, where a small one is drawn at 10⁻⁸."""
    return _NOTHING if kept == 0 else max(kept, _LOWEST)


def _curve(x: Array, kept: Array, leash: Divergence) -> tuple[Array, Array]:
    """Return the positions of a curve, which falls to an exact 0 or ends where it leaves the axis."""
    if leash.drops:
        return x, np.where(kept == 0, _NOTHING, np.maximum(kept, _LOWEST))
    if kept[-1] >= _LOWEST:
        return x, kept
    end = int(np.argmax(kept < _LOWEST))
    with np.errstate(divide="ignore"):
        before, edge, after = np.log([kept[end - 1], _LOWEST, kept[end]])
    crossing = x[end - 1] + (x[end] - x[end - 1]) * (before - edge) / (before - after)
    return np.append(x[:end], crossing), np.append(kept[:end], _LOWEST)


def _reference(pi_ref_loser: float) -> Array:
    return np.array([round(1 - pi_ref_loser, 12), pi_ref_loser])  # 1 − 0.9 is not 0.1 in float64


def _left_by(leash: Divergence, g: ExpectedPsi | Array, beta: float, pi_ref_loser: float) -> Array:
    """Return π*(y_l), where a leash that can drop it leaves no rest that is only rounding."""
    kept = tilted_policy(g, beta, leash, pi_ref=_reference(pi_ref_loser))[..., _L]
    return np.where(kept < _ROUNDING, 0.0, kept) if leash.drops else kept


@lru_cache(maxsize=64)
def _on_gaps(pi_ref_loser: float) -> dict[str, tuple[Array, Array]]:
    """Return the curve of each leash against gap/β, as positions on the two axes."""
    curves = {}
    for name, leash in _LEASHES.items():
        gaps = np.sort(np.append(_GAPS, _gap_that_drops(leash, pi_ref_loser)))
        gaps = gaps[gaps <= _LAST]
        g = np.stack([gaps, np.zeros_like(gaps)], axis=-1)
        kept = _left_by(leash, g, 1.0, pi_ref_loser)
        curves[name] = _curve(_place(gaps), kept, leash)
    return curves


def _gap_that_drops(leash: Divergence, pi_ref_loser: float) -> float:
    """Return the gap, in units of β, from which π*(y_l) is exactly 0; ∞ if there is none.

    There y_w has all probability, and the slopes at its ratio and at 0 differ by gap/β.
    """
    of_all, of_none = leash.slope(np.array([1 / _reference(pi_ref_loser)[_W], 0.0]))
    return float(of_all - of_none)


def _gap(one_minus_p: ArrayLike, lam: float) -> tuple[ExpectedPsi, Array]:
    """Return the scores where y_l beats y_w with probability 1 − p, and g(y_w) − g(y_l)."""
    g = expected_psi(tournament([(_L, _W)], 2, one_minus_p), folded_power(lam))
    return g, np.asarray(g.value[..., _W] - g.value[..., _L])


@lru_cache(maxsize=64)
def _gaps_of_psi(lam: float) -> Array:
    """Return the gap at each 1 − p of _FINE, which ends with that of certainty."""
    return _gap(_FINE, lam)[1]


def _limits(lam: float, beta: float, p: float, pi_ref_loser: float) -> _Limits:
    *gaps, certain = _gaps_of_psi(lam)
    dropped = _gap_that_drops(CHI_SQUARED, pi_ref_loser)
    here, reach = float(_gap(1 - p, lam)[1] / beta), float(certain / beta)
    if np.isclose(dropped, reach, rtol=1e-12, atol=0):  # equal but for rounding
        return _Limits(here, reach, reach, 0.0)
    if beta * dropped > gaps[-1]:
        return _Limits(here, reach, dropped, None)
    log_p = np.interp(beta * dropped, gaps, np.log(_FINE[:-1]))
    return _Limits(here, reach, dropped, float(np.exp(log_p)))


def _kept(lam: float, beta: float, p: float, pi_ref_loser: float) -> dict[str, _Kept]:
    """Return what each leash leaves y_l."""
    # A panel may start between two stops of p.
    stops = WINNING if p in WINNING else (p,)
    every, here = _solved(lam, beta, stops, pi_ref_loser), DECADES.size + stops.index(p)
    return {
        name: _Kept(kept[: DECADES.size], float(kept[here]), *map(float, kept[-2:]))
        for name, kept in every.items()
    }


@lru_cache(maxsize=256)
def _solved(
    lam: float, beta: float, stops: tuple[float, ...], pi_ref_loser: float
) -> dict[str, Array]:
    """Return what each leash leaves y_l at 1 − p = DECADES, at these p, at 10⁻⁶ and at 0."""
    one_minus_p = np.concatenate([DECADES, np.subtract(1.0, stops), [_SPEED, 0.0]])
    g = _gap(one_minus_p, lam)[0]
    return {name: _left_by(leash, g, beta, pi_ref_loser) for name, leash in _LEASHES.items()}


def update(
    artists: Artists, *, lam: float, beta: float, p: float, pi_ref_loser: float, which: str
) -> str:
    """Move every mark to the given values, and return the sentence under the picture."""
    kept_by, limits = _kept(lam, beta, p, pi_ref_loser), _limits(lam, beta, p, pi_ref_loser)
    every = {name: kept_by[name] for name in _SHOWN[which]}
    places = {
        "gap": _place([limits.here, limits.reach]),
        "p": np.array([decade(1 - p), CERTAIN]),
    }
    for name, kept in every.items():
        artists[f"gap {name}"].set_data(*_on_gaps(pi_ref_loser)[name])
        artists[f"p {name}"].set_data(*_curve(decade(DECADES), kept.on_p, _LEASHES[name]))
        for side, (at, at_certainty) in places.items():
            artists[f"{side} {name} here"].set_data([at], [_height(kept.here)])
            artists[f"{side} {name} certain"].set_data([at_certainty], [_height(kept.certain)])
        artists[f"{name} number"].set_text(probability(kept.here))
    for side, (at, _) in places.items():
        artists[f"{side} here"].set_xdata([at] * 2)
        artists[f"{side} pi_ref"].set_ydata([pi_ref_loser] * 2)
    artists["pi_ref number"].set_text(number(pi_ref_loser))
    _move_limits(artists, limits)
    return _sentence(every, limits, lam=lam, beta=beta, p=p, pi_ref_loser=pi_ref_loser)


def _move_limits(artists: Artists, limits: _Limits) -> None:
    """Move the stars where χ² drops y_l, and the region that no p reaches under this Ψ."""
    here, reach, dropped, dropped_at = limits
    artists["here number"].set_text(f"{number(here)} β" if np.isfinite(here) else "∞")
    artists["gap drop"].set_data(_place([dropped]), [_NOTHING])
    on_p = ([], []) if dropped_at is None else ([decade(dropped_at)], [_NOTHING])
    artists["p drop"].set_data(*on_p)
    artists["drop number"].set_text(f"{number(dropped)} β")
    start = float(np.minimum(_place(reach), _STRIP)) if limits.bounded else _EDGE
    artists["out of reach"].set_x(start)
    artists["out of reach"].set_width(_EDGE - start)
    artists["reach number"].set_text(f"> {number(reach)} β" if limits.bounded else "none")


def _sentence(
    every: dict[str, _Kept],
    limits: _Limits,
    *,
    lam: float,
    beta: float,
    p: float,
    pi_ref_loser: float,
) -> str:
    psi, had = psi_words(folded_power(lam), lam, ""), number(pi_ref_loser)
    at_beta = f"at β = {number(beta)} and at every other"
    if p == 1 and not limits.bounded:
        before = {name: kept.at_speed for name, kept in every.items()}
        return (
            f"The preference is certain, and {psi} is unbounded, so the gap is infinite. Every "
            f"leash drops y_l, which had {had}, {at_beta}: {_ALL[len(every)]} leave it exactly 0. They "
            f"differ in speed alone: at 1 − p = {number(_SPEED)}, y_l has {_few(before)}."
        )
    if p == 0.5:
        now = f"At p = 0.5 there is no gap, and every leash leaves y_l what π_ref gave it, {had}."
    else:
        kept = _few({name: kept.here for name, kept in every.items()})
        now = (
            f"At p = {_certain_or(p)} the gap is {number(limits.here)} β, and y_l, which had "
            f"{had}, has {kept}."
        )
    if not limits.bounded:
        return (
            f"{now} {_where_chi_squared_drops(limits)} Since {psi} is unbounded, the gap grows "
            f"without end as p nears 1, and y_l goes to 0 under every leash, {at_beta}."
        )
    largest = number(limits.reach)
    limit = "this is the largest gap" if p == 1 else f"the gap is never above {largest} β"
    return (
        f"{now} Since {psi} is bounded, {limit}, and every leash but χ² holds y_l at every "
        f"β. {_where_chi_squared_drops(limits)}"
    )


def _where_chi_squared_drops(limits: _Limits) -> str:
    dropped, at = number(limits.dropped), limits.dropped_at
    if limits.dropped > limits.reach:
        return f"χ² holds y_l here: it would drop y_l only from {dropped} β on."
    which = "" if at is None else f", which is p = {_certain_or(1 - at)}"
    return f"χ² drops y_l from {dropped} β on{which}."


def _certain_or(p: float) -> str:
    return "1" if p == 1 else probability(p)


def _few(kept: dict[str, float]) -> str:
    """Say what y_l has under χ² and KL, and under the leashes that leave it least and most.

    Of three leashes all are named.
    """
    positive = {name: left for name, left in kept.items() if left > 0}
    names = {"χ²", "KL", min(positive, key=positive.__getitem__), max(kept, key=kept.__getitem__)}
    if len(kept) == len(_SHOWN[_THREE]):
        names = set(kept)
    in_order = sorted(names, key=lambda name: (kept[name], name))
    return enumeration([f"{probability(kept[name])} under {name}" for name in in_order])


VIEW = View(
    name="leashes",
    title="It is Ψ, not KL, that drops the loser: other leashes",
    about=(
        "The curves show the probability π*(y_l) that the best policy leaves the loser y_l, if KL, "
        "χ² or another leash of strength β holds it near its start π_ref. An answer "
        "scores g(y), its mean Ψ(p), where p is how often y_w beats y_l, and λ leads Ψ from logit "
        "to identity."
    ),
    controls=(
        Slider("lam", "λ, from logit (0) to identity (2)", LAMBDAS, start=0.25),
        Slider("beta", "β, strength of the leash", BETAS[10:], start=0.5, named=(0.25,)),
        Slider("p", "p, how often y_w beats y_l", WINNING, start=0.99, write=probability),
        Slider(
            "pi_ref_loser",
            "π_ref(y_l), where y_l starts",
            (0.01, *TWENTIETHS[:-1]),
            start=0.5,
            named=(0.9,),
        ),
        Choice("which", "leashes shown", tuple(_SHOWN), start=_THREE),
    ),
    rebuild_on=("which",),
    build=build,
    update=update,
    guesses=guesses.LEASHES,
    size=(9.0, 4.6),
)
figure = VIEW.figure
panel = VIEW.panel
