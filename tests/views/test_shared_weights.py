import re
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from psipo_explore import DPO, IPO, Comparisons, GradientDescent, minimise_log_linear, train
from psipo_explore.views import shared_weights
from psipo_explore.views.kit.controls import combinations

VIEW = shared_weights.VIEW
LOSSES = {"DPO": DPO, "IPO": IPO}
W_BEATS_L = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
EVERYWHERE = list(combinations({control: control.stops for control in VIEW.controls}))
SOMEWHERE = [EVERYWHERE[k] for k in np.random.default_rng(0).integers(len(EVERYWHERE), size=12)]
CORNERS = [
    dict(zip(("a", "b", "beta", "pi_ref_o", "step"), corner, strict=True))
    for corner in product(
        (0.0, 0.5, 1.0, 1.5, 2.0), (0.0, 1.0), (0.1, 10.0), (0.01, 0.5), (0, 1, 10_000)
    )
]


built = cache(lambda: VIEW.built(VIEW.values({})))


def drawn(**values: Any) -> dict[str, Any]:
    figure, artists = built()
    VIEW.move(figure, artists, VIEW.values(values))
    return dict(artists)


def sentence(**values: Any) -> str:
    drawn(**values)
    return built()[0].sentence


def features(a: float, b: float) -> list[list[float]]:
    return [[1.0, 0.0], [0.0, 0.0], [a, b]]


def reference(share: float) -> list[float]:
    return [(1 - share) / 2, (1 - share) / 2, share]


def log_w(s: float, a: float, share: float) -> float:
    """Return log π(w) at θ = (s, 0), by hand."""
    w, l, o = reference(share)  # noqa: E741
    return float(np.log(w) + s - np.log(w * np.exp(s) + l + o * np.exp(a * s)))


def slope_of_w(s: float, a: float, share: float) -> float:
    """Return the slope of log π(w) there: φ(w)·z − E_π[φ·z] = π(l) + (1 − a) π(o)."""
    to_w = np.exp(log_w(s, a, share))
    w, l, o = reference(share)  # noqa: E741
    return float(to_w * (l / w * np.exp(-s) + (1 - a) * o / w * np.exp((a - 1) * s)))


def numbers_in(text: str) -> list[float]:
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
    plain = re.sub(r"·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", r"e\1", text).translate(superscripts)
    return [float(found) for found in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", plain)]


@pytest.mark.parametrize("values", SOMEWHERE)
def test_curves_and_marks_are_what_train_gives(values: dict[str, Any]) -> None:
    a, b, beta, share, step = values.values()
    artists = drawn(**values)
    run = train(
        W_BEATS_L,
        list(LOSSES.values()),
        beta,
        pi_ref=reference(share),
        features=features(a, b),
        optimiser=GradientDescent(0.05),
        steps=10_000,
        batch_size=None,
        seeds=1,
        record_every=1,
    )
    for name, policies in zip(LOSSES, run.policy[:, 0], strict=True):
        for y, path in zip("wlo", policies.T, strict=True):
            steps, curve = artists[f"{name} {y}"].get_data()
            recorded = np.round(steps) == np.round(steps, 9)
            assert recorded.sum() >= 2  # the first step and the last
            at = np.round(steps[recorded]).astype(int)
            assert_allclose(curve[recorded], np.log(path[at]), rtol=1e-9)
            here = np.log(path[step])
            expected = ([step], [here]) if here >= -11 else ([], [])
            assert_allclose(artists[f"{name} {y} here"].get_data(), expected, rtol=1e-9)
            width = artists[f"{name} {y} point"].get_markersize()
            assert_allclose(width, max(4, 30 * np.sqrt(path[step])), rtol=1e-9)
        mean = policies[step] @ features(a, b)
        assert_allclose(np.ravel(artists[f"{name} mean"].get_data()), mean, rtol=1e-9)
        path = np.transpose(artists[f"{name} mean path"].get_data())
        assert_allclose(path[[0, -1]], policies[[0, -1]] @ features(a, b), rtol=1e-9)


@pytest.mark.parametrize("values", SOMEWHERE)
def test_limits_are_those_of_minimise_log_linear(values: dict[str, Any]) -> None:
    a, b, beta, share, _ = values.values()
    artists = drawn(**values)
    for name, loss in LOSSES.items():
        fit = minimise_log_linear(W_BEATS_L, loss, beta, features(a, b), pi_ref=reference(share))
        for y, limit in zip("wlo", fit.policy, strict=True):
            _, at = artists[f"{name} {y} limit"].get_data()
            _, arrow = artists[f"{name} {y} to 0"].get_data()
            assert_allclose(at, [np.log(limit)] if limit else [])
            assert len(arrow) == (0 if limit else 2)


def test_every_exact_limit_that_is_not_0_has_room_on_the_axis() -> None:
    for a, beta, share in product(*(VIEW.controls[k].stops for k in (0, 2, 3))):
        artists = drawn(a=a, beta=beta, pi_ref_o=share)
        for name, y in product(LOSSES, "wlo"):
            marks = (artists[f"{name} {y} {kind}"].get_xdata() for kind in ("limit", "to 0"))
            assert sorted(map(len, marks)) in ([0, 1], [0, 2])


@pytest.mark.parametrize("a", [1.25, 1.5, 2.0])
@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.2])
def test_w_turns_where_its_probability_is_largest(a: float, beta: float, share: float) -> None:
    best = minimize_scalar(lambda s: -log_w(s, a, share), (0.0, 1.0), tol=1e-14)
    artists = drawn(a=a, b=0.5, beta=beta, pi_ref_o=share)
    for name in LOSSES:
        path = shared_weights._path(name, beta)
        at, peak = artists[f"{name} turn"].get_data()
        crossing = artists[f"{name} crossing"].get_xdata()
        if path[-1] < best.x:
            assert len(at) == len(peak) == len(crossing) == 0
            continue
        assert_allclose(np.interp(at, np.arange(len(path)), path), [best.x], atol=1e-5)
        assert_allclose(peak, [-best.fun], rtol=1e-9)
        assert_allclose(crossing, [1.0], rtol=1e-9)  # on the line through w, across z


