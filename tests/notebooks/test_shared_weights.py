"""The numbers and claims in the text of lesson 08 are what the package computes."""

import re
from functools import cache
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from prose import NOTEBOOKS, assert_computed, prose_of
from scipy.optimize import brentq
from scipy.special import expit

from psipo_explore import (
    DPO,
    IPO,
    Comparisons,
    GradientDescent,
    expected_psi,
    gibbs_policy,
    minimise_log_linear,
    train,
)
from psipo_explore.losses import EXPONENTIAL
from psipo_explore.policy import kl_divergence
from psipo_explore.preferences import bradley_terry
from psipo_explore.psi import IDENTITY
from psipo_explore.views import shared_weights

PROSE = prose_of("08_shared_weights")
W_BEATS_L = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
ONE_FEATURE = np.array([[1.0], [0.0], [2.0]])
TWO_FEATURES = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]])
EVERY_BETA = np.geomspace(1e-2, 1e3, 26)
W, L, O = range(3)  # noqa: E741
GIVEN = {"0.49", "0.02", "0.05", "0.1", "0.2", "0.5"}  # what the lesson chooses


def reference(share: float = 0.02) -> np.ndarray:
    return np.array([(1 - share) / 2, (1 - share) / 2, share])


@cache
def path(
    loss: str = "DPO", *, a: float = 2.0, beta: float = 1.0, share: float = 0.02
) -> np.ndarray:
    """Return the policy after each step of the training that the lesson describes."""
    run = train(
        W_BEATS_L,
        {"DPO": DPO, "IPO": IPO}[loss],
        beta,
        pi_ref=reference(share),
        features=[[1.0], [0.0], [a]],
        optimiser=GradientDescent(0.05),
        steps=10_000,
        batch_size=None,
        seeds=1,
        record_every=1,
    )
    return np.asarray(run.policy[0])


def peak(**at: float) -> float:
    return float(path(**at)[:, W].max())


def turning_step(policies: np.ndarray) -> int:
    """Return the first step after which the mean of φ·z is beyond φ(w)·z = 1."""
    return int((policies @ ONE_FEATURE[:, 0] > 1).argmax())


def row_of_the_log(step: int) -> str:
    rewards = 0.1 * np.log(path(beta=0.1)[step] / reference())
    margin = rewards[W] - rewards[L]
    numbers = (DPO.value(margin / 0.1, 0.1), rewards[W], rewards[L], margin)
    return f"| {step} | " + " | ".join(f"{x:.3f}".replace("-", "−") for x in numbers) + " |"


