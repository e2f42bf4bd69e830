"""Refusals are short sentences that begin with the name of the argument."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from psipo_explore import (
    D1,
    IPO,
    LOGIT,
    Comparisons,
    Psi,
    bradley_terry,
    diagnose,
    fit_reward,
    kl_divergence,
    minimise,
    minimise_log_linear,
    optimal_policy,
    tournament,
    train,
)
from psipo_explore import _checks as checks
from psipo_explore.diagnosis import diagnose_file
from psipo_explore.few_samples import collapse_probability, expected_policy, preference_law

LONG = "x" * 20_000_000
MANY = [f"action {k}" for k in range(100_000)]
DIGITS = 10**5000  # has more digits than Python is willing to print
ONE_PAIR = Comparisons.from_pairs([(LONG, "b")], actions=[LONG, "b", "c"])

WITH_LONG_VALUES: list[tuple[str, Callable[[], object]]] = [
    ("pairs", lambda: Comparisons.from_pairs([(LONG, LONG)])),
    ("pairs", lambda: Comparisons.from_pairs([LONG])),  # type: ignore[list-item]
    ("pairs", lambda: Comparisons.from_pairs([("a", LONG)], actions=["a", "b"])),
    ("pairs", lambda: Comparisons.from_pairs([("a", "b")], actions=MANY)),
    ("actions", lambda: Comparisons.from_pairs([("a", "b")], actions=["a", "b", LONG, LONG])),
    ("prior", lambda: ONE_PAIR.preferences()),
    ("action", lambda: train(D1, IPO, 1.0, steps=1).probability(LONG)),
    ("data", lambda: train([ONE_PAIR, D1], IPO, 1.0)),
    ("data", lambda: train([D1, ONE_PAIR], IPO, 1.0)),
    ("data", lambda: minimise(LONG, IPO, 1.0)),  # type: ignore[arg-type]
    ("data", lambda: fit_reward(MANY)),  # type: ignore[arg-type]
    ("data", lambda: diagnose({"a": LONG})),  # type: ignore[arg-type]
    ("optimiser", lambda: train(D1, IPO, 1.0, optimiser=LONG)),  # type: ignore[arg-type]
    ("seeds", lambda: train(D1, IPO, 1.0, seeds=MANY)),  # type: ignore[arg-type]
    ("seeds", lambda: train(D1, IPO, 1.0, seeds=[-DIGITS])),
    ("steps", lambda: train(D1, IPO, 1.0, steps=-DIGITS)),
    ("steps", lambda: train(D1, IPO, 1.0, steps=LONG)),  # type: ignore[arg-type]
    ("n", lambda: preference_law([[0.5]], n=np.zeros(10**6))),  # type: ignore[arg-type]
    ("rewards", lambda: bradley_terry(np.zeros(3, dtype=[("x" * 10**6, "f8")]))),
    ("f", lambda: Psi.from_callable(LONG, name="f")),  # type: ignore[arg-type]
    ("odd", lambda: Psi(LONG, np.sqrt, latex="", at_zero=0.0, at_one=1.0, odd=True)),
    ("log_odds", lambda: Psi.from_callable(LOGIT, name=LONG).of_log_odds(800.0)),
    ("text", lambda: Psi.from_formula("1+" + LONG)),
]


@pytest.mark.parametrize(("name", "call"), WITH_LONG_VALUES)
def test_a_message_is_short_however_long_the_values_are(
    name: str, call: Callable[[], object]
) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"^{name}\b") as refused:
        call()
    assert len(str(refused.value)) < 400


BARE: list[tuple[str, Callable[[], object]]] = [
    ("pi_ref is ragged", lambda: kl_divergence([0.5, 0.5], [[1], [1, 2]])),  # type: ignore[list-item]
    ("pi_ref holds object values", lambda: kl_divergence([0.5, 0.5], None)),  # type: ignore[arg-type]
    ("winners is ragged", lambda: Comparisons([[1], [1, 2]], [1], ("a", "b"), [1.0], [0, 0])),  # type: ignore[arg-type]
    ("mu is ragged", lambda: collapse_probability(EVEN, LOGIT, n=1, mu=[[1], [1, 2]])),  # type: ignore[list-item]
    ("path = None", lambda: Comparisons.from_csv(None, winner="a", loser="b")),  # type: ignore[arg-type]
    ("path = 3", lambda: Comparisons.from_jsonl(3)),  # type: ignore[arg-type]
    ("path = None", lambda: diagnose_file(None)),  # type: ignore[arg-type]
    ("pairs is ragged", lambda: tournament([(0, 1), (0,)], 2)),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("words", "call"), BARE)
def test_what_numpy_cannot_read_is_refused_in_our_words(
    words: str, call: Callable[[], object]
) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"^{words}, must be"):
        call()


HUGE = 10**12
EVEN = [[0.5, 0.5], [0.5, 0.5]]
MILLION = Comparisons([0], [1], range(10**6), [1.0], np.zeros(10**6, dtype=int))  # type: ignore[arg-type]


def repeated(value: object, *shape: int) -> Any:
    """Return an array of any size that takes almost no memory."""
    return np.broadcast_to(np.asarray(value), (*shape, *np.shape(value)))  # type: ignore[arg-type]


TOO_LARGE: list[tuple[str, Callable[[], object]]] = [
    ("rewards", lambda: bradley_terry(np.zeros(10**6))),
    ("rewards", lambda: bradley_terry(repeated(0.0, HUGE))),
    ("n_actions", lambda: tournament([(0, 1)], 10**6)),
    ("n_actions", lambda: tournament([(0, 1)], DIGITS)),
    ("q", lambda: tournament([(0, 1)], 10**3, np.zeros(10**6))),
    ("p", lambda: optimal_policy(repeated(EVEN, HUGE), LOGIT, 1.0)),
    ("beta", lambda: optimal_policy(EVEN, LOGIT, repeated(1.0, HUGE))),
    ("beta", lambda: optimal_policy(repeated(EVEN, 10**5), LOGIT, np.ones((10**7, 1)))),
    ("beta", lambda: expected_policy(EVEN, LOGIT, repeated(1.0, HUGE), n=1)),
    ("beta", lambda: expected_policy(repeated(EVEN, 10**5), LOGIT, np.ones(10**7), n=1)),
    ("p", lambda: collapse_probability(repeated(EVEN, HUGE), LOGIT, n=1)),
    ("beta", lambda: IPO.value(np.zeros((10**6, 1)), np.ones(10**6))),
    ("winners", lambda: Comparisons(repeated(0, HUGE), [1], ("a", "b"), [1.0], [0, 0])),  # type: ignore[arg-type]
    ("actions", lambda: MILLION.win_table()),
    ("actions", lambda: MILLION.preferences(prior=1.0)),
    ("n", lambda: Comparisons.sample(EVEN, HUGE, rng=np.random.default_rng(0))),
    ("seeds", lambda: train(D1, IPO, 1.0, seeds=HUGE)),
    ("beta", lambda: minimise(D1, IPO, repeated(1.0, HUGE))),
    ("beta", lambda: train(D1, IPO, np.ones(10**6), record_every=1)),
    ("record_every", lambda: train(D1, IPO, 1.0, steps=HUGE, record_every=1)),
    ("batch_size", lambda: train(D1, IPO, 1.0, batch_size=HUGE)),
    ("features", lambda: minimise_log_linear(D1, IPO, 1.0, repeated(1.0, 3, HUGE))),
    ("features", lambda: minimise_log_linear(D1, IPO, 1.0, sparse.csr_array((3, HUGE)))),
    ("features", lambda: train(D1, IPO, 1.0, features=sparse.coo_array((3, HUGE)))),
    ("beta", lambda: minimise_log_linear(D1, IPO, repeated(1.0, HUGE), np.eye(3))),
]


@pytest.mark.parametrize(("name", "call"), TOO_LARGE)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_made(
    name: str, call: Callable[[], object]
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^{name} would make an array of shape \(.*, \S+ [TPE]B, must fit into half",
    ):
        call()


def test_weights_that_do_not_fit_into_memory_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let 10⁶ numbers fit, and ask for 10⁷: the features fit, their product with β does not."""
    monkeypatch.setattr(checks, "most_numbers", lambda: 10**6)
    wide, betas = np.ones((3, 10**5)) * [[1], [2], [4]], np.ones(100)
    with pytest.raises(ValueError, match=r"^beta would make an array of shape \(100, 100000\)"):
        minimise_log_linear(D1, IPO, betas, wide)
    with pytest.raises(ValueError, match=r"^(beta|features) would make an array of shape \("):
        train(D1, IPO, betas, features=wide, seeds=1, steps=1, batch_size=None)


def test_memory_is_taken_to_be_16_gb_where_the_system_does_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(checks.os, "sysconf")
    assert checks.in_bytes(checks.most_numbers()) == "8 GB"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("short", "'short'"),
        ("y" * 80, f"'{'y' * 59}…"),
        ([1.5, None], "[1.5, None]"),
        (np.eye(2), "array([[1., 0.], [0., 1.]])"),
    ],
)
def test_a_value_is_written_as_python_writes_it_and_cut(value: object, written: str) -> None:
    assert checks.shown(value) == written


def test_a_value_that_python_does_not_write_is_named_by_its_type() -> None:
    assert checks.shown(DIGITS) == "a value of type int"


def test_labels_are_cut_and_the_first_are_listed() -> None:
    assert checks.cut("a\x1b[31m\nb") == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"
    assert checks.listed("abc") == "a, b, c"
    assert checks.listed(MANY).endswith("action 8, … (100000 in all)")
