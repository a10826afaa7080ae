"""Every endpoint of every family against the simulator, from the submission to bytes that decode."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiebatch import catalogue, media
from kiebatch.model import Done, Output
from kiebatch.provider import Client, families
from kiebatch.provider.families import Endpoint
from support.simulated import Sim

MODELS = {model.endpoint: model for model in catalogue.load().all() if model.family != "jobs"}


class Studio:
    """A client that makes things, one endpoint at a time."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.media: list[media.MediaFacts] = []

    async def make(
        self, path: str, job_input: Mapping[str, Any], model: str = ""
    ) -> tuple[str, list[Output]]:
        """Submit, wait, download every output; return the task's id and its outputs."""
        endpoint = _endpoint(path)
        name = model or MODELS[endpoint.path].id
        verdict = await self.client.submit(
            endpoint.request(name, job_input), lambda reply: endpoint.task(reply, job_input)
        )
        assert verdict.kind == "accepted", verdict
        assert verdict.task_id
        if endpoint.at_once:
            assert verdict.reply
            done = endpoint.status(verdict.reply)
        else:
            done = await self.client.wait(endpoint.family, verdict.task_id, endpoint.path, interval_s=0.02)
        assert isinstance(done, Done), done
        assert done.outputs, path
        for output in done.outputs:
            if output.url:
                part = self.folder / f"{verdict.task_id.replace('/', '-')}-{output.number}"
                await self.client.download(output.url, part)
                self.media.append(media.facts(part))
        return verdict.task_id, list(done.outputs)

    async def picture(self) -> str:
        return await self.client.upload(_png(), "p.png", "image/png")


def _endpoint(path: str) -> Endpoint:
    return next(e for e in families.all_endpoints() if e.path == f"/api/v1/{path}")


def _png() -> bytes:
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("RGB", (64, 64), "navy").save(file, "png")
    return file.getvalue()


@asynccontextmanager
async def studio_at(sim: Sim, folder: Path) -> AsyncIterator[Studio]:
    async def brief(wait_s: float) -> None:
        await asyncio.sleep(min(wait_s, 0.02))

    async with Client(sim.key, sim.url, rng=random.Random(1), sleep=brief) as client:
        yield Studio(client, folder)


def kinds(studio: Studio) -> list[str]:
    return [facts.kind for facts in studio.media]