def computed() -> list[str]:
    """Return the phrases of the lesson that hold numbers, with the numbers that are computed."""
    dpo, ipo, slow, log = path()[-1], path("IPO")[-1], path(beta=10.0)[-1], path(beta=0.1)
    turn = np.log(reference()[L] / reference()[O]) / 2
    at_turn = gibbs_policy(ONE_FEATURE[:, 0] * turn, 1.0, pi_ref=reference())
    assert at_turn[W] == pytest.approx(peak(), abs=1e-5)
    fallen = np.log(log[5000, W] / reference()[W])
    gap = np.log(log[5000, W] / log[5000, L])
    both = Comparisons.from_pairs([("w", "l"), ("w", "o")])
    held = minimise_log_linear(both, IPO, 1.0, TWO_FEATURES).policy
    plain = {"optimiser": GradientDescent(1.0), "batch_size": None, "seeds": 1, "steps": 10_000}
    runs = [train(W_BEATS_L, DPO, 1.0, features=f, **plain) for f in (TWO_FEATURES, np.eye(3))]
    lost, kept = (run.final[0, W] for run in runs)
    passed = gibbs_policy(TWO_FEATURES @ [5.0, 0.0], 1.0)
    assert dpo[L] < 0.001
    return [
        f"takes $w$ from 0.49 to {dpo[W]:.3f} and $l$ to less than 0.001",
        f"Only $o$ ends above its start, at {dpo[O]:.3f}",
        f"lifts $w$ to {ipo[W]:.3f}, and $o$ as well, to {ipo[O]:.3f}",
        f"first lifts $w$, to {peak():.3f} in step {turning_step(path())}.",
        f"with a = 1.25, $w$ still has {path(a=1.25)[-1, W]:.3f} in the last step, "
        f"after its peak of {peak(a=1.25):.3f}",
        f"under IPO $w$ falls too, to {path('IPO', beta=0.1)[-1, W]:.3f}",
        f"hardly leaves the start: $w$ has {path('IPO', beta=10.0)[-1, W]:.3f}",
        f"$w$ has {slow[W]:.3f} in the last step, is still rising, and will turn later",
        f"both losses lower $w$ from the first step. $w$ starts at {reference(0.5)[W]}, "
        f"and under IPO it stops at {path('IPO', share=0.5)[-1, W]:.3f}",
        "$0.49\\cdot1+0.49\\cdot0+0.02\\cdot2="
        f"{reference() @ ONE_FEATURE[:, 0]:.2f}$. This is below 1, so $w$ rises at first",
        f"descent passes (5, 0), where $w$ has only {passed[W]:.3f}",
        f"in the end leaves $w$ {lost:.4f}",
        f"In a table the same training leaves $w$ {kept:.3f}",
        *map(row_of_the_log, (500, 1000, 2000, 5000)),
        f"$e^{{{fallen / 10:.3f}/0.1}}=e^{{{fallen:.2f}}}={np.exp(fallen):.4f}$",
        f"$w$ has {log[5000, W]:.3f}, $o$ has {log[5000, O]:.3f}, "
        f"and $w$ turned in step {turning_step(log)}",
        f"$e^{{{gap / 10:.3f}/0.1}}\\approx{np.exp(gap) / 1000:.0f}\\,000$",
        f"at β = 1 $w$ has {held[W]:.3f} and the others have {held[O]:.3f} each",
        f"is 0 where $\\sigma(\\theta)={two_prompts(1.0)[0]:.1f}$. So the "
        f"$w$ of the first prompt ends at {two_prompts(1.0)[0]:.1f}",
    ]


def two_prompts(beta: float) -> np.ndarray:
    asked = {"contexts": ["first", "second"], "weights": [1, 9]}
    data = Comparisons.from_pairs([("w", "l"), ("w", "l")], **asked)
    fit = minimise_log_linear(data, DPO, beta, [[1.0], [0.0], [-1.0], [0.0]])
    assert fit.attained
    return fit.policy


def test_every_number_of_the_text_is_computed() -> None:
    assert_computed(PROSE, computed(), GIVEN)


def test_the_rising_and_falling_that_the_text_reports() -> None:
    w, l, o = (np.diff(path()[:, y]) for y in range(3))  # noqa: E741
    assert w[0] > 0 > w[-1]
    assert (l < 0).all()
    assert (o > 0).all()
    assert (np.diff(path("IPO")[:, O]) > -1e-12).all()
    assert (np.diff(path(beta=10.0)[:, W]) > 0).all()
    for loss in ("DPO", "IPO"):
        assert path(loss, share=0.5)[1, W] < path(loss, share=0.5)[0, W]
    for a in (0.0, 0.25, 0.5, 0.75, 1.0):
        for share in (0.01, 0.5):
            assert (np.diff(path(a=a, share=share)[:, W]) > 0).all()
    together = path(a=1.0)
    np.testing.assert_allclose(together[:, W] / together[:, O], 0.49 / 0.02, rtol=1e-9)


@pytest.mark.parametrize("share", shared_weights.VIEW.controls[3].stops)
def test_above_1_dpo_ends_at_o_and_at_0_at_w(share: float) -> None:
    at = {"pi_ref": reference(share)}
    for a in (1.25, 1.5, 1.75, 2.0):
        for features in ([[1.0], [0.0], [a]], [[1.0, 0.0], [0.0, 0.0], [a, 1.0]]):
            fit = minimise_log_linear(W_BEATS_L, DPO, EVERY_BETA, features, **at)
            np.testing.assert_array_equal(fit.policy, np.tile([0.0, 0.0, 1.0], (26, 1)))
    fit = minimise_log_linear(W_BEATS_L, DPO, 1.0, [[1.0], [0.0], [0.0]], **at)
    np.testing.assert_array_equal(fit.policy, [1.0, 0.0, 0.0])


