"""The shapes of preference records: which fields hold the prompt, the answers and the outcome.

A shape is data. `SHAPES` lists those that are recognised by their fields, in this order; to add one,
add an entry with its example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from psipo_explore._checks import listed
from psipo_explore._data import texts
from psipo_explore._data.fields import Record, value_of
from psipo_explore._data.judgements import (
    VOTES,
    Chosen,
    Continued,
    Higher,
    Judgement,
    OneOf,
    Ranked,
    Sign,
    Two,
    Word,
    words,
)
from psipo_explore._data.unreadable import UnreadableError


@dataclass(frozen=True)
class Shape:
    """Which fields of a record hold the prompt, the answers and the outcome.

    `prompt` names the fields that are joined to the prompt, and `context` those that belong to it
    in records that have them. Without a prompt, all answers belong together, as in votes; or, if
    they are `dialogues`, which are "messages" or "strings", the prompt is what both begin with.
    """

    name: str
    title: str
    prompt: tuple[str, ...]
    judgement: Judgement
    example: Mapping[str, Any]
    context: tuple[str, ...] = ()
    dialogues: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that a record must have."""
        return *self.prompt, *self.judgement.fields

    @property
    def is_of_votes(self) -> bool:
        """Whether all answers are in one context, such as players or models."""
        return not self.prompt and not self.dialogues

    def fits(self, record: Record) -> bool:
        """Whether a record has the fields of this shape, and dialogues where it needs them."""
        if not all(name in record or value_of(record, name) is not None for name in self.fields):
            return False
        if not self.dialogues:
            return True
        values = [value_of(record, name) for name in self.judgement.answers]
        if self.dialogues == "messages":
            return all(isinstance(value, list) for value in values[:1])
        return all(isinstance(value, str) and texts.TURN in value for value in values)

    def read_as(self, record: Record) -> str:
        """Say in words how records like this one are read."""
        also = [name for name in self.context if value_of(record, name)]
        names = dict.fromkeys([*self.prompt, *also, *self.judgement.fields])
        shared = "; the prompt is what both begin with" if self.dialogues else ""
        return f"{self.title}: {', '.join(names)}{self.judgement.note(record)}{shared}"

    def explained(self, meanings: Mapping[str, int]) -> Shape:
        """Return this shape with the meanings of more words for the outcome."""
        if not meanings:
            return self
        if not (isinstance(self.judgement, Two) and isinstance(self.judgement.outcome, Word)):
            raise ValueError(
                f"--first, --second and --tie explain words, but the outcome of {self.name} is no "
                "word; name its field with --outcome"
            )
        known = replace(self.judgement.outcome, words={**self.judgement.outcome.words, **meanings})
        return replace(self, judgement=replace(self.judgement, outcome=known))


_MEDIA = ("images", "image", "videos", "audios")
_TALK = [{"role": "user", "content": "Name a fish"}]
_CARP, _SOFA = ({"role": "assistant", "content": text} for text in ("Carp", "Sofa"))
_ASKED = {"prompt": "Name a fish"}
_PAIR = {"chosen": "Carp", "rejected": "Sofa"}
_RESPONSES = {"response_0": "Carp", "response_1": "Sofa"}
_BETTER = words(["0"], ["1"])

PAIRS = Shape(
    name="pairs",
    title="prompt and pair",
    prompt=("prompt",),
    judgement=Chosen(),
    context=("system", "tools", *_MEDIA),
    example={**_ASKED, **_PAIR},
)

