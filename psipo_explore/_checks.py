"""Checks of arguments, and the messages of the errors they raise.

A message gives the name of the argument, its worst entry, and what was expected. Arrays are
returned as new float64 arrays, and nothing is clipped or repaired in silence beyond a rounding
error.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from math import prod
from operator import index
from pathlib import Path
from reprlib import Repr
from typing import Any, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
ArrayLike = npt.ArrayLike
_T = TypeVar("_T")


POLICY_TOLERANCE = 1e-6  # sums of float32 probabilities may miss 1 by this much
PAIR_TOLERANCE = 1e-6  # so may entries of p + pᵀ
_MEMORY_IF_UNKNOWN = 16 * 10**9  # bytes


_LONGEST_SHOWN = 60  # characters of one value in a message
_MOST_LISTED = 9  # labels, columns or fields in a message
_repr = Repr()
# Reprlib shortens a text in its middle, so it may keep more than `cut` leaves.
_repr.maxstring = _repr.maxother = _repr.maxlong = 4 * _LONGEST_SHOWN


def shown(value: object) -> str:
    """Write a value on one line as Python does, and cut off the end if it is long."""
    try:
        return cut(" ".join(_repr.repr(value).split()))
    except Exception:  # for example, Python refuses to write integers of very many digits
        return f"a value of type {type(value).__name__}"


def cut(text: object) -> str:
    """Write a label or another text on one line, and cut off the end if it is long."""
    try:
        start = str(text)[: _LONGEST_SHOWN + 1]
    except RecursionError:
        start = "nested too deeply to be shown"
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in start)
    return printable if len(printable) <= _LONGEST_SHOWN else f"{printable[:_LONGEST_SHOWN]}…"


def listed(labels: Sequence[object]) -> str:
    """List the first labels, columns or fields, and say how many there are if some are left out."""
    first = ", ".join(map(cut, labels[:_MOST_LISTED]))
    return first if len(labels) <= _MOST_LISTED else f"{first}, … ({len(labels)} in all)"


def entry(name: str, at: Sequence[np.intp] | tuple[int, ...]) -> str:
    """Write an entry as a reader would: p[2, 0], or only p for a scalar."""
    return f"{name}[{', '.join(str(i) for i in at)}]" if len(at) else name


def actions(count: int) -> str:
    return f"{count} action" if count == 1 else f"{count} actions"


def worst(badness: Array) -> tuple[np.intp, ...]:
    """Return the index of the largest badness, where NaN is worse than any number."""
    return np.unravel_index(np.argmax(np.where(np.isnan(badness), np.inf, badness)), badness.shape)


def refuse_where(
    bad: Mask, name: str, values: Array | Indices, expected: str, badness: Array | None = None
) -> None:
    """Raise a ValueError for the worst of the entries that are marked bad, if there are any.

    Without `badness`, the first bad entry is reported.
    """
    if bad.any():
        at = worst(np.where(bad, 1.0 if badness is None else badness, -1.0))
        raise ValueError(f"{entry(name, at)} = {values[at]:.12g}, {expected}")


def most_numbers() -> int:
    """Return how many float64 numbers fit into half of the machine's memory.

    No array may be larger, because computations need the other half for intermediate results.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # some systems do not report it
        memory = _MEMORY_IF_UNKNOWN
    return memory // 16


def in_bytes(numbers: float) -> str:
    """Write the size of an array of float64 numbers in bytes, such as 7.2 TB."""
    size, unit = 8.0 * min(numbers, 10**300), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def require_fits(name: str, shape: tuple[int, ...], instead: str = "") -> None:
    """Refuse an argument that asks for an array that does not fit into memory.

    Without this check, the system could kill the process.
    """
    if (numbers := prod(shape)) > most_numbers():
        lengths = ", ".join(map(shown, shape))
        raise ValueError(
            f"{name} would make an array of shape ({lengths}), {in_bytes(numbers)}, "
            f"must fit into half of this machine's memory, {in_bytes(most_numbers())}{instead}"
        )


def as_array(name: str, values: ArrayLike, expected: str) -> npt.NDArray[Any]:
    """Convert the values to a NumPy array of any type."""
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} is ragged, must be {expected}") from None
    except (TypeError, RuntimeError) as error:
        # NumPy refuses, for example, a tensor on a GPU or one that requires a gradient.
        raise TypeError(
            f"{name} is no array that NumPy reads ({cut(error)}), must be {expected}"
        ) from error


