"""The exercises of lesson 07: clipped logit as identity, and a loss that takes noise out again."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from psipo_explore._checks import Array
from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import left, root
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, IPO, MarginLoss, cdpo, robust_dpo
from psipo_explore.minimisers import minimise
from psipo_explore.preferences import bradley_terry
from psipo_explore.psi import IDENTITY, Psi


def first() -> Number:
    clipped = Psi.from_callable(lambda q: logit(np.clip(q, 0.05, 0.95)), name="clipped")
    beta = root(lambda b: left(IDENTITY, 1.0, b) - left(clipped, 1.0, 1.0), 0.01, 10.0)
    spread = clipped.spread
    return Number(
        asks="identity's β",
        truth=beta,
        answer=(
            f"β = {beta:.3f}. By the theorem clipped logit at β is identity at β/{spread:.2f}, for the "
            f"spread of clipped logit is {spread:.2f}. So the verdict is 0, from 0 to 0: at equal KL "
            "the two are one policy, problem by problem."
        ),
        lesson="So the verdict is 0, from 0 to 0. The two are one policy, problem by problem.",
        hint="How large is the spread Ψ(1) − Ψ(0) of the clipped logit? Then use the theorem.",
        slips=(
            Slip(
                spread,
                "That is the spread. A Ψ that rises further pulls harder. So does identity need a "
                "larger β or a smaller one to pull as hard?",
            ),
            Slip(
                2 * beta,
                "You took the height above ½ only. The theorem divides by the whole spread.",
            ),
            Slip(
                spread / 2,
                "You took the height above ½ only. And does identity need a larger β or a smaller one?",
            ),
            Slip(
                beta * np.log(10),
                "Did you take the decimal logarithm? All logarithms of this course are natural.",
            ),
            Slip(
                1.0,
                "At the same β they are not one policy. Identity rises by 1 from end to end, and "
                "clipped logit rises further.",
                "cold",
            ),
            Slip(
                0.0,
                "That may well be the verdict. But at which β is identity the same policy?",
            ),
            Slip(
                1 / 0.9,
                "You took the clipped share for the spread. The spread is in the values of Ψ.",
                "cold",
            ),
        ),
        low=0.0,
        beyond="β is above 0.",
    )


def second() -> Number:
    clean = bradley_terry(2 * np.random.default_rng(0).normal(size=(60, 3)))
    noisy = 0.95 * clean + 0.05 * clean.swapaxes(1, 2)
    by_dpo, by_robust = _reach(clean, DPO), _reach(noisy, robust_dpo(0.05))
    kept = {
        loss.name: np.mean(_reach(noisy, loss) / _reach(clean, loss)) for loss in (DPO, cdpo(0.05))
    }
    dpo, smoothed = kept.values()
    identity = float(np.mean(_reach(noisy, IPO) / _reach(clean, IPO)))
    return Number(
        asks="the share that you predict",
        truth=float(np.mean(by_robust / by_dpo)),
        answer=(
            "1. On the whole population robust_dpo on flipped labels is equal to DPO on clean ones, to "
            "the last digits. On D1 minimise refuses it, for its loss has no lower bound there. Unbiased "
            "is not the same as harmless."
        ),
        lesson=(
            "In expectation it undoes the flips. On one-sided comparisons, such as D1, its loss has no "
            "lower bound. Unbiased is not the same as harmless."
        ),
        hint=(
            "Take one pair with p. Put 0.95 p + 0.05 (1 − p) into the mean of the loss, and collect the "
            "terms of log σ(βh)."
        ),
        tolerance=0.02,
        slips=(
            Slip(float(dpo), "That is what plain DPO keeps. This loss knows of the flips."),
            Slip(
                float(smoothed),
                "That is what cDPO keeps of its own reach. This loss subtracts a part instead.",
            ),
            Slip(
                float(np.mean(_reach(noisy, cdpo(0.05)) / by_dpo)),
                "That is what cDPO keeps of DPO's reach. This loss subtracts a part instead.",
            ),
            Slip(
                identity,
                "That is what IPO keeps. Flips shrink p − ½ by this factor. Look at the denominator "
                "of the loss.",
            ),
            Slip(
                1 / identity,
                "You divided by 1 − 2ε once more. The loss does that, and it starts from less.",
            ),
            Slip(0.95, "That is the share of labels that are not flipped. Compute the mean loss."),
            Slip(
                0.0,
                "Something is left. A part of the labels is flipped, and that part is small.",
                "cold",
            ),
        ),
        low=0.0,
        beyond="A share that is left is not negative.",
    )


def _reach(p: Array, loss: MarginLoss) -> Array:
    """Return the largest less the smallest log-ratio for each table of preferences."""
    fits = (minimise(Comparisons.from_preferences(table), loss, 1.0) for table in p)
    return np.array([np.ptp(fit.log_ratio) for fit in fits])
