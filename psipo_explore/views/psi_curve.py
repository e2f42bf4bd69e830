"""The curve Ψ(q) and its slope, from logit over Tukey's folded powers to identity.

Logit is the Ψ of §4.1 of arXiv:2310.12036, and identity that of §5. Adding a constant to Ψ changes
no optimum, so all curves are drawn through (½, 0).
"""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from psipo_explore import IDENTITY, LOGIT, Psi
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.labels import not_mathematics
from psipo_explore.views.kit.legend import fitting, line_entry, text_after
from psipo_explore.views.kit.psi_control import FORMULA, chosen_psi, psi_words
from psipo_explore.views.kit.stops import LAMBDAS, TWENTIETHS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number

_Q = np.concatenate(
    [np.geomspace(1e-5, 0.01, 60), np.linspace(0.011, 0.989, 200), 1 - np.geomspace(0.01, 1e-5, 60)]
)
_TOP = 7.0  # upper end of the Ψ axis
_STEEPEST = 2000.0  # upper end of the slope axis
_FIXED = {"logit": (LOGIT, palette.LOGIT_LINE), "identity": (IDENTITY, palette.IDENTITY_LINE)}
_LINE_ONLY = ("color", "linestyle")
_TANGENT: palette.Look = {"color": "#56B4E9", "linewidth": 2.4, "zorder": 3}
_REACH = 0.25  # half the width of the tangent
_LEGEND_INCHES = 3.7
_NARROW = (4.8, 5.8)  # inches, with the legend in one column
# The number stands in a text of its own, because Matplotlib takes long to read the formula.
_FOLDED_POWER = r"$\Psi_\lambda = (q^\lambda - (1-q)^\lambda)/\lambda$,   $\lambda$ ="


def build(figure: Figure) -> Artists:
    """Draw logit and identity, which do not move, and the artists that do."""
    values, slopes = _axes(figure)
    for psi, look in _FIXED.values():
        only_line: palette.Look = {"linewidth": 4.5, **{key: look[key] for key in _LINE_ONLY}}
        values.plot(_Q, psi(_Q) - psi.centre, **only_line)
        slopes.plot(_Q, psi.derivative(_Q), **only_line)
    artists: dict[str, Artist] = {"tangent": values.plot([], [], **_TANGENT)[0]}
    for name, ax in (("value", values), ("slope", slopes)):
        artists[f"{name} curve"] = ax.plot([], [], color=palette.CHOSEN, linewidth=1.6)[0]
        artists[f"{name} here"] = ax.plot([], [], clip_on=False, zorder=5, **palette.CHOSEN_LINE)[0]
    for end, marker in (("ends", "o"), ("runs off below", "v"), ("runs off above", "^")):
        artists[end] = values.plot(
            [],
            [],
            linestyle="none",
            marker=marker,
            markersize=9,
            color=palette.CHOSEN,
            clip_on=False,
        )[0]
    artists["ends words"] = values.text(0.03, 0.87, "", transform=values.transAxes)
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1])
    if _is_narrow(figure):
        figure.subplots_adjust(left=0.16, right=0.95, bottom=0.095, top=0.765, hspace=0.11)
    else:
        figure.subplots_adjust(left=0.09, right=0.975, bottom=0.125, top=0.84, hspace=0.13)
    above.set(xlim=(0, 1), ylim=(-_TOP, _TOP), ylabel=r"$\Psi(q) - \Psi(½)$")
    below.set(
        yscale="log",
        ylim=(0.5, _STEEPEST),
        xlabel="$q$, probability of being preferred",
        ylabel=r"slope $\Psi^\prime(q)$",
    )
    below.set_yticks([1, 10, 100, 1000])
    return above, below


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.09, 0.5, 0.955, 0.89
    logit, identity, psi, tangent = (left, upper), (left, lower), (right, upper), (right, lower)
    if _is_narrow(figure):
        logit, identity, psi, tangent = ((0.03, y) for y in (0.965, 0.915, 0.865, 0.82))
    only_line = {name: {key: look[key] for key in _LINE_ONLY} for name, (_, look) in _FIXED.items()}
    line_entry(figure, *logit, r"logit  $\log\frac{q}{1-q}$", only_line["logit"])
    line_entry(figure, *identity, "identity  $q$", only_line["identity"])
    chosen = line_entry(figure, *psi, "", palette.CHOSEN_LINE)
    return {
        "chosen": chosen,
        "lambda": text_after(chosen, _FOLDED_POWER),
        "slope number": line_entry(figure, *tangent, r"tangent at $q$, slope", _TANGENT),
    }


def _is_narrow(figure: Figure) -> bool:
    return bool(figure.get_figwidth() == _NARROW[0])


