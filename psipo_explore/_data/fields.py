"""The fields of a record, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from psipo_explore._checks import cut, listed
from psipo_explore._data.unreadable import UnreadableError

Record = Mapping[str, Any]


def value_of(record: Record, name: str) -> Any:
    """Return the value of a field, or None if it is missing.

    `a.b` is the field b of the field a, and `a.0` the first entry of a.
    """
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def present(record: Record, name: str) -> Any:
    """Return the value of a field that must be there."""
    value = value_of(record, name)
    if value is None and name in record:
        raise UnreadableError("a field is missing", f"field {name!r} is null, must hold a value")
    if value is None:
        found = listed([repr(name) for name in record]) or "none"
        raise UnreadableError(
            "a field is missing", f"has no field {name!r}; its fields are {found}"
        )
    return value


def word(value: Any) -> str:
    """Return an outcome as a word: 1, 1.0, "1", "1.0" and " 1 " are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().casefold()
    whole, point, rest = text.partition(".")
    return whole if point and whole.lstrip("-").isdecimal() and not rest.strip("0") else text


def number(name: str, value: Any) -> float:
    """Return the value of a field as a finite number."""
    amount = math.nan
    if not (isinstance(value, str) and "_" in value):
        try:
            amount = float(value)
        except (TypeError, ValueError, OverflowError):
            amount = math.nan
    if not math.isfinite(amount):
        reason = f"field {name!r} is {cut(value)!r}, must be a finite number"
        raise UnreadableError("not a number", reason)
    return amount
