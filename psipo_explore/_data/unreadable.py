"""What is said about a record that cannot be read, and whether it is raised or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class UnreadableError(ValueError):
    """Why a record cannot be read.

    `kind` names the fault in a few words, under which skipped records are counted. `within` is the
    place inside the record, such as ", column 3". `word` is an outcome that nobody has explained.
    """

    def __init__(self, kind: str, reason: str, *, within: str = "", word: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.within = within
        self.word = word

    def __reduce__(self) -> tuple[Callable[..., UnreadableError], tuple[str, ...]]:
        # A worker sends it to its parent.
        return _unreadable, (self.kind, str(self), self.within, self.word)

    def of_columns(self) -> UnreadableError:
        """Return the same error in the words of a table, which has columns and no fields."""
        said = str(self).replace("field ", "column ", 1).replace("its fields", "its columns", 1)
        return UnreadableError(self.kind, said, within=self.within, word=self.word)

    def at(self, place: str) -> UnreadableError:
        """Return the same error with the place of the record before it."""
        if self.within.startswith(" to"):
            place = place.replace(", line ", ", lines ")
        return UnreadableError(self.kind, f"{place}{self.within}: {self}", word=self.word)


def _unreadable(kind: str, reason: str, within: str, word: str) -> UnreadableError:
    return UnreadableError(kind, reason, within=within, word=word)


OnBad = Callable[[UnreadableError, int], None]  # called with an error and its number of lines


class Skipped:
    """Callback that counts the lines that could not be read by kind, and keeps the first error."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.first = ""

    @property
    def count(self) -> int:
        """Number of lines."""
        return self.kinds.total()

    def __call__(self, error: UnreadableError, lines: int) -> None:
        self.first = self.first or str(error)
        self.kinds[error.kind] += lines


def refuse(error: UnreadableError, lines: int) -> None:
    """Raise the error instead of skipping its lines."""
    raise error
