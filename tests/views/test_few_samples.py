import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom

from psipo_explore import IDENTITY, LOGIT, tournament
from psipo_explore.few_samples import collapse_probability, expected_policy
from psipo_explore.views import few_samples


@pytest.mark.parametrize(
    ("p", "n", "beta"), [(0.8, 5, 10.0), (0.5, 1, 0.1), (0.95, 40, 1.0), (1.0, 12, 100.0)]
)
def test_what_is_drawn_is_the_law_and_its_means(p: float, n: int, beta: float) -> None:
    _, artists = few_samples.VIEW.drawn({"p": p, "n": n, "beta": beta})
    table = tournament([(0, 1)], 2, p)
    bars = [*artists["divided"].get_segments(), *artists["unanimous"].get_segments()]
    heights = {round(float(top[0]) * n): float(top[1]) for _, top in bars}
    assert_allclose(
        [heights[wins] for wins in range(n + 1)],
        binom.pmf(np.arange(n + 1), n, p),
        rtol=1e-9,
        atol=1e-15,
    )
    for name, psi in (("logit", LOGIT), ("identity", IDENTITY)):
        samples, means = artists[name].get_data()
        assert_allclose(
            means, [expected_policy(table, psi, beta, n=int(m))[1] for m in samples], rtol=1e-12
        )
        assert artists[f"{name} here"].get_ydata() == [means[n - 1]]
    samples, collapsed = artists["collapse"].get_data()
    assert_allclose(
        collapsed, [collapse_probability(table, LOGIT, n=int(m)) for m in samples], rtol=1e-12
    )


def test_the_paper_s_example() -> None:
    sentence = few_samples.figure(p=0.8, n=5, beta=10.0).sentence
    assert "n = 5 raters all agree (p̂ is 0 or 1) with probability 0.328" in sentence
    assert "n = 1 rater always agrees" in few_samples.figure(n=1).sentence
