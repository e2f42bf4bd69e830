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
        z = z / _power_of_2(_largest(z, axis=1))[:, np.newaxis]
        self._size = _power_of_2(_largest(z, axis=0))
        singular, rows = _singular_rows(z / self._size)
        rank = int((singular > _IS_ZERO * singular.max(initial=0.0)).sum())
        self._to_weights = rows[:rank].T / singular[:rank] / self._size[:, np.newaxis]
        if rank < d:
            self._scaled_basis = rows[:rank].T
            self._basis = np.linalg.qr(self._size[:, np.newaxis] * self._scaled_basis)[0]

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
        return np.zeros_like(vectors) if self._basis is None else _without(vectors, self._basis)

    def contains(self, vectors: Array) -> bool:
        """Whether all vectors, shape (n, d), lie in the row space, whatever the features' units."""
        if self._basis is None:
            return True
        vectors = vectors / self._size
        left = _without(vectors, self._scaled_basis)
        return bool((lengths(left) <= _CONTAINED * lengths(vectors)).all())


def _without(vectors: Array, basis: Array) -> Array:
    """Return vectors without their part in the span of an orthonormal basis, shape (d, r)."""
    if not basis.size:
        return vectors
    # Taken away twice, what is left is orthogonal to the basis to the last digit.
    for _ in range(2):
        vectors = vectors - vectors @ basis @ basis.T
    return vectors


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
    size = _largest(z, axis=0)
    used = size[size > 0]
    return z / _power_of_2(size) if used.max() > _ALIKE * used.min() else z


def _largest(z: Array, axis: int) -> Array:
    """Return the largest size in each row or column, without an array of Z's shape."""
    return np.asarray(np.maximum(z.max(axis, initial=0.0), -z.min(axis, initial=0.0)))


def _power_of_2(sizes: Array) -> Array:
    """Return powers of 2 near the sizes, by which division is exact; 1 for a size of 0."""
    return np.asarray(np.ldexp(1.0, np.where(sizes > 0, np.frexp(sizes)[1], 0)))


def _singular_rows(z: Array) -> tuple[Array, Array]:
    """Return the singular values of Z, and its right singular vectors as rows."""
    triangle = np.linalg.qr(z, mode="r") if len(z) > z.shape[1] else z
    _, singular, rows = np.linalg.svd(triangle, full_matrices=False)
    return singular, rows
