"""The animatic: the film as MP4 with stills held under their camera move, clips, voices, music, words and chapters.

Each shot is encoded as a piece of exactly its frames (`pieces`); the pieces are then joined without encoding again, so
that a long film needs no more memory than a short one, and a shot that did not change is not encoded again.  A team's
workers encode them where some are alive; what they cannot is encoded here.

A clip longer than its shot is cut at its end.  A shorter one is slowed to fill the shot, at most to half its speed;
what is still missing then is its last frame, held.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import Invalid, Refused, install_hint
from kiebatch.exports import captions, cut, pieces, soundtrack
from kiebatch.exports.cut import Cut, Film, Options
from kiebatch.exports.pieces import Look, Store
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.units import (
    Context,
    Cue,
    Failed,
    Folder,
    LocalQueue,
    NoRows,
    Order,
    Parts,
    Piece,
    WorkQueue,
    even,
    segment,
)
from kiebatch.workspace import Workspace

LONG_SIDE = 1280  # pixels, where no size was asked for
_TIMEOUT_S = 900.0


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the MP4: H.264 in yuv420p, AAC where there is any sound, one chapter per scene.

    What is said lies beside it as `.srt` and `.vtt`.  `Invalid` with the way to install it when there is no ffmpeg.
    """
    if media.find_ffmpeg() is None:
        raise Invalid(
            "an animatic needs ffmpeg",
            hint=f"install ffmpeg, or its bundled kind: {install_hint('video')}",
        )
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that moving it there at the end is one step.
    with tempfile.TemporaryDirectory(prefix=".animatic-", dir=options.output.parent) as folder:
        said = captions.cues(film)
        made = _Animatic(film, said, workspace, options, Path(folder)).make()
        os.replace(made, options.output)
    return [options.output, *(captions.beside(options.output, said) if said else [])]


_Encoders = tuple[WorkQueue, Parts]


class _Animatic:
    def __init__(
        self, film: Film, said: Sequence[Cue], workspace: Workspace, options: Options, folder: Path
    ) -> None:
        self.film = film
        self.options = options
        self.folder = folder
        self.store = Store(workspace.state)
        self.look = Look(film=film, size=options.size or _size(film.shape), slate=options.slate)
        shown = said if options.captions else ()
        self.pieces = pieces.pieces(self.look, [captions.of_shot(s, shown, film) for s in film.shots])
        self.done = 0

    def make(self) -> Path:
        asyncio.run(self._encode())
        self.store.clear(time.time())
        return self._joined()

    def _tick(self) -> None:
        self.done += 1
        self.options.progress(self.done, len({piece.key for piece in self.pieces}) + 1)

    async def _encode(self) -> None:
        files.private_folder(self.store.folder)
        with tempfile.TemporaryDirectory(prefix="team-", dir=self.store.folder) as folder:
            async with contextlib.AsyncExitStack() as stack:
                encoders = [self._here()]
                if self.options.queue is not None:
                    others = await stack.enter_async_context(self.options.queue(Path(folder)))
                    encoders = [*([others] if others else []), *encoders]
                await self._all(encoders)

    def _here(self) -> _Encoders:
        shelf = Folder(self.store.folder, ending=f".{os.getpid()}.part.mp4")
        context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread)
        return LocalQueue(context, {"segment": min(4, os.cpu_count() or 1)}), shelf

    async def _all(self, encoders: Sequence[_Encoders]) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        for piece, shot in zip(self.pieces, self.film.shots, strict=True):
            if piece.key not in tasks:
                before = tasks.get(piece.before)  # of what it blends out of it needs the last frame
                tasks[piece.key] = asyncio.create_task(self._piece(piece, shot, before, encoders))
        try:
            await asyncio.gather(*tasks.values())
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _piece(
        self, piece: Piece, shot: Cut, before: asyncio.Task[None] | None, encoders: Sequence[_Encoders]
    ) -> None:
        if before is not None:
            await before
        why_not = ""
        for queue, shelf in encoders:
            if not self.store.has(piece):
                why_not = await self._made(piece, shot, queue, shelf)
        if not self.store.has(piece):
            raise Invalid(f"shot {shot.name} cannot be encoded: {why_not}")
        self._tick()

    async def _made(self, piece: Piece, shot: Cut, queue: WorkQueue, shelf: Parts) -> str:
        """Have a piece made and brought here; return why it is not, in words."""
        order = Order(unit=segment(piece, pieces.source(shot)))
        try:
            if shot.shown and shot.shown.path and piece.source:
                await shelf.lend(f"sha256/{piece.source}", shot.shown.path)
            if piece.blended:
                await shelf.lend(f"{piece.before}.mp4", self.store.folder / f"{piece.before}.mp4")
            ended = await queue.result(order)
            if isinstance(ended, Failed):
                return ended.message
            made = await shelf.take(order.unit, f"{piece.key}.mp4")
            if made is None:
                await queue.forget(order)
                return "what encoded it did not keep it"
            os.replace(made, self.store.path(piece))
        except Refused as refused:  # the team's database or store went away: what others do can be done here
            return refused.message
        return ""

    def _joined(self) -> Path:
        (self.folder / "pieces.txt").write_text(_listed(self.store, self.pieces), encoding="utf-8")
        (self.folder / "chapters.txt").write_text(chapters(self.film), encoding="utf-8")
        total = self.film.seconds(self.film.length)
        heard = soundtrack.premixed(soundtrack.sounds(self.film), total, self.folder)
        arguments = ["-v", "error", "-protocol_whitelist", "file,pipe", "-f", "concat", "-safe", "0"]
        arguments += ["-i", f"file:{self.folder / 'pieces.txt'}"]
        arguments += ["-f", "ffmetadata", "-i", f"file:{self.folder / 'chapters.txt'}"]
        if heard:
            # Padded to a length, not for ever: newer ffmpeg does not always stop what pads without end.
            ending = f"alimiter=limit=0.95,apad=whole_dur={total:.6f},atrim=end={total:.6f}"
            mixing = ["-filter_complex", soundtrack.mix(heard, 2, ending), "-map", "[mix]"]
            arguments += [*soundtrack.inputs(heard), *mixing, "-c:a", "aac", "-b:a", "160k", "-ar", "48000"]
        target = self.folder / "film.mp4"
        arguments += ["-map", "0:v", "-c:v", "copy", "-map_metadata", "1", "-map_chapters", "1"]
        media.run_ffmpeg([*arguments, "-movflags", "+faststart", f"file:{target}"], timeout_s=_TIMEOUT_S)
        self._tick()
        return target


def _listed(store: Store, found: Sequence[Piece]) -> str:
    names = (str(store.path(piece)).replace("'", "'\\''") for piece in found)
    return "ffconcat version 1.0\n" + "".join(f"file 'file:{name}'\n" for name in names)


def chapters(film: Film) -> str:
    """Return the scenes as chapters in ffmpeg's metadata format, times in milliseconds."""
    lines = [";FFMETADATA1", f"title={_escaped(film.title)}"]
    starts = [film.shots[0], *(b for a, b in pairwise(film.shots) if a.scene != b.scene)]
    ends = [*(shot.start for shot in starts[1:]), film.length]
    for shot, end in zip(starts, ends, strict=True):
        title = f"{shot.scene} {shot.scene_title}".strip()
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={round(film.seconds(shot.start) * 1000)}"]
        lines += [f"END={round(film.seconds(end) * 1000)}", f"title={_escaped(title)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", " ".join(text.split()))


def _size(shape: tuple[int, int]) -> tuple[int, int]:
    factor = LONG_SIDE / max(shape)
    return even(shape[0] * factor), even(shape[1] * factor)
