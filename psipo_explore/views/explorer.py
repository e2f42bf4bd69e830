"""The optimal policy for any preferences, Ψ, β, μ and π_ref (Eq. 7 and 9 of arXiv:2310.12036).

`panel(data=…)` offers your own `Comparisons` beside the examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psipo_explore import (
    Comparisons,
    ExpectedPsi,
    Psi,
    citations,
    cyclic_share,
    expected_psi,
    gibbs_policy,
    kl_divergence,
    tournament,
)
from psipo_explore._checks import Array
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.controls import Choice, Slider
from psipo_explore.views.kit.labels import Labels, Room, labels_of, width
from psipo_explore.views.kit.legend import patch_entry
from psipo_explore.views.kit.psi_control import FORMULA, chosen_psi, psi_words
from psipo_explore.views.kit.still import StillFigure
from psipo_explore.views.kit.stops import BETAS, LAMBDAS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability_from_log

if TYPE_CHECKING:
    from psipo_explore.views.kit.panel import Panel

MOST_ACTIONS = 30
_MOST_IN_TABLE = 6  # with more actions, the table's cells are too small for numbers and labels
_BARS_WIDTH, _TABLE_WIDTH = 320, 174  # widths of the two axes, in points
_TURNED = 74  # the longest label that fits below the bars at a slant, in points
_APART = 4  # the gap between two neighbouring labels, in points
_YOURS = "your data"
_BARS = {"pi_ref": {"facecolor": "#bbbbbb"}, "pi_star": {"facecolor": palette.CHOSEN}}


class Preferences(NamedTuple):
    """The labels of some actions, and their preference table p*."""

    actions: tuple[str, ...]
    p: Array


def _listed(pairs: list[tuple[int, int]], n_actions: int, q: float) -> Preferences:
    return Preferences(tuple("abc"[:n_actions]), tournament(pairs, n_actions, q))


@cache
def _journals() -> Preferences:
    return _of(citations(), 0.0)


def _of(data: Comparisons, prior: float) -> Preferences:
    if data.n_actions < 2:
        raise ValueError(
            f"data holds {data.n_actions} action, must hold at least two to choose between"
        )
    if data.n_actions > MOST_ACTIONS:
        raise ValueError(
            f"data holds {data.n_actions} actions, must be at most {MOST_ACTIONS} to be drawn "
            "(optimal_policy takes any)"
        )
    return Preferences(data.actions, data.preferences(prior=prior))


_CYCLE = [(0, 1), (1, 2), (2, 0)]
_EXAMPLES: dict[str, Callable[[], Preferences]] = {
    "two actions, a preferred by 9 in 10": partial(_listed, [(0, 1)], 2, 0.9),
    "two actions, a preferred by all": partial(_listed, [(0, 1)], 2, 1.0),
    "three in order, all certain": partial(_listed, [(0, 1), (1, 2), (0, 2)], 3, 1.0),
    "a sure cycle: a over b over c over a": partial(_listed, _CYCLE, 3, 1.0),
    "a noisy cycle, each by 8 in 10": partial(_listed, _CYCLE, 3, 0.8),
    "citations between four journals": _journals,
}
_POLICIES: dict[str, Callable[[int], Array]] = {
    "uniform": lambda k: np.full(k, 1 / k),
    "half on the first action": lambda k: np.array([0.5, *[0.5 / (k - 1)] * (k - 1)]),
    "half on the last action": lambda k: np.array([*[0.5 / (k - 1)] * (k - 1), 0.5]),
    "never the first action": lambda k: np.array([0.0, *[1 / (k - 1)] * (k - 1)]),
}


def build(
    examples: Mapping[str, Callable[[], Preferences]], figure: Figure, *, preferences: str
) -> Artists:
    """Draw the preference table, which does not move, and two bars for each action."""
    actions, p = examples[preferences]()
    labels = _labels(actions)
    bars, table = figure.subplots(1, 2, width_ratios=[1.9, 1])
    fits = max(
        width(label, 10, labels.font["family"]) for label in labels.drawn[0]
    ) <= _under_a_bar(len(actions))
    figure.subplots_adjust(
        left=0.075, right=0.98, bottom=0.1 if fits else 0.26, top=0.76, wspace=0.32
    )
    _draw_table(table, labels, p)
    bars.set(xlim=(-0.6, len(actions) - 0.4), ylim=(0, 1.08), ylabel="probability")
    turned = {"rotation": 0, "ha": "center"} if fits else {"rotation": 50, "ha": "right"}
    bars.set_xticks(range(len(actions)), labels.drawn[0], **turned, **labels.font)
    bars.grid(axis="x", visible=False)
    artists: dict[str, Artist] = {}
    for shift, (policy, look) in zip((-0.2, 0.2), _BARS.items(), strict=True):
        for y, bar in enumerate(
            bars.bar(np.arange(len(actions)) + shift, np.zeros(len(actions)), 0.38, **look)
        ):
            artists[f"{policy} {y}"] = bar
    for y in range(len(actions) if len(actions) <= 8 else 0):
        artists[f"number {y}"] = bars.text(y + 0.2, 0, "", ha="center", va="bottom", fontsize=10)
    return {**artists, **_legend(figure)}


def _labels(actions: tuple[str, ...]) -> Labels:
    """Fit the labels under the bars, and also beside the table if it is small enough."""
    n = len(actions)
    beside = (Room(_TABLE_WIDTH / n - _APART, 10, beginning=4),) if n <= _MOST_IN_TABLE else ()
    return labels_of(actions, Room(max(_under_a_bar(n), _TURNED), 10), *beside)


def _under_a_bar(n_actions: int) -> float:
    return _BARS_WIDTH / n_actions - _APART


def _draw_table(ax: Axes, labels: Labels, p: Array) -> None:
    ax.imshow(p, cmap="PRGn", vmin=0, vmax=1, aspect="auto")
    ax.set_title("$p^*$: how often row beats column")
    ax.grid(visible=False)
    few = len(p) <= _MOST_IN_TABLE
    names = labels.drawn[1] if few else ()
    ax.set_xticks(range(len(names)), names, **labels.font)
    ax.set_yticks(range(len(names)), names, **labels.font)
    for (row, column), q in np.ndenumerate(p if few else np.empty((0, 0))):
        ax.text(
            column,
            row,
            f"{q:.2g}" if row != column else "–",
            ha="center",
            va="center",
            color="black" if 0.18 < q < 0.87 else "white",  # which is read better there
        )


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.03, 0.5, 0.95, 0.88
    patch_entry(figure, left, upper, r"$\pi_{ref}$, the policy before", _BARS["pi_ref"])
    return {
        "kl": patch_entry(
            figure,
            left,
            lower,
            r"$\pi^*$, the optimal policy;  KL$(\pi^*\,\|\,\pi_{ref})$ =",
            _BARS["pi_star"],
        ),
        "share": figure.text(right + 0.06, upper - 0.012, ""),
        "limit": figure.text(right + 0.06, lower - 0.012, ""),
    }


def update(
    examples: Mapping[str, Callable[[], Preferences]],
    artists: Artists,
    *,
    preferences: str,
    lam: float,
    beta: float,
    mu: str,
    pi_ref: str,
    formula: str,
) -> str:
    """Move the bars to the policies, and return the sentence that states the numbers."""
    actions, p = examples[preferences]()
    labels = _labels(actions)
    psi = chosen_psi(lam, formula)
    opponent, before = (_POLICIES[name](len(actions)) for name in (mu, pi_ref))
    score = expected_psi(p, psi, mu=opponent)
    after = gibbs_policy(score, beta, pi_ref=before)
    for name, policy in (("pi_ref", before), ("pi_star", after)):
        for y, probability in enumerate(policy):
            artists[f"{name} {y}"].set_height(probability)
    for y, probability in enumerate(after if "number 0" in artists else []):
        words = (
            "0" if probability == 0 else f"{probability:.3f}" if probability >= 5e-4 else "<0.001"
        )
        artists[f"number {y}"].set(text=words, y=probability + 0.01)
    kl = number(round(float(kl_divergence(after, before)), 14))
    share = _share(p, psi, opponent)
    limit = _limit(score, before)
    artists["kl"].set_text(kl)
    artists["share"].set_text(f"cyclic share: {share}")
    artists["limit"].set_text(limit)
    setting = f"{preferences[0].upper()}{preferences[1:]}; μ {mu}; π_ref {pi_ref}"
    return (
        f"{setting}. Under {psi_words(psi, lam, formula)} and β = {number(beta)} the optimal policy is "
        f"{_listed_policy(labels.said, log_gibbs_policy(score, beta, pi_ref=before))}; KL from "
        f"π_ref {kl}. {_reach(psi, beta)} "
        f"Cyclic share, the part of the preferences that no score explains: {share}. "
        f"{limit[0].upper()}{limit[1:]}."
        f"{labels.note}"
    )


def _listed_policy(actions: tuple[str, ...], log_policy: Array) -> str:
    most = np.argsort(-np.round(log_policy, 9), kind="stable")[:4]
    alone = np.isfinite(log_policy).sum() == 1
    said = {y: probability_from_log(log_policy[y]) for y in most}
    words = ", ".join(
        f"{actions[y]} {'almost 1' if said[y] == 'exactly 1' and not alone else said[y]}"
        for y in most
    )
    return words if len(actions) <= 4 else f"{words}, …"


def _reach(psi: Psi, beta: float) -> str:
    if psi.bounded:
        farthest = number(psi.spread / beta)
        return (
            "Ψ is bounded: nothing is ever exactly 0, no log-ratio moves further than (Ψ(1) − "
            f"Ψ(0))/β = {farthest}."
        )
    return "Ψ is unbounded: no β rules out a collapse."


def _share(p: Array, psi: Psi, mu: Array) -> str:
    if not psi.odd:
        return "undefined, Ψ is not odd"
    try:
        return number(round(float(cyclic_share(p, psi, mu=mu)), 12))
    except ValueError:
        return "undefined, Ψ is infinite"


def _limit(score: ExpectedPsi, pi_ref: Array) -> str:
    seen = pi_ref > 0
    among = ExpectedPsi(score.won[seen], score.lost[seen], score.rest[seen])
    if not (among.won.any() or among.lost.any()):
        return "all scores are finite, no limit is needed"
    if among.determined:
        return "infinite scores, whose limit is determined"
    return "infinite scores, whose limit is a convention"


def view_of(data: Comparisons | None = None, *, prior: float = 0.0) -> View:
    """Return the explorer with its examples; your data, if given, come first."""
    examples = dict(_EXAMPLES)
    if data is not None:
        if not isinstance(data, Comparisons):
            raise TypeError(
                f"data = {data!r}, must be Comparisons, such as Comparisons.from_csv(…)"
            )
        examples = {_YOURS: cache(partial(_of, data, prior)), **examples}
    names = tuple(examples)
    return View(
        name="explorer",
        title="The closed form, laid open",
        about=(
            "The table p* says how often the answer of a row beats that of a column, and the bars "
            "show the best policy π* beside the policy before, π_ref. Here Ψ(q) is what a "
            "probability q is worth (λ leads from logit to identity), μ is who the opponent is, "
            "and β says how strongly KL holds π* near π_ref."
        ),
        controls=(
            Choice(
                "preferences",
                "p*, the preferences",
                names,
                start=names[-1] if data is None else _YOURS,
            ),
            Slider("lam", "Ψ: λ, from logit (0) to identity (2)", LAMBDAS, start=0.0),
            FORMULA,
            Slider("beta", "β, strength of the KL term", BETAS, start=1.0),
            Choice("mu", "μ, who the opponent is", tuple(_POLICIES), start="uniform"),
            Choice("pi_ref", "π_ref, the policy before", tuple(_POLICIES), start="uniform"),
        ),
        build=partial(build, examples),
        update=partial(update, examples),
        rebuild_on=("preferences",),
        size=(9.0, 3.8),
        guesses=guesses.EXPLORER if data is None else {},
    )


VIEW = view_of()


def figure(data: Comparisons | None = None, *, prior: float = 0.0, **values: Any) -> StillFigure:
    """Draw the picture at the given values, of your data if they are given."""
    return (VIEW if data is None else view_of(data, prior=prior)).figure(**values)


def panel(data: Comparisons | None = None, *, prior: float = 0.0, **start: Any) -> Panel:
    """Show the picture with its controls, of your data if they are given.

    `prior` is passed to `Comparisons.preferences`, which makes the preference table from the data.
    """
    return (VIEW if data is None else view_of(data, prior=prior)).panel(**start)
