"""The paper's arguments, as derivations that check themselves.

Each function returns a `Derivation`: definitions and claims, each with a sentence, and a statement
of what they prove and what they leave open. A notebook shows it as text and formulas, and `check()`
tries every claim at many points and proves it with SymPy.
"""

from __future__ import annotations

import sympy as sp

from psipo_explore._derivations import Derivation, K, Psi, Step, other, sigma, y

__all__ = [
    "Derivation",
    "Step",
    "closed_form",
    "collapse",
    "f_tilt",
    "ipo",
    "no_leash_holds",
    "rlhf",
]

beta = sp.Symbol("beta", positive=True)
pi, pi_star, pi_ref, mu = map(sp.IndexedBase, ("pi", r"\pi^*", r"\pi_{\mathrm{ref}}", "mu"))
g, r, u, p, h = map(sp.IndexedBase, "gruph")


def _sum(term: sp.Expr, *indices: sp.Symbol) -> sp.Sum:
    return sp.Sum(term, *((index, 1, K) for index in indices))


def closed_form() -> Derivation:
    r"""Derive the optimum of ΨPO by Lagrange multipliers, and show that it is unique.

    This is Eq. 7 of arXiv:2310.12036, which App. A.1 proves.

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> step = closed_form().steps[6]
    >>> print(step.sentence, step.equation)
    With this $\nu$ the probabilities sum to one. Eq(Sum(\pi^*[y], (y, 1, K)), 1)
    """
    L, nu, Z = sp.Symbol("L"), sp.Symbol("nu", real=True), sp.Symbol("Z", positive=True)  # noqa: N806
    t, s, a, b = sp.symbols("t s a b")
    slope = (t - 1) / t
    objective = _sum(pi[y] * g[y], y) - beta * _sum(pi[y] * sp.log(pi[y] / pi_ref[y]), y)
    tilted = pi_ref[y] * sp.exp(g[y] / beta)
    return Derivation(
        "The closed form",
        "Eq. 7, App. A.1",
        (
            Step(
                r"The objective, where $g(y)$ is the score of $y$. The sums are over the actions "
                r"with $\pi_{\mathrm{ref}}(y) > 0$. A multiplier $\nu$ stands for the constraint "
                "that probabilities sum to one.",
                sp.Eq(L, objective + nu * (1 - _sum(pi[y], y))),
                defines=True,
            ),
            Step(
                "Its derivative by the probability of one action is",
                sp.Eq(sp.Derivative(L, pi[y]), g[y] - beta * (sp.log(pi[y] / pi_ref[y]) + 1) - nu),
            ),
            Step(
                "Take this policy, for some number $\\nu$.",
                sp.Eq(pi_star[y], pi_ref[y] * sp.exp(g[y] / beta - 1 - nu / beta)),
                defines=True,
            ),
            Step(
                "At this policy the derivative is zero.",
                sp.Eq(g[y] - beta * (sp.log(pi_star[y] / pi_ref[y]) + 1) - nu, 0),
            ),
            Step("Call this sum $Z$.", sp.Eq(Z, _sum(tilted, y)), defines=True),
            Step(
                r"Steps 3 and 4 hold for every number $\nu$. Now choose this one.",
                sp.Eq(nu, beta * sp.log(Z) - beta),
                defines=True,
            ),
            Step("With this $\\nu$ the probabilities sum to one.", sp.Eq(_sum(pi_star[y], y), 1)),
            Step("So the policy is", sp.Eq(pi_star[y], tilted / Z)),
            Step(
                r"Is this policy the maximum? The objective of any policy is less than $\beta\log Z$ "
                r"by $\beta$ times $\mathrm{KL}(\pi\,\|\,\pi^*)$.",
                sp.Eq(
                    objective, beta * sp.log(Z) - beta * _sum(pi[y] * sp.log(pi[y] / pi_star[y]), y)
                ),
            ),
            Step(
                r"Both policies sum to one, so this KL is $\sum\pi\,(t - 1 - \log t)$ with $t = \pi^*/\pi$.",
                sp.Eq(
                    _sum(pi[y] * sp.log(pi[y] / pi_star[y]), y),
                    _sum(pi[y] * (pi_star[y] / pi[y] - 1 - sp.log(pi_star[y] / pi[y])), y),
                ),
            ),
            Step(
                r"At $t = 1$ the bracket is 0. Its derivative is",
                sp.Eq(sp.Derivative(t - 1 - sp.log(t), t), slope),
            ),
            Step(
                r"This derivative is positive above 1, at $t = 1 + s$ for every $s > 0$.",
                sp.Gt(slope.subs(t, 1 + s), 0),
            ),
            Step(
                r"It is negative below 1, at $t = 1/(1 + s)$ for every $s > 0$. So the bracket is positive "
                r"for every $t$ except 1. So KL is positive for every $\pi$ except $\pi^*$, and the "
                "optimum is unique.",
                sp.Lt(slope.subs(t, 1 / (1 + s)), 0),
            ),
            Step(
                r"A policy may also give an action the probability 0. As $a = \pi(y)$ goes to 0, the "
                r"term of this action in the KL tends to $b = \pi^*(y)$, which is positive. So such a "
                "policy is not the optimum.",
                sp.Eq(sp.Limit(a * (b / a - 1 - sp.log(b / a)), a, 0, "+"), b),
            ),
        ),
        {
            beta: "positive",
            g: "real",
            pi: "distribution",
            pi_ref: "distribution",
            nu: "real",
            **dict.fromkeys((t, s, a, b), "positive"),
        },
        proves=r"With 1, 2 or 3 actions, for all finite scores and every $\beta > 0$, the "
        r"objective has one maximum, "
        r"at $\pi^*$. All policies on the actions of $\pi_{\mathrm{ref}}$ are covered. Step 14 "
        r"covers, by a limit, those that give an action the probability 0.",
        leaves_open="More actions: the steps are the same, but were not checked. Infinite scores. "
        "The mean value theorem. By this theorem a function is positive for every $t$ except 1, if it is "
        "0 at $t = 1$, falls before and rises after.",
    )


