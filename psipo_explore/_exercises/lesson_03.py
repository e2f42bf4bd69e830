"""The exercises of lesson 03: how near to certainty β still holds, and what identity leaves there."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import left, root
from psipo_explore.policy import optimal_policy
from psipo_explore.psi import IDENTITY, LOGIT


def first() -> Number:
    def excess(zeros: float) -> float:
        doubt = 10.0**-zeros  # 1 − doubt rounds to 1, so the table has both
        table = [[0.5, 1 - doubt], [doubt, 0.5]]
        return float(optimal_policy(table, LOGIT, 100.0)[1]) - 0.01

    zeros = root(excess, 1.0, 300.0)
    return Number(
        asks="your n",
        truth=zeros,
        tolerance=0.0025,  # 199 zeros leave y_l more than 1 %
        answer=(
            f"n = {zeros:.1f}. The log-ratio must move by log 99, so log p/(1 − p) = 100 log 99 = "
            f"{zeros * np.log(10):.1f}. In powers of ten that is 1 − p = 10^−{zeros:.1f}. No number of "
            "raters tells that from certainty, and at certainty nothing is left."
        ),
        lesson="You can never ask enough raters to see the difference from certainty.",
        hint="How far must the log-ratio move, so that y_l has 1 %? What does β = 100 make of that?",
        slips=(
            Slip(-zeros, "(n counts the zeros, so we take it without the sign.)", "right"),
            Slip(
                zeros * np.log(10),
                "That is log p/(1 − p), a natural logarithm. Divide it by log 10 to get a power of ten.",
            ),
            Slip(
                zeros / 100,
                "You forgot β. At β = 1 logit leaves y_l as much as 1 − p. Here β is 100.",
                "cold",
            ),
            Slip(
                2 * zeros,
                "You counted the ½ of the opponent twice. The scores differ by "
                "½[Ψ(p) − Ψ(1 − p)], and for logit that is the whole log-odds of p.",
            ),
            Slip(
                zeros / 2,
                "You forgot the ½ of the opponent. The scores differ by ½[Ψ(p) − Ψ(1 − p)].",
            ),
            Slip(zeros / 10, "That is right at β = 10. Here β is 100.", "cold"),
            Slip(
                15.0,
                "That was the doubt of this lesson's first question. Is it enough here?",
                "cold",
            ),
            Slip(16.0, "There the slider ends. At β = 100 y_l still has much more.", "cold"),
        ),
        low=1.0,
        beyond="We ask for n, the power of ten in 1 − p = 10^−n. It is not p or 1 − p itself.",
    )


def second() -> Number:
    beta = root(lambda beta: left(IDENTITY, 0.9, beta) - 0.1, 0.01, 1.0)
    kept = left(IDENTITY, 1.0, beta)
    return Number(
        asks="what identity leaves y_l at p = 1",
        truth=kept,
        answer=(
            f"{kept:.4f}. Identity leaves 0.1 where 0.4/β = log 9, so β = {beta:.3f}. At p = 1 its "
            "log-ratio moves by 0.5/β. Logit leaves y_l nothing."
        ),
        lesson=(
            "At each p between ½ and 1 some β lets identity go as far as logit. At p = 1 no β does."
        ),
        hint="Find identity's β first. Then let p be 1, and keep this β.",
        slips=(
            Slip(
                0.0,
                "That is logit's. Identity is bounded, so y_l keeps something at every β.",
            ),
            Slip(0.1, "That is what is left at p = 0.9. At p = 1 the log-ratio moves further."),
            Slip(beta, "That is the β. What does identity leave y_l at p = 1 with this β?"),
            Slip(
                left(IDENTITY, 1.0, beta / 2),
                "You forgot the ½ of the opponent in the second step. At p = 1 the scores differ by "
                "½[Ψ(1) − Ψ(0)].",
            ),
            Slip(
                left(IDENTITY, 1.0, 1.0),
                "You kept β = 1, which is logit's. Which β does identity need at p = 0.9?",
            ),
            Slip(
                left(IDENTITY, 1.0, 0.4 / np.log10(9)),
                "Did you take the decimal logarithm for β? All logarithms of this course are natural.",
            ),
            Slip(1 - kept, "That is what the winner y_w gets. We ask for the loser y_l."),
            Slip(float(expit(0.0)), "That is where y_l starts.", "cold"),
        ),
        low=0.0,
        high=1.0,
        beyond="A probability lies between 0 and 1.",
    )
