"""The numbers in the text of lesson 07 are those that its cells compute."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import numpy as np
import pytest
from prose import NOTEBOOKS, assert_computed, prose_of
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_expit

from psipo_explore import DPO, IDENTITY, IPO, Comparisons, Psi, minimise, optimal_policy
from psipo_explore.losses import cdpo
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.verdict import Interval, mean_interval

LESSON = "07_your_hypothesis"
PROSE = prose_of(LESSON)
GIVEN = {"0.05", "0.95", "0.1"}  # of the clip, and of what may be guessed


@pytest.fixture(scope="module")
def lesson() -> Iterator[dict[str, Any]]:
    """Run the cells, and yield their names and, under `forms`, what the claims show."""
    known: dict[str, Any] = {"forms": []}
    for cell in nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells:
        if cell.cell_type != "code" or cell.source.startswith(("check(", "explorer.")):
            continue
        *before, last = ast.parse(cell.source).body
        exec(compile(ast.Module(before, []), LESSON, "exec"), known)
        if ").ask(" in cell.source:
            assert isinstance(last, ast.Expr)
            shown = eval(compile(ast.Expression(last.value), LESSON, "eval"), known)
            known["forms"].append(shown)
        else:
            exec(compile(ast.Module([last], []), LESSON, "exec"), known)
    yield known
    known["folder"].cleanup()


def small_example(lesson: dict[str, Any]) -> tuple[float, ...]:
    """Return π(y) on sums, and on averages with lengths 1 and 2, and 2 and 1."""
    sure = np.array([[0.5, 1.0], [0.0, 0.5]])
    on_sums = [optimal_policy(sure, IDENTITY, beta) for beta in (0.4, 4.0)]
    v = np.log(2 * on_sums[0])
    assert v[0] - v[1] == pytest.approx(1.25)
    found = []
    for first, second in ((1, 2), (2, 1)):

        def excess(y: float, first: int = first, second: int = second) -> float:
            return np.log(2 * y) / first - np.log(2 * (1 - y)) / second - 1.25

        y = brentq(excess, 1e-9, 1 - 1e-9)
        assert lesson["averaged"](v, np.array([first, second]))[0] == pytest.approx(y)
        found.append(y)
    return float(on_sums[0][0]), *found


def written(interval: Interval, digits: str = ".2g") -> str:
    return f"{interval.mean:{digits}} ({interval.low:{digits}} to {interval.high:{digits}})"


def test_numbers_in_the_prose_are_computed(lesson: dict[str, Any]) -> None:
    sums, short, long = small_example(lesson)
    loses = mean_interval(-lesson["gain"])
    kept = {name: mean_interval(share) for name, share in lesson["kept"].items()}
    ipo = lesson["kept"]["IPO keeps"]
    assert np.allclose(ipo, 0.9)
    noisy_cdpo = lesson["reach"](lesson["noisy"], cdpo(0.05))
    clean_dpo = lesson["reach"](lesson["clean"], DPO)
    overtaken = np.array([20, 40, 40]) * [0.010, 0.009, -0.0266]
    assert np.exp(overtaken).mean() == pytest.approx(1, abs=1e-3)
    spread = Psi.from_formula("logit(clip(q, 0.05, 0.95))").spread
    low, high = (100 * end for end in lesson["diagnosis"].share_collapsing(0.95)[1:])
    kl = lesson["diagnosis"].mean_kl["DPO"][list(lesson["diagnosis"].beta).index(1)]
    share = lesson["diagnosis"].collapsing / 1000
    rewards = np.log(lesson["clean"] / (1 - lesson["clean"]))
    computed = [
        f"less often, by {loses.mean:.4f}. (The interval of the mean over the 2000 problems is "
        f"{loses.low:.4f} to {loses.high:.4f}.",
        f"On average their largest difference is {rewards.max((1, 2)).mean():.1f}",
        f"Flips multiply $p-\\frac12$ by {ipo.mean():.1g}. This is a fact",
        f"Flips multiply DPO's log-ratios by {ipo.mean():.1g} too",
        f"| DPO | {kept['DPO keeps'].mean:.2f} | {kept['DPO keeps'].mean:.2f} |",
        f"| cDPO | {kept['cDPO 0.05 keeps'].mean:.2f} | {(noisy_cdpo / clean_dpo).mean():.2f} |",
        "(With clipped logit at β = 0.3 the interval contains 0",
        "$v+c$ be 0.010, 0.009 and −0.0266. Then $u$ is "
        f"{overtaken[0]:.2f}, {overtaken[1]:.2f} and −{-overtaken[2]:.2f}",
        "IPO with flips at β is IPO without flips at $\\beta/0.9$",
        f"DPO keeps {written(kept['DPO keeps'])}",
        f"Does cDPO help? It keeps {written(kept['cDPO 0.05 keeps'])}",
        "and β = 0.4. For a whole answer",
        "=\\frac{1}{2\\beta}=1.25$",
        f"both prompts end at $\\pi(y)={sums:.2f}$",
        "$u(y)-\\frac12u(y')=1.25$. Also",
        f"it gives $\\pi(y)={short:.2f}$",
        f"$\\frac12u(y)-u(y')=1.25$, and $\\pi(y)={long:.2f}$",
        "β = 20 on averages of 100 tokens is β = 0.2 on sums",
        f"The interval is {low:.1f} to {high:.1f} %",
        f"mean KL of {kl:.2f} from",
        f"$0.52\\log 2={share * np.log(2):.2f}$ of the {kl:.2f} is theirs",
        f"identity at $\\beta/{spread:.2f}$. With β = 1 that is β = {1 / spread:.3f}",
    ]
    assert share == 0.52
    assert_computed(PROSE, computed, GIVEN)


def test_near_a_collapse_the_interval_holds_0(lesson: dict[str, Any]) -> None:
    psi = Psi.from_formula("logit(clip(q, 0.05, 0.95))")
    clipped = optimal_policy(lesson["p_hat"], psi, 0.3)
    wins = lesson["wins"]
    gain = wins(clipped) - wins(lesson["identity_at_the_distance_of"](clipped))
    assert mean_interval(gain).low < 0 < mean_interval(gain).high


def test_half_of_the_prompts_have_no_minimum(lesson: dict[str, Any]) -> None:
    assert lesson["by_law"] == pytest.approx(1 / 2, abs=1e-6)


def test_what_the_text_says_of_lengths(lesson: dict[str, Any]) -> None:
    same, other = (mean_interval(share) for share in lesson["share"].values())
    assert same == (0, 0, 0)
    assert f"In {100 * other.mean:.0f} % of the problems ({100 * other.low:.0f} to" in PROSE
    assert f"to {100 * other.high:.0f} %) averages put" in PROSE
    of_sums, clean = lesson["of_sums"], lesson["clean"]
    at_fifth = np.exp(lesson["log_ratios"](clean, IPO, 0.2)) / 3
    averages = [lesson["averaged"](v, np.full(3, 100)) for v in of_sums]
    assert np.allclose(averages, at_fifth, rtol=1e-6)
    win_rates = clean.mean(2)
    assert (np.argsort(of_sums, 1) == np.argsort(win_rates, 1)).all()
    rng = np.random.default_rng(1)
    for v in of_sums[:, :2]:  # two answers keep their order
        policy = lesson["averaged"](v, rng.integers(1, 200, 2))
        assert (policy[0] > policy[1]) == (v[0] > v[1])


def test_at_a_small_beta_only_lower_answers_change_places(lesson: dict[str, Any]) -> None:
    v = lesson["log_ratios"](lesson["clean"], IPO, 0.1)
    lengths = lesson["lengths"]["50 to 200 tokens"]
    with np.errstate(over="ignore"):
        policies = np.array([*map(lesson["averaged"], v, lengths)])
    assert (v.argmax(1) == policies.argmax(1)).all()
    share = (np.argsort(v, 1) != np.argsort(policies, 1)).any(1).mean()
    assert f"a little larger, {100 * share:.0f} % at β = 0.1" in PROSE


@pytest.mark.parametrize("q", [0.0, 0.03, 0.6, 0.97, 1.0])
def test_two_answers_have_a_loss_for_a_clipped_psi(q: float) -> None:
    def least(loss: Callable[[float], float], bound: float) -> float:
        return float(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x)

    def dpo(h: float) -> float:
        return float(-q * log_expit(h) - (1 - q) * log_expit(-h))

    held = Psi.from_formula("logit(clip(q, 0.05, 0.95))")
    assert least(dpo, np.log(19)) == pytest.approx(held(q), abs=1e-4)
    smooth = Psi.from_formula("logit(0.05 + 0.9*q)")
    data = Comparisons.from_preferences([[0.5, q], [1 - q, 0.5]])
    assert minimise(data, cdpo(0.05), 1.0).log_ratio @ [1, -1] == pytest.approx(smooth(q))


def test_averages_solve_the_equation_of_the_text(lesson: dict[str, Any]) -> None:
    lengths = lesson["lengths"]["50 to 200 tokens"]
    for v, tokens in zip(lesson["of_sums"][:20], lengths, strict=False):
        policy = lesson["averaged"](v, tokens)
        assert policy.sum() == pytest.approx(1)
        assert np.allclose(np.diff(np.log(3 * policy) / tokens), np.diff(v))


def test_each_form_asks_for_a_number_of_the_text(lesson: dict[str, Any]) -> None:
    forms = lesson["forms"]
    assert len(forms) == 4
    truths = []
    for form in forms:
        assert isinstance(form, Panel)
        (question,) = form.children[0].guess["questions"]
        truths.append(question["truth"])
        assert question["truth"] in form.sentence
        assert question["asks"] not in PROSE  # or a reader would read it twice
    assert truths == ["−0.0004", "0.76", "0.1", "0.5"]
    assert len({form.children[0].key for form in forms}) == 4


def test_with_flips_robust_dpo_keeps_all(lesson: dict[str, Any]) -> None:
    from psipo_explore.losses import robust_dpo

    reach: Callable[..., np.ndarray] = lesson["reach"]
    kept = reach(lesson["noisy"], robust_dpo(0.05)) / reach(lesson["clean"], DPO)
    assert np.allclose(kept, 1, rtol=1e-9)
