"""Simulated training of softmax policies on comparisons, §5.4 of arXiv:2310.12036: all runs advance
together in one array.

A margin is a difference of logits, in which the softmax's normaliser cancels; so nothing is
normalised inside a step, and losses without a minimum may be followed as far as one likes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.special import stdtrit

from psipo_explore import _checks as checks
from psipo_explore._bars import with_bar
from psipo_explore._batches import Chunk, batches
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._tables import SHOWN, as_html, html_table
from psipo_explore._training_input import data_sets, losses_of
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.optimisers import Adam, Optimiser

__all__ = ["TrainingRun", "train"]

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """Policies along simulated training (§5.4 of arXiv:2310.12036).

    Parameters
    ----------
    policy : ndarray, shape (..., seeds, records, K)
        Action probabilities; beta's axes lead.
    log_ratio : ndarray, shape (..., seeds, records, K)
        log policy − log π_ref.
    steps : ndarray of int, shape (records,)
        When they were recorded; 0 and the last step always are.
    actions : tuple of str
        Labels.

    Examples
    --------
    >>> from psipo_explore import D1, IPO
    >>> run = train(D1, IPO, beta=1.0, steps=2000)
    >>> run.policy.shape, run.probability("c").shape
    ((10, 21, 3), (10, 21))
    """

    policy: Array
    log_ratio: Array
    steps: Indices
    actions: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"TrainingRun(policy of shape {self.policy.shape}, {self.steps[-1]} steps, actions "
            f"{checks.listed(self.actions)})"
        )

    def _repr_html_(self) -> str:
        """The last policies of a single loss, data set and β; of more, how many there are."""
        if self.policy.ndim > 3 or len(self.actions) > SHOWN:
            return f"<p>{as_html(repr(self))}</p>"
        last = self.final
        columns = zip(self.actions, last.mean(0), last.min(0), last.max(0), strict=True)
        rows = [[name, *(f"{pi:.6g}" for pi in policies)] for name, *policies in columns]
        caption = f"after {self.steps[-1]} steps, over {len(last)} seeds"
        return html_table(["action", "mean π", "least", "greatest"], rows, caption=caption)

    @property
    def final(self) -> Array:
        """Policies after the last step, shape (..., seeds, K)."""
        return self.policy[..., -1, :]

    def probability(self, action: str) -> Array:
        """Probability of one action along training.

        Parameters
        ----------
        action : str
            Its label.

        Returns
        -------
        ndarray, shape (..., seeds, records)
            Of every run.

        Raises
        ------
        ValueError
            If no action has that label, or several contexts have one.

        Examples
        --------
        >>> from psipo_explore import D1, IPO
        >>> train(D1, IPO, beta=1.0, steps=2000).probability("c")[:, -1].round(1)
        array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
        """
        checks.instance("action", action, str, "the label of an action")
        if self.actions.count(action) != 1:
            raise ValueError(
                f"action {checks.shown(action)} is the label of {self.actions.count(action)} "
                "actions, must be that of one"
            )
        return self.policy[..., self.actions.index(action)]

    def mean(self) -> Array:
        """Mean over seeds.

        Returns
        -------
        ndarray, shape (..., records, K)
            Of the policies.

        Examples
        --------
        >>> from psipo_explore import D1, IPO
        >>> train(D1, IPO, beta=1.0, steps=2000).mean()[-1].round(2)
        array([0.45, 0.32, 0.23])
        """
        return np.asarray(self.policy.mean(-3))

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Student's confidence interval for the mean over seeds.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        tuple of ndarray, shape (..., records, K)
            Its lower and its upper end.

        Raises
        ------
        ValueError
            If there is one seed only, or level is not between 0 and 1.

        Examples
        --------
        >>> from psipo_explore import D1, IPO
        >>> low, high = train(D1, IPO, beta=1.0, steps=2000).interval(0.95)
        >>> bool((low[-1] < [0.448, 0.321, 0.23]).all() and (high[-1] > [0.448, 0.321, 0.23]).all())
        True
        """
        n = self.policy.shape[-3]
        if n < 2:
            raise ValueError(f"seeds = {n}, must be at least 2 for an interval")
        level = checks.confidence(level)
        half = stdtrit(n - 1, (1 + level) / 2) * self.policy.std(-3, ddof=1) / np.sqrt(n)
        return self.mean() - half, self.mean() + half


