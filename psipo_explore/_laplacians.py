"""Newton's step on a graph: the Δx with Bᵀ diag(c) B Δx = −Bᵀf, for the pull f and the curvature c of each comparison.

B is the incidence matrix, +1 at the winner and −1 at the loser. Where curvatures are alike the Laplacian is solved as it
is; where they are not, the heaviest spanning tree gives each margin a scale of its own, so that no rounding in a clump
drowns the thread that ties it to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices
from psipo_explore._exact_sums import exact_sums

_CG_STEPS = 3000
_CG_RESIDUAL = 1e-9  # of a Newton step, which the next one mends
_CG_RESIDUAL_QUADRATIC = 1e-14  # of the only step
_CG_RESIDUAL_ALONG_TREE = 1e-12
_THIN = 5.5  # entries of the Laplacian for each action up to which it is a chain or a grid
_FEW = 100  # actions whose Laplacian is factorised at once
_MOST_STEPS_OF_PATHS = 5_000_000  # entries of T that patience holds: half a second a step
_TINY = float(np.finfo(float).tiny)  # a curvature below has lost digits
_EPS = float(np.finfo(float).eps)


class Pulls(NamedTuple):
    """Of each comparison, shape (N,): its pull w·limit + tail, the rounding in the tail, and its curvature c.

    The limit, one of at most two numbers, is what a slope that saturates comes to in the end. In a cut such pulls may cancel,
    and leave the tails.
    """

    weight: Array
    limit: Array
    tail: Array
    rounding: Array
    curvature: Array


@dataclass(frozen=True)
class Springs:
    """Comparisons as springs between actions; a ridge ties each action to the ground by one more."""

    winners: Indices
    losers: Indices
    component: Indices
    ridge: float

    @property
    def n_actions(self) -> int:
        """K."""
        return self.component.size

    def sum_at_actions(self, values: Array) -> Array:
        """Bᵀ values, shape (K,): what each action gets as a winner, less what it gets as a loser."""
        k = self.n_actions
        return np.asarray(np.bincount(self.winners, values, k) - np.bincount(self.losers, values, k))

    def total_at_actions(self, values: Array) -> Array:
        """|B|ᵀ values, shape (K,)."""
        k = self.n_actions
        return np.asarray(np.bincount(self.winners, values, k) + np.bincount(self.losers, values, k))

    def centred(self, x: Array) -> Array:
        """Take off each component's mean: in the sum of the pulls, and so of the ridge's, it is 0."""
        size = np.bincount(self.component)
        return np.asarray(x - (np.bincount(self.component, x) / size)[self.component])

    def laplacian(self, curvature: Array) -> Any:
        """Bᵀ diag(c) B + ridge, a sparse matrix."""
        from scipy import sparse

        k = self.n_actions
        diagonal = self.total_at_actions(curvature) + self.ridge
        actions = np.arange(k)
        rows = np.concatenate([self.winners, self.losers, actions])
        columns = np.concatenate([self.losers, self.winners, actions])
        entries = np.concatenate([-curvature, -curvature, diagonal])
        return sparse.coo_array((entries, (rows, columns)), shape=(k, k)).tocsr()

    def solve(self, curvature: Array, b: Array, *, exactly: bool) -> Array:
        """The x with (Bᵀ diag(c) B + ridge) x = b, of mean 0 on each component.

        Raises
        ------
        RuntimeError
            If the matrix is singular.
        """
        from scipy import sparse

        matrix = self.laplacian(curvature)
        if self.n_actions <= _FEW or matrix.nnz <= _THIN * self.n_actions:
            return self._solve_grounded(matrix.tocsc(), b)
        diagonal = matrix.diagonal()
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        b = self.centred(b)  # no step takes away what rounding adds to b outside the Laplacian's range
        x, failed = sparse.linalg.cg(
            matrix,
            b,
            rtol=_CG_RESIDUAL_QUADRATIC if exactly else _CG_RESIDUAL,
            atol=0.0,
            maxiter=_CG_STEPS,
            M=sparse.diags_array(inverse),
        )
        return self._solve_grounded(matrix.tocsc(), b) if failed else self.centred(x)

    def _solve_grounded(self, matrix: Any, b: Array) -> Array:
        """By factorisation, the best-knit action of each component held at 0, unless a ridge that rounding leaves holds it."""
        from scipy import sparse

        degree, free = matrix.diagonal(), np.ones(b.size, dtype=bool)
        if self.ridge <= _EPS * degree.max():
            free[self._best_knit(degree)] = False
        x = np.zeros(b.size)
        factors = sparse.linalg.splu(
            matrix[free][:, free],
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        x[free] = factors.solve(b[free])
        return self.centred(x)

    def _best_knit(self, degree: Array) -> Indices:
        """One action of each component, of largest degree."""
        by_component = np.lexsort((-degree, self.component))
        _, first = np.unique(self.component[by_component], return_index=True)
        return by_component[first]

    def tree(self, x: Array, at: Pulls) -> Tree | None:
        """The heaviest spanning tree; None if its paths are too long to write down, or a curvature is too small."""
        ground = self.n_actions
        if self.ridge:
            held = np.arange(ground)
            at = _joined(at, self._pulls_of_ridge(x))
            heaviness = at.curvature
        else:
            held = self._best_knit(self.total_at_actions(at.curvature))
            heaviness = np.append(at.curvature, np.full(held.size, -1.0))  # anchors come last
        first = np.concatenate([self.winners, held])
        second = np.concatenate([self.losers, np.full(held.size, ground)])
        edges, parent = _heaviest_tree(first, second, heaviness, ground + 1)
        paths = _paths_from_the_last(first, second, edges, parent)
        moving = heaviness[edges] >= 0
        if paths is None or (heaviness[edges[moving]] < _TINY).any():
            return None
        paths = paths[:, np.flatnonzero(moving)]
        first, second = first[: at.curvature.size], second[: at.curvature.size]
        steps = np.diff(paths.indptr)
        if (steps[first] + steps[second]).sum() > _MOST_STEPS_OF_PATHS:
            return None
        crossing = paths[first] - paths[second]
        crossing.eliminate_zeros()
        return Tree(paths[:ground], crossing, at, heaviness[edges[moving]])

    def _pulls_of_ridge(self, x: Array) -> Pulls:
        """Of the springs that tie each action to the ground."""
        pull, nothing = self.ridge * x, np.zeros(x.size)
        return Pulls(nothing, nothing, pull, 2 * _EPS * np.abs(pull), np.full(x.size, self.ridge))


@dataclass(frozen=True)
class Tree:
    """A spanning tree of the heaviest springs, and which springs cross each of its cuts.

    Parameters
    ----------
    paths : sparse array, shape (K, E)
        P: ±1 where the path from the ground to an action runs along a tree edge, so that x = P d for the margins d.
    crossing : sparse array, shape (N, E)
        T = B P: ±1 where a comparison crosses the cut that opens when a tree edge is taken out.
    at : Pulls
        Of each comparison.
    heaviness : ndarray, shape (E,)
        Curvature of each tree edge. No comparison that crosses its cut has more, so that Tᵀ diag(c) T, scaled by it, is
        well conditioned however unlike the curvatures are.
    """

    paths: Any
    crossing: Any
    at: Pulls
    heaviness: Array

    def step(self) -> Array:
        """Newton's step: (Tᵀ diag(c) T) d = −Tᵀf and Δx = P d.

        Cuts that balance to rounding have nothing left to do, and do not hide the others.
        """
        from scipy import sparse

        cut, rounding = self.cuts
        scale = 1 / np.sqrt(self.heaviness)
        b = -scale * np.where(np.abs(cut) > rounding, cut, 0.0)
        largest = np.abs(b).max(initial=0.0)
        if largest == 0:
            return np.zeros(self.paths.shape[0])
        half = sparse.diags_array(np.sqrt(self.at.curvature)) @ self.crossing @ sparse.diags_array(scale)
        transposed = half.T.tocsr()
        scaled = sparse.linalg.LinearOperator((b.size, b.size), matvec=lambda d: transposed @ (half @ d))
        d, _ = sparse.linalg.cg(scaled, b / largest, rtol=_CG_RESIDUAL_ALONG_TREE, atol=0.0, maxiter=_CG_STEPS)
        return np.asarray(self.paths @ (largest * scale * d))

    @cached_property
    def cuts(self) -> tuple[Array, Array]:
        """Tᵀf, the sum of the pulls across each cut, and the rounding in it; each of shape (E,)."""
        across = self.crossing.T
        cut, rounding = across @ self.at.tail, abs(across) @ self.at.rounding
        for limit in np.unique(self.at.limit[self.at.limit != 0]):
            weight = np.where(self.at.limit == limit, self.at.weight, 0.0)
            saturated = limit * exact_sums(across.__matmul__, weight.size, weight)
            cut, rounding = cut + saturated, rounding + _EPS * np.abs(saturated)
        return cut, rounding

    @property
    def blur(self) -> Array:
        """By how much that rounding may move the margin across each cut, shape (E,)."""
        _, rounding = self.cuts
        return np.asarray(rounding / (abs(self.crossing).T @ self.at.curvature))


def _joined(one: Pulls, other: Pulls) -> Pulls:
    return Pulls(*(np.concatenate(both) for both in zip(one, other, strict=True)))


def _heaviest_tree(first: Indices, second: Indices, heaviness: Array, n_nodes: int) -> tuple[Indices, Indices]:
    """Edges of the spanning tree of largest weight, and each node's parent on its way to the last node."""
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    order = np.argsort(-heaviness, kind="stable")
    low, high = np.minimum(first, second)[order], np.maximum(first, second)[order]
    _, heaviest = np.unique(low * n_nodes + high, return_index=True)  # of the edges between the same two nodes
    places = heaviest + 1.0  # in the order; 0 would be no edge
    ends = (low[heaviest].astype(np.int32), high[heaviest].astype(np.int32))  # SciPy before 1.16 takes no others
    graph = sparse.coo_array((places, ends), shape=(n_nodes, n_nodes))
    tree = minimum_spanning_tree(graph.tocsr())
    _, parent = breadth_first_order(tree, n_nodes - 1, directed=False)
    return order[tree.data.astype(np.intp) - 1], np.asarray(parent, dtype=np.intp)


def _paths_from_the_last(first: Indices, second: Indices, edges: Indices, parent: Indices) -> Any | None:
    """±1 where the path from the last node to a node runs along an edge of the tree; None if that is too much."""
    from scipy import sparse

    n_nodes = parent.size
    a, b = first[edges], second[edges]
    child = np.where(parent[a] == b, a, b)
    sign = np.where(child == a, 1.0, -1.0)
    paths = sparse.csr_array((sign, (child, np.arange(edges.size))), shape=(n_nodes, edges.size))
    up = sparse.csr_array((np.ones(edges.size), (child, parent[child])), shape=(n_nodes, n_nodes))
    while up.nnz:  # paths of 1, 2, 4, … edges
        paths, up = paths + up @ paths, up @ up
        if paths.nnz > _MOST_STEPS_OF_PATHS:
            return None
    return paths
