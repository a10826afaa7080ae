"""Small steps that turn fields into the values of the YAML form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kiebatch.scenefile.markdown.drafts import Body
from kiebatch.scenefile.markdown.keys import is_take_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.pictures import ratio
from kiebatch.scenefile.markdown.prose import Placed

_RESOLUTION = re.compile(r"(?i)^(?:[1-8]k|\d{3,4}p|hd|full ?hd|uhd)$")


def in_order(values: Mapping[str, Placed], order: Sequence[str]) -> dict[str, Placed]:
    return {key: values[key] for key in order if key in values}


def name_of(text: str) -> str:
    """Return the name of a style or character as prompts can hold it: `Old keeper` is `Old-keeper`."""
    return re.sub(r"\s+", "-", text.strip().strip("{}:").strip())


def put(marks: Marks, target: dict[str, Placed], key: str, placed: Placed) -> None:
    """Enter a value; a second one for its key is an error that shows both places."""
    if key in target:
        marks.twice(key, target[key].key or target[key].where, placed.key or placed.where)
    else:
        target[key] = placed


def params_of(marks: Marks, body: Body) -> Placed | None:
    """Return the params of a body, with its size as `aspect_ratio` or `resolution`."""
    found = dict(body.params)
    size = body.fields.pop("size", None)
    if size is not None:
        for part in re.split(r"[,;]\s*|\s+(?=[1-8][kK]\b)|\s+(?=\d{3,4}p\b)", str(size.value)):
            name = "resolution" if _RESOLUTION.match(part.strip()) else "aspect_ratio"
            value = part.strip() if name == "resolution" else ratio(part)
            put(marks, found, name, Placed(value, size.where, size.key))
    if not found:
        return None
    first = next(iter(found.values()))
    return Placed(found, first.where, first.key or first.where)


def take_prompts(fields: Mapping[str, Placed], out: dict[str, Placed]) -> None:
    """Make of `Take 3 prompt` the third entry of `takes`; the other takes say what the shot says."""
    own = {int(key.split("_")[1]): value for key, value in fields.items() if is_take_prompt(key)}
    if not own:
        return
    first = own[min(own)]
    written = out.get("takes")
    count = 0
    if written is not None and isinstance(written.value, int):
        count = written.value
    entries = [Placed(None, first.where) for _ in range(max(count, *own))]
    for take, words in own.items():
        entries[take - 1] = Placed({"prompt": words}, words.where)
    out["takes"] = Placed(entries, first.where, first.key)