@pytest.mark.parametrize(("a", "share"), [(0.0, 0.5), (1.0, 0.5), (1.5, 0.5), (2.0, 0.5)])
def test_no_turn_is_marked_where_w_only_rises_or_only_falls(a: float, share: float) -> None:
    artists = drawn(a=a, pi_ref_o=share)
    for name in LOSSES:
        assert np.size(artists[f"{name} turn"].get_data()) == 0
        _, curve = artists[f"{name} w"].get_data()
        rises = np.diff(curve[:80])
        assert (rises > 0).all() if a <= 1 else (rises < 0).all()


@pytest.mark.parametrize("values", [*SOMEWHERE, *(v for v in CORNERS if v["b"])])
def test_w_falls_exactly_while_the_mean_lies_beyond_the_line(values: dict[str, Any]) -> None:
    a, _, beta, share, step = values.values()
    artists = drawn(**values)
    for name in LOSSES:
        s = shared_weights._path(name, beta)[step]
        slope = slope_of_w(s, a, share)
        (mean,) = artists[f"{name} mean"].get_xdata()
        assert_allclose(1 - mean, slope, atol=1e-12)
        words = artists[f"{name} mean number"].get_text()
        place = "beyond" if slope < 0 else "before" if slope > 0 else "on"
        assert words.endswith(f": {place} the line")
        assert_allclose(
            (log_w(s + 1e-5, a, share) - log_w(s - 1e-5, a, share)) / 2e-5, slope, atol=1e-6
        )
        sign = {"beyond": "+", "before": "−", "on": "±"}[place]
        assert words.startswith((f"1 {sign} ", f"{mean:.3g}"))
        assert (words[:2] in ("1:", "1 ")) == (abs(mean - 1) < 5e-3)


@pytest.mark.parametrize("values", [*SOMEWHERE, *(v for v in CORNERS if v["step"] == 1)])
def test_the_sentence_says_who_loses_and_why(values: dict[str, Any]) -> None:
    a, b, beta, share, _ = values.values()
    said = sentence(**values)
    at = {"features": features(a, b), "pi_ref": reference(share)}
    dpo = minimise_log_linear(W_BEATS_L, DPO, beta, **at)
    ipo = minimise_log_linear(W_BEATS_L, IPO, beta, **at)
    assert ("forces w out at every β" in said) == dpo.vanishing[0] == (a > 1 and b == 0)
    assert ("loss does not force w out, because b" in said) == (a > 1 and b > 0)
    assert ("Nothing takes w down" in said) == (a <= 1)
    if a > 1:
        assert dpo.policy[0] == 0
        starts, ends = slope_of_w(0.0, a, share), slope_of_w(ipo.theta[0], a, share)
        assert said.endswith(
            "falling from the first step."
            if starts <= 0
            else "before w turns."
            if ends > 0
            else "after w turns."
        )
    else:
        assert all(slope_of_w(s, a, share) > 0 for s in np.linspace(0, 100, 101))
        (heads_for,) = re.findall(r"heads for (.*?)\. IPO", said)
        assert_allclose(numbers_in(heads_for), [x for x in dpo.policy if x], rtol=5e-3)
    ((at_beta, at_w),) = re.findall(r"IPO .* stops, with β = (\S+) at w = ([^, ]*\d)", said)
    assert_allclose(numbers_in(f"{at_beta} {at_w}"), [beta, ipo.policy[0]], rtol=5e-3)


