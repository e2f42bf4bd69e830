"""Data that the lessons use, as `Comparisons`.

Citations between four statistics journals, from S. M. Stigler (1994), "Citation patterns in the
journals of statistics and probability", Statistical Science 9(1), 94–108; the example of a
Bradley–Terry fit in Agresti's "Categorical Data Analysis" (2002) and in the R package
BradleyTerry2. The journal that is cited wins; citations of a journal by itself are left out.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from psipo_explore.comparisons import Comparisons

__all__ = ["CITATIONS_CSV", "D1", "D2", "D3", "citations"]

CITATIONS_CSV = Path(str(files("psipo_explore") / "data" / "citations.csv"))


# The data sets of §5.4 of arXiv:2310.12036 as printed, as pairs (winner, loser): a total order, a
# cycle, and one in which c is never compared.
D1 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("a", "c")])
D2 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("c", "a")])
D3 = Comparisons.from_pairs([("a", "b"), ("b", "a")], actions=("a", "b", "c"))


def citations() -> Comparisons:
    """Who cites whom among four statistics journals: 3727 comparisons of 4 actions, won by the
    journal that is cited.

    Counts of Stigler (1994), Statistical Science 9(1), 94–108, off-diagonal.

    Returns
    -------
    Comparisons
        Actions Biometrika, Comm Statist, JASA, JRSS-B.

    Examples
    --------
    >>> citations()
    Comparisons(4 actions, 12 pairs, total weight 3727)
    >>> citations().preferences()[0].round(3)
    array([0.5  , 0.957, 0.609, 0.438])
    """
    return Comparisons.from_csv(CITATIONS_CSV, winner="cited", loser="citing", weight="citations")
