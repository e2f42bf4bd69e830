"""Simulated training of softmax policies on comparisons, §5.4 of arXiv:2310.12036: all runs advance together in one array.

A margin is a difference of logits, in which the softmax's normaliser cancels; so nothing is normalised inside a step, and
losses without a minimum may be followed as far as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import stdtrit

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._segments import Segments
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.minimisers import context_policy

_DRAWS = 1 << 20  # random numbers held at once


class Optimiser(Protocol):
    """What turns gradients into steps; one call of `steps` serves one training."""

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """A fresh state for logits of that shape."""
        ...


class _Steps(Protocol):
    def __call__(self, gradient: Array) -> Array: ...


@dataclass(frozen=True)
class GradientDescent:
    """Steps of −rate · gradient.

    Parameters
    ----------
    rate : float
        Step size, positive.

    Examples
    --------
    >>> GradientDescent(0.5).steps((2,))(np.array([1.0, -2.0]))
    array([-0.5,  1. ])
    """

    rate: float

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate)

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """A function from gradient to step; it has no state."""
        return lambda gradient: -self.rate * gradient


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015), the optimiser of the paper's experiments.

    Parameters
    ----------
    rate : float
        Step size, positive; 0.01 in the paper.
    decay, square_decay : float
        Of the running means of the gradient and of its square, in [0, 1).
    epsilon : float
        Added to the root of the mean square.

    Examples
    --------
    >>> Adam(0.01).steps((2,))(np.array([1.0, -2.0])).round(6)
    array([-0.01,  0.01])
    """

    rate: float = 0.01
    decay: float = 0.9
    square_decay: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate)
        checks.positive("epsilon", self.epsilon)
        for name in ("decay", "square_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}, must be in [0, 1)")

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """A function from gradient to step, which keeps the running means."""
        mean, square, count = np.zeros(shape), np.zeros(shape), 0

        def step(gradient: Array) -> Array:
            nonlocal mean, square, count
            count += 1
            mean = self.decay * mean + (1 - self.decay) * gradient
            square = self.square_decay * square + (1 - self.square_decay) * gradient**2
            unbiased = mean / (1 - self.decay**count)
            return -self.rate * unbiased / (np.sqrt(square / (1 - self.square_decay**count)) + self.epsilon)

        return step


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """Policies along simulated training.

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
    """

    policy: Array
    log_ratio: Array
    steps: Indices
    actions: tuple[str, ...]

    @property
    def final(self) -> Array:
        """Policies after the last step, shape (..., seeds, K)."""
        return self.policy[..., -1, :]

    def probability(self, action: str) -> Array:
        """Probability of the action with that label, shape (..., seeds, records)."""
        if self.actions.count(action) != 1:
            raise ValueError(f"action {action!r} is the label of {self.actions.count(action)} actions, must be that of one")
        return self.policy[..., self.actions.index(action)]

    def mean(self) -> Array:
        """Mean over seeds, shape (..., records, K)."""
        return np.asarray(self.policy.mean(-3))

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Ends of Student's confidence interval for the mean over seeds, each of shape (..., records, K)."""
        n = self.policy.shape[-3]
        if n < 2:
            raise ValueError(f"seeds: {n}, must be at least 2 for an interval")
        level = checks.scalar("level", level)
        if not 0 < level < 1:
            raise ValueError(f"level = {level:g}, must be between 0 and 1")
        half = stdtrit(n - 1, (1 + level) / 2) * self.policy.std(-3, ddof=1) / np.sqrt(n)
        return self.mean() - half, self.mean() + half


