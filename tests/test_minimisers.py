import re

import numpy as np
import pytest
from graphs import connected
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from scipy.optimize import minimize as scipy_minimize
from strategies import counts, share, tables

import psipo_explore as psipo
from psipo_explore import DPO, IPO, Comparisons, MarginLoss, losses, minimise
from psipo_explore.losses import EXPONENTIAL, SQUARED, cdpo, odpo, robust_dpo

ACCEPTED = [IPO, SQUARED, DPO, odpo(1.5), odpo(-3.0), cdpo(0.1), robust_dpo(0.05), EXPONENTIAL]
RISES_FOR_EVER = [DPO, odpo(1.5), robust_dpo(0.0), EXPONENTIAL]
every_accepted_loss = pytest.mark.parametrize("loss", ACCEPTED, ids=lambda loss: loss.name)


TWO_CONTEXTS = Comparisons([0, 2], [1, 3], tuple("abcd"), np.ones(2), [0, 0, 1, 1])


def mean_loss(data: Comparisons, loss: MarginLoss, beta: float, u: Table) -> float:
    return float(
        np.average(loss.value(u[data.winners] - u[data.losers], beta), weights=data.weights)
    )


@every_accepted_loss
@pytest.mark.parametrize("beta", [0.2, 3.0])
def test_the_minimiser_is_the_one_scipy_finds(loss: MarginLoss, beta: float) -> None:
    data, pi_ref = connected(6, 15, 1), np.random.default_rng(2).dirichlet(np.ones(6))
    fit = minimise(data, loss, beta, pi_ref=pi_ref)
    found = scipy_minimize(
        lambda u: mean_loss(data, loss, beta, u), np.zeros(6), options={"gtol": 1e-9}
    )
    assert_allclose(fit.loss, found.fun, rtol=1e-9)
    assert_allclose(fit.loss, mean_loss(data, loss, beta, fit.log_ratio), rtol=1e-12)
    assert_allclose(fit.policy, psipo.gibbs_policy(found.x, 1.0, pi_ref=pi_ref), rtol=1e-4)
    assert fit.attained
    assert fit.unique
    assert not fit.vanishing.any()


@every_accepted_loss
@given(st.integers(0, 1000), st.integers(2, 12))
@settings(max_examples=15)
def test_the_gradient_vanishes_at_the_minimiser(
    loss: MarginLoss, seed: int, n_actions: int
) -> None:
    data = connected(n_actions, 10, seed)
    try:
        u = minimise(data, loss, 0.7).log_ratio
    except ValueError as refusal:
        if not loss.flipped or "is not bounded below" not in str(refusal):
            raise
        reject()  # test_robust_dpo checks this refusal, by looking at every cut
    pull = data.weights * loss.slope(u[data.winners] - u[data.losers], 0.7)
    gradient = np.bincount(data.winners, pull, n_actions) - np.bincount(
        data.losers, pull, n_actions
    )
    assert_allclose(gradient, 0, atol=1e-9 * data.weights.sum())


@every_accepted_loss
def test_one_solve_serves_every_beta(loss: MarginLoss) -> None:
    data, betas = connected(5, 9, 3), np.array([[1e-12, 0.3], [2.0, 1e12]])
    fit = minimise(data, loss, betas)
    assert fit.policy.shape == fit.log_ratio.shape == (2, 2, 5)
    assert fit.loss.shape == (2, 2)
    for at in np.ndindex(2, 2):
        alone = minimise(data, loss, betas[at])
        assert_allclose(fit.policy[at], alone.policy)
        assert_allclose(fit.loss[at], alone.loss)
    assert_allclose(fit.policy.sum(-1), 1)
    assert_allclose(fit.policy[1, 1], 0.2, rtol=1e-9)


