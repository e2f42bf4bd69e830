"""Expected Ψ of each action, g(y) = E_{y'∼μ}[Ψ(p*(y ≻ y'))], Eq. 9 of arXiv:2310.12036.

Certain preferences under an unbounded Ψ make a score infinite. Scores are therefore kept in parts
that say how fast each one diverges, because the optimal policy can have a limit where the scores
have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore._exact_sums import exact_sum, order_of_rates
from psipo_explore._logistic_sums import win_rates
from psipo_explore._tables import SHOWN, html_table
from psipo_explore.psi import IDENTITY, LOGIT, Psi

__all__ = ["ExpectedPsi", "cyclic_share", "expected_psi", "expected_psi_bradley_terry"]

_BLOCK = 1 << 20  # values of Ψ held at once, so that the K×K table need not fit into memory
# Relative rounding error of one term μ(y') Ψ: Ψ is accurate to an ulp or two, and both μ and the
# product are rounded.
_ULPS_OF_A_TERM = 4 * float(np.finfo(float).eps)
_CHEBYSHEV = 2e-14  # error bound of a win rate that `win_rates` interpolates
_SMALL = 512  # up to this many actions, the rows of the table are faster than Chebyshev nodes


@dataclass(frozen=True, eq=False)
class ExpectedPsi:
    """Expected Ψ of each action, kept in three parts so that infinite scores can be compared.

    The score is g(y) = E_{y'∼μ}[Ψ(p*(y ≻ y'))], Eq. 9 of arXiv:2310.12036. If every p is clipped to
    [ε, 1−ε], then g = won · (Ψ(1−ε) − Ψ(½)) − lost · (Ψ(½) − Ψ(ε)) + rest as ε → 0.

    Parameters
    ----------
    won, lost : ndarray, shape (..., K)
        Probability under μ of the opponents that an action surely beats, and of those that surely
        beat it. The first is 0 if Ψ(1) is finite, the second if Ψ(0) is.
    rest : ndarray, shape (..., K)
        The finite part of the score. A certain preference that makes the score infinite counts
        here as an even one.
    place : ndarray of int, shape (..., K), optional
        Rank of each action's rate, won − lost, in ascending order; equal rates share a rank. By
        default, rates are equal if they differ by a few ulps.
    rounding : ndarray, shape (..., K), optional
        How far rounding may have moved rest; by default, rest is taken as exact.

    Raises
    ------
    ValueError
        If the shapes of won, lost and rest differ, if one of their entries is not finite, or if
        an entry of won or lost is not a probability.

    Examples
    --------
    >>> from psipo_explore import tournament
    >>> g = expected_psi(tournament([(0, 1)], 2), LOGIT)
    >>> g.rate, g.value, bool(g.determined)
    (array([ 0.5, -0.5]), array([ inf, -inf]), True)
    """

    won: Array
    lost: Array
    rest: Array
    place: Indices | None = None
    rounding: Array | None = None

    def __post_init__(self) -> None:
        for name in ("won", "lost", "rest"):
            object.__setattr__(self, name, checks.as_finite(name, getattr(self, name)))
            checks.require_last_axis(name, getattr(self, name))
        if not self.won.shape == self.lost.shape == self.rest.shape:
            raise ValueError(
                f"won, lost, rest have shapes {self.won.shape}, {self.lost.shape}, "
                f"{self.rest.shape}, must be equal"
            )

        for name in ("won", "lost"):
            share = getattr(self, name)
            checks.refuse_where(
                (share < 0) | (share > 1 + checks.POLICY_TOLERANCE),
                name,
                share,
                "must be a share of μ",
            )

    def _repr_html_(self) -> str:
        if self.rest.ndim > 1 or self.rest.size > SHOWN:
            return f"<p>ExpectedPsi of shape {self.rest.shape}</p>"
        parts = zip(self.value, self.won, self.lost, self.rest, strict=True)
        rows = [[str(y), *(f"{part:.6g}" for part in of_y)] for y, of_y in enumerate(parts)]
        caption = "E_μ[Ψ(p*)]" + (
            "" if self.determined else "; where certain preferences meet, the limit is a convention"
        )
        return html_table(
            ["action", "value", "μ surely beaten", "μ that surely beat", "rest"],
            rows,
            caption=caption,
        )

    @property
    def rate(self) -> Array:
        """The rate won − lost at which g tends to ±∞, shape (..., K)."""
        return self.won - self.lost

    @property
    def value(self) -> Array:
        """The score g as an extended real, shape (..., K); NaN where it is ∞ − ∞."""
        wins, loses = self.won > 0, self.lost > 0
        return np.where(
            wins & loses, np.nan, np.where(wins, np.inf, np.where(loses, -np.inf, self.rest))
        )

    @property
    def determined(self) -> Mask:
        """Whether all ways to approach the certain preferences lead to the same optimal policy.

        The shape is (...). The answer holds for a π_ref that supports every action. For another
        π_ref, ask it of a score that contains the supported actions only.
        """
        wins, loses = self.won > 0, self.lost > 0
        nothing_certain = ~(wins | loses).any(-1)
        one_clean_winner = (wins.sum(-1) == 1) & ~(wins & loses).any(-1)
        some_stay_finite = ~wins.any(-1) & ~loses.all(-1)
        return np.asarray(nothing_certain | one_clean_winner | some_stay_finite)[()]


def expected_psi(p: ArrayLike, psi: Psi, *, mu: ArrayLike | None = None) -> ExpectedPsi:
    """Expected Ψ of each action against an opponent drawn from μ: g(y) = E_{y'∼μ}[Ψ(p*(y ≻ y'))].

    Eq. 9 of arXiv:2310.12036. For an odd Ψ, each value is computed from the smaller of p(y ≻ y')
    and p(y' ≻ y), because float64 resolves small probabilities better.

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        Preferences; entry [y, y'] is the probability that y beats y', p + pᵀ = 1.
    psi : Psi
        The function of preferences that is maximised.
    mu : array_like, shape (..., K), optional
        Distribution of the opponent; uniform by default.

    Returns
    -------
    ExpectedPsi
        Parts of shape (..., K).

    Raises
    ------
    ValueError
        If p is not a preference table, if mu is not a distribution over its actions, if a certain
        preference has no limit because psi is infinite at both ends and not odd, or if psi is
        infinite at a p that is close to 0 or 1 but not certain.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> from psipo_explore import tournament
    >>> expected_psi(tournament([(0, 1)], 2, q=0.9), IDENTITY).value
    array([0.7, 0.3])
    """
    require_psi(psi)
    p = checks.as_preference_table(p)
    mu = checks.as_policy("mu", mu, p.shape[-1], of="p")
    checks.require_broadcast(p=p.shape[:-2], mu=mu.shape[:-1])
    opponent = mu[..., np.newaxis, :]
    surely_beats, surely_loses = _certain_pairs(p, psi, opponent > 0)
    certain = surely_beats | surely_loses
    finite = np.where(certain, psi.centre, psi.of_table(p))
    finite = np.where(opponent > 0, finite, 0.0)
    if not np.isfinite(finite).all():
        remedy = (
            "be accurate there" if psi.odd else "be odd, so that the smaller of p and pᵀ serves"
        )
        raise ValueError(
            f"psi '{checks.cut(psi.name)}' is infinite at a p so close to 0 or 1 that it rounds to "
            f"certainty, must {remedy}"
        )
    terms = opponent * finite
    return ExpectedPsi(
        won=np.sum(opponent * surely_beats, -1),
        lost=np.sum(opponent * surely_loses, -1),
        rest=exact_sum(terms),
        place=_places(surely_beats, surely_loses, mu),
        rounding=_ULPS_OF_A_TERM * np.abs(terms).sum(-1),
    )


def _places(surely_beats: Mask, surely_loses: Mask, mu: Array) -> Indices:
    """Rank the rates of the actions in every table that holds certain pairs.

    Without a certain pair all rates are 0, and so are their ranks.
    """
    shape = np.broadcast_shapes(surely_beats.shape[:-1], mu.shape)
    surely_beats, surely_loses = (
        np.broadcast_to(sure, (*shape, shape[-1])) for sure in (surely_beats, surely_loses)
    )
    mu = np.broadcast_to(mu, shape)
    certain = (surely_beats | surely_loses).any((-2, -1))
    place = np.zeros(shape, dtype=np.intp)
    if certain.any():
        signs = surely_beats[certain].astype(np.float64) - surely_loses[certain]
        place[certain] = order_of_rates(signs, mu[certain])
    return place


def require_psi(psi: Psi) -> None:
    """Refuse anything that is not a Psi, such as a bare function or a name."""
    if not isinstance(psi, Psi):
        raise TypeError(
            f"psi = {checks.shown(psi)}, must be a Psi: LOGIT, IDENTITY, folded_power(…), "
            "Psi.from_callable(…)"
        )


def _certain_pairs(p: Array, psi: Psi, counts: Mask) -> tuple[Mask, Mask]:
    """Find the pairs at which Ψ is +∞ and those at which it is −∞, among the pairs that count.

    A Ψ that is infinite at both ends and not odd gives certain pairs no limit, so it is refused.
    """
    mirror = np.swapaxes(p, -1, -2)
    surely_beats = (mirror == 0) & counts & np.isinf(psi.at_one)
    surely_loses = (p == 0) & counts & np.isinf(psi.at_zero)
    if not psi.odd and np.isinf(psi.at_zero) and np.isinf(psi.at_one):
        certain = surely_beats | surely_loses
        why = f"has no limit: psi '{checks.cut(psi.name)}' is infinite at both ends and not odd"
        checks.refuse_where(certain, "p", np.broadcast_to(p, certain.shape), why)
    return surely_beats, surely_loses


def cyclic_share(p: ArrayLike, psi: Psi, *, mu: ArrayLike | None = None) -> Array:
    """Share of Ψ(p*) that is cyclic, so that no score of single actions explains it.

    ΨPO cannot see this share, because its optimum depends on the scores alone. The flow
    F(y, y') = Ψ(p*(y ≻ y')) − Ψ(½) is the sum of a gradient g(y) − g(y') and a rest C(y, y'). Here
    g is the expected Ψ, which is the least-squares potential of F. The share is ‖C‖²/‖F‖², where
    pairs have the weights μ(y) μ(y') (HodgeRank, Jiang et al. 2011).

    Parameters
    ----------
    p : array_like, shape (..., K, K)
        Preferences; entry [y, y'] is the probability that y beats y', p + pᵀ = 1.
    psi : Psi
        The function of preferences, which must be odd.
    mu : array_like, shape (..., K), optional
        Distribution of the opponent; uniform by default.

    Returns
    -------
    ndarray, shape (...)
        From 0, where scores explain all of Ψ(p*), to 1, where everything is cyclic. Under logit it
        is 0 if p is a Bradley–Terry model. It is 0 if all pairs are even.

    Raises
    ------
    ValueError
        If psi is not odd, if a certain preference makes the flow infinite, if p is not a preference
        table, or if mu is not a distribution over its actions.

    Examples
    --------
    >>> from psipo_explore import LOGIT, tournament
    >>> rock_paper_scissors = tournament([(0, 1), (1, 2), (2, 0)], 3, q=0.8)
    >>> float(cyclic_share(rock_paper_scissors, LOGIT))
    1.0
    """
    require_odd(psi, "its flow is not antisymmetric")
    p = checks.as_preference_table(p)
    mu = checks.as_policy("mu", mu, p.shape[-1], of="p")
    checks.require_broadcast(p=p.shape[:-2], mu=mu.shape[:-1])
    weight = mu[..., :, np.newaxis] * mu[..., np.newaxis, :]
    flow = flow_between(p, psi, weight > 0)
    scale = np.abs(flow).max((-2, -1), keepdims=True)
    flow = flow / np.where(scale > 0, scale, 1.0)
    g = np.matmul(flow, mu[..., np.newaxis])
    cycle = flow - (g - np.swapaxes(g, -1, -2))
    energy = np.sum(weight * flow**2, (-2, -1))
    share = np.sum(weight * cycle**2, (-2, -1)) / np.where(energy > 0, energy, 1.0)
    return np.asarray(np.minimum(share, 1.0))[()]


def require_odd(psi: Psi, otherwise: str) -> None:
    require_psi(psi)
    if not psi.odd:
        raise ValueError(f"psi '{checks.cut(psi.name)}' is not odd, so {otherwise}; must be odd")


def flow_between(p: Array, psi: Psi, counts: Mask) -> Array:
    """Return Ψ(p*) − Ψ(½) for an odd Ψ, finite, and 0 for pairs that do not count."""
    flow = np.where(counts, psi.of_table(p) - psi.centre, 0.0)
    infinite = f"makes the flow infinite under psi '{checks.cut(psi.name)}'"
    checks.refuse_where(np.isinf(flow), "p", np.broadcast_to(p, flow.shape), infinite)
    return flow


def expected_psi_bradley_terry(
    rewards: ArrayLike, psi: Psi, *, mu: ArrayLike | None = None
) -> ExpectedPsi:
    """Expected Ψ under Bradley–Terry, g(y) = E_{y'∼μ}[Ψ(σ(r(y) − r(y')))], without the K×K table.

    This is Eq. 9 of arXiv:2310.12036 with the preferences of its Eq. 1. It needs memory O(K). Its
    time is near-linear for logit, where g = r − E_μ[r] (Prop. 1), and for identity. It is O(K²) for
    any other Ψ.

    Parameters
    ----------
    rewards : array_like, shape (..., K)
        Reward of each action, finite.
    psi : Psi
        The function of preferences that is maximised.
    mu : array_like, shape (..., K), optional
        Distribution of the opponent; uniform by default.

    Returns
    -------
    ExpectedPsi
        Parts of shape (..., K); won and lost are 0, because finite rewards make no preference
        certain.

    Raises
    ------
    ValueError
        If rewards are not finite, if mu is not a distribution over their actions, or if psi cannot
        tell a preference between them from certainty.
    TypeError
        If psi is not a Psi.

    Examples
    --------
    >>> expected_psi_bradley_terry([2.0, 0.0, 1.0], LOGIT).value
    array([ 1., -1.,  0.])
    """
    require_psi(psi)
    r = checks.as_rewards(rewards)
    mu = checks.as_policy("mu", mu, r.shape[-1], of="rewards")
    shape = (*checks.require_broadcast(rewards=r.shape[:-1], mu=mu.shape[:-1]), r.shape[-1])
    r, mu = np.broadcast_to(r, shape), np.broadcast_to(mu, shape)
    if psi is LOGIT:
        # Rewards are measured from that of the likeliest opponent. A huge reward of an unlikely
        # opponent then costs the likely ones no digits.
        usual = np.take_along_axis(r, mu.argmax(-1, keepdims=True), -1)
        mean = np.sum(mu * (r - usual), -1, keepdims=True)
        g = (r - usual) - mean
        rounding = _ULPS_OF_A_TERM * (np.abs(r - usual) + np.abs(mean))
    elif psi is IDENTITY and shape[-1] > _SMALL:
        g = np.vectorize(win_rates, otypes=[np.float64], signature="(k),(k)->(k)")(r, mu)
        rounding = np.full(shape, _CHEBYSHEV)
    else:
        g, rounding = _in_blocks_of_rows(r, psi, mu)
    nothing = np.zeros(shape)
    return ExpectedPsi(
        won=nothing, lost=nothing, rest=g, place=np.zeros(shape, np.intp), rounding=rounding
    )


def _in_blocks_of_rows(r: Array, psi: Psi, mu: Array) -> tuple[Array, Array]:
    """Compute the scores block by block, and how far rounding may have moved them."""
    g, rounding = np.empty(r.shape), np.empty(r.shape)
    rows = max(1, _BLOCK // max(1, r.size))
    for start in range(0, r.shape[-1], rows):
        gaps = r[..., start : start + rows, np.newaxis] - r[..., np.newaxis, :]
        try:
            flow = psi.of_log_odds(gaps)
        except ValueError as error:
            raise ValueError(f"rewards differ by up to {np.abs(gaps).max():g}; {error}") from None
        terms = mu[..., np.newaxis, :] * flow
        g[..., start : start + rows] = exact_sum(terms)
        rounding[..., start : start + rows] = _ULPS_OF_A_TERM * np.abs(terms).sum(-1)
    return g, rounding