def train(
    data: Comparisons,
    loss: MarginLoss,
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
    """Train softmax policies from pi_ref on the mean loss of batches drawn with replacement, for many β's and seeds at once.

    The experiment of §5.4 of arXiv:2310.12036, with its settings as defaults. Batches depend on the seed alone, so that
    losses and β's are compared on the same draws, and a run is the same whatever runs beside it.

    Parameters
    ----------
    data : Comparisons
        Drawn with probability proportional to their weights.
    loss : MarginLoss
        Any of `losses`, one without a minimum too.
    beta : array_like, shape (...)
        Strength of the KL term; larger stays closer to pi_ref.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; uniform by default.
    optimiser : Adam or GradientDescent, optional
        Adam(0.01) by default.
    steps, record_every : int
        How many steps, and after how many the policy is recorded.
    batch_size : int or None
        Comparisons a step; None takes all of them, by their weights.
    seeds : int or sequence of int
        3 means 0, 1, 2.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    TrainingRun
        Policies of shape beta.shape + (seeds, records, K).

    Raises
    ------
    ValueError
        If an argument is not what it must be.
    RuntimeError
        If the logits overflow, as descent with too large a rate makes them.

    Examples
    --------
    >>> from psipo_explore import D1, IPO
    >>> run = train(D1, IPO, 1.0, optimiser=GradientDescent(0.3), steps=500, batch_size=None, seeds=1)
    >>> run.final.round(3)
    array([[0.448, 0.321, 0.23 ]])
    """
    if not isinstance(loss, MarginLoss):
        raise TypeError(f"loss = {loss!r}, must be a MarginLoss, such as IPO or DPO")
    if not data.winners.size:
        raise ValueError("data holds no comparison, must hold at least one")
    beta = checks.positive("beta", beta)
    reference = context_policy(data, pi_ref)
    steps, record_every = checks.count("steps", steps), checks.count("record_every", record_every)
    batch_size = None if batch_size is None else checks.count("batch_size", batch_size)
    seeds = _seeds(seeds)
    recorded = np.unique([*range(0, steps, record_every), steps])

    b = beta.reshape(-1, 1, 1)
    shape = (b.size, len(seeds), data.n_actions)
    u = np.zeros(shape)
    descend = (optimiser or Adam(0.01)).steps(shape)
    records = np.zeros((*shape[:2], recorded.size, data.n_actions))
    record = 1
    for count, (batch, weights) in enumerate(_batches(data, batch_size, seeds, steps, progress), start=1):
        with np.errstate(over="ignore", invalid="ignore"):
            u += descend(_gradient(u, data.winners[batch], data.losers[batch], weights, loss, b))
        if count == recorded[record]:
            if not np.isfinite(u).all():
                raise RuntimeError(f"the logits overflowed by step {count}: try a smaller rate")
            records[:, :, record] = u
            record += 1
    with np.errstate(divide="ignore"):
        log_reference = np.log(reference)
    log_ratio = records - Segments(data.contexts).log_total(log_reference + records)
    log_ratio = log_ratio.reshape(*beta.shape, *log_ratio.shape[1:])
    return TrainingRun(np.exp(log_reference + log_ratio), log_ratio, recorded, data.actions)


def _gradient(u: Array, winners: Indices, losers: Indices, weights: Array, loss: MarginLoss, beta: Array) -> Array:
    """Of each run's weighted batch loss in its logits; winners and losers have shape (seeds or 1, batch)."""
    n_beta, n_seeds, n_actions = u.shape
    run = (np.arange(n_beta * n_seeds) * n_actions).reshape(n_beta, n_seeds, 1)
    won, lost = run + winners, run + losers
    margins = u.take(won) - u.take(lost)
    pull = weights * beta ** (-1.0 if loss.per_beta_squared else 1.0) * loss.phi_slope(beta * margins)
    gathered = np.bincount(won.ravel(), pull.ravel(), u.size) - np.bincount(lost.ravel(), pull.ravel(), u.size)
    return np.asarray(gathered.reshape(u.shape))


def _batches(
    data: Comparisons, batch_size: int | None, seeds: Sequence[int], steps: int, progress: bool
) -> Iterator[tuple[Indices, Array]]:
    """For each step the comparisons of each seed's batch, shape (seeds, batch), and their weights."""
    from tqdm.auto import tqdm

    with tqdm(total=steps, disable=not progress, unit="step") as bar:
        if batch_size is None:
            everything = np.arange(data.winners.size)[np.newaxis]
            weights = data.weights / data.weights.sum()
            for _ in range(steps):
                yield everything, weights
                bar.update()
            return
        generators = [np.random.default_rng(seed) for seed in seeds]
        share = np.cumsum(data.weights) / data.weights.sum()
        share[-1] = 1.0
        equal = np.full(batch_size, 1 / batch_size)
        chunk = max(1, _DRAWS // (len(seeds) * batch_size))
        for start in range(0, steps, chunk):
            size = (min(chunk, steps - start), batch_size)
            drawn = np.stack([np.searchsorted(share, rng.random(size), side="right") for rng in generators], axis=1)
            for batch in drawn:
                yield batch, equal
                bar.update()


def _seeds(seeds: int | Sequence[int]) -> Sequence[int]:
    if isinstance(seeds, int | np.integer):
        return range(checks.count("seeds", int(seeds)))
    given = [int(seed) for seed in seeds]
    if not given or min(given) < 0:
        raise ValueError(f"seeds = {given}, must be whole numbers from 0 on, at least one")
    return given
