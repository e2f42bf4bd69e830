"""Newton steps on the comparison graph: the Δx with Bᵀ diag(c) B Δx = −Bᵀf.

B is the incidence matrix, +1 at the winner and −1 at the loser; f is the pull and c the curvature
of each comparison. If the curvatures are alike, the system is solved as it stands; otherwise the
heaviest spanning tree gives each margin a scale of its own, so that rounding at large curvatures
does not hide what small curvatures determine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices
from psipo_explore._exact_sums import exact_sums

_CG_STEPS = 3000
_CG_RESIDUAL = 1e-9  # enough for a Newton step, since the next one corrects it
_CG_RESIDUAL_QUADRATIC = 1e-14  # a quadratic objective takes one step, which nothing corrects
_CG_RESIDUAL_IN_FLOAT32 = 1e-5  # float32 reaches little less
_CG_STEPS_IN_FLOAT32 = 500  # a matrix that takes more is too nearly singular for float32
_CG_RESIDUAL_ALONG_TREE = 1e-12
_THIN = 5.5  # entries per action up to which a Laplacian (a chain, a grid) may be factorised
_NARROW = 2000  # a grid is wider from 4 million actions on, a thin random graph from 5000
_FEW = 100  # actions up to which a Laplacian is factorised as a dense table
_MOST_STEPS_OF_PATHS = 5_000_000  # entries of T; more take over half a second a step
_STEPS_OF_A_CALL = 500  # entries that could be written in the time that the calls of NumPy take
_FARTHEST = 1e300  # a longer step may leave the range of float64
_TINY = float(np.finfo(float).tiny)  # a smaller curvature is subnormal and has lost digits
_EPS = float(np.finfo(float).eps)


class Pulls(NamedTuple):
    """The pull w·limit + tail of each comparison, with the tail's rounding and the curvature c.

    All fields have shape (N,). The limit is the value to which a saturating slope tends, one of at
    most two numbers. Across a cut, the limits may cancel, and only the tails remain.
    """

    weight: Array
    limit: Array
    tail: Array
    rounding: Array
    curvature: Array


@dataclass(frozen=True)
class Springs:
    """Comparisons as springs between actions.

    A ridge, shape (K,), is one more spring from each action to a fixed node.
    """

    winners: Indices
    losers: Indices
    component: Indices
    ridge: Array

    @property
    def n_actions(self) -> int:
        """Number of actions K."""
        return self.component.size

    def sum_at_actions(self, values: Array) -> Array:
        """Return Bᵀ values, shape (K,): each action's sum over wins minus sum over losses."""
        k = self.n_actions
        return np.asarray(
            np.bincount(self.winners, values, k) - np.bincount(self.losers, values, k)
        )

    def total_at_actions(self, values: Array) -> Array:
        """Return |B|ᵀ values, shape (K,): each action's sum over all its comparisons."""
        k = self.n_actions
        return np.asarray(
            np.bincount(self.winners, values, k) + np.bincount(self.losers, values, k)
        )

    def centred(self, x: Array) -> Array:
        """Subtract the mean of each component from x.

        Without a ridge, this mean is arbitrary. With a ridge, it is 0 at the minimum: the pulls of
        the comparisons sum to 0 in each component, and so do those of the ridge.
        """
        return np.asarray(x - (np.bincount(self.component, x) / self._sizes)[self.component])

    @cached_property
    def _sizes(self) -> Indices:
        return np.bincount(self.component)

    def laplacian(self, curvature: Array) -> Any:
        """Return the sparse matrix Bᵀ diag(c) B + diag(ridge)."""
        from scipy import sparse

        k = self.n_actions
        actions = np.arange(k)
        rows = np.concatenate([self.winners, self.losers, actions])
        columns = np.concatenate([self.losers, self.winners, actions])
        entries = np.concatenate([-curvature, -curvature, self._diagonal(curvature)])
        return sparse.coo_array((entries, (rows, columns)), shape=(k, k)).tocsr()

    def _diagonal(self, curvature: Array) -> Array:
        return self.total_at_actions(curvature) + self.ridge

    def _dense_laplacian(self, curvature: Array) -> Array:
        k = self.n_actions
        between = np.bincount(self.winners * k + self.losers, curvature, k * k).reshape(k, k)
        return np.asarray(np.diag(self._diagonal(curvature)) - between - between.T)

    @cached_property
    def _pairs(self) -> _Pairs:
        return _Pairs.of(self.winners, self.losers, self.n_actions)

    @cached_property
    def _fills_in_little(self) -> bool:
        """Whether the factors of the Laplacian have few entries."""
        k = self.n_actions
        pairs = self._pairs.columns.size
        return 2 * pairs + k <= _THIN * k and (pairs < k or self._bandwidth <= _NARROW)

    @property
    def _bandwidth(self) -> int:
        """How far apart two compared actions are if the actions are well ordered.

        Actions compared with only one other do not count, since their elimination fills in nothing.
        """
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        above = self._pairs.sums(np.ones(self.winners.size))
        compared = above + above.T
        inner = np.diff(compared.indptr) > 1
        compared = compared[inner][:, inner]
        place = np.argsort(reverse_cuthill_mckee(compared, symmetric_mode=True))
        first, second = compared.nonzero()
        return int(np.abs(place[first] - place[second]).max(initial=0))

    def solve(self, curvature: Array, b: Array, *, exactly: bool, alike: bool) -> Array:
        """Return the x with (Bᵀ diag(c) B + diag(ridge)) x = b and mean 0 on each component.

        With `exactly`, conjugate gradients continue to a smaller residual. If the curvatures are
        alike, most of these steps are made in float32.

        Raises
        ------
        RuntimeError
            If the matrix is singular, or so nearly singular that x leaves the range of float64.
        """
        k = self.n_actions
        if k <= _FEW:
            return self._solve_grounded(self._dense_laplacian(curvature), b)
        if self._fills_in_little:
            return self._solve_grounded(self.laplacian(curvature).tocsc(), b)
        laplacian = _Laplacian(self._diagonal(curvature), self._pairs.sums(curvature))
        # rounding may move b out of the Laplacian's range, and no iteration reduces that part
        b = self.centred(b)
        residual = _CG_RESIDUAL_QUADRATIC if exactly else _CG_RESIDUAL
        x, left = np.zeros(k), float(b.any())
        if exactly and alike:
            x, left = self._refined(laplacian, b, residual)
        if left > residual:
            x, failed = laplacian.solve(b, residual, _CG_STEPS, x)
            if failed:
                return self._solve_grounded(self.laplacian(curvature).tocsc(), b)
        return self.centred(x)

    def _refined(self, laplacian: _Laplacian, b: Array, residual: float) -> tuple[Array, float]:
        """Solve in float32, and again for what float64 finds left, as long as this at least halves.

        Returns x, and what is left, as a share of b.
        """
        single, size = laplacian.in_float32(), float(np.linalg.norm(b))
        x, rest, left = np.zeros(b.size), b, float(b.any())
        while left > residual:
            d, failed = single.solve(
                (rest / (left * size)).astype(np.float32),
                max(_CG_RESIDUAL_IN_FLOAT32, residual / left / 2),
                _CG_STEPS_IN_FLOAT32,
                np.zeros(b.size, dtype=np.float32),
            )
            closer = x + left * size * d.astype(np.float64)
            rest = self.centred(b - laplacian.times(closer))
            before, left = left, float(np.linalg.norm(rest)) / size
            if failed or not left <= before / 2:
                return x, before
            x = closer
        return x, left

    def _solve_grounded(self, matrix: Any, b: Array) -> Array:
        """Solve by factorisation, with one action of each component fixed at 0.

        Without a ridge, the matrix would be singular if no action were fixed. The action stays free
        if its ridge is large enough to survive rounding.
        """
        degree, free = matrix.diagonal(), np.ones(b.size, dtype=bool)
        ground = self._best_knit(degree)
        free[ground] = self.ridge[ground] > _EPS * degree[ground]
        x = np.zeros(b.size)
        x[free] = _solved(matrix[free][:, free], b[free])
        if not (np.abs(x) < _FARTHEST).all():
            raise RuntimeError("a pivot is lost in rounding")
        return self.centred(x)

    def _best_knit(self, degree: Array) -> Indices:
        """Return the action of largest degree in each component."""
        by_component = np.lexsort((-degree, self.component))
        _, first = np.unique(self.component[by_component], return_index=True)
        return by_component[first]

    def tree(self, x: Array, at: Pulls) -> Tree | None:
        """Return the heaviest spanning tree, or None if it cannot be used.

        It cannot be used if its paths are too long to write down, or if the curvature of one of its
        edges is too small.
        """
        ground = self.n_actions
        if self.ridge.any():
            held = np.arange(ground)
            at = _joined(at, self._pulls_of_ridge(x))
            heaviness = at.curvature
        else:
            held = self._best_knit(self.total_at_actions(at.curvature))
            # an anchor ties one action of each component to the fixed node; it is chosen last
            heaviness = np.append(at.curvature, np.full(held.size, -1.0))
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
        """Return the pulls of the ridge, which ties each action to the fixed node."""
        pull, nothing = self.ridge * x, np.zeros(x.size)
        return Pulls(nothing, nothing, pull, 2 * _EPS * np.abs(pull), self.ridge)


