"""The chat models of the account, which make prompts better: how each is called, and what its tokens cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypedDict

from kiebatch.catalogue.reading import read_yaml
from kiebatch.errors import Invalid, nearest
from kiebatch.model import as_form

DEFAULT = "gpt-5-6-luna"  # the cheapest that writes well, by the price list of `AS_OF`
AS_OF = "2026-09-09"
LONGEST_ANSWER = 1500  # tokens: more than the longest prompt that any media model takes
_FILE = Path(__file__).parent / "data" / "chat.yaml"
_BYTES_PER_TOKEN = 2  # at least: English has about four, so that a price is a bound


class Api(StrEnum):
    """The shape of a chat API."""

    RESPONSES = "responses"
    COMPLETIONS = "chat-completions"
    CLAUDE = "claude-messages"
    GEMINI = "gemini-native"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModel:
    """One chat model.  `input` and `output` are credits per million tokens."""

    id: str
    api: Api
    path: str
    input: float
    output: float

    def bound(self, question: str) -> float:
        """Return the most credits that asking this can cost."""
        tokens = math.ceil(len(question.encode()) / _BYTES_PER_TOKEN)
        return self.credits(tokens, LONGEST_ANSWER)

    def credits(self, tokens_in: int, tokens_out: int) -> float:
        return round((tokens_in * self.input + tokens_out * self.output) / 1e6, 4)


class _Row(TypedDict):
    id: str
    api: str
    path: str
    input: float
    output: float


@functools.cache
def chat_models() -> Mapping[str, ChatModel]:
    """Return the chat models by id, the cheapest first."""
    rows = as_form(list[_Row], read_yaml(_FILE))
    found = [
        ChatModel(id=r["id"], api=Api(r["api"]), path=r["path"], input=r["input"], output=r["output"])
        for r in rows
    ]
    return {model.id: model for model in sorted(found, key=lambda model: model.output)}


def chat_model(name: str) -> ChatModel:
    """Return the chat model of an id; `Invalid` with the nearest one where there is none."""
    known = chat_models()
    if name in known:
        return known[name]
    near = nearest(name, known)
    hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known)}"
    raise Invalid(f"there is no chat model `{name}`", hint=hint)
