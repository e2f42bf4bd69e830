"""Features as input: what is accepted, what is refused in which words, and how results show."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import sparse
from shared_weights import ACCEPTED, EXAMPLE, FIELDS, W_L_O, assert_same, fitted
from strategies import MILD_BETAS, Featured, featured

from psipo_explore import DPO, IPO, Comparisons, MarginLoss, losses, minimise_log_linear, train
from psipo_explore.losses import cdpo, odpo


@pytest.mark.parametrize("kind", [np.float32, np.int8, np.uint8, np.bool_, np.longdouble, list])
def test_features_may_be_of_any_real_type_and_are_not_changed(kind: Any) -> None:
    table = [[1, 0], [0, 1], [1, 1]]
    given_ = table if kind is list else np.asfortranarray(np.array(table, dtype=kind))
    before = [list(row) for row in table]
    fit = minimise_log_linear(EXAMPLE, DPO, 1.0, given_)
    run = train(EXAMPLE, DPO, 1.0, features=given_, steps=5, seeds=1)
    assert np.array(given_).tolist() == before
    expected = minimise_log_linear(EXAMPLE, DPO, 1.0, np.array(table, dtype=float))
    assert_same(fit, expected, *FIELDS)
    assert fit.theta.dtype == fit.direction.dtype == fit.policy.dtype == np.float64
    assert run.theta is not None
    assert run.theta.dtype == np.float64


def test_nothing_given_is_changed() -> None:
    features, pi_ref, beta = np.eye(3), np.array([0.2, 0.3, 0.5]), np.array([0.5, 2.0])
    for array in (features, pi_ref, beta, EXAMPLE.winners, EXAMPLE.weights):
        array.setflags(write=False)
    for loss in ACCEPTED:
        minimise_log_linear(EXAMPLE, loss, beta, features, pi_ref=pi_ref)
    train(EXAMPLE, DPO, beta, features=features, pi_ref=pi_ref, steps=3, seeds=1)


# What is refused


def with_(**changed: Any) -> dict[str, Any]:
    return {"data": EXAMPLE, "loss": DPO, "beta": 1.0, "features": W_L_O, **changed}


WRONG_FEATURES: dict[str, tuple[Any, str]] = {
    "too few rows": (np.ones((2, 1)), r"^features has shape \(2, 1\), must be \(3, d\)"),
    "too many rows": (np.ones((4, 1)), r"^features has shape \(4, 1\), must be \(3, d\)"),
    "one axis": (np.ones(3), r"^features has shape \(3,\), must be \(3, d\)"),
    "three axes": (np.ones((3, 1, 1)), r"^features has shape \(3, 1, 1\), must be \(3, d\)"),
    "a number": (1.0, r"^features has shape \(\), must be \(3, d\)"),
    "no column": (np.ones((3, 0)), r"^features has shape \(3, 0\), must be \(3, d\)"),
    "NaN": ([[1.0], [np.nan], [0]], r"^features\[1, 0\] = nan, must be finite"),
    "inf": ([[1.0], [0], [-np.inf]], r"^features\[2, 0\] = -inf, must be finite"),
    "sparse, too few rows": (sparse.csr_array(np.ones((2, 1))), r"^features has shape \(2, 1\)"),
    "sparse NaN": (sparse.csr_array([[1.0], [np.nan], [0]]), r"^features\[1, 0\] = nan, must be"),
    "ragged": ([[1.0], [1.0, 2.0], [0.0]], r"^features is ragged"),
    "masked": (np.ma.array(W_L_O, mask=[[0], [1], [0]]), r"^features has masked entries"),
    "empty": ([], r"^features has shape \(0,\), must be \(3, d\)"),
}
NO_NUMBERS: dict[str, Any] = {
    "text": [["a"], ["b"], ["c"]],
    "a text": "abc",
    "complex": np.ones((3, 1)) * 1j,
    "sparse complex": sparse.csr_array(W_L_O * 1j),
    "an entry is None": [[1.0], [None], [0.0]],
    "a mapping": {"a": 1.0},
    "dates": np.zeros((3, 1), dtype="datetime64[D]"),
}


@pytest.mark.parametrize(("features", "message"), WRONG_FEATURES.values(), ids=WRONG_FEATURES)
def test_wrong_features_are_refused_by_name(features: Any, message: str) -> None:
    for call in (minimise_log_linear, train):
        with pytest.raises(ValueError, match=message):
            call(**with_(features=features))


@pytest.mark.parametrize("features", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_features_that_are_no_numbers_are_refused_by_name(features: Any) -> None:
    for call in (minimise_log_linear, train):
        with pytest.raises(TypeError, match=r"^features holds .* values, must be real numbers"):
            call(**with_(features=features))


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-200, 1e154, 1e200, 1e308, 1.7e308])
@pytest.mark.parametrize("loss", ACCEPTED, ids=lambda loss: loss.name)
def test_features_at_the_ends_of_float64_are_minimised_or_refused(
    loss: MarginLoss, size: float
) -> None:
    data = Comparisons.from_pairs([("w", "l"), ("l", "w"), ("w", "l")], actions=("w", "l", "o"))
    features = np.array([[1.0], [-0.75], [0.5]])
    for one in (data, EXAMPLE):
        try:
            fit = minimise_log_linear(one, loss, 1.0, size * features)
        except ValueError as refusal:
            assert str(refusal).startswith("features")  # noqa: PT017
        else:
            expected = minimise_log_linear(one, loss, 1.0, features)
            assert_same(fit, expected, "policy", "vanishing", "separated", share=1e-2)


def test_features_are_not_optional() -> None:
    with pytest.raises(TypeError, match=r"^features"):
        minimise_log_linear(**with_(features=None))


def test_features_that_tell_no_winner_from_its_loser_are_refused() -> None:
    for features in (np.zeros((3, 2)), np.ones((3, 1)), [[1, 2], [1, 2], [0, 0]]):
        for loss in ACCEPTED:
            with pytest.raises(ValueError, match=r"^features are the same for the winner and"):
                minimise_log_linear(**with_(features=features, loss=loss))


REFUSED_LOSSES = [
    losses.HINGE,
    losses.TRUNCATED_SQUARED,
    losses.SAVAGE,
    losses.exo(0.1),
    losses.discopop(0.1),
]


@pytest.mark.parametrize("loss", REFUSED_LOSSES, ids=lambda loss: loss.name)
def test_a_loss_without_an_exact_minimiser_is_refused_with_the_reason(loss: MarginLoss) -> None:
    message = rf"^loss '{loss.name}' has no exact minimiser here: {loss.no_minimiser}; it can be"
    with pytest.raises(ValueError, match=message):
        minimise_log_linear(**with_(loss=loss))
    assert train(**with_(loss=loss), steps=3, seeds=1).theta is not None


def test_robust_dpo_is_refused_since_it_may_fall_without_bound() -> None:
    with pytest.raises(
        ValueError,
        match=r"^loss 'robust DPO 0.1' has no exact minimiser here: with shared weights, it may "
        r"have no lower bound; it can be trained$",
    ):
        minimise_log_linear(**with_(loss=losses.robust_dpo(0.1)))


@given(featured(), MILD_BETAS)
@settings(max_examples=10)
def test_losses_that_are_dpo_are_minimised_as_dpo(problem: Featured, beta: float) -> None:
    expected = fitted(problem, DPO, beta)
    for loss in (cdpo(0.0), odpo(0.0), losses.robust_dpo(0.0)):
        assert_same(fitted(problem, loss, beta), expected, *FIELDS)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"beta": 0.0}, r"^beta = 0, must be positive"),
        ({"beta": -1.0}, r"^beta = -1, must be positive"),
        ({"beta": [1.0, np.nan]}, r"^beta\[1\] = nan, must be positive"),
        ({"beta": np.inf}, r"^beta = inf, must be positive and finite"),
        ({"beta": 1e-310}, r"^beta = 1e-310, must be from 1e-100 to 1e100"),
        ({"beta": [[1.0], [1.0, 2.0]]}, r"^beta is ragged"),
        ({"pi_ref": [0.5, 0.0, 0.5]}, r"^pi_ref\[1\] = 0, must be positive: 'l' was compared"),
        ({"pi_ref": [0.5, 0.5]}, r"^pi_ref has shape \(2,\), must be \(3,\)"),
        ({"pi_ref": [0.5, 0.5, 0.5]}, r"^pi_ref sums to 1.5 in context 0, must sum to 1 in each"),
        ({"pi_ref": [0.5, 0.6, -0.1]}, r"^pi_ref\[2\] = -0.1, must be a probability"),
        ({"pi_ref": [0.5, np.nan, 0.5]}, r"^pi_ref\[1\] = nan, must be a probability"),
        ({"data": Comparisons.from_table(np.zeros((3, 3)))}, r"^data holds no comparison"),
        (
            {"data": Comparisons.from_table([[0]]), "features": [[1.0]]},
            r"^data holds no comparison",
        ),
    ],
)
def test_wrong_values_are_refused_by_name(argument: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        minimise_log_linear(**with_(**argument))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"data": 3}, r"^data = 3, must be Comparisons, such as Comparisons.from_pairs\(…\)$"),
        ({"data": [EXAMPLE]}, r"^data = \[Comparisons\(3 actions, .*, must be Comparisons"),
        ({"data": [("w", "l")]}, r"^data = \[\('w', 'l'\)\], must be Comparisons"),
        ({"loss": "dpo"}, r"^loss = 'dpo', must be a MarginLoss, such as IPO or DPO"),
        ({"loss": [DPO]}, r"^loss = \[MarginLoss\('DPO'\)\], must be a MarginLoss"),
        ({"loss": cdpo}, r"^loss = <function cdpo"),
        ({"beta": "large"}, r"^beta holds <U5 values"),
        ({"beta": None}, r"^beta holds object values"),
        ({"pi_ref": "abc"}, r"^pi_ref holds <U3 values"),
    ],
)
def test_arguments_of_wrong_types_are_refused_by_name(
    argument: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        minimise_log_linear(**with_(**argument))


def test_an_empty_beta_gives_empty_results() -> None:
    fit = minimise_log_linear(**with_(beta=np.zeros((0, 2))))
    assert (fit.theta.shape, fit.policy.shape, fit.loss.shape) == ((0, 2, 1), (0, 2, 3), (0, 2))


# How a result shows itself


def cells(html: str) -> list[str]:
    return re.findall(r"<(?:caption|th|td)\b[^>]*>([^<]*)<", html)


def test_results_show_themselves() -> None:
    assert cells(minimise_log_linear(**with_())._repr_html_()) == [
        "loss 0: not attained, unique; 1 of 1 comparisons are separated",
        *("action", "π", "log π − log π_ref", ""),
        *("w", "0", "-inf", "vanishes"),
        *("l", "0", "-inf", "vanishes"),
        *("o", "1", "1.09861", ""),
    ]
    fit = minimise_log_linear(**with_(beta=[0.5, 1.0], loss=IPO))
    assert fit._repr_html_() == (
        "<p>LogLinearMinimum: attained, unique; 0 of 1 comparisons are separated; "
        "policies of shape (2, 3)</p>"
    )


def test_labels_are_escaped() -> None:
    data = Comparisons.from_pairs([("<b>bold</b>", "a & b")])
    shown = minimise_log_linear(data, IPO, 1.0, [[1.0], [0.0]])._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown
    assert "a &amp; b" in shown
    assert "<b>" not in shown


@pytest.mark.parametrize("n_actions", [30, 40])
def test_a_long_result_says_how_much_of_it_is_shown(n_actions: int) -> None:
    data = Comparisons.from_pairs([(0, 1)], actions=range(n_actions))
    fit = minimise_log_linear(data, IPO, 1.0, np.arange(n_actions)[:, np.newaxis])
    caption, *rest = cells(fit._repr_html_())
    assert len(rest) == 4 * (1 + 30)
    assert caption.endswith("; the first 30 of 40 actions") == (n_actions == 40)


def test_a_result_is_frozen() -> None:
    fit = minimise_log_linear(**with_())
    with pytest.raises(AttributeError):
        fit.theta = np.zeros(1)  # type: ignore[misc]
