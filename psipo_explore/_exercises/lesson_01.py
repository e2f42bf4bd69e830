"""The exercises of lesson 01: which curve Ψ leaves 1 %, and which β makes a bounded one let go."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import left, root
from psipo_explore.psi import IDENTITY, LOGIT, Psi, folded_power


def first() -> Number:
    lam = root(lambda lam: left(folded_power(lam), 1.0, 1.0) - 0.01, 0.05, 2.0)
    moved = float(LOGIT(0.99))
    return Number(
        asks="your λ",
        truth=lam,
        answer=(
            f"λ = {lam:.4f}. The log-ratio moves by Ψ(1) − Ψ(½) = 1/λ, and it must move by "
            f"log 99 = {moved:.3f}."
        ),
        lesson="One per cent is far from ½, and yet λ need not come near to 0.",
        hint="How far must the log-ratio move, so that y_l has 1 %? How high is the curve at 1?",
        slips=(
            Slip(
                2 * lam,
                "You took the whole spread of Ψ, from 0 to 1. With two answers the log-ratio moves "
                "by the height above ½ only.",
            ),
            Slip(
                1 / np.log10(99),
                "Did you take the decimal logarithm? All logarithms of this course are natural.",
            ),
            Slip(moved, "That is how far the log-ratio must move. At which λ does it move so far?"),
            Slip(0.01, "That is what y_l keeps. We ask for the λ that leaves it so much."),
            Slip(
                0.0,
                "At λ = 0 Ψ is logit, and a certain loser keeps nothing. We want it to keep 1 %.",
                "cold",
            ),
        ),
        low=0.0,
        beyond="λ is above 0, for logit is its limit at 0.",
    )


def second() -> Number:
    clipped = Psi.from_callable(lambda q: np.clip(logit(q), -3, 3), name="clipped")
    beta = root(lambda beta: left(clipped, 1.0, beta) - 1e-6, 0.05, 1.0)
    million = -float(LOGIT(1e-6))
    return Number(
        asks="your β",
        truth=beta,
        answer=(
            f"β = {beta:.3f}. The log-ratio moves by 3/β, and it must move by log(10⁶) = "
            f"{million:.1f}. Your friend is right that nothing collapses: at no β does the loser get "
            "exactly 0. But a small β holds only loosely. At this β identity still leaves "
            f"{100 * left(IDENTITY, 1.0, beta):.0f} %."
        ),
        lesson="A bounded Ψ never collapses. But a small β holds it only loosely.",
        hint="How far does the clipped logit move the log-ratio? How far must it move?",
        slips=(
            Slip(
                2 * beta,
                "You took the whole spread of Ψ, from −3 to 3. With two answers the log-ratio moves "
                "by the height above ½ only.",
            ),
            Slip(
                beta * np.log(10),
                "Did you take the decimal logarithm? All logarithms of this course are natural.",
            ),
            Slip(
                beta / 6,
                "You answered about identity, whose height above ½ is only ½. The clipped logit "
                "reaches further.",
            ),
            Slip(beta / 3, "You took identity's spread. The clipped logit reaches further."),
            Slip(million, "That is how far the log-ratio must move. Which β moves it so far?"),
            Slip(
                1 / beta,
                "You turned the fraction round. A small β moves the policy far, and a large one "
                "does not.",
            ),
        ),
        low=0.0,
        beyond="β is above 0.",
    )
