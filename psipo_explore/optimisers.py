"""Optimisers, which turn gradients into steps of simulated training.

Adam is the optimiser in §5.4 of arXiv:2310.12036. Plain gradient descent shows what Adam changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array

__all__ = ["Adam", "GradientDescent"]


class Optimiser(Protocol):
    """An optimiser, whose `steps` is called once for each training."""

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """Return a function from gradient to step, with fresh state for logits of that shape."""
        ...


class _Steps(Protocol):
    def __call__(self, gradient: Array) -> Array: ...


@dataclass(frozen=True)
class GradientDescent:
    """Plain gradient descent, which takes steps of −rate · gradient.

    §5.4 of arXiv:2310.12036 uses Adam instead.

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
        _require_positive(self, "rate")

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """Return a function from gradient to step; it has no state.

        Parameters
        ----------
        shape : tuple of int
            Shape of the gradients; not used here.

        Returns
        -------
        callable
            Function from a gradient of that shape to the step.

        Examples
        --------
        >>> GradientDescent(0.5).steps((2,))(np.array([1.0, -2.0]))
        array([-0.5,  1. ])
        """
        return lambda gradient: -self.rate * gradient


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015), the optimiser of the experiments in §5.4 of arXiv:2310.12036.

    Parameters
    ----------
    rate : float
        Step size, positive; 0.01 in the paper.
    decay, square_decay : float
        Decay rates of the running means of the gradient and of its square, in [0, 1).
    epsilon : float
        Number added to the root of the mean square, positive. It prevents a division by 0.

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
        _require_positive(self, "rate", "epsilon")
        for name in ("decay", "square_decay"):
            if not 0 <= checks.as_scalar(name, getattr(self, name)) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}, must be in [0, 1)")

    def steps(self, shape: tuple[int, ...]) -> _Steps:
        """Return a function from gradient to step, which keeps the running means.

        Parameters
        ----------
        shape : tuple of int
            Shape of the gradients.

        Returns
        -------
        callable
            Function from a gradient of that shape to the step.

        Examples
        --------
        >>> step = Adam(0.01).steps((1,))
        >>> step(np.array([3.0])).round(6), step(np.array([0.0])).round(6)
        (array([-0.01]), array([-0.006701]))
        """
        total, total_square, count = np.zeros(shape), np.zeros(shape), 0

        def step(gradient: Array) -> Array:
            nonlocal total, total_square, count
            count += 1
            total *= self.decay
            total += gradient
            total_square *= self.square_decay
            total_square += gradient * gradient
            mean = (1 - self.decay) / (1 - self.decay**count) * -self.rate * total
            mean_square = (1 - self.square_decay) / (1 - self.square_decay**count) * total_square
            return mean / (np.sqrt(mean_square) + self.epsilon)

        return step


def _require_positive(optimiser: object, *names: str) -> None:
    for name in names:
        checks.as_positive(name, checks.as_scalar(name, getattr(optimiser, name)))
