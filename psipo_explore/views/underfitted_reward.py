"""Why RLHF with an underfitted reward does not collapse as DPO does (§4.2 of arXiv:2310.12036).

There are two actions, π_ref is uniform, and y_w wins all n comparisons. The left axis shows the
gap between the rewards that RLHF's first stage finds, with a ridge or stopped early; the right one
shows π(y_l) of each method against β.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psipo_explore import DPO, IPO, Comparisons, MarginLoss, fit_reward, gibbs_policy, minimise
from psipo_explore._checks import Array
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_entry
from psipo_explore.views.kit.stops import BETAS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability_from_log

_SAMPLES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
_RIDGES = tuple(sorted({float(f"{ridge:.1g}") for ridge in np.geomspace(0.001, 100, 31)}))
_STEPS = tuple(sorted({round(steps) for steps in np.geomspace(1, 10_000, 33)}))
_BETAS = np.geomspace(BETAS[0], BETAS[-1], 161)
_LOOKS = {
    "DPO": palette.DPO_LINE,
    "ridge": palette.RIDGE_LINE,
    "stopped": palette.STOPPED_LINE,
    "IPO": palette.IDENTITY_LINE,
}
_HIGHEST_GAP = 14.5


def _one_sided(n: int) -> Comparisons:
    return Comparisons.from_pairs([("y_w", "y_l")], weights=[n])


@lru_cache(maxsize=1024)
def _ridge_gap(n: int, ridge: float) -> float:
    return _gap(fit_reward(_one_sided(n), ridge=ridge))


@lru_cache(maxsize=1024)
def _stopped_gap(steps: int) -> float:
    """Return the gap between the rewards after so many steps, which is the same for every n.

    It does not depend on n because the step size is inversely proportional to the weights.
    """
    return _gap(fit_reward(_one_sided(1), steps=steps))


def _gap(reward: Array) -> float:
    return float(reward[0] - reward[1])


def _left_to_loser(gap: float, beta: float | Array) -> Array:
    """Return π(y_l) after RLHF's second stage, for rewards with the given gap."""
    return np.asarray(gibbs_policy(_rewards(gap), beta)[..., 1])


def _rewards(gap: float) -> list[float]:
    return [gap / 2, -gap / 2]


def _log_left_by(loss: MarginLoss, beta: float | Array) -> Array:
    """Return log π(y_l) at the loss's minimiser, or in its limit; π_ref is uniform."""
    return np.asarray(minimise(_one_sided(1), loss, beta).log_ratio[..., 1] - np.log(2))


@lru_cache(maxsize=1024)
def _log_left_at(loss: MarginLoss, beta: float) -> float:
    return float(_log_left_by(loss, beta))


def build(figure: Figure) -> Artists:
    """Draw the curves of DPO and IPO, which do not move, and the artists that do."""
    rewards, left = _axes(figure)
    artists: dict[str, Any] = {"beta": left.axvline(1.0, color="#222222", linewidth=1)}
    for name, loss in (("DPO", DPO), ("IPO", IPO)):
        left.plot(
            _BETAS, np.exp(_log_left_by(loss, _BETAS)), clip_on=False, zorder=3, **_line(name)
        )
    for name in ("ridge", "stopped"):
        artists[name] = left.plot([], [], **_line(name))[0]
        artists[f"{name} gap"] = rewards.plot([], [], **_line(name))[0]
        artists[f"{name} gap here"] = rewards.plot([], [], clip_on=False, zorder=5, **_LOOKS[name])[
            0
        ]
    for zorder, (name, look) in enumerate(_LOOKS.items(), 4):
        artists[f"{name} here"] = left.plot([], [], clip_on=False, zorder=zorder, **look)[0]
    artists["DPO here"].set_markersize(11)  # keeps it visible behind the others where all are 0
    rewards.annotate(
        "", (2, _HIGHEST_GAP), (2, 12.7), arrowprops={"arrowstyle": "->", "color": palette.LOGIT}
    )
    rewards.text(2.4, 13.1, "no ridge, no stop: ∞", color=palette.LOGIT)
    return {**artists, **_legend(figure)}


