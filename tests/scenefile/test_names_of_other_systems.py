"""Names that other systems would refuse or take for another: Windows' devices and dots, case, and macOS' Unicode form."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch import files
from kiebatch.model import Job, Slot
from kiebatch.record.manifest import names
from kiebatch.scenefile import output_names
from support.film import Film

# What no part of a path may have on Windows, see "Naming Files, Paths, and Namespaces" in its documentation.
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')


@pytest.mark.parametrize("name", ["con", "AUX", "nul.png", "Com1.tar.gz", "stills/LPT9", "prn/still", "com¹"])
def test_a_device_of_windows_is_found_wherever_it_stands_in_a_path(name: str) -> None:
    assert output_names.reserved_name(name)


@pytest.mark.parametrize("name", ["console", "auxiliary", "com10", "nulla.png", "a-con", "lpt"])
def test_a_name_that_only_begins_like_a_device_is_free(name: str) -> None:
    assert output_names.reserved_name(name) == ""


@pytest.mark.parametrize(
    ("written", "stem"),
    [
        ("hero.", "hero"),
        ("hero...png", "hero"),
        ("a: b?", "a-b"),
        ("stills\\hero.png", "stills/hero"),
        ("C:\\films\\hero.png", "C/films/hero"),
        ("what's <this>|", "what-s-this"),
        ("../hero", None),
        ("/etc/hero", None),
        ("...", None),
    ],
)
def test_an_authors_file_name_is_one_that_every_system_takes(written: str, stem: str | None) -> None:
    assert output_names.output_stem(written, "assets") == stem


def _job(slot: Slot, output: str) -> Job:
    return Job(
        slot=slot,
        model="nano-banana-2",
        asked="nano-banana-2",
        family="jobs",
        endpoint="/api/v1/jobs/createTask",
        modality="image",
        prompt="x",
        input={},
        authored={},
        output=output,
    )


@pytest.mark.slow
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=20), st.sampled_from([1, 2, 12]))
def test_no_name_that_we_give_a_file_breaks_a_rule_of_windows(author: str, model: str, take: int) -> None:
    stem = output_names.output_stem(author, "assets") or ""
    name = names.asset_name(
        _job(Slot("12A", "b", model, take), stem),
        output=1,
        version=1,
        sha256="0" * 64,
        extension=".png",
        taken=lambda _name: False,
    )

    assert [part for part in name.split("/") if FORBIDDEN.search(part)] == []


def test_an_output_that_is_a_device_or_another_in_capitals_is_said_at_its_place(film: Film) -> None:
    film.write(
        """
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes:
          - {id: 1, prompt: a, output: AUX}
          - {id: 2, prompt: b, output: hero}
          - {id: 3, prompt: c, output: Hero}
        """
    )

    said = film.command("validate", "scenes.yaml", "--json").json

    lines = {problem["line"] for problem in said["problems"] if problem["severity"] == "error"}
    assert 5 in lines
    assert lines & {6, 7}


@pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_picture_is_found_in_either_unicode_form(tmp_path: Path, on_disk: str, written: str) -> None:
    folder = tmp_path / unicodedata.normalize(on_disk, "Bücher")  # type: ignore[arg-type]
    folder.mkdir()
    there = folder / unicodedata.normalize(on_disk, "étude.png")  # type: ignore[arg-type]
    there.write_bytes(b"x")

    asked = tmp_path / unicodedata.normalize(written, "Bücher/étude.png")  # type: ignore[arg-type]

    assert files.by_form(asked) == there


def test_where_both_forms_lie_side_by_side_each_is_itself(tmp_path: Path) -> None:
    both = [tmp_path / unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    for path in both:
        path.write_bytes(b"x")

    assert [files.by_form(path) for path in both] == both
