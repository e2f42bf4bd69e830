"""The effect of few samples: Ψ sees only the answers of n raters (§4.2 of arXiv:2310.12036).

There are two actions, and π_ref and μ are uniform. The left axis shows the exact distribution of
p̂; the right one shows the mean of π*(y_l) at p̂, and how often logit's optimum collapses.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from psipo_explore import optimal_policy, tournament
from psipo_explore._checks import Array
from psipo_explore.few_samples import PreferenceLaw, preference_law
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.contrast import LOOKS, PSIS
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_entry
from psipo_explore.views.kit.stops import BETAS, TWENTIETHS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability

_MOST = 40
_SAMPLES = tuple(range(1, _MOST + 1))
_UNANIMOUS: palette.Look = {"colors": palette.LOGIT, "linewidths": 7}
_DIVIDED: palette.Look = {"colors": "#999999", "linewidths": 7}


@lru_cache(maxsize=64)
def _laws(p: float) -> list[PreferenceLaw]:
    """Return the exact distribution of p̂ for each number of samples."""
    return [preference_law(tournament([(0, 1)], 2, p), n=n) for n in _SAMPLES]


@lru_cache(maxsize=64)
def _left_to_loser(beta: float) -> dict[str, list[Array]]:
    """Return π*(y_l) under each Ψ, at each outcome of each number of samples.

    For speed, the p̂ of all numbers of samples form one array.
    """
    outcomes = [law.p_hat for law in _laws(0.5)]
    p_hat, ends = np.concatenate(outcomes), np.cumsum([len(some) for some in outcomes])[:-1]
    return {
        name: np.split(optimal_policy(p_hat, psi, beta)[:, 1], ends) for name, psi in PSIS.items()
    }


def _against_n(p: float, beta: float) -> dict[str, Array]:
    """Return logit's P(collapse), and E[π*(y_l)] under each Ψ, for each number of samples."""
    laws = _laws(p)
    means = {
        name: np.array([law.probability @ x for law, x in zip(laws, of_n, strict=True)])
        for name, of_n in _left_to_loser(beta).items()
    }
    unanimous = np.array([law.probability[0] + law.probability[-1] for law in laws])
    return {"collapse": unanimous, **means}


def build(figure: Figure) -> Artists:
    """Draw the two axes and the legend."""
    law, left_to_loser = _axes(figure)
    artists: dict[str, Artist] = {
        "divided": law.add_collection(LineCollection([], **_DIVIDED), autolim=False),
        "unanimous": law.add_collection(LineCollection([], **_UNANIMOUS), autolim=False),
        "p": law.axvline(0, color="#222222", linewidth=1),
        "n": left_to_loser.axvline(0, color="#222222", linewidth=1),
        "unanimous words": law.text(0.03, 0.93, "", transform=law.transAxes, va="top", fontsize=10),
    }
    for name, look in {"collapse": palette.COLLAPSE_LINE, **LOOKS}.items():
        artists[name] = left_to_loser.plot(
            [], [], color=look["color"], linestyle=look["linestyle"]
        )[0]
        artists[f"{name} here"] = left_to_loser.plot([], [], clip_on=False, zorder=5, **look)[0]
        if name in PSIS:
            artists[f"{name} at p"] = left_to_loser.plot(
                [], [], color=look["color"], linestyle=":", linewidth=1.4
            )[0]
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    law, left_to_loser = figure.subplots(1, 2, width_ratios=[1, 1.25])
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.14, top=0.79, wspace=0.17)
    law.set(
        xlim=(-0.03, 1.03),
        ylim=(0, 1),
        xlabel=r"$\hat p$, share of the $n$ that preferred $y_w$",
        ylabel="probability",
    )
    left_to_loser.set(xlim=(0.5, _MOST + 0.5), ylim=(0, 1), xlabel="$n$, raters asked")
    law.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    left_to_loser.set_xticks([1, 10, 20, 30, 40])
    return law, left_to_loser


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.05, 0.49, 0.95, 0.875
    dotted = {"color": "#555555", "linestyle": ":", "linewidth": 1.4}
    line_entry(figure, right, lower, r"dotted: $\pi^*(y_l)$ at the true $p$", dotted)
    return {
        "collapse number": line_entry(
            figure, left, upper, r"P($\hat p$ is 0 or 1), logit collapses: ", palette.COLLAPSE_LINE
        ),
        "logit number": line_entry(
            figure, left, lower, r"$\Psi$ = logit:  E[$\pi^*(y_l)$] =", LOOKS["logit"]
        ),
        "identity number": line_entry(
            figure, right, upper, r"$\Psi$ = identity:  E[$\pi^*(y_l)$] =", LOOKS["identity"]
        ),
    }


def update(artists: Artists, *, p: float, n: float, beta: float) -> str:
    """Move every mark to the given values, and return the sentence under the picture."""
    n = int(n)
    table = tournament([(0, 1)], 2, p)
    law, curves = _laws(p)[n - 1], _against_n(p, beta)
    bars = [
        [(x, 0.0), (x, height)]
        for x, height in zip(law.p_hat[:, 0, 1], law.probability, strict=True)
    ]
    artists["divided"].set_segments(bars[1:-1])
    artists["unanimous"].set_segments([bars[0], bars[-1]])
    artists["unanimous words"].set_text(
        f"all {n} agree: {number(curves['collapse'][n - 1])}" if n > 1 else "a single sample"
    )
    artists["p"].set_xdata([p] * 2)
    artists["n"].set_xdata([n] * 2)
    at_p = {name: float(optimal_policy(table, psi, beta)[1]) for name, psi in PSIS.items()}
    for name, curve in curves.items():
        artists[name].set_data(_SAMPLES, curve)
        artists[f"{name} here"].set_data([n], [curve[n - 1]])
        artists[f"{name} number"].set_text(number(curve[n - 1]))
    for name, value in at_p.items():
        artists[f"{name} at p"].set_data([0.5, _MOST + 0.5], [value] * 2)
    return _sentence(
        p, n, beta, {name: float(curve[n - 1]) for name, curve in curves.items()}, at_p
    )


def _sentence(p: float, n: int, beta: float, now: dict[str, float], at_p: dict[str, float]) -> str:
    raters = "n = 1 rater always agrees" if n == 1 else f"n = {n} raters all agree"
    return (
        f"With p = {probability(p)}, {raters} (p̂ is 0 or 1) with probability "
        f"{number(now['collapse'])}: that often "
        f"logit drops one answer, at every β. At β = {number(beta)} it leaves y_l "
        f"{number(now['logit'])} on average, and "
        f"{number(at_p['logit'])} where p is known. Identity leaves it {number(now['identity'])} "
        "on average, and "
        f"{number(at_p['identity'])} where p is known."
    )


VIEW = View(
    name="few_samples",
    title="A few samples: how often they all agree, and what is left to y_l",
    about=(
        "One picture is of the share p̂ of n raters who prefer y_w to y_l, and the other is of what "
        "the best policy leaves the loser, π*(y_l), if only these raters are known and Ψ is logit or "
        "identity. Each rater prefers y_w with probability p, and β says how strongly the policy "
        "is held near its uniform start."
    ),
    controls=(
        Slider(
            "p",
            "p, how often y_w beats y_l",
            (*TWENTIETHS[9:], 0.99, 0.999, 1.0),
            start=0.8,
            write=probability,
        ),
        Slider("n", "n, raters asked", _SAMPLES, start=5),
        Slider("beta", "β, strength of the KL term", BETAS, start=10.0),
    ),
    build=build,
    update=update,
    guesses=guesses.FEW_SAMPLES,
)
figure = VIEW.figure
panel = VIEW.panel
