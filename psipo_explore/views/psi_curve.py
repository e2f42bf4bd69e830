"""Ψ(q) from logit to identity: Tukey's folded powers between them, their slopes, and the ends where logit runs off.

The curve Ψ(q) = log(q/(1−q)) of §4.1 of arXiv:2310.12036, and identity (§5). Constants in Ψ change nothing, so all
curves are drawn through (½, 0).
"""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psipo_explore import IDENTITY, LOGIT, Psi, folded_power
from psipo_explore.views import palette
from psipo_explore.views.legend import line_entry
from psipo_explore.views.stops import LAMBDAS, TWENTIETHS
from psipo_explore.views.view import Artists, Slider, View
from psipo_explore.views.words import number

_Q = np.concatenate([np.geomspace(1e-5, 0.01, 60), np.linspace(0.011, 0.989, 200), 1 - np.geomspace(0.01, 1e-5, 60)])
_TOP = 7.0  # of the axis of Ψ
_STEEPEST = 2000.0  # of the axis of slopes
_FIXED = {"logit": (LOGIT, palette.LOGIT_LINE), "identity": (IDENTITY, palette.IDENTITY_LINE)}
_LINE_ONLY = ("color", "linestyle")
_TANGENT = {"color": "#56B4E9", "linewidth": 2.4, "zorder": 3}
_REACH = 0.25  # of the tangent, to either side


def build(figure: Figure) -> Artists:
    """Draw logit and identity, which stand still, and what moves between them."""
    values, slopes = _axes(figure)
    for psi, look in _FIXED.values():
        only_line = {"linewidth": 4.5, **{key: look[key] for key in _LINE_ONLY}}
        values.plot(_Q, psi(_Q) - psi.centre, **only_line)
        slopes.plot(_Q, psi.derivative(_Q), **only_line)
    artists: dict[str, Artist] = {"tangent": values.plot([], [], **_TANGENT)[0]}
    for name, ax in (("value", values), ("slope", slopes)):
        artists[f"{name} curve"] = ax.plot([], [], color=palette.CHOSEN, linewidth=1.6)[0]
        artists[f"{name} here"] = ax.plot([], [], clip_on=False, zorder=5, **palette.CHOSEN_LINE)[0]
    for end, marker in (("ends", "o"), ("runs off below", "v"), ("runs off above", "^")):
        artists[end] = values.plot([], [], linestyle="none", marker=marker, markersize=9, color=palette.CHOSEN, clip_on=False)[0]
    artists["ends words"] = values.text(0.03, 0.87, "", transform=values.transAxes)
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1])
    figure.subplots_adjust(left=0.09, right=0.975, bottom=0.125, top=0.84, hspace=0.13)
    above.set(xlim=(0, 1), ylim=(-_TOP, _TOP), ylabel=r"$\Psi(q) - \Psi(½)$")
    below.set(yscale="log", ylim=(0.5, _STEEPEST), xlabel="$q$, probability of being preferred", ylabel=r"slope $\Psi^\prime(q)$")
    below.set_yticks([1, 10, 100, 1000])
    return above, below


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.09, 0.5, 0.955, 0.89
    only_line = {name: {key: look[key] for key in _LINE_ONLY} for name, (_, look) in _FIXED.items()}
    line_entry(figure, left, upper, r"logit  $\log\frac{q}{1-q}$", only_line["logit"])
    line_entry(figure, left, lower, "identity  $q$", only_line["identity"])
    chosen = line_entry(
        figure, right, upper, r"$\Psi_\lambda = (q^\lambda - (1-q)^\lambda)/\lambda$,   $\lambda$ =", palette.CHOSEN_LINE
    )
    slope = line_entry(figure, right, lower, r"tangent at $q$, slope", _TANGENT)
    return {"lam number": chosen, "slope number": slope}


def update(artists: Artists, *, lam: float, q: float) -> str:
    """Move the folded power, its tangent and its ends, and say what is steep where."""
    psi = folded_power(lam)
    value, slope = float(psi(q)), float(psi.derivative(q))
    drawn = np.concatenate([[0.0], _Q, [1.0]]) if psi.bounded else _Q
    artists["value curve"].set_data(drawn, psi(drawn))
    artists["slope curve"].set_data(_Q, psi.derivative(_Q))
    artists["value here"].set_data([q], [value])
    artists["slope here"].set_data([q], [slope])
    artists["tangent"].set_data([q - _REACH, q + _REACH], [value - slope * _REACH, value + slope * _REACH])
    inside = psi.at_one <= _TOP
    artists["ends"].set_data(*([0, 1], [psi.at_zero, psi.at_one]) if inside else ([], []))
    artists["runs off below"].set_data(*([], []) if inside else ([0], [-_TOP]))
    artists["runs off above"].set_data(*([], []) if inside else ([1], [_TOP]))
    artists["ends words"].set_text(f"ends at ±{number(psi.at_one)}" if psi.bounded else "runs off to ±∞")
    artists["lam number"].set_text("0, in the limit: logit" if lam == 0 else number(lam))
    artists["slope number"].set_text(number(slope))
    return _sentence(psi, lam, q, slope)


def _sentence(psi: Psi, lam: float, q: float, slope: float) -> str:
    at_half = float(psi.derivative(0.5))
    name = {0.0: "Ψ is logit", 2.0: "Ψ is identity, but for a constant"}.get(lam, f"Ψ is the folded power λ = {number(lam)}")
    steeper = f"{number(slope / at_half)} times" if abs(slope / at_half - 1) > 1e-9 else "exactly"
    if psi.bounded:
        ends = (
            f"It ends at Ψ(1) − Ψ(½) = {number(psi.at_one)}: bounded, so no log-ratio moves further than {number(psi.spread)}/β."
        )
    else:
        last = number(psi(0.9999) - psi(0.999))
        ends = f"It runs off to ±∞: from 0.999 to 0.9999 it still gains {last}, and every further nine is worth as much."
    return (
        f"{name}. At q = {number(q)} its slope is {number(slope)}, {steeper} its slope at ½: "
        f"a preference stronger by 0.001 is worth {number(psi(min(q + 0.001, 1.0)) - psi(q))} more. {ends}"
    )


VIEW = View(
    name="psi_curve",
    title="Ψ(q), from logit to identity",
    controls=(
        Slider("lam", "λ, from logit (0) to identity (2)", LAMBDAS, start=0.5),
        Slider("q", "q, where the tangent touches", (0.001, 0.01, *TWENTIETHS, 0.99, 0.999), start=0.9),
    ),
    build=build,
    update=update,
    size=(9.0, 4.7),
)
figure = VIEW.figure
panel = VIEW.panel
