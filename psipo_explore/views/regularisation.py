"""How far β still holds the optimal policy near π_ref, under logit and under identity.

The view draws KL(π* ‖ π_ref) and the log-ratio of winner to loser, for one winner, n losers that
are equally good, and uniform μ (§4.2 and §5.3.1 of arXiv:2310.12036). Bars over the axes say that β
no longer holds the policy where KL is within one per cent of −log π_ref(y_w), its value at collapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from psipo_explore import Psi, expected_psi, gibbs_policy, kl_divergence, tournament
from psipo_explore._checks import Array
from psipo_explore.views import guesses
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.certainty_axis import (
    CERTAIN,
    DECADES,
    EDGE,
    STRIP,
    decade,
    set_certainty_axis,
)
from psipo_explore.views.kit.contrast import LOOKS, PSIS
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.legend import line_entry
from psipo_explore.views.kit.stops import BETAS, WINNING
from psipo_explore.views.kit.view import Artists, View
from psipo_explore.views.kit.words import number, probability

_QUANTITIES = ("kl", "ratio")
_SMALL_SHARES = (
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.06,
    0.08,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.4,
    0.5,
    0.7,
    0.9,
)
_BETA_GRID = np.geomspace(0.01, 1000, 151)
_ONE_MINUS_P_GRID = np.concatenate([DECADES, [0.0]])  # the last point is certainty
_LOWEST, _HIGHEST = 1e-3, 1e5  # limits of the axis of log-ratios
_INFINITE = 3e4  # position of an infinite log-ratio on that axis
# A policy whose KL is at least this share of that at collapse counts as collapsed.
_COLLAPSED = 0.99
# Height of each Ψ's bar over the axes, and of the line through both, in heights of the axes.
_BARS, _OVER_BARS = {"logit": 1.15, "identity": 1.07}, 1.19
_BAR: palette.Look = {"linewidth": 5, "solid_capstyle": "butt"}
_BAR_DASHES = {"logit": "-", "identity": (0, (1.5, 0.5))}  # short, as a bar may be short too


def build(figure: Figure) -> Artists:
    """Draw four axes: KL above and log-ratio below, against β on the left and p on the right."""
    axes = _axes(figure)
    artists: dict[str, Artist] = {}
    for place, ax in axes.items():
        top = _OVER_BARS if place.startswith("kl") else 1
        artists[f"{place} here"] = ax.axvline(
            1, ymax=top, color="#222222", linewidth=1, clip_on=False
        )
    for side in ("beta", "p"):
        ax = axes[f"kl {side}"]
        for name, dashes in _BAR_DASHES.items():
            artists[f"{side} {name} bar"] = ax.plot(
                [],
                [],
                color=LOOKS[name]["color"],
                linestyle=dashes,
                transform=ax.get_xaxis_transform(),
                clip_on=False,
                **_BAR,
            )[0]
    for place, ax in axes.items():
        for name, look in reversed(LOOKS.items()):  # draws the smaller mark last, on top
            artists[f"{place} {name}"] = ax.plot(
                [], [], color=look["color"], linestyle=look["linestyle"]
            )[0]
            artists[f"{place} {name} mark"] = ax.plot([], [], clip_on=False, zorder=5, **look)[0]
            hollow = {**look, "linestyle": "none", "markerfacecolor": "white"}
            artists[f"{place} {name} hollow"] = ax.plot([], [], clip_on=False, zorder=4, **hollow)[
                0
            ]
    return {**artists, **_legend(figure)}


def _axes(figure: Figure) -> dict[str, Axes]:
    grid = figure.subplots(2, 2, sharex="col", sharey="row")
    figure.subplots_adjust(
        left=0.137, right=0.985, bottom=0.125, top=0.79, wspace=0.07, hspace=0.13
    )
    axes = dict(zip(("kl beta", "kl p", "ratio beta", "ratio p"), grid.flat, strict=True))
    axes["kl beta"].set(ylim=(0, 1.06), ylabel="KL, as a share\nof that at collapse", xscale="log")
    axes["kl beta"].set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes["ratio beta"].set(yscale="log", ylim=(_LOWEST, _HIGHEST))
    axes["ratio beta"].set_ylabel("log-ratio, how far\nit has moved")
    powers = {10.0**k: rf"$10^{{{k}}}$" for k in (-3, 0, 3)}
    axes["ratio beta"].set_yticks(
        [*powers, _INFINITE], [r"$\leq 10^{-3}$", *list(powers.values())[1:], r"$\infty$"]
    )
    axes["ratio beta"].set(xlim=(_BETA_GRID[0], _BETA_GRID[-1]), xlabel=r"$\beta$")
    axes["ratio beta"].set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    for axis in (axes["ratio beta"].xaxis, axes["ratio beta"].yaxis):
        axis.set_minor_locator(NullLocator())
    set_certainty_axis(axes["ratio p"])
    axes["kl p"].axvspan(STRIP, EDGE, color="#f0f0f0", linewidth=0)
    axes["kl p"].set_xlabel("")
    return axes


def _legend(figure: Figure) -> Artists:
    left, right, upper, lower = 0.02, 0.41, 0.965, 0.905
    hollow = {**palette.LOGIT_LINE, "linestyle": "none", "markerfacecolor": "white"}
    bar = {**_BAR, "color": "#888888"}
    line_entry(figure, right, upper, r"hollow: at $10\beta$, or at $p = 1$", hollow)
    line_entry(
        figure, right, lower, r"bars over the axes: $\beta$ no longer holds that policy", bar
    )
    return {
        "logit number": line_entry(
            figure, left, upper, r"$\Psi$ = logit:  KL =", palette.LOGIT_LINE
        ),
        "identity number": line_entry(
            figure, left, lower, r"$\Psi$ = identity:  KL =", palette.IDENTITY_LINE
        ),
    }


class _Curve(NamedTuple):
    """Values of one quantity under one Ψ, on the grids of β and of p and at two points."""

    on_beta: Array
    on_p: Array
    now: float  # at the reader's p and β
    tenfold: float  # at the reader's p and ten times the reader's β


def _curves(psi: Psi, p: float, beta: float, pi_ref: Array) -> dict[str, _Curve]:
    """Compute KL and log-ratio under one Ψ, and return them by name."""
    at_p = _optimum(1 - p, psi, np.append(_BETA_GRID, [beta, 10 * beta]), pi_ref)
    on_p = _optimum(_ONE_MINUS_P_GRID, psi, beta, pi_ref)
    curves = {}
    for name in _QUANTITIES:
        *on_beta, now, tenfold = at_p[name]
        curves[name] = _Curve(np.array(on_beta), on_p[name], float(now), float(tenfold))
    return curves


def _optimum(
    one_minus_p: Array | float, psi: Psi, beta: Array | float, pi_ref: Array
) -> dict[str, Array]:
    """Compute KL(π* ‖ π_ref) as a share of its value at collapse, and the move of the log-ratio.

    The log-ratio is log π*(y_w)/π*(y_l), and the move is from its value under π_ref.
    """
    losers = range(1, pi_ref.size)
    g = expected_psi(tournament([(y, 0) for y in losers], pi_ref.size, one_minus_p), psi)
    kl = kl_divergence(gibbs_policy(g, beta, pi_ref=pi_ref), pi_ref)
    return {"kl": kl / -np.log(pi_ref[0]), "ratio": (g.value[..., 0] - g.value[..., 1]) / beta}


def update(artists: Artists, *, p: float, beta: float, pi_ref_loser: float, n_losers: float) -> str:
    """Move every curve, mark and bar, and say which policies move if β grows tenfold."""
    pi_ref = _reference(pi_ref_loser, int(n_losers))
    at_collapse = float(-np.log(pi_ref[0]))
    drawn = {name: _curves(psi, p, beta, pi_ref) for name, psi in PSIS.items()}
    _move_lines(artists, p, beta)
    for name, curves in drawn.items():
        for quantity, curve in curves.items():
            _move_curve(artists, quantity, name, curve, p, beta)
        _move_bars(artists, name, curves["kl"])
        artists[f"{name} number"].set_text(number(curves["kl"].now * at_collapse))
    return _sentence(p, beta, pi_ref_loser, int(n_losers), at_collapse, drawn)


def _reference(pi_ref_loser: float, n_losers: int) -> Array:
    """Return π_ref, with the winner first and then the losers."""
    if n_losers * pi_ref_loser >= 1:
        raise ValueError(
            f"π_ref = {number(pi_ref_loser)} for each of {n_losers} losing answers leaves y_w "
            f"nothing, must be below 1/{n_losers}"
        )
    return np.array([1 - n_losers * pi_ref_loser, *[pi_ref_loser] * n_losers])


def _move_lines(artists: Artists, p: float, beta: float) -> None:
    """Move the lines at the reader's p and β."""
    for quantity in _QUANTITIES:
        artists[f"{quantity} beta here"].set_xdata([beta] * 2)
        artists[f"{quantity} p here"].set_xdata([decade(np.array(1 - p))] * 2)


