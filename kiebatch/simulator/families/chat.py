"""The chat APIs: answers at once, billed by tokens.  Four shapes, one answer: the question's last line, in other words.

It knows no language: what it says is the prompt that it was given, with a sentence of its own behind it, so that a test
can tell an enhanced prompt from a raw one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kiebatch.catalogue import chat_models
from kiebatch.catalogue.chat_models import Api, ChatModel
from kiebatch.model import JSON
from kiebatch.simulator.state import Charge, Simulator
from kiebatch.simulator.wire import TEXTS, Answer, Call, Refusal, as_json

FAMILY = "chat"


def handle(sim: Simulator, call: Call) -> Answer:
    """Answer a question and charge for its tokens; `Refusal` where the shape is another, or there is no money."""
    model = _model(call)
    question = _QUESTIONS[model.api](call.fields)
    if not question:
        raise Refusal(422, "the question is empty")
    if call.fields.get("stream", model.api is not Api.RESPONSES):
        raise Refusal(422, "this server does not stream")
    text = _better(question)
    tokens = (max(1, len(question) // 4), max(1, len(text) // 4))
    credits = model.credits(*tokens)
    if sim.balance < credits:
        raise Refusal(sim.settings.no_credit_code, TEXTS[402])
    given = {"question": question}
    charge = Charge(
        task_id=sim.new_id(), family=FAMILY, model=model.id, input=given, credits=credits, time=sim.clock()
    )
    sim.charge(charge)
    return as_json(_ANSWERS[model.api](model, text, tokens, charge.task_id))


def _model(call: Call) -> ChatModel:
    known = chat_models.chat_models().values()
    here = [model for model in known if model.path == call.path]
    named = call.fields.get("model")
    found = next((model for model in here if model.id == named), here[0] if len(here) == 1 else None)
    if found is None:
        raise Refusal(422, "The model name you specified is not supported. Please verify it and try again.")
    return found


def _better(question: str) -> str:
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", question) if part.strip()]
    prompts = [part for part in paragraphs if part.lower().startswith("the author's")]
    raw = (prompts[-1].partition("\n")[2] if prompts else paragraphs[-1]).strip()
    return f"{raw.rstrip('.')}. Slow push-in, soft side light, 35 mm film."


def _of_responses(body: Mapping[str, JSON]) -> str:
    given = body.get("input")
    return given if isinstance(given, str) else ""


def _of_messages(body: Mapping[str, JSON]) -> str:
    messages = body.get("messages")
    texts = (
        [m.get("content") for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    )
    return "\n".join(text for text in texts if isinstance(text, str))


def _of_contents(body: Mapping[str, JSON]) -> str:
    contents = body.get("contents")
    if not isinstance(contents, list):
        return ""
    parts = [
        p for c in contents if isinstance(c, Mapping) and isinstance(c.get("parts"), list) for p in c["parts"]
    ]
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, Mapping) and "text" in part)


_QUESTIONS = {
    Api.RESPONSES: _of_responses,
    Api.COMPLETIONS: _of_messages,
    Api.CLAUDE: _of_messages,
    Api.GEMINI: _of_contents,
}


def _responses(model: ChatModel, text: str, tokens: tuple[int, int], number: str) -> JSON:
    content: JSON = [{"type": "output_text", "text": text, "annotations": []}]
    thoughts: JSON = {"type": "reasoning", "summary": []}
    message: JSON = {"type": "message", "role": "assistant", "status": "completed", "content": content}
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "status": "completed",
        "model": model.id,
        "output": [thoughts, message],
        "usage": usage,
    }


def _completions(model: ChatModel, text: str, tokens: tuple[int, int], number: str) -> JSON:
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    message = {"role": "assistant", "content": text}
    choice: JSON = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": model.id,
        "choices": [choice],
        "usage": usage,
    }


def _claude(model: ChatModel, text: str, tokens: tuple[int, int], number: str) -> JSON:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
    }


def _gemini(model: ChatModel, text: str, tokens: tuple[int, int], number: str) -> JSON:
    counts = {
        "promptTokenCount": tokens[0],
        "candidatesTokenCount": tokens[1],
        "totalTokenCount": sum(tokens),
    }
    content: JSON = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": counts,
        "modelVersion": model.id,
        "responseId": number,
    }


_ANSWERS = {
    Api.RESPONSES: _responses,
    Api.COMPLETIONS: _completions,
    Api.CLAUDE: _claude,
    Api.GEMINI: _gemini,
}
ROUTES = {("POST", model.path): ("chat", handle) for model in chat_models.chat_models().values()}