@dataclass(frozen=True)
class _Laplacian:
    """The symmetric matrix with this diagonal, and with −above above and below it."""

    diagonal: Array
    above: Any

    def in_float32(self) -> _Laplacian:
        return _Laplacian(self.diagonal.astype(np.float32), self.above.astype(np.float32))

    def times(self, x: Array) -> Array:
        return np.asarray(self.diagonal * x - (self.above @ x + self.above.T @ x))

    @cached_property
    def _operator(self) -> Any:
        """The same matrix in full, whose products are faster once some ten have been made."""
        from scipy import sparse

        diagonal, beside = self.diagonal, self.above + self.above.T
        return sparse.linalg.LinearOperator(
            beside.shape, lambda x: diagonal * x - beside @ x, dtype=diagonal.dtype
        )

    def solve(self, b: Array, residual: float, at_most: int, start: Array) -> tuple[Array, bool]:
        """Take conjugate gradient steps from start until only this share of b is left.

        Returns the last x, and whether it failed to come so far.
        """
        from scipy import sparse

        diagonal = self.diagonal
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        x, failed = sparse.linalg.cg(
            self._operator,
            b,
            start,
            rtol=residual,
            atol=0.0,
            maxiter=at_most,
            M=sparse.diags_array(inverse),
        )
        return x, bool(failed)


