import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from psipo_explore._data.segments import Segments


@pytest.mark.parametrize(
    "labels", [[0, 0, 1, 1, 1, 5], [5, 0, 1, 0, 1, 1], [1, 1, 0, 0, 2, 2], [3] * 6, range(6)]
)
def test_groups_are_summed_one_by_one(labels: list[int]) -> None:
    of = np.array(labels)
    rng = np.random.default_rng(0)
    u, log_weights = rng.normal(size=(2, 6)) * 100, np.log(rng.uniform(0.1, 1, 6))
    total, less_log_mean = np.empty((2, 6)), np.empty((2, 6))
    for label in labels:
        u_here, log_weights_here = u[:, of == label], log_weights[of == label]
        total[:, of == label] = u_here.sum(-1, keepdims=True)
        less_log_mean[:, of == label] = u_here - logsumexp(
            log_weights_here + u_here, axis=-1, keepdims=True
        )
    assert_allclose(Segments(of).sum(u), total, rtol=1e-13)
    assert_allclose(
        Segments(of).less_log_mean(u, log_weights), less_log_mean, rtol=1e-13, atol=1e-12
    )


def test_labels_in_order_and_in_disorder_give_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    labels, u = np.repeat(np.arange(20), 3), rng.normal(size=(4, 60))
    log_weights = np.log(rng.uniform(0.1, 1, 60))
    # Entry k of every group comes before entry k + 1 of any group.
    mixed = np.arange(60).reshape(20, 3).T.ravel()
    in_order, in_disorder = Segments(labels), Segments(labels[mixed])
    assert_array_equal(in_disorder.sum(u[:, mixed]), in_order.sum(u)[:, mixed])
    assert_array_equal(
        in_disorder.less_log_mean(u[:, mixed], log_weights[mixed]),
        in_order.less_log_mean(u, log_weights)[:, mixed],
    )


def test_a_group_without_weight_is_left_as_it_is() -> None:
    u = np.array([1.0, 2.0, 1e300, -3.0])
    log_weights = np.array([0.0, -np.inf, -np.inf, -np.inf])
    found = Segments(np.array([0, 0, 1, 1])).less_log_mean(u, log_weights)
    assert_array_equal(found, [0.0, 1.0, 1e300, -3.0])
