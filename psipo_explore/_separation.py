"""Which comparisons shared weights can separate, by linear and quadratic programmes.

Z has one row for each comparison, φ(winner) − φ(loser). A row is separated if some v has Zv ≥ 0
and is positive on that row (Albert and Anderson 1984). A loss that falls for ever pays nothing
for these rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linprog, nnls

from psipo_explore._checks import Array, Mask

_HALF = 0.5
_VIOLATED = 1e-9  # share of the margin 1 by which a row may miss it
_IS_ZERO = 1e-10  # relative size of a singular value that counts as 0
_GROWS = 1e-7  # a margin of the programme below this is 0
_AT_ONCE = 50  # violated rows that are added to the quadratic programme in one round


def separated_rows(z: Any) -> Mask:
    """Return the largest support of Zv over all v with Zv ≥ 0, shape (N,).

    It maximises Σ s subject to s ≤ Zv and 0 ≤ s ≤ 1. At the optimum every s is 0 or 1, since v may
    be scaled.
    """
    from scipy import sparse

    n, d = z.shape
    scaled = (
        sparse.csr_array(z / _row_sizes(z)[:, np.newaxis]) if not sparse.issparse(z) else _scaled(z)
    )
    is_zero = np.asarray(abs(scaled).sum(axis=1)).ravel() == 0
    above = sparse.hstack([-scaled, sparse.eye_array(n)], format="csr")
    cost = np.concatenate([np.zeros(d), -np.ones(n)])
    bounds = np.concatenate([np.tile([-np.inf, np.inf], (d, 1)), np.tile([0.0, 1.0], (n, 1))])
    found = linprog(cost, above, np.zeros(n), bounds=bounds, method="highs")
    if found.status != 0:
        raise RuntimeError(
            f"the programme that finds separated comparisons stopped: {found.message}"
        )
    return np.asarray((found.x[d:] > _HALF) & ~is_zero)


def _row_sizes(z: Array) -> Array:
    sizes = np.linalg.norm(z, axis=1)
    return np.where(sizes > 0, sizes, 1.0)


def _scaled(z: Any) -> Any:
    from scipy import sparse

    sizes = np.sqrt(np.asarray(z.multiply(z).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.where(sizes > 0, sizes, 1.0)) @ z)


def null_basis(z: Array) -> Array:
    """Return an orthonormal basis of {v : Zv = 0}, shape (d, dimension)."""
    if not len(z):
        return np.eye(z.shape[1])
    _, sizes, rows = np.linalg.svd(_triangle(z))
    rank = int((sizes > _IS_ZERO * max(sizes[0], 1e-300)).sum()) if sizes.size else 0
    return np.asarray(rows[rank:].T)


def _triangle(z: Array) -> Array:
    """Return the R of a QR decomposition, which has the same null space as Z."""
    return np.asarray(np.linalg.qr(z, mode="r")) if len(z) > z.shape[1] else z


def least_direction(z_separated: Array, basis: Array) -> Array:
    """Return the shortest v in the span of a basis with Zv ≥ 1 on all separated rows.

    It is a least-distance programme (Lawson and Hanson 1974). Only the rows that are violated enter
    it, a few more in each round, so that it stays small however many rows there are.
    """
    rows = z_separated @ basis
    active = np.array([], np.intp)
    y = np.zeros(basis.shape[1])
    while True:
        missing = 1 - rows @ y
        worst = np.argsort(-missing)[:_AT_ONCE]
        new = np.setdiff1d(worst[missing[worst] > _VIOLATED], active)
        if not new.size:
            return np.asarray(basis @ y)
        active = np.concatenate([active, new])
        y = _least_distance(rows[active])


def _least_distance(rows: Array) -> Array:
    """Return the shortest y with rows · y ≥ 1, by non-negative least squares."""
    n, d = rows.shape
    system = np.vstack([rows.T, np.ones(n)])
    target = np.concatenate([np.zeros(d), [1.0]])
    multipliers, _ = nnls(system, target, maxiter=50 * (n + d))
    on_edge = multipliers > 0
    # The rows on the edge hold exactly, so that the answer has all digits.
    edge = rows[on_edge]
    y, *_ = np.linalg.lstsq(edge, np.ones(len(edge)), rcond=None)
    return np.asarray(y)


def can_be_spared(z_separated: Array, basis: Array, rivals: Array) -> bool:
    """Whether some v has Z_S v > 0 and keeps an answer on top, where rivals = φ(y') − φ(y)."""
    rows, ahead = z_separated @ basis, rivals @ basis
    n, d = rows.shape
    above = np.vstack([np.c_[-rows, np.ones(n)], np.c_[ahead, np.zeros(len(ahead))]])
    found = linprog(
        np.concatenate([np.zeros(d), [-1.0]]),
        above,
        np.zeros(len(above)),
        bounds=[(-1, 1)] * d + [(None, 1)],
        method="highs",
    )
    return bool(found.status == 0 and found.x[-1] > _GROWS)
