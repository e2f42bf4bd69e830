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

#: File with the citations between four journals, as an example of a CSV file.
#:
#: :meta hide-value:
CITATIONS_CSV = Path(str(files("psipo_explore") / "data" / "citations.csv"))


# §5.4 of arXiv:2310.12036 prints these data sets as pairs (winner, loser).
#: a beats b, b beats c, and a beats c: a total order.
D1 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("a", "c")])
#: a beats b, b beats c, and c beats a: a cycle.
D2 = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("c", "a")])
#: a beats b, and b beats a; c is never compared.
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
