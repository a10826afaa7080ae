"""The board as values and as text: what it shows of a project, and that no text of it becomes anything else."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kiebatch.board import publish
from kiebatch.board.film import Film
from kiebatch.board.page import embedded, page, policy
from kiebatch.board.panel_data import panel_data
from kiebatch.board.wording import label
from kiebatch.model import under
from kiebatch.record.picks import Decision
from kiebatch.record.picks_file import decide
from kiebatch.scenefile.validation import value_at
from support import boards
from support.simulated import Sim


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boards.film(tmp_path_factory.mktemp("board") / "film")


@pytest.fixture
def root(_made: Path, tmp_path: Path) -> Path:
    """A film of its own for every test."""
    return Path(shutil.copytree(_made, tmp_path / "film"))


def film_of(root: Path) -> Film:
    return publish.film_of(boards.load(root))


def panel(root: Path, name: str):  # type: ignore[no-untyped-def]
    return next(p for p in film_of(root).panels if p.name == name)


def test_scenes_and_shots_stand_in_the_films_order(root: Path) -> None:
    film = film_of(root)

    assert [s.title for s in film.scenes] == ["Arrival", "The stairs", "The ship"]
    assert [p.name for p in film.panels] == ["1", "1.vo", "2a", "2b", "3"]
    assert [t.number for t in film.panels[2].takes] == [1, 2, 3]


def test_gaps_show_what_they_would_cost(root: Path) -> None:
    gap = panel(root, "3")

    assert (gap.state, gap.takes[0].price) == ("open", 8)
    assert "8 credits" in _written(root)


def test_the_picked_take_stands_for_its_shot(root: Path) -> None:
    decide(boards.load(root).workspace, [Decision(slot="2a#2", choice="pick")])

    assert panel(root, "2a").shown.slot == "2a#2"
    assert "picked" in panel(root, "2a").facets


def test_a_rejected_take_gives_way_to_the_next(root: Path) -> None:
    decide(boards.load(root).workspace, [Decision(slot="2a#1", choice="reject", note="soft")])

    assert panel(root, "2a").shown.slot == "2a#2"
    assert "soft" in _written(root)


def test_a_changed_prompt_is_shown_word_by_word(root: Path) -> None:
    _edit(root, "stops and listens", "stops and waits")

    found = panel(root, "2b")

    assert (found.state, found.takes[0].reason) == ("changed", "prompt")
    assert "<del>listens</del><ins>waits</ins>" in _written(root)


def test_older_versions_stand_behind_with_what_changed(root: Path) -> None:
    _edit(root, "stops and listens", "stops and waits")
    boards.make(root, "2b", "again", "#653")

    old, new = panel(root, "2b").takes[0].versions

    assert (old.number, new.number) == (1, 2)
    assert new.pieces == (("same", "He stops and "), ("old", "listens"), ("new", "waits"))


def test_a_file_that_is_gone_is_said(root: Path) -> None:
    asset = panel(root, "2b").takes[0].asset
    assert asset
    (root / asset.filename).unlink()

    assert panel(root, "2b").state == "missing"
    assert "Its file is gone" in _without_code(_written(root))


def test_a_take_that_is_no_longer_asked_for_stays_beside_the_others(root: Path) -> None:
    _edit(root, "takes: 3", "takes: 2")

    assert [(t.slot, t.state) for t in panel(root, "2a").takes] == [
        ("2a#1", "made"),
        ("2a#2", "made"),
        ("2a#3", "orphan"),
    ]
    assert panel(root, "2a").state == "made"


def test_a_shot_that_is_no_longer_in_the_scene_file_stands_at_the_end(root: Path) -> None:
    _edit(root, "id: b\n        prompt: He stops and listens", "id: z\n        prompt: He goes on")

    film = film_of(root)

    assert [p.name for p in film.orphans] == ["2b"]
    assert len({p.name for p in film.panels}) == len(film.panels)
    assert "No longer in the scene file" in _written(root)


def test_the_same_project_gives_the_same_bytes(root: Path) -> None:
    assert _written(root) == _written(root)


def test_small_pictures_are_inside_and_the_media_beside(root: Path) -> None:
    text = _written(root)

    assert text.count("data:image/webp;base64,") >= 3
    assert 'href="assets/images/scene-01.png"' in text


def test_a_board_that_lies_elsewhere_still_finds_its_media(root: Path, tmp_path: Path) -> None:
    publish.write(boards.load(root), tmp_path / "out" / "my board.html")

    text = (tmp_path / "out" / "my board.html").read_text()
    assert 'href="../film/assets/images/scene-01.png"' in text


def test_an_embedded_board_names_no_file_beside_it(root: Path) -> None:
    publish.write(boards.load(root), root / "mail.html", embed=True)

    text = (root / "mail.html").read_text()
    addresses = re.findall(r'(?:src|href)="([^"#]*)', text)
    assert addresses
    assert all(a.startswith("data:") for a in addresses if a)


HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&{{ 1234*7 }}\u2028<!--]]>"""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def test_hostile_texts_stay_text_wherever_they_stand(tmp_path: Path) -> None:
    quoted = json.dumps(HOSTILE)
    text = f"""\
kiebatch: 1
title: {quoted}
notes: {quoted}
scenes:
  - id: 1
    title: {quoted}
    notes: {quoted}
    camera: {quoted}
    text_overlay: {quoted}
    transition: {quoted}
    shots:
      - id: a
        model: nano-banana-2
        title: {quoted}
        notes: {quoted}
        prompt: {json.dumps(HOSTILE.replace("{{", "{{{{").replace("}}", "}}}}"))}
    voiceover: {{text: {quoted.replace("{{ 1234*7 }}", "")}, model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}}
"""
    root = boards.film(tmp_path / "film", text, made=("1a",))
    decide(boards.load(root).workspace, [Decision(slot="1a#1", note=HOSTILE, author=HOSTILE)])

    written = _written(root)

    tags = _Tags()
    tags.feed(written)
    assert tags.tags.count("script") == 4  # settings, the script, and what the viewer knows of each shot
    assert tags.handlers == []
    assert "8638" not in re.sub(r"base64,[^\"]*|sha256-[^']*|#[0-9a-f]+", "", _without_code(written))