def rlhf() -> Derivation:
    """Derive that ΨPO with Ψ = logit is RLHF and DPO, if Bradley–Terry holds.

    ΨPO and RLHF have the same optimum (Prop. 1 of arXiv:2310.12036). DPO's loss (Eq. 4) is the loss
    of RLHF's first stage, written in terms of the policy.

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> step = rlhf().steps[4]
    >>> print(step.sentence, step.equation)
    This score is the reward, up to a constant. Eq(g[y], r[y] - Sum(mu[y']*r[y'], (y', 1, K)))
    """
    Z = sp.Symbol("Z", positive=True)  # noqa: N806
    preferred = p[y, other]
    by_score, by_reward = (pi_ref[other] * sp.exp(score[other] / beta) for score in (g, r))
    return Derivation(
        "ΨPO with logit is RLHF is DPO, under Bradley–Terry",
        "Prop. 1, Eq. 4",
        (
            Step(
                "Bradley–Terry: each action has a reward, and the difference of two rewards gives the "
                "preference.",
                sp.Eq(preferred, sigma(r[y] - r[other])),
                defines=True,
            ),
            Step("One of the two actions is always preferred.", sp.Eq(preferred + p[other, y], 1)),
            Step(
                "The logit is the inverse of σ.",
                sp.Eq(sp.log(preferred / (1 - preferred)), r[y] - r[other]),
            ),
            Step(
                r"With $\Psi$ = logit, the score of Eq. 9 is",
                sp.Eq(g[y], _sum(mu[other] * sp.log(preferred / (1 - preferred)), other)),
                defines=True,
            ),
            Step(
                "This score is the reward, up to a constant.",
                sp.Eq(g[y], r[y] - _sum(mu[other] * r[other], other)),
            ),
            Step(
                r"In the policy this constant cancels. On the left is $\Psi$PO's optimum, and on the "
                "right is RLHF's.",
                sp.Eq(
                    pi_ref[y] * sp.exp(g[y] / beta) / _sum(by_score, other),
                    pi_ref[y] * sp.exp(r[y] / beta) / _sum(by_reward, other),
                ),
            ),
            Step("Now DPO. Call this sum $Z$.", sp.Eq(Z, _sum(by_reward, other)), defines=True),
            Step(
                "Then the optimum is",
                sp.Eq(pi[y], pi_ref[y] * sp.exp(r[y] / beta) / Z),
                defines=True,
            ),
            Step("Its probabilities sum to one.", sp.Eq(_sum(pi[y], y), 1)),
            Step(
                "Solve for the reward. It follows from the policy, up to the constant "
                r"$\beta\log Z$.",
                sp.Eq(r[y], beta * sp.log(pi[y] / pi_ref[y]) + beta * sp.log(Z)),
            ),
            Step(
                "In the difference of two rewards this constant cancels. Write the margin",
                sp.Eq(h[y, other], sp.log(pi[y] * pi_ref[other] / (pi[other] * pi_ref[y]))),
                defines=True,
            ),
            Step("Then the difference of rewards is", sp.Eq(r[y] - r[other], beta * h[y, other])),
            Step(
                "So the loss of RLHF's first stage for one comparison is also a loss of the policy. "
                "This is DPO's loss, Eq. 4.",
                sp.Eq(-sp.log(preferred), -sp.log(sigma(beta * h[y, other]))),
            ),
        ),
        {beta: "positive", r: "real", mu: "distribution", pi_ref: "distribution"},
        proves=r"With 1, 2 or 3 actions, for all finite rewards, every $\beta > 0$ and all "
        r"positive $\mu$ and "
        r"$\pi_{\mathrm{ref}}$: if Bradley–Terry holds, $\Psi$PO with logit and RLHF have the same "
        r"optimum. Written by this "
        "policy, the loss of RLHF's first stage is DPO's.",
        leaves_open=r"That Eq. 7 is the optimum, which `closed_form` proves. More actions, an "
        r"action that $\mu$ never draws, "
        "and preferences of exactly 0 or 1. What happens where Bradley–Terry fails. That training "
        "finds the optimum.",
    )