@pytest.mark.parametrize("values", [v for v in (*SOMEWHERE, *CORNERS) if v["step"] and v["b"]])
def test_the_sentence_gives_what_has_been_taken(values: dict[str, Any]) -> None:
    a, _, beta, share, step = values.values()
    clauses = re.findall(
        r"taken w (?:from \S+ )?to (.*?)(?: \((.*?)\))? and o to (.*?)[;.] ", sentence(**values)
    )
    for name, (w, peak, o) in zip(LOSSES, clauses, strict=True):
        path = shared_weights._path(name, beta)[: step + 1]
        log_ws = np.array([log_w(s, a, share) for s in path])
        log_o = np.log(share / reference(share)[0]) + log_ws[-1] + (a - 1) * path[-1]
        assert_said(w, log_ws[-1])
        assert_said(o, log_o)
        turned = slope_of_w(0.0, a, share) > 0 > slope_of_w(path[-1], a, share)
        assert bool(peak) == turned
        if turned:
            height, during = re.findall(r"peak (.*) in step (.*)", peak)[0]
            during = int(during.replace("\u2009", ""))
            assert slope_of_w(path[during - 1], a, share) > 0 >= slope_of_w(path[during], a, share)
            assert numbers_in(height)[0] == pytest.approx(np.exp(log_ws.max()), rel=0.05)


def assert_said(words: str, log_p: float) -> None:
    value = numbers_in(words)
    if words.startswith("1 − "):
        assert value[-1] == pytest.approx(-np.expm1(log_p), rel=0.01)
    else:
        assert value[0] == pytest.approx(np.exp(log_p), rel=6e-3)


def test_with_b_the_loss_of_dpo_does_not_force_w_out() -> None:
    """A direction that descent does not take brings the loss to 0 and w to 1."""
    for a in (1.25, 2.0):
        theta = 50.0 * np.array([1.0, -2.0 * a])
        scores = np.array(features(a, 0.5)) @ theta
        assert scores.argmax() == 0
        assert DPO.value(scores[0] - scores[1], 1.0) < 1e-20


def test_descent_never_moves_along_b_and_its_path_does_not_depend_on_o() -> None:
    for a, b, share in ((0.0, 1.0, 0.5), (2.0, 0.5, 0.01)):
        run = train(
            W_BEATS_L,
            list(LOSSES.values()),
            0.5,
            pi_ref=reference(share),
            features=features(a, b),
            optimiser=GradientDescent(0.05),
            steps=100,
            batch_size=None,
            seeds=1,
            record_every=1,
        )
        assert run.theta is not None
        for name, theta in zip(LOSSES, run.theta[:, 0], strict=True):
            assert not theta[:, 1].any()
            assert_allclose(theta[:, 0], shared_weights._path(name, 0.5)[:101], rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "said"),
    [
        (0.0, "A step lifts w's score, and neither o's nor l's. "),
        (0.75, "A step lifts o's score 0.75 times as much as w's, and l's not at all. "),
        (1.0, "A step lifts the scores of w and o alike, and l's not at all. "),
        (2.0, "A step lifts o's score twice as much as w's, and l's not at all. "),
    ],
)
def test_the_sentence_begins_with_what_a_step_lifts(a: float, said: str) -> None:
    assert sentence(a=a).startswith(said)


def test_ipo_loses_w_too_where_beta_is_small() -> None:
    lesson = {"pi_ref_o": 0.1, "step": 10_000}
    assert "at w = 0.507, before w turns." in sentence(beta=1.0, **lesson)
    assert "at w = 0.0294, after w turns." in sentence(beta=0.1, **lesson)
    assert "At step 0, w has 0.45 and o has 0.1." in sentence(pi_ref_o=0.1, step=0)


def test_a_panel_may_begin_at_another_beta() -> None:
    run = train(
        W_BEATS_L,
        IPO,
        0.3,
        features=features(2.0, 0.0),
        optimiser=GradientDescent(0.05),
        steps=4,
        batch_size=None,
        seeds=1,
        record_every=1,
        pi_ref=reference(0.02),
    )
    (shown,) = drawn(beta=0.3, step=4)["IPO w here"].get_ydata()
    assert_allclose(shown, np.log(run.final[0, 0]), rtol=1e-12)
