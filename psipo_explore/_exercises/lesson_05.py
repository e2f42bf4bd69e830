"""The exercises of lesson 05: the comparison that gives DPO a minimum, and IPO's β on D1."""

from __future__ import annotations

import numpy as np

from psipo_explore._exercises.kinds import Number, Pairs, Slip
from psipo_explore._exercises.two_answers import root
from psipo_explore.comparisons import Comparisons
from psipo_explore.datasets import D1
from psipo_explore.losses import DPO, IPO
from psipo_explore.minimisers import minimise

_D1 = [(0, 1), (1, 2), (0, 2)]


def first() -> Pairs:
    options = ((2, 0), (2, 1), (1, 0))
    return Pairs(
        asks="""your pair, such as ("b", "a"),""",
        names="abc",
        options=options,
        truth=frozenset(
            pair
            for pair in options
            if not minimise(Comparisons.from_pairs([*_D1, pair]), DPO, 1.0).vanishing.any()
        ),
        against={
            (2, 1): "With (c, b) there is still no arrow that ends at a. So nobody ever beats a.",
            (1, 0): "With (b, a) c still wins against nobody. Which arrow leads away from c?",
        },
        answer=(
            '("c", "a"). The arrows a → b → c → a come back, so all three are one component. With '
            "(c, b) b and c vanish, since a still beats them. With (b, a) c vanishes."
        ),
        lesson="One rater's single vote decides whether there is a minimum.",
    )


def second() -> Number:
    beta = root(lambda beta: float(minimise(D1, IPO, beta).policy[2]) - 0.2, 0.1, 10.0)
    s = float(np.exp(1 / (3 * beta)))
    return Number(
        asks="your β",
        truth=beta,
        answer=(
            f"β = {beta:.3f}. The left side is 3u(y), so u = (1/(3β), 0, −1/(3β)). Call s = e^(1/(3β)). "
            f"Then π(c) = 1/(1 + s + s²) = 1/5 gives s = (√17 − 1)/2 = {s:.3f}."
        ),
        lesson="IPO has a minimum, and β decides where.",
        hint="Write the equation for a and for c. Then π(c) is a quotient with only one unknown.",
        slips=(
            Slip(
                1.5 * beta,
                "You did not count that the sum of u is 0. u(b) and u(c) stand on the left side "
                "too, and so it is a multiple of u(a).",
            ),
            Slip(
                2 * beta,
                "You forgot the ½ of the target. Wins less losses are divided by 2β, and not by β.",
            ),
            Slip(
                beta / 2,
                "You counted the ½ of the target twice. a has two wins and no loss, so the right "
                "side for a is 1/β.",
            ),
            Slip(
                3 * beta,
                "You forgot the ½ of the target, and that the sum of u is 0.",
            ),
            Slip(
                beta * np.log(10),
                "Did you take the decimal logarithm? All logarithms of this course are natural.",
            ),
            Slip(s, "That is e^(1/(3β)). Solve it for β."),
            Slip(
                1 / beta,
                "You turned the fraction round. This is 1/β, and a larger β leaves c more.",
            ),
            Slip(
                1 / (3 * np.log(5)),
                "You set e^(u(c)) itself to one fifth. Divide it by the sum over all three answers.",
            ),
            Slip(
                1 / (3 * np.log(2)),
                "You left out b. All three answers share the probability.",
            ),
            Slip(0.2, "That is what c keeps. We ask for the β that leaves it so much.", "cold"),
        ),
        low=0.0,
        beyond="β is above 0.",
    )
