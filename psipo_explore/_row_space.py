"""The weights on which comparisons depend: the row space of Z, one row φ(winner) − φ(loser) each."""

from __future__ import annotations

from copy import copy

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, lapack, qr, solve_triangular

from psipo_explore._checks import Array, Indices

_IS_ZERO = 1e-10  # relative size of a pivot that counts as 0
_WELL_CONDITIONED = 1e-8  # reciprocal condition of a Gram matrix whose Cholesky factor is trusted
_CONTAINED = 1e-8  # share of a vector that may lie outside a space that contains it


class RowSpace:
    """The span of the rows of Z, shape (N, d), in which the shortest minimiser lies.

    Some features are independent in Z, and all others are combinations of them. The coordinates u
    of weights ψ are those weights on the independent features, in units of their own, that have the
    same margins: Zψ = design(Z) · u.

    What is decided here depends on the units of the columns of Z only as far as rounding does. So
    columns should be alike in size.
    """

    def __init__(self, z: Array) -> None:
        self._basis: Array | None = None  # orthonormal; None if the rows span everything
        n, d = z.shape
        self._independent: Indices | None = None  # None if all are
        self._size = np.ones(d)
        if n >= d and scaled_factor(z.T @ z):
            return
        z = z / power_of_2(largest(z, axis=1))[:, np.newaxis]
        size = largest(z, axis=0)
        self._seen, self._size = size > 0, power_of_2(size)
        triangle, order = _pivoted(z / self._size)
        pivots = np.abs(triangle.diagonal())
        rank = int((pivots > _IS_ZERO * pivots.max(initial=0.0)).sum())
        self._independent = order[:rank]
        if rank < d:
            self._combine = np.zeros((d, rank))
            self._combine[order[:rank]] = np.eye(rank)
            self._combine[order[rank:]] = solve_triangular(
                triangle[:rank, :rank], triangle[:rank, rank:]
            ).T
            self._scaled_basis = np.linalg.qr(self._combine)[0]
            self._basis = np.linalg.qr(self._size[:, np.newaxis] * self._combine)[0]

    def in_units(self, units: Array) -> RowSpace:
        """Return the same space for weights, vectors and rows that are not divided by units.

        Z was divided by these units, shape (d,), which are powers of 2. The coordinates u stay what
        they are, and so does what is decided. But other weights are the shortest.
        """
        given = copy(self)
        given._size = self._size * units
        if self._basis is not None:
            given._basis = np.linalg.qr(given._size[:, np.newaxis] * self._combine)[0]
        return given

    @property
    def is_everything(self) -> bool:
        """Whether every vector lies in the row space."""
        return self._basis is None

    def design(self, z: Array) -> Array:
        """Return Z in the coordinates of the row space, in which its columns are independent."""
        if self._independent is None:
            return in_units(z, self._size)
        return np.asarray(z[:, self._independent] / self._size[self._independent])

    def weights(self, u: Array) -> Array:
        """Return weights ψ that have the margins of the coordinates u, and use few features."""
        if self._independent is None:
            return in_units(u, self._size)
        psi = np.zeros(self._size.size)
        psi[self._independent] = u / self._size[self._independent]
        return psi

    def shortest(self, u: Array) -> Array:
        """Return the shortest weights ψ that have the margins of the coordinates u."""
        psi = self.weights(u)
        if self._basis is not None:
            psi = self._with_coordinates(psi @ self._basis @ self._basis.T, u)
        return psi

    def without_margins(self, v: Array) -> Array:
        """Return a v that is almost orthogonal to all rows, so that it is to the last digit."""
        return v if self._basis is None else self._with_coordinates(v, np.zeros(1))

    def _with_coordinates(self, psi: Array, u: Array) -> Array:
        """Correct weights by what rounding left of their coordinates."""
        psi = psi.copy()
        rest = u - (self._size * psi) @ self._combine
        psi[self._independent] += rest / self._size[self._independent]
        return psi

    def outside(self, vectors: Array) -> Array:
        """Return what is left of vectors, shape (..., d), without their part in the row space."""
        return np.zeros_like(vectors) if self._basis is None else _without(vectors, self._basis)

    def contains(self, vectors: Array) -> bool:
        """Whether all vectors, shape (n, d), lie in the row space, whatever the features' units."""
        if self._basis is None:
            return True
        # A feature that is the same in all comparisons has no unit there.
        size = np.where(self._seen, self._size, power_of_2(largest(vectors, axis=0)))
        vectors = vectors / size
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


def units_of_columns(z: Array, otherwise: Array) -> Array:
    """Return powers of 2 that make the columns of Z alike in size.

    A column of zeros takes the unit of the same column of another array.
    """
    size = largest(z, axis=0)
    if not size.all():
        size = np.where(size > 0, size, largest(otherwise, axis=0))
    return power_of_2(size)


def in_units(vectors: Array, units: Array) -> Array:
    """Divide vectors, shape (..., d), by units, without a copy if these are ones."""
    return vectors if (units == 1).all() else vectors / units


def largest(z: Array, axis: int | None = None) -> Array:
    """Return the largest size, in each row or column or in all, without an array of Z's shape."""
    return np.asarray(np.maximum(z.max(axis, initial=0.0), -z.min(axis, initial=0.0)))


def power_of_2(sizes: Array) -> Array:
    """Return powers of 2 near the sizes, by which division is exact; 1 for a size of 0."""
    return np.asarray(np.ldexp(1.0, np.where(sizes > 0, np.frexp(sizes)[1] - 1, 0)))


def _pivoted(z: Array) -> tuple[Array, Indices]:
    """Return the triangle of a QR decomposition of Z with pivoting, and the order of columns."""
    triangle = np.asarray(np.linalg.qr(z, mode="r")) if len(z) > z.shape[1] else z
    if not len(triangle):
        return triangle, np.arange(z.shape[1])
    _, pivoted, order = qr(triangle, mode="economic", pivoting=True)
    return pivoted, order
