"""The numbers in the texts of lessons 00 to 06 are what the package computes."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from prose import assert_computed, prose_of
from scipy.special import expit, logit
from scipy.stats import binom

from psipo_explore import (
    D1,
    D2,
    DPO,
    IDENTITY,
    IPO,
    LOGIT,
    Comparisons,
    GradientDescent,
    citations,
    expected_psi,
    fit_reward,
    folded_power,
    gibbs_policy,
    kl_divergence,
    minimise,
    optimal_policy,
    tournament,
    train,
)
from psipo_explore.datasets import CITATIONS_CSV
from psipo_explore.psi import Psi
from psipo_explore.views.beyond_bradley_terry import preferences

CERTAIN = tournament([(0, 1)], n_actions=2)
FIVE = Comparisons.from_pairs([("y_w", "y_l")], weights=[5])
TWO_UNBEATEN = Comparisons.from_pairs([("a", "c"), ("b", "d"), ("d", "c")], actions="abcd")


def left(psi: Psi, doubt: float, beta: float) -> float:
    """Return what the policy leaves y_l, with p = 1 − doubt."""
    return float(optimal_policy([[0.5, 1 - doubt], [doubt, 0.5]], psi, beta)[1])


def start_here() -> list[str]:
    for beta in (0.1, 1.0, 10.0):
        for psi in (LOGIT, IDENTITY):
            order = np.argsort(-optimal_policy(citations().preferences(), psi, beta))
            names = [citations().actions[k] for k in order]
            assert names == ["JRSS-B", "Biometrika", "JASA", "Comm Statist"]
    assert np.isclose(left(LOGIT, 0.3, 1.0), 0.3)
    total = Comparisons.from_csv(
        CITATIONS_CSV, winner="cited", loser="citing", weight="citations"
    ).weights.sum()
    return [
        f"four journals and {total:.0f} citations",
        f"logit leaves $y_l$ {left(LOGIT, 0.1, 1):.1f}, and identity leaves it "
        f"{left(IDENTITY, 0.1, 1):.3f}",
        f"logit leaves 0, and identity {left(IDENTITY, 0, 1):.3f}",
    ]


def psi_curve() -> list[str]:
    slope = {q: 1 / (q * (1 - q)) for q in (0.3, 0.5, 0.99)}
    lam, beta = 1 / np.log(99), 3 / np.log(1e6)
    steep = folded_power(0.5)
    nine, one = np.diff(steep(np.array([0.90, 0.99, 1.0])))
    assert np.isclose(optimal_policy(CERTAIN, folded_power(lam), 1.0)[1], 0.01)
    assert np.isclose(expit(-3 / beta), 1e-6, rtol=1e-5)
    return [
        f"where its slope is {slope[0.5]:.0f} to {slope[0.3]:.1f}",
        f"At 0.99 its slope is {slope[0.99]:.0f}, which is {slope[0.99] / slope[0.5]:.0f} times",
        f"from 0.01 to 0.99 is worth only {LOGIT(0.99) - LOGIT(0.01):.2f}",
        f"the last rater is worth {one:.2f}, and the nine are worth {nine:.2f}",
        f"$\\log 99 = {np.log(99):.3f}$. So $\\lambda = {lam:.4f}$",
        f"$\\log(10^6) = {np.log(1e6):.1f}$ if $\\beta < {beta:.3f}$",
        f"At β = 0.217 identity still leaves $1/(1+e^{{0.5/0.217}}) = {100 * expit(-0.5 / 0.217):.0f}"
        "\\,\\%$",
    ]


def rlhf_is_psipo() -> list[str]:
    none, strong = preferences(0.0), preferences(2.5)
    dpo = [
        float(minimise(Comparisons.from_preferences(p), DPO, 1.0).policy[0]) for p in (none, strong)
    ]
    against_b, against_c = ([100 * none[0, k], 100 * strong[0, k]] for k in (1, 2))
    for s in (0.0, 1.0, 2.5):
        assert np.allclose(optimal_policy(preferences(s), LOGIT, 1.0)[0], dpo[0])
    assert np.allclose(preferences(1.0).mean(1), none.mean(1))
    for s, odds in ((0.0, [1, 1, 2]), (1.0, [2, 2, 1])):
        assert np.allclose(logit(preferences(s)[[0, 1, 0], [1, 2, 2]]), odds)
    wins = {s: preferences(s).mean(1) for s in (0.0, 1.0, 2.5)}
    chances = "+".join(f"{chance:.3g}" for chance in none[0])
    return [
        f"the win rate of $a$ is $({chances})/3={wins[0.0][0]:.3f}$",
        *(
            f"| ${y}$ | " + " | ".join(f"{rates[k]:.3f}" for rates in wins.values()) + " |"
            for k, y in enumerate("abc")
        ),
        f"At $s=2.5$ it gives $a$ {dpo[1]:.3f}. At $s=0$ it gave $a$ {dpo[0]:.3f}",
        f"has risen from {against_b[0]:.0f} % to {against_b[1]:.0f} %. Its chance "
        f"against $c$ has fallen from {against_c[0]:.0f} % to {against_c[1]:.0f} %",
    ]


def collapse() -> list[str]:
    def average(psi: Psi, p: float, n: int, beta: float) -> float:
        won = np.arange(n + 1)
        table = np.array([[[0.5, k / n], [1 - k / n, 0.5]] for k in won])
        return float(binom.pmf(won, n, p) @ optimal_policy(table, psi, beta)[:, 1])

    known, five = left(LOGIT, 0.2, 10.0), average(LOGIT, 0.8, 5, 10.0)
    identity = [left(IDENTITY, 0.2, 10.0), average(IDENTITY, 0.8, 5, 10.0)]
    assert np.allclose(identity, identity[0], atol=5e-5)
    agree = 0.8**5 + 0.2**5
    doubt, beta = 100 * np.log(99), 0.4 / np.log(9)
    assert np.isclose(left(IDENTITY, 0.1, beta), left(LOGIT, 0.1, 1.0))
    for at in (10, 100):  # "Identity leaves it the same two numbers as before"
        assert np.isclose(left(IDENTITY, 0, at), left(IDENTITY, 1e-15, at), rtol=0, atol=1e-9)
    return [
        f"Logit leaves $y_l$ {left(LOGIT, 1e-15, 10):.3f} at β = 10, and "
        f"{left(LOGIT, 1e-15, 100):.2f} at β = 100",
        f"Identity leaves it {left(IDENTITY, 1e-15, 10):.3f} at β = 10, and "
        f"{left(IDENTITY, 1e-15, 100):.3f} at β = 100. Now put",
        f"the curve for β = 10 is nearly down, at {left(LOGIT, 1e-16, 10):.3f}. The curve for "
        f"β = 100 is still at {left(LOGIT, 1e-16, 100):.2f}",
        f"At β = 0.01 identity leaves $y_l$ ${left(IDENTITY, 0, 0.01) * 1e22:.0f}\\cdot10^{{-22}}$",
        f"$0.8^5+0.2^5 = {agree:.3f}$",
        f"(In one case of {round(1 / 0.2**5, -3):.0f} all five",
        f"$y_l$ would keep {known:.3f} at β = 10. With five raters it keeps {five:.3f} on average",
        f"Identity leaves {identity[0]:.4f} in both cases",
        f"agree {100 * (0.99**40 + 0.01**40):.0f} times in 100, and on average $y_l$ keeps "
        f"{average(LOGIT, 0.99, 40, 10.0):.3f} under logit. At the true $p$ it would keep "
        f"{left(LOGIT, 0.01, 10):.3f}",
        f"$\\log\\frac{{p}}{{1-p}} = {doubt:.1f}$ and $1-p \\approx 10^{{-{doubt / np.log(10):.1f}}}$",
        f"so $\\beta = {beta:.3f}$. At $p=1$ identity's log-ratio moves by $\\frac{{0.5}}{{\\beta}}$ and "
        f"leaves $y_l$ {left(IDENTITY, 0, beta):.4f}",
    ]


def ipo() -> list[str]:
    pi_ref = np.array([0.8, *[0.05] * 4])
    p = {doubt: tournament([(0, k) for k in range(1, 5)], 5, 1 - doubt) for doubt in (0.01, 0.0)}
    shares = {
        (psi.name, doubt): [
            kl_divergence(optimal_policy(table, psi, beta, pi_ref=pi_ref), pi_ref) / -np.log(0.8)
            for beta in (0.25, 2.5)
        ]
        for psi in (LOGIT, IDENTITY)
        for doubt, table in p.items()
    }
    logit_moves, identity_moves = shares["logit", 0.01], shares["identity", 0.01]
    assert logit_moves[0] > 0.99 > 0.6 > logit_moves[1] > 0.4
    assert 0.4 < identity_moves[0] < 0.6
    assert identity_moves[1] < 0.02
    assert np.allclose(shares["logit", 0.0], 1)
    odds = logit(np.array([0.99, 0.999]))
    pair = np.array([[0.5, 0.75], [0.25, 0.5]])
    wins, loses = pair.mean(axis=1)
    margin = float(minimise(Comparisons.from_preferences(pair), IPO, 0.5).log_ratio @ [1, -1])
    closed = np.log(optimal_policy(pair, IDENTITY, 0.5))
    assert np.isclose(closed[0] - closed[1], margin)
    for h in (-1.0, 0.0, margin, 2.0):
        loss = 0.75 * IPO.value(h, 0.5) + 0.25 * IPO.value(-h, 0.5)
        assert np.isclose(loss, h**2 - h + 1)
    return [
        f"DPO's from {np.log(99) / 0.25:.1f} to {np.log(99) / 2.5:.2f}",
        f"$h^*$ is {margin:.1f}, and the mean of $\\frac1\\beta I$ is {0.75 / 0.5:.1f}",
        "$y_w$ wins with probability 0.75, β is 0.5",
        "$$0.75\\,(h-1)^2+0.25\\,(-h-1)^2=h^2-h+1.$$",
        f"It is least at $h={margin:.1f}$.",
        f"$\\frac12\\cdot0.5+\\frac12\\cdot0.75={wins:.3f}$",
        f"$\\frac12\\cdot0.25+\\frac12\\cdot0.5={loses:.3f}$",
        f"their difference over β, ${wins - loses:.2f}/0.5={(wins - loses) / 0.5:.1f}$",
        f"$-\\log 0.8 = {-np.log(0.8):.3f}$",
        "β goes from 0.25 to 2.5",
        f"${0.99 - 0.5:.2f}/\\beta$, ${0.999 - 0.5:.3f}/\\beta$ and $0.5/\\beta$",
        f"${odds[0]:.1f}/\\beta$, ${odds[1]:.1f}/\\beta$, and at",
        "at $p=0.99$, at $p=0.999$ and",
    ]


def training() -> list[str]:
    dpo = {beta: train(D1, DPO, beta).mean()[-1, 2] for beta in (1.0, 10.0)}
    exact = {beta: float(minimise(D1, IPO, beta).policy[2]) for beta in (1.0, 10.0)}
    never = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
    ends = minimise(never, IPO, [0.1, 0.5, 10.0]).policy[:, 2]
    last = {
        data: train(data, loss, beta).policy[..., -1, :] - minimise(data, loss, beta).policy
        for data, loss, beta in ((D1, IPO, 1.0), (D2, DPO, 0.1))
    }
    distances = [np.abs(deviation).mean() for deviation in last.values()]
    s = (np.sqrt(17) - 1) / 2
    beta = 1 / (3 * np.log(s))
    assert dpo[1.0] < 1e-3
    assert np.isclose(minimise(D1, IPO, beta).policy[2], 0.2)
    return [
        f'<span style="color:#0072B2">**IPO**</span> leaves it {exact[1.0]:.2f}. At β = 10 DPO '
        f"still gives $c$ {dpo[10.0]:.2f}, and IPO gives it {exact[10.0]:.2f}",
        f"IPO leaves it {ends[1]:.3f}",
        f"differ from the exact ones by about {distances[0]:.3f} for IPO on D1 at β = 1, and by "
        f"{distances[1]:.2f} for DPO on the cycle",
        f"it goes from {ends[0]:.3f} to {ends[2]:.3f}",
        f"$s=\\frac{{\\sqrt{{17}}-1}}{{2}}={s:.3f}$, and β = {beta:.3f}",
    ]


def underfitted_reward() -> list[str]:
    def rlhf(n: float = 5, beta: float = 1.0, **how: float) -> float:
        data = Comparisons.from_pairs([("y_w", "y_l")], weights=[n])
        return float(gibbs_policy(fit_reward(data, **how), beta)[1])  # type: ignore[arg-type]

    def gap(n: float, **how: float) -> float:
        data = Comparisons.from_pairs([("y_w", "y_l")], weights=[n])
        return float(fit_reward(data, **how) @ [1, -1])  # type: ignore[arg-type]

    identity = float(minimise(FIVE, IPO, 1.0).policy[1])
    million = [gap(1e6, ridge=ridge) for ridge in (1.0, 0.001)]
    betas = np.array(million) / np.log(9)
    held = gibbs_policy(fit_reward(TWO_UNBEATEN, ridge=1e-16), 10.0)[1]
    ridge = 20 * expit(-0.5)
    assert np.isclose(rlhf(ridge=ridge), identity)
    assert np.isclose(gap(5, steps=1000) - gap(5, steps=100), 2.3, atol=0.05)
    assert gap(5, steps=1) == 2
    assert np.isclose(gap(5, steps=10**6), np.log(4e6), atol=1e-4)
    assert 1.4 < betas[1] / betas[0] < 1.6
    return [
        f"With the ridge RLHF leaves $y_l$ {rlhf(ridge=1):.3f}",
        f"RLHF leaves it {rlhf(steps=100):.3f}, far less than the {identity:.3f} of IPO",
        f"RLHF with the ridge leaves $y_l$ {rlhf(beta=10, ridge=1):.3f}",
        f"grows from {gap(5, ridge=1):.1f} to {gap(500, ridge=1):.1f}, and RLHF leaves "
        f"{rlhf(500, ridge=1):.3f}",
        "With a ridge of 0.001 RLHF is nearly DPO at β = 1. With the same ridge and β = 10, $y_l$ "
        f"still keeps {rlhf(beta=10, ridge=0.001):.3f}",
        f"$\\Delta={gap(5, ridge=1):.2f}$ solves it. So at β = 1 $y_l$ keeps "
        f"$\\sigma(-{gap(5, ridge=1):.2f})={expit(-gap(5, ridge=1)):.3f}$",
        f"At $t=10$ the gap is {gap(5, steps=10):.2f}, and $\\log4t={np.log(40):.2f}$. "
        f"At $t=100$ they are {gap(5, steps=100):.2f} and {np.log(400):.2f}",
        "ten times as many steps add about log 10 = 2.3 to the gap",
        f"With a ridge of 1e-16 $b$ has only {held:.3f}.)",
        f"= {ridge:.2f}$",
        f"the root $\\Delta={million[0]:.1f}$ (`fit_reward` finds it), so $\\beta={betas[0]:.2f}$. "
        f"With a ridge of 0.001, $\\Delta={million[1]:.1f}$ and $\\beta={betas[1]:.2f}$",
        f"the factor is {betas[1] / betas[0]:.2f}",
    ]


@pytest.mark.parametrize(
    ("lesson", "computed", "given"),
    [
        ("00_start_here", start_here, {"0.9", "0.7", "0.1"}),
        ("01_psi_curve", psi_curve, {"0.90", "0.99", "0.5", "0.05", "0.3", "0.7", "0.01", "0.999"}),
        ("02_rlhf_is_psipo", rlhf_is_psipo, {"2.5"}),
        ("03_collapse", collapse, {"0.9", "0.8", "0.99", "0.1", "0.5"}),
        ("04_ipo", ipo, {"0.99", "0.1"}),
        ("05_training", training, {"0.01", "0.1", "0.5", "0.001"}),
        ("06_underfitted_reward", underfitted_reward, {"0.05", "0.01", "0.1"}),
    ],
)
def test_numbers_in_the_prose_are_computed(
    lesson: str, computed: Callable[[], list[str]], given: set[str]
) -> None:
    assert_computed(prose_of(lesson), computed(), given)


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_dpo_that_is_stopped_is_rlhf_at_beta_1_and_slower_below(steps: int) -> None:
    def stopped_dpo(beta: float) -> float:
        plain = {"optimiser": GradientDescent(2.0), "batch_size": None, "seeds": 1}
        return float(train(FIVE, DPO, beta, steps=steps, **plain).final[0, 1])  # type: ignore[arg-type]

    reward = fit_reward(FIVE, steps=steps)
    assert stopped_dpo(1.0) == pytest.approx(gibbs_policy(reward, 1.0)[1])
    assert stopped_dpo(0.1) > gibbs_policy(reward, 0.1)[1]


def test_what_the_fold_of_lesson_03_says_of_infinity_less_infinity() -> None:
    fold = re.search(r"<summary>More than two.*?```python\n(.*?)```(.*?)</details>", PROSE_03, re.S)
    assert fold
    known = {"tournament": tournament, "LOGIT": LOGIT, "expected_psi": expected_psi}
    exec(fold[1], known)
    order, score = known["order"], known["score"]
    assert np.allclose(score.rate, [2 / 3, 0, -2 / 3])  # type: ignore[attr-defined]
    assert np.isnan(score.value).tolist() == [False, True, False]  # type: ignore[attr-defined]
    assert not score.determined  # type: ignore[attr-defined]
    assert optimal_policy(order, LOGIT, 10.0).tolist() == [1, 0, 0]  # type: ignore[arg-type]
    for said in (
        "(\\frac23, 0, -\\frac23)",
        "`[1, 0, 0]`",
        "is nan for $b$",
        "`score.determined` is False",
    ):
        assert said in fold[2]


PROSE_03 = prose_of("03_collapse")
