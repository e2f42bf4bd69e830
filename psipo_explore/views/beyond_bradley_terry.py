"""How a cycle in the preferences separates ΨPO from DPO and RLHF (Prop. 4 of arXiv:2310.12036).

Three actions have rewards 1, 0 and −1, and a cycle adds the same log-odds to a over b, to b over
c, and to c over a. π_ref is uniform, and DPO and RLHF see the comparisons of the whole population.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit

from psipo_explore import (
    DPO,
    IDENTITY,
    LOGIT,
    Comparisons,
    cyclic_share,
    fit_reward,
    gibbs_policy,
    minimise,
    optimal_policy,
)
from psipo_explore._checks import Array
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_entry
from psipo_explore.views.kit.stops import BETAS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import enumeration, number, probability

_ACTIONS = ("a", "b", "c")
_REWARDS = np.array([1.0, 0.0, -1.0])
_CYCLE = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
_STRENGTHS = tuple(np.linspace(0, 4, 41).round(1).tolist())
_SHARES = (0.05, 0.2, 1 / 3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_INTRANSITIVE = float(_REWARDS[0] - _REWARDS[2])  # a stronger cycle makes c beat a
_LOOKS: dict[str, palette.Look] = {
    "logit": palette.LOGIT_LINE,
    "DPO": palette.DPO_LINE,
    "identity": palette.IDENTITY_LINE,
}
_RINGS: palette.Look = {
    "color": "#000000",
    "marker": "o",
    "markersize": 11,
    "markerfacecolor": "none",
    "linestyle": "none",
}


def preferences(strength: float | Array) -> Array:
    """Return p* = σ(r − r' + cycle), whose log-odds add a reward difference and a cycle."""
    return np.asarray(
        expit(_REWARDS[:, None] - _REWARDS + np.asarray(strength)[..., None, None] * _CYCLE)
    )


def _opponents(share: float) -> Array:
    """Return μ with the given share on c, and the rest divided equally between a and b."""
    return np.array([(1 - share) / 2, (1 - share) / 2, share])


@lru_cache(maxsize=64)
def _fitted_rewards(share: float) -> Array:
    """Fit the population's Bradley–Terry reward at every strength of the cycle.

    Each strength is one context of a single data set, so that one fit is enough.
    """
    mu = _opponents(share)
    weights = mu[:, None] * mu * preferences(np.array(_STRENGTHS))
    context, winner, loser = np.nonzero(weights * (1 - np.eye(3)))
    data = Comparisons(
        3 * context + winner,
        3 * context + loser,
        _ACTIONS * len(_STRENGTHS),
        weights[context, winner, loser],
        np.repeat(np.arange(len(_STRENGTHS)), 3),
    )
    return fit_reward(data).reshape(-1, 3)


@lru_cache(maxsize=64)
def _policies(share: float, beta: float) -> dict[str, Array]:
    """Return the policy of each method at every strength of the cycle."""
    mu, p = _opponents(share), preferences(np.array(_STRENGTHS))
    return {
        "logit": optimal_policy(p, LOGIT, beta, mu=mu),
        "DPO": gibbs_policy(_fitted_rewards(share), beta),
        "identity": optimal_policy(p, IDENTITY, beta, mu=mu),
    }


def build(figure: Figure) -> Artists:
    """Draw one axis for each action, and shade the strengths at which c beats a as well."""
    axes = _axes(figure)
    artists: dict[str, Artist] = {}
    for action, ax in zip(_ACTIONS, axes, strict=True):
        artists[f"{action} strength"] = ax.axvline(0, color="#222222", linewidth=1)
        for name, look in _LOOKS.items():
            artists[f"{action} {name}"] = ax.plot(
                [], [], color=look["color"], linestyle=look["linestyle"]
            )[0]
            on_top = {"identity": 4, "logit": 5, "DPO": 6}[name]
            artists[f"{action} {name} here"] = ax.plot(
                [], [], clip_on=False, zorder=on_top, **look
            )[0]
        artists[f"{action} RLHF here"] = ax.plot([], [], clip_on=False, zorder=7, **_RINGS)[0]
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> list[Axes]:
    axes: list[Axes] = list(figure.subplots(1, 3, sharey=True))
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.15, top=0.72, wspace=0.1)
    for action, ax in zip(_ACTIONS, axes, strict=True):
        ax.set(xlim=(0, _STRENGTHS[-1]), ylim=(0, 1), title=rf"$\pi({action})$", xticks=range(5))
        ax.axvspan(_INTRANSITIVE, _STRENGTHS[-1], color="#eeeeee", zorder=0)
    axes[0].set_ylabel("probability")
    axes[1].set_xlabel(
        "strength of the cycle, in log-odds (grey: c beats a as well, and no order fits)"
    )
    return axes