@pytest.mark.slow
def test_stills_of_the_dedicated_families(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            picture = await studio.picture()
            await studio.make(
                "gpt4o-image/generate", {"prompt": "a boat", "size": "1:1", "filesUrl": [picture]}
            )
            await studio.make("flux/kontext/generate", {"prompt": "a boat"}, "flux-kontext-max")
            await studio.make(
                "flux/kontext/generate", {"prompt": "at night", "inputImage": picture}, "flux-kontext-pro"
            )
            assert kinds(studio) == ["image"] * 3

    asyncio.run(work())

    assert [charge["model"] for charge in sim.charges()] == [
        "gpt4o-image",
        "flux-kontext-max",
        "flux-kontext-pro",
    ]
    assert sim.stats()["key_leaks"] in (0, [])


@pytest.mark.slow
def test_clips_of_the_dedicated_families_and_what_grows_from_them(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            veo, _ = await studio.make(
                "veo/generate", {"prompt": "a boat", "aspect_ratio": "9:16"}, "veo3_fast"
            )
            await studio.make("veo/get-1080p-video", {"taskId": veo, "index": 0})
            await studio.make("veo/get-4k-video", {"taskId": veo})
            fresh, _ = await studio.make("veo/generate", {"prompt": "a boat"}, "veo3")
            await studio.make("veo/extend", {"taskId": fresh, "prompt": "it sinks"})
            clip, outputs = await studio.make(
                "runway/generate",
                {"prompt": "a boat", "duration": 5, "quality": "720p", "aspectRatio": "16:9"},
            )
            await studio.make("runway/extend", {"taskId": clip, "prompt": "it sinks", "quality": "720p"})
            await studio.make("aleph/generate", {"prompt": "at night", "videoUrl": outputs[0].url})
            assert set(kinds(studio)) == {"video"}

    asyncio.run(work())

    assert len(sim.charges()) == 8


def test_an_upgrade_asked_for_twice_is_paid_once(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            veo, _ = await studio.make("veo/generate", {"prompt": "a boat"}, "veo3_fast")
            for _ in range(2):
                await studio.make("veo/get-1080p-video", {"taskId": veo})
                await studio.make("veo/get-4k-video", {"taskId": veo})

    asyncio.run(work())

    assert len(sim.charges()) == 3


MUSIC = {"prompt": "a shanty", "customMode": False, "instrumental": False, "model": "V5"}


@pytest.mark.slow
def test_music_and_all_that_is_made_from_it(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            song, tracks = await studio.make("generate", MUSIC)
            assert len(tracks) == 2
            audio = {"taskId": song, "audioId": tracks[0].id}
            url = tracks[0].url
            voice = {"uploadUrl": url, "title": "Sea", "negativeTags": "drums"}
            await studio.make(
                "generate/extend", {"audioId": tracks[0].id, "model": "V5", "defaultParamFlag": False}
            )
            await studio.make("generate/upload-cover", {**MUSIC, "uploadUrl": url})
            await studio.make(
                "generate/upload-extend",
                {
                    "uploadUrl": url,
                    "defaultParamFlag": False,
                    "instrumental": True,
                    "continueAt": 3,
                    "model": "V5",
                },
            )
            await studio.make("generate/add-instrumental", {**voice, "tags": "folk"})
            await studio.make("generate/add-vocals", {**voice, "prompt": "la la", "style": "folk"})
            section = {
                "prompt": "x",
                "tags": "folk",
                "title": "Sea",
                "fullLyrics": "la",
                "infillStartS": 1,
                "infillEndS": 9,
            }
            await studio.make("generate/replace-section", {**audio, **section})
            mash = {"uploadUrlList": [url, tracks[1].url], "customMode": True, "style": "folk", "title": "x"}
            await studio.make("generate/mashup", {**mash, "model": "V5", "instrumental": True})
            await studio.make("generate/sounds", {"prompt": "waves", "model": "V5"})
            await studio.make("wav/generate", audio)
            stems, parts = await studio.make("vocal-removal/generate", {**audio, "type": "separate_vocal"})
            assert {part.label for part in parts} == {"vocal", "instrumental"}
            _, more = await studio.make("vocal-removal/generate", {**audio, "type": "split_stem"})
            assert len(more) > 4
            _, notes = await studio.make("midi/generate", {"taskId": stems})
            assert json.loads(notes[0].text or "")["instruments"]
            assert set(kinds(studio)) == {"audio"}
            studio.media.clear()
            await studio.make("mp4/generate", {**audio, "author": "me"})
            await studio.make("suno/cover/generate", {"taskId": song})
            assert kinds(studio)[0] == "video"
            assert set(kinds(studio)[1:]) == {"image"}
            await studio.make(
                "generate/generate-persona", {**audio, "name": "Sailor", "description": "hoarse"}
            )
            await studio.make("generate/get-timestamped-lyrics", audio)

    asyncio.run(work())


def test_words(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            _, texts = await studio.make("lyrics", {"prompt": "the sea"})
            assert len(texts) >= 2
            assert all(output.text for output in texts)
            _, style = await studio.make("style/generate", {"content": "shanty"})
            assert style[0].text

    asyncio.run(work())


def test_voices_and_characters(sim: Sim, tmp_path: Path) -> None:
    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            _, tracks = await studio.make("generate", MUSIC)
            voice = {"voiceUrl": tracks[0].url, "vocalStartS": 0, "vocalEndS": 10}
            phrase, _ = await studio.make("voice/validate", voice)
            again, words = await studio.make("voice/regenerate", {"taskId": phrase})
            assert words[0].text
            made, _ = await studio.make("voice/generate", {"taskId": again, "verifyUrl": tracks[0].url})
            await studio.make("voice/check-voice", {"task_id": made})
            await studio.make("omni/audio/create", {"audio_id": "achernar", "name": "Keeper"})
            sailor = {"descriptions": "a sailor", "image_urls": [await studio.picture()]}
            await studio.make("omni/character/create", sailor)

    asyncio.run(work())


@pytest.mark.parametrize("quirk", ["flag-as-text", "urls-as-text:brackets", "urls-as-text:json", "top-level"])
def test_a_record_written_otherwise_is_read_all_the_same(sim: Sim, tmp_path: Path, quirk: str) -> None:
    sim.fault(f"submit@1={quirk}")

    async def work() -> None:
        async with studio_at(sim, tmp_path) as studio:
            await studio.make("veo/generate", {"prompt": "a boat"}, "veo3_fast")
            assert kinds(studio) == ["video"]

    asyncio.run(work())
