import re
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logit

from psipo_explore import (
    IDENTITY,
    LOGIT,
    Comparisons,
    bradley_terry,
    fit_reward,
    gibbs_policy,
    optimal_policy,
    tournament,
)
from psipo_explore._checks import Array
from psipo_explore.self_play import nash_policy
from psipo_explore.views import self_play

VIEW = self_play.VIEW
PSIS = {"identity": IDENTITY, "logit": LOGIT}
CYCLES, BETAS, SHARES = (VIEW.controls[k].stops for k in range(3))
CORNERS = [
    dict(zip(("cycle", "beta", "share", "psi"), corner, strict=True))
    for corner in product((0.0, 0.5, 0.75, 1.0), (0.01, 10.0), (0.05, 1 / 3, 0.95), PSIS)
]
corners = pytest.mark.parametrize("values", CORNERS)


built = cache(lambda: VIEW.built(VIEW.values({})))


def drawn(**values: Any) -> dict[str, Any]:
    figure, artists = built()
    VIEW.move(figure, artists, VIEW.values(values))
    return dict(artists)


def sentence(**values: Any) -> str:
    drawn(**values)
    return built()[0].sentence


def policies(cycle: float, beta: Any, share: float, psi: str) -> dict[str, Array]:
    p, mu = self_play.preferences(cycle), [(1 - share) / 2, share, (1 - share) / 2]
    reward = fit_reward(Comparisons.from_preferences(p, mu=mu))
    return {
        "fixed": optimal_policy(p, PSIS[psi], beta, mu=mu),
        "RLHF": gibbs_policy(reward, beta),
        "learned": nash_policy(p, PSIS[psi], beta),
    }


def in_the_triangle(policy: Array) -> tuple[Array, Array]:
    a, _, c = np.moveaxis(policy, -1, 0)
    return c + a / 2, a * np.sqrt(3) / 2


def test_preferences_run_from_bradley_terry_to_a_pure_cycle() -> None:
    p = self_play.preferences
    assert_allclose(p(0.0), bradley_terry([2.0, -2.0, 0.0]), rtol=1e-15)
    win = 1 / (1 + np.exp(-2))
    assert_allclose(p(1.0), tournament([(0, 1), (1, 2), (2, 0)], 3, win), rtol=1e-14)
    for cycle in CYCLES:
        between = (1 - cycle) * logit(p(0.0)) + cycle * logit(p(1.0))
        assert_allclose(logit(p(cycle)), between, atol=1e-14)
        assert (p(cycle)[2, 0] > 0.5) == (cycle > 0.5)
        assert (p(cycle)[2, 0] == 0.5) == (cycle == 0.5)


@corners
def test_marks_lines_and_numbers_are_what_the_package_computes(values: dict[str, Any]) -> None:
    artists, p = drawn(**values), self_play.preferences(values["cycle"])
    for name, policy in policies(**values).items():
        at = np.ravel(artists[f"{name} here"].get_data())
        assert_allclose(at, in_the_triangle(policy), atol=1e-12)
        for k, x in enumerate([*policy, min(policy @ p[:, y] for y in range(3))]):
            assert_allclose(artists[f"{name} {k}"].get_xdata(), [0, x], atol=1e-12)
            assert artists[f"{name} {k} number"].get_text().split(" ")[0] == f"{x:.3f}"
    falling = {**values, "beta": BETAS[::-1]}
    for name, policy in policies(**falling).items():
        path = np.array(artists[f"{name} path"].get_data())
        assert_allclose(path[:, 0], [0.5, np.sqrt(3) / 6])  # π_ref
        assert_allclose(path[:, 1:], in_the_triangle(policy), atol=1e-9)


@corners
def test_arrows_lead_to_the_best_response(values: dict[str, Any]) -> None:
    at = self_play._FIELD
    drawn_at = np.transpose(drawn(**values)["field"].get_data()).reshape(len(at), -1, 2)
    tail, tip = drawn_at[:, 0].T, drawn_at[:, 1].T
    assert_allclose((tail + tip) / 2, in_the_triangle(at), atol=1e-12)
    x, y = tip - tail
    assert_allclose(at.sum(-1), 1)
    assert (at > 0).all()
    p, psi = self_play.preferences(values["cycle"]), PSIS[values["psi"]]
    best = np.array([optimal_policy(p, psi, values["beta"], mu=mu) for mu in at])
    u, v = in_the_triangle(best - at)
    assert_allclose(x * v, y * u, atol=1e-12)
    assert (x * u + y * v >= 0).all()
    assert np.hypot(x, y).max() <= self_play._ARROW + 1e-12


@corners
def test_no_arrow_leaves_the_learned_opponent(values: dict[str, Any]) -> None:
    p, psi = self_play.preferences(values["cycle"]), PSIS[values["psi"]]
    learned = policies(**values)["learned"]
    assert_allclose(optimal_policy(p, psi, values["beta"], mu=learned), learned, atol=1e-9)


@corners
def test_edges_say_who_beats_whom(values: dict[str, Any]) -> None:
    artists, p = drawn(**values), self_play.preferences(values["cycle"])
    for k in range(3):
        said = artists[f"edge {k}"].get_text()
        if values["cycle"] == 0.5 and k:
            assert said in ("b ties with c", "c ties with a")
        else:
            winner, loser, rate = re.fullmatch(r"(\w) beats (\w), (0\.\d+)", said).groups()  # type: ignore[union-attr]
            assert p["abc".index(winner), "abc".index(loser)] > 0.5
            assert rate == f"{p['abc'.index(winner), 'abc'.index(loser)]:.3f}"


