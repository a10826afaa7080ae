"""Puts the author's words where the model wants them: prompt, what to avoid, seed, voice."""

from __future__ import annotations

from difflib import get_close_matches

from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.values import coerced
from kiebatch.catalogue.models import Field, Model
from kiebatch.model import JSON, Ask, as_text

_SENTENCE_ENDS = tuple(".!?:;…。！？")


def voice_id(model: Model, ask: Ask) -> str:
    """Return the asked voice as the service calls it: the id of a known name, else as it is written."""
    voice = (ask.voice or _raw_voice(model, ask)).strip()
    by_name = {name.lower(): id for name, id in model.voices.items()}
    return by_name.get(voice.lower(), voice)


def _raw_voice(model: Model, ask: Ask) -> str:
    """Return the voice under `params`, where the model has a field for it alone."""
    target = model.fields.get("voice")
    if target is None or target.wrap is not None:
        return ""
    return as_text(ask.params.get("voice")) or ""


def put_prompt(draft: Draft) -> None:
    text = draft.ask.prompt.strip()
    target = draft.model.fields.get("prompt")
    if not text:
        return
    if target is None:
        draft.error(
            "prompt",
            f"`{draft.model.id}` takes no prompt",
            hint="leave the prompt out; give it its media instead",
            code="no-prompt",
        )
    elif target.wrap is None:
        draft.put(target.name, text, "prompt")
    elif target.name in draft.input:
        message = f"`prompt` and `params.{target.name}` say the same"
        draft.error("prompt", message, hint="say it once", code="said-twice")
    else:
        draft.put(target.name, _wrapped(draft, target.wrap, prompt=text), "prompt")
        draft.implied.add(target.name)
        draft.wrapped["prompt"] = text
        if draft.ask.voice and _prompt_holds_voice(draft):
            draft.wrapped["voice"] = draft.voice


def _wrapped(draft: Draft, template: JSON, *, prompt: str = "") -> JSON:
    """Fill `{prompt}` and `{voice}` into a template of a nested field."""
    if isinstance(template, list):
        return [_wrapped(draft, one, prompt=prompt) for one in template]
    if isinstance(template, dict):
        return {key: _wrapped(draft, one, prompt=prompt) for key, one in template.items()}
    if template == "{prompt}":
        return prompt
    if template == "{voice}":
        return draft.voice or draft.model.default_voice or ""
    return template


def put_negative(draft: Draft) -> None:
    unwanted = [text.strip() for text in draft.ask.negative if text.strip()]
    if not unwanted:
        return
    own = draft.own("negative_prompt")
    if own and own in draft.input:
        draft.said_twice(own, "negative_prompt")
    elif own:
        draft.put(own, ", ".join(unwanted), "negative_prompt")
    elif not _folded(draft, unwanted):
        draft.warn(
            "negative_prompt",
            f"`{draft.model.id}` has no negative prompt; it is not sent",
            hint="`--fold-negative` puts it into the prompt as words to avoid",
            code="no-negative-prompt",
        )


def _folded(draft: Draft, unwanted: list[str]) -> bool:
    """Put what to avoid into the prompt, where that is asked for and possible."""
    target = draft.model.fields.get("prompt")
    if not draft.ask.fold_negative or target is None or target.wrap is not None:
        return False
    said = draft.input.get(target.name)
    if not isinstance(said, str):
        return False
    said = said.rstrip()
    end = "" if said.endswith(_SENTENCE_ENDS) else "."
    draft.input[target.name] = f"{said}{end} Avoid: {', '.join(unwanted)}."
    return True


def put_seed(draft: Draft) -> None:
    if draft.ask.seed is None:
        return
    own = draft.own("seed")
    if own is None:
        draft.warn("seed", f"`{draft.model.id}` has no seed; it is not sent", code="no-seed")
        return
    draft.put(own, coerced(draft.schema(own), draft.ask.seed, True), "seed")


def put_voice(draft: Draft) -> None:
    """Put the voice where the model wants it: a field of its own, inside a nested one, or inside the prompt's."""
    target = draft.model.fields.get("voice")
    if (
        isinstance(draft.ask.params.get("voice"), str)
        and target
        and target.wrap is None
        and not draft.ask.voice
    ):
        _check_voice(draft, "params.voice")
    elif not draft.ask.voice:
        _default_voice(draft, target)
    elif target is None:
        draft.error("voice", f"`{draft.model.id}` has no voices to choose from", code="no-voice")
    else:
        _check_voice(draft, "voice")
        _set_voice(draft, target)


def _set_voice(draft: Draft, target: Field) -> None:
    if target.wrap is not None:
        draft.put(target.name, _wrapped(draft, target.wrap), "voice")
        draft.implied.add(target.name)
        draft.wrapped["voice"] = draft.voice
    elif not _prompt_holds_voice(draft):
        draft.put(target.name, draft.voice, "voice")


def _default_voice(draft: Draft, target: Field | None) -> None:
    if target is None or not draft.model.default_voice:
        return
    if target.wrap is None:
        if _prompt_holds_voice(draft):
            draft.defaulted.append("voice")
    elif target.name not in draft.input:
        draft.input[target.name] = _wrapped(draft, target.wrap)
        draft.implied.add(target.name)
        draft.defaulted.append("voice")


def _prompt_holds_voice(draft: Draft) -> bool:
    prompt = draft.model.fields.get("prompt")
    return prompt is not None and "{voice}" in str(prompt.wrap)


def _check_voice(draft: Draft, word: str) -> None:
    voice = str(draft.ask.voice or draft.ask.params.get("voice")).strip()
    known = draft.model.voices
    if not known or voice in known.values() or voice.lower() in (name.lower() for name in known):
        return
    near = get_close_matches(voice, list(known), n=1, cutoff=0.6)
    draft.warn(
        word,
        f"the catalogue does not know the voice `{voice}`; it is sent as written",
        hint=f"did you mean `{near[0]}`?" if near else f"`kiebatch models {draft.model.id}` lists the voices",
        code="unknown-voice",
    )
