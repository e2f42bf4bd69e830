"""Newton's step on a graph: the Δx with Bᵀ diag(c) B Δx = −Bᵀf, for the pull f and the curvature c
of each comparison.

B is the incidence matrix, +1 at the winner and −1 at the loser. Where curvatures are alike the
Laplacian is solved as it is; where they are not, the heaviest spanning tree gives each margin a
scale of its own, so that no rounding in a clump drowns the thread that ties it to the next.
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
_STEPS_OF_A_CALL = 500  # entries that take as long to write as NumPy takes to be called
_FARTHEST = 1e300  # that a step can go without leaving float64
_TINY = float(np.finfo(float).tiny)  # a curvature below has lost digits
_EPS = float(np.finfo(float).eps)


class Pulls(NamedTuple):
    """Of each comparison, shape (N,): its pull w·limit + tail, the rounding in the tail, and its
    curvature c.

    The limit, one of at most two numbers, is what a slope that saturates comes to in the end. In a
    cut such pulls may cancel, and leave the tails.
    """

    weight: Array
    limit: Array
    tail: Array
    rounding: Array
    curvature: Array


@dataclass(frozen=True)
class Springs:
    """Comparisons as springs between actions; a ridge, shape (K,), ties each action to the ground
    by one more.
    """

    winners: Indices
    losers: Indices
    component: Indices
    ridge: Array

    @property
    def n_actions(self) -> int:
        """K."""
        return self.component.size

    def sum_at_actions(self, values: Array) -> Array:
        """Bᵀ values, shape (K,): what each action gets as a winner, less what it gets as a loser."""
        k = self.n_actions
        return np.asarray(
            np.bincount(self.winners, values, k) - np.bincount(self.losers, values, k)
        )

    def total_at_actions(self, values: Array) -> Array:
        """|B|ᵀ values, shape (K,)."""
        k = self.n_actions
        return np.asarray(
            np.bincount(self.winners, values, k) + np.bincount(self.losers, values, k)
        )

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
            If the matrix is singular, or so nearly that x leaves float64.
        """
        from scipy import sparse

        matrix = self.laplacian(curvature)
        if self.n_actions <= _FEW or matrix.nnz <= _THIN * self.n_actions:
            return self._solve_grounded(matrix.tocsc(), b)
        diagonal = matrix.diagonal()
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        # no step takes away what rounding adds to b outside the Laplacian's range
        b = self.centred(b)
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
        """By factorisation, the best-knit action of each component held at 0, unless a ridge that
        rounding leaves holds it.
        """
        from scipy import sparse

        degree, free = matrix.diagonal(), np.ones(b.size, dtype=bool)
        ground = self._best_knit(degree)
        free[ground] = self.ridge[ground] > _EPS * degree[ground]
        x = np.zeros(b.size)
        factors = sparse.linalg.splu(
            matrix[free][:, free],
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        x[free] = factors.solve(b[free])
        if not (np.abs(x) < _FARTHEST).all():
            raise RuntimeError("a pivot is lost in rounding")
        return self.centred(x)

    def _best_knit(self, degree: Array) -> Indices:
        """One action of each component, of largest degree."""
        by_component = np.lexsort((-degree, self.component))
        _, first = np.unique(self.component[by_component], return_index=True)
        return by_component[first]

    def tree(self, x: Array, at: Pulls) -> Tree | None:
        """The heaviest spanning tree; None if its paths are too long to write down, or a curvature
        is too small.
        """
        ground = self.n_actions
        if self.ridge.any():
            held = np.arange(ground)
            at = _joined(at, self._pulls_of_ridge(x))
            heaviness = at.curvature
        else:
            held = self._best_knit(self.total_at_actions(at.curvature))
            heaviness = np.append(at.curvature, np.full(held.size, -1.0))  # anchors come last
        first = np.concatenate([self.winners, held])
        second = np.concatenate([self.losers, np.full(held.size, ground)])
        rooted = _RootedTree.heaviest(first, second, heaviness)
        of_edge = heaviness[rooted.edge[:ground]]
        if (of_edge[of_edge >= 0] < _TINY).any():
            return None
        n = at.curvature.size
        crossing = rooted.paths(first[:n], second[:n])
        return (
            None
            if crossing is None
            else Tree(rooted, crossing, at, np.where(of_edge >= 0, of_edge, np.inf))
        )

    def _pulls_of_ridge(self, x: Array) -> Pulls:
        """Of the springs that tie each action to the ground."""
        pull, nothing = self.ridge * x, np.zeros(x.size)
        return Pulls(nothing, nothing, pull, 2 * _EPS * np.abs(pull), self.ridge)


@dataclass(frozen=True)
class Tree:
    """A spanning tree of the heaviest springs, and which springs cross each of its cuts.

    Parameters
    ----------
    rooted : _RootedTree
        Of K actions and the ground.
    crossing : sparse array, shape (N, K)
        T: ±1 where a comparison crosses the cut that opens when the edge above an action is taken
        out.
    at : Pulls
        Of each comparison.
    heaviness : ndarray, shape (K,)
        Curvature of the edge above each action. No comparison that crosses its cut has more, so
        that Tᵀ diag(c) T, scaled by it, is well conditioned however unlike the curvatures are.
        Infinite where that edge is an anchor, which does not give.
    """

    rooted: _RootedTree
    crossing: Any
    at: Pulls
    heaviness: Array

    def step(self) -> Array:
        """Newton's step: (Tᵀ diag(c) T) d = −Tᵀf for the margins d along the tree, and Δx by adding
        them up.

        Cuts that balance to rounding have nothing left to do, and do not hide the others.
        """
        from scipy import sparse

        cut, rounding = self.cuts
        scale = 1 / np.sqrt(self.heaviness)
        b = -scale * np.where(np.abs(cut) > rounding, cut, 0.0)
        largest = np.abs(b).max(initial=0.0)
        if largest == 0:
            return np.zeros(b.size)
        half = (
            sparse.diags_array(np.sqrt(self.at.curvature))
            @ self.crossing
            @ sparse.diags_array(scale)
        )
        transposed = half.T.tocsr()
        scaled = sparse.linalg.LinearOperator(
            (b.size, b.size), matvec=lambda d: transposed @ (half @ d)
        )
        d, _ = sparse.linalg.cg(
            scaled, b / largest, rtol=_CG_RESIDUAL_ALONG_TREE, atol=0.0, maxiter=_CG_STEPS
        )
        return self.rooted.heights(largest * scale * d)

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
        stiffness = abs(self.crossing).T @ self.at.curvature
        return np.asarray(
            np.divide(rounding, stiffness, out=np.zeros_like(rounding), where=stiffness > 0)
        )


def _joined(one: Pulls, other: Pulls) -> Pulls:
    return Pulls(*(np.concatenate(both) for both in zip(one, other, strict=True)))


@dataclass(frozen=True)
class _RootedTree:
    """A spanning tree that hangs from its last node: each node's parent, and the edge to it."""

    parent: Indices
    edge: Indices

    @classmethod
    def heaviest(cls, first: Indices, second: Indices, heaviness: Array) -> _RootedTree:
        """Of all spanning trees of the edges (first, second)."""
        from scipy import sparse
        from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

        root = int(max(first.max(), second.max()))
        order = np.argsort(-heaviness, kind="stable")
        low, high = np.minimum(first, second)[order], np.maximum(first, second)[order]
        # of the edges between the same two nodes
        _, heaviest = np.unique(low * (root + 1) + high, return_index=True)
        places = heaviest + 1.0  # in the order; 0 would be no edge
        # SciPy before 1.16 takes no others
        ends = (low[heaviest].astype(np.int32), high[heaviest].astype(np.int32))
        graph = sparse.coo_array((places, ends), shape=(root + 1, root + 1))
        tree = minimum_spanning_tree(graph.tocsr())
        _, parent = breadth_first_order(tree, root, directed=False)
        parent = np.asarray(parent, dtype=np.intp)
        parent[root] = root
        edges = order[tree.data.astype(np.intp) - 1]
        child = np.where(parent[first[edges]] == second[edges], first[edges], second[edges])
        edge = np.full(root + 1, -1)
        edge[child] = edges
        return cls(parent, edge)

    def heights(self, margins: Array) -> Array:
        """By how much each node but the root exceeds it, shape (K,), given by how much each exceeds
        its parent.
        """
        height, above = np.append(margins, 0.0), self.parent
        while (above != self.parent[-1]).any():  # sums over paths of 1, 2, 4, … edges
            height, above = height + height[above], above[above]
        return np.asarray(height[:-1])

    def paths(self, first: Indices, second: Indices) -> Any | None:
        """1 where the path from first to second climbs to a parent, −1 where it descends, shape (N,
        K); None if too long.
        """
        from scipy import sparse

        depth = np.append(self.heights(np.ones(self.parent.size - 1)), 0.0)
        here, there, which = first, second, np.arange(first.size)
        rows, columns, signs, steps = [], [], [], 0
        while which.size:
            climbs = depth[here] >= depth[there]
            node = np.where(climbs, here, there)
            rows.append(which)
            columns.append(node)
            signs.append(np.where(climbs, 1.0, -1.0))
            here, there = (
                np.where(climbs, self.parent[here], here),
                np.where(climbs, there, self.parent[there]),
            )
            apart = here != there
            here, there, which = here[apart], there[apart], which[apart]
            steps += max(which.size, _STEPS_OF_A_CALL)
            if steps > _MOST_STEPS_OF_PATHS:
                return None
        entries = (np.concatenate(signs), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.coo_array(entries, shape=(first.size, self.parent.size - 1)).tocsr()