def update(artists: Artists, *, lam: float, q: float, formula: str) -> str:
    """Move the chosen Ψ, its tangent and its ends, and return the sentence about its slope."""
    psi = chosen_psi(lam, formula)
    value, slope = float(psi(q)) - psi.centre, float(psi.derivative(q))
    ends = [psi.at_zero - psi.centre, psi.at_one - psi.centre]
    drawn = np.concatenate([[0.0], _Q, [1.0]]) if psi.bounded else _Q
    artists["value curve"].set_data(drawn, psi(drawn) - psi.centre)
    artists["slope curve"].set_data(_Q, psi.derivative(_Q))
    artists["value here"].set_data([q], [value])
    artists["slope here"].set_data([q], [slope])
    artists["tangent"].set_data(
        [q - _REACH, q + _REACH], [value - slope * _REACH, value + slope * _REACH]
    )
    inside = [(q_end, end) for q_end, end in zip((0, 1), ends, strict=True) if abs(end) <= _TOP]
    artists["ends"].set_data([q_end for q_end, _ in inside], [end for _, end in inside])
    artists["runs off below"].set_data(*([0], [-_TOP]) if ends[0] < -_TOP else ([], []))
    artists["runs off above"].set_data(*([1], [_TOP]) if ends[1] > _TOP else ([], []))
    artists["ends words"].set_text(_ends(psi))
    typed = formula.strip()
    artists["chosen"].set_text(_typed(psi, artists["chosen"]) if typed else _FOLDED_POWER)
    artists["lambda"].set_text("" if typed else _which(lam))
    artists["slope number"].set_text(number(slope))
    return _sentence(psi, lam, q, slope, formula)


def _typed(psi: Psi, text: Text) -> str:
    by_name = rf"$\Psi(q)$ = {not_mathematics(psi.name)}"
    return fitting(
        (rf"$\Psi(q) = {psi.latex}$", by_name, r"$\Psi(q)$ as typed"), text, _LEGEND_INCHES
    )


def _which(lam: float) -> str:
    return "0, in the limit: logit" if lam == 0 else number(lam)


def _ends(psi: Psi) -> str:
    below, above = psi.at_zero - psi.centre, psi.at_one - psi.centre
    if psi.bounded:
        return (
            f"ends at ±{number(above)}"
            if psi.odd
            else f"ends at {number(below)} and {number(above)}"
        )
    return f"runs off to {'±∞' if below == -above else '∞' if np.isinf(above) else '−∞'}"


def _sentence(psi: Psi, lam: float, q: float, slope: float, formula: str) -> str:
    at_half = float(psi.derivative(0.5))
    if abs(slope - at_half) <= 1e-9 * at_half:
        steeper = "exactly its slope at ½"
    else:
        steeper = f"{number(slope / at_half)} times its slope at ½" if at_half else "at ½ it is 0"
    step = number(float(psi(min(q + 0.001, 1.0)) - psi(q)))
    subject = "" if formula.strip() else "Ψ is "
    return (
        f"{subject}{psi_words(psi, lam, formula)}. At q = {number(q)} its slope is "
        f"{number(slope)}, {steeper}: "
        f"a preference stronger by 0.001 is worth {step} more. {_reach(psi, lam, formula)}"
    )


def _reach(psi: Psi, lam: float, formula: str) -> str:
    if psi.bounded:
        spread = number(psi.spread)
        return (
            "It is bounded, so nothing is ever exactly 0: no log-ratio moves further than "
            f"(Ψ(1) − Ψ(0))/β = {spread}/β."
        )
    if lam == 0 and not formula.strip():
        last = number(float(psi(0.9999) - psi(0.999)))
        return (
            "It is unbounded, so at q = 1 no β stops a collapse: from 0.999 to 0.9999 it still gains "
            f"{last}, and each further digit 9 "
            "is worth as much, without end."
        )
    return (
        f"It {_ends(psi)}: unbounded, so that between two answers a certain preference makes "
        "the policy collapse at every β."
    )


VIEW = View(
    name="psi_curve",
    title="Ψ(q), from logit to identity",
    about=(
        "The upper curves show what a probability q of being preferred is worth under Ψ, a "
        "function that rises, and the lower ones show the slope Ψ′(q). The slider λ leads from "
        "logit, log(q/(1 − q)), at 0 to identity, which is q, at 2, and the tangent touches the "
        "curve at q."
    ),
    controls=(
        Slider("lam", "λ, from logit (0) to identity (2)", LAMBDAS, start=0.5),
        Slider(
            "q", "q, where the tangent touches", (0.001, 0.01, *TWENTIETHS, 0.99, 0.999), start=0.9
        ),
        FORMULA,
    ),
    build=build,
    update=update,
    guesses=guesses.PSI_CURVE,
    size=(9.0, 4.7),
    narrow=_NARROW,
)
figure = VIEW.figure
panel = VIEW.panel
