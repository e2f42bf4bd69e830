"""The still picture of a diagnosis.

It shows how much of the data DPO cannot fit, and how far each loss takes the policy from π_ref.
"""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from psipo_explore.diagnosis import Diagnosis
from psipo_explore.views.kit import palette, svg
from psipo_explore.views.kit.still import StillFigure
from psipo_explore.views.kit.words import number

ABOUT = (
    "The bars show how much of the data repeats, contradicts itself or is beyond DPO, and the curves "
    "show how far each loss takes the policy π from its start π_ref, as a mean over prompts of "
    "KL(π ‖ π_ref). Here β says how strongly a loss holds π near π_ref, and a limit is drawn where "
    "DPO has no minimum."
)

_LOOKS = {"DPO": palette.DPO_LINE, "IPO": palette.IDENTITY_LINE}
_BARS = 0.52  # height of a bar, in rows
_MOST_TICKS = 7


def figure(diagnosis: Diagnosis) -> StillFigure:
    """Draw shares of the data as bars, and the mean KL of each loss's minimum against β.

    Examples
    --------
    >>> from psipo_explore import D1, diagnose
    >>> figure(diagnose(D1)).sentence[:27]
    '3 comparisons of 3 answers '
    """
    with mpl.rc_context(palette.STYLE):
        picture = StillFigure(figsize=(9.0, 4.4), dpi=svg.DPI)
        left, right = (
            picture.add_axes((x, 0.16, width, 0.68)) for x, width in ((0.2, 0.27), (0.57, 0.405))
        )
        _draw_shares(left, diagnosis)
        _draw_divergence(right, diagnosis)
        picture.sentence = str(diagnosis)
    return picture


def _draw_shares(ax: Axes, diagnosis: Diagnosis) -> None:
    shares = {
        "comparisons that\nrepeat earlier ones": diagnosis.duplicates / diagnosis.comparisons,
        "comparisons of pairs\npreferred both ways": diagnosis.contradictory
        / diagnosis.comparisons,
        "prompts where DPO\nhas no minimum": diagnosis.collapsing / diagnosis.contexts,
        "answers that vanish\nunder DPO": diagnosis.vanishing / diagnosis.actions,
    }
    colours = [palette.REFERENCE, palette.REFERENCE, palette.LOGIT, palette.LOGIT]
    rows = range(len(shares))
    ax.barh(rows, list(shares.values()), height=_BARS, color=colours)
    for row, share in zip(rows, shares.values(), strict=True):
        inside = share > 0.7
        look: palette.Look = {"ha": "right", "color": "white"} if inside else {}
        x = share - 0.03 if inside else share + 0.03
        ax.text(x, row, f"{share:.1%}", va="center", **look)
    ax.set_yticks(rows, list(shares))
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)


def _draw_divergence(ax: Axes, diagnosis: Diagnosis) -> None:
    for name, kl in diagnosis.mean_kl.items():
        label = f"{name} (limit)" if name == "DPO" and diagnosis.collapsing else name
        ax.plot(
            diagnosis.beta, kl, label=label, clip_on=False, **_LOOKS.get(name, palette.CDPO_LINE)
        )
    ax.set_xscale("log")
    if diagnosis.beta.size <= _MOST_TICKS:
        ax.set_xticks(diagnosis.beta, [number(beta) for beta in diagnosis.beta])
        ax.minorticks_off()
    ax.set_xlabel(r"$\beta$, strength of the KL term")
    ax.set_ylabel(r"mean KL$(\pi\,\|\,\pi_{ref})$, nats")
    ax.set_ylim(bottom=0)
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.02, 1.02),
        ncols=3,
        frameon=False,
        columnspacing=1.2,
        handlelength=2.6,
    )