@pytest.mark.parametrize("loss", RISES_FOR_EVER, ids=lambda loss: loss.name)
def test_what_is_beaten_from_outside_its_strong_component_vanishes(loss: MarginLoss) -> None:
    data = Comparisons.from_pairs(
        [("a", "b"), ("b", "a"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]
    )
    fit = minimise(data, loss, 5.0)
    assert fit.vanishing.tolist() == [False, False, True, True]
    assert_array_equal(fit.policy[2:], 0)
    assert_array_equal(fit.log_ratio[2:], -np.inf)
    assert not fit.attained
    assert fit.unique
    inner = minimise(Comparisons.from_pairs([("a", "b"), ("b", "a"), ("b", "a")]), loss, 5.0)
    assert_allclose(fit.policy[:2], inner.policy)
    rest = Comparisons.from_pairs([("c", "d"), ("d", "c")])
    assert_allclose(6 * fit.loss, 3 * inner.loss + 2 * minimise(rest, loss, 5.0).loss)


@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
def test_open_choices_go_to_the_policy_closest_to_the_reference(loss: MarginLoss) -> None:
    data = Comparisons.from_pairs(
        [("a", "b"), ("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("d", "c"), ("d", "c")],
        actions="abcde",
    )
    pi_ref = np.array([0.1, 0.25, 0.3, 0.15, 0.2])
    fit = minimise(data, loss, 0.4, pi_ref=pi_ref)
    assert not fit.unique

    def blend(logits: Table) -> Table:
        lifts = np.repeat([*logits, 0.0], [2, 2, 1])
        weights = fit.policy * np.exp(lifts)
        return weights / weights.sum()

    found = scipy_minimize(
        lambda x: float(psipo.kl_divergence(blend(x), pi_ref)), [0.5, -0.5], options={"gtol": 1e-9}
    )
    assert_allclose(found.x, 0, atol=1e-5)


def test_each_context_is_normalised_by_itself() -> None:
    one, two = (
        Comparisons.from_pairs([("a", "b"), ("b", "a"), ("b", "a")]),
        Comparisons.from_pairs([("c", "d"), ("d", "e")]),
    )
    both = Comparisons(
        [*one.winners, *(two.winners + 2)],
        [*one.losers, *(two.losers + 2)],
        tuple("abcde"),
        np.ones(5),
        [0, 0, 1, 1, 1],
    )
    fit = minimise(both, IPO, 0.5)
    assert fit.unique
    assert_allclose(fit.policy[:2], minimise(one, IPO, 0.5).policy)
    assert_allclose(fit.policy[2:], minimise(two, IPO, 0.5).policy)
    assert not minimise(both, DPO, 0.5).attained
    with pytest.raises(
        ValueError, match=r"^pi_ref sums to 0.5 in context 0, must sum to 1 in each"
    ):
        minimise(both, IPO, 0.5, pi_ref=[0.25, 0.25, 0.2, 0.2, 0.1])


@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
@given(st.data())
@settings(max_examples=15)
def test_the_population_s_minimiser_sees_win_rates_only_and_orders_by_them(
    loss: MarginLoss, data: st.DataObject
) -> None:
    p, mu = data.draw(tables(4, easy=True)), share(data.draw(counts(4, zeros=False)))
    cycle = np.zeros((4, 4))
    # Each row sums to 0 when weighted by μ, so the cycle changes no score.
    cycle[:3, :3] = [[0, mu[2], -mu[1]], [-mu[2], 0, mu[0]], [mu[1], -mu[0], 0]]
    fit, turned = (
        minimise(Comparisons.from_preferences(table, mu=mu), loss, 0.7)
        for table in (p, p + 0.009 * cycle)
    )
    assert_allclose(turned.policy, fit.policy, rtol=1e-8)
    order = np.argsort(p @ mu)
    assert (np.diff(fit.log_ratio[order]) >= -1e-9).all()


def test_a_sure_cycle_leaves_dpo_a_minimum_where_the_closed_form_collapses() -> None:
    cycle, mu = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3), [0.5, 0.25, 0.25]
    assert psipo.optimal_policy(cycle, psipo.LOGIT, 1.0, mu=mu).tolist() == [0, 0, 1]
    fit = minimise(Comparisons.from_preferences(cycle, mu=mu), DPO, 1.0)
    assert fit.attained
    assert_allclose(fit.policy, [0.304, 0.180, 0.516], atol=6e-4)


def test_a_long_chain_of_near_certain_results() -> None:
    n = 1000
    up, down = np.arange(n - 1), np.arange(1, n)
    weights = np.concatenate([np.full(n - 1, 99.0), np.ones(n - 1)])
    names = tuple(map(str, range(n)))
    data = Comparisons(
        np.concatenate([up, down]),
        np.concatenate([down, up]),
        names,
        weights,
        np.zeros(n, dtype=int),
    )
    assert_allclose(np.diff(minimise(data, DPO, 2.0).log_ratio), -np.log(99) / 2, rtol=1e-9)
    assert_allclose(np.diff(minimise(data, IPO, 2.0).log_ratio), -0.98 / 4, rtol=1e-9)


@pytest.mark.parametrize("beta", [1e-100, 1e-12, 1e-9, 1e-6, 1.0, 1e100])
def test_blocks_keep_their_shares_at_any_beta(beta: float) -> None:
    star = Comparisons.from_pairs([("a", "d"), ("b", "d"), ("c", "d")], actions="abcde")
    fit = minimise(star, IPO, beta)
    inner = np.exp(-1 / (2 * beta))
    block = np.array([1, 1, 1, inner]) / (3 + inner)
    odds = 4 / 5 * np.exp(-np.sum(block * np.log(4 * np.maximum(block, 1e-300)))) / (1 / 5)
    assert_allclose(fit.policy, np.append(block * odds, 1) / (1 + odds), rtol=1e-12, atol=1e-300)
    assert_allclose(fit.policy.sum(), 1, rtol=1e-15)


def test_contexts_of_unlike_weights_are_each_minimised() -> None:
    contexts = [0, 0, 1, 1]
    data = Comparisons(
        [0, 1, 2, 3], [1, 0, 3, 2], tuple("abcd"), [3e300, 1e300, 3e-300, 1e-300], contexts
    )
    for loss in (IPO, DPO, cdpo(0.1)):
        policy = minimise(data, loss, 1.0).policy
        assert_allclose(policy[2:], policy[:2])
    assert_allclose(minimise(data, DPO, 1.0).policy, [0.75, 0.25] * 2)


def test_choices_are_counted_context_by_context() -> None:
    contexts = [0, 0, 1, 1, 1]
    data = Comparisons([0, 2], [1, 3], tuple("abcde"), np.ones(2), contexts)
    fit = minimise(data, IPO, 0.5)
    assert not fit.unique
    low, high = fit.bounds
    assert_allclose(low[:2], fit.policy[:2])
    assert_allclose(high[:2], fit.policy[:2])
    assert_array_equal(low[2:], 0)
    assert_allclose(high[2:], [*minimise(Comparisons.from_pairs([("c", "d")]), IPO, 0.5).policy, 1])


def test_weights_at_the_ends_of_float64() -> None:
    for weight in (5e-324, 1e-310, 1e307):
        data = Comparisons.from_pairs([("a", "b"), ("b", "a")], weights=[weight, weight])
        assert_allclose(minimise(data, IPO, 1.0).loss, 0.25)
        assert_allclose(minimise(data, DPO, 1.0).loss, np.log(2))


@given(st.integers(0, 999), st.sampled_from([IPO, DPO]))
def test_bounds_are_what_minimisers_range_over(seed: int, loss: MarginLoss) -> None:
    """Check that any weights of the blocks keep the loss, and every action within its bounds."""
    rng = np.random.default_rng(seed)
    pairs = [("a", "b"), ("b", "a"), ("b", "a"), ("c", "d"), ("d", "c"), ("c", "e")]
    data = Comparisons.from_pairs(pairs, actions="abcdef")
    pi_ref = rng.dirichlet(np.ones(6))
    fit = minimise(data, loss, 0.7, pi_ref=pi_ref)
    low, high = fit.bounds
    assert (low == 0).all()
    inside = np.isin(data.losers, np.flatnonzero(~fit.vanishing))
    blocks = [[0, 1], [2, 3], [5]] if loss is DPO else [[0, 1], [2, 3, 4], [5]]
    for weight in [*np.eye(3), rng.dirichlet(np.ones(3))]:
        policy = np.zeros(6)
        for block, part in zip(blocks, weight, strict=True):
            policy[block] = part * fit.policy[block] / fit.policy[block].sum()
        assert (policy <= high * (1 + 1e-12)).all()
        if (weight > 0).all():
            with np.errstate(divide="ignore"):
                u = np.log(policy / pi_ref)
            of_inside = (
                loss.value((u[data.winners] - u[data.losers])[inside], 0.7) @ data.weights[inside]
            )
            assert_allclose(of_inside / data.weights.sum(), fit.loss, rtol=1e-9)
    assert_allclose([high[block].sum() for block in blocks], 1)
    unique = minimise(psipo.D1, loss, 0.7)
    assert_array_equal(unique.bounds, [unique.policy] * 2)


def test_an_action_never_compared_may_be_excluded_by_the_reference() -> None:
    fit = minimise(psipo.D3, IPO, 1.0, pi_ref=[0.3, 0.7, 0.0])
    assert_allclose(fit.policy, [0.3, 0.7, 0])
    assert np.isfinite(fit.log_ratio).all()
    assert_allclose(fit.bounds, [[0.3, 0.7, 0]] * 2)
    assert fit.unique


def cells(html: str) -> list[str]:
    return re.findall(r"<(?:caption|th|td)\b[^>]*>([^<]*)<", html)


def test_results_show_themselves() -> None:
    assert cells(minimise(psipo.D1, DPO, 1.0)._repr_html_()) == [
        "loss 0: not attained, unique",
        *("action", "π", "log π − log π_ref", ""),
        *("a", "1", "1.09861", ""),
        *("b", "0", "-inf", "vanishes"),
        *("c", "0", "-inf", "vanishes"),
    ]
    assert cells(minimise(psipo.D3, IPO, 1.0)._repr_html_())[0] == "loss 0.25: attained, not unique"
    assert minimise(psipo.D1, DPO, [1.0, 2.0])._repr_html_() == (
        "<p>Minimum: not attained, unique; policies of shape (2, 3)</p>"
    )


def test_a_long_result_says_how_much_of_it_is_shown() -> None:
    for n_actions in (30, 40):
        caption, *rest = cells(minimise(connected(n_actions, 5, 0), IPO, 1.0)._repr_html_())
        assert len(rest) == 4 * (1 + 30)
        assert caption.startswith("loss ")
        assert caption.endswith(
            "; the first 30 of 40 actions" if n_actions == 40 else ": attained, unique"
        )


def test_a_reference_is_a_distribution_in_each_context() -> None:
    data = Comparisons([0, 3], [1, 4], tuple("abcde"), np.ones(2), [0, 0, 1, 1, 1])
    assert_array_equal(data.reference(), [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    as_float32 = np.array([0.3, 0.7, 0.1, 0.2, 0.7], dtype=np.float32)
    sums = np.add.reduceat(data.reference(as_float32), [0, 2])
    assert_allclose(sums, 1, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: minimise(Comparisons.from_table([[0]]), IPO, 1.0),
            r"^data holds no comparison, must hold at least one",
        ),
        (lambda: minimise(psipo.D1, IPO, [1.0, 0.0]), r"^beta\[1\] = 0, must be positive"),
        (
            lambda: minimise(psipo.D1, IPO, 1.0, pi_ref=[1.0, 0.0, 0.0]),
            r"^pi_ref\[1\] = 0, must be positive: 'b' was compared",
        ),
        (
            lambda: minimise(psipo.D1, IPO, 1.0, pi_ref=[0.5, 0.5]),
            r"^pi_ref has shape \(2,\), must be \(3,\)",
        ),
        (
            lambda: minimise(psipo.D1, IPO, 1.0, pi_ref=[-0.1, 1.3, -0.2]),
            r"^pi_ref\[2\] = -0.2, must be a probability$",
        ),
        (
            lambda: minimise(psipo.D1, IPO, 1.0, pi_ref=np.ma.array([0.5] * 3, mask=[0, 0, 1])),
            r"^pi_ref has masked entries",
        ),
        (
            lambda: minimise(TWO_CONTEXTS, IPO, 1.0, pi_ref=[0.5, 1.0, 0.4, 0.4]),
            r"^pi_ref sums to 1.5 in context 0, must sum",
        ),
        (
            lambda: minimise(TWO_CONTEXTS, IPO, 1.0, pi_ref=[0.6, 0.6, 0.2, 0.3]),
            r"^pi_ref sums to 0.5 in context 1, must sum",
        ),
        (
            lambda: minimise(psipo.D1, losses.HINGE, 1.0),
            r"^loss 'hinge' has no well-defined minimiser: .*unique",
        ),
        (
            lambda: minimise(psipo.D1, losses.robust_dpo(0.1), 1.0),
            r"^loss 'robust DPO 0.1' is not bounded below on these data: without the flipped "
            r"labels 'b' would have beaten 'a' "
            r"-0.125 times; it can be trained$",
        ),
        (lambda: minimise(psipo.D1, losses.exo(0.1), 1.0), r"convex"),
        (lambda: minimise(psipo.D1, losses.discopop(0.1), 1.0), r"convex"),
    ],
)
def test_what_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_what_is_no_loss_or_no_data_is_refused_by_name() -> None:
    with pytest.raises(
        TypeError, match=r"^data = 3, must be Comparisons, such as Comparisons.from_pairs\(…\)$"
    ):
        minimise(3, IPO, 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^loss = 'ipo', must be a MarginLoss"):
        minimise(psipo.D1, "ipo", 1.0)  # type: ignore[arg-type]
