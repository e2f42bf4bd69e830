"""What readers guess before they see a picture: the questions of the lessons, for each view.

The answers are computed here from the theory, not by the view, so that a test can compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq

from psipo_explore import (
    D1,
    DPO,
    IDENTITY,
    IPO,
    LOGIT,
    Comparisons,
    Psi,
    bradley_terry,
    fit_reward,
    gibbs_policy,
    kl_divergence,
    minimise,
    minimise_log_linear,
    optimal_policy,
    tournament,
)
from psipo_explore._checks import Array
from psipo_explore.divergences import CHI_SQUARED, KL, REVERSE_KL, Divergence
from psipo_explore.few_samples import preference_law
from psipo_explore.self_play import nash_policy
from psipo_explore.views.kit.certainty_axis import decade
from psipo_explore.views.kit.guess import Guess, Question

_Guesses = Mapping[str, Guess]
_NEARLY_CERTAIN = 1 - 1e-15


def _at(x: float) -> Callable[[float], tuple[float, float]]:
    """Draw a guessed number over this place on the axis."""
    return lambda guess: (x, guess)


def _among(x: float, heights: Mapping[str, float]) -> Callable[[str], tuple[float, float]]:
    """Draw a chosen answer over this place on the axis, at its own height."""
    return lambda answer: (x, heights[answer])


def _left(p: float, psi: Psi, beta: float, leash: Divergence = KL) -> float:
    """Return π*(y_l), where both answers start at ½."""
    table = [[0.5, p], [1 - p, 0.5]]
    return float(optimal_policy(table, psi, beta, divergence=leash)[1])


# collapse


def _left_by(asks: str, psi: Psi, p: float, beta: float) -> Question:
    is_on_left = p < 0.99
    return Question(
        asks,
        truth=partial(_left, p, psi, beta),
        values={"p": p, "beta": beta},
        axes=0 if is_on_left else 1,
        place=_at(p if is_on_left else float(decade(1 - p))),
        label="RLHF" if psi is LOGIT else "IPO",
    )


COLLAPSE: _Guesses = {
    "share": Guess(
        "Answers y_w and y_l start at ½ each, and β = 1. How much probability is left to y_l?",
        (
            _left_by("RLHF, if 90 % of the raters prefer y_w", LOGIT, 0.9, 1.0),
            _left_by("IPO, if 90 % do", IDENTITY, 0.9, 1.0),
            _left_by("RLHF, if all of them do", LOGIT, 1.0, 1.0),
            _left_by("IPO, if all of them do", IDENTITY, 1.0, 1.0),
        ),
    ),
    "doubt": Guess(
        "Answers y_w and y_l start at ½ each, and raters prefer y_w every time, except once in 10¹⁵ times. "
        "How much probability is left to y_l at β = 10?",
        (
            _left_by("Under logit (RLHF and DPO)", LOGIT, _NEARLY_CERTAIN, 10.0),
            _left_by("Under identity (IPO)", IDENTITY, _NEARLY_CERTAIN, 10.0),
            Question(
                "β = 100 changes the number much for",
                truth=lambda: _moved_by_beta(_NEARLY_CERTAIN, 10.0, 100.0),
                values={"p": _NEARLY_CERTAIN, "beta": 100.0},
                answers=("logit", "identity", "both", "neither"),
            ),
        ),
    ),
}


def _moved_by_beta(p: float, beta: float, larger: float) -> str:
    logit, identity = (
        abs(_left(p, psi, larger) - _left(p, psi, beta)) > 0.1 for psi in (LOGIT, IDENTITY)
    )
    if logit and identity:
        return "both"
    return "logit" if logit else "identity" if identity else "neither"


# psi_curve


def _steepness(asks: str, psi: Psi, lam: float) -> Question:
    at_half = float(psi.derivative(0.5))
    return Question(
        asks,
        truth=lambda: float(psi.derivative(0.99)) / at_half,
        values={"lam": lam, "q": 0.99},
        high=1000.0,
        axes=1,
        place=lambda guess: (0.99, float(np.clip(guess * at_half, 0.6, 2000.0))),
        label=psi.name,
    )


def _worth_more(asks: str, psi: Psi, lam: float) -> Question:
    nine, one = "from 0.90 to 0.99", "from 0.99 to 1"
    return Question(
        asks,
        truth=lambda: one if psi(1.0) - psi(0.99) > psi(0.99) - psi(0.9) else nine,
        values={"lam": lam, "q": 0.99},
        answers=(nine, one),
    )


PSI_CURVE: _Guesses = {
    "steepness": Guess(
        "Ψ turns a preference q into a worth. Logit is log(q/(1 − q)), and identity is q. How many "
        "times steeper is Ψ at q = 0.99 than at ½, and which step up is worth more?",
        (
            _steepness("Logit is so many times steeper", LOGIT, 0.0),
            _steepness("Identity is so many times steeper", IDENTITY, 2.0),
            _worth_more("Under logit, worth more is the step", LOGIT, 0.0),
            _worth_more("Under identity, worth more is the step", IDENTITY, 2.0),
        ),
    )
}


# beyond_bradley_terry


def _first_answer(recipe: str, strength: float) -> float:
    """Return π(a) by a recipe, where rewards are 1, 0 and −1 and a cycle has this strength."""
    log_odds = np.subtract.outer([1.0, 0.0, -1.0], [1.0, 0.0, -1.0])
    log_odds += strength * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    p = 1 / (1 + np.exp(-log_odds))
    if recipe == "ΨPO":
        return float(optimal_policy(p, LOGIT, 1.0)[0])
    population = Comparisons.from_preferences(p)
    if recipe == "DPO":
        return float(minimise(population, DPO, 1.0).policy[0])
    return float(gibbs_policy(fit_reward(population), 1.0)[0])


def _compared(recipe: str) -> str:
    moved = _first_answer(recipe, 2.5) - _first_answer(recipe, 0.0)
    return "the same" if abs(moved) < 1e-6 else "higher" if moved > 0 else "lower"


def _with_cycle(asks: str, recipe: str) -> Question:
    return Question(
        asks,
        truth=partial(_compared, recipe),
        values={"strength": 2.5},
        answers=("higher", "the same", "lower"),
        place=_among(2.5, {"higher": 0.82, "the same": 0.665, "lower": 0.5}),
        label=recipe,
    )


BEYOND_BRADLEY_TERRY: _Guesses = {
    "cycle": Guess(
        "Rewards are 1, 0 and −1 for a, b and c, and then the preferences are made to go in a "
        "circle, so that even c beats a. What happens to π(a)?",
        (
            _with_cycle("ΨPO with logit makes it", "ΨPO"),
            _with_cycle("DPO makes it", "DPO"),
            _with_cycle("RLHF makes it", "RLHF"),
        ),
    )
}


# few_samples


def _five_raters() -> tuple[float, float]:
    """Return how often five raters agree, and the mean of what logit then leaves y_l."""
    law = preference_law(tournament([(0, 1)], 2, 0.8), n=5)
    left = optimal_policy(law.p_hat, LOGIT, 10.0)[:, 1]
    return float(law.probability[0] + law.probability[-1]), float(law.probability @ left)


def _mean_against_truth() -> str:
    return "more" if _five_raters()[1] > _left(0.8, LOGIT, 10.0) else "less"


_FIVE = {"p": 0.8, "n": 5, "beta": 10.0}
FEW_SAMPLES: _Guesses = {
    "five": Guess(
        "8 in 10 raters prefer y_w, and you ask five of them. β = 10.",
        (
            Question(
                "How often all five agree, so that logit leaves one answer nothing",
                truth=lambda: _five_raters()[0],
                values=_FIVE,
                axes=1,
                place=_at(5),
                label="all agree",
            ),
            Question(
                "The mean of what logit leaves y_l, against what it leaves at the true p, is",
                truth=_mean_against_truth,
                values=_FIVE,
                answers=("more", "less"),
                axes=1,
                place=_among(5, {"more": 0.6, "less": 0.38}),
                label="the mean",
            ),
        ),
    )
}


# regularisation

_FALLS = ("a lot", "a little", "not at all")


def _fall(p: float, psi: Psi) -> str:
    """Say how much KL falls if β goes from 0.25 to 2.5, for one winner over four losers."""
    pi_ref = [0.8, *[0.05] * 4]
    table = tournament([(0, y) for y in range(1, 5)], 5, p)
    before, after = kl_divergence(optimal_policy(table, psi, [0.25, 2.5], pi_ref=pi_ref), pi_ref)
    share = 1 - after / before
    return _FALLS[0] if share >= 1 / 3 else _FALLS[1] if share > 0.01 else _FALLS[2]


def _tenfold(asks: str, psi: Psi, p: float) -> Question:
    heights = (0.5, 0.8, 1.0) if psi is LOGIT else (0.12, 0.4, 0.52)
    return Question(
        asks,
        truth=partial(_fall, p, psi),
        values={"p": p},
        answers=_FALLS,
        place=_among(2.5, dict(zip(_FALLS, heights, strict=True))),
        label=psi.name,
    )


REGULARISATION: _Guesses = {
    "tenfold": Guess(
        "One winner starts at 80 %, and four losers at 5 % each. β goes from 0.25 to 2.5. How much "
        "does the KL from π_ref fall? (A lot is a third or more.)",
        (
            _tenfold("DPO (logit), if the winner is preferred with p = 0.99", LOGIT, 0.99),
            _tenfold("IPO (identity), if p = 0.99", IDENTITY, 0.99),
            _tenfold("DPO, if p = 1", LOGIT, 1.0),
            _tenfold("IPO, if p = 1", IDENTITY, 1.0),
        ),
    )
}


# training and never_wins

_BELOW, _ABOVE = "below 0.001", "clearly above"


def _trained_dpo(beta: float, answer: str) -> Question:
    """Ask what 18 000 steps leave c. They take too long for a question, so a test computes them."""
    return Question(
        f"DPO at β = {beta:g} leaves c",
        truth=lambda: answer,
        values={"beta": beta},
        answers=(_BELOW, _ABOVE),
        axes=2,
        place=_among(beta, {_BELOW: 0.0, _ABOVE: 0.05}),
        label="DPO",
    )


def _minimum_of(loss: Any, beta: float, data: Comparisons = D1) -> float:
    return float(minimise(data, loss, beta).policy[2])


TRAINING: _Guesses = {
    "three": Guess(
        "a beat b, b beat c and a beat c, once each. All three start at ⅓, and training takes "
        "18 000 steps. How much probability is left to c?",
        (
            *(
                Question(
                    f"IPO at β = {beta:g}",
                    truth=partial(_minimum_of, IPO, beta),
                    values={"beta": beta},
                    axes=4,
                    place=_at(beta),
                    label="IPO",
                )
                for beta in (1.0, 10.0)
            ),
            _trained_dpo(1.0, _BELOW),
            _trained_dpo(10.0, _ABOVE),
            Question(
                "DPO at β = 10, if you train for ever",
                truth=partial(_minimum_of, DPO, 10.0),
                values={"beta": 10.0},
                axes=1,
                place=_at(28_390.0),  # where the limit of c is drawn
                label="for ever",
            ),
        ),
    )
}
_C_NEVER_WINS = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
NEVER_WINS: _Guesses = {
    "never": Guess(
        "a and b beat each other, and a beats c.",
        (
            Question(
                "IPO at β = 0.5 leaves c",
                truth=partial(_minimum_of, IPO, 0.5, _C_NEVER_WINS),
                values={"beta": 0.5},
                axes=4,
                place=_at(0.5),
            ),
        ),
    )
}


# underfitted_reward


def _left_by_rlhf(n: int, **held: Any) -> float:
    """Return what RLHF leaves y_l after n comparisons that y_w won, with a reward held back."""
    data = Comparisons.from_pairs([("y_w", "y_l")], weights=[n])
    return float(gibbs_policy(fit_reward(data, **held), 1.0)[1])


def _left_by_ipo() -> float:
    return float(minimise(Comparisons.from_pairs([("y_w", "y_l")]), IPO, 1.0).policy[1])


def _after_five() -> str:
    left = _left_by_rlhf(5, ridge=1.0)
    return "nothing" if left == 0 else "below 0.05" if left < 0.05 else "more"


def _after_500() -> str:
    left = _left_by_rlhf(500, ridge=1.0)
    return "above 0.1" if left > 0.1 else "0.01 to 0.1" if left >= 0.01 else "below 0.01"


def _stopped() -> str:
    more = _left_by_rlhf(5, steps=100) > _left_by_ipo()
    return "more than IPO" if more else "less than IPO"


UNDERFITTED_REWARD: _Guesses = {
    "five": Guess(
        "All comparisons were won by y_w, both answers start at ½, and β = 1. RLHF fits a reward "
        "with a ridge of 1. What does it leave y_l?",
        (
            Question(
                "After five comparisons",
                truth=_after_five,
                values={},
                answers=("nothing", "below 0.05", "more"),
                axes=1,
                place=_among(1.0, {"nothing": 0.0, "below 0.05": 0.03, "more": 0.2}),
                label="RLHF",
            ),
            Question(
                "After 500",
                truth=_after_500,
                values={"n": 500},
                answers=("above 0.1", "0.01 to 0.1", "below 0.01"),
                axes=1,
                place=_among(1.0, {"above 0.1": 0.163, "0.01 to 0.1": 0.05, "below 0.01": 0.003}),
                label="RLHF",
            ),
            Question(
                "What IPO leaves it after 500",
                truth=_left_by_ipo,
                values={"n": 500},
                axes=1,
                place=lambda guess: (1.0, min(guess, 0.54)),
                label="IPO",
            ),
            Question(
                "Without a ridge, but stopped after 100 steps, RLHF leaves y_l",
                truth=_stopped,
                values={},
                answers=("more than IPO", "less than IPO"),
                axes=1,
                place=_among(1.0, {"more than IPO": 0.45, "less than IPO": 0.1}),
                label="stopped",
            ),
        ),
    )
}


# shared_weights

_RISES, _FALLS_BELOW = "above its start", "below its start"
_W, _O = 0, 2
_START = np.array([0.49, 0.49, 0.02])
_LIMIT_OF_W = 18_520.0  # where the picture draws it on the axis of steps


def _moved(loss: Any, answer: int) -> str:
    """Say whether an answer has gained after 10 000 steps at rate 0.05 and β = 1.

    Under DPO dθ/dt = σ(−θ), so that θ + exp θ = 1 + t. Under IPO θ is at its minimum.
    """
    theta = 0.5 if loss is IPO else brentq(lambda x: x + np.exp(x) - 501, 0, 10)
    policy = gibbs_policy(np.array([1.0, 0.0, 2.0]) * theta, 1.0, pi_ref=_START)
    return _RISES if policy[answer] > _START[answer] else _FALLS_BELOW


def _in_the_end(answer: int) -> str:
    data = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
    features = np.array([[1.0], [0.0], [2.0]])
    end = minimise_log_linear(data, DPO, 10.0, features, pi_ref=_START).policy
    return _RISES if end[answer] > _START[answer] else _FALLS_BELOW


def _trained_answer(asks: str, loss: Any, answer: int) -> Question:
    high, low = (-0.25, -1.4) if answer == _W else (-2.0, -6.0)  # of log π
    return Question(
        asks,
        truth=partial(_moved, loss, answer),
        values={},
        answers=(_RISES, _FALLS_BELOW),
        axes=0 if loss is DPO else 2,
        place=_among(10_000.0, {_RISES: high, _FALLS_BELOW: low}),
        label="wlo"[answer],
    )


SHARED_WEIGHTS: _Guesses = {
    "rises": Guess(
        "The model sees one feature, which is 1 for w, 0 for l and 2 for o. You train on w ≻ l, "
        "for 10 000 steps. Where does each answer end?",
        (
            _trained_answer("DPO at β = 1: w ends", DPO, _W),
            _trained_answer("DPO at β = 1: o ends", DPO, _O),
            _trained_answer("IPO at β = 1: w ends", IPO, _W),
            _trained_answer("IPO at β = 1: o ends", IPO, _O),
            Question(
                "DPO at β = 10, if you train for ever: w ends",
                truth=partial(_in_the_end, _W),
                values={"beta": 10.0},
                answers=(_RISES, _FALLS_BELOW),
                place=_among(_LIMIT_OF_W, {_RISES: -0.25, _FALLS_BELOW: -7.0}),
                label="w",
            ),
        ),
    )
}


# leashes

_NOTHING = 3e-10  # where the picture draws an exact 0


def _who_keeps(psi: Psi, beta: float) -> str:
    """Say which of KL, reverse KL and χ² leave y_l something if p = 1."""
    keeps = [_left(1.0, psi, beta, leash) > 0 for leash in (KL, REVERSE_KL, CHI_SQUARED)]
    return {
        (True, True, True): "all three",
        (True, True, False): "KL and reverse KL",
        (False, True, False): "only reverse KL",
    }.get((keeps[0], keeps[1], keeps[2]), "none of them")


def _held_by(asks: str, leash: Divergence) -> Question:
    x = float(decade(1 - _NEARLY_CERTAIN))
    return Question(
        asks,
        truth=partial(_left, _NEARLY_CERTAIN, LOGIT, 10.0, leash),
        values={"lam": 0.0, "beta": 10.0, "p": _NEARLY_CERTAIN},
        axes=1,
        place=lambda guess: (x, guess or _NOTHING),
        label=leash.name,
    )


def _held_at_certainty(asks: str, psi: Psi, beta: float, lam: float) -> Question:
    return Question(
        asks,
        truth=partial(_who_keeps, psi, beta),
        values={"lam": lam, "beta": beta, "p": 1.0},
        answers=("all three", "KL and reverse KL", "only reverse KL", "none of them"),
    )


LEASHES: _Guesses = {
    "certainty": Guess(
        "Both answers start at ½. Under logit, β = 10 and p = 1 − 10⁻¹⁵, KL leaves y_l 0.031.",
        (
            _held_by("What reverse KL leaves y_l in this case", REVERSE_KL),
            _held_by("What χ² leaves y_l in this case", CHI_SQUARED),
            _held_at_certainty(
                "At p = 1, of KL, reverse KL and χ², these leave it something", LOGIT, 10.0, 0.0
            ),
            _held_at_certainty(
                "Under identity, β = 0.2 and p = 1, these leave it something", IDENTITY, 0.2, 2.0
            ),
        ),
    )
}


# self_play

_STRAIGHT, _DETOUR = "straight", "by a detour"
_CORNERS = np.array([[0.5, np.sqrt(0.75)], [0.0, 0.0], [1.0, 0.0]])  # of a, b and c


def _learned(cycle: float) -> Array:
    rewards = np.array([2.0, -2.0, 0.0])
    ordered = bradley_terry((1 - cycle) * rewards)
    round_about = cycle * np.array([[0.0, 2.0, -2.0], [-2.0, 0.0, 2.0], [2.0, -2.0, 0.0]])
    odds = ordered / (1 - ordered) * np.exp(round_about)
    return nash_policy(odds / (1 + odds), IDENTITY, 0.02)


def _way() -> str:
    _, b, c = _learned(0.55)
    return _STRAIGHT if abs(b - c) < 0.01 else _DETOUR


def _on_the_way(answer: str) -> tuple[float, float]:
    x, y = (np.array([0.67, 0.165, 0.165]) if answer == _STRAIGHT else [0.2, 0.1, 0.7]) @ _CORNERS
    return float(x), float(y)


def _most() -> str:
    return "abc"[int(_learned(0.75).argmax())]


def _near_corner(answer: str) -> tuple[float, float]:
    x, y = 0.85 * _CORNERS["abc".index(answer)] + 0.05 * _CORNERS.sum(0)
    return float(x), float(y)


SELF_PLAY: _Guesses = {
    "most": Guess(
        "a beats b by far, b beats c, and c beats a. Against a fixed opponent IPO gives almost only a.",
        (
            Question(
                "If the opponent is the policy itself, and β is small, it gives most often",
                truth=_most,
                values={},
                answers=("a", "b", "c"),
                place=_near_corner,
                label="most",
            ),
            Question(
                "How much of its probability it gives to a",
                truth=lambda: float(_learned(0.75)[0]),
                values={},
                axes=1,
                place=lambda guess: (guess, -2.0),
                label="self-play",
            ),
        ),
    ),
    "way": Guess(
        "The slider “cycle” leads from an order, in which a beats everybody, to a circle like "
        "rock–paper–scissors. How does the self-play policy go from a's corner to the "
        "middle of the triangle?",
        (
            Question(
                "From the corner to the middle it goes",
                truth=_way,
                values={},
                answers=(_STRAIGHT, _DETOUR),
                place=_on_the_way,
                label="the way",
            ),
        ),
    ),
}


# explorer


def _who_remain() -> float:
    certain = tournament([(0, 1), (0, 2), (1, 2)], 3)
    return float(np.count_nonzero(optimal_policy(certain, LOGIT, 1.0)))


EXPLORER: _Guesses = {
    "remain": Guess(
        "a surely beats b and c, and b surely beats c. Ψ is logit, as for RLHF, and β = 1.",
        (
            Question(
                "How many of the three answers keep any probability",
                truth=_who_remain,
                values={"preferences": "three in order, all certain", "lam": 0.0},
                low=0.0,
                high=3.0,
            ),
        ),
    )
}
