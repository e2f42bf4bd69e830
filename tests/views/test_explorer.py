import numpy as np
import pytest
from numpy.testing import assert_allclose

from psipo_explore import Comparisons, citations, folded_power, optimal_policy
from psipo_explore.views import explorer

SURE_CYCLE = "a sure cycle: a over b over c over a"


def heights(artists: object, name: str) -> list[float]:
    return [bar.get_height() for key, bar in artists.items() if key.startswith(f"{name} ")]  # type: ignore[attr-defined]


def test_bars_are_the_closed_form() -> None:
    values = explorer.VIEW.values(
        {
            "lam": 0.5,
            "beta": 0.2,
            "mu": "half on the first action",
            "pi_ref": "half on the last action",
        }
    )
    _, artists = explorer.VIEW.drawn(values)
    ends = np.array([0.5, 1 / 6, 1 / 6, 1 / 6])
    expected = optimal_policy(
        citations().preferences(), folded_power(0.5), 0.2, pi_ref=ends[::-1], mu=ends
    )
    assert_allclose(heights(artists, "pi_star"), expected)
    assert_allclose(heights(artists, "pi_ref"), ends[::-1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"preferences": SURE_CYCLE}, "limit is a convention"),
        ({"preferences": SURE_CYCLE, "lam": 0.5}, "All scores are finite"),
        ({"preferences": "two actions, a preferred by all"}, "limit is determined"),
        (
            {"preferences": "three in order, all certain", "pi_ref": "never the first action"},
            "limit is a convention",
        ),
        (
            {"preferences": "three in order, all certain", "mu": "never the first action"},
            "limit is a convention",
        ),
        ({"preferences": "a noisy cycle, each by 8 in 10"}, "no score explains: 1."),
        ({"preferences": "two actions, a preferred by all"}, "undefined, Ψ is infinite"),
    ],
)
def test_sentence_tells_of_cycles_and_limits(values: dict[str, object], words: str) -> None:
    assert words in explorer.figure(**values).sentence


def test_the_artists_are_built_again_when_the_number_of_actions_changes() -> None:
    panel = explorer.panel()
    before = panel.background
    panel.move(preferences="two actions, a preferred by 9 in 10")
    assert panel.background != before
    assert "a 0.9, b 0.1" in panel.sentence
    panel.move(beta=0.5)
    assert panel.background != before
    panel.reset()
    assert panel.background == before


def test_your_own_data_comes_first_and_the_examples_stay() -> None:
    data = Comparisons.from_pairs([("tea", "coffee"), ("tea", "coffee"), ("coffee", "tea")])
    panel = explorer.panel(data=data, beta=1.0)
    assert panel.values["preferences"] == "your data"
    assert "tea 0.667, coffee 0.333" in panel.sentence
    panel.move(preferences=SURE_CYCLE)
    assert "a 0.333" in panel.sentence
    assert explorer.figure(data=data).sentence.startswith(
        "Your data; μ uniform; π_ref uniform. Under logit"
    )


def test_data_that_cannot_be_drawn_says_what_is_missing() -> None:
    gaps = Comparisons.from_pairs([("a", "b"), ("b", "c")])
    panel = explorer.panel(data=gaps)
    assert panel.sentence.startswith(
        "This cannot be shown: prior = 0 leaves pairs that were never compared"
    )
    assert "a and c" in panel.sentence
    assert "image/png" not in panel._repr_mimebundle_()
    panel.move(preferences=SURE_CYCLE)
    assert "cannot" not in panel.sentence
    assert "image/png" in panel._repr_mimebundle_()
    assert "cannot" not in explorer.panel(data=gaps, prior=1.0).sentence
    assert "data holds 1 action" in explorer.panel(data=Comparisons.from_table([[0]])).sentence
    many = Comparisons.from_pairs([(f"a{i}", f"a{i + 1}") for i in range(40)])
    assert "must be at most 30 to be drawn" in explorer.panel(data=many, prior=1.0).sentence
    with pytest.raises(TypeError, match=r"^data = .*, must be Comparisons"):
        explorer.panel(data=[("a", "b")])  # type: ignore[arg-type]


def test_more_actions_than_fit_numbers_are_still_drawn() -> None:
    names = [f"a rather long label {i}" for i in range(12)]
    data = Comparisons.from_pairs([(names[i], names[(i + 1) % 12]) for i in range(12)])
    assert len(explorer.figure(data=data, prior=1.0).sentence) > 0


@pytest.mark.parametrize("wrong", ["nothing", 3, None])
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^mu = .*, must be one of 'uniform', "):
        explorer.figure(mu=wrong)


def test_zero_and_one_are_said_of_zero_and_one_alone() -> None:
    bounded = explorer.figure(
        preferences="two actions, a preferred by all", lam=0.05, beta=0.01
    ).sentence
    assert "a almost 1, b about 10⁻⁸⁶⁹;" in bounded
    infinite = explorer.figure(
        preferences="two actions, a preferred by all", lam=0.0, beta=0.01
    ).sentence
    assert "a exactly 1, b exactly 0;" in infinite


def test_rounding_is_not_shown_as_a_difference() -> None:
    sentence = explorer.figure(preferences="a noisy cycle, each by 8 in 10", beta=0.01).sentence
    assert "a 0.333, b 0.333, c 0.333; KL from π_ref 0." in sentence


def test_a_typed_formula_takes_the_place_of_lambda() -> None:
    values = {"preferences": "two actions, a preferred by all", "beta": 0.5}
    typed = explorer.figure(formula="q", lam=0.0, **values).sentence
    assert typed == explorer.figure(lam=2.0, **values).sentence.replace(
        "identity (λ = 2)", "Ψ(q) = q"
    )
    assert (
        "Ψ is bounded: nothing is ever exactly 0, no log-ratio moves further than (Ψ(1) − Ψ(0))/β = 2."
        in typed
    )
    unbounded = explorer.figure(formula="log(q)", **values).sentence
    assert "Ψ is unbounded: no β rules out a collapse." in unbounded
    assert "a exactly 1, b exactly 0" in unbounded
    assert "no score explains: undefined, Ψ is not odd." in unbounded


def test_a_formula_that_is_none_is_told_under_the_field_and_the_picture_goes() -> None:
    panel = explorer.panel(formula="q**2")
    for wrong, told in (
        ("q^2", "a power is written **, not ^"),
        ("<b>", "cannot be read"),
        ("-q", "must not decrease"),
    ):
        panel.move(formula=wrong)
        assert (
            panel.sentence
            == "This cannot be shown: what is typed must be a formula, and under it is said what is wrong."
        )
        assert told in (panel.complaint or "")
        assert "<b>" not in panel.complaint
        assert "image/png" not in panel._repr_mimebundle_()
    panel.move(formula="")
    assert panel.complaint == ""
    assert panel.sentence == explorer.figure().sentence
    with pytest.raises(ValueError, match=r"^text, column 2: a power"):
        explorer.figure(formula="q^2")
    with pytest.raises(TypeError, match=r"^formula = 3, must be a text"):
        explorer.panel(formula=3)


def test_a_formula_that_no_limit_can_be_given_for_says_why() -> None:
    sentence = explorer.panel(
        formula="-log(-log(q))", preferences="two actions, a preferred by all"
    ).sentence
    assert (
        "p[0, 1] = 1, has no limit: psi '-log(-log(q))' is infinite at both ends and not odd"
        in sentence
    )
