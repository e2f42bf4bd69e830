"""Any value of any argument is either accepted or refused with the argument's name.

No warning and no bare message of NumPy, SciPy or Python appears.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from psipo_explore import (
    D2,
    IPO,
    LOGIT,
    Adam,
    Comparisons,
    ExpectedPsi,
    GradientDescent,
    Psi,
    bradley_terry,
    cyclic_share,
    diagnose,
    expected_psi,
    expected_psi_bradley_terry,
    fit_reward,
    folded_power,
    gibbs_policy,
    kl_divergence,
    losses,
    minimise,
    minimise_log_linear,
    objective,
    optimal_policy,
    tournament,
    train,
)
from psipo_explore.divergences import CHI_SQUARED, Divergence, alpha, tilted_policy
from psipo_explore.few_samples import collapse_probability, expected_policy, preference_law
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.psi import LOG
from psipo_explore.self_play import nash_policy

pytestmark = pytest.mark.slow

P = [[0.5, 0.8], [0.2, 0.5]]
HALF = [0.5, 0.5]
THIRDS = [0.4, 0.3, 0.3]
RUN = train(D2, IPO, 1.0, steps=2, seeds=2)
DESCENT = {
    "optimiser": GradientDescent(0.3),
    "steps": 3,
    "batch_size": None,
    "seeds": 1,
    "record_every": 1,
}

TAKEN: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "bradley_terry": (bradley_terry, {"rewards": [1.0, 0.0]}),
    "tournament": (tournament, {"pairs": [(0, 1)], "n_actions": 2, "q": 0.5}),
    "expected_psi": (expected_psi, {"p": P, "psi": LOGIT, "mu": HALF}),
    "expected_psi_bradley_terry": (
        expected_psi_bradley_terry,
        {"rewards": [1.0, 0.0], "psi": LOGIT, "mu": HALF},
    ),
    "ExpectedPsi": (ExpectedPsi, {"won": [0.0], "lost": [0.0], "rest": [1.0]}),
    "gibbs_policy": (gibbs_policy, {"g": [1.0, 0.0], "beta": 1.0, "pi_ref": HALF}),
    "log_gibbs_policy": (log_gibbs_policy, {"g": [1.0, 0.0], "beta": 1.0, "pi_ref": HALF}),
    "optimal_policy": (
        optimal_policy,
        {
            "p": P,
            "psi": LOGIT,
            "beta": 1.0,
            "pi_ref": HALF,
            "mu": HALF,
            "divergence": CHI_SQUARED,
        },
    ),
    "objective": (
        objective,
        {
            "policy": HALF,
            "p": P,
            "psi": LOGIT,
            "beta": 1.0,
            "pi_ref": HALF,
            "mu": HALF,
            "divergence": CHI_SQUARED,
        },
    ),
    "tilted_policy": (
        tilted_policy,
        {"g": [1.0, 0.0], "beta": 1.0, "divergence": CHI_SQUARED, "pi_ref": HALF},
    ),
    "alpha": (alpha, {"a": 3.0}),
    "Divergence": (
        Divergence,
        {
            "name": "half of χ²",
            "f": lambda t: (t - 1) ** 2 / 4,
            "slope": lambda t: (t - 1) / 2,
            "slope_inverse": lambda s: 2 * s + 1,
            "curvature": lambda t: np.full_like(t, 0.5),
            "ratio_below": lambda t, x: np.maximum(t + 2 * x, 0.0),
        },
    ),
    "distance": (CHI_SQUARED, {"policy": HALF, "pi_ref": HALF}),
    "nash_policy": (nash_policy, {"p": P, "psi": LOGIT, "beta": 1.0, "pi_ref": HALF}),
    "kl_divergence": (kl_divergence, {"policy": HALF, "pi_ref": HALF}),
    "cyclic_share": (cyclic_share, {"p": P, "psi": LOGIT, "mu": HALF}),
    "Comparisons": (
        Comparisons,
        {
            "winners": [0],
            "losers": [1],
            "actions": ("a", "b"),
            "weights": [1.0],
            "contexts": [0, 0],
        },
    ),
    "from_pairs": (
        Comparisons.from_pairs,
        {"pairs": [("a", "b")], "actions": ["a", "b"], "weights": [1.0]},
    ),
    "from_table": (Comparisons.from_table, {"wins": [[0, 1], [1, 0]], "actions": ["a", "b"]}),
    "from_preferences": (Comparisons.from_preferences, {"p": P, "mu": HALF}),
    "sample": (Comparisons.sample, {"p": P, "n": 2, "rng": np.random.default_rng(0), "mu": HALF}),
    "preferences": (D2.preferences, {"prior": 1.0}),
    "minimise": (minimise, {"data": D2, "loss": IPO, "beta": 1.0, "pi_ref": THIRDS}),
    "minimise_log_linear": (
        minimise_log_linear,
        {"data": D2, "loss": IPO, "beta": 1.0, "features": [[1.0], [2], [4]], "pi_ref": THIRDS},
    ),
    "fit_reward": (fit_reward, {"data": D2, "ridge": 0.0}),
    "train": (
        train,
        {
            "data": D2,
            "loss": IPO,
            "beta": 1.0,
            "pi_ref": THIRDS,
            "features": [[1.0], [2], [4]],
            **DESCENT,
        },
    ),
    "interval": (RUN.interval, {"level": 0.9}),
    "probability": (RUN.probability, {"action": "a"}),
    "diagnose": (diagnose, {"data": D2, "beta": 1.0, "smoothing": 0.1, "pi_ref": THIRDS}),
    "share_collapsing": (diagnose(D2).share_collapsing, {"level": 0.9}),
    "preference_law": (preference_law, {"p": P, "n": 2}),
    "expectation": (preference_law(P, n=2).expectation, {"values": [1.0, 2.0, 3.0]}),
    "collapse_probability": (collapse_probability, {"p": P, "psi": LOGIT, "n": 2, "mu": HALF}),
    "expected_policy": (
        expected_policy,
        {"p": P, "psi": LOGIT, "beta": 1.0, "n": 2, "pi_ref": HALF, "mu": HALF},
    ),
    "folded_power": (folded_power, {"lam": 1.0}),
    "Psi": (
        Psi,
        {
            "name": "root",
            "function": np.sqrt,
            "latex": "",
            "at_zero": 0.0,
            "at_one": 1.0,
            "odd": False,
        },
    ),
    "from_callable": (Psi.from_callable, {"f": np.sqrt, "name": "root"}),
    "from_formula": (Psi.from_formula, {"text": "q"}),
    "q": (LOGIT, {"q": 0.5}),
    "of_table": (LOGIT.of_table, {"p": P}),
    "of_log_odds": (LOG.of_log_odds, {"log_odds": 0.5}),
    "derivative": (LOGIT.derivative, {"q": 0.5}),
    "cdpo": (losses.cdpo, {"smoothing": 0.1}),
    "robust_dpo": (losses.robust_dpo, {"smoothing": 0.1}),
    "odpo": (losses.odpo, {"offset": 0.1}),
    "exo": (losses.exo, {"smoothing": 0.1}),
    "discopop": (losses.discopop, {"temperature": 0.1}),
    "value": (IPO.value, {"h": 0.1, "beta": 1.0}),
    "Adam": (Adam, {"rate": 0.1, "decay": 0.1, "square_decay": 0.1, "epsilon": 0.1}),
    "GradientDescent": (GradientDescent, {"rate": 0.1}),
}

OTHERS: list[object] = [
    *(None, True, 0, -1, 2.5, np.nan, np.inf, -np.inf, 1e308, -1e308, 1j, 10**400),
    *("x", "", b"x", date(2023, 10, 18), object(), object, len),
    *(
        [],
        [[]],
        [[1], [1, 2]],
        [None],
        ["a"],
        [1, -2],
        (1,),
        [["a", "b"]],
        [(0, 0)],
        [("a", ["b"])],
        [1, [2]],
        {},
        {"a": 1},
        {1, 2},
    ),
    *(
        range(3),
        np.array(3),
        np.array([3]),
        np.zeros((3, 0)),
        np.zeros((2, 2, 2)),
        np.eye(2),
        np.array([1, 2], dtype=object),
    ),
    *(
        np.ma.masked_array([1, 2], [True, False]),
        np.zeros(2, dtype=[("a", "f8")]),
        np.datetime64(1, "s"),
        np.array(["a", "b"]),
    ),
]


@pytest.mark.parametrize("name", TAKEN)
def test_an_argument_is_taken_or_refused_by_name(name: str) -> None:
    function, arguments = TAKEN[name]
    function(**arguments)
    begins = re.compile(rf"({'|'.join(arguments)})\b")
    refusals = []
    for argument in arguments:
        for other in OTHERS:
            try:
                function(**{**arguments, argument: other})
            except (ValueError, TypeError) as error:
                refusals.append(str(error))
    assert len(refusals) > len(OTHERS) / 4
    assert [words for words in refusals if not begins.match(words)] == []
    assert max(map(len, refusals)) < 500