def collapse() -> Derivation:
    """Show that as p → 1, logit leaves the loser nothing, while identity leaves it something.

    Both hold at every β (§4.2 and §5.3.1 of arXiv:2310.12036).

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> collapse().check()
    'The collapse: 7 claims proved by SymPy, confirmed at 12 points.'
    """
    g_w, g_l = sp.symbols(r"g(y_{w}) g(y_{l})")
    q, ref = sp.symbols(r"p \pi_{\mathrm{ref}}(y_{l})", positive=True)
    half = sp.Rational(1, 2)
    odds = q / (1 - q)
    move = {"logit": sp.log(odds) / beta, "identity": (q - half) / beta}
    left = {name: ref / (ref + (1 - ref) * sp.exp(by)) for name, by in move.items()}
    return Derivation(
        "The collapse",
        "§4.2, §5.3.1",
        (
            Step(
                r"There are two actions, and $\mu$ is uniform. The winner meets itself, or the loser, "
                r"which it beats with probability $p$. So its score is",
                sp.Eq(g_w, half * Psi(half) + half * Psi(q)),
                defines=True,
            ),
            Step(
                "The score of the loser is",
                sp.Eq(g_l, half * Psi(1 - q) + half * Psi(half)),
                defines=True,
            ),
            Step(
                "By the closed form, the log-ratio of winner to loser moves by",
                sp.Eq((g_w - g_l) / beta, (Psi(q) - Psi(1 - q)) / (2 * beta)),
            ),
            Step(
                "Under logit this is",
                sp.Eq((sp.log(odds) - sp.log((1 - q) / q)) / (2 * beta), move["logit"]),
            ),
            Step(
                "As $p$ goes to 1, it grows without a bound, at every β.",
                sp.Eq(sp.Limit(move["logit"], q, 1, "-"), sp.oo),
            ),
            Step(
                "So the loser's probability goes to 0.",
                sp.Eq(sp.Limit(left["logit"], q, 1, "-"), 0),
            ),
            Step("Under identity the move is", sp.Eq((q - (1 - q)) / (2 * beta), move["identity"])),
            Step(
                "As $p$ goes to 1, it has a finite limit.",
                sp.Eq(sp.Limit(move["identity"], q, 1, "-"), 1 / (2 * beta)),
            ),
            Step(
                "So the loser's probability goes to a number above 0.",
                sp.Eq(
                    sp.Limit(left["identity"], q, 1, "-"),
                    ref / (ref + (1 - ref) * sp.exp(1 / (2 * beta))),
                ),
            ),
        ),
        {beta: "positive", q: "probability", ref: "probability"},
        sizes=(2,),
        proves=r"With two actions and uniform $\mu$, for every $\beta > 0$ and every positive "
        r"$\pi_{\mathrm{ref}}$: as $p$ "
        "rises to 1, what logit's optimum leaves the loser goes to 0, and what identity's optimum "
        "leaves it does not.",
        leaves_open=r"That Eq. 7 is the optimum, which `closed_form` proves. More actions, another "
        r"$\mu$, another $\Psi$. "
        r"What is right at $p = 1$ itself, where logit has no value. That training goes there.",
    )


