"""Optional progress bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

_T = TypeVar("_T")


def with_bar(items: Iterable[_T], total: int, unit: str, progress: bool) -> Iterable[_T]:
    """Return the items, and let a progress bar count them if progress is True."""
    if not progress:
        return items
    from tqdm.auto import tqdm

    return cast(Iterable[_T], tqdm(items, total=total, unit=unit))


def with_passing_bar(items: Sequence[_T], title: str) -> Iterable[_T]:
    """Return the items, and let a progress bar count them and disappear after the last."""
    from tqdm.auto import tqdm

    return cast(Iterable[_T], tqdm(items, desc=title, leave=False))


def with_bar_in_terminal(items: Sequence[_T], title: str) -> Iterable[_T]:
    """Return the items, with the bar of `with_passing_bar` if stderr is a terminal."""
    from tqdm import tqdm

    return cast(Iterable[_T], tqdm(items, desc=title, leave=False, disable=None))