def _line(name: str) -> palette.Look:
    return {key: _LOOKS[name][key] for key in ("color", "linestyle")}


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    rewards, left = figure.subplots(1, 2, width_ratios=[1, 1.25])
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.14, top=0.79, wspace=0.22)
    rewards.set(
        xscale="log",
        xlim=(_STEPS[0], _STEPS[-1]),
        ylim=(0, _HIGHEST_GAP),
        xlabel="steps of descent",
    )
    rewards.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10 000"])
    rewards.set_ylabel("$r(y_w) - r(y_l)$")
    left.set(
        xscale="log",
        xlim=(BETAS[0], BETAS[-1]),
        ylim=(0, 0.55),
        xlabel=r"$\beta$, strength of the KL term",
    )
    left.set_ylabel(r"$\pi(y_l)$")
    left.axhline(0.5, **palette.REFERENCE_LINE)
    left.text(0.012, 0.51, r"$\pi_{ref}$", color=palette.REFERENCE)
    left.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    return rewards, left


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.05, 0.55, 0.95, 0.875
    return {
        "ridge number": line_entry(
            figure, left, upper, r"RLHF, reward with a ridge:  $\pi(y_l)$ =", _LOOKS["ridge"]
        ),
        "stopped number": line_entry(
            figure, left, lower, r"RLHF, reward stopped early:  $\pi(y_l)$ =", _LOOKS["stopped"]
        ),
        "DPO number": line_entry(figure, right, upper, r"DPO:  $\pi(y_l)$ =", _LOOKS["DPO"]),
        "IPO number": line_entry(figure, right, lower, r"IPO:  $\pi(y_l)$ =", _LOOKS["IPO"]),
    }


def update(artists: Artists, *, n: float, ridge: float, steps: float, beta: float) -> str:
    """Move the rewards and their curves, and return the sentence about what y_l keeps."""
    n, steps = int(n), int(steps)
    gaps = {"ridge": _ridge_gap(n, ridge), "stopped": _stopped_gap(steps)}
    now = {  # logarithms distinguish an exact 0 from a probability that float64 rounds to 0
        "DPO": _log_left_at(DPO, beta),
        **{name: float(log_gibbs_policy(_rewards(gap), beta)[1]) for name, gap in gaps.items()},
        "IPO": _log_left_at(IPO, beta),
    }
    artists["ridge gap"].set_data([_STEPS[0], _STEPS[-1]], [gaps["ridge"]] * 2)
    artists["stopped gap"].set_data(_STEPS, [*map(_stopped_gap, _STEPS)])
    for name, gap in gaps.items():
        artists[f"{name} gap here"].set_data([steps], [gap])
    artists["beta"].set_xdata([beta] * 2)
    for name, gap in gaps.items():
        artists[name].set_data(_BETAS, _left_to_loser(gap, _BETAS))
    left = {name: probability_from_log(log_value) for name, log_value in now.items()}
    for name, log_value in now.items():
        artists[f"{name} here"].set_data([beta], [np.exp(log_value)])
        artists[f"{name} number"].set_text(left[name].removeprefix("exactly "))
    return _sentence(n, ridge, steps, beta, gaps, left)


def _sentence(
    n: int, ridge: float, steps: int, beta: float, gaps: dict[str, float], left: dict[str, str]
) -> str:
    won = f"All {n} comparisons were won" if n > 1 else "The one comparison was won"
    stop = "1 step" if steps == 1 else f"{steps} steps"
    return (
        f"{won} by y_w. With a ridge of {number(ridge)} the rewards differ by {number(gaps['ridge'])}, after "
        f"{stop} by {number(gaps['stopped'])}, and without ridge and stop by ∞. "
        f"At β = {number(beta)} RLHF leaves y_l {left['ridge']} with the ridge and "
        f"{left['stopped']} when stopped; IPO {left['IPO']}; DPO {left['DPO']}, as at every β."
    )


VIEW = View(
    name="underfitted_reward",
    title="The underfitted reward, on one-sided data",
    about=(
        "Answer y_w won all n comparisons with y_l: one picture is of the gap of the rewards r that "
        "RLHF fits, with a ridge or stopped early, and the other is of the probability π(y_l) that "
        "each method leaves the loser. Here π_ref is the policy at the start, and β says how "
        "strongly π is held near it."
    ),
    controls=(
        Slider("n", "n, comparisons, all won by y_w", _SAMPLES, start=5, named=(500,)),
        Slider("ridge", "ridge, which pulls r to 0", _RIDGES, start=1.0),
        Slider("steps", "steps of descent, then stop", _STEPS, start=100, plays=True),
        Slider("beta", "β, strength of the KL term", BETAS, start=1.0, named=(10.0,)),
    ),
    build=build,
    update=update,
    guesses=guesses.UNDERFITTED_REWARD,
)
figure = VIEW.figure
panel = VIEW.panel
