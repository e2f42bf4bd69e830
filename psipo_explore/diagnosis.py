"""Diagnosis of a preference file: what it holds, and what DPO, cDPO and IPO would make of it.

The comparison graph of each context decides whether DPO's loss has a minimum there. The distance
from π_ref under a loss is the KL divergence at its exact minimiser, or at the limit if it has none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._alike_contexts import AlikeContexts
from psipo_explore._bars import with_bar
from psipo_explore._blocks import blocks_of
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._data.asked import Asked, Options
from psipo_explore._data.collected import IDENTICAL, TIE
from psipo_explore._data.lists import KINDS as LISTS
from psipo_explore._data.lists import check_can_be_read_again, marks, write_clean, write_list
from psipo_explore._data.reading import Read, read_files
from psipo_explore._tables import as_html, html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.log_linear import Seen
from psipo_explore.losses import DPO, IPO, MarginLoss, cdpo
from psipo_explore.minimisers import minimise
from psipo_explore.standings import Standings, standings_of

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
        A tie is one comparison.
    duplicates : int
        Comparisons that have the same winner and the same loser as an earlier one, or are a tie of
        the same two answers as an earlier tie.
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
    ties : int
        Comparisons without a winner.
    identical : int
        Pairs whose two answers are the same. They are no comparisons, and name no prompt and no
        answer.
    read_as : str
        How the records of a file were understood, with the names of the fields that were read.
    skipped : int
        Number of lines of the file that could not be read.
    skipped_by_kind : mapping of str to int
        The same number for each kind of fault.
    first_skipped : str
        What was wrong with the first of these lines.
    passed_over : tuple of str
        Files in a folder that do not begin with a record of a known shape.
    standings : Standings, optional
        Scores of the players, if all comparisons are of one context, such as votes on models.
    cleaned : str
        How many records the clean file holds, and why the others were left out.
    separated : int, optional
        Comparisons that features separate: some direction of the shared weights satisfies them more
        and more, and breaks no other comparison. None if no features were given.
    forced_out : tuple of str, optional
        Labels of the actions whose probability DPO then drives to 0 at every β, by the weights
        that they share with others. None if no features were given.

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
    ties: int = 0
    identical: int = 0
    read_as: str = ""
    skipped: int = 0
    skipped_by_kind: Mapping[str, int] = field(default_factory=dict)
    first_skipped: str = ""
    passed_over: tuple[str, ...] = ()
    standings: Standings | None = None
    cleaned: str = ""
    separated: int | None = None
    forced_out: tuple[str, ...] | None = None

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
        return {
            **vars(self),
            "beta": self.beta.tolist(),
            "mean_kl": kl,
            "skipped_by_kind": dict(self.skipped_by_kind),
            "passed_over": list(self.passed_over),
            "forced_out": None if self.forced_out is None else list(self.forced_out),
            "standings": self.standings.as_dict() if self.standings else None,
        }

    def __str__(self) -> str:
        parts = [*self._in_words(), "", *self._kl_in_words()]
        return "\n".join([*parts, "", str(self.standings)] if self.standings else parts)

    def _in_words(self) -> list[str]:
        return [*self._counts_in_words(), *self._dpo_in_words(), *self._shared_weights_in_words()]

    def _counts_in_words(self) -> list[str]:
        lines = [f"read as {self.read_as}."] if self.read_as else []
        lines += [
            f"{_some(self.comparisons, 'comparison')} of {_some(self.actions, 'answer')} to "
            f"{_some(self.contexts, 'prompt')}.",
            "Comparisons that repeat an earlier one: "
            f"{_with_share(self.duplicates, self.comparisons)}. Pairs of answers "
            f"in which each was preferred at least once: {_grouped(self.contradictions)}.",
        ]
        if self.ties:
            lines.append(f"Ties: {_with_share(self.ties, max(self.comparisons, self.ties))}.")
        if self.identical:
            lines.append(
                "Pairs whose two answers are the same, which say nothing and are left out: "
                f"{_grouped(self.identical)}."
            )
        if self.unconnected:
            lines.append(
                "Prompts whose comparisons do not connect all answers: "
                f"{_with_share(self.unconnected, self.contexts)}. No loss "
                "says how the unconnected parts compare; the policy closest to π_ref is taken."
            )
        if self.skipped:
            kinds = "; ".join(
                f"{kind}: {_grouped(count)}" for kind, count in self.skipped_by_kind.items()
            )
            lines.append(
                f"Lines that could not be read, and were skipped: {_grouped(self.skipped)} "
                f"({kinds}). The first: {self.first_skipped}."
            )
        if self.cleaned:
            lines.append(f"Written to {self.cleaned}.")
        if self.passed_over:
            lines.append(
                "Files that do not begin with a record of a known shape, and were passed over: "
                f"{', '.join(map(checks.cut, self.passed_over))}."
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

    def _shared_weights_in_words(self) -> list[str]:
        if self.separated is None or self.forced_out is None:
            return []
        if not self.separated:
            return ["With the given features, the comparisons overlap: DPO's loss has a minimum."]
        return [
            "Comparisons that the given features separate: "
            f"{_with_share(self.separated, self.comparisons)}. With shared weights, DPO's loss "
            "pushes their margins without end. Answers that it forces out, whatever β is: "
            f"{_with_share(len(self.forced_out), self.actions)}"
            f"{f': {checks.listed(self.forced_out)}' if self.forced_out else ''}.",
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
        words = "".join(f"<p>{as_html(line)}</p>" for line in self._in_words())
        return words + html_table(
            ["β", *(f"mean KL, {name}" for name in self.mean_kl)], rows, caption=self._kl_title()
        )


def diagnose(
    data: Comparisons,
    beta: ArrayLike = BETAS,
    *,
    smoothing: float = SMOOTHING,
    pi_ref: ArrayLike | None = None,
    features: Any = None,
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
    features : array_like or scipy.sparse array, shape (K, d), optional
        φ(y) of each action. Then the diagnosis also says what DPO would do to policies that share
        weights, π_ref(y) exp(φ(y)·θ), as in `minimise_log_linear`. All other counts, and the mean
        KL, are for policies that share none.
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
        in each context, or excludes an action that was compared; if features is not a finite array
        of K rows, or tells no winner from its loser; or if beta is so small that rounding would
        decide between two actions.
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
    >>> data = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
    >>> diagnose(data, features=[[1.0], [0.0], [2.0]]).forced_out
    ('w', 'l')
    """
    checks.require_instance(
        "data", data, Comparisons, "Comparisons, such as Comparisons.from_file(…)"
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
    shared = {} if features is None else _of_shared_weights(data, features, pi_ref)
    merged = data.merged()
    reference = None if pi_ref is None else data.reference(pi_ref)
    alike = AlikeContexts.of(merged, reference)
    vanishing = blocks_of(alike.data, DPO).vanishing
    repeats = _Repeats.of(data)
    losses = with_bar([DPO, cdpo(smoothing), IPO], 3, "loss", progress)
    every = AlikeContexts.each(merged, reference)
    mean_kl = {loss.name: _mean_kl(alike, every, loss, beta) for loss in losses}
    return Diagnosis(
        contexts=int(alike.times.sum()),
        actions=data.n_actions,
        comparisons=data.winners.size - repeats.ties,
        duplicates=repeats.duplicates,
        contradictions=repeats.contradictions,
        contradictory=repeats.contradictory,
        collapsing=alike.count_contexts(vanishing),
        vanishing=int(alike.times_of_action[vanishing].sum()),
        unconnected=alike.count_contexts(_one_of_each_component(alike.data), at_least=2),
        beta=beta,
        mean_kl=mean_kl,
        ties=repeats.ties,
        **shared,
    )


def diagnose_file(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    beta: ArrayLike = BETAS,
    *,
    format: str | None = None,
    smoothing: float = SMOOTHING,
    skip_bad: bool = False,
    lists: Mapping[str, str | os.PathLike[str]] | None = None,
    clean: str | os.PathLike[str] | None = None,
    majority: bool = False,
    progress: bool = False,
    processes: int = 1,
    **options: Unpack[Options],
) -> Diagnosis:
    r"""Diagnose files of preferences, which are read record by record.

    The result is that of `diagnose` on the comparisons of the files: the losses are DPO (Eq. 4 of
    arXiv:2310.12036), cDPO and IPO (Eq. 17). Blanks around a text count as part of it. The texts
    are not kept in memory, only a hash of 16 bytes for each.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, or folders of files, that are one data set; "-" is standard input. The content tells
        what they are, as in `Comparisons.from_file`.
    beta : array_like, shape (B,) or ()
        Strengths of the KL term.
    format : str, optional
        What the files are: "jsonl", "json", "csv", "tsv" or "parquet".
    smoothing : float
        Share of labels that cDPO takes to be wrong, as in `diagnose`.
    skip_bad : bool
        Whether to skip and count the records that cannot be read, instead of refusing the files.
    lists : mapping of str to path, optional
        Files to write lists to, by what they list: "collapsing", "contradicting", "duplicates",
        "identical" or "ties". A line of a list is a JSON object: a prompt of that kind with all its
        records, each with its file and its line.
    clean : path, optional
        File to write the records to, in their own shape, without those whose answers are the same
        and those that repeat an earlier one.
    majority : bool
        Whether the clean file holds one record for each pair that was judged both ways: the first
        one of the majority.
    progress : bool
        Whether to show progress bars.
    processes : int
        How many processes read a large JSONL file. With more than one, a script must keep its
        calls under `if __name__ == "__main__":`, as multiprocessing demands.
    **options
        What holds the prompt, the answers and the outcome, as in `Comparisons.from_records`.

    Returns
    -------
    Diagnosis
        The diagnosis with π_ref uniform over the answers of each prompt. It says how the records
        were understood.

    Raises
    ------
    ValueError
        If a file is of no container or shape known here, a record cannot be read and skip_bad is
        False, no comparison is left, or `diagnose` refuses beta or smoothing. The message names the
        file, and the line if one is at fault.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile("r+", suffix=".csv") as file:
    ...     _ = Path(file.name).write_text("prompt,chosen,rejected\n2 + 2,4,5\n")
    ...     diagnose_file(file.name).read_as
    'prompt and pair: prompt, chosen, rejected'
    """
    asked, given = Asked.of(**options), checks.as_paths(paths)
    outputs = {kind: checks.as_path(path) for kind, path in (lists or {}).items()}
    clean_path = None if clean is None else checks.as_path(clean)
    _check_outputs(given, outputs, clean_path, asked, majority=majority)
    read = read_files(
        given,
        asked,
        format=format,
        hashed=True,
        skip_bad=skip_bad,
        progress=progress,
        processes=checks.as_count("processes", processes),
    )
    found = _diagnose_read(read, beta, smoothing=smoothing, progress=progress)
    if outputs or clean_path:
        merged = Comparisons._of(read.fields).merged()
        marked = marks(read, blocks_of(merged, DPO).vanishing)
        for kind, path in outputs.items():
            write_list(read, getattr(marked, kind), path)
        if clean_path:
            said = write_clean(read, marked, clean_path, majority=majority)
            found = replace(found, cleaned=said)
    return found


def _check_outputs(
    paths: Sequence[Path],
    outputs: Mapping[str, Path],
    clean: Path | None,
    asked: Asked,
    *,
    majority: bool,
) -> None:
    for kind in outputs:
        if kind not in LISTS:
            raise ValueError(f"lists names {kind!r}, must be one of {', '.join(LISTS)}")
    if majority and clean is None:
        raise ValueError("majority says which records the clean file holds: name it with clean")
    if clean is not None and asked.weight is not None:
        raise ValueError(
            "clean leaves out records that repeat earlier ones, but with a weight each of them "
            "counts: leave out clean or weight"
        )
    out = [*outputs.values(), *filter(None, [clean])]
    if out:
        check_can_be_read_again(paths, out)


def _diagnose_read(read: Read, beta: ArrayLike, *, smoothing: float, progress: bool) -> Diagnosis:
    data = Comparisons._of(read.fields)
    found = diagnose(data, beta, smoothing=smoothing, progress=progress)
    return replace(
        found,
        ties=read.count(TIE),
        identical=read.count(IDENTICAL),
        read_as=read.reader.read_as,
        skipped=read.skipped.count,
        skipped_by_kind=dict(read.skipped.kinds),
        first_skipped=read.skipped.first,
        passed_over=read.passed_over,
        standings=standings_of(data) if read.reader.is_of_votes else None,
    )


def _mean_kl(alike: AlikeContexts, every: AlikeContexts, loss: MarginLoss, beta: Array) -> Array:
    """Average KL(π ‖ π_ref) over the contexts, at the minimiser or the limit, shape (B,)."""
    try:
        contexts, fit = alike, minimise(alike.data, loss, beta, pi_ref=alike.pi_ref)
    except ValueError:
        # a message must give actions the numbers that they have among all of them
        contexts, fit = every, minimise(every.data, loss, beta, pi_ref=every.pi_ref)
    kept = ~fit.vanishing
    total = (fit.policy[:, kept] * fit.log_ratio[:, kept]) @ contexts.times_of_action[kept]
    return np.asarray(np.maximum(total, 0.0) / contexts.times.sum())


class _Repeats(NamedTuple):
    """How many comparisons repeat, or contradict, another one of the same two actions."""

    duplicates: int
    contradictions: int
    contradictory: int
    ties: int

    @classmethod
    def of(cls, data: Comparisons) -> _Repeats:
        """Count them. The two halves of a tie are one comparison, which contradicts none."""
        pair, second_won = _unordered(data), data.winners > data.losers
        tied = pair[:0]
        if data.ties is not None:
            tied = pair[data.ties][::2]
            pair, second_won = pair[~data.ties], second_won[~data.ties]
        ways, counts = np.unique(2 * pair + second_won, return_counts=True)
        # the two ways round of a pair follow each other
        second_way = np.flatnonzero(ways[1:] // 2 == ways[:-1] // 2) + 1
        return cls(
            duplicates=pair.size - ways.size + tied.size - np.unique(tied).size,
            contradictions=second_way.size,
            contradictory=int(counts[second_way - 1].sum() + counts[second_way].sum()),
            ties=tied.size,
        )


def _of_shared_weights(
    data: Comparisons, features: Any, pi_ref: ArrayLike | None
) -> dict[str, Any]:
    """Return the fields of a diagnosis that features add."""
    seen = Seen.of(data, features, pi_ref)
    fate = seen.fate()
    one_context = data.by_context.n_groups == 1
    forced_out = (
        data.actions[y] if one_context else f"{data.actions[y]} (context {data.contexts[y]})"
        for y in np.flatnonzero(fate.vanishing)
    )
    return {
        "separated": int(fate.separated[seen.pairs.of_comparison].sum()),
        "forced_out": tuple(map(str, forced_out)),
    }


def _one_of_each_component(data: Comparisons) -> Indices:
    """Return the first action of each connected component."""
    return np.asarray(np.unique(data.components, return_index=True)[1])


def _unordered(data: Comparisons) -> Indices:
    """Number the pair of actions of each comparison, regardless of which action won."""
    first, second = np.minimum(data.winners, data.losers), np.maximum(data.winners, data.losers)
    return first * data.n_actions + second


def _some(n: int, what: str) -> str:
    return f"{_grouped(n)} {what}{'s' * (n != 1)}"


def _with_share(n: int, of: int) -> str:
    return f"{_grouped(n)} ({n / of:.1%})" if n else "none"


def _grouped(n: int) -> str:
    return f"{n:,}".replace(",", "\N{NO-BREAK SPACE}")
