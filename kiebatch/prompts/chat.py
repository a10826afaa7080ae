"""How each chat API of the account is spoken: a question as a request, an answer as text.  Opens no connection.

Four shapes: OpenAI's Responses and Chat Completions, Anthropic's Messages, Google's generateContent.  All are
synchronous and billed by tokens.  Streaming is switched off, so that an answer is one JSON document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kiebatch.catalogue.chat_models import LONGEST_ANSWER, Api, ChatModel
from kiebatch.model import JSON, Request, as_list, under


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a chat model said.  Tokens are None where it did not count them."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None


def request(model: ChatModel, question: str) -> Request:
    """Return the call that asks a question."""
    return Request(method="POST", path=model.path, body=_BODIES[model.api](model, question))


def _responses(model: ChatModel, question: str) -> dict[str, JSON]:
    return {"model": model.id, "input": question, "stream": False, "reasoning": {"effort": "low"}}


def _completions(model: ChatModel, question: str) -> dict[str, JSON]:
    return {"model": model.id, "messages": [{"role": "user", "content": question}], "stream": False}


def _claude(model: ChatModel, question: str) -> dict[str, JSON]:
    return {**_completions(model, question), "max_tokens": LONGEST_ANSWER}


def _gemini(model: ChatModel, question: str) -> dict[str, JSON]:
    limits = {"maxOutputTokens": LONGEST_ANSWER}
    contents: JSON = [{"role": "user", "parts": [{"text": question}]}]
    return {"contents": contents, "generationConfig": limits, "stream": False}


_BODIES = {
    Api.RESPONSES: _responses,
    Api.COMPLETIONS: _completions,
    Api.CLAUDE: _claude,
    Api.GEMINI: _gemini,
}


def answer(model: ChatModel, body: JSON) -> Answer | None:
    """Return what a reply's body says; None where it holds no text, and so is not an answer."""
    if isinstance(body, Mapping) and isinstance(body.get("data"), Mapping):
        body = body["data"]  # the provider's envelope
    if not isinstance(body, Mapping):
        return None
    text = _clean("".join(_TEXTS[model.api](body)))
    if not text:
        return None
    usage = body.get("usage") or body.get("usageMetadata") or {}
    tokens_in, tokens_out = (_counted(usage, name) for name in _USAGE[model.api])
    return Answer(text=text, tokens_in=tokens_in, tokens_out=tokens_out)


def _counted(usage: JSON, name: str) -> int | None:
    count = under(usage, name)
    return count if isinstance(count, int) and count >= 0 else None


def _listed(value: JSON, *names: str) -> list[Mapping[str, JSON]]:
    """Return the mappings of a list that lies under some keys; nothing where the shape is another."""
    return [one for one in as_list(under(value, *names)) if isinstance(one, Mapping)]


def _texts_of_responses(body: Mapping[str, JSON]) -> list[str]:
    parts = [part for item in _listed(body, "output") for part in _listed(item, "content")]
    return [str(part["text"]) for part in parts if isinstance(part.get("text"), str)]


def _texts_of_completions(body: Mapping[str, JSON]) -> list[str]:
    for choice in _listed(body, "choices"):
        content = under(choice, "message", "content")
        if isinstance(content, str):
            return [content]
        return [str(part["text"]) for part in _listed({"content": content}, "content") if "text" in part]
    return []


def _texts_of_claude(body: Mapping[str, JSON]) -> list[str]:
    return [
        str(p["text"]) for p in _listed(body, "content") if p.get("type", "text") == "text" and "text" in p
    ]


def _texts_of_gemini(body: Mapping[str, JSON]) -> list[str]:
    for candidate in _listed(body, "candidates"):
        return [str(p["text"]) for p in _listed(candidate, "content", "parts") if "text" in p]
    return []


_TEXTS = {
    Api.RESPONSES: _texts_of_responses,
    Api.COMPLETIONS: _texts_of_completions,
    Api.CLAUDE: _texts_of_claude,
    Api.GEMINI: _texts_of_gemini,
}
_USAGE = {
    Api.RESPONSES: ("input_tokens", "output_tokens"),
    Api.COMPLETIONS: ("prompt_tokens", "completion_tokens"),
    Api.CLAUDE: ("input_tokens", "output_tokens"),
    Api.GEMINI: ("promptTokenCount", "candidatesTokenCount"),
}


def _clean(text: str) -> str:
    """Return a prompt without the fence or the quotes that chat models like to put around one."""
    found = _without_fence(text.strip())
    for opening, closing in (('"', '"'), ("“", "”")):
        inner = found[1:-1]
        if len(found) > 1 and (found[0], found[-1]) == (opening, closing) and opening not in inner:
            found = inner.strip()
    return found


def _without_fence(text: str) -> str:
    if len(text) <= 6 or not (text.startswith("```") and text.endswith("```")):
        return text
    first, _, rest = text[3:-3].partition("\n")
    is_language = rest.strip() and " " not in first.strip()
    return (rest if is_language else f"{first}\n{rest}").strip()


def cleaned(text: str) -> str:
    """Return what a command printed as a prompt."""
    return _clean(text)