def test_text_in_a_data_block_reads_back_as_it_was() -> None:
    text = str(embedded({"a": HOSTILE}))

    assert json.loads(text) == {"a": HOSTILE}
    assert not set("<>&\u2028") & set(text)


def test_the_policy_allows_the_pages_own_script_and_style_alone(root: Path) -> None:
    film = film_of(root)

    allowed = policy(film, served=False)

    assert "default-src 'none'" in allowed
    assert "connect-src 'none'" in allowed
    assert "unsafe" not in allowed
    assert allowed.count("'sha256-") == 2


def test_takes_of_several_models_are_told_apart_by_their_models(tmp_path: Path) -> None:
    shot = "{id: 1, prompt: A door, takes: 2, model: [nano-banana-2, google/nano-banana]}"
    root = boards.film(tmp_path, f"kiebatch: 1\nscenes:\n  - {shot}\n", made=())

    found = panel(root, "1")

    assert [label(t, found) for t in found.takes] == [
        "nano-banana-2 1",
        "nano-banana-2 2",
        "nano-banana 1",
        "nano-banana 2",
    ]


def test_a_film_without_anything_still_makes_a_page(tmp_path: Path) -> None:
    root = boards.film(tmp_path, "kiebatch: 1\nscenes: []\n", made=())

    assert "0 scenes" in _written(root)


@pytest.mark.slow
def test_five_hundred_shots_stay_under_two_megabytes_without_media(tmp_path: Path) -> None:
    prompt = "The keeper climbs the spiral stair, lantern in hand, low angle, 35 mm film, heavy grain, " * 3
    scenes = "".join(
        f"  - id: {i}\n    title: Scene {i}\n    takes: 3\n    camera: low angle\n    prompt: {prompt}{i}\n"
        for i in range(1, 501)
    )
    root = boards.film(
        tmp_path, f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\nscenes:\n{scenes}", made=()
    )

    text = page(film_of(root), {})

    assert text.count("<article") == 500
    assert len(text.encode()) < 2_000_000


