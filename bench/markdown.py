"""How long a large Markdown scene file takes to read.  Run: python bench/markdown.py [SCENES]"""

from __future__ import annotations

import sys
import time

from kiebatch.model import as_list, under
from kiebatch.scenefile import markdown

PLAIN = """## Scene {n}: The {n}th arrival
He must look older than in the scene before; ask Ines about *the coat*.

- **Duration**: 5s
- **Type**: image
- **Visual**: A small boat nears the lighthouse at dusk, wave number {n}
- **Camera**: slow push-in
- **Voiceover**: "No one had come for years."
- **Transition Out**: crossfade

"""

RICH = """## Scene {n}: The {n}th arrival (5s)
He must look older than in the scene before; ask Ines about *the coat*.

### Shot a: climbing
> {{keeper}} climbs a spiral stair, lantern in hand, low angle,
> step number {n}, wet stone

- **Takes**: 3
- **Model**: nano-banana-2
- **Negative prompt**: watermark, text

### Shot b: he listens
- **Prompt**: He stops and turns his head; the camera holds
- **Model**: kling-3.0/video
- **Start frame**: {n}a take 2
- **Duration**: 5s
- `sound`: true

| When | Who |
| --- | --- |
| Friday | Paul |

"""


def film(scenes: int, form: str = RICH) -> str:
    """Return the text of a film of that many scenes, with notes all over."""
    head = "# A long film\n\n## Characters\n### keeper\n> a grey-bearded keeper\n\n"
    return head + "".join(form.format(n=n) for n in range(1, scenes + 1))


def main() -> None:
    scenes = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    for name, form in (("plain", PLAIN), ("two shots each", RICH)):
        text = film(scenes, form)
        start = time.perf_counter()
        document, problems = markdown.read(text, "SCENES.md")
        taken_s = time.perf_counter() - start
        found = len(as_list(under(document.value, "scenes")))
        size = len(text) / 1e6
        print(f"{found} scenes, {name}: {size:.1f} MB, {len(problems)} problems, {taken_s:.2f} s")


if __name__ == "__main__":
    main()
