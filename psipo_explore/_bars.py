"""Optional progress bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

_T = TypeVar("_T")


def with_bar(items: Iterable[_T], total: int, unit: str, progress: bool) -> Iterable[_T]:
    """Return the items, with a bar that counts them if progress is wanted."""
    if not progress:
        return items
    from tqdm.auto import tqdm

    return cast(Iterable[_T], tqdm(items, total=total, unit=unit))
