"""The exercises of lesson 08: what a training log says, and what one more comparison does."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore.comparisons import Comparisons
from psipo_explore.log_linear import minimise_log_linear
from psipo_explore.losses import DPO, IPO
from psipo_explore.optimisers import GradientDescent
from psipo_explore.training import train

_ONE_FEATURE = [[1.0], [0.0], [2.0]]
_TWO_FEATURES = [[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]]


def first() -> Number:
    pi_ref, beta = np.array([0.49, 0.49, 0.02]), 0.1
    run = train(
        Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o")),
        DPO,
        beta,
        pi_ref=pi_ref,
        features=_ONE_FEATURE,
        optimiser=GradientDescent(0.05),
        batch_size=None,
        seeds=1,
        steps=5000,
        record_every=5000,
    )
    share, rejected, _ = run.final[0] / pi_ref
    moved = float(np.log(share))
    return Number(
        asks="the share of its start that the chosen answer still has",
        truth=float(share),
        tolerance=0.02,  # the log has three digits
        answer=(
            f"{share:.4f}. The reward is β times the log-ratio, so the log-ratio is −{-moved / 10:.3f}/0.1 = "
            f"−{-moved:.2f}, and the share is e to this power. The chosen answer began to fall before step "
            "1000, while its reward was still above 0. What both answers lost has gone to answers that "
            "no column shows. Nothing is broken: the loss sees the margin only."
        ),
        lesson="What both answers lost has gone to answers that no column shows.",
        hint="rewards/chosen is β log π/π_ref. Which number is π/π_ref at step 5000?",
        slips=(
            Slip(
                float(np.exp(beta * moved)),
                "You took the reward for the log-ratio. The reward is β times the log-ratio.",
            ),
            Slip(
                float(np.exp(beta**2 * moved)),
                "You multiplied by β. The reward has this factor already, so divide by it.",
            ),
            Slip(
                float(10**moved),
                "You took a power of ten. The logarithm of the log is natural.",
            ),
            Slip(
                float(10 ** (beta * moved)),
                "You took a power of ten, and the reward for the log-ratio.",
            ),
            Slip(
                1 / float(share),
                "You turned the sign round. The reward is below 0, so the answer is less likely now.",
            ),
            Slip(moved, "That is the log-ratio, log π/π_ref. Which share has this logarithm?"),
            Slip(beta * moved, "That is the reward. It is β times a logarithm, and no share."),
            Slip(
                float(rejected),
                "You answered about the rejected answer. The chosen one stands in the column before it.",
            ),
            Slip(
                float(share / rejected),
                "That is the margin: how much likelier the chosen answer is than the rejected one.",
            ),
            Slip(
                float(run.final[0, 0]),
                "That is its probability in the panel. Divide it by its probability at the start.",
            ),
        ),
        low=0.0,
        beyond="A share is not negative.",
    )


def second() -> Number:
    both = Comparisons.from_pairs([("w", "l"), ("w", "o")])
    one = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
    policy = minimise_log_linear(both, IPO, 1.0, _TWO_FEATURES).policy
    kept = float(policy[0])
    return Number(
        asks="what w has under IPO with two features at β = 1",
        truth=kept,
        answer=(
            f"{kept:.3f}, and the others have {policy[1]:.3f} each. With two features the z's are (1, 0) "
            "and (−1, −1), and some θ suits both: IPO reaches both margins, 1/(2β) each. DPO goes to "
            "(1, 0, 0). In one feature the z's are 1 and −1. They cancel, and all three stay at ⅓."
        ),
        lesson="Neither the comparison alone nor the feature alone is enough. Together they are.",
        hint="Find the two z's. Is there a θ with which both margins are what IPO asks for?",
        slips=(
            Slip(
                1 / 3,
                "That is what is left with one feature. There the z's cancel. Do they still, with two?",
            ),
            Slip(
                1.0,
                "That is DPO's limit. IPO stops at a finite margin.",
            ),
            Slip(float(np.e / (np.e + 2)), "You forgot the ½ of IPO's margin, which is 1/(2β)."),
            Slip(
                float(expit(0.5)),
                "You counted two answers. Three share the probability.",
            ),
            Slip(float(policy[1]), "That is what each of the others has. We ask for w."),
            Slip(
                float(minimise_log_linear(one, IPO, 1.0, _TWO_FEATURES).policy[0]),
                "That is what w has without the second comparison. Now she has said w ≻ o too.",
            ),
        ),
        low=0.0,
        high=1.0,
        beyond="A probability lies between 0 and 1.",
    )
