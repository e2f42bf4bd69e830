"""The looks of lines and marks, one per meaning in all views, and the style of all pictures.

The colours are those of Okabe and Ito, a purple for a sixth action and three more for leashes, so
that readers with any common colour-vision deficiency can tell them apart. Lines in one picture also
differ in their dashes and marks, because print may be grey.
"""

from __future__ import annotations

from typing import Any

LOGIT = "#D55E00"
IDENTITY = "#0072B2"
REFERENCE = "#555555"
WINNER = "#009E73"
LOSER = "#CC79A7"
CHOSEN = "#000000"  # the Ψ that a slider chooses, between logit and identity
IDENTITY_PALE = "#c3dcec"

Look = dict[str, Any]  # keyword arguments for Matplotlib
LOGIT_LINE: Look = {"color": LOGIT, "linestyle": "-", "marker": "o", "markersize": 7}
IDENTITY_LINE: Look = {
    "color": IDENTITY,
    "linestyle": (0, (5, 1.5)),
    "marker": "s",
    "markersize": 9,
}
ACTION_LINES: tuple[dict[str, Any], ...] = (
    # For actions a, b, c, … that have a curve each. The first three run from the winner's colour
    # to the loser's.
    {"color": WINNER, "linestyle": "-", "marker": "o"},
    {"color": "#E69F00", "linestyle": (0, (5, 1.5)), "marker": "s"},
    {"color": LOSER, "linestyle": (0, (5, 1.5, 1, 1.5)), "marker": "D"},
    {"color": "#56B4E9", "linestyle": (0, (1, 1)), "marker": "^"},
    {"color": "#000000", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#5F4690", "linestyle": (0, (8, 2)), "marker": "P"},
)
DPO_LINE: Look = {
    "color": LOGIT,
    "linestyle": (0, (5, 1.5, 1, 1.5)),
    "marker": "D",
    "markersize": 6,
}
CDPO_LINE: Look = {
    "color": "#000000",
    "linestyle": (0, (3, 1, 1, 1, 1, 1)),
    "marker": "P",
    "markersize": 8,
}
RIDGE_LINE: Look = {
    "color": "#E69F00",
    "linestyle": (0, (9, 1.5, 1, 1.5, 1, 1.5)),
    "marker": "v",
    "markersize": 9,
}
STOPPED_LINE: Look = {"color": "#56B4E9", "linestyle": (0, (1, 1)), "marker": "^", "markersize": 9}
REFERENCE_LINE: Look = {"color": REFERENCE, "linestyle": ":", "linewidth": 1.6}
COLLAPSE_LINE: Look = {
    "color": "#000000",
    "linestyle": (0, (5, 1.5, 1, 1.5)),
    "marker": "D",
    "markersize": 7,
}
CHOSEN_LINE: Look = {"color": CHOSEN, "linestyle": "-", "marker": "D", "markersize": 7}
LEASH_LINES: dict[str, Look] = {
    # By the name of the divergence. The smaller marks are drawn on top of the larger ones.
    "KL": {"color": "#000000", "linestyle": "-", "marker": "o", "markersize": 6},
    "reverse KL": {
        "color": "#9933CC",
        "linestyle": (0, (5, 1.5)),
        "marker": "s",
        "markersize": 8,
    },
    "χ²": {
        "color": "#E69F00",
        "linestyle": (0, (5, 1.5, 1, 1.5)),
        "marker": "D",
        "markersize": 9,
    },
    "Jensen–Shannon": {
        "color": "#56B4E9",
        "linestyle": (0, (1, 1)),
        "marker": "^",
        "markersize": 10,
    },
    "χPO": {
        "color": "#993300",
        "linestyle": (0, (3, 1, 1, 1, 1, 1)),
        "marker": "v",
        "markersize": 9,
    },
    "α = 0.5": {"color": "#660066", "linestyle": (0, (8, 2)), "marker": "P", "markersize": 8},
}

FIXED_OPPONENT_LINE: Look = {
    "color": CHOSEN,
    "linestyle": (0, (5, 1.5)),
    "marker": "s",
    "markersize": 15,
    "markerfacecolor": "none",
    "markeredgewidth": 2,
}
LEARNED_OPPONENT_LINE: Look = {
    "color": "#5F4690",
    "linestyle": "-",
    "marker": "o",
    "markersize": 6,
}

ON_DARK: dict[str, str] = {
    # The same meanings on a dark page. kit/dark.py adds the greys, which follow a rule.
    LOGIT: "#f0702a",
    IDENTITY: "#4a9ee0",
    WINNER: "#1fb98c",
    LOSER: "#e592c6",
    IDENTITY_PALE: "#17364f",
    "#E69F00": "#f5bc38",
    "#56B4E9": "#8fd3ff",
    "#5F4690": "#a990e0",
    "#9933CC": "#b98af8",
    "#993300": "#d86444",
    "#660066": "#d060b8",
}

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "text.usetex": False,
    "text.parse_math": True,
    "font.size": 11,
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 2.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "psipo_explore",
}
