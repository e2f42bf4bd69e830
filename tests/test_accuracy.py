"""Every closed form against 50-digit arithmetic, on random problems up to the limits of float64.

Each test prints its largest error, relative to the problem's conditioning, and asserts that it is
below 1e-12. `make test` tries a few cases of each, `make accuracy` thousands.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from mpmath import mp, mpf
from oracles import Table, exact_pair, expected_psi, leash, leashed, psi_of, tilt
from strategies import NAMED_PSIS

import psipo_explore as psipo
from psipo_explore import IDENTITY, LOGIT, Psi, folded_power
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    Divergence,
    alpha,
    tilted_policy,
)
from psipo_explore.few_samples import collapse_probability, expected_policy
from psipo_explore.psi import LOG, PROBIT

CASES = int(os.environ.get("PSIPO_ACCURACY_CASES", "40"))
PSIS = [*NAMED_PSIS, folded_power(0.1), folded_power(2.0)]
FLOOR = mpf(10) ** -300  # float64 loses digits below this
every_psi = pytest.mark.parametrize("psi", PSIS, ids=lambda psi: psi.name)


@dataclass
class Problem:
    """A random problem with preferences as close to 0 and 1 as float64 allows.

    The preferences come from rewards, and μ and π_ref from whole numbers.
    """

    rewards: Table
    p: Table
    mu: list[int]
    pi_ref: list[int]
    beta: float

    @property
    def shares(self) -> dict[str, Table]:
        return {
            name: np.array(n) / sum(n) for name, n in (("pi_ref", self.pi_ref), ("mu", self.mu))
        }


def problems(name: str, most_actions: int = 50) -> Iterator[Problem]:
    rng = np.random.default_rng(sum(map(ord, name)))
    for case in range(CASES):
        k = case + 1 if case < 3 else int(np.exp(rng.uniform(0, np.log(most_actions + 1))))
        rewards = rng.uniform(-1, 1, k) * 10 ** rng.uniform(-2, np.log10(345))
        counts = [rng.integers(0, 9, k) * (rng.random(k) < 0.8) for _ in range(2)]
        mu, pi_ref = ((n if n.any() else np.ones(k, dtype=int)).tolist() for n in counts)
        yield Problem(rewards, psipo.bradley_terry(rewards), mu, pi_ref, 10 ** rng.uniform(-12, 12))


def assert_accurate(name: str, errors: Iterator[mpf]) -> None:
    """Print the largest error, and assert that it is below 1e-12."""
    largest = max(map(float, errors), default=0.0)
    print(f"\n{name}: {largest:.1e} in {CASES} problems")
    assert largest < 1e-12


def largest_psi(p: Table, psi: Psi) -> float:
    return float(np.abs(psi.of_table(p)).max())


def probabilities_off(got: Table, exact: list[mpf], conditioning: float) -> mpf:
    return max(abs(mpf(x) - y) / (y + FLOOR) for x, y in zip(got.tolist(), exact, strict=True)) / (
        1 + mpf(conditioning)
    )


def test_bradley_terry() -> None:
    def errors() -> Iterator[mpf]:
        for problem in problems("bradley_terry", 12):
            r = problem.rewards.tolist()
            for (y, z), got in np.ndenumerate(problem.p):
                exact = 1 / (1 + mp.exp(mpf(r[z]) - mpf(r[y])))
                yield abs(mpf(float(got)) - exact) / exact / (1 + abs(r[y]) + abs(r[z]))

    assert_accurate("bradley_terry", errors())


@every_psi
def test_expected_psi(psi: Psi) -> None:
    def errors() -> Iterator[mpf]:
        for problem in problems(psi.name, 6 if psi is PROBIT else 20):
            got = psipo.expected_psi(problem.p, psi, mu=problem.shares["mu"]).value
            for x, y in zip(
                got.tolist(), expected_psi(problem.p, psi.name, problem.mu), strict=True
            ):
                yield abs(mpf(x) - y) / (mpf(largest_psi(problem.p, psi)) + FLOOR)

    assert_accurate(f"expected_psi, {psi.name}", errors())


@every_psi
def test_expected_psi_bradley_terry(psi: Psi) -> None:
    """Compute the exact scores from the rewards, because a table of p may have lost digits."""

    def errors() -> Iterator[mpf]:
        of = psi_of(psi.name)
        for problem in problems(psi.name, 6 if psi is PROBIT else 20):
            r = [mpf(x) for x in problem.rewards.tolist()]
            got = psipo.expected_psi_bradley_terry(
                problem.rewards, psi, mu=problem.shares["mu"]
            ).value
            for x, r_y in zip(got.tolist(), r, strict=True):
                q = [(1 / (1 + mp.exp(r_z - r_y)), 1 / (1 + mp.exp(r_y - r_z))) for r_z in r]
                terms = [n * of(*pair) for n, pair in zip(problem.mu, q, strict=True) if n]
                whole = mp.fsum(map(abs, terms)) + sum(problem.mu)
                yield abs(mpf(x) * sum(problem.mu) - mp.fsum(terms)) / whole / (1 + float(abs(r_y)))

    assert_accurate(f"expected_psi_bradley_terry, {psi.name}", errors())


@every_psi
def test_optimal_policy(psi: Psi) -> None:
    def errors() -> Iterator[mpf]:
        for problem in problems(psi.name, 6 if psi is PROBIT else 20):
            exact = tilt(
                expected_psi(problem.p, psi.name, problem.mu), problem.beta, problem.pi_ref
            )
            got = psipo.optimal_policy(problem.p, psi, problem.beta, **problem.shares)
            yield probabilities_off(got, exact, largest_psi(problem.p, psi) / problem.beta)

    assert_accurate(f"optimal_policy, {psi.name}", errors())


def test_gibbs_policy_of_rewards() -> None:
    def errors() -> Iterator[mpf]:
        for problem in problems("gibbs"):
            exact = tilt([mpf(x) for x in problem.rewards.tolist()], problem.beta, problem.pi_ref)
            got = psipo.gibbs_policy(problem.rewards, problem.beta, pi_ref=problem.shares["pi_ref"])
            yield probabilities_off(got, exact, float(np.abs(problem.rewards).max()) / problem.beta)

    assert_accurate("gibbs_policy", errors())


LEASHES = [
    *(KL, REVERSE_KL, CHI_SQUARED, CHI_PO, JENSEN_SHANNON),
    *(alpha(a) for a in (-100, -1, 1e-5, 0.5, 0.999, 1.001, 1.5, 3, 100)),
]


def slopes_off(got: Table, w: list[mpf], exact: list[mpf], a: float) -> mpf:
    """Return the error for an f that drops actions, where slopes are powers of the ratios r.

    Close to the border r is a root of a difference, so relative errors of r have no bound. With the
    largest ratio t, (r/t)^(a − 1) is as accurate as that difference, or r/t is if a < 2.
    """
    t, power = max(exact), mpf(max(a - 1, 1.0))
    return max(
        abs((mpf(p) / w_y / t) ** power - (r / t) ** power) / power
        for p, w_y, r in zip(got.tolist(), w, exact, strict=True)
        if w_y
    )


def logs_off(
    got: Table, w: list[mpf], exact: list[mpf], x: list[mpf], curvature: Callable[[mpf], mpf]
) -> mpf:
    """Return the relative error for an f that keeps all actions, relative to its conditioning.

    By 1/(r f''(r)) changes log r with f'(r), thus with x and with f'(t). The latter is found from
    the sum of all, on which an action of probability π has the effect π/(r f''(r)).
    """
    moves = [1 / (r * curvature(r)) if r else mpf(0) for r in exact]
    effects = [w_y * r * move for w_y, r, move in zip(w, exact, moves, strict=True)]
    whole = sum(e * abs(x_y) for e, x_y in zip(effects, x, strict=True)) + 1
    return max(
        abs(mpf(p) - w_y * r) / (w_y * r + FLOOR) / (1 + m * abs(x_y) + m * whole / sum(effects))
        for p, w_y, r, m, x_y in zip(got.tolist(), w, exact, moves, x, strict=True)
    )


@pytest.mark.parametrize("f", LEASHES, ids=lambda f: f.name)
def test_tilted_policy(f: Divergence) -> None:
    def errors() -> Iterator[mpf]:
        rng = np.random.default_rng(3)
        for problem in problems(f.name, 5):
            n = [m * 10 ** int(rng.integers(0, 13)) for m in problem.pi_ref]
            w, g = [mpf(m) / sum(n) for m in n], [mpf(r) for r in problem.rewards.tolist()]
            best = max(g_y for g_y, w_y in zip(g, w, strict=True) if w_y)
            x = [
                (g_y - best) / mpf(problem.beta) if w_y else mpf(0)
                for g_y, w_y in zip(g, w, strict=True)
            ]
            exact = leashed(x, w, f.name)
            policy = tilted_policy(
                problem.rewards, problem.beta, f, pi_ref=np.array([float(w_y) for w_y in w])
            )
            if f.drops:
                a = 2.0 if f is CHI_SQUARED else float(f.name.removeprefix("α = "))
                yield slopes_off(policy, w, exact, a)
            else:
                yield logs_off(policy, w, exact, x, leash(f.name)[1])

    assert_accurate(f"tilted_policy, {f.name}", errors())


def kl_terms(of: list[int], reference: list[int]) -> list[mpf]:
    total, total_ref = sum(of), sum(reference)
    return [
        mpf(n) / total * mp.log(mpf(n) * total_ref / (mpf(m) * total))
        for n, m in zip(of, reference, strict=True)
        if n
    ]


def policies_beside(name: str) -> Iterator[tuple[Problem, list[int]]]:
    """Yield each problem with a random policy that has the support of its π_ref."""
    rng = np.random.default_rng(1)
    for problem in problems(name, 20):
        yield problem, [n * int(rng.integers(1, 9)) for n in problem.pi_ref]


def test_kl_divergence() -> None:
    def errors() -> Iterator[mpf]:
        for problem, other in policies_beside("kl"):
            terms = kl_terms(other, problem.pi_ref)
            got = psipo.kl_divergence(np.array(other) / sum(other), problem.shares["pi_ref"])
            yield abs(mpf(float(got)) - mp.fsum(terms)) / (mp.fsum(map(abs, terms)) + FLOOR)

    assert_accurate("kl_divergence", errors())


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, LOG], ids=lambda psi: psi.name)
def test_objective(psi: Psi) -> None:
    def errors() -> Iterator[mpf]:
        for problem, other in policies_beside(psi.name):
            g = expected_psi(problem.p, psi.name, problem.mu)
            gains = [mpf(n) / sum(other) * g_y for n, g_y in zip(other, g, strict=True)]
            costs = [mpf(problem.beta) * term for term in kl_terms(other, problem.pi_ref)]
            policy = np.array(other) / sum(other)
            got = psipo.objective(policy, problem.p, psi, problem.beta, **problem.shares)
            whole = mpf(largest_psi(problem.p, psi)) + mp.fsum(map(abs, costs)) + FLOOR
            yield abs(mpf(float(got)) - mp.fsum(gains) + mp.fsum(costs)) / whole

    assert_accurate(f"objective, {psi.name}", errors())


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, folded_power(0.1)], ids=lambda psi: psi.name)
def test_cyclic_share(psi: Psi) -> None:
    def errors() -> Iterator[mpf]:
        of = psi_of(psi.name)
        for problem in problems(psi.name, 12):
            p, k = problem.p.copy(), len(problem.p)
            if k > 2:
                p[[0, 1, 2], [1, 2, 0]], p[[1, 2, 0], [0, 1, 2]] = 0.9, 0.1  # adds a cycle
            mu = [mpf(n) / sum(problem.mu) for n in problem.mu]
            centre = of(mpf(1) / 2, mpf(1) / 2)
            flow = [[of(*exact_pair(p, y, z)) - centre for z in range(k)] for y in range(k)]
            g = [mp.fsum(m * x for m, x in zip(mu, row, strict=True)) for row in flow]
            pairs = [(mu[y] * mu[z], flow[y][z], g[y] - g[z]) for y in range(k) for z in range(k)]
            whole = mp.fsum(w * f**2 for w, f, _ in pairs)
            exact = mp.fsum(w * (f - h) ** 2 for w, f, h in pairs) / whole if whole else mpf(0)
            yield abs(mpf(float(psipo.cyclic_share(p, psi, mu=problem.shares["mu"]))) - exact)

    assert_accurate(f"cyclic_share, {psi.name}", errors())


def exact_binomial(n: int, wins: int, q: mpf, opposite: mpf) -> mpf:
    return mp.binomial(n, wins) * q**wins * opposite ** (n - wins)


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY], ids=lambda psi: psi.name)
def test_few_samples(psi: Psi) -> None:
    def errors() -> Iterator[mpf]:
        rng = np.random.default_rng(2)
        for problem in problems("few samples", 1):
            n, p = (
                int(rng.integers(1, 40)),
                psipo.bradley_terry([0.0, float(rng.uniform(-690, 690))]),
            )
            q, opposite = exact_pair(p, 0, 1)
            policies = [
                _winner_at(psi, mpf(wins) / n, mpf(n - wins) / n, problem.beta)
                for wins in range(n + 1)
            ]
            exact = mp.fsum(
                exact_binomial(n, wins, q, opposite) * policies[wins] for wins in range(n + 1)
            )
            got = expected_policy(p, psi, problem.beta, n=n)[0]
            yield (
                abs(mpf(float(got)) - exact)
                / (exact + FLOOR)
                / (1 + n * 700 + 1 / mpf(problem.beta))
            )
            collapsed = q**n + opposite**n if psi is LOGIT else mpf(0)
            yield abs(mpf(float(collapse_probability(p, psi, n=n))) - collapsed) / (1 + n * 700)

    assert_accurate(f"few_samples, {psi.name}", errors())


def _winner_at(psi: Psi, q: mpf, opposite: mpf, beta: float) -> mpf:
    """Return π*(y_w) for two actions and uniform μ and π_ref."""
    if psi is LOGIT and q * opposite == 0:
        return q
    of: Callable[[mpf, mpf], mpf] = psi_of(psi.name)
    return 1 / (1 + mp.exp(-(of(q, opposite) - of(opposite, q)) / 2 / mpf(beta)))
