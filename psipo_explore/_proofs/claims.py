"""Tests and proofs of claims: both sides are compared at many points, and then by algebra."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import mpmath
import numpy as np
import sympy as sp

from psipo_explore._checks import actions
from psipo_explore._proofs.domains import ENDS
from psipo_explore._proofs.identities import Psi, Ratios
from psipo_explore._proofs.numbers import number, rising_function
from psipo_explore._proofs.readings import At, Reader

POINTS = 12
_DIGITS = 400  # enough to tell 1 − σ(x) from 0 at every point tried
_CLOSE = mpmath.mpf(10) ** -40
_NEAR = (10, 100, 300)  # powers of 10: how close to a limit point, or how far out if it is infinite
_NEARLY = mpmath.mpf(10) ** -20
_IS_NOT = {sp.Eq: "is not", sp.Gt: "is not greater than", sp.Lt: "is not less than"}
RELATIONS = tuple(_IS_NOT)

Point = Mapping[sp.Dummy, mpmath.mpf]


def require(claim: sp.Rel, reader: Reader, at: At, rng: np.random.Generator) -> None:
    """Refuse a claim that fails at a point, or that cannot be proved."""
    if isinstance(claim.lhs, sp.Limit):
        fails, proved = _try_limit(claim, reader, at, rng)
    else:
        fails, proved = _try(claim, reader, at, rng)
    k = actions(reader.k)
    if fails:
        raise ValueError(f"does not hold for {k}: {fails}")
    if not proved:
        raise ValueError(f"is not refuted at {POINTS} points for {k}, but SymPy cannot prove it")


def _try(claim: sp.Rel, reader: Reader, at: At, rng: np.random.Generator) -> tuple[str, bool]:
    """Return where the claim fails, or an empty text, and whether the claim is proved."""
    left, right = (reader.read(side, at) for side in claim.args)
    with mpmath.workdps(_DIGITS):
        for point in reader.domain.points(rng, POINTS):
            psi = rising_function(rng)
            sides = number(left, point, psi), number(right, point, psi)
            if any(map(mpmath.isnan, sides)):
                raise ValueError(
                    f"needs more than {_DIGITS} digits: {_where(point)}a divisor is rounded to 0"
                )
            if not _holds(claim, *sides):
                found = [mpmath.nstr(side, 8) for side in sides]
                return f"{_where(point)}{found[0]} {_IS_NOT[claim.func]} {found[1]}", False
    if isinstance(claim, sp.Eq):
        return "", reader.ratios.equal(left, right)
    if reader.ratios.equal(left, right):
        return f"the left side {_IS_NOT[claim.func]} the right side, which it equals", False
    return "", reader.ratios.sign(left - right) == (1 if isinstance(claim, sp.Gt) else -1)


def _holds(claim: sp.Rel, left: mpmath.mpf, right: mpmath.mpf) -> bool:
    """Whether the claim is possible, given both sides in numbers.

    The two sides of an inequality may be equal here, since they are rounded.
    """
    within = _CLOSE * (1 + abs(right))
    if isinstance(claim, sp.Eq):
        return bool(abs(left - right) <= within)
    above = left - right if isinstance(claim, sp.Gt) else right - left
    return bool(above >= -within)


def _where(point: Point) -> str:
    values = [f"{symbol.name} = {mpmath.nstr(value, 6)}" for symbol, value in point.items()]
    return f"where {', '.join(values)}, " if values else ""


def _try_limit(claim: sp.Rel, reader: Reader, at: At, rng: np.random.Generator) -> tuple[str, bool]:
    """Return where the claim fails, or an empty text, and whether the claim is proved.

    A limit is checked from each side that the claim names.
    """
    _, variable, end, direction = claim.lhs.args
    if not isinstance(claim, sp.Eq):
        raise ValueError(f"has {claim.lhs}, which must be equal to something")
    if variable not in reader.kinds or not reader.is_free(variable):
        raise ValueError(f"lets {variable} tend to {end}, which must be a symbol that has a kind")
    proved = []
    for side in str(direction):
        near = _near(reader, variable, end, side)
        fails, proved_here = _try_one_side(claim, near, at, side, rng)
        if fails:
            return fails, False
        proved.append(proved_here)
    return "", all(proved)


def _near(reader: Reader, variable: sp.Symbol, end: sp.Expr, side: str) -> Reader:
    """Return a reader whose variable lies on one side of the end, within the values of its kind."""
    low, high = ENDS[reader.kinds[variable]]
    is_number = end.is_Rational or end in (sp.oo, -sp.oo)
    if not is_number or not (low <= end < high if side == "+" else low < end <= high):
        raise ValueError(
            f"lets {variable} tend to {end} from the {side} side, must be a number or ∞ within its kind"
        )
    low, high = (end, high) if side == "+" else (low, end)
    if not low.is_finite and not high.is_finite:  # near ±∞, the variable has one sign
        low, high = (sp.Integer(0), high) if side == "-" else (low, sp.Integer(0))
    near = copy(reader)
    near.parameters = {
        **reader.parameters,
        reader.meaning[variable]: reader.domain.between(low, high),
    }
    near.ratios = Ratios(near.parameters, reader.domain.relations)
    return near


def _try_one_side(
    claim: sp.Eq, reader: Reader, at: At, side: str, rng: np.random.Generator
) -> tuple[str, bool]:
    expression, variable, end, _ = claim.lhs.args
    value, free = reader.read(expression, at), reader.meaning[variable]
    bound = claim.rhs if claim.rhs in (sp.oo, -sp.oo) else reader.read(claim.rhs, at)
    if bound.has(free):
        raise ValueError(f"has {claim.rhs} as a limit, which must not depend on {variable}")
    if value.has(Psi):
        raise ValueError(f"has {claim.lhs}, but Ψ may jump")
    with mpmath.workdps(_DIGITS + max(_NEAR)):
        for point in reader.domain.points(rng, POINTS):
            del point[free]
            if not _tends(value, bound, [{**point, free: near} for near in _beside(end, side)]):
                return f"{_where(point)}{claim.lhs} does not tend to {claim.rhs}", False
    return "", _limit_is(bound, value, free, end, side, reader)


def _beside(end: sp.Expr, side: str) -> list[mpmath.mpf]:
    """Return numbers on this side of the end, each nearer to it than the one before."""
    sign = 1 if side == "+" else -1
    if end.is_infinite:
        return [-sign * mpmath.mpf(10) ** digits for digits in _NEAR]
    return [number(end, {}) + sign * mpmath.mpf(10) ** -digits for digits in _NEAR]


def _tends(value: sp.Expr, bound: sp.Expr, points: list[Point]) -> bool:
    """Whether the values approach the bound, or keep growing if the bound is infinite."""
    found = [number(value, point) for point in points]
    if bound in (sp.oo, -sp.oo):
        near, nearer, nearest = (-here if bound == -sp.oo else here for here in found)
        return bool(0 < 4 * near < 2 * nearer < nearest)
    goal = number(bound, points[0])
    near, nearer, nearest = (abs(here - goal) for here in found)
    return bool(nearest <= nearer <= near and nearest <= _NEARLY)


def _limit_is(
    bound: sp.Expr, value: sp.Expr, free: sp.Dummy, end: sp.Expr, side: str, reader: Reader
) -> bool:
    try:
        found = sp.limit(value, free, end, side)
    except NotImplementedError:
        return False
    if bound in (sp.oo, -sp.oo) or found.has(
        sp.oo, -sp.oo, sp.zoo, sp.nan, sp.AccumBounds, sp.Limit
    ):
        return bool(found == bound)
    return reader.ratios.equal(found, bound)
