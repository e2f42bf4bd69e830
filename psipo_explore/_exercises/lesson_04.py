"""The exercises of lesson 04: the minimum of IPO's loss on one pair, and pairs that let DPO collapse."""

from __future__ import annotations

from scipy.special import logit

from psipo_explore._exercises.kinds import Formula, Pairs
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, IPO
from psipo_explore.minimisers import minimise
from psipo_explore.preferences import tournament


def _ipo_margin(p: float, beta: float) -> float:
    table = [[0.5, p], [1 - p, 0.5]]
    u = minimise(Comparisons.from_preferences(table), IPO, beta).log_ratio
    return float(u[0] - u[1])


def first() -> Formula:
    return Formula(
        asks="lambda p, beta: and the h that minimises IPO's loss",
        arguments=("p", "β"),
        points=((0.6, 1.0), (0.99, 1.0), (0.999, 2.0), (0.3, 0.5), (1.0, 0.1)),
        truth=_ipo_margin,
        answer=(
            "lambda p, beta: (p - 0.5) / beta. Set the derivative to zero, and h = (2p − 1)/(2β). "
            f"At β = 1 that is {_ipo_margin(0.99, 1.0):.2f} at p = 0.99, {_ipo_margin(0.999, 1.0):.3f} "
            f"at p = 0.999, and {_ipo_margin(1.0, 1.0):.1f} at p = 1. For DPO σ(βh) = p. At β = 1 its h "
            f"is {logit(0.99):.1f} and {logit(0.999):.1f}, and at p = 1 there is no minimum."
        ),
        lesson="That is identity's closed form. DPO's h is logit's, and has no value at p = 1.",
        hint="Set the derivative by h to zero. Mind the sign inside the second square.",
        slips=(
            (
                lambda p, beta: float(logit(p)) / beta,
                "That is DPO's h. IPO's loss is a square, so its h has no logarithm.",
            ),
            (
                lambda p, beta: (2 * p - 1) / beta,
                "You forgot a 2. Each square has its target at 1/(2β), and not at 1/β.",
            ),
            (
                lambda p, beta: (p - 0.5) / (2 * beta),
                "There is one 2 too many. The two squares together have the weight 1.",
            ),
            (
                lambda p, beta: 1 / (2 * beta) + 0 * p,
                "That is the target of one comparison. A part 1 − p of them has the opposite target.",
            ),
            (
                lambda p, beta: p / (2 * beta),
                "You left out the target of the comparisons that y_l won. It is the opposite one.",
            ),
            (
                lambda p, beta: p / beta,
                "That is the target with p in the place of one verdict (Eq. 16). Is h zero at p = ½?",
            ),
            (lambda p, beta: p - 0.5 + 0 * beta, "You forgot β. A larger β brings h nearer to 0."),
            (
                lambda p, beta: (p - 0.5) * beta,
                "You turned β round. A larger β brings h nearer to 0.",
            ),
            (
                lambda p, beta: (0.5 - p) / beta,
                "The sign is turned round. y_w wins, so h is above 0.",
            ),
        ),
    )


def second() -> Pairs:
    options = ((0, 2), (2, 0), (1, 2), (2, 1))
    return Pairs(
        asks="a list with the pairs that make DPO collapse",
        names="abc",
        options=options,
        truth=frozenset(pair for pair in options if _collapses(pair)),
        against={
            (2, 0): "With (2, 0) c beats a, and a beats b. Does b ever beat c?",
            (1, 2): "With (1, 2) a beats b, and b beats c. Does c ever beat a?",
        },
        answer=(
            "[(0, 2), (2, 1)]. With (0, 2) nothing ever speaks against a. The loss falls for ever as a "
            "rises, and b and c vanish. With (2, 1) b always loses and vanishes, and a and c stay at "
            "½ each. With (1, 2) or (2, 0) one can walk from every answer to every other one."
        ),
        lesson="Where one cannot walk from every answer to every other one, something vanishes.",
    )


def _collapses(pair: tuple[int, int]) -> bool:
    table = tournament([(0, 1), pair], n_actions=3)
    return not minimise(Comparisons.from_preferences(table), DPO, 1.0).attained
