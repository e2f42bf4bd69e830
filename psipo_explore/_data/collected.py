"""Judgements that were read, kept as numbers, and numbered in the end.

Memory grows with the number of answers and not with their length, if digests are kept in place of
the texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from psipo_explore._checks import Array, Indices, Mask

WIN, TIE, IDENTICAL = 0, 1, 2
_DIGEST = 16  # bytes


class Row(NamedTuple):
    """One judgement: two answers to a prompt, how often it was made, and whether it was a tie."""

    context: str
    winner: str
    loser: str
    weight: float = 1.0
    tied: bool = False


class Numbered(NamedTuple):
    """Judgements whose prompts and answers are numbers, in order of appearance.

    Prompts are numbered over all judgements; `contexts` numbers those of the answers that are left
    when judgements have been dropped. A label names an answer only among those to its prompt.
    """

    prompts: Indices
    winners: Indices
    losers: Indices
    labels: tuple[str, ...]
    contexts: Indices


class Collected:
    """Judgements in order of reading, each with its kind, its weight, its file and its line."""

    def __init__(self, *, hashed: bool) -> None:
        self.hashed = hashed
        self._digests: list[bytes] = []
        self._texts: list[tuple[str, str, str]] = []
        self._kinds = bytearray()
        self._weights = array("d")
        self._files = array("i")
        self._lines = array("q")

    def add(self, rows: Iterable[Row], file: int, line: int) -> None:
        """Keep the judgements of one record."""
        for row in rows:
            self._kinds.append(IDENTICAL if row.winner == row.loser else TIE if row.tied else WIN)
            self._weights.append(row.weight)
            self._files.append(file)
            self._lines.append(line)
            if self.hashed:
                where = _digest(row.context)
                self._digests += where, _digest(row.winner, where), _digest(row.loser, where)
            else:
                self._texts.append((row.context, row.winner, row.loser))

    def add_wins(
        self, won: Sequence[tuple[str, str, str]], lines: Sequence[int], file: int
    ) -> None:
        """Keep the prompt, the winner and the loser of many records.

        This is `add` without its questions: the two answers differ, and the weights are 1.
        """
        self._kinds += bytes(len(won))  # WIN is 0
        self._weights.extend([1.0] * len(won))
        self._files.extend([file] * len(won))
        self._lines.extend(lines)
        if not self.hashed:
            self._texts += won
            return
        digests, before, where = self._digests, None, b""
        for context, winner, loser in won:
            if context != before:  # comparisons of a prompt often follow each other
                before, where = context, _digest(context)
            digests += where, _digest(winner, where), _digest(loser, where)

    def pack(self) -> None:
        """Join the digests, so that a worker sends them at once."""
        self._digests = [b"".join(self._digests)]

    def extend(self, other: Collected, file: int, lines_before: int) -> None:
        """Keep what was collected from a part of a file, whose lines were counted from 1."""
        self._digests.append(b"".join(other._digests))
        self._texts += other._texts
        self._kinds += other._kinds
        self._weights += other._weights
        self._files.extend([file] * len(other._files))
        self._lines.extend(line + lines_before for line in other._lines)

    @property
    def kinds(self) -> npt.NDArray[np.uint8]:
        """Kind of each judgement."""
        return np.frombuffer(bytes(self._kinds), np.uint8)

    @property
    def weights(self) -> Array:
        """Weight of each judgement."""
        return np.array(self._weights)

    @property
    def files(self) -> Indices:
        """Number of the file of each judgement."""
        return np.array(self._files, np.intp)

    @property
    def lines(self) -> Indices:
        """Line of each judgement."""
        return np.array(self._lines, np.intp)

    def numbered(self, kept: Mask) -> Numbered:
        """Number the prompts of all judgements, and the answers of those that are kept."""
        which = np.flatnonzero(kept)
        if self.hashed:
            keys = np.frombuffer(b"".join(self._digests), np.uint64).reshape(-1, 3, 2)
            prompts, _ = _numbered_digests(keys[:, 0])
            ends, first = _numbered_digests(keys[which, 1:].reshape(-1, 2))
        else:
            prompts, _ = _numbered_keys([texts[0] for texts in self._texts])
            pairs = [
                (self._texts[i][0], answer) for i in which.tolist() for answer in self._texts[i][1:]
            ]
            ends, first = _numbered_keys(pairs)
        contexts, _ = _numbered_numbers(prompts[which[first // 2]])
        labels = (
            _counted_in_each(contexts)
            if self.hashed
            else tuple(pairs[i][1] for i in first.tolist())
        )
        return Numbered(prompts, ends[::2], ends[1::2], labels, contexts)


def _digest(text: str, where: bytes = b"") -> bytes:
    # JSON may hold lone surrogates, which plain UTF-8 cannot encode
    return blake2b(where + text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _numbered_keys(keys: Iterable[object]) -> tuple[Indices, Indices]:
    """Number keys in order of appearance; return the numbers, and where each appears first."""
    number: dict[object, int] = {}
    numbers = np.array([number.setdefault(key, len(number)) for key in keys], np.intp)
    _, first = np.unique(numbers, return_index=True)
    return numbers, first


def _numbered_digests(digests: npt.NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Number digests in order of appearance; return the numbers, and where each appears first."""
    left, right = digests.T
    _, first, group = np.unique(left, return_index=True, return_inverse=True)
    if (right[first][group] != right).any():  # two digests share their first half
        _, first, group = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    return _by_appearance(first, group)


def _numbered_numbers(numbers: Indices) -> tuple[Indices, Indices]:
    """Number numbers in order of appearance; return these, and where each appears first."""
    _, first, group = np.unique(numbers, return_index=True, return_inverse=True)
    return _by_appearance(first, group)


def _by_appearance(first: Indices, group: Indices) -> tuple[Indices, Indices]:
    """Renumber groups in the order in which they appear first."""
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank[group.ravel()], first[order]


def _counted_in_each(contexts: Indices) -> tuple[str, ...]:
    """Label the answers of each context by "0", "1", …, in order of appearance.

    Most contexts hold few answers, so these are few texts, however many answers there are.
    """
    order = np.argsort(contexts, kind="stable")
    size = np.bincount(contexts)
    count = np.empty_like(order)
    count[order] = np.arange(order.size) - np.repeat(np.cumsum(size) - size, size)
    texts = np.array([str(number) for number in range(size.max())], dtype=object)
    return tuple(texts[count].tolist())