def train(
    data: Comparisons | Sequence[Comparisons],
    loss: MarginLoss | Sequence[MarginLoss],
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    optimiser: Optimiser | None = None,
    steps: int = 18_000,
    batch_size: int | None = 9,
    seeds: int | Sequence[int] = 10,
    record_every: int = 100,
    progress: bool = False,
) -> TrainingRun:
    """Train softmax policies from pi_ref on the mean loss of batches drawn with replacement, all
    runs at once.

    The experiment of §5.4 of arXiv:2310.12036, with its settings as defaults. Batches depend on the
    seed alone, so that losses and β's are compared on the same draws, and a run is the same
    whatever runs beside it.

    Parameters
    ----------
    data : Comparisons, or a sequence of them with the same actions
        Drawn with probability proportional to their weights. A sequence adds an axis, before that
        of loss.
    loss : MarginLoss, or a sequence of them
        Any of `losses`, one without a minimum too. A sequence adds an axis, before those of beta.
    beta : array_like, shape (...)
        Strength of the KL term; larger stays closer to pi_ref.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; uniform by default.
    optimiser : Adam or GradientDescent, optional
        Adam(0.01) by default.
    steps : int
        How many steps.
    batch_size : int or None
        Comparisons a step; None takes all of them, by their weights.
    seeds : int or sequence of int
        3 means 0, 1, 2; a seed may be named once only.
    record_every : int
        After how many steps the policy is recorded.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    TrainingRun
        Policies of shape (data sets,) + (losses,) + beta.shape + (seeds, records, K), the first two
        where sequences were given.

    Raises
    ------
    ValueError
        If an argument is not what it must be, or the records do not fit into memory.
    RuntimeError
        If the logits overflow, as descent with too large a rate makes them.

    Examples
    --------
    >>> from psipo_explore import D1, DPO, IPO, GradientDescent
    >>> full = {"optimiser": GradientDescent(0.3), "steps": 500, "batch_size": None, "seeds": 1}
    >>> train(D1, IPO, 1.0, **full).final.round(3)
    array([[0.448, 0.321, 0.23 ]])
    >>> train(D1, [DPO, IPO], [0.1, 1.0], **full).final.shape
    (2, 2, 1, 3)
    """
    settings = Settings.checked(
        data,
        loss,
        beta,
        pi_ref=pi_ref,
        optimiser=optimiser,
        steps=steps,
        batch_size=batch_size,
        seeds=seeds,
        record_every=record_every,
    )
    return settings.as_run(log_ratios(settings, progress=progress))