@corners
def test_the_sentence_says_who_beats_each_policy(values: dict[str, Any]) -> None:
    clauses = re.findall(r"; ([^;.]*(?:\.\d[^;.]*)*)\. ", sentence(**values))
    p, artists = self_play.preferences(values["cycle"]), drawn(**values)
    assert len(clauses) == 3
    for clause, (name, policy) in zip(clauses, policies(**values).items(), strict=True):
        wins, shown = policy @ p, artists[f"{name} 3 number"].get_text()
        worst = wins.min()
        if worst > 0.5 - 1e-8:
            assert clause == "no answer beats it"
            assert shown == "0.500"
            continue
        who, rate = re.fullmatch(
            r"(.*) beats? it most often, with (?:just over )?(.*)", clause
        ).groups()  # type: ignore[union-attr]
        beaten_by = [y for y, rate in zip("abc", wins, strict=True) if rate < worst + 1e-8]
        assert re.findall(r"\b[abc]\b", who) == beaten_by
        assert float(rate) == pytest.approx(1 - worst, abs=5e-4)
        assert ("just over" in clause) == (shown == "0.500")
        if shown != "0.500":
            assert shown.endswith(f" vs {''.join(beaten_by)}")


@corners
def test_the_sentence_says_what_each_policy_picks(values: dict[str, Any]) -> None:
    said = sentence(**values)
    now = policies(**values)
    picks = re.findall(r"gives (every answer|most to .*?) \(?(almost 1|0\.\d+)", said)
    assert len(picks) == 2
    for (who, share), name in zip(picks, ("fixed", "RLHF"), strict=True):
        top = now[name].max()
        picked = [y for y, x in zip("abc", now[name], strict=True) if x > top - 1e-8]
        assert picked == (re.findall(r"\b[abc]\b", who) or ["a", "b", "c"])
        assert (top >= 0.9995) if share == "almost 1" else float(share) == pytest.approx(top, 2e-3)
    alike = values["psi"] == "logit" and values["cycle"] == 0
    assert ("all three are one policy" in said) == alike
    assert ("a uniform μ gives the same" in said) == (
        values["cycle"] == 1 and values["share"] == 1 / 3
    )
    if alike or "a uniform μ gives the same" in said:
        for policy in now.values():
            assert_allclose(policy, now["learned"], atol=1e-8)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 10.0])
def test_under_bradley_terry_and_logit_it_does_not_matter_whose_opponent(
    share: float, beta: float
) -> None:
    artists = drawn(cycle=0.0, beta=beta, share=share, psi="logit")
    places = [np.ravel(artists[f"{name} here"].get_data()) for name in self_play._LOOKS]
    assert_allclose(places, [places[0]] * 3, atol=1e-9)
    assert "all three are one policy" in built()[0].sentence


@pytest.mark.parametrize("psi", PSIS)
def test_rock_paper_scissors_is_uniform_at_every_beta(psi: str) -> None:
    for beta, share in product(BETAS, (0.05, 0.95)):
        artists = drawn(cycle=1.0, beta=beta, share=share, psi=psi)
        at = np.ravel(artists["learned here"].get_data())
        assert_allclose(at, [0.5, np.sqrt(3) / 6], atol=1e-10)
    assert "uniform at every β" in built()[0].sentence


@pytest.mark.parametrize("psi", PSIS)
@pytest.mark.parametrize("cycle", CYCLES)
def test_where_the_learned_opponent_goes_is_what_the_sentence_says(cycle: float, psi: str) -> None:
    """Compare with an equilibrium of the game Ψ(p), which is known in closed form."""
    said = sentence(cycle=cycle, psi=psi)
    game = PSIS[psi](self_play.preferences(cycle))
    limit = nash_policy(self_play.preferences(cycle), PSIS[psi], 1e-3)
    if cycle < 0.5:
        assert_allclose(limit, [1, 0, 0], atol=1e-2)
        assert "goes to a, which no answer beats" in said or "all three are one policy" in said
    elif cycle == 0.5:
        assert_allclose(limit, [0.5, 0, 0.5], atol=1e-9)
        assert "goes to an equal mixture of a and c, which no answer beats" in said
    else:
        centred = game - game.T
        mixture = np.array([centred[1, 2], centred[2, 0], centred[0, 1]])
        assert_allclose(limit, mixture / mixture.sum(), atol=2e-2)
        expected = "mean log-odds above 0" if psi == "logit" else "a mixture that no answer beats"
        assert (expected if cycle < 1 else "uniform at every β") in said


def test_the_weak_answer_decides_whom_a_fixed_opponent_picks() -> None:
    """Few meetings with b make c the pick, and many make it a; another answer beats either."""
    for share, pick, winner in ((0.05, "c", "b"), (1 / 3, "a", "c"), (0.95, "a", "c")):
        said = sentence(share=share)
        assert said.count(f"gives most to {pick} (") == 2
        assert said.count(f"; {winner} beats it most often, with 0.7") == 2
        assert "is a 0.275, b 0.248 and c 0.476; c beats it most often, with 0.506" in said