def _written(root: Path) -> str:
    publish.write(boards.load(root), root / "board.html")
    return (root / "board.html").read_text(encoding="utf-8")


def _edit(root: Path, old: str, new: str) -> None:
    path = root / "scenes.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _without_code(text: str) -> str:
    return re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.slow
def test_a_failed_job_is_told_with_what_the_provider_said(root: Path, sim: Sim) -> None:
    sim.fault("submit=fail:422 the words are too violent")

    boards.run(root, sim, "3")

    found = panel(root, "3")
    assert (found.state, "problems" in found.facets) == ("failed", True)
    assert "the words are too violent" in _written(root)


def test_a_held_job_says_that_nobody_knows_whether_it_was_charged(root: Path, sim: Sim) -> None:
    sim.fault("submit=cut")

    boards.run(root, sim, "3")

    assert panel(root, "3").state == "held"
    assert "nobody knows whether it was charged" in _written(root)


SCRIPTED = """\
kiebatch: 1
title: The Lighthouse
defaults: {model: nano-banana-2}
styles: {storm: "storm light, heavy grain"}
characters: {keeper: an old keeper in a yellow oilskin}
scenes:
  - id: 1
    location: The stairs
    time_of_day: night
    action: He climbs.
    shots:
      - id: a
        prompt: "{keeper} climbs"
        style: storm
        shot_size: close-up
        lens: 35 mm
        camera: low angle
        dialogue: |
          HANNE: No one came.
          KEEPER: They will.
"""


def test_script_fields_are_shown_apart_and_the_prompt_in_the_authors_words(tmp_path: Path) -> None:
    root = boards.film(tmp_path / "film", SCRIPTED, made=())

    html = _written(root)

    for shown in (
        '<p class="slugline">The stairs - night</p>',
        '<p class="action">He climbs.</p>',
        '<p class="camera">close-up · 35 mm · low angle</p>',
        "<dt>HANNE</dt><dd>No one came.</dd>",
        "<dt>keeper</dt><dd>an old keeper in a yellow oilskin</dd>",
        "<dt>storm</dt><dd>storm light, heavy grain</dd>",
        '<p class="prompt">keeper climbs</p>',
    ):
        assert shown in html
    [panel] = publish.film_of(boards.load(root)).panels
    assert "yellow oilskin" in panel.prompt


def test_sounds_are_not_counted_as_shots_and_a_draft_shows_no_credits(root: Path) -> None:
    film = publish.film_of(boards.load(root))

    real = page(film, {})
    draft = page(replace(film, draft=True), {})

    assert "<span>3 of 4 shots, 0 of 1 sound made</span>" in real
    assert "credits to go" in real
    assert "credit" not in draft.partition('<main id="film">')[0].partition("</style>")[2]


NOTED = """kiebatch-notes: 1
notes:
- {id: n-1, slot: "2a#2", at: {x: 0.0, y: 0.5}, text: "the hand is cut off", time: "2026-03-01T10:00:00.000Z", author: "Ann"}
- {id: status-2a, shot: 2a, status: approved, time: "2026-03-01T10:00:00.000Z", author: "Bo"}
"""


def test_a_board_from_the_disk_shows_the_notes_of_the_review(root: Path) -> None:
    (root / "assets/notes.yaml").write_text(NOTED, encoding="utf-8")

    html = _written(root)

    assert '<span class="key">1 open note</span> the hand is cut off' in html
    assert '<span class="status approved">Approved</span>' in html
    found = panel_data(panel(root, "2a"), {}, served=False)
    assert value_at(found, ("threads", 0, "at")) == [0.0, 0.5, 0.0, 0.0]
    assert (under(found, "status"), under(found, "statusBy")) == ("approved", "Bo")


def test_a_take_with_words_of_its_own_is_compared_with_those(root: Path) -> None:
    _edit(root, "takes: 3", "takes: [~, ~, {prompt: He sits on the stair}]")
    decide(boards.load(root).workspace, [Decision(slot="2a#3", choice="pick")])

    shown = panel(root, "2a")

    assert "".join(text for how, text in shown.pieces if how != "old") == "He sits on the stair"
    assert value_at(panel_data(shown, {}, served=False), ("takes", 2, "asked")) == 2
