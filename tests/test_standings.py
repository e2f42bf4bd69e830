"""Votes on players: scores, who is unbeaten, and who never met whom."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import log_expit

from psipo_explore import Comparisons, cli
from psipo_explore.diagnosis import diagnose_file
from psipo_explore.standings import standings_of

PLAYERS = ("oak", "elm", "fir", "ash")
votes = st.lists(
    st.tuples(
        st.sampled_from(PLAYERS),
        st.sampled_from(PLAYERS),
        st.sampled_from(["model_a", "model_b", "tie"]),
    ).filter(lambda vote: vote[0] != vote[1]),
    min_size=1,
    max_size=40,
)


def records(given: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [dict(zip(("model_a", "model_b", "winner"), vote, strict=True)) for vote in given]


@given(votes)
def test_scores_are_those_of_scipy_and_of_a_least_squares_fit(
    given: list[tuple[str, str, str]],
) -> None:
    data = Comparisons.from_records(records(given))
    found = standings_of(data)
    assume(np.isfinite(found.dpo).all())
    assume(found.groups == 1)
    at = {name: k for k, name in enumerate(found.players)}
    a, b = np.array([[at[x], at[y]] for x, y, _ in given]).T
    share = np.array([{"model_a": 1.0, "model_b": 0.0, "tie": 0.5}[won] for *_, won in given])

    def loss(r: np.ndarray) -> float:
        gap = r[a] - r[b]
        return float(-(share * log_expit(gap) + (1 - share) * log_expit(-gap)).sum())

    fit = minimize(loss, np.zeros(len(at)), method="BFGS", options={"gtol": 1e-9})
    assert_allclose(found.dpo, fit.x - fit.x.mean(), atol=1e-4)

    gaps = np.zeros((len(given), len(at)))
    gaps[np.arange(len(given)), a], gaps[np.arange(len(given)), b] = 1, -1
    squares = np.linalg.lstsq(gaps, share - 0.5, rcond=None)[0]
    assert_allclose(found.ipo, squares - squares.mean(), atol=1e-9)


@given(votes)
def test_counts_are_those_of_a_naive_count(given: list[tuple[str, str, str]]) -> None:
    found = standings_of(Comparisons.from_records(records(given)))
    wins, losses, ties = (dict.fromkeys(found.players, 0.0) for _ in range(3))
    met = set()
    for first, second, won in given:
        met.add(frozenset((first, second)))
        if won == "tie":
            ties[first] += 1
            ties[second] += 1
        else:
            winner, loser = (first, second) if won == "model_a" else (second, first)
            wins[winner] += 1
            losses[loser] += 1
    for counted, naive in ((found.wins, wins), (found.losses, losses), (found.ties, ties)):
        assert counted.tolist() == list(naive.values())
    assert set(found.unbeaten) == {name for name, lost in losses.items() if not lost}
    k = len(found.players)
    assert found.never_met == k * (k - 1) // 2 - len(met)
    assert not met & set(map(frozenset, found.some_never_met))
    assert (found.dpo[1:] <= found.dpo[:-1]).all()


def test_the_report_on_votes_holds_the_standings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "model_a,model_b,winner\noak,elm,model_a\nelm,fir,tie\nfir,elm,model_a\nash,yew,tie\n"
    )
    assert cli.main(["diagnose", str(path)]) == 0
    said = capsys.readouterr().out
    assert "Unbeaten: oak, fir, ash, yew." in said or "Unbeaten: oak" in said
    assert "The players are in 2 groups that never met" in " ".join(said.split())
    assert "Pairs who never met: 7, such as: oak and fir; " in " ".join(said.split())
    row = next(line.split() for line in said.splitlines() if line.startswith("elm"))
    assert row == ["elm", "0", "2", "1", "−∞", row[-1]]
    found = diagnose_file(path).as_dict()["standings"]
    assert found["dpo"][-1] is None or None in found["dpo"]
    assert json.loads(json.dumps(found)) == found


def test_prompts_have_no_standings() -> None:
    two = Comparisons.from_pairs([("a", "b"), ("a", "b")], contexts=["x", "z"])
    with pytest.raises(ValueError, match=r"^data has several contexts"):
        standings_of(two)


def test_many_players_are_cut_off_in_words_and_not_in_numbers() -> None:
    chain = [(f"p{k}", f"p{k + 1}") for k in range(60)] + [("p60", "p0")]
    found = standings_of(Comparisons.from_pairs(chain))
    assert "… and 11 more; --json holds all." in str(found)
    assert len(found.as_dict()["players"]) == 61
    assert "Unbeaten: nobody." in str(found)
    assert found._repr_html_().count("<tr>") == 51
    everybody = standings_of(Comparisons.from_pairs([("a", "b"), ("b", "a")]))
    assert "Everybody met everybody." in str(everybody)