def ipo() -> Derivation:
    r"""Derive the loss of IPO from the optimum of ΨPO with Ψ = identity.

    The log-ratios of the optimum are the root of an equation. From it follow the squared error of
    Eq. 13, Prop. 3 and the loss of Eq. 17 of arXiv:2310.12036.

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> step = ipo().steps[3]
    >>> print(step.sentence, step.equation)
    In a margin the sum cancels, so it is Eq(h^*[y, y'], (-p_\mu[y'] + p_\mu[y])/beta)
    """
    total = sp.IndexedBase(r"p_\mu")
    h_star = sp.IndexedBase("h^*")
    eq_13, eq_16, margin = sp.symbols("L_{13} L_{16} h")
    gap = total[y] - total[other]
    wish = gap / beta
    pair = mu[y] * mu[other]
    tilted = pi_ref[other] * sp.exp(total[other] / beta)
    return Derivation(
        "From a root to a loss",
        "Eq. 10–13, Prop. 3, Eq. 17",
        (
            Step(
                "The win rate: how often an action is preferred to an action that μ draws.",
                sp.Eq(total[y], _sum(mu[other] * p[y, other], other)),
                defines=True,
            ),
            Step(
                r"With $\Psi$ = identity, the closed form is",
                sp.Eq(pi_star[y], pi_ref[y] * sp.exp(total[y] / beta) / _sum(tilted, other)),
                defines=True,
            ),
            Step(
                "Its margins are",
                sp.Eq(
                    h_star[y, other],
                    sp.log(pi_star[y] * pi_ref[other] / (pi_star[other] * pi_ref[y])),
                ),
                defines=True,
            ),
            Step(
                "In a margin the sum cancels, so it is",
                sp.Eq(h_star[y, other], wish),
            ),
            Step(
                r"Any policy, written with $u = \log\pi - \log\pi_{\mathrm{ref}}$, has the margins",
                sp.Eq(h[y, other], u[y] - u[other]),
                defines=True,
            ),
            Step(
                "Eq. 13 is their mean squared distance from the margins of the optimum, over pairs "
                "drawn from μ.",
                sp.Eq(eq_13, _sum(pair * (h[y, other] - wish) ** 2, y, other)),
                defines=True,
            ),
            Step(
                "At the optimum, Eq. 13 is 0.",
                sp.Eq(_sum(pair * (h_star[y, other] - wish) ** 2, y, other), 0),
            ),
            Step(
                r"Nobody knows $p$. But a rater says 1 with probability $p(y \succ y')$, and 0 "
                r"otherwise. Put this verdict in place of the win rates. The mean over pairs and "
                "verdicts is Eq. 16.",
                sp.Eq(
                    eq_16,
                    _sum(pair * p[y, other] * (h[y, other] - 1 / beta) ** 2, y, other)
                    + _sum(pair * (1 - p[y, other]) * h[y, other] ** 2, y, other),
                ),
                defines=True,
            ),
            Step(
                "The mean of verdict times margin is the mean of the difference of win rates times margin.",
                sp.Eq(
                    _sum(pair * p[y, other] * h[y, other], y, other),
                    _sum(pair * gap * h[y, other], y, other),
                ),
            ),
            Step(
                "So Eq. 16 and Eq. 13 differ by a number that does not depend on the policy (Prop. 3).",
                sp.Eq(eq_16, eq_13 + 1 / (2 * beta**2) - _sum(pair * gap**2, y, other) / beta**2),
            ),
            Step(
                "So both have the same derivatives.",
                sp.Eq(sp.Derivative(eq_16, u[y]), sp.Derivative(eq_13, u[y])),
            ),
            Step(
                r"Each comparison counts twice: as $(y_w, y_l)$ with the verdict 1 and the margin $h$, "
                r"and as $(y_l, y_w)$ with the verdict 0 and the margin $-h$. The mean of the two is "
                "the loss of Eq. 17 plus a constant.",
                sp.Eq(
                    ((margin - 1 / beta) ** 2 + (-margin) ** 2) / 2,
                    (margin - 1 / (2 * beta)) ** 2 + 1 / (4 * beta**2),
                ),
            ),
        ),
        {
            beta: "positive",
            p: "preferences",
            mu: "distribution",
            pi_ref: "distribution",
            u: "real",
            margin: "real",
        },
        proves=r"With 1, 2 or 3 actions, for all preferences between 0 and 1, every $\beta > 0$ "
        r"and all positive $\mu$ and "
        r"$\pi_{\mathrm{ref}}$: at identity's optimum Eq. 13 is 0, and Eq. 16 is Eq. 13 plus a "
        "constant. The loss of Eq. 17 is the part of one comparison in Eq. 16, up to a constant.",
        leaves_open=r"That no other policy makes Eq. 13 zero (Thm. 2). That Eq. 7 is the optimum, "
        r"which `closed_form` proves. "
        r"More actions, an action that $\mu$ never draws, and preferences of exactly 0 or 1. What "
        "happens with only a few comparisons.",
    )


