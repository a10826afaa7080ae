"""How long 24 panels of 1280 x 720 take on one core: `python -m bench.panels`.  The promise is less than 2 s."""

from __future__ import annotations

import time

from kiebatch.simulator.drawing import panels
from kiebatch.simulator.drawing.wanted import Wanted

PROMPTS = (
    "A small boat nears the lighthouse at dusk, wide shot, storm light, rain",
    "A keeper climbs a spiral stair, lantern in hand, low angle",
    "Close-up of a man at night in the city",
    "Two children in a forest, snow, wide shot, pan right",
    "An open log book, insert shot, lamplight",
    "A tall ship turns away from the rocks, aerial wide shot, dawn, fog",
)
PROMISE_S = 2.0


def main() -> None:
    started = time.process_time()
    size = 0
    for number in range(24):
        prompt = PROMPTS[number % len(PROMPTS)]
        size += len(
            panels.still(
                Wanted(
                    kind="image",
                    format="png",
                    model="nano-banana-2",
                    prompt=prompt,
                    key=str(number),
                    width=1280,
                    height=720,
                    label=f"{number}, slow push-in",
                )
            )
        )
    took = time.process_time() - started
    print(f"24 panels of 1280 x 720: {took:.2f} s of CPU, {size / 24 / 1024:.0f} KiB each")
    print(f"{took / PROMISE_S:.2f} of the {PROMISE_S:g} s that are promised")


if __name__ == "__main__":
    main()
