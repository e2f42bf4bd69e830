from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from numpy.testing import assert_allclose

from psipo_explore import D1, D3, DPO, IPO, Comparisons, minimise, train
from psipo_explore.losses import cdpo
from psipo_explore.views import training

D1_NAME, D2_NAME, D3_NAME, NEVER_WINS, UNSEEN, TWO_UNBEATEN = training.VIEW.controls[0].stops


def drawn(**values: Any) -> tuple[Any, dict[str, Any]]:
    return training.VIEW.drawn(training.VIEW.values(values))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("loss_name", "loss"), [("IPO", IPO), ("cDPO, 10 % of labels taken as flipped", cdpo(0.1))]
)
# The view always trains at β = 0.2, and at β = 0.4 only when a reader asks for it.
@pytest.mark.parametrize(("beta", "step"), [(0.2, 600), (0.4, 1000)])
def test_what_is_drawn_is_what_train_gives(
    loss_name: str, loss: Any, beta: float, step: int
) -> None:
    _, artists = drawn(beta=beta, step=step, loss=loss_name)
    for row, of_row in (("above", DPO), ("below", loss)):
        run = train(D1, of_row, beta, steps=step, record_every=200)
        low, high = run.interval(0.95)
        for y in range(3):
            steps, mean = artists[f"{row} {y} mean"].get_data()
            assert_allclose(mean[: len(run.steps)], run.mean()[:, y], rtol=1e-9)
            assert steps[-1] == 18_000
            assert_allclose(artists[f"{row} {y} here"].get_data(), [[step], [run.mean()[-1, y]]])
            n = len(run.steps)
            band = artists[f"{row} {y} band"].get_xy()
            assert_allclose(band[:n, 1], np.clip(low[:, y], 0, 1), atol=1e-12)
            assert_allclose(band[2 * 91 - n : 2 * 91, 1], np.clip(high[::-1, y], 0, 1), atol=1e-12)


def test_against_beta_stand_the_means_at_the_step_and_the_exact_curve() -> None:
    _, artists = drawn(step=400, comparisons=NEVER_WINS)
    data = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
    betas, means = artists["below 2 means"].get_data()
    run = train(data, IPO, betas, steps=400, record_every=400)
    assert_allclose(means, run.mean()[:, -1, 2], rtol=1e-9)
    low, high = run.interval(0.95)
    for segment, bottom, top in zip(
        artists["below 2 intervals"].get_segments(), low[:, -1, 2], high[:, -1, 2], strict=True
    ):
        assert_allclose(segment[:, 1], [bottom, top])
    fine, exact = artists["below 2 exact"].get_data()
    assert_allclose(exact, 1 / (1 + 2 * np.exp(0.5 / fine)), rtol=1e-9)
    assert_allclose(artists["above 2 exact"].get_ydata(), 0)
    assert_allclose(artists["below 2 limit"].get_ydata(), [minimise(data, IPO, 1.0).policy[2]])


def test_where_the_loss_leaves_a_choice_its_range_is_drawn() -> None:
    _, artists = drawn(comparisons=UNSEEN, beta=0.5)
    share = 1 / (1 + np.exp(-1.0))
    for y, top in enumerate([share, 1 - share, 1.0]):
        (segment,) = artists[f"below {y} limits"].get_segments()
        assert_allclose(segment[:, 1], [0, top], rtol=1e-9)
        assert (
            len(artists[f"below {y} limit"].get_xdata())
            == len(artists[f"below {y} exact"].get_xdata())
            == 0
        )
    # However a and c share the probability, b vanishes.
    assert artists["above 1 limits"].get_segments() == []
    assert artists["above 1 limit"].get_ydata() == [0]
    _, artists = drawn(comparisons=D1_NAME)
    assert artists["above 0 limits"].get_segments() == []


def test_a_loss_without_a_minimiser_is_followed_and_gets_no_limit() -> None:
    figure, artists = drawn(loss="hinge")
    assert (
        len(artists["below 0 limit"].get_xdata()) == len(artists["below 0 exact"].get_xdata()) == 0
    )
    assert "its minimiser is rarely unique, so no limit is drawn" in figure.sentence