def _legend(figure: Figure) -> Artists:
    left, right, rows = 0.05, 0.57, (0.955, 0.885, 0.815)
    # The ring is at the end of a line that is not drawn, so it begins under what stands above it.
    line_entry(figure, right - 0.042, rows[1], "RLHF, reward fitted to $p^*$: as DPO", _RINGS)
    entries = zip(
        rows,
        (("logit", r"$\Psi$PO, $\Psi$ = logit:"), ("DPO", "DPO:"), ("identity", "IPO:")),
        strict=True,
    )
    return {
        "preferences": figure.text(right, rows[0] - 0.012, ""),
        "share": figure.text(right, rows[2] - 0.012, ""),
        **{
            f"{name} policy": line_entry(figure, left, y, words, _LOOKS[name])
            for y, (name, words) in entries
        },
    }


def update(artists: Artists, *, strength: float, share: float, beta: float) -> str:
    """Move the curves and marks, and return the sentence that compares the methods."""
    mu, table = _opponents(share), preferences(strength)
    population = Comparisons.from_preferences(table, mu=mu)
    now = {
        "logit": optimal_policy(table, LOGIT, beta, mu=mu),
        "DPO": minimise(population, DPO, beta).policy,
        "identity": optimal_policy(table, IDENTITY, beta, mu=mu),
        "RLHF": gibbs_policy(fit_reward(population), beta),
    }
    for k, action in enumerate(_ACTIONS):
        artists[f"{action} strength"].set_xdata([strength] * 2)
        for name, curve in _policies(share, beta).items():
            artists[f"{action} {name}"].set_data(_STRENGTHS, curve[:, k])
        for name, policy in now.items():
            artists[f"{action} {name} here"].set_data([strength], [policy[k]])
    for name in _LOOKS:
        artists[f"{name} policy"].set_text(f"({', '.join(f'{x:.3f}' for x in now[name])})")
    cyclic = number(round(float(cyclic_share(table, LOGIT, mu=mu)), 12))
    artists["preferences"].set_text(
        ", ".join(f"{pair} {number(q)}" for pair, q in _pairs(table, " ≻ "))
    )
    artists["share"].set_text(f"cyclic share {cyclic}")
    return _sentence(table, beta, share, now, cyclic)


def _pairs(p: Array, between: str) -> list[tuple[str, float]]:
    return [
        (f"{_ACTIONS[i]}{between}{_ACTIONS[j]}", float(p[i, j]))
        for i, j in ((0, 1), (1, 2), (2, 0))
    ]


def _sentence(p: Array, beta: float, share: float, now: dict[str, Array], cyclic: str) -> str:
    said = {
        name: ", ".join(f"{a} {_in_words(x)}" for a, x in zip(_ACTIONS, policy, strict=True))
        for name, policy in now.items()
    }
    fitted = (
        f"{said['DPO']}, and so does RLHF with the fitted reward"
        if np.allclose(now["DPO"], now["RLHF"])
        else said["DPO"]
    )
    pairs = enumeration([f"{pair} {number(q)}" for pair, q in _pairs(p, " over ")])
    order = "no order of the three fits" if p[2, 0] > 0.5 else "a over b over c fits"
    explained = (
        "Rewards explain all of these log-odds."
        if cyclic == "0"
        else f"A share of {cyclic} of these log-odds is cyclic, and no reward explains it."
    )
    return (
        f"{pairs}: {order}. {explained} With μ(c) = "
        f"{number(share)} and β = {number(beta)} ΨPO with logit gives {said['logit']}; DPO gives "
        f"{fitted}; IPO gives "
        f"{said['identity']}."
    )


def _in_words(x: float) -> str:
    # No preference is certain, so a probability of 1 can only be the result of rounding.
    return "almost 1" if x == 1 else probability(x)


VIEW = View(
    name="beyond_bradley_terry",
    title="Beyond Bradley–Terry: who follows a cycle",
    about=(
        "Answers a, b and c beat each other more and more in a circle, and each curve is the "
        "probability π of an answer under ΨPO (which maximises Ψ = logit of the preferences p*), "
        "DPO, RLHF and IPO. Here μ(c) is how often the opponent of an answer is c, and β says how "
        "strongly π is held near its uniform start."
    ),
    controls=(
        Slider(
            "strength",
            "strength of the cycle, in log-odds",
            _STRENGTHS,
            start=2.5,
            named=(0.5, 1.0),
        ),
        Slider("share", "μ(c), how often the opponent is c", _SHARES, start=_SHARES[2]),
        Slider("beta", "β, strength of the KL term", BETAS, start=1.0),
    ),
    build=build,
    update=update,
    guesses=guesses.BEYOND_BRADLEY_TERRY,
)
figure = VIEW.figure
panel = VIEW.panel
