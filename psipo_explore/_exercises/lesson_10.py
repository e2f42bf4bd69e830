"""The exercises of lesson 10: what self-play promises, and what a stronger rock does to rock."""

from __future__ import annotations

import numpy as np

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore.psi import IDENTITY
from psipo_explore.self_play import nash_policy

_EXCESS = 0.01  # over ½, how often an answer may beat the policy


def first() -> Number:
    few, many = (float(_EXCESS / np.log(answers)) for answers in (10, 1000))
    return Number(
        asks="your β for a thousand answers",
        truth=many,
        answer=(
            f"β = 0.01/log 1000 = {many:.5f}. For ten answers it is 0.01/log 10 = {few:.5f}, which is "
            "only three times as much."
        ),
        lesson="The promise depends on the logarithm of the number of answers.",
        hint="By the theorem β log(1/π_ref) must be at most 0.01. What is π_ref of one answer?",
        slips=(
            Slip(few, "That is the β for ten answers. Now there are a thousand."),
            Slip(
                few / 100, "You divided by a hundred. Does β go with 1/K, or with 1/log K?", "cold"
            ),
            Slip(
                float(_EXCESS / np.log10(1000)),
                "Did you take the logarithm to base 10? All logarithms of this course are natural.",
            ),
            Slip(
                float(0.51 / np.log(1000)),
                "Half of the time is even. Only what is above ½ has to be paid by β.",
                "cold",
            ),
            Slip(
                float(_EXCESS * np.log(1000)),
                "You multiplied by the logarithm. β times the logarithm must be 0.01.",
            ),
            Slip(_EXCESS, "You forgot the logarithm of 1/π_ref."),
        ),
        low=0.0,
        beyond="β is above 0.",
    )


def _shares(rock_beats_scissors: float) -> tuple[float, float]:
    """Return how often the self-play policy gives rock and paper, at β = 0.001."""
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
                "That is the best response to a fixed uniform opponent. Here the opponent learns.",
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