def _move_curve(
    artists: Artists, quantity: str, name: str, curve: _Curve, p: float, beta: float
) -> None:
    """Move one quantity under one Ψ: its curves against β and p, with filled and hollow marks."""
    now, tenfold, certain = curve.now, curve.tenfold, curve.on_p[-1]
    if quantity == "ratio":
        now, tenfold, certain = _on_axis(np.array([now, tenfold, certain]))
    artists[f"{quantity} beta {name}"].set_data(_BETA_GRID, np.minimum(curve.on_beta, _INFINITE))
    artists[f"{quantity} beta {name} mark"].set_data([beta], [now])
    artists[f"{quantity} beta {name} hollow"].set_data([10 * beta], [tenfold])
    artists[f"{quantity} p {name}"].set_data(decade(DECADES), curve.on_p[:-1])
    artists[f"{quantity} p {name} mark"].set_data([decade(np.array(1 - p))], [now])
    artists[f"{quantity} p {name} hollow"].set_data([CERTAIN], [certain])


def _move_bars(artists: Artists, name: str, kl: _Curve) -> None:
    """Draw the bars of one Ψ over the β and the p at which β no longer holds the policy."""
    ends = {
        "beta": (_BETA_GRID[0], _lost_below(kl.on_beta)),
        "p": (_lost_from(kl.on_p), EDGE),
    }
    for side, (start, end) in ends.items():
        is_lost = start < end * (1 - 1e-9)
        artists[f"{side} {name} bar"].set_data(
            [start, end] if is_lost else [], [_BARS[name]] * 2 if is_lost else []
        )


