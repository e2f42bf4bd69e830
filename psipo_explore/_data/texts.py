"""Prompts and answers as texts.

They are strings, chat messages, lists of messages, or dialogues in one string. Where no field holds
the prompt, it is what both answers begin with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from psipo_explore._checks import cut
from psipo_explore._data.unreadable import UnreadableError

TURN = "\n\nAssistant:"  # begins an answer in a dialogue that is one string
_OTHER_TURN = "\n\nHuman:"
_MORE_IN_A_MESSAGE = ("name", "tool_calls", "tool_call_id", "function_call")


def kind(value: Any) -> str:
    """Say in words of what kind the value of a field is."""
    if isinstance(value, str):
        return "a string"
    if is_message(value):
        return "a message"
    if isinstance(value, list):
        several = bool(value) and not any(map(is_message, value))
        return "a list of answers" if several else "a list of messages"
    return "missing" if value is None else "of no kind known here"


def is_message(value: Any) -> bool:
    """Whether a value is a chat message: role and content, or from and value."""
    if not isinstance(value, dict):
        return False
    if "role" in value:
        return any(name in value for name in ("content", "tool_calls", "function_call"))
    return "from" in value and "value" in value


def parts(name: str, value: Any) -> list[str]:
    """Return the text of each message of a prompt or an answer, or a string as it is."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(map(is_message, value)):
        return [_message(message) for message in value]
    if is_message(value):
        return [_message(value)]
    wanted = 'a string or a list of messages {"role": …, "content": …}'
    raise UnreadableError(
        "a field of the wrong kind", f"field {name!r} is {cut(value)!r}, must be {wanted}"
    )


def answers(name: str, value: Any) -> list[list[str]]:
    """Return the parts of each of several answers, or of the only one."""
    if isinstance(value, list) and not any(map(is_message, value)):
        if not value:
            raise UnreadableError(
                "an empty list of answers", f"field {name!r} is [], must hold at least one answer"
            )
        return [parts(name, answer) for answer in value]
    return [parts(name, value)]


def joined(texts: Sequence[str]) -> str:
    """Return one text, so that different sequences of texts give different ones."""
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)


def as_json(value: Any) -> str:
    """Return a text for a value of any other kind, such as the tools of a dialogue."""
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except RecursionError:
        raise UnreadableError("not JSON", "is nested too deeply, must be flatter") from None


def parted(
    names: str, first: Sequence[str], second: Sequence[str]
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Part two dialogues into the prompt with which both begin and the two answers.

    Each answer is at least one message.
    """
    shared = 0
    while shared < min(len(first), len(second)) - 1 and first[shared] == second[shared]:
        shared += 1
    prompt, rest, other = first[:shared], first[shared:], second[shared:]
    if rest != other:
        if rest == other[: len(rest)] or other == rest[: len(other)]:
            raise UnreadableError(
                "one dialogue begins the other",
                f"one of {names} is the beginning of the other, must be another answer",
            )
        if not shared:
            raise UnreadableError(
                "no shared prompt",
                f"{names} begin with different messages, must begin with those of the prompt",
            )
    return prompt, rest, other


def last_turn(value: Any, name: str) -> str:
    """Return the last message of a dialogue, or what the assistant says last in a string."""
    if isinstance(value, list) and value:
        return parts(name, value)[-1]
    turns = value.split(TURN) if isinstance(value, str) else []
    return turns[-1].strip() if len(turns) > 1 else ""


def parted_strings(names: str, first: str, second: str) -> tuple[str, str, str]:
    """Part two dialogues that are strings, after the last turn of the assistant that both share."""
    turns, others = first.split(TURN), second.split(TURN)
    shared = 0
    while shared < min(len(turns), len(others)) - 1 and turns[shared] == others[shared]:
        shared += 1
    if not shared and first != second:
        raise UnreadableError(
            "no shared prompt",
            f"{names} do not share a beginning up to {TURN!r}, must begin with the prompt",
        )
    prompt = "".join(turn + TURN for turn in turns[:shared])
    rest, other = first[len(prompt) :], second[len(prompt) :]
    if other.startswith(rest + _OTHER_TURN) or rest.startswith(other + _OTHER_TURN):
        raise UnreadableError(
            "one dialogue begins the other",
            f"one of {names} is the beginning of the other, must be another answer",
        )
    return prompt, rest, other


def _message(message: dict[str, Any]) -> str:
    role = message["role"] if "role" in message else message["from"]
    content = message.get("content") if "role" in message else message["value"]
    more = {name: message[name] for name in _MORE_IN_A_MESSAGE if message.get(name)}
    if isinstance(content, str) and not more:
        return f"{role}: {content}"
    # no space after the colon, so that the text differs from that of any plain message
    more["content"] = content
    return f"{role}:{as_json(more)}"