def test_b_changes_nothing_on_the_left() -> None:
    view = shared_weights.VIEW
    for a in (0.0, 1.0, 1.25, 2.0):
        seen = []
        for b in (0.0, 0.5, 1.0):
            values = view.values({"a": a, "b": b})
            figure, artists = view.built(values)
            view.move(figure, artists, values)
            names = [f"{loss} {y}{part}" for loss in ("DPO", "IPO") for y in "wlo"
                     for part in ("", " here", " limit", " to 0")]  # fmt: skip
            seen.append([np.array(artists[name].get_data()).tolist() for name in names])
        assert seen[0] == seen[1] == seen[2]


def test_the_smallest_example() -> None:
    dpo = minimise_log_linear(W_BEATS_L, DPO, EVERY_BETA, ONE_FEATURE)
    np.testing.assert_array_equal(dpo.policy, np.tile([0.0, 0.0, 1.0], (26, 1)))
    assert dpo.vanishing.tolist() == [True, True, False]
    ipo = minimise_log_linear(W_BEATS_L, IPO, EVERY_BETA, ONE_FEATURE)
    by_hand = 1 / (1 + 2 * np.cosh(1 / (2 * EVERY_BETA)))
    np.testing.assert_allclose(ipo.policy[:, W], by_hand, rtol=1e-12)
    assert (by_hand < 1 / 3).all()


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
def test_a_term_for_the_chosen_answer_keeps_it_but_lets_it_fall(alpha: float) -> None:
    def slope(s: float) -> float:
        return float(-expit(-s) + alpha * 2 * np.sinh(s) / (1 + 2 * np.cosh(s)))

    end = brentq(slope, 0, 700)
    assert 0 < 1 / (1 + 2 * np.cosh(end)) < 1 / 3