def as_real(name: str, values: ArrayLike) -> Array:
    """Convert real numbers to a float64 array; ±inf and NaN are allowed."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries, must be given in full")
    array = as_array(name, values, "a rectangular array of numbers")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} holds {cut(array.dtype)} values, must be real numbers")
    require_fits(name, array.shape)
    return array.astype(np.float64)


def as_labelled_square(name: str, table: Any) -> tuple[Array, Sequence[Hashable]]:
    """Return the values of a square array or DataFrame, and the names of its actions.

    The rows of a DataFrame name the actions, and its columns are put into the same order. The
    actions of an array are named 0, 1, ….
    """
    values = as_real(name, table)
    if not (hasattr(table, "index") and hasattr(table, "columns")):
        return values, range(len(values) if values.ndim else 0)
    rows, columns = list(table.index), list(table.columns)
    # Pandas numbers rows or columns without names; they get the names of the other axis.
    if columns == list(range(len(rows))):
        columns = rows
    if rows == list(range(len(columns))):
        rows = columns
    if len(rows) != len(columns) or set(rows) != set(columns) or len(set(rows)) < len(rows):
        raise ValueError(
            f"{name} has rows {listed(rows)} and columns {listed(columns)}, "
            f"must name each action once in both; or give {name}.to_numpy()"
        )
    place = {label: k for k, label in enumerate(columns)}
    return values[:, [place[label] for label in rows]], rows


def as_finite(name: str, values: ArrayLike) -> Array:
    array = as_real(name, values)
    refuse_where(~np.isfinite(array), name, array, "must be finite")
    return array


def as_extended_scalar(name: str, value: ArrayLike) -> float:
    """Convert a single number to a float; ±inf and NaN are allowed."""
    array = as_real(name, value)
    if array.ndim:
        raise ValueError(f"{name} has shape {array.shape}, must be a single number")
    return float(array)


def as_scalar(name: str, value: ArrayLike) -> float:
    number = as_extended_scalar(name, value)
    as_finite(name, number)
    return number


def as_count(name: str, value: SupportsIndex) -> int:
    """Return a whole number that is at least 1."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} = {shown(value)}, must be a whole number") from None
    if number < 1:
        raise ValueError(f"{name} = {shown(number)}, must be at least 1")
    return number


def as_seeds(given: SupportsIndex | Iterable[SupportsIndex]) -> Sequence[int]:
    """Return distinct seeds, whole numbers from 0 on; a number n stands for 0, 1, …, n − 1."""
    with suppress(TypeError):  # several seeds are not a count
        n = as_count("seeds", given)  # type: ignore[arg-type]
        require_fits("seeds", (n,))
        return range(n)
    try:
        numbers = [index(seed) for seed in given]  # type: ignore[union-attr]
    except TypeError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise ValueError(
            f"seeds = {shown(given)}, must be how many, or whole numbers from 0 on, at least one"
        )
    seed, times = Counter(numbers).most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"seeds holds {shown(seed)} {times} times, must hold it once: equal seeds give equal runs"
        )
    return numbers


def as_confidence_level(level: ArrayLike) -> float:
    """Return the level of a confidence interval, strictly between 0 and 1."""
    share = as_scalar("level", level)
    if not 0 < share < 1:
        raise ValueError(f"level = {share:g}, must be between 0 and 1")
    return share


def as_positive(name: str, values: ArrayLike) -> Array:
    array = as_real(name, values)
    refuse_where(~(array > 0) | np.isinf(array), name, array, "must be positive and finite")
    return array


def as_beta_in_training(values: ArrayLike) -> Array:
    """Return values of β whose squares, and margins divided by them, stay finite."""
    beta = as_positive("beta", values)
    refuse_where((beta < 1e-100) | (beta > 1e100), "beta", beta, "must be from 1e-100 to 1e100")
    return beta


def as_features(features: Any, n_actions: int) -> Any:
    """Return finite features of shape (K, d): a float64 array, or a sparse one by rows."""
    from scipy import sparse

    if sparse.issparse(features):
        given = sparse.coo_array(features)
        numbers, at = as_real("features", given.data), given.coords
        for k in np.flatnonzero(~np.isfinite(numbers))[:1]:
            where = entry("features", tuple(int(axis[k]) for axis in at))
            raise ValueError(f"{where} = {numbers[k]:.12g}, must be finite")
        phi = sparse.coo_array((numbers, at), shape=given.shape).tocsr()
    else:
        phi = as_finite("features", features)
    if phi.ndim != 2 or phi.shape[0] != n_actions or phi.shape[1] == 0:
        raise ValueError(
            f"features has shape {phi.shape}, must be ({n_actions}, d), one row for each action"
        )
    return phi


def as_dense(name: str, array: Any) -> Array:
    """Return a sparse array as a dense one, which must fit into memory."""
    if not hasattr(array, "toarray"):
        return np.asarray(array)
    require_fits(name, array.shape)
    return np.asarray(array.toarray())


