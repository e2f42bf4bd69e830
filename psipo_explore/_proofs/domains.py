"""The values that the undefined symbols of a derivation can take.

A proof must hold for all values of the declared kind, whatever SymPy assumes about a symbol, so a
fresh symbol takes its place. Free real or positive parameters give the fresh symbol all its values:
t/(1 + t) is any probability, and t(y)/Σt is any distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import mpmath
import numpy as np
import sympy as sp

from psipo_explore._proofs.numbers import number

KINDS = ("real", "positive", "probability", "distribution", "preferences")
TABLES = ("distribution", "preferences")  # kinds that only an indexed symbol can have
ENDS = {
    "real": (-sp.oo, sp.oo),
    "positive": (sp.Integer(0), sp.oo),
    "probability": (sp.Integer(0), sp.Integer(1)),
}
REAL, POSITIVE = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
_DECADES = {"real": (-2, 1), "positive": (-1, 1), "odds": (-9, 9)}  # powers of 10 to try


def assumes_at_most(symbol: sp.Symbol | sp.IndexedBase, model: sp.Symbol) -> bool:
    """Whether everything that SymPy assumes about the symbol is also assumed about the model."""
    own = {known for known in symbol.assumptions0.items() if known[1] is not None}
    return own <= set(model.assumptions0.items())


class Domain:
    """All values that the undefined symbols can take with k actions.

    `fresh` maps each symbol, or each entry of an indexed symbol, to a fresh symbol. `parameters`
    expresses each fresh symbol by parameters. `relations` expresses those fresh symbols that are
    determined by others, such as the last entry of a distribution, which is 1 minus the others.
    """

    def __init__(self, kinds: Mapping[sp.Basic, str], k: int) -> None:
        self.k = k
        self.fresh: dict[sp.Basic, sp.Dummy] = {}
        self.parameters: dict[sp.Dummy, sp.Expr] = {}
        self.relations: dict[sp.Dummy, sp.Expr] = {}
        self._sizes: dict[sp.Dummy, str] = {}
        for symbol, kind in kinds.items():
            if isinstance(symbol, sp.IndexedBase):
                self._add_entries(symbol, kind)
            else:
                self._add(symbol, str(symbol), kind, self._number_of_kind(kind))

    def _add(self, symbol: sp.Basic, name: str, kind: str, value: sp.Expr) -> sp.Dummy:
        self.fresh[symbol] = fresh = sp.Dummy(
            name, **{"real" if kind == "real" else "positive": True}
        )
        self.parameters[fresh] = value
        return fresh

    def _number_of_kind(self, kind: str) -> sp.Expr:
        if kind == "probability":
            return self.between(*ENDS[kind])
        return self._parameter(kind)

    def _parameter(self, size: str) -> sp.Dummy:
        parameter = sp.Dummy("t", **{"real" if size == "real" else "positive": True})
        self._sizes[parameter] = size
        return parameter

    def between(self, low: sp.Expr, high: sp.Expr) -> sp.Expr:
        """Express any number between low and high, both excluded, by a new parameter."""
        if low.is_finite and high.is_finite:
            t = self._parameter("odds")
            return (low + high * t) / (1 + t)
        if low.is_finite:
            return low + self._parameter("positive")
        return high - self._parameter("positive")

    def _add_entries(self, base: sp.IndexedBase, kind: str) -> None:
        each = range(1, self.k + 1)
        if kind == "preferences":
            for i, j in product(each, each):
                self._add_preference(base, i, j)
            return
        if kind == "distribution":
            weights = [self._parameter("odds") for _ in each]
            values = [weight / sum(weights) for weight in weights]
        else:
            values = [self._number_of_kind(kind) for _ in each]
        named = zip(each, values, strict=True)
        fresh = [self._add(base[i], f"{base.label}_{i}", kind, value) for i, value in named]
        if kind == "distribution":
            self.relations[fresh[-1]] = 1 - sum(fresh[:-1])

    def _add_preference(self, base: sp.IndexedBase, i: int, j: int) -> None:
        name, mirror = f"{base.label}_{i}{j}", self.fresh.get(base[j, i])
        if mirror is not None:
            fresh = self._add(
                base[i, j], name, "probability", sp.cancel(1 - self.parameters[mirror])
            )
            self.relations[fresh] = 1 - mirror
        elif i < j:
            self._add(base[i, j], name, "probability", self._number_of_kind("probability"))
        else:
            half = sp.Rational(1, 2)
            self.relations[self._add(base[i, j], name, "probability", half)] = half

    def points(self, rng: np.random.Generator, count: int) -> Iterator[dict[sp.Dummy, mpmath.mpf]]:
        """Yield values of the fresh symbols, first simple ones and then random ones.

        The random values are small or large, and of either sign if the kind is real.
        """
        for n in range(count):
            drawn = {t: _draw(rng, size) if n else _simple(size) for t, size in self._sizes.items()}
            yield {fresh: number(value, drawn) for fresh, value in self.parameters.items()}


def _simple(size: str) -> mpmath.mpf:
    return mpmath.mpf(0 if size == "real" else 1)


def _draw(rng: np.random.Generator, size: str) -> mpmath.mpf:
    drawn = mpmath.mpf(10 ** rng.uniform(*_DECADES[size]))
    return -drawn if size == "real" and rng.random() < 0.5 else drawn
