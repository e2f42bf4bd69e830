"""What changes when the opponent is the policy itself, and not a fixed μ: self-play.

Three answers have rewards 2, −2 and 0, so b is weak and c lies between. The log-odds of p* are
(1 − cycle)·(r(y) − r(y')) + cycle·2·s(y, y'), where s is 1 for a over b, b over c and c over a.
So p* is Bradley–Terry at cycle 0, and rock–paper–scissors at cycle 1. Above ½, c beats a, which
still wins most often, because it beats b by far: a fixed opponent and RLHF (Bradley–Terry reward,
fitted to comparisons drawn from μ) pick a. The self-play policy is `nash_policy`, where NLHF (Munos
et al. 2023, arXiv:2312.00886) and online IPO (Calandriello et al. 2024, arXiv:2403.08635) end.
π_ref is uniform.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from scipy.special import expit

from psipo_explore import Comparisons, fit_reward, gibbs_policy, optimal_policy
from psipo_explore._checks import Array, ArrayLike
from psipo_explore.self_play import nash_policy
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.contrast import PSIS
from psipo_explore.views.kit.controls import Choice, Slider
from psipo_explore.views.kit.legend import line_mark
from psipo_explore.views.kit.stops import BETAS
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import enumeration, number

_ACTIONS = ("a", "b", "c")
_REWARDS = np.array([2.0, -2.0, 0.0])
_CYCLE = np.array([[0.0, 2.0, -2.0], [-2.0, 0.0, 2.0], [2.0, -2.0, 0.0]])
_CYCLES = tuple(np.linspace(0, 1, 21).round(2).tolist())
_TIED = 0.5  # the cycle at which c ties with a and with b
_BETAS = BETAS[:31]  # from 0.01 to 10
_SHARES = (0.05, 0.2, 1 / 3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_PI_REF = np.full(3, 1 / 3)
_EQUAL = 1e-8
_HALF_ROUNDED = 0.4995  # a win rate of at least this much is written as 0.5

# Where policies coincide, the marks lie one inside the other.
_LOOKS: dict[str, palette.Look] = {
    "fixed": palette.FIXED_OPPONENT_LINE,
    "RLHF": {**palette.DPO_LINE, "markersize": 9, "markerfacecolor": "none", "markeredgewidth": 2},
    "learned": palette.LEARNED_OPPONENT_LINE,
}
_WIDTHS = {"fixed": 3.2, "RLHF": 1.4, "learned": 1.6}  # of the lines, of which two often coincide
_START: palette.Look = {
    "color": palette.REFERENCE,
    "linestyle": "none",
    "marker": "X",
    "markersize": 8,
}
_CORNERS = np.array([[0.5, np.sqrt(0.75)], [0.0, 0.0], [1.0, 0.0]])  # a on top, then b and c
_PAIRS = ((0, 1), (1, 2), (2, 0))
# Opponents μ from which an arrow leads towards ΨPO's policy against them.
_FIELD = np.array([[i, j, 9 - i - j] for i in range(10) for j in range(10 - i)]) / 9 * 0.82 + 0.06
_ARROW = 0.06  # length of the longest arrow
_ARROWS: palette.Look = {"color": "#b5b5b5", "marker": ">", "markersize": 7, "linewidth": 2}
_GROUPS = (*(rf"$\pi({action})$" for action in _ACTIONS), "win rate,\nworst case")
_BEYOND = 1.05  # where the numbers stand on the axis of probabilities


def preferences(cycle: float) -> Array:
    """Return p* = σ((1 − cycle)·(r − r') + cycle·2·s), from Bradley–Terry to a pure cycle."""
    return np.asarray(expit((1 - cycle) * (_REWARDS[:, None] - _REWARDS) + cycle * _CYCLE))


def _opponents(share: float) -> Array:
    """Return μ with the given share on b, and the rest divided equally between a and c."""
    return np.array([(1 - share) / 2, share, (1 - share) / 2])


@lru_cache(maxsize=256)
def _reward(cycle: float, share: float) -> Array:
    data = Comparisons.from_preferences(preferences(cycle), mu=_opponents(share))
    return np.asarray(fit_reward(data))


def _policies(cycle: float, share: float, psi: str, beta: ArrayLike) -> dict[str, Array]:
    """Return the three policies, each of shape (..., 3) for β of shape (...)."""
    p = preferences(cycle)
    return {
        "fixed": optimal_policy(p, PSIS[psi], beta, mu=_opponents(share)),
        "RLHF": gibbs_policy(_reward(cycle, share), beta),
        "learned": nash_policy(p, PSIS[psi], beta),
    }


@lru_cache(maxsize=256)
def _paths(cycle: float, share: float, psi: str) -> dict[str, Array]:
    """Return the policies as β falls from infinity, where they are π_ref, to the smallest stop."""
    policies = _policies(cycle, share, psi, _BETAS[::-1])
    return {name: np.vstack([_PI_REF, policy]) for name, policy in policies.items()}


@lru_cache(maxsize=256)
def _arrows(cycle: float, psi: str, beta: float) -> Array:
    """Return the line of all arrows, which are shorter where the best response is near."""
    best = optimal_policy(preferences(cycle), PSIS[psi], beta, mu=_FIELD)
    ahead = (best - _FIELD) @ _CORNERS
    length = np.linalg.norm(ahead, axis=-1, keepdims=True)
    arrow = ahead * _ARROW / np.maximum(length, 0.2)
    across = arrow @ [[0, 1], [-1, 0]]
    tip = _FIELD @ _CORNERS + arrow / 2
    left, right = (tip - 0.4 * arrow + side * across for side in (0.3, -0.3))
    lines = [tip - arrow, tip, left, tip, right, np.full_like(tip, np.nan)]
    return np.stack(lines, axis=1).reshape(-1, 2)


def build(figure: Figure) -> Artists:
    """Draw the triangle of policies, the rows of numbers and the legend."""
    _legend(figure)
    return {**_triangle(figure), **_rows(figure)}


def _triangle(figure: Figure) -> Artists:
    width, height = 0.46, 0.785
    ax = figure.add_axes((0.01, 0.01, width, height))
    # An aspect would change the axes in the first drawing, and they must stand still.
    span = 1.24 * (height * figure.get_figheight()) / (width * figure.get_figwidth())
    ax.set(xlim=(-0.12, 1.12), ylim=(-0.13, span - 0.13))
    ax.set_axis_off()
    ax.plot(*np.vstack([_CORNERS, _CORNERS[:1]]).T, color="#888888", linewidth=1)
    for action, (x, y), (right, up) in zip(
        _ACTIONS, _CORNERS, ((0.0, 0.08), (-0.075, -0.03), (0.075, -0.03)), strict=True
    ):
        ax.text(x + right, y + up, f"${action}$", ha="center", va="center", fontsize=13)
    artists: dict[str, Artist] = {}
    for k, (x, y, angle) in enumerate(((0.185, 0.5, 60), (0.5, -0.06, 0), (0.815, 0.5, -60))):
        artists[f"edge {k}"] = ax.text(
            x, y, "", rotation=angle, rotation_mode="anchor", ha="center", va="center", fontsize=10
        )
    artists["field"] = ax.plot([], [], color=_ARROWS["color"], linewidth=1.7)[0]
    for name, look in _LOOKS.items():
        line = {"color": look["color"], "linestyle": look["linestyle"]}
        artists[f"{name} path"] = ax.plot([], [], linewidth=_WIDTHS[name], **line)[0]
    ax.plot(*(_PI_REF @ _CORNERS).reshape(2, 1), zorder=4, **_START)
    for k, (name, look) in enumerate(_LOOKS.items()):
        artists[f"{name} here"] = ax.plot([], [], clip_on=False, zorder=5 + k, **look)[0]
    return artists


def _rows(figure: Figure) -> Artists:
    ax = figure.add_axes((0.565, 0.11, 0.31, 0.66))
    ax.set(xlim=(0, 1), ylim=(-15.4, 0.9), xticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xticklabels(["0", "¼", "½", "¾", "1"])
    ax.set_yticks([-4 * k - 1 - (k == 3) * 0.4 for k in range(4)], _GROUPS)
    ax.tick_params(axis="y", length=0, pad=9)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("probability", labelpad=2)
    for k in range(1, 3):
        ax.axhline(-4 * k + 1, color="#dddddd", linewidth=0.6)
    ax.axhline(-11.2, color="#888888", linewidth=1)
    ax.plot([0.5, 0.5], [-15.4, -11.2], color="#222222", linewidth=1)
    ax.text(0.575, -13.4, "at ½, no answer\nbeats the policy", va="center", fontsize=9.5)
    artists: dict[str, Artist] = {}
    for group in range(4):
        for k, (name, look) in enumerate(_LOOKS.items()):
            y = -4 * group - k - (group == 3) * 0.4
            small = {**look, "markersize": 7, "markevery": [1], "linewidth": 1.8}
            artists[f"{name} {group}"] = ax.plot([0, 0], [y, y], clip_on=False, zorder=5, **small)[
                0
            ]
            artists[f"{name} {group} number"] = ax.text(
                _BEYOND, y, "", va="center", fontsize=10, color=look["color"]
            )
    return artists


def _legend(figure: Figure) -> None:
    left, right, rows = 0.02, 0.45, (0.96, 0.897, 0.834)
    for x, y, words, look in (
        (left, rows[0], r"$\Psi$PO against a fixed $\mu$", _LOOKS["fixed"]),
        (left, rows[1], r"self-play policy, the opponent is $\pi$ itself", _LOOKS["learned"]),
        (left, rows[2], r"from an opponent $\mu$ towards $\Psi$PO's policy against it", _ARROWS),
        (right, rows[0], r"RLHF, reward fitted to comparisons from $\mu$", _LOOKS["RLHF"]),
        (right, rows[1], r"$\pi_{ref}$, where the lines begin, as $\beta$ falls", _START),
    ):
        small = {**look, "markersize": min(look["markersize"], 10)}
        figure.text(*line_mark(figure, x, y, small), words)


def update(artists: Artists, *, cycle: float, beta: float, share: float, psi: str) -> str:
    """Move the policies, and return the sentence about who beats each of them."""
    p, policies = preferences(cycle), _policies(cycle, share, psi, beta)
    for k, (y, z) in enumerate(_PAIRS):
        artists[f"edge {k}"].set_text(_in_short(p, y, z))
    artists["field"].set_data(*_arrows(cycle, psi, beta).T)
    for name, path in _paths(cycle, share, psi).items():
        policy = policies[name]
        wins = policy @ p
        artists[f"{name} path"].set_data(*(path @ _CORNERS).T)
        artists[f"{name} here"].set_data(*(policy @ _CORNERS).reshape(2, 1))
        for group, x in enumerate([*policy.tolist(), float(wins.min())]):
            artists[f"{name} {group}"].set_xdata([0, x])
            artists[f"{name} {group} number"].set_text(f"{x:.3f}")
        against = "".join(_ACTIONS[y] for y in _worst(wins))
        if against and wins.min() < _HALF_ROUNDED:
            artists[f"{name} 3 number"].set_text(f"{wins.min():.3f} vs {against}")
    return _sentence(p, policies, cycle=cycle, beta=beta, psi=psi)


def _in_short(p: Array, y: int, z: int) -> str:
    if p[y, z] == 0.5:
        return f"{_ACTIONS[y]} ties with {_ACTIONS[z]}"
    winner, loser = (y, z) if p[y, z] > 0.5 else (z, y)
    return f"{_ACTIONS[winner]} beats {_ACTIONS[loser]}, {p[winner, loser]:.3f}"


def _worst(wins: Array) -> list[int]:
    """Return the answers that beat a policy most often, given its win rates; none beats it at ½."""
    worst = float(wins.min())
    return [] if worst > 0.5 - _EQUAL else np.flatnonzero(wins < worst + _EQUAL).tolist()


def _sentence(p: Array, policies: dict[str, Array], *, cycle: float, beta: float, psi: str) -> str:
    who = {name: _who_beats(policy @ p) for name, policy in policies.items()}
    mixed = enumeration(
        [f"{y} {_said(x)}" for y, x in zip(_ACTIONS, policies["learned"].tolist(), strict=True)]
    )
    return (
        f"{_order(cycle)}. At β = {number(beta)} with {psi}, ΨPO against the fixed μ gives "
        f"{_picked(policies['fixed'])}; {who['fixed']}. RLHF gives {_picked(policies['RLHF'])}; "
        f"{who['RLHF']}. The self-play policy is {mixed}; {who['learned']}. "
        f"{_what_changes(policies, cycle, psi)}"
    )


def _order(cycle: float) -> str:
    if cycle == 1:
        return "Rock–paper–scissors"
    if cycle == _TIED:
        return "The answer c ties with both"
    return "No order of the three fits" if cycle > _TIED else "The order is a, c, b"


def _said(x: float) -> str:
    # Every policy here keeps something for every answer, and 1 can only be the result of rounding.
    return "almost 1" if x >= 0.9995 else number(x)


def _picked(policy: Array) -> str:
    top = float(policy.max())
    first = [_ACTIONS[y] for y in np.flatnonzero(policy > top - _EQUAL)]
    if len(first) == len(_ACTIONS):
        return f"every answer {_said(top)}"
    return f"most to {enumeration(first)} ({_said(top)}{' each' if len(first) > 1 else ''})"


def _who_beats(wins: Array) -> str:
    """Say who beats a policy most often, given its win rates."""
    worst = [_ACTIONS[y] for y in _worst(wins)]
    if not worst:
        return "no answer beats it"
    beat = f"{enumeration(worst)} {'beats' if len(worst) == 1 else 'beat'}"
    if wins.min() >= _HALF_ROUNDED:
        return f"{beat} it most often, with just over 0.5"
    return f"{beat} it most often, with {number(float(1 - wins.min()))}"


def _what_changes(policies: dict[str, Array], cycle: float, psi: str) -> str:
    if cycle == 1:
        uniform = np.allclose(policies["fixed"], _PI_REF, rtol=0, atol=_EQUAL)
        return (
            "In rock–paper–scissors the self-play policy is uniform at every β"
            f"{', and a uniform μ gives the same' if uniform else ''}."
        )
    if cycle == 0 and psi == "logit":
        return (
            "Preferences are Bradley–Terry and Ψ is logit, so all three are one policy: it does "
            "not matter who the opponent is."
        )
    if cycle < _TIED:
        return "As β falls, the self-play policy goes to a, which no answer beats."
    if cycle == _TIED:
        return "As β falls, it goes to an equal mixture of a and c, which no answer beats."
    if psi == "identity":
        return "As β falls, it goes to a mixture that no answer beats."
    return "As β falls, it goes to a mixture over which no answer has mean log-odds above 0."


VIEW = View(
    name="self_play",
    title="Self-play: the opponent learns too",
    about=(
        "The triangle shows policies π over answers a, b and c, from ΨPO against a fixed opponent μ, "
        "from RLHF, and from self-play, where the opponent is π itself, while preferences lead from "
        "an order to a circle. Here Ψ is the function of preferences that is maximised, and β says how "
        "strongly π is held near its uniform start, π_ref."
    ),
    controls=(
        Slider("cycle", "cycle, from an order to a circle", _CYCLES, start=0.75, named=(0.5, 0.55)),
        Slider("beta", "β, strength of the KL term", _BETAS, start=0.02),
        Slider("share", "μ(b), share of b in the fixed μ", _SHARES, start=_SHARES[2]),
        Choice("psi", "Ψ, identity or logit", tuple(reversed(PSIS)), start="identity"),
    ),
    build=build,
    update=update,
    guesses=guesses.SELF_PLAY,
    size=(9.0, 4.8),
)
figure = VIEW.figure
panel = VIEW.panel
