"""The choice of Ψ: the reader either moves a slider over folded powers or types a formula."""

from __future__ import annotations

from psipo_explore import Psi, folded_power
from psipo_explore.views.kit.controls import Typed
from psipo_explore.views.kit.words import number

FORMULA = Typed(
    "formula",
    "or Ψ(q) typed, then Enter",
    (
        "",
        "q**2",
        "-log(1-q)",
        "atan(logit(q))",
        "sqrt(q)/(sqrt(q)+sqrt(1-q))",
        "clip(logit(q), -3, 3)",
    ),
)


def chosen_psi(lam: float, formula: str) -> Psi:
    """Return the typed Ψ if there is one, and the folded power λ otherwise."""
    return Psi.from_formula(formula) if formula.strip() else folded_power(lam)


def psi_words(psi: Psi, lam: float, formula: str) -> str:
    """Return the name of the chosen Ψ for a sentence."""
    if formula.strip():
        return f"Ψ(q) = {psi.name}"
    return {0.0: "logit (λ = 0)", 2.0: "identity (λ = 2)"}.get(
        lam, f"the folded power λ = {number(lam)}"
    )
