"""The exercises of lesson 00: what logit leaves the loser, and what β does to an order."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit

from psipo_explore._checks import Array, as_distribution, as_real, shown
from psipo_explore._exercises.kinds import Example, Formula, Judgement, UnfitError
from psipo_explore._exercises.two_answers import left
from psipo_explore.datasets import citations
from psipo_explore.policy import optimal_policy
from psipo_explore.psi import IDENTITY, LOGIT

_SMALL, _LARGE = 0.1, 10.0


def first() -> Formula:
    return Formula(
        asks="lambda p: and your formula",
        arguments=("p",),
        points=((0.6,), (0.7,), (0.9,), (0.99,)),
        truth=lambda p: left(LOGIT, p, 1.0),
        answer=(
            "lambda p: 1 - p. The two scores differ by ½[Ψ(p) − Ψ(1 − p)]. "
            "For logit that is log p/(1 − p). So π*(y_l)/π*(y_w) = (1 − p)/p."
        ),
        lesson="So at β = 1 the policy imitates the raters.",
        hint="Write out the two scores. How much do they differ? Then use Eq. 7.",
        slips=(
            (lambda p: p, "That is what the winner y_w gets. We ask for the loser y_l."),
            (
                lambda p: (1 - p) / p,
                "That is π*(y_l)/π*(y_w), the odds. Which probability of y_l has these odds?",
            ),
            (
                lambda p: p / (1 - p),
                "That is π*(y_w)/π*(y_l), the odds of the winner. We ask for the probability of y_l.",
            ),
            (
                lambda p: float(expit(-2 * logit(p))),
                "You forgot the ½ of the opponent. y_l meets y_w only half of the time. The other "
                "half it meets itself.",
            ),
            (
                lambda p: float(expit(-logit(p) / 2)),
                "You counted the gain of one answer only. y_w gains and y_l loses, and the scores "
                "differ by both.",
            ),
            (
                lambda p: left(IDENTITY, p, 1.0),
                "That is identity's. For logit put the log-odds of p in the place of p.",
            ),
            (
                lambda p: float(expit(-np.log10(p / (1 - p)))),
                "Did you take the decimal logarithm? All logarithms of this course are natural.",
            ),
            (lambda p: p * 0 + 0.5, "That is where y_l starts. How far do the scores move it?"),
        ),
    )


def second() -> Example:
    changed = [0.2, 0.4, 0.2, 0.2]
    return Example(
        asks="a π_ref, which is four probabilities in the order of journals.actions,",
        answer=(
            "A uniform π_ref: β never changes the order. π* rises with the score, and β only divides "
            "the score. Another π_ref: a large β leaves its order, and a small β gives the order of "
            f"the scores. So let the last journal start first, with {changed}. At β = 10 Comm Statist "
            "is still first, and at β = 0.1 it is last."
        ),
        judges=_judge_start,
    )


def _judge_start(answer: Any) -> Judgement:
    table = citations().preferences()
    try:
        shape = as_real("answer", answer).shape
    except (TypeError, ValueError) as error:
        raise UnfitError(f"{shown(answer)} is no list of numbers.") from error
    if shape != (len(table),):
        raise UnfitError(f"Your answer has the shape {shape}, and not ({len(table)},).")
    try:
        pi_ref = as_distribution("answer", answer)
    except ValueError as error:
        raise UnfitError(f"Your {error}.".replace(", must", ". It must", 1)) from error
    if np.ptp(pi_ref) < 1e-9:
        return "cold", "This one is uniform. There π* rises with the score alone, at every β."
    changed = [_changes(table, psi, pi_ref, _SMALL, _LARGE) for psi in (LOGIT, IDENTITY)]
    if all(changed):
        return (
            "right",
            "A large β leaves the order of π_ref, and a small one gives that of the scores.",
        )
    if any(changed):
        name = "logit" if changed[0] else "identity"
        return (
            "warm",
            f"The order changes under {name}, and not under the other Ψ. Move π_ref a little.",
        )
    if _changes(table, IDENTITY, pi_ref, 1e-3, 1e3):
        return "warm", (
            "The order does change with β, but not between 0.1 and 10. The start is too strong "
            "for the scores at 0.1, or too weak against them at 10."
        )
    return "cold", (
        "Your π_ref has the order of the scores already, or gives some journal nothing. Which "
        "journal must start high, so that its score pulls it down?"
    )


def _changes(table: Array, psi: Any, pi_ref: Array, low: float, high: float) -> bool:
    policies = optimal_policy(table, psi, np.array([low, high]), pi_ref=pi_ref)
    small, large = (np.argsort(-policy, kind="stable") for policy in policies)
    return bool((small != large).any())
