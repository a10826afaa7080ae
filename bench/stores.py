"""Four films that fill one bucket through its troubles: `python -m bench.stores [--results 200] [--only NAME ...]`.

Each trouble begins when a quarter of all results is made, and ends when three quarters are, or all four runs have ended.
Then every film is run once more, and `push` stores what the bucket did not take.  The simulator's ledger counts the
charges.  The bucket is read by a list of its own: an entry without all its bytes ends the bench.  At last a fifth film
asks for all of it, and pays for nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import buckets
from kiebatch import api, testing
from kiebatch.model import Rate
from kiebatch.record.store import layout, open_store
from kiebatch.running import Outcome
from kiebatch.running.events import Saved
from kiebatch.running.transfers import push
from kiebatch.settings import Settings

FILMS = 4
_FAST = Rate(starts=100_000, window_s=1.0)

TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "5xx": {"what": 503, "method": "PUT"},
    "resets": {"what": "reset", "method": "PUT"},
    "slow": {"what": "slow", "method": "PUT"},
    "409": {"what": 409, "method": "PUT", "part": "/entries/"},
    "full": {"what": 507, "method": "PUT"},
    "away": {"what": 503},
}


@dataclass
class Stretch:
    """The trouble of a bucket, by how many results all films have made."""

    network: buckets.Network
    trouble: Mapping[str, Any]
    results: int
    made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, event: object) -> None:
        if not isinstance(event, Saved):
            return
        with self.lock:
            self.made += 1
            if self.made == self.results // 4:
                self.network.fault(**self.trouble, times=1_000_000)
            elif self.made == self.results * 3 // 4:
                self.network.mend()


@dataclass
class Studio:
    """Films in folders, a simulator that makes them, and a bucket that keeps them."""

    folder: Path
    sim: testing.Sim
    store: str

    def film(self, name: str, prompts: Sequence[str]) -> Path:
        scenes = [{"id": number, "prompt": prompt} for number, prompt in enumerate(prompts, 1)]
        path = self.folder / name / "scenes.yaml"
        path.parent.mkdir()
        document = {"kiebatch": 1, "defaults": {"model": "z-image"}, "scenes": scenes}
        path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
        return path

    def settings(self) -> Settings:
        return Settings(
            api_key=self.sim.key,
            base_url=self.sim.url,
            store=self.store,
            rate=_FAST,
            poll_rate=_FAST,
            poll_interval_s=0.05,
            expected_scale=0.0003,
            canary=False,
        )

    def run(self, path: Path, hear: Any) -> Outcome | str:
        """Run a film; where the store stops the run, return why."""
        try:
            edges = api.Edges(gate_path=":memory:")
            return api.run(api.load(path), settings=self.settings(), emit=hear, edges=edges)
        except api.Refused as refused:
            return refused.message

    def together(self, films: Sequence[Path], hear: Any) -> list[Outcome | str]:
        with ThreadPoolExecutor(max_workers=len(films)) as pool:
            return list(pool.map(lambda path: self.run(path, hear), films))


def through(name: str, results: int) -> str:
    """Let four films make so many results each through one trouble; return the figures."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="bench-stores-") as folder,
        testing.start(pixels=0.02, balance=1e9) as running,
        buckets.start() as bucket,
        buckets.between(bucket) as network,
    ):
        os.environ |= {
            **buckets.KEYS,
            "AWS_ENDPOINT_URL": network.url,
            "KIEBATCH_STATE_HOME": f"{folder}/home",
        }
        studio = Studio(Path(folder), testing.Sim(running), bucket.make("films"))
        prompts = [[f"Picture {n} of film {film}" for n in range(results)] for film in range(FILMS)]
        films = [studio.film(f"film{number}", texts) for number, texts in enumerate(prompts)]
        stretch = Stretch(network, TROUBLES[name], FILMS * results)
        ended = studio.together(films, stretch.hear)
        stopped = sum(isinstance(one, str) for one in ended)
        network.mend()
        left = _entries(bucket, studio.store)
        again = studio.together(films, lambda _event: None)
        assert all(isinstance(one, Outcome) and one.status == "success" for one in again), again
        pushed = sum(len(push(api.load(path), studio.settings()).of("moved")) for path in films)
        whole = _entries(bucket, studio.store)
        fifth = studio.run(studio.film("all", [text for texts in prompts for text in texts]), lambda _: None)
        charges = len(studio.sim.charges())
        assert whole == charges == FILMS * results, (whole, charges)
        assert isinstance(fifth, Outcome), fifth
        assert (fifth.succeeded, fifth.spent) == (FILMS * results, 0)
    took_s = time.monotonic() - began
    return (
        f"{charges} charges for {FILMS * results} results, 0 bought again; {left} stored when the four ended"
        f" ({stopped} stopped), {pushed} pushed, {whole} entries, 0 without bytes; {took_s:.0f} s"
    )


def _entries(bucket: buckets.Buckets, address: str) -> int:
    """Return how many entries a bucket has, all of whose bytes are there."""
    names, objects = set(_names(bucket)), open_store(address).objects
    entries = [name for name in names if name.startswith("entries/")]
    for name in entries:
        for asset in layout.outputs(objects.read(name, layout.LONGEST_ENTRY) or b""):
            assert layout.blob(asset.sha256 or "") in names, f"{name} has no bytes"
    return len(entries)


def _names(bucket: buckets.Buckets) -> Iterator[str]:
    after = ""
    while True:
        page = bucket.ask("GET", f"/films?list-type=2&max-keys=1000&start-after={quote(after)}").decode()
        found = re.findall(r"<Key>([^<]+)</Key>", page)
        yield from (name.removeprefix("film/") for name in found)
        if len(found) < 1000:
            return
        after = found[-1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.stores", description=__doc__)
    parser.add_argument("--results", type=int, default=200, help="of each film")
    parser.add_argument("--only", action="append", choices=TROUBLES)
    args = parser.parse_args()
    for name in args.only or TROUBLES:
        print(f"{name:7} {through(name, args.results)}", flush=True)


if __name__ == "__main__":
    main()