def f_tilt() -> Derivation:
    r"""Derive the optimum under any f-divergence, for a strictly convex f.

    Where the slope of f at π/π_ref is (g − ν)/β, the objective E_π[g] − β D_f(π ‖ π_ref) has its
    maximum (Wang et al. 2023, arXiv:2309.16240).

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> f_tilt().check()
    'Other leashes: 3 claims proved by SymPy for K = 1, 2, 3, confirmed at 12 points.'
    """
    nu = sp.Symbol("nu", real=True)
    f, f_star, slope, rest = map(sp.IndexedBase, ("f", "f^*", "s", "e"))
    ratio, ratio_star = pi[y] / pi_ref[y], pi_star[y] / pi_ref[y]
    best, any_other = (
        _sum(policy[y] * g[y], y) - beta * _sum(pi_ref[y] * of[y], y)
        for policy, of in ((pi_star, f_star), (pi, f))
    )
    return Derivation(
        "Other leashes",
        "Wang et al. 2023",
        (
            Step(
                r"Let $\pi^*$ be a policy, and take the slope of $f$ at each of its ratios "
                r"$\pi^*/\pi_{\mathrm{ref}}$. For some number $\nu$, let these slopes be",
                sp.Eq(slope[y], (g[y] - nu) / beta),
                defines=True,
            ),
            Step(
                r"A strictly convex $f$ lies above its tangents. Take any other policy $\pi$. Where its "
                r"ratio differs from that of $\pi^*$, $f$ is the tangent plus a rest $e > 0$.",
                sp.Eq(f[y], f_star[y] + slope[y] * (ratio - ratio_star) + rest[y]),
                defines=True,
            ),
            Step(
                r"The weighted sum of the tangent terms is",
                sp.Eq(
                    _sum(pi_ref[y] * slope[y] * (ratio - ratio_star), y),
                    _sum((pi[y] - pi_star[y]) * g[y], y) / beta,
                ),
            ),
            Step(
                r"Here $\nu$ cancels, because both policies sum to one. So the objective of $\pi^*$ is "
                r"larger than that of $\pi$ by",
                sp.Eq(best - any_other, beta * _sum(pi_ref[y] * rest[y], y)),
            ),
            Step(
                "This difference is positive, because at least one ratio differs.",
                sp.Gt(beta * _sum(pi_ref[y] * rest[y], y), 0),
            ),
        ),
        {
            beta: "positive",
            g: "real",
            nu: "real",
            f_star: "real",
            rest: "positive",
            pi: "distribution",
            pi_star: "distribution",
            pi_ref: "distribution",
        },
        proves=r"With 1, 2 or 3 actions, for all finite scores, every $\beta > 0$ and every strictly "
        r"convex $f$ with a slope: a policy with $f'(\pi^*/\pi_{\mathrm{ref}}) = (g - \nu)/\beta$ "
        "is better than every other.",
        leaves_open=r"That there is such a $\nu$: the sum of the ratios rises with $-\nu$, so "
        r"one makes it 1. An action that $\pi^*$ drops, where $f'(0)$ is finite: its slope is too "
        "large, and the tangent still lies below $f$. More actions, and infinite scores.",
    )


