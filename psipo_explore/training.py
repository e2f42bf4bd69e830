"""Simulated training of softmax policies on comparisons, as in §5.4 of arXiv:2310.12036.

All runs advance together in one array. A margin is a difference of logits, in which the softmax's
normaliser cancels, so a step need not normalise anything, and a run can follow a loss without a
minimum as far as one likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy.special import stdtrit

from psipo_explore import _checks as checks
from psipo_explore._bars import with_bar
from psipo_explore._batches import Chunk, batches
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._tables import SHOWN, as_html, html_table
from psipo_explore._training_input import as_data_sets, as_losses
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
        Action probabilities; the leading axes are those of the data sets, losses and β's.
    log_ratio : ndarray, shape (..., seeds, records, K)
        log policy − log π_ref.
    steps : ndarray of int, shape (records,)
        Steps after which the policies were recorded, always including 0 and the last step.
    actions : tuple of str
        Labels of the actions.
    theta : ndarray, shape (..., seeds, records, d), or None
        Weights of policies that were trained with features.

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
    theta: Array | None = None

    def __repr__(self) -> str:
        return (
            f"TrainingRun(policy of shape {self.policy.shape}, {self.steps[-1]} steps, actions "
            f"{checks.listed(self.actions)})"
        )

    def _repr_html_(self) -> str:
        """Show the final policies in a table, or a summary if they are too many for one."""
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
            Label of the action.

        Returns
        -------
        ndarray, shape (..., seeds, records)
            The probability in each run, at each record.

        Raises
        ------
        ValueError
            If no action has that label, or if actions in several contexts have it.
        TypeError
            If action is not a str.

        Examples
        --------
        >>> from psipo_explore import D1, IPO
        >>> train(D1, IPO, beta=1.0, steps=2000).probability("c")[:, -1].round(1)
        array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
        """
        checks.require_instance("action", action, str, "the label of an action")
        if self.actions.count(action) != 1:
            raise ValueError(
                f"action {checks.shown(action)} is the label of {self.actions.count(action)} "
                "actions, must be that of one"
            )
        return self.policy[..., self.actions.index(action)]

    def mean(self) -> Array:
        """Mean of the policies over the seeds.

        Returns
        -------
        ndarray, shape (..., records, K)
            The mean policy at each record.

        Examples
        --------
        >>> from psipo_explore import D1, IPO
        >>> train(D1, IPO, beta=1.0, steps=2000).mean()[-1].round(2)
        array([0.45, 0.32, 0.23])
        """
        return np.asarray(self.policy.mean(-3))

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Compute Student's confidence interval for the mean over the seeds.

        Parameters
        ----------
        level : float
            Confidence level of the interval, strictly between 0 and 1.

        Returns
        -------
        tuple of ndarray, shape (..., records, K)
            The lower and the upper end of the interval.

        Raises
        ------
        ValueError
            If there is only one seed, or level is not strictly between 0 and 1.

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
        level = checks.as_confidence_level(level)
        half = stdtrit(n - 1, (1 + level) / 2) * self.policy.std(-3, ddof=1) / np.sqrt(n)
        return self.mean() - half, self.mean() + half