def test_the_theorem() -> None:
    """The slopes of log π(w) and of the mean, and how far each loss goes, for random features."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        phi, pi_ref = rng.normal(size=(5, 3)), rng.dirichlet(np.ones(5))
        z = phi[W] - phi[L]
        lift = phi @ z

        def policy(s: float, lift: np.ndarray = lift, pi_ref: np.ndarray = pi_ref) -> np.ndarray:
            return gibbs_policy(s * lift, 1.0, pi_ref=pi_ref)

        means = []
        for s in np.linspace(0.0, 3.0, 31):
            now, after, before = policy(s), policy(s + 1e-5), policy(s - 1e-5)
            slope = (np.log(after[W]) - np.log(before[W])) / 2e-5
            assert slope == pytest.approx(lift[W] - now @ lift, abs=1e-6)
            spread = now @ (lift - now @ lift) ** 2
            assert (after - before) @ lift / 2e-5 == pytest.approx(spread, abs=1e-5)
            means.append(now @ lift)
        assert all(b > a for a, b in pairwise(means))
        data = Comparisons.from_pairs([("0", "1")], actions=tuple("01234"))
        ipo = minimise_log_linear(data, IPO, 0.3, phi, pi_ref=pi_ref)
        np.testing.assert_allclose(ipo.theta, z / (2 * 0.3 * (z @ z)), atol=1e-12)
        way = np.linalg.norm(ipo.theta)
        assert way == pytest.approx(1 / (2 * 0.3) / np.linalg.norm(z), rel=1e-12)
        for loss in (DPO, EXPONENTIAL):
            fit = minimise_log_linear(data, loss, 0.3, phi, pi_ref=pi_ref)
            assert (fit.policy[W] == 0) == bool((lift > lift[W] + 1e-9).any())


def test_in_a_table_one_comparison_never_lowers_w() -> None:
    table = [*map(float, np.eye(3)[W] - np.eye(3)[L])]
    assert table == [1.0, -1.0, 0.0]
    run = train(W_BEATS_L, DPO, 1.0, pi_ref=reference(0.5), features=np.eye(3), seeds=1, steps=500)
    assert (np.diff(run.policy[0, :, W]) > 0).all()


def test_with_two_answers_a_winner_may_lose_and_does_not_vanish() -> None:
    for beta in EVERY_BETA:
        assert 0 < two_prompts(beta)[0] < 0.5
    rng = np.random.default_rng(1)
    for _ in range(20):
        n = 4
        data = Comparisons.from_pairs(
            [("w", "l")] * n, contexts=range(n), weights=rng.integers(1, 10, n)
        )
        phi = rng.integers(-2, 3, (2 * n, 2)).astype(float)
        z = phi[data.winners] - phi[data.losers]
        if not z.any():
            continue
        fit = minimise_log_linear(data, DPO, 1.0, phi)
        winners = fit.policy[data.winners]
        assert (winners > 0).all()
        assert not fit.vanishing[data.winners].any()
        np.testing.assert_array_equal(winners[fit.separated], 1.0)


def test_two_features_can_express_every_policy_and_only_l_is_forced_out() -> None:
    assert np.linalg.matrix_rank(TWO_FEATURES[[W, O]] - TWO_FEATURES[L]) == 2
    fit = minimise_log_linear(W_BEATS_L, DPO, EVERY_BETA, TWO_FEATURES)
    assert fit.vanishing.tolist() == [False, True, False]
    assert fit.direction.tolist() == [1.0, 0.0]
    for theta in ([5.0, 0.0], [5.0, -10.0]):
        scores = TWO_FEATURES @ theta
        assert scores[W] - scores[L] == 5.0


def test_one_comparison_more() -> None:
    both = Comparisons.from_pairs([("w", "l"), ("w", "o")])
    for loss in (DPO, IPO):
        fit = minimise_log_linear(both, loss, EVERY_BETA, ONE_FEATURE, pi_ref=reference())
        np.testing.assert_allclose(fit.policy, np.tile(reference(), (26, 1)), atol=1e-12)
    fit = minimise_log_linear(both, DPO, EVERY_BETA, TWO_FEATURES)
    np.testing.assert_array_equal(fit.policy, np.tile([1.0, 0.0, 0.0], (26, 1)))


def test_dpo_is_rlhf_and_ipo_is_not_psipo_in_the_output_of_the_lesson() -> None:
    notebook = nbformat.read(NOTEBOOKS / "08_shared_weights.ipynb", as_version=4)
    kept = ("panel", "equalities")
    notebook.cells = [cell for cell in notebook.cells if cell.id in kept]
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    said = "".join(output.text for output in notebook.cells[-1].outputs)
    found = dict(re.findall(r"(\S.*?) +θ = (-[\d.]+)", said))
    assert found == {"RLHF": "-1.878", "DPO": "-1.878", "ΨPO, identity": "-0.270", "IPO": "-0.435"}


def test_psipo_solves_the_equation_of_ipo_under_its_own_policy() -> None:
    phi, beta = np.array([0.0, 1.0, 3.0]), 0.2
    g = expected_psi(bradley_terry([0.0, 2.0, -1.0]), IDENTITY).value

    def slope(answers: np.ndarray) -> float:
        centred = phi - answers @ phi
        return float(answers @ (centred * g) / (answers @ centred**2))

    assert slope(np.full(3, 1 / 3)) / beta == pytest.approx(-0.435, abs=5e-4)
    psipo = -0.27000685
    assert slope(gibbs_policy(phi * psipo, 1.0)) / beta == pytest.approx(psipo, abs=1e-6)

    def value(theta: float) -> float:
        policy = gibbs_policy(phi * theta, 1.0)
        return float(policy @ g - beta * kl_divergence(policy, np.full(3, 1 / 3)))

    assert value(psipo) > max(value(psipo - 1e-3), value(psipo + 1e-3))