def _on_axis(moved: Array) -> Array:
    """Clip log-ratios to the axis: ∞ is drawn at its own tick, small values at the lower edge."""
    return np.clip(moved, _LOWEST, _INFINITE)


def _lost_below(share: Array) -> float:
    """Return the β up to which KL is within one per cent of its value at collapse.

    `share` is that KL as a share of its value at collapse, and falls along the grid of β.
    """
    if share[-1] >= _COLLAPSED:
        return float(_BETA_GRID[-1])
    # interp needs values that rise, so both signs are turned.
    return float(np.exp(np.interp(-_COLLAPSED, -share, np.log(_BETA_GRID))))


def _lost_from(share: Array) -> float:
    """Return the position on the axis of p from which KL is within one per cent of collapse.

    `share` is that KL as a share of its value at collapse, and rises along the grid of p. The
    position is that of certainty if only certainty collapses, and the end of the axis if nothing does.
    """
    *_, before, certain = share
    if before >= _COLLAPSED:
        return float(np.interp(_COLLAPSED, share[:-1], decade(DECADES)))
    return STRIP if certain >= _COLLAPSED else EDGE


def _sentence(
    p: float,
    beta: float,
    pi_ref_loser: float,
    n: int,
    at_collapse: float,
    drawn: Mapping[str, Mapping[str, _Curve]],
) -> str:
    losers = "One loser" if n == 1 else f"{n} losers"
    before = (
        f"{losers} at π_ref = {number(pi_ref_loser)}{'' if n == 1 else ' each'}, p = "
        f"{probability(p).removeprefix('exactly ')}"
    )
    turned = f"Turn β up tenfold, from {number(beta)} to {number(10 * beta)}"
    if p == 0.5:
        return (
            f"{before}: nobody prefers anything. {turned}, and neither moves, since π* is π_ref "
            "at every β."
        )
    moves = {
        name: _moves_in_words(name, curves["kl"], curves["ratio"], at_collapse)
        for name, curves in drawn.items()
    }
    back = [name for name, curves in drawn.items() if curves["kl"].tenfold < _COLLAPSED]
    if not back:
        who = "Neither is held yet"
    else:
        who = "Both come back" if len(back) == 2 else f"Only {back[0]} comes back"
    return (
        f"{before}. {turned}: {moves['identity']}; {moves['logit']}. {who}; at collapse KL is "
        f"{number(at_collapse)}."
    )


def _moves_in_words(name: str, kl: _Curve, ratio: _Curve, at_collapse: float) -> str:
    return (
        f"{name}'s KL goes from {number(kl.now * at_collapse)} to "
        f"{number(kl.tenfold * at_collapse)} and its log-ratio from {number(ratio.now)} to "
        f"{number(ratio.tenfold)}"
    )


VIEW = View(
    name="regularisation",
    title="What β still does, under logit and under identity",
    about=(
        "The curves show how far the best policy, for Ψ = logit or identity, moves from the policy "
        "at the start, π_ref: as KL divergence, and as log-ratio of the winner y_w to a loser y_l. "
        "Here p is how often y_w beats each y_l, π_ref(y_l) is the start of each y_l, and β says "
        "how strongly KL holds the policy."
    ),
    controls=(
        Slider("p", "p, how often y_w beats each y_l", WINNING, start=0.99, write=probability),
        Slider("beta", "β, strength of the KL term", BETAS, start=0.25),
        Slider("pi_ref_loser", "π_ref(y_l), where each y_l starts", _SMALL_SHARES, start=0.05),
        Slider("n_losers", "number of losing actions", tuple(range(1, 10)), start=4),
    ),
    build=build,
    update=update,
    guesses=guesses.REGULARISATION,
    size=(8.0, 4.4),
)
figure = VIEW.figure
panel = VIEW.panel
