"""Which actions a tilt of the reference policy leaves any probability, and how far each is behind.

Arrays of shape (K, ...) have the actions first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Mask
from psipo_explore._exact_sums import refuse_what_rounding_decides
from psipo_explore.scores import ExpectedPsi


class Contenders(NamedTuple):
    """The supported actions of the top rate. All others have the probability 0."""

    contend: Mask  # which they are, shape (..., K)
    pi_ref: Array  # of all actions, shape (..., K)
    x: Array  # (g − max g)/β, at most 0, shape (..., K)


def contenders(g: ExpectedPsi | ArrayLike, beta: ArrayLike, pi_ref: ArrayLike | None) -> Contenders:
    """Check the arguments of a tilt, and find the actions that keep any probability."""
    score = g if isinstance(g, ExpectedPsi) else _score_of_rewards(g)
    n_actions = score.rest.shape[-1]
    beta = checks.as_positive("beta", beta)
    pi_ref = checks.as_policy("pi_ref", pi_ref, n_actions, of="g")
    checks.require_broadcast(g=score.rest.shape[:-1], beta=beta.shape, pi_ref=pi_ref.shape[:-1])
    support = pi_ref > 0
    if not isinstance(g, ExpectedPsi) and (~support | (score.lost > 0)).all(-1).any():
        raise ValueError("g is -inf on every action of pi_ref, must be above -inf on one")

    contend = _has_top_rate(score, support)
    contending = np.where(contend, score.rest, -np.inf)
    if score.rounding is not None:
        refuse_what_rounding_decides(contending, score.rounding, beta)
    best = contending.max(-1, keepdims=True)
    below = np.where(contend, score.rest - best, 0.0)
    x = np.moveaxis(_empty_by_action(np.broadcast_shapes(below.shape, (*beta.shape, 1))), 0, -1)
    with np.errstate(over="ignore"):
        np.divide(below, beta[..., np.newaxis], out=x)
    return Contenders(contend, pi_ref, x)


def log_weights(g: ExpectedPsi | ArrayLike, beta: ArrayLike, pi_ref: ArrayLike | None) -> Array:
    """Return log π_ref + g/β − c for the supported actions of the top rate, shape (K, ...).

    The largest value is 0. All other actions get −inf.
    """
    contend, reference, x = contenders(g, beta, pi_ref)
    with np.errstate(divide="ignore"):
        x += np.where(contend, np.log(reference), -np.inf)
    weights = np.moveaxis(x, -1, 0)
    weights -= weights.max(0)
    return weights


def actions_last(ufunc: np.ufunc, by_action: Array, of_all_actions: Array) -> Array:
    """Return ufunc(by_action, of_all_actions) with the actions on the last axis."""
    result = np.empty((*of_all_actions.shape, len(by_action)))
    ufunc(by_action, of_all_actions, out=np.moveaxis(result, -1, 0))
    return result


def _empty_by_action(shape: tuple[int, ...]) -> Array:
    """Return an empty array of shape (K, ...), in which sums over the actions are fast.

    NumPy is slow along a short last axis, so a few actions come first in memory too. Up to seven
    numbers are added in the same order either way, so the sums are the same to the last bit.
    """
    *batch, n_actions = shape
    if n_actions < 8:
        return np.empty((n_actions, *batch))
    return np.moveaxis(np.empty(shape), -1, 0)


def _score_of_rewards(g: ArrayLike) -> ExpectedPsi:
    """Turn rewards into a score whose infinite entries all diverge at the same rate."""
    rewards = checks.as_real("g", g)
    checks.require_last_axis("g", rewards)
    checks.refuse_where(np.isnan(rewards), "g", rewards, "must be a number or ±inf")
    up, down = np.isposinf(rewards).astype(np.float64), np.isneginf(rewards).astype(np.float64)
    return ExpectedPsi(won=up, lost=down, rest=np.where(np.isinf(rewards), 0.0, rewards))


def _has_top_rate(score: ExpectedPsi, support: Mask) -> Mask:
    """Find the supported actions whose rate is the largest."""
    if score.place is not None:
        place = np.where(support, score.place, -1)
        return np.asarray(support & (place == place.max(-1, keepdims=True)))
    rate = np.where(support, score.rate, -np.inf)
    top = rate.max(-1, keepdims=True)
    few_ulps = 4 * np.finfo(np.float64).eps * (score.won + score.lost)
    return np.asarray(rate >= top - few_ulps)