SHAPES = (
    PAIRS,
    Shape(
        name="messages",
        title="pairs of dialogues in messages",
        prompt=(),
        judgement=Chosen(),
        dialogues="messages",
        context=("system", "tools", *_MEDIA),
        example={"chosen": [*_TALK, _CARP], "rejected": [*_TALK, _SOFA]},
    ),
    Shape(
        name="hh-rlhf",
        title="pairs of dialogues in strings, as in hh-rlhf",
        prompt=(),
        judgement=Chosen(),
        dialogues="strings",
        example={
            name: f"\n\nHuman: Name a fish\n\nAssistant: {answer}" for name, answer in _PAIR.items()
        },
    ),
    Shape(
        name="sharegpt",
        title="LLaMA-Factory's sharegpt",
        prompt=("conversations",),
        judgement=Chosen(),
        context=("system", "tools", *_MEDIA),
        example={
            "conversations": [{"from": "human", "value": "Name a fish"}],
            "chosen": {"from": "gpt", "value": "Carp"},
            "rejected": {"from": "gpt", "value": "Sofa"},
        },
    ),
    Shape(
        name="alpaca",
        title="LLaMA-Factory's alpaca",
        prompt=("instruction",),
        judgement=Chosen(),
        context=("input", "system", "history", *_MEDIA),
        example={"instruction": "Name a", "input": "fish", **_PAIR},
    ),
    Shape(
        name="orca",
        title="question and pair, as in orca_dpo_pairs",
        prompt=("question",),
        judgement=Chosen(),
        context=("system",),
        example={"system": "Be brief.", "question": "Name a fish", **_PAIR},
    ),
    Shape(
        name="distilabel",
        title="input and pair, as in distilabel-intel-orca-dpo-pairs",
        prompt=("input",),
        judgement=Chosen(),
        context=("system",),
        example={"system": "Be brief.", "input": "Name a fish", **_PAIR},
    ),
    Shape(
        name="openai",
        title="OpenAI's preference format",
        prompt=("input.messages",),
        judgement=Chosen("preferred_output", "non_preferred_output"),
        context=("input.tools",),
        example={
            "input": {"messages": _TALK},
            "preferred_output": [_CARP],
            "non_preferred_output": [_SOFA],
        },
    ),
    Shape(
        name="ms-swift",
        title="ms-swift's messages and rejected response",
        prompt=(),
        judgement=Continued("messages", "rejected_response"),
        dialogues="messages",
        context=("system", "tools", *_MEDIA),
        example={"messages": [*_TALK, _CARP], "rejected_response": "Sofa"},
    ),
    Shape(
        name="ms-swift-messages",
        title="ms-swift's messages and rejected messages",
        prompt=(),
        judgement=Chosen("messages", "rejected_messages"),
        dialogues="messages",
        context=("system", "tools", *_MEDIA),
        example={"messages": [*_TALK, _CARP], "rejected_messages": [*_TALK, _SOFA]},
    ),
    Shape(
        name="kaggle",
        title="votes on responses, as in Kaggle's LMSYS contest",
        prompt=("prompt",),
        judgement=Two(
            "response_a",
            "response_b",
            OneOf(("winner_model_a", "winner_model_b", "winner_tie")),
        ),
        example={
            **_ASKED,
            "response_a": "Carp",
            "response_b": "Sofa",
            "winner_model_a": 1,
            "winner_model_b": 0,
            "winner_tie": 0,
        },
    ),
    Shape(
        name="arena",
        title="Chatbot Arena votes",
        prompt=(),
        judgement=Two("model_a", "model_b", Word("winner", VOTES)),
        example={"model_a": "oak", "model_b": "elm", "winner": "model_a"},
    ),
    Shape(
        name="arena-conversations",
        title="votes on conversations, as in Chatbot Arena",
        prompt=(),
        judgement=Two("conversation_a", "conversation_b", Word("winner", VOTES)),
        dialogues="messages",
        example={
            "conversation_a": [*_TALK, _CARP],
            "conversation_b": [*_TALK, _SOFA],
            "winner": "model_a",
        },
    ),
    Shape(
        name="shp",
        title="SHP",
        prompt=("history",),
        judgement=Two("human_ref_A", "human_ref_B", Word("labels", words(["1"], ["0"]))),
        example={
            "history": "Name a fish",
            "human_ref_A": "Carp",
            "human_ref_B": "Sofa",
            "labels": 1,
        },
    ),
    Shape(
        name="safe-rlhf",
        title="PKU-SafeRLHF, the better response",
        prompt=("prompt",),
        judgement=Two("response_0", "response_1", Word("better_response_id", _BETTER)),
        example={**_ASKED, **_RESPONSES, "better_response_id": 0},
    ),
    Shape(
        name="safe-rlhf-safer",
        title="PKU-SafeRLHF, the safer response",
        prompt=("prompt",),
        judgement=Two("response_0", "response_1", Word("safer_response_id", _BETTER)),
        example={**_ASKED, **_RESPONSES, "safer_response_id": 0},
    ),
    Shape(
        name="helpsteer3",
        title="HelpSteer3",
        prompt=("context",),
        judgement=Two("response1", "response2", Sign("overall_preference")),
        example={
            "context": _TALK,
            "response1": "Carp",
            "response2": "Sofa",
            "overall_preference": -2,
        },
    ),
    Shape(
        name="helpsteer2",
        title="HelpSteer2-preference",
        prompt=("prompt",),
        judgement=Two("response_1", "response_2", Sign("preference_strength")),
        example={
            **_ASKED,
            "response_1": "Carp",
            "response_2": "Sofa",
            "preference_strength": -2,
        },
    ),
    Shape(
        name="summarize-from-feedback",
        title="summarize_from_feedback",
        prompt=("info.id",),
        context=("info.title", "info.post", "info.article"),
        judgement=Two("summaries.0.text", "summaries.1.text", Word("choice", _BETTER)),
        example={
            "info": {"id": "t3_1", "post": "I saw a carp on my sofa."},
            "summaries": [{"text": "Carp seen"}, {"text": "Sofa"}],
            "choice": 0,
        },
    ),
    Shape(
        name="webgpt",
        title="webgpt_comparisons",
        prompt=("question.full_text",),
        judgement=Two("answer_0", "answer_1", Higher(("score_0", "score_1"))),
        example={
            "question": {"full_text": "Name a fish"},
            "answer_0": "Carp",
            "answer_1": "Sofa",
            "score_0": 0.5,
            "score_1": -0.5,
        },
    ),
    Shape(
        name="stack-exchange",
        title="question and the better and the worse response, as in stack-exchange-paired",
        prompt=("question",),
        judgement=Chosen("response_j", "response_k"),
        example={"question": "Name a fish", "response_j": "Carp", "response_k": "Sofa"},
    ),
    Shape(
        name="nectar",
        title="Nectar, ranked answers",
        prompt=("prompt",),
        judgement=Ranked("answers", "answer", "rank"),
        example={
            **_ASKED,
            "answers": [{"answer": "Carp", "rank": 1}, {"answer": "Sofa", "rank": 2}],
        },
    ),
    Shape(
        name="nemo",
        title="NeMo, ranked completions",
        prompt=("context",),
        judgement=Ranked("completions", "completion", "rank"),
        example={
            "context": _TALK,
            "completions": [
                {"rank": 0, "completion": [_CARP]},
                {"rank": 1, "completion": [_SOFA]},
            ],
        },
    ),
)
BY_NAME = {shape.name: shape for shape in SHAPES}


def recognised(record: Record) -> Shape | None:
    """Return the first shape whose fields a record has."""
    return next((shape for shape in SHAPES if shape.fits(record)), None)


def unknown(record: Record) -> UnreadableError:
    """Say that a record has no shape known here, and what to do."""
    nearest = max(SHAPES, key=lambda shape: sum(name in record for name in _outer(shape)))
    needs = ", ".join(map(repr, nearest.fields))
    reason = (
        f"its fields are {listed(list(record))}, which is no shape known here "
        f"({', '.join(BY_NAME)}). The nearest is {nearest.name}, which needs {needs}. Name the "
        "fields with --prompt, --chosen and --rejected, or with --answers and --outcome; --shapes "
        "shows an example of each shape"
    )
    return UnreadableError("fields of no known shape", reason)


def _outer(shape: Shape) -> set[str]:
    return {name.partition(".")[0] for name in shape.fields}
