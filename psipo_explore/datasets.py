"""Data sets that the lessons use, as `Comparisons`.

D1, D2 and D3 are examples from the paper. The citations between four statistics journals are a
standard example of a Bradley–Terry fit, which Agresti's "Categorical Data Analysis" (2002) and the
R package BradleyTerry2 use.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from psipo_explore.comparisons import Comparisons

__all__ = ["CITATIONS_CSV", "D1", "D2", "D3", "citations"]

CITATIONS_CSV = Path(str(files("psipo_explore") / "data" / "citations.csv"))


# The data sets that §5.4 of arXiv:2310.12036 prints as pairs (winner, loser). D1 is a total order,
# D2 is a cycle, and D3 never compares c.
D1 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("a", "c")])
D2 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("c", "a")])
D3 = Comparisons.from_pairs([("a", "b"), ("b", "a")], actions=("a", "b", "c"))


def citations() -> Comparisons:
    """Load the citations between four statistics journals, 3727 comparisons of 4 actions.

    The cited journal wins against the journal that cites it. Citations of a journal by itself are
    left out. The counts are from S. M. Stigler (1994), "Citation patterns in the journals of
    statistics and probability", Statistical Science 9(1), 94–108.

    Returns
    -------
    Comparisons
        The actions are Biometrika, Comm Statist, JASA and JRSS-B.

    Examples
    --------
    >>> citations()
    Comparisons(4 actions, 12 pairs, total weight 3727)
    >>> citations().preferences()[0].round(3)
    array([0.5  , 0.957, 0.609, 0.438])
    """
    return Comparisons.from_csv(CITATIONS_CSV, winner="cited", loser="citing", weight="citations")
