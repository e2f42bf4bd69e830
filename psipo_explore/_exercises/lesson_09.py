"""The exercises of lesson 09: where χ² lets go, and what a stronger rock does to rock."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import root
from psipo_explore.divergences import CHI_SQUARED
from psipo_explore.policy import optimal_policy
from psipo_explore.psi import IDENTITY, LOGIT
from psipo_explore.self_play import nash_policy


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
        lesson="An answer that wins one time in eight is gone.",
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
            Slip(1.0, "At certainty every leash lets go. χ² lets go before that.", "cold"),
            Slip(1 - p, "That is how often y_l is preferred. We ask for the chance of y_w."),
            Slip(gap, "That is the gap. Which p has this gap?"),
            Slip(
                0.9,
                "That is where χ² lets go of identity at β = 0.2. Here Ψ is logit.",
            ),
        ),
        low=0.0,
        high=1.0,
        beyond="A probability lies between 0 and 1.",
    )


def _shares(rock_beats_scissors: float) -> tuple[float, float]:
    """Return how often the policy whose opponent learns gives rock and paper, at β = 0.001."""
    rock, paper, scissors = range(3)
    game = np.full((3, 3), 0.5)
    chances = {(rock, scissors): rock_beats_scissors, (scissors, paper): 0.6, (paper, rock): 0.6}
    for (winner, loser), chance in chances.items():
        game[winner, loser], game[loser, winner] = chance, 1 - chance
    policy = nash_policy(game, IDENTITY, 0.001)
    return float(policy[rock]), float(policy[paper])


def second() -> Number:
    (before, paper_before), (after, paper) = _shares(0.9), _shares(1.0)
    return Number(
        asks="the share of rock",
        truth=after,
        answer=(
            "About 1/7, where it was 1/6. So rock is given less often. The edges are 0.5, 0.1 "
            "and 0.1 now. The share of each answer is the edge between the other two. So paper rises to "
            "about 5/7, and making rock stronger helps paper."
        ),
        lesson="Making rock stronger helps paper, because paper beats rock.",
        hint="The share of an answer is the edge between the other two. Which edge has changed?",
        tolerance=0.05,
        slips=(
            Slip(
                before,
                "That is the share from before. One edge has changed, and shares are divided by the "
                "sum of the edges.",
            ),
            Slip(1 / 3, "That is where it starts. With β close to 0 π_ref hardly counts.", "cold"),
            Slip(
                paper,
                "You gave rock its own edge. The share of an answer is the edge between the other two.",
            ),
            Slip(
                paper_before,
                "You took the edge of rock and scissors, as it was before. The share of an answer "
                "is the edge between the other two.",
            ),
            Slip(
                1.0,
                "That is the best reply to a fixed uniform opponent. Here the opponent learns.",
                "cold",
            ),
            Slip(0.1, "That is the edge. Divide it by the sum of the three edges."),
            Slip(
                0.0, "Rock still beats scissors. Some opponent must be kept from scissors.", "cold"
            ),
        ),
        low=0.0,
        high=1.0,
        beyond="A probability lies between 0 and 1.",
    )