def train(
    data: Comparisons | Sequence[Comparisons],
    loss: MarginLoss | Sequence[MarginLoss],
    beta: ArrayLike,
    *,
    pi_ref: ArrayLike | None = None,
    features: Any = None,
    optimiser: Optimiser | None = None,
    steps: int = 18_000,
    batch_size: int | None = 9,
    seeds: int | Sequence[int] = 10,
    record_every: int = 100,
    progress: bool = False,
) -> TrainingRun:
    """Train softmax policies, starting from pi_ref, on batches of comparisons, all runs at once.

    This is the experiment of §5.4 of arXiv:2310.12036, and its settings are the defaults. Each step
    follows the gradient of the mean loss of a batch that is drawn with replacement. The draws
    depend on the seed alone, so all losses and β's are compared on the same draws, and the result
    of a run does not depend on the other runs.

    Parameters
    ----------
    data : Comparisons, or a sequence of them with the same actions
        Comparisons to train on; each is drawn with a probability proportional to its weight. A
        sequence adds an axis to the result, before that of loss.
    loss : MarginLoss, or a sequence of them
        Any of `losses`, even one that has no minimum. A sequence adds an axis to the result, before
        those of beta.
    beta : array_like, shape (...)
        Strength of the KL term; larger stays closer to pi_ref.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; uniform by default.
    features : array_like or scipy.sparse array, shape (K, d), optional
        φ(y) of each action. Then the policies are π_ref(y) exp(φ(y)·θ), and the d weights θ are
        trained, from 0; by default, each logit is a weight of its own.
    optimiser : Adam or GradientDescent, optional
        Rule that turns gradients into steps; Adam(0.01) by default.
    steps : int
        Number of steps.
    batch_size : int or None
        Number of comparisons in the batch of each step. With None, each step takes all comparisons
        by their weights.
    seeds : int or sequence of int
        Seeds of the runs, all different; 3 stands for 0, 1, 2.
    record_every : int
        Number of steps from one record of the policy to the next.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    TrainingRun
        Policies of shape (data sets,) + (losses,) + beta.shape + (seeds, records, K). The first two
        axes are there only if sequences were given.

    Raises
    ------
    ValueError
        If data or loss is an empty sequence, a data set holds no comparison or has other actions
        than the first, beta is empty or not from 1e-100 to 1e100, pi_ref is not a distribution in
        each context or excludes an action that was compared, features is not a finite array of K
        rows, steps, batch_size or record_every is less than 1, seeds are negative or repeated, or
        the records do not fit into memory.
    TypeError
        If an argument is of the wrong type, such as an optimiser that has no steps.
    RuntimeError
        If the logits overflow, as in gradient descent with too large a rate.

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
        features=features,
        optimiser=optimiser,
        steps=steps,
        batch_size=batch_size,
        seeds=seeds,
        record_every=record_every,
    )
    return settings.as_run(trained(settings, progress=progress))


@dataclass(frozen=True)
class Settings:
    """The checked arguments of `train`.

    To train only some of the runs, replace any of the first four fields by a part of it.

    Parameters
    ----------
    data_sets, losses, betas, seeds
        Data sets, losses, β's and seeds. There is a run for every combination of them.
    log_reference : ndarray, shape (K,)
        log π_ref.
    features : ndarray or sparse array, shape (K, d), or None
        φ of each action; None if each logit is a weight of its own.
    axes : tuple of int
        Leading axes of the arrays that `train` returns: those of data sets and losses if sequences
        were given, then those of beta.
    """

    data_sets: Sequence[Comparisons]
    losses: Sequence[MarginLoss]
    betas: Array
    seeds: Sequence[int]
    log_reference: Array
    features: Any
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
        features: Any,
        optimiser: Optimiser | None,
        steps: int,
        batch_size: int | None,
        seeds: int | Sequence[int],
        record_every: int,
    ) -> Settings:
        """Check the arguments of `train`, and raise the errors that its docstring names."""
        data_sets, losses = as_data_sets(data), as_losses(loss)
        beta = checks.as_beta_in_training(beta)
        if not beta.size:
            raise ValueError("beta is empty, must hold at least one")
        # Every data set is asked, so that pi_ref is checked against the comparisons of each.
        reference, *_ = [one.reference(pi_ref) for one in data_sets]
        optimiser = Adam(0.01) if optimiser is None else optimiser
        if isinstance(optimiser, type) or not hasattr(optimiser, "steps"):
            raise TypeError(
                f"optimiser = {checks.shown(optimiser)}, must be an optimiser, such as Adam(0.01)"
            )
        of_data = () if isinstance(data, Comparisons) else (len(data_sets),)
        of_loss = () if isinstance(loss, MarginLoss) else (len(losses),)
        settings = cls(
            data_sets=data_sets,
            losses=losses,
            betas=beta.ravel(),
            seeds=checks.as_seeds(seeds),
            log_reference=np.log(
                reference, where=reference > 0, out=np.full_like(reference, -np.inf)
            ),
            features=(None if features is None else checks.as_features(features, reference.size)),
            optimiser=optimiser,
            steps=checks.as_count("steps", steps),
            batch_size=None if batch_size is None else checks.as_count("batch_size", batch_size),
            record_every=checks.as_count("record_every", record_every),
            axes=(*of_data, *of_loss, *beta.shape),
        )
        settings._require_fits()
        return settings

    def _require_fits(self) -> None:
        """Refuse records that do not fit into memory, by the argument with the longest axis.

        The draws of one step have to fit as well.
        """
        shape = (*self.runs, self.n_records, self.n_weights)
        names = ["data", "loss", "beta", "seeds", "record_every"]
        names += [] if self.features is None else ["features"]
        largest = max(range(len(names)), key=shape.__getitem__)
        checks.require_fits(
            names[largest], (*shape[:-1], max(self.log_reference.size, self.n_weights))
        )
        if self.batch_size is not None:
            checks.require_fits("batch_size", (len(self.seeds), self.batch_size))

    @property
    def runs(self) -> tuple[int, int, int, int]:
        """Numbers of data sets, losses, β's and seeds."""
        return len(self.data_sets), len(self.losses), self.betas.size, len(self.seeds)

    @property
    def n_records(self) -> int:
        """Number of records of each run, including that of step 0."""
        return -(-self.steps // self.record_every) + 1

    @property
    def recorded(self) -> list[int]:
        """Steps after which the policy is recorded."""
        return [*range(0, self.steps, self.record_every), self.steps]

    @property
    def n_weights(self) -> int:
        """Number of weights of a policy."""
        return self.log_reference.size if self.features is None else self.features.shape[1]

    def logits(self, weights: Array) -> Array:
        """Return the logits of policies, shape (..., K), by their weights of shape (..., d)."""
        if self.features is None:
            return weights
        return _in_each_run(weights.reshape(-1, self.n_weights), self.features.T).reshape(
            *weights.shape[:-1], -1
        )

    def as_run(self, weights: Array) -> TrainingRun:
        """Make the result of `train` from the weights of its policies.

        Their shape is (data sets, losses, β's, seeds, records, K or d).
        """
        weights = weights.reshape(*self.axes, *weights.shape[-3:])
        by_context = self.data_sets[0].by_context
        log_ratio = by_context.less_log_mean(self.logits(weights), self.log_reference)
        return TrainingRun(
            np.exp(self.log_reference + log_ratio),
            log_ratio,
            np.array(self.recorded),
            self.data_sets[0].actions,
            None if self.features is None else weights,
        )


def trained(settings: Settings, *, progress: bool = False) -> Array:
    """Train, and return the weights of every run at every record.

    The result has shape (data sets, losses, β's, seeds, records, K or d).
    """
    n_data_sets, n_losses, n_betas, n_seeds = settings.runs
    # Losses come first, so that each of them acts on one contiguous part of the logits u. What
    # does not matter to a loss or to β is one axis there: seeds × data sets × K.
    shape = (n_losses, n_betas, n_seeds, n_data_sets * settings.log_reference.size)
    gradient = _Gradient.of(settings)
    weights = np.zeros((n_losses, n_betas, n_seeds * n_data_sets * settings.n_weights))
    descend = settings.optimiser.steps(weights.shape)
    records = np.zeros((settings.n_records, *weights.shape))
    record_after = {step: k for k, step in enumerate(settings.recorded)}
    drawn = batches(settings.data_sets, settings.batch_size, settings.seeds, settings.steps)
    draws = with_bar(_placed(drawn, shape), settings.steps, "step", progress)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, batch in enumerate(draws, start=1):
            weights += descend(gradient(weights, batch))
            if step in record_after:
                _require_finite(weights, step)
                records[record_after[step]] = weights
    # The axes (record, loss, β, seed, data set, weight) are put into the order that is returned.
    records = records.reshape(-1, *shape[:3], n_data_sets, settings.n_weights)
    return records.transpose(4, 1, 2, 3, 0, 5)


def _in_each_run(rows: Array, matrix: Any) -> Array:
    """Multiply each row by a matrix, dense or sparse, by itself.

    A product of all rows at once would round a run differently, depending on how many others run
    beside it.
    """
    if hasattr(matrix, "toarray"):
        return np.asarray(rows @ matrix)
    return np.asarray(np.matmul(rows[:, np.newaxis], matrix)[:, 0])


def _require_finite(u: Array, step: int) -> None:
    if not np.isfinite(u).all():
        raise RuntimeError(f"the logits overflowed by step {step}: try a smaller rate")


class _Batch(NamedTuple):
    """The comparisons that all runs take in one step.

    `ends` has shape (2, losses, β's, seeds × width). It holds the positions of the winners, then of
    the losers, in the flattened logits. `weights` broadcasts to (losses, β's, seeds × width).
    """

    ends: Indices
    weights: Array


@dataclass(frozen=True)
class _Gradient:
    """Gradient of the mean loss of a batch with respect to the weights, for every run.

    The weights are the logits u themselves, or those of features φ: then u = φ·θ.
    """

    features: Any
    losses: Sequence[MarginLoss]
    beta: Array  # shape (β's, 1)
    scale: Array  # turns φ'(βh) into the slope in the margin h, shape (losses, β's, 1)

    @classmethod
    def of(cls, settings: Settings) -> _Gradient:
        beta = settings.betas.reshape(-1, 1)
        scale = [beta ** (-1.0 if loss.per_beta_squared else 1.0) for loss in settings.losses]
        return cls(settings.features, settings.losses, beta, np.stack(scale))

    def __call__(self, weights: Array, batch: _Batch) -> Array:
        if self.features is None:
            return self._in_logits(weights, batch)
        n_actions, d = self.features.shape
        u = _in_each_run(weights.reshape(-1, d), self.features.T)
        in_logits = self._in_logits(u.reshape(*weights.shape[:2], -1), batch)
        return _in_each_run(in_logits.reshape(-1, n_actions), self.features).reshape(weights.shape)

    def _in_logits(self, u: Array, batch: _Batch) -> Array:
        # Each array takes the place of one that is not needed any more: new ones cost more time
        # than the arithmetic.
        at_ends = u.take(batch.ends)
        won, lost = at_ends
        x = np.multiply(self.beta, np.subtract(won, lost, out=won), out=won)
        slope = np.multiply(self.scale, self._phi_slope(x, out=lost), out=lost)
        pull = np.multiply(batch.weights, slope, out=won)
        np.negative(pull, out=lost)
        return np.asarray(np.bincount(batch.ends.ravel(), at_ends.ravel(), u.size).reshape(u.shape))

    def _phi_slope(self, x: Array, *, out: Array) -> Array:
        for k, loss in enumerate(self.losses):
            out[k] = loss.phi_slope(x[k])
        return out


def _placed(chunks: Iterable[Chunk], shape: tuple[int, ...]) -> Iterator[_Batch]:
    """Yield the batch of each step, with the positions of its actions among the logits.

    The logits have the given shape (losses, β's, seeds, data sets × K).
    """
    *runs, n_actions = shape
    n_losses, n_betas, n_seeds = runs
    first_action = np.arange(0, math.prod(shape), n_actions, dtype=np.intp).reshape(*runs, 1)

    def ends(pairs: Indices) -> Indices:
        """Find the positions of pairs of shape (2, seeds or 1, width)."""
        return (first_action + pairs[:, np.newaxis, np.newaxis]).reshape(2, n_losses, n_betas, -1)

    for n_steps, pairs, weights in chunks:
        of_every_seed = np.broadcast_to(weights, (len(weights), n_seeds, weights.shape[-1]))
        weights_of_steps = of_every_seed.reshape(len(weights), -1)
        yield from map(
            _Batch,
            _of_each_step(ends, pairs, n_steps),
            _of_each_step(np.asarray, weights_of_steps, n_steps),
        )


def _of_each_step(
    function: Callable[[Any], _T], along: Array | Indices, n_steps: int
) -> Iterable[_T]:
    """Apply a function to the entry of each step; an array of one entry serves all steps."""
    if len(along) == n_steps:
        return map(function, along)
    (same,) = along
    return repeat(function(same), n_steps)