@pytest.mark.parametrize(
    ("comparisons", "components", "vanishing"),
    [
        (D1_NAME, 3, 2),
        (D2_NAME, 1, 0),
        (D3_NAME, 2, 0),
        (NEVER_WINS, 2, 1),
        (UNSEEN, 3, 1),
        (TWO_UNBEATEN, 4, 2),
    ],
)
def test_the_graph_shows_components_and_what_vanishes(
    comparisons: str, components: int, vanishing: int
) -> None:
    figure, _ = drawn(comparisons=comparisons)
    graph = figure.axes[0]
    assert sum(patch.get_zorder() == 1 for patch in graph.patches) == components
    assert sum("rightarrow 0" in text.get_text() for text in graph.findobj(Text)) == vanishing


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"beta": 1.0},
            "DPO: a 1.000, b <0.001, c <0.001; it has no minimum and heads for a 1.000, b 0, c 0 "
            "(b and c vanish",
        ),
        ({"beta": 1.0}, "its minimum is at a 0.448, b 0.321, c 0.230"),
        ({"comparisons": NEVER_WINS}, "heads for a 0.500, b 0.500, c 0 (c vanishes at every β)"),
        ({"comparisons": D3_NAME}, "it leaves a choice, a up to 0.5, b up to 0.5, c up to 1"),
        (
            {"comparisons": TWO_UNBEATEN},
            "it leaves a choice, a up to 1, b up to 1 (c and d vanish at every β)",
        ),
        (
            {"step": 0, "batch_size": 1},
            "single comparisons, step 0, mean of 10 runs. DPO: a 0.333, b 0.333, c 0.333",
        ),
    ],
)
def test_sentence(values: dict[str, Any], words: str) -> None:
    assert words in training.figure(**values).sentence


def test_d3_as_printed_leaves_c_alone_and_an_unbeaten_answer_may_vanish() -> None:
    _, artists = drawn(comparisons=D3_NAME, beta=0.5)
    assert_allclose(artists["above 2 mean"].get_ydata(), 1 / 3, atol=0.02)
    _, artists = drawn(comparisons=TWO_UNBEATEN, beta=0.2)
    assert artists["above 0 mean"].get_ydata()[-1] < 0.01


@pytest.mark.slow
def test_once_open_a_panel_trains_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = training.panel()
    monkeypatch.setattr(training, "train", None)
    for control in training.VIEW.controls:
        for stop in (control.stops[0], control.stops[-1]):
            panel.move(**{control.name: stop})
            assert "cannot be shown" not in panel.sentence


def test_your_own_data() -> None:
    mine = Comparisons.from_pairs(
        [("tea", "coffee"), ("tea", "coffee"), ("coffee", "tea"), ("coffee", "water")]
    )
    figure = training.figure(mine, step=200)
    assert figure.sentence.startswith("your data. β = 1")
    assert "tea 0." in figure.sentence
    assert "water vanishes at every β" in figure.sentence
    # Tea beat coffee twice.
    assert any(text.get_text() == "2" for text in figure.axes[0].findobj(Text))
    assert (
        training.figure(D3).sentence.split(". ", 1)[1]
        == training.figure(comparisons=D3_NAME).sentence.split(". ", 1)[1]
    )


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(
        ValueError, match=r"^step = 150 was not recorded, must be a multiple of 200"
    ):
        training.figure(step=150)
    with pytest.raises(TypeError, match=r"^data = 'mine.csv', must be Comparisons"):
        training.panel("mine.csv")  # type: ignore[arg-type]
    many = Comparisons.from_pairs([(k, k + 1) for k in range(6)])
    with pytest.raises(
        ValueError, match=r"^data holds 7 actions in 1 contexts, must be at most 6 in one"
    ):
        training.figure(many)
    two = Comparisons([0, 2], [1, 3], tuple("abab"), [1.0, 1.0], [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"^data holds 4 actions in 2 contexts"):
        training.figure(two)
