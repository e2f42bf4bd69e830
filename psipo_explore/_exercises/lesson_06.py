"""The exercises of lesson 06: the ridge that gives IPO's policy, and β as the ridge gets weaker."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from psipo_explore._exercises.kinds import Number, Slip
from psipo_explore._exercises.two_answers import root
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import IPO
from psipo_explore.minimisers import minimise
from psipo_explore.policy import gibbs_policy
from psipo_explore.rewards import fit_reward


def _won(n: float) -> Comparisons:
    return Comparisons.from_pairs([("y_w", "y_l")], weights=[n])


def first() -> Number:
    five = _won(5)
    ipo = float(minimise(five, IPO, 1.0).policy[1])

    def excess(ridge: float) -> float:
        return float(gibbs_policy(fit_reward(five, ridge=ridge), 1.0)[1]) - ipo

    ridge = root(excess, 0.5, 50.0)
    return Number(
        asks="your ρ",
        truth=ridge,
        answer=(
            f"ρ = {ridge:.2f}. IPO moves the log-ratio by 1/(2β) = ½. So Δ must be ½, and "
            "ρ = (2n/Δ) σ(−Δ) = 20 σ(−½). That ridge is right only for n = 5 and this β."
        ),
        lesson="That ridge is right only for five comparisons and this β. IPO needs no such choice.",
        hint="How far does IPO move the log-ratio at β = 1? Put this Δ into the theorem.",
        slips=(
            Slip(
                10 * expit(-1.0),
                "You forgot the ½ of IPO's margin, which is 1/(2β) and not 1/β.",
            ),
            Slip(ridge / 2, "You forgot the 2 of 2n. The ridge has both rewards, each half of Δ."),
            Slip(ridge / 5, "You counted one comparison. There are five."),
            Slip(
                20 * expit(0.5),
                "You took σ(Δ). The theorem has σ(−Δ), the chance that y_l wins.",
            ),
            Slip(
                20 * np.exp(-0.5),
                "You took e^(−Δ) for σ(−Δ). That is near only if Δ is large.",
            ),
            Slip(0.5, "That is Δ, or the log-ratio. Which ridge gives this Δ?"),
            Slip(ipo, "That is what IPO leaves y_l. We ask for the ridge."),
            Slip(
                1.0, "With this ridge RLHF leaves y_l less than half of what IPO leaves it.", "cold"
            ),
        ),
        low=0.0,
        beyond="A ridge is above 0.",
    )


def second() -> Number:
    strong, weak = (float(fit_reward(_won(1e6), ridge=ridge) @ [1, -1]) for ridge in (1.0, 1e-3))
    betas = strong / np.log(9), weak / np.log(9)
    return Number(
        asks="the factor by which β grows",
        truth=weak / strong,
        tolerance=0.03,
        answer=(
            f"{weak / strong:.2f}, so β goes up only by half. Δ/β must be log 9. With a ridge of 1, "
            f"Δ = {strong:.1f} and β = {betas[0]:.2f}. With a ridge of 0.001, Δ = {weak:.1f} and "
            f"β = {betas[1]:.2f}. β has to grow like log(n/ρ), if n/ρ is large."
        ),
        lesson="β has to grow like the logarithm of n/ρ, and not like 1/ρ.",
        hint="Which gap Δ does each ridge give? Δ/β is the same for both.",
        slips=(
            Slip(
                1000.0,
                "You took the gap to be proportional to 1/ρ. It solves σ(−Δ) = ρΔ/(2n), and σ(−Δ) "
                "falls like e^(−Δ).",
                "cold",
            ),
            Slip(
                float(np.sqrt(1000)),
                "You took the gap to grow like a root of 1/ρ. It grows much more slowly.",
                "cold",
            ),
            Slip(
                float(np.log(2e9) / np.log(2e6)),
                "You took Δ = log(2n/ρ). That is nearly so. But Δ + log Δ is what comes close to it.",
            ),
            Slip(
                weak - strong,
                "That is by how much Δ grows, nearly log 1000. We ask for a quotient.",
            ),
            Slip(
                float(np.log(1000)),
                "That is log 1000. Δ grows by nearly so much, and not by this factor.",
            ),
            Slip(
                3.0,
                "You took the decimal logarithm of 1000. But a factor is a quotient of two gaps.",
            ),
            Slip(betas[0], "That is β with a ridge of 1. By what factor does it grow?"),
            Slip(
                betas[1],
                "That is β with the ridge of 0.001. Divide it by β with the ridge of 1.",
            ),
            Slip(betas[1] - betas[0], "That is the difference of the two β's. Divide them."),
            Slip(strong / weak, "You turned the quotient round. A weaker ridge needs a larger β."),
            Slip(
                1.0,
                "You say that β stays. A weaker ridge leaves a larger gap, so β must be larger.",
                "cold",
            ),
        ),
        low=0.0,
        beyond="A factor between two β's is above 0.",
    )
