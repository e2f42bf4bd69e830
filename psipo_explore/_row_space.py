"""The weights on which comparisons depend: the row space of Z, one row φ(winner) − φ(loser) each."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, lapack

from psipo_explore._checks import Array

_IS_ZERO = 1e-10  # relative size of a singular value that counts as 0
_WELL_CONDITIONED = 1e-8  # reciprocal condition of a Gram matrix whose Cholesky factor is trusted
_CONTAINED = 1e-8  # share of a vector that may lie outside a space that contains it
_ALIKE = 1000.0  # columns whose sizes differ by less than this factor need not be scaled


class RowSpace:
    """The span of the rows of Z, shape (N, d), in which the shortest minimiser lies."""

    def __init__(self, z: Array) -> None:
        self._basis: Array | None = None  # None if the rows span everything
        self._to_weights: Array | None = None  # None if coordinates are the weights themselves
        n, d = z.shape
        if n >= d and scaled_factor(z.T @ z):
            return
        z = z / _power_of_2(np.abs(z).max(axis=1, initial=0.0))[:, np.newaxis]
        size = _power_of_2(np.linalg.norm(z, axis=0))
        singular, rows = _singular_rows(z / size)
        rank = int((singular > _IS_ZERO * singular.max(initial=0.0)).sum())
        self._to_weights = rows[:rank].T / singular[:rank] / size[:, np.newaxis]
        if rank < d:
            self._basis = np.linalg.qr((rows[:rank] * size).T)[0]

    @property
    def is_everything(self) -> bool:
        """Whether every vector lies in the row space."""
        return self._basis is None

    def design(self, z: Array) -> Array:
        """Return Z in coordinates u of the row space, in which its columns are independent."""
        return z if self._to_weights is None else z @ self._to_weights

    def shortest(self, u: Array) -> Array:
        """Return the shortest weights ψ that have the margins of the coordinates u."""
        psi = u if self._to_weights is None else self._to_weights @ u
        return psi if self._basis is None else psi @ self._basis @ self._basis.T

    def outside(self, vectors: Array) -> Array:
        """Return what is left of vectors, shape (..., d), without their part in the row space."""
        if self._basis is None:
            return np.zeros_like(vectors)
        if not self._basis.size:
            return vectors
        # Taken away twice, what is left is orthogonal to the row space to the last digit.
        for _ in range(2):
            vectors = vectors - vectors @ self._basis @ self._basis.T
        return vectors

    def contains(self, vectors: Array) -> bool:
        """Whether all vectors, shape (n, d), lie in the row space."""
        return bool((lengths(self.outside(vectors)) <= _CONTAINED * lengths(vectors)).all())


def scaled_factor(gram: Array) -> tuple[Array, Array] | None:
    """Factorise a Gram matrix, scaled to a diagonal of 1.

    Return the scale and Cholesky's factor, or None if the matrix may be close to singular.
    """
    size = np.sqrt(gram.diagonal())
    if not (size.all() and np.isfinite(size).all()):
        return None
    gram = gram / size / size[:, np.newaxis]
    try:
        factor, _ = cho_factor(gram, check_finite=False)
    except LinAlgError:
        return None
    reciprocal_condition, _ = lapack.dpocon(factor, np.linalg.norm(gram, 1))
    return (size, factor) if reciprocal_condition > _WELL_CONDITIONED else None


def lengths(rows: Array) -> Array:
    """Return the length of each row, without an array of the rows' shape."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows)))


def with_alike_columns(z: Array) -> Array:
    """Return Z, or, where its columns differ much in size, columns divided by powers of 2."""
    size = np.maximum(z.max(axis=0, initial=0.0), -z.min(axis=0, initial=0.0))
    used = size[size > 0]
    return z / _power_of_2(size) if used.max() > _ALIKE * used.min() else z


def _power_of_2(sizes: Array) -> Array:
    """Return powers of 2 near the sizes, by which division is exact; 1 for a size of 0."""
    return np.asarray(np.ldexp(1.0, np.where(sizes > 0, np.frexp(sizes)[1], 0)))


def _singular_rows(z: Array) -> tuple[Array, Array]:
    """Return the singular values of Z, and its right singular vectors as rows."""
    triangle = np.linalg.qr(z, mode="r") if len(z) > z.shape[1] else z
    _, singular, rows = np.linalg.svd(triangle, full_matrices=False)
    return singular, rows
