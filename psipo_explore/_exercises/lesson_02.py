"""The exercises of lesson 02: a false line of the proof, and a cycle that DPO does not see."""

from __future__ import annotations

from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip, Words
from psipo_explore._exercises.two_answers import root


def first() -> Words:
    return Words(
        asks='two words, such as ["some", "no"]',
        truth=("every", "yes"),
        wrong=(
            {
                "some": "Try K = 1. The score of a single answer is Ψ(½) = 0. What is its reward?",
            },
            {
                "no": "What does a constant do that is added to every score? Divide by the sum.",
            },
        ),
        answer=(
            '["every", "yes"]. The claim is wrong for every K, unless the mean of r under μ happens '
            "to be 0. K = 1 is enough: a single answer's score is Ψ(½) = 0, whatever its reward. "
            "Line 6 is true all the same, because there the constant cancels."
        ),
        lesson="The constant changes every score and no policy. That is why nobody notices it.",
    )


def first_win_rate(strength: float, gap: float) -> float:
    """Return the win rate of a, whose rewards are gap above b's and 2 gap above c's."""
    return float((0.5 + expit(gap + strength) + expit(2 * gap - strength)) / 3)


def second() -> Number:
    def gained(strength: float) -> float:
        return first_win_rate(strength, 2.0) - first_win_rate(0.0, 2.0)

    s = root(gained, 1.0, 3.5)
    return Number(
        asks="your s",
        truth=s,
        answer=(
            f"s = {s:.0f}. Without a cycle the log-odds of a over b, of b over c and of a over c are 2, "
            "2 and 4. With this s they are 4, 4 and 2. In both cases a wins once by 2 and once by 4. "
            "Only the opponents are exchanged. So all win rates are the same, and DPO sees no more "
            "than those."
        ),
        lesson="The cycle exchanges the two opponents of a, and DPO sees only the mean over them.",
        hint="Write down the two log-odds of a, with s and without it. When are they the same two?",
        slips=(
            Slip(
                0.0,
                "Without a cycle there is nothing that DPO could fail to see. There is one more s.",
            ),
            Slip(
                1.0,
                "You kept the s of the old rewards. The log-odds have grown, so the same s does not "
                "exchange them any more.",
            ),
            Slip(
                4.0,
                "There a and c are even, because s takes away the whole log-odds of a over c. The "
                "win rate of a is lower there than without a cycle.",
            ),
            Slip(
                0.5,
                "You divided where the rewards grow. Twice the rewards are twice the log-odds.",
            ),
        ),
        low=0.0,
        beyond="A negative s only turns the cycle round. We ask for an s above 0.",
    )
