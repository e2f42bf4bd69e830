"""The collapse of π*(y_l) as p*(y_w ≻ y_l) → 1 (§4.2 and §5.3.1 of arXiv:2310.12036).

There are two actions, μ is uniform, and logit is compared with identity. The left axis is linear
in p; the right one is logarithmic in 1 − p and has a separate place for p = 1.
"""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from psipo_explore import IDENTITY, Psi, expected_psi, gibbs_policy, optimal_policy, tournament
from psipo_explore._checks import Array
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.certainty_axis import CERTAIN, DECADES, decade, set_certainty_axis
from psipo_explore.views.kit.contrast import LOOKS, PSIS
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_entry, patch_entry
from psipo_explore.views.kit.stops import BETAS, TWENTIETHS, WINNING
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability, probability_from_log

_OUT_OF_REACH: palette.Look = {"facecolor": palette.IDENTITY_PALE, "linewidth": 0}


def _linear(one_minus_p: Array | float) -> Array:
    """Return the position of 1 − p on the linear axis of p."""
    return np.subtract(1.0, one_minus_p)


# Each axis has a function that places 1 − p on it, and a grid of 1 − p for its curves.
_CURVES = {"linear": (_linear, np.linspace(0.5, 0.0, 201)), "decades": (decade, DECADES)}
_GRIDS = [grid for _, grid in _CURVES.values()]
_ENDS = np.cumsum([grid.size for grid in _GRIDS])
_BEYOND = r"beyond identity's reach in log-ratio,  $1/(2\beta)$ ="


def _loser_probability(one_minus_p: Array, psi: Psi, beta: float, pi_ref_loser: float) -> Array:
    """Return π*(y_l) where y_l beats y_w with probability one_minus_p = 1 − p."""
    loser_beats_winner = tournament([(1, 0)], 2, one_minus_p)
    return optimal_policy(loser_beats_winner, psi, beta, pi_ref=[1 - pi_ref_loser, pi_ref_loser])[
        ..., 1
    ]


def build(figure: Figure) -> Artists:
    """Draw the two axes and the legend."""
    linear, decades = _axes(figure)
    artists: dict[str, Artist] = {}
    for side, ax in zip(_CURVES, (linear, decades), strict=True):
        artists[f"{side} bound"] = ax.add_patch(
            Rectangle((0, 0), 1, 0, transform=ax.get_yaxis_transform(), **_OUT_OF_REACH)
        )
        artists[f"{side} pi_ref"] = ax.axhline(0, **palette.REFERENCE_LINE)
        artists[f"{side} p"] = ax.axvline(0, color="#222222", linewidth=1)
        for name, look in LOOKS.items():
            artists[f"{side} {name}"] = ax.plot(
                [], [], color=look["color"], linestyle=look["linestyle"]
            )[0]
    for name, look in LOOKS.items():
        artists[f"certain {name}"] = decades.plot(
            [], [], clip_on=False, markerfacecolor="white", **look
        )[0]
    for side, ax in zip(_CURVES, (linear, decades), strict=True):
        for name, look in reversed(LOOKS.items()):  # draws the smaller mark last, on top
            artists[f"{side} {name} here"] = ax.plot([], [], clip_on=False, zorder=5, **look)[0]
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5], sharey=True)
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.155, top=0.8, wspace=0.08)
    left.set(xlim=(0.5, 1), ylim=(0, 1), xlabel=r"$p = p^*(y_w \succ y_l)$", ylabel=r"$\pi^*(y_l)$")
    set_certainty_axis(right)
    return left, right


def _legend(figure: Figure) -> Artists:
    """Draw the legend, and return the texts of the numbers in it."""
    left, right, upper, lower = 0.08, 0.45, 0.94, 0.87
    return {
        "logit number": line_entry(
            figure, left, upper, r"$\Psi$ = logit:  $\pi^*(y_l)$ =", LOOKS["logit"]
        ),
        "identity number": line_entry(
            figure, right, upper, r"$\Psi$ = identity:  $\pi^*(y_l)$ =", LOOKS["identity"]
        ),
        "pi_ref number": line_entry(
            figure, left, lower, r"$\pi_{ref}(y_l)$ =", palette.REFERENCE_LINE
        ),
        "bound number": patch_entry(figure, right, lower, _BEYOND, _OUT_OF_REACH),
    }


