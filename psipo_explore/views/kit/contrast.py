"""The two Ψ that most pictures compare: logit is unbounded, and identity is bounded."""

from __future__ import annotations

from psipo_explore import IDENTITY, LOGIT
from psipo_explore.views.kit import palette

PSIS = {"logit": LOGIT, "identity": IDENTITY}
LOOKS: dict[str, palette.Look] = {"logit": palette.LOGIT_LINE, "identity": palette.IDENTITY_LINE}