def no_leash_holds() -> Derivation:
    r"""Show that under an unbounded Ψ the loser vanishes as p → 1, whatever the f-divergence.

    There are two actions, and the claim holds at every β. It strengthens §4.2 of arXiv:2310.12036,
    where the divergence is KL.

    Returns
    -------
    Derivation
        The steps of the argument. Its method `check()` proves them.

    Examples
    --------
    >>> no_leash_holds().check()
    'No leash holds: 6 claims proved by SymPy, confirmed at 12 points.'
    """
    q, ref = sp.symbols(r"p \pi_{\mathrm{ref}}(y_{w})", positive=True)
    low, high = sp.symbols("a b", real=True)
    above, below = sp.symbols("u v", positive=True)
    s_w, s_l = sp.symbols("s_{w} s_{l}")
    t_w, t_l = sp.symbols("t_{w} t_{l}")
    gap = sp.Symbol("g", positive=True)
    chi = {"w": 1 + (1 - ref) * gap / beta, "l": 1 - ref * gap / beta}
    return Derivation(
        "No leash holds",
        "§4.2, for any f",
        (
            Step(
                r"Say that the loser keeps at least $\delta$. Then its ratio to $\pi_{\mathrm{ref}}$ is "
                r"at least $\delta/\pi_{\mathrm{ref}}(y_l)$. Call the slope of $f$ there $a$. "
                "The slope rises with the ratio, so at the loser's own ratio it is",
                sp.Eq(s_l, low + below),
                defines=True,
            ),
            Step(
                r"The winner's ratio is less than $1/\pi_{\mathrm{ref}}(y_w)$. Call the slope there "
                "$b$. At the winner's own ratio it is",
                sp.Eq(s_w, high - above),
                defines=True,
            ),
            Step(
                r"By the tilt, their difference times $\beta$ is the gap of the scores. So the gap "
                "is less than a number that does not depend on $p$.",
                sp.Lt(beta * (s_w - s_l), beta * (high - low)),
            ),
            Step(
                r"Under logit, with $\mu$ uniform, the gap is $\log\frac{p}{1-p}$. It grows without a "
                r"bound as $p$ rises to 1. So the loser keeps no $\delta$, whatever $f$ and $\beta$ are.",
                sp.Eq(sp.Limit(sp.log(q / (1 - q)), q, 1, "-"), sp.oo),
            ),
            Step(
                "Under identity the gap has a finite limit, so this argument does not apply.",
                sp.Eq(sp.Limit(q - sp.Rational(1, 2), q, 1, "-"), sp.Rational(1, 2)),
            ),
            Step(
                r"But even then the loser can get the probability 0 under $\chi^2$. There $f'(t)$ is "
                r"$t - 1$, and the winner has the ratio",
                sp.Eq(t_w, chi["w"]),
                defines=True,
            ),
            Step("The loser has the ratio", sp.Eq(t_l, chi["l"]), defines=True),
            Step(
                "The slopes at these two ratios differ by the gap over β, as step 3 says.",
                sp.Eq(t_w - 1 - (t_l - 1), gap / beta),
            ),
            Step("The two probabilities sum to one.", sp.Eq(ref * t_w + (1 - ref) * t_l, 1)),
            Step(
                r"The loser's ratio is 0 where the gap is $\beta/\pi_{\mathrm{ref}}(y_w)$. So a bounded "
                r"$\Psi$ does not prevent it.",
                sp.Eq(1 - ref * (beta / ref) / beta, 0, evaluate=False),
            ),
        ),
        {
            beta: "positive",
            q: "probability",
            ref: "probability",
            low: "real",
            high: "real",
            above: "positive",
            below: "positive",
            gap: "positive",
        },
        sizes=(2,),
        proves=r"With two actions and uniform $\mu$, for every $\beta > 0$, every positive "
        r"$\pi_{\mathrm{ref}}$ and every strictly convex $f$ with a slope: under logit, what the "
        r"optimum leaves the loser goes to 0 as $p$ rises to 1.",
        leaves_open="That the tilt is the optimum, which `f_tilt` proves. How fast the loser goes, "
        r"which depends on $f$. More actions, another $\mu$, another unbounded $\Psi$.",
    )