def as_labels(given: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Return names of actions as a tuple of hashable labels."""
    try:
        names = tuple(given)
        hash(names)
    except TypeError:
        raise TypeError(f"actions = {shown(given)}, must be a sequence of labels") from None
    return names


def require_instance(name: str, value: _T, kind: type | tuple[type, ...], expected: str) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} = {shown(value)}, must be {expected}")
    return value


def as_path(given: str | os.PathLike[str]) -> Path:
    """Return the path of a file, given as a text or a path."""
    return Path(require_instance("path", given, (str, os.PathLike), "a path"))


def as_paths(given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return one or several paths as a list."""
    if isinstance(given, (str, os.PathLike)) or not isinstance(given, Iterable):
        return [as_path(given)]
    if not (paths := [as_path(path) for path in given]):
        raise ValueError("paths is empty, must name at least one file")
    return paths


def as_weights(values: ArrayLike) -> Array:
    """Return positive weights whose total is finite."""
    array = as_positive("weights", values)
    with np.errstate(over="ignore"):
        if np.isinf(array.sum()):
            raise ValueError("weights sum to more than float64 holds")
    return array


def as_probabilities(name: str, values: ArrayLike) -> Array:
    array = as_real(name, values)
    refuse_where(
        ~((array >= 0) & (array <= 1)), name, array, "must lie in [0, 1]", np.abs(array - 0.5)
    )
    return array


def as_rewards(values: ArrayLike) -> Array:
    """Return finite rewards of shape (..., K), K ≥ 1, whose differences are finite too."""
    array = as_finite("rewards", values)
    require_last_axis("rewards", array)
    with np.errstate(over="ignore"):
        spread = array.max(-1) - array.min(-1)
    if np.isinf(spread).any():
        raise ValueError(
            f"rewards run from {array.min():g} to {array.max():g}, must not differ by more than float64 holds"
        )
    return array


def require_last_axis(name: str, array: Array) -> None:
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}, must be (..., K) with K ≥ 1 actions")


def as_policy(name: str, values: ArrayLike | None, n_actions: int, *, of: str) -> Array:
    """Return probabilities of shape (..., n_actions) that sum to 1, uniform if not given.

    `of` names the argument that determines n_actions, for the error message.
    """
    if values is None:
        return np.full(n_actions, 1 / n_actions)
    array = as_real(name, values)
    if array.ndim and array.shape[-1] != n_actions:
        raise ValueError(
            f"{name} has shape {array.shape}, must be (..., {n_actions}): {of} has {actions(n_actions)}"
        )
    return as_distribution(name, array)


def as_distribution(name: str, values: ArrayLike) -> Array:
    """Return probabilities of shape (..., K), divided by their sum, which must be 1 within 1e-6."""
    array = as_real(name, values)
    require_last_axis(name, array)
    refuse_where(~((array >= 0) & np.isfinite(array)), name, array, "must be a probability", -array)
    total = array.sum(-1, keepdims=True)
    off = np.abs(total[..., 0] - 1)
    if (off > POLICY_TOLERANCE).any():
        at = worst(off)
        raise ValueError(f"{entry(name, at)} sums to {total[..., 0][at]:.12g}, must sum to 1")
    return np.asarray(array / total)


def as_square(name: str, values: ArrayLike) -> Array:
    """Return real numbers of shape (..., K, K)."""
    table = as_real(name, values)
    if table.ndim < 2 or table.shape[-1] != table.shape[-2] or table.shape[-1] == 0:
        raise ValueError(f"{name} has shape {table.shape}, must be (..., K, K) with K ≥ 1 actions")
    return table


def as_preference_table(p: ArrayLike) -> Array:
    """Return preferences of shape (..., K, K), divided by p + pᵀ, which must be 1 within 1e-6."""
    table, _ = as_labelled_square("p", p)
    table = as_probabilities("p", as_square("p", table))
    total = table + np.swapaxes(table, -1, -2)
    off = np.abs(total - 1)
    if (off > PAIR_TOLERANCE).any():
        at = worst(off)
        *batch, y, other = at
        mirror = (*batch, other, y)
        if y == other:
            raise ValueError(
                f"{entry('p', at)} = {table[at]:.12g}, must be 0.5: nothing beats itself"
            )
        raise ValueError(f"{entry('p', at)} + {entry('p', mirror)} = {total[at]:.12g}, must be 1")
    return np.asarray(table / total)


def require_broadcast(**batches: tuple[int, ...]) -> tuple[int, ...]:
    """Return the common shape of the arguments' leading axes.

    The first argument that does not broadcast with those before it is refused.
    """
    shape: tuple[int, ...] = ()
    for name, batch in batches.items():
        try:
            shape = np.broadcast_shapes(shape, batch)
        except ValueError:
            raise ValueError(
                f"{name} has leading axes {batch}, which do not broadcast with {shape} before it"
            ) from None
        require_fits(name, shape)
    return shape


def as_indices(name: str, values: ArrayLike) -> Indices:
    array = as_array(name, values, "an array of integers")
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, must have one axis")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} holds {cut(array.dtype)} values, must be integers")
    require_fits(name, array.shape)
    return array.astype(np.intp)