@dataclass(frozen=True)
class Settings:
    """What `train` was asked for, checked; a block of it, cut along any of its first four fields,
    is one as well.

    Parameters
    ----------
    tables, losses, betas, seeds
        The runs: every combination of a data set, a loss, a β and a seed.
    log_reference : ndarray, shape (K,)
        log π_ref.
    axes : tuple of int
        Leading axes of what `train` returns: of data sets and losses where sequences were given,
        then of beta.
    """

    tables: Sequence[Comparisons]
    losses: Sequence[MarginLoss]
    betas: Array
    seeds: Sequence[int]
    log_reference: Array
    optimiser: Optimiser
    steps: int
    batch_size: int | None
    record_every: int
    axes: tuple[int, ...]

    @classmethod
    def checked(
        cls,
        data: Comparisons | Sequence[Comparisons],
        loss: MarginLoss | Sequence[MarginLoss],
        beta: ArrayLike,
        *,
        pi_ref: ArrayLike | None,
        optimiser: Optimiser | None,
        steps: int,
        batch_size: int | None,
        seeds: int | Sequence[int],
        record_every: int,
    ) -> Settings:
        """Raise what `train` says it raises for arguments that are not what they must be."""
        tables, losses = data_sets(data), losses_of(loss)
        beta = checks.beta_in_training(beta)
        if not beta.size:
            raise ValueError("beta is empty, must hold at least one")
        reference, *_ = [table.reference(pi_ref) for table in tables]
        optimiser = Adam(0.01) if optimiser is None else optimiser
        if isinstance(optimiser, type) or not hasattr(optimiser, "steps"):
            raise TypeError(
                f"optimiser = {checks.shown(optimiser)}, must be an optimiser, such as Adam(0.01)"
            )
        axes = [len(tables)] * (not isinstance(data, Comparisons)) + [len(losses)] * (
            not isinstance(loss, MarginLoss)
        )
        settings = cls(
            tables=tables,
            losses=losses,
            betas=beta.ravel(),
            seeds=checks.seeds(seeds),
            log_reference=np.log(
                reference, where=reference > 0, out=np.full_like(reference, -np.inf)
            ),
            optimiser=optimiser,
            steps=checks.count("steps", steps),
            batch_size=None if batch_size is None else checks.count("batch_size", batch_size),
            record_every=checks.count("record_every", record_every),
            axes=(*axes, *beta.shape),
        )
        settings._require_fits()
        return settings

    def _require_fits(self) -> None:
        """Refuse runs whose records do not fit into memory, by the argument that asks for most."""
        shape = (*self.runs, self.n_records)
        largest = max(range(5), key=shape.__getitem__)
        name = ("data", "loss", "beta", "seeds", "record_every")[largest]
        checks.require_fits(name, (*shape, self.log_reference.size))
        if self.batch_size is not None:
            checks.require_fits("batch_size", (len(self.seeds), self.batch_size))

    @property
    def runs(self) -> tuple[int, int, int, int]:
        """How many data sets, losses, β's and seeds."""
        return len(self.tables), len(self.losses), self.betas.size, len(self.seeds)

    @property
    def n_records(self) -> int:
        """How often the policy is recorded."""
        return -(-self.steps // self.record_every) + 1

    @property
    def recorded(self) -> list[int]:
        """The steps after which the policy is recorded."""
        return [*range(0, self.steps, self.record_every), self.steps]

    def as_run(self, log_ratio: Array) -> TrainingRun:
        """What `train` returns, of log-ratios of shape (data sets, losses, β's, seeds, records, K)."""
        log_ratio = log_ratio.reshape(*self.axes, *log_ratio.shape[-3:])
        policy = np.exp(self.log_reference + log_ratio)
        return TrainingRun(policy, log_ratio, np.array(self.recorded), self.tables[0].actions)


def log_ratios(settings: Settings, *, progress: bool = False) -> Array:
    """Train, and return log π − log π_ref of every run at every record.

    Its shape is (data sets, losses, β's, seeds, records, K).
    """
    data_sets, losses, betas, seeds = settings.runs
    # Losses stand outermost, so that each acts on one contiguous part of the logits u.
    shape = (losses, betas, data_sets, seeds, settings.log_reference.size)
    gradient = _Gradient.of(settings)
    u = np.zeros((losses, betas, math.prod(shape[2:])))
    descend = settings.optimiser.steps(u.shape)
    records = np.zeros((settings.n_records, *u.shape))
    record_after = {step: k for k, step in enumerate(settings.recorded)}
    drawn = batches(settings.tables, settings.batch_size, settings.seeds, settings.steps)
    draws = with_bar(_placed(drawn, shape), settings.steps, "step", progress)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, batch in enumerate(draws, start=1):
            u += descend(gradient(u, batch))
            if step in record_after:
                _require_finite(u, step)
                records[record_after[step]] = u
    # axes: record, loss, β, data set, seed, action; then as they are returned
    logits = records.reshape(-1, *shape).transpose(3, 1, 2, 4, 0, 5)
    by_context = settings.tables[0].by_context
    return by_context.less_log_mean(logits, settings.log_reference)


def _require_finite(u: Array, step: int) -> None:
    if not np.isfinite(u).all():
        raise RuntimeError(f"the logits overflowed by step {step}: try a smaller rate")


class _Batch(NamedTuple):
    """What every run descends on in one step.

    ends has shape (2, losses, β's, data sets × seeds × width): the places of winners, then of
    losers, among the logits. pulls broadcasts to it: by its weight a comparison pulls its winner,
    and by as much, the other way, its loser.
    """

    ends: Indices
    pulls: Array


@dataclass(frozen=True)
class _Gradient:
    """The gradient of each run's mean loss of a batch, in the logits u."""

    losses: Sequence[MarginLoss]
    beta: Array  # shape (β's, 1)
    scale: Array  # of each loss's slope in the margin, shape (losses, β's, 1)

    @classmethod
    def of(cls, settings: Settings) -> _Gradient:
        beta = settings.betas.reshape(-1, 1)
        scale = [beta ** (-1.0 if loss.per_beta_squared else 1.0) for loss in settings.losses]
        return cls(settings.losses, beta, np.stack(scale))

    def __call__(self, u: Array, batch: _Batch) -> Array:
        won, lost = u.take(batch.ends)
        x = self.beta * (won - lost)
        slope = np.array(
            [loss.phi_slope(of_loss) for loss, of_loss in zip(self.losses, x, strict=True)]
        )
        pulls = batch.pulls * (slope * self.scale)
        return np.asarray(np.bincount(batch.ends.ravel(), pulls.ravel(), u.size).reshape(u.shape))


def _placed(chunks: Iterable[Chunk], shape: tuple[int, ...]) -> Iterator[_Batch]:
    """Yield the batch of each step, placed among logits of shape (losses, β's, data sets, seeds, K)."""
    *runs, n_actions = shape
    first_action = np.arange(0, math.prod(shape), n_actions, dtype=np.intp).reshape(*runs, 1)

    def ends(pairs: Indices) -> Indices:
        """Place pairs of shape (2, data sets, seeds or 1, width)."""
        return (first_action + pairs[:, np.newaxis, np.newaxis]).reshape(2, *shape[:2], -1)

    for chunk in chunks:
        pulls = _pulls(chunk.weights, shape)
        yield from map(
            _Batch,
            _of_each_step(map(ends, chunk.pairs), len(chunk.pairs), chunk.n_steps),
            _of_each_step(pulls, len(pulls), chunk.n_steps),
        )


def _pulls(weights: Array, shape: tuple[int, ...]) -> Array:
    """Weights of shape (n or 1, data sets, seeds or 1, width), given to every seed and both ends."""
    n, *_, width = weights.shape
    every_seed = np.broadcast_to(weights, (n, *shape[2:4], width)).reshape(n, 1, 1, -1)
    return np.stack([every_seed, -every_seed], axis=1)


def _of_each_step(values: Iterable[_T], n_values: int, n_steps: int) -> Iterable[_T]:
    """Repeat a value that is the same for all steps."""
    if n_values == n_steps:
        return values
    (same,) = values
    return repeat(same, n_steps)