@dataclass(frozen=True)
class _Pairs:
    """The pairs of actions that were compared, and the comparisons of each.

    Parameters
    ----------
    comparisons : ndarray of int, shape (N,)
        The comparisons in the order of their pairs.
    first : ndarray of int, shape (P,)
        Where in this order the comparisons of each pair begin.
    columns : ndarray of int, shape (P,)
        The action of each pair with the larger number.
    starts : ndarray of int, shape (K + 1,)
        The first pair of each action that has the smaller number in it, and P.
    """

    comparisons: Indices
    first: Indices
    columns: Indices
    starts: Indices

    @classmethod
    def of(cls, winners: Indices, losers: Indices, n_actions: int) -> _Pairs:
        """Sort the comparisons by their pairs.

        SciPy takes linear time to turn rows, here with one entry in each, into columns.
        """
        from scipy import sparse

        n, shape = winners.size, (n_actions, n_actions)
        index = np.int32 if n <= np.iinfo(np.int32).max else np.int64  # 32 bits are faster
        low, high = (end(winners, losers).astype(index) for end in (np.minimum, np.maximum))
        rows = (np.ones(n, dtype=np.int8), low, np.arange(n + 1, dtype=index))
        by_low = sparse.csr_array(rows, shape=(n, n_actions)).tocsc()
        order, starts = by_low.indices, by_low.indptr
        ordered = sparse.csr_array((order, high[order], starts), shape=shape)
        ordered.sort_indices()
        ones = np.ones(n, dtype=index)
        counts = sparse.csr_array((ones, ordered.indices, starts), shape=shape, copy=True)
        counts.sum_duplicates()
        first = np.cumsum(counts.data) - counts.data
        return cls(ordered.data, first, counts.indices, counts.indptr)

    def sums(self, values: Array) -> Any:
        """Return the sum of each pair's values, as the upper triangle of a sparse matrix."""
        from scipy import sparse

        k = self.starts.size - 1
        sums = np.add.reduceat(values[self.comparisons], self.first)
        return sparse.csr_array((sums, self.columns, self.starts), shape=(k, k))


