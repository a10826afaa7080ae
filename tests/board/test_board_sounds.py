"""Sounds of the author's own: they play on the board, and a page hands out none from elsewhere."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import httpx
import pytest

from kiebatch.board import publish
from kiebatch.board.panel_data import panel_data
from kiebatch.model import under
from support import boards

SCENES = """\
kiebatch: 1
title: The Lighthouse
defaults: {model: nano-banana-2}
scenes:
  - id: 1
    prompt: A boat
    music: {file: FILE, through: 2}
  - id: 2
    prompt: A ship
"""


def sound(path: Path, seconds: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(8000)
        stream.writeframes(bytes(2 * 8000 * seconds))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    sound(tmp_path / "film/sounds/theme.wav")
    return boards.film(tmp_path / "film", SCENES.replace("FILE", "sounds/theme.wav"), made=())


def test_a_sound_of_ones_own_plays_from_the_disk_beside_the_page_and_inside_it(root: Path) -> None:
    opened = boards.load(root)
    publish.write(opened, root / "board.html")
    publish.write(opened, root / "mail.html", embed=True)

    assert '<audio preload="none" src="sounds/theme.wav">' in (root / "board.html").read_text()
    assert '<audio preload="none" src="data:audio/' in (root / "mail.html").read_text()
    assert "through scene 2" in (root / "board.html").read_text()


def test_a_sound_of_ones_own_is_served_to_whoever_is_in(root: Path) -> None:
    with boards.served(root) as review:
        client = httpx.Client(base_url=review.url, verify=False)
        assert client.get("/own/1.music").status_code == 403
        client.get("/", params={"token": review.token})

        reply = client.get("/own/1.music")

        assert (reply.status_code, reply.content[:4]) == (200, b"RIFF")
        assert reply.headers["content-type"].startswith("audio/")
        assert client.get("/own/2").status_code == 404


def test_a_sound_outside_the_project_is_not_handed_out_even_where_it_may_be_played(tmp_path: Path) -> None:
    config = Path(os.environ["KIEBATCH_CONFIG_HOME"]) / "config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"kiebatch-config: 1\nallow: {tmp_path}\n", encoding="utf-8")
    sound(tmp_path / "private.wav")
    root = boards.film(tmp_path / "film", SCENES.replace("FILE", "../private.wav"), made=())
    (root / "link.wav").symlink_to(tmp_path / "private.wav")

    with boards.served(root) as review:
        client = httpx.Client(base_url=review.url, verify=False)
        client.get("/", params={"token": review.token})
        page = client.get("/").text
        before = client.get("/own/1.music").status_code
    path = root / "scenes.yaml"
    path.write_text(path.read_text().replace("../private.wav", "link.wav"))
    with boards.served(root) as review:
        client = httpx.Client(base_url=review.url, verify=False)
        client.get("/", params={"token": review.token})
        after = client.get("/own/1.music").status_code

    assert "Not a sound in the project folder" in page
    assert (before, after) == (404, 404)


def test_the_page_knows_with_which_scene_a_sound_ends(root: Path) -> None:
    film = publish.film_of(boards.load(root))
    panel = next(p for p in film.panels if p.name == "1.music")

    assert under(panel_data(panel, {}, served=True), "through") == "2"
