"""The exercises of lesson 09: where χ² drops the loser, and how fast a new leash does."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import root
from psipo_explore.divergences import CHI_SQUARED, Divergence, alpha, tilted_policy
from psipo_explore.policy import optimal_policy
from psipo_explore.psi import LOGIT


def _lets_go(pi_ref_winner: float) -> float:
    """Return the p from which on χ² leaves y_l nothing, under logit at β = 1."""
    pi_ref = [pi_ref_winner, 1 - pi_ref_winner]

    def kept(odds: float) -> float:
        table = [[0.5, expit(odds)], [expit(-odds), 0.5]]
        policy = optimal_policy(table, LOGIT, 1.0, pi_ref=pi_ref, divergence=CHI_SQUARED)
        return 1.0 if policy[1] > 0 else -1.0

    return float(expit(root(kept, 0.01, 30.0)))


def first() -> Number:
    p, rare = _lets_go(0.5), _lets_go(0.1)
    gap = float(LOGIT(p))
    return Number(
        asks="your p",
        truth=p,
        answer=(
            f"p = σ(2) = {p:.3f}. The gap is log p/(1 − p), and it must reach β/π_ref(y_w) = {gap:.0f}. "
            f"If π_ref(y_w) is 0.1, the gap must reach 10, and p = σ(10) = {rare:.5f}."
        ),
        lesson="An answer that wins about one time in eight gets exactly 0.",
        hint="How large must the gap of the scores be? Under logit, which p has this gap?",
        slips=(
            Slip(
                float(expit(1.0)),
                "You forgot π_ref. The gap must reach β/π_ref(y_w), and not β.",
            ),
            Slip(
                float(expit(2 * gap)),
                "You counted the ½ of the opponent twice. The gap is ½[Ψ(p) − Ψ(1 − p)], and for logit "
                "that is the whole log-odds of p.",
            ),
            Slip(
                float(1 / (1 + 10**-gap)),
                "Did you take a power of ten? All logarithms of this course are natural.",
            ),
            Slip(
                rare,
                "You answered the second question. First both answers start at ½.",
            ),
            Slip(1.0, "At certainty every leash drops y_l. χ² drops it before that.", "cold"),
            Slip(1 - p, "That is how often y_l is preferred. We ask for the chance of y_w."),
            Slip(gap, "That is the gap. Which p has this gap?"),
            Slip(
                0.9,
                "That is where χ² drops y_l under identity at β = 0.2. Here Ψ is logit.",
            ),
        ),
        low=0.0,
        high=1.0,
        beyond="A probability lies between 0 and 1.",
    )


def _power(leash: Divergence) -> float:
    """Return k, where y_l keeps about a constant times gap⁻ᵏ at large gaps."""
    gaps = np.array([1e5, 1e6])
    scores = np.stack([gaps, np.zeros(2)], axis=-1)
    near, far = tilted_policy(scores, 1.0, leash)[:, 1]
    return float(np.log10(near / far))


def second() -> Number:
    k = _power(alpha(0.5))
    return Number(
        asks="your k",
        truth=k,
        answer=(
            f"k = {k:.0f}. Under logit no leash holds, and under identity this one does. Its slope is "
            "f′(t) = 2 − 2/√t. The ratio of y_w hardly changes at a large gap G, so 2/√t(y_l) grows "
            "like G/β, and t(y_l) is about 4β²/G²."
        ),
        lesson=(
            "Under this leash the loser goes faster than under reverse KL, and much more slowly "
            "than under KL."
        ),
        hint="What is the slope f′(t) near t = 0? By the theorem it must fall like −G/β.",
        slips=(
            Slip(1.0, "That is reverse KL, whose slope is −1/t. What is the slope here?"),
            Slip(0.5, "The slope falls like 1/√t. Solve that for t."),
            Slip(-k, "The size is right. We put G in the denominator, so k is positive."),
            Slip(
                1.5, "Is that the slope of the slope? Take f′(t) itself, and solve for t.", "cold"
            ),
        ),
    )