@dataclass(frozen=True)
class Tree:
    """Spanning tree of the heaviest springs, with the springs that cross each of its cuts.

    Parameters
    ----------
    rooted : _RootedTree
        Tree of the K actions and the fixed node.
    crossing : sparse array, shape (N, K)
        T, with ±1 where a comparison crosses the cut that opens if the edge above an action is
        removed.
    at : Pulls
        Pulls of the comparisons, and of the ridge if there is one.
    heaviness : ndarray, shape (K,)
        Curvature of the edge above each action. No comparison across the edge's cut has a larger
        one. So Tᵀ diag(c) T, scaled by it, is well conditioned however unlike the curvatures are.
        It is infinite where the edge is an anchor, which cannot stretch.
    """

    rooted: _RootedTree
    crossing: Any
    at: Pulls
    heaviness: Array

    def step(self) -> Array:
        """Return the Newton step Δx, found by way of the margins d along the tree.

        The margins solve (Tᵀ diag(c) T) d = −Tᵀf, and Δx sums them along the paths to the root. A
        cut whose pulls balance up to rounding counts as balanced, so that its rounding does not
        hide the other cuts.
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
        """The sum Tᵀf of the pulls across each cut, and the rounding in it; both of shape (K,)."""
        across = self.crossing.T
        cut, rounding = across @ self.at.tail, abs(across) @ self.at.rounding
        for limit in np.unique(self.at.limit[self.at.limit != 0]):
            weight = np.where(self.at.limit == limit, self.at.weight, 0.0)
            saturated = limit * exact_sums(across.__matmul__, weight.size, weight)
            cut, rounding = cut + saturated, rounding + _EPS * np.abs(saturated)
        return cut, rounding

    @property
    def blur(self) -> Array:
        """How far the rounding in the pulls may move the margin across each cut, shape (K,)."""
        _, rounding = self.cuts
        stiffness = abs(self.crossing).T @ self.at.curvature
        return np.asarray(
            np.divide(rounding, stiffness, out=np.zeros_like(rounding), where=stiffness > 0)
        )


def _solved(matrix: Any, b: Array) -> Array:
    """Solve a regular system, whose matrix is either an array or sparse."""
    from scipy import sparse

    if isinstance(matrix, np.ndarray):
        try:
            return np.asarray(np.linalg.solve(matrix, b))
        except np.linalg.LinAlgError as singular:
            raise RuntimeError(str(singular)) from None
    factors = sparse.linalg.splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.asarray(factors.solve(b))


def _joined(one: Pulls, other: Pulls) -> Pulls:
    return Pulls(*(np.concatenate(both) for both in zip(one, other, strict=True)))


@dataclass(frozen=True)
class _RootedTree:
    """Spanning tree rooted at its last node, as the parent of each node and the edge to it."""

    parent: Indices
    edge: Indices

    @classmethod
    def heaviest(cls, first: Indices, second: Indices, heaviness: Array) -> _RootedTree:
        """Return the heaviest of all spanning trees of the edges (first, second)."""
        from scipy import sparse
        from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

        root = int(max(first.max(), second.max()))
        order = np.argsort(-heaviness, kind="stable")
        low, high = np.minimum(first, second)[order], np.maximum(first, second)[order]
        # of several edges between the same two nodes, only the heaviest can be in the tree
        _, heaviest = np.unique(low * (root + 1) + high, return_index=True)
        places = heaviest + 1.0  # from 1, since SciPy takes a weight of 0 for no edge
        # SciPy before 1.16 accepts only indices of 32 bits
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
        """Return the difference of each node from the root, shape (K,), given that from its parent.

        The root itself is left out.
        """
        height, above = np.append(margins, 0.0), self.parent
        while (above != self.parent[-1]).any():  # each round doubles the edges summed over
            height, above = height + height[above], above[above]
        return np.asarray(height[:-1])

    def paths(self, first: Indices, second: Indices) -> Any | None:
        """Return the paths from first to second, shape (N, K), or None if they are too long.

        An entry is 1 where a path climbs from a node to its parent, −1 where it descends, and 0
        where it does not pass.
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
