"""The weights on which comparisons depend: the row space of Z, one row φ(winner) − φ(loser) each."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, lapack

from psipo_explore._checks import Array

_IS_ZERO = 1e-10  # relative size of a singular value that counts as 0
_WELL_CONDITIONED = 1e-8  # reciprocal condition of a Gram matrix whose Cholesky factor is trusted
_CONTAINED = 1e-8  # share of a vector that may lie outside a space that contains it


class RowSpace:
    """The span of the rows of Z, shape (N, d), in which the shortest minimiser lies.

    Attributes
    ----------
    to_weights : ndarray, shape (d, r)
        Maps coordinates u of the row space to weights ψ that have every margin Zψ. The columns of
        Z · to_weights are independent and of similar length. ψ itself may lie outside the space.
    """

    def __init__(self, z: Array) -> None:
        z = z / _scale(np.abs(z).max(axis=1, initial=0.0))[:, np.newaxis]
        size = _scale(np.linalg.norm(z, axis=0))
        self._basis: Array | None = None  # None if the rows span everything
        z = z / size
        n, d = z.shape
        if n >= d and well_conditioned_factor(z.T @ z):
            self.to_weights = np.diag(1 / size)
            return
        singular, rows = _singular_rows(z)
        rank = int((singular > _IS_ZERO * singular.max(initial=0.0)).sum())
        self.to_weights = rows[:rank].T / singular[:rank] / size[:, np.newaxis]
        if rank < d:
            self._basis = np.linalg.qr((rows[:rank] * size).T)[0]

    def outside(self, vectors: Array) -> Array:
        """Return what is left of vectors, shape (..., d), without their part in the row space."""
        if self._basis is None:
            return np.zeros_like(vectors)
        # Taken away twice, what is left is orthogonal to the row space to the last digit.
        for _ in range(2):
            vectors = vectors - vectors @ self._basis @ self._basis.T
        return vectors

    def inside(self, vectors: Array) -> Array:
        """Return the part of vectors, shape (..., d), in the row space."""
        return vectors if self._basis is None else vectors @ self._basis @ self._basis.T

    def contains(self, vectors: Array) -> bool:
        """Whether all vectors, shape (n, d), lie in the row space."""
        left = np.linalg.norm(self.outside(vectors), axis=1)
        return bool((left <= _CONTAINED * np.linalg.norm(vectors, axis=1)).all())


def of_unit_length(rows: Array) -> tuple[Array, Array]:
    """Return rows divided by their lengths, and these lengths; a row of zeros stays."""
    size = np.linalg.norm(rows, axis=1)
    return rows / np.where(size > 0, size, 1.0)[:, np.newaxis], size


def _scale(sizes: Array) -> Array:
    """Return powers of 2 near the sizes, by which division is exact; 1 for a size of 0."""
    return np.asarray(np.ldexp(1.0, np.where(sizes > 0, np.frexp(sizes)[1], 0)))


def well_conditioned_factor(gram: Array) -> tuple[Array, bool] | None:
    """Return the Cholesky factor of a Gram matrix, or None if it may be close to singular."""
    try:
        factor, lower = cho_factor(gram, check_finite=False)
    except LinAlgError:
        return None
    reciprocal_condition, _ = lapack.dpocon(factor, np.linalg.norm(gram, 1))
    return (factor, lower) if reciprocal_condition > _WELL_CONDITIONED else None


def _singular_rows(z: Array) -> tuple[Array, Array]:
    """Return the singular values of Z, and its right singular vectors as rows."""
    triangle = np.linalg.qr(z, mode="r") if len(z) > z.shape[1] else z
    _, singular, rows = np.linalg.svd(triangle, full_matrices=False)
    return singular, rows
