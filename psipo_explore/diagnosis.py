"""Diagnosis of a preference file: what it holds, and what DPO, cDPO and IPO would make of it.

The comparison graph of each context decides whether DPO's loss has a minimum there. The distance
from π_ref under a loss is the KL divergence at its exact minimiser, or at the limit if it has none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._bars import with_bar
from psipo_explore._blocks import blocks_of
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._data.files import Row, Skipped, csv_rows, indexed, jsonl_rows, refuse
from psipo_explore._tables import as_html, html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, IPO, MarginLoss, cdpo
from psipo_explore.minimisers import minimise

__all__ = ["Diagnosis", "diagnose", "diagnose_file"]

BETAS = (0.01, 0.03, 0.1, 0.3, 1.0)
SMOOTHING = 0.1
LEAST_BETA = 1e-12
LEAST_SMOOTHING = 1e-100


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Counts over a preference file, and how far three losses would move a policy from π_ref.

    The losses are DPO's (Eq. 4 of arXiv:2310.12036), its smoothed variant cDPO, and IPO's (Eq. 17).

    Parameters
    ----------
    contexts, actions, comparisons : int
        Numbers of prompts, answers and comparisons. The same answer to two prompts counts twice.
    duplicates : int
        Comparisons that have the same winner and the same loser as an earlier one.
    contradictions : int
        Pairs of answers in which each was preferred to the other at least once.
    contradictory : int
        Comparisons of the answers of such pairs.
    collapsing : int
        Contexts in which DPO's loss has no minimum.
    vanishing : int
        Actions whose probability goes to 0 along every minimising sequence of DPO's loss, for every
        β.
    unconnected : int
        Contexts whose comparisons do not connect all their actions. No loss says how the actions of
        two unconnected parts compare.
    beta : ndarray, shape (B,)
        Strengths of the KL term.
    mean_kl : mapping of str to ndarray, shape (B,)
        Mean over contexts of KL(π ‖ π_ref) in nats, for each loss. The policy π is the minimiser,
        or the limit where there is none. Where several policies minimise the loss, π is the one
        closest to π_ref.
    skipped : int
        Number of lines of the file that could not be read.
    first_skipped : str
        What was wrong with the first of these lines.

    Examples
    --------
    >>> from psipo_explore import D1
    >>> diagnosis = diagnose(D1, beta=[0.1, 1.0])
    >>> diagnosis.vanishing, diagnosis.mean_kl["DPO"].round(2), diagnosis.mean_kl["IPO"].round(2)
    (2, array([1.1, 1.1]), array([0.94, 0.04]))
    """

    contexts: int
    actions: int
    comparisons: int
    duplicates: int
    contradictions: int
    contradictory: int
    collapsing: int
    vanishing: int
    unconnected: int
    beta: Array
    mean_kl: Mapping[str, Array]
    skipped: int = 0
    first_skipped: str = ""

    def share_collapsing(self, level: float = 0.95) -> tuple[float, float, float]:
        """Share of contexts in which DPO's loss has no minimum, with a confidence interval.

        The interval is Clopper and Pearson's. It is for the share in the population, if the
        contexts are independent draws from that population.

        Parameters
        ----------
        level : float
            Confidence level of the interval, strictly between 0 and 1.

        Returns
        -------
        tuple of float
            The share, and the lower and the upper end of the interval.

        Raises
        ------
        ValueError
            If level is not strictly between 0 and 1.

        Examples
        --------
        >>> from psipo_explore import D2
        >>> diagnose(D2).share_collapsing()
        (0.0, 0.0, 0.975)
        """
        from scipy.stats import binomtest

        level = checks.as_confidence_level(level)
        interval = binomtest(self.collapsing, self.contexts).proportion_ci(level)
        return self.collapsing / self.contexts, float(interval.low), float(interval.high)

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as numbers, texts, lists and dictionaries, ready for JSON.

        Returns
        -------
        dict
            The values of the fields, by their names.

        Examples
        --------
        >>> from psipo_explore import D2
        >>> diagnose(D2, beta=1.0).as_dict()["mean_kl"]
        {'DPO': [0.0], 'cDPO 0.1': [0.0], 'IPO': [0.0]}
        """
        kl = {name: values.tolist() for name, values in self.mean_kl.items()}
        return {**vars(self), "beta": self.beta.tolist(), "mean_kl": kl}

    def __str__(self) -> str:
        return "\n".join(
            [*self._counts_in_words(), *self._dpo_in_words(), "", *self._kl_in_words()]
        )

    def _counts_in_words(self) -> list[str]:
        lines = [
            f"{_some(self.comparisons, 'comparison')} of {_some(self.actions, 'answer')} to "
            f"{_some(self.contexts, 'prompt')}.",
            "Comparisons that repeat an earlier one: "
            f"{_with_share(self.duplicates, self.comparisons)}. Pairs of answers "
            f"in which each was preferred at least once: {_grouped(self.contradictions)}.",
        ]
        if self.unconnected:
            lines.append(
                "Prompts whose comparisons do not connect all answers: "
                f"{_with_share(self.unconnected, self.contexts)}. No loss "
                "says how the unconnected parts compare; the policy closest to π_ref is taken."
            )
        if self.skipped:
            lines.append(
                f"Lines that could not be read, and were skipped: {_grouped(self.skipped)}. The "
                f"first: {self.first_skipped}."
            )
        return lines

    def _dpo_in_words(self) -> list[str]:
        if not self.collapsing:
            return ["DPO's loss has a minimum in every prompt: no answer vanishes."]
        return [
            "Prompts where DPO's loss has no minimum: "
            f"{_with_share(self.collapsing, self.contexts)}. Answers that vanish there: "
            f"{_with_share(self.vanishing, self.actions)}. Each of them loses to another "
            "answer, directly or through a chain of others, and no chain leads back. The longer "
            "DPO trains, the closer their probability comes to 0, whatever β is.",
        ]

    def _kl_in_words(self) -> list[str]:
        width = max(map(len, self.mean_kl)) + 3
        header = "".join(name.rjust(width) for name in self.mean_kl)
        rows = [
            f"{beta:>10.4g}" + "".join(f"{kl:{width}.4f}" for kl in row)
            for beta, *row in zip(self.beta, *self.mean_kl.values(), strict=True)
        ]
        return [f"{self._kl_title()}:", f"{'β':>10}{header}", *rows, *self._hold_of_beta_in_words()]

    def _kl_title(self) -> str:
        limits = " (where DPO has none, at its limit)" if self.collapsing else ""
        return f"Mean KL(π ‖ π_ref) over the prompts, in nats, at each loss's minimum{limits}"

    def _hold_of_beta_in_words(self) -> list[str]:
        least, most = int(self.beta.argmin()), int(self.beta.argmax())
        if self.beta[least] == self.beta[most]:
            return []
        falls = [
            f"{max(kl[least] - kl[most], 0):.4f} under {name}" for name, kl in self.mean_kl.items()
        ]
        return [
            "",
            f"Raising β from {self.beta[least]:g} to "
            f"{self.beta[most]:g} lowers the mean KL by "
            f"{', '.join(falls[:-1])} and {falls[-1]}.",
        ]

    def _repr_html_(self) -> str:
        rows = [
            [f"{beta:g}", *(f"{kl:.4f}" for kl in row)]
            for beta, *row in zip(self.beta, *self.mean_kl.values(), strict=True)
        ]
        words = "".join(
            f"<p>{as_html(line)}</p>" for line in [*self._counts_in_words(), *self._dpo_in_words()]
        )
        return words + html_table(
            ["β", *(f"mean KL, {name}" for name in self.mean_kl)], rows, caption=self._kl_title()
        )


def diagnose(
    data: Comparisons,
    beta: ArrayLike = BETAS,
    *,
    smoothing: float = SMOOTHING,
    pi_ref: ArrayLike | None = None,
    progress: bool = False,
) -> Diagnosis:
    """Diagnose comparisons: count what they hold, and find how far three losses move from pi_ref.

    The losses are DPO, cDPO and IPO.

    Parameters
    ----------
    data : Comparisons
        The data, with one context for each prompt; `diagnose_file` reads them from a file.
    beta : array_like, shape (B,) or ()
        Strengths of the KL term.
    smoothing : float
        Share of labels that cDPO takes to be wrong, at least 1e-100 and below ½. It must be
        positive because cDPO would otherwise be DPO, whose loss may have no minimum.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; by default uniform over the answers of
        each prompt.
    progress : bool
        Whether to show a progress bar that counts the losses.

    Returns
    -------
    Diagnosis
        The counts and the divergences; `print` shows them in words.

    Raises
    ------
    ValueError
        If data holds no comparison; if beta is empty, has more than one axis, or is not from 1e-12
        to 1e100; if smoothing is not at least 1e-100 and below ½; if pi_ref is not a distribution
        in each context, or excludes an action that was compared; or if beta is so small that
        rounding would decide between two actions.
    TypeError
        If data is not Comparisons.

    Notes
    -----
    DPO's loss (Eq. 4 of arXiv:2310.12036) has a minimum in a context if and only if each connected
    component of its comparisons is strongly connected (Ford 1957). IPO's (Eq. 17) and cDPO's have
    one in every context.

    Examples
    --------
    >>> data = Comparisons.from_pairs([("yes", "no"), ("yes", "no"), ("no", "yes")])
    >>> diagnosis = diagnose(data)
    >>> diagnosis.duplicates, diagnosis.contradictions, diagnosis.collapsing
    (1, 1, 0)
    """
    checks.require_instance(
        "data", data, Comparisons, "Comparisons, such as Comparisons.from_jsonl(…)"
    )
    beta = np.atleast_1d(checks.as_beta_in_training(beta))
    if beta.ndim > 1 or not beta.size:
        raise ValueError(f"beta has shape {beta.shape}, must be one or several numbers")
    checks.refuse_where(
        beta < LEAST_BETA,
        "beta",
        beta,
        f"must be at least {LEAST_BETA:g}: below, float64 loses ties",
        -beta,
    )
    smoothing = checks.as_scalar("smoothing", smoothing)
    if not LEAST_SMOOTHING <= smoothing < 0.5:
        why = (
            f"positive (with 0, cDPO is DPO), at least {LEAST_SMOOTHING:g} (in float64, less "
            "would not count) and below ½"
        )
        raise ValueError(f"smoothing = {smoothing:g}, must be {why}")
    merged = data.merged()
    n_contexts = _distinct(data.contexts)
    vanishing = blocks_of(merged, DPO).vanishing
    contradictions, contradictory = _both_ways_round(data, merged)
    losses = with_bar([DPO, cdpo(smoothing), IPO], 3, "loss", progress)
    mean_kl = {loss.name: _total_kl(merged, loss, beta, pi_ref) / n_contexts for loss in losses}
    return Diagnosis(
        contexts=n_contexts,
        actions=data.n_actions,
        comparisons=data.winners.size,
        duplicates=data.winners.size - merged.winners.size,
        contradictions=contradictions,
        contradictory=contradictory,
        collapsing=_distinct(data.contexts[vanishing]),
        vanishing=int(vanishing.sum()),
        unconnected=_unconnected(merged),
        beta=beta,
        mean_kl=mean_kl,
    )


def diagnose_file(
    path: str | os.PathLike[str],
    beta: ArrayLike = BETAS,
    *,
    prompt: str = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    smoothing: float = SMOOTHING,
    skip_bad: bool = False,
    progress: bool = False,
) -> Diagnosis:
    r"""Diagnose a CSV or JSONL file of preferences, which is read line by line.

    The result is that of `diagnose` on the comparisons of the file: the losses are DPO (Eq. 4 of
    arXiv:2310.12036), cDPO and IPO (Eq. 17). Blanks around a text count as part of it. The texts
    are not kept in memory, only a hash of 16 bytes for each.

    Parameters
    ----------
    path : path
        A UTF-8 file whose name ends in .csv (with a header), .jsonl or .ndjson.
    beta : array_like, shape (B,) or ()
        Strengths of the KL term.
    prompt, chosen, rejected : str
        Names of the columns or fields.
    smoothing : float
        Share of labels that cDPO takes to be wrong, as in `diagnose`.
    skip_bad : bool
        Whether to skip and count the lines that cannot be read, instead of refusing the file.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    Diagnosis
        The diagnosis with π_ref uniform over the answers of each prompt.

    Raises
    ------
    ValueError
        If the file's name has another ending, a line cannot be read and skip_bad is False, no
        comparison is left, or `diagnose` refuses beta or smoothing. The message names the file, and
        the line if one is at fault.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile("r+", suffix=".csv") as file:
    ...     _ = Path(file.name).write_text("prompt,chosen,rejected\n2 + 2,4,5\n")
    ...     diagnose_file(file.name).vanishing
    1
    """
    path, columns = checks.as_path(path), {"context": prompt, "winner": chosen, "loser": rejected}
    readers: dict[str, Callable[..., Iterator[Row]]] = {
        ".csv": csv_rows,
        ".jsonl": jsonl_rows,
        ".ndjson": jsonl_rows,
    }
    skipped = Skipped()
    # A folder has no suffix to choose a reader by; csv_rows refuses it with a clear message.
    reader = csv_rows if path.is_dir() else readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path.name} is of no kind known here, must end in {', '.join(readers)}")
    as_it_is = {"strip": False} if reader is csv_rows else {}
    rows = reader(
        path, columns, **as_it_is, on_bad=skipped if skip_bad else refuse, progress=progress
    )
    try:
        data = Comparisons(*indexed(path.name, rows, hashed=True))
    except ValueError as error:
        raise ValueError(
            f"{error}; {skipped.count} skipped, first {skipped.first}"
            if skipped.count
            else str(error)
        ) from None
    found = diagnose(data, beta, smoothing=smoothing, progress=progress)
    return replace(found, skipped=skipped.count, first_skipped=skipped.first)


def _total_kl(data: Comparisons, loss: MarginLoss, beta: Array, pi_ref: ArrayLike | None) -> Array:
    """Sum KL(π ‖ π_ref) over the contexts, at the minimiser or the limit, shape (B,)."""
    fit = minimise(data, loss, beta, pi_ref=pi_ref)
    kept = ~fit.vanishing
    return np.asarray(np.maximum((fit.policy[:, kept] * fit.log_ratio[:, kept]).sum(-1), 0.0))


def _both_ways_round(data: Comparisons, merged: Comparisons) -> tuple[int, int]:
    """Count the pairs of actions that beat each other, and the comparisons of such pairs."""
    _, comparisons = np.unique(_unordered(data), return_counts=True)
    _, ways_round = np.unique(_unordered(merged), return_counts=True)
    both = ways_round == 2
    return int(both.sum()), int(comparisons[both].sum())


def _unconnected(data: Comparisons) -> int:
    """Count the contexts whose actions fall into several connected components."""
    _, one_action_each = np.unique(data.components, return_index=True)
    _, components = np.unique(data.contexts[one_action_each], return_counts=True)
    return int((components > 1).sum())


def _unordered(data: Comparisons) -> Indices:
    """Number the pair of actions of each comparison, regardless of which action won."""
    return np.minimum(data.winners, data.losers) * data.n_actions + np.maximum(
        data.winners, data.losers
    )


def _distinct(values: Indices) -> int:
    return int(np.unique(values).size)


def _some(n: int, what: str) -> str:
    return f"{_grouped(n)} {what}{'s' * (n != 1)}"


def _with_share(n: int, of: int) -> str:
    return f"{_grouped(n)} ({n / of:.1%})" if n else "none"


def _grouped(n: int) -> str:
    return f"{n:,}".replace(",", "\N{NO-BREAK SPACE}")
