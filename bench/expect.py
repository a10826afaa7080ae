"""How well the checks find planted faults, and what they cost: `python -m bench.expect [--ffmpeg OTHER]`.

240 stills and clips are made at run time, each with one fault or none.  The figures: recall (of the planted faults, how
many were found), false alarms (of the checks that nothing was planted for, how many were unmet), processor time for each
second of 720p with all checks of a clip, and whether another ffmpeg gives the same verdicts.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import planted
from bench.planted import Sample
from kiebatch import files, media
from kiebatch.media import checks
from kiebatch.media.checks import Asked, State, Target
from kiebatch.model import Alike, Expectation, LocalFile

PROMISED = {"recall": 0.98, "false alarms": 0.01, "cpu": 0.4}
Verdicts = Mapping[str, State]


@dataclass
class Tally:
    """What was found in some samples."""

    planted: int = 0
    found: int = 0
    asked: int = 0
    alarms: int = 0
    cpu_s: float = 0.0
    clip_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)


def expectations(sample: Sample) -> list[Expectation]:
    words = planted.STILL if sample.kind == "still" else planted.CLIP
    found = []
    for name, text in words.items():
        if name in checks.LIKENESSES:
            want = Alike(ref=LocalFile(str(sample.compared[name])), within=checks.read_alike(name, text)[1])
            found.append(Expectation(check=name, text=text, want=want))
        else:
            found.append(Expectation(check=name, text=text, want=checks.read(name, text, Asked())))
    return found


def judged(sample: Sample) -> Verdicts:
    """Return the verdict on each check of a sample."""
    expected = expectations(sample)
    targets = {name: Target(path=path, sha256=files.sha256(path)) for name, path in sample.compared.items()}
    found = checks.measure(sample.path, [one.check for one in expected], targets)
    return {
        one.check: checks.judge(one, found.get(one.check), against=against(targets, one.check)).state
        for one in expected
    }


def against(targets: Mapping[str, Target], check: str) -> str | None:
    return targets[check].sha256 if check in targets else None


# What else a fault brings along, truly: a clip that was cut off too loud is too loud.
BESIDE: Mapping[str, Sequence[str]] = {
    "clipping": ("loudness",),
    "silence": ("loudness",),
    "black": ("cuts", "freeze"),
    "blank": ("like",),
    "size": ("like",),
}


def count(samples: Iterable[Sample]) -> tuple[Tally, dict[str, Verdicts]]:
    tally = Tally()
    verdicts: dict[str, Verdicts] = {}
    for sample in samples:
        before = spent_s()
        states = verdicts[sample.path.name] = judged(sample)
        if sample.is_720p:
            tally.cpu_s += spent_s() - before
            tally.clip_s += planted.SECONDS
        if sample.fault:
            tally.planted += 1
            if states[sample.fault] is State.UNMET:
                tally.found += 1
            else:
                tally.wrong.append(f"missed {sample.fault} in {sample.path.name} ({sample.story})")
        for check, state in states.items():
            if check == sample.fault or check in BESIDE.get(sample.fault, ()):
                continue
            tally.asked += 1
            if state is not State.MET:
                tally.alarms += 1
                tally.wrong.append(
                    f"{state} {check} in {sample.path.name} ({sample.fault or 'faultless'}, {sample.story})"
                )
    return tally, verdicts


def spent_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def made(folder: Path, stills: int, clips: int) -> list[Sample]:
    program = media.find_ffmpeg()
    assert program, "the clips are made by ffmpeg"
    return [*planted.stills(folder, stills), *planted.clips(folder, clips, program)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stills", type=int, default=120)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--ffmpeg", help="another ffmpeg, whose verdicts are compared")
    parser.add_argument("--folder", type=Path, help="keep the samples here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kiebatch-expect-") as name:
        folder = chosen.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        samples = made(folder, chosen.stills, chosen.clips)
        print(
            f"{len(samples)} samples, {sum(1 for s in samples if s.fault)} of them with a fault", flush=True
        )
        tally, verdicts = count(samples)
        report(media.ffmpeg_version(), tally)
        if chosen.ffmpeg:
            os.environ["KIEBATCH_FFMPEG"] = chosen.ffmpeg
            media.find_ffmpeg.cache_clear()
            media.ffmpeg_version.cache_clear()
            other, theirs = count(samples)
            report(media.ffmpeg_version(), other)
            differ = [
                f"{name}: {check}"
                for name, states in verdicts.items()
                for check, state in states.items()
                if theirs[name][check] is not state
            ]
            print(f"{len(differ)} verdicts differ between the two {' '.join(differ[:10])}")


def report(version: str, tally: Tally) -> None:
    recall, alarms = tally.found / tally.planted, tally.alarms / tally.asked
    print(f"{version}:")
    print(f"  recall {recall:.3f} ({tally.found} of {tally.planted}; promised {PROMISED['recall']})")
    print(
        f"  false alarms {alarms:.4f} ({tally.alarms} of {tally.asked}; promised {PROMISED['false alarms']})"
    )
    if tally.clip_s:
        cpu = tally.cpu_s / tally.clip_s
        print(f"  {cpu:.3f} s of CPU for each second of 720p (promised {PROMISED['cpu']})")
    for line in tally.wrong:
        print(f"  {line}")


if __name__ == "__main__":
    main()