def update(artists: Artists, *, p: float, beta: float, pi_ref_loser: float) -> str:
    """Move every mark to the given values, and return the sentence under the picture."""
    one_minus_p = 1 - p
    reference = [1 - pi_ref_loser, pi_ref_loser]
    # π(y_l) after the log-ratio has moved by spread/2β, the most that identity moves it if there
    # are two answers.
    farthest = float(gibbs_policy([IDENTITY.spread / 2, 0.0], beta, pi_ref=reference)[1])
    scores = {
        name: expected_psi(tournament([(1, 0)], 2, one_minus_p), psi) for name, psi in PSIS.items()
    }
    # How far the log-ratio of y_w to y_l has moved from that of π_ref.
    moved = {name: float((g.value[0] - g.value[1]) / beta) for name, g in scores.items()}
    left = {
        name: probability_from_log(float(log_gibbs_policy(g, beta, pi_ref=reference)[1]))
        for name, g in scores.items()
    }
    for side, (x, _) in _CURVES.items():
        artists[f"{side} bound"].set_height(farthest)
        artists[f"{side} pi_ref"].set_ydata([pi_ref_loser] * 2)
        artists[f"{side} p"].set_xdata([x(one_minus_p)] * 2)
    for name, psi in PSIS.items():
        curves = _loser_probability(
            np.concatenate([*_GRIDS, [one_minus_p, 0.0]]), psi, beta, pi_ref_loser
        )
        *sides, (here, certain) = np.split(curves, _ENDS)
        for side, curve in zip(_CURVES, sides, strict=True):
            x, grid = _CURVES[side]
            artists[f"{side} {name}"].set_data(x(grid), curve)
            artists[f"{side} {name} here"].set_data([x(one_minus_p)], [here])
        artists[f"certain {name}"].set_data([CERTAIN], [certain])
        artists[f"{name} number"].set_text(left[name])
    artists["pi_ref number"].set_text(number(pi_ref_loser))
    artists["bound number"].set_text(number(IDENTITY.spread / (2 * beta)))
    return _sentence(p, beta, pi_ref_loser, left, moved)


def _sentence(
    p: float, beta: float, pi_ref_loser: float, left: dict[str, str], moved: dict[str, float]
) -> str:
    bound, half = number(IDENTITY.spread / beta), number(IDENTITY.spread / (2 * beta))
    identity = (
        f"Identity leaves it {left['identity']}: its log-ratio has moved by {number(moved['identity'])}, "
        f"{'which is' if p == 1 else 'and even p = 1 moves it by no more than'} 1/(2β) = {half} "
        f"(among many answers at most 1/β = {bound})."
    )
    if p == 0.5:
        return (
            "At p = 0.5 nobody prefers anything, and both leave y_l what π_ref gave it, "
            f"{number(pi_ref_loser)}, at every β. "
            f"As p grows, identity can move the log-ratio by up to 1/(2β) = {half} (among many answers "
            f"1/β = {bound}), logit by any amount."
        )
    if p == 1:
        return (
            f"The preference is certain: logit's optimum gives y_l probability {left['logit']}, at "
            f"β = {number(beta)} and at "
            f"every other β, though π_ref gave it {number(pi_ref_loser)}. {identity}"
        )
    return (
        f"At p = {probability(p)} and β = {number(beta)}, logit leaves y_l {left['logit']}, where "
        "π_ref gave it "
        f"{number(pi_ref_loser)}: the log-ratio log π*(y_w)/π*(y_l) is {number(moved['logit'])} "
        "more than π_ref's, and grows "
        f"without end as p nears 1. {identity}"
    )


VIEW = View(
    name="collapse",
    title="The collapse of π*(y_l) as a preference becomes certain",
    about=(
        "The curves show the probability π*(y_l) that the best policy leaves the loser y_l if it "
        "maximises a function Ψ of the preferences, which is logit or identity. Here p is how "
        "often the winner y_w beats y_l, π_ref is the policy at the start, and β says how strongly "
        "KL holds the best policy near π_ref."
    ),
    controls=(
        Slider("p", "p, how often y_w beats y_l", WINNING, start=0.9, write=probability),
        Slider("beta", "β, strength of the KL term", BETAS, start=1.0),
        Slider(
            "pi_ref_loser", "π_ref(y_l), where y_l starts", (0.01, *TWENTIETHS, 0.99), start=0.5
        ),
    ),
    build=build,
    update=update,
    guesses=guesses.COLLAPSE,
)
figure = VIEW.figure
panel = VIEW.panel
