"""`kiebatch models`: find, explain, suggest, and ask the provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import manual, refresh
from kiebatch.catalogue.refresh import Answers
from kiebatch.cli import app
from kiebatch.errors import Exit
from support.places import ROOT
from support.simulated import Sim


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = app.exit_code(["models", *args])
    said = capsys.readouterr()
    return code, said.out, said.err


def listed(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, Any]]:
    code, out, _ = run(capsys, *args, "--json")
    assert code == 0
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_the_list_holds_what_can_be_used_today(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys)

    assert len(found) == 65 + 84 + 32
    assert {m["status"] for m in found} == {"current"}
    assert len(listed(capsys, "--all")) == 232


def test_each_entry_has_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    promised = "model title modality task family endpoint status aliases input roles constraints credits as_of source"

    assert set(promised.split()) <= set(listed(capsys, "--modality", "image")[0])


@pytest.mark.parametrize(
    ("args", "inside", "outside"),
    [
        (["--modality", "video", "--takes", "end_frame"], "kling-3.0/video", "kling/v2-1-standard"),
        (["--takes", "an end frame"], "pixverse-v6/transition", "runway"),
        (["--takes", "mask"], "ideogram/v3-edit", "ideogram/v3-remix"),
        (["--modality", "image", "--shape", "16:9"], "ideogram/v3-text-to-image", "4o-image-api"),
        (["--modality", "image", "--below", "1"], "z-image", "google/nano-banana"),
        (["--task", "upscale"], "topaz/image-upscale", "z-image"),
        (["--family", "suno", "--all"], "suno/generate", "ai-music-api/generate"),
        (["--maker", "google"], "veo-3-1", "kling-3.0/video"),
        (["kling"], "kling-3.0/video", "veo-3-1"),
        (["Seedream 4.5"], "seedream/4.5-edit", "seedream/5-pro-text-to-image"),
    ],
)
def test_filters_find_what_fits(
    capsys: pytest.CaptureFixture[str], args: list[str], inside: str, outside: str
) -> None:
    ids = [m["model"] for m in listed(capsys, *args)]

    assert inside in ids
    assert outside not in ids


def test_one_model_is_one_object_and_a_page_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "Veo 3.1 Fast")
    _, one, _ = run(capsys, "veo3_fast", "--json")

    assert code == 0
    assert json.loads(one)["model"] == "veo3_fast"
    for part in ("NAME", "INPUT", "MEDIA", "RULES", "PRICES", "PROMPTING", "EXAMPLE", "SOURCES"):
        assert f"\n{part}\n" in f"\n{out}"
    assert "superseded; `veo-3-1` takes its place" in out
    assert "60 credits (0.3 USD)" in out


def test_every_models_page_can_be_written() -> None:
    for model in catalogue.load().all():
        page = manual.page(model)

        assert page.startswith("NAME\n")
        assert "None" not in page
        assert model.id in page
        assert ("\nEXAMPLE\n" in page) == (model.status != "withdrawn")


def test_a_word_that_fits_no_model_is_refused_with_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "nano-bananna-2")

    assert code == Exit.INVALID
    assert "unknown model `nano-bananna-2`" in err
    assert "nano-banana-2" in err


@pytest.mark.parametrize(
    ("wish", "intent", "first"),
    [
        ("text in the image", "text in the image", "ideogram/v3-text-to-image"),
        ("a cheap draft", "cheap stills", "z-image"),
        ("upscale", "enlarging pictures", "recraft/crisp-upscale"),
        ("background removal", "removing the background", "recraft/remove-background"),
        ("native 16:9", "native 16:9 stills", "nano-banana-2"),
        ("editing", "editing", "flux1-kontext"),
        ("lip sync", "a talking face", "infinitalk/from-audio"),
        ("sound effects", "sound effects", "ai-music-api/sounds"),
        ("clips with an end frame", "clips with an end frame", "kling-3.0/video"),
    ],
)
def test_a_wish_in_words_leads_to_models(
    capsys: pytest.CaptureFixture[str], wish: str, intent: str, first: str
) -> None:
    found = listed(capsys, "--suggest", wish)

    assert found[0]["intent"] == intent
    assert found[0]["models"][0]["model"] == first


def test_a_wish_that_nobody_foresaw_lists_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--suggest", "world peace")

    assert code == Exit.INVALID
    assert "`text in the image`" in err


def test_what_is_suggested_is_current_and_does_what_it_is_suggested_for() -> None:
    found = catalogue.load()
    wanted = {
        "native 16:9 stills": lambda m: "16:9" in (m.fields["aspect_ratio"].values or m.properties[m.fields["aspect_ratio"].name]["enum"]),
        "clips with an end frame": lambda m: "end_frame" in m.roles,
        "clips from a picture": lambda m: "start_frame" in m.roles,
        "painting into a masked place": lambda m: "mask" in m.roles,
        "editing": lambda m: "source" in m.roles,
        "a voice": lambda m: "voice" in m.fields,
        "a talking face": lambda m: "audio" in m.roles["references"],
    }  # fmt: skip
    for intent in catalogue.intents():
        for model_id in intent.models:
            model = found.get(model_id)
            assert model is not None, model_id
            assert model.status == "current", model_id
            assert wanted.get(intent.name, lambda m: True)(model), (intent.name, model_id)
    cheap = next(i for i in catalogue.intents() if i.name == "cheap stills").models
    prices = [catalogue.price(found.resolve(m), {}).amount for m in cheap]
    assert all(price is not None and price <= 4 for price in prices)


def test_a_users_model_is_marked_as_theirs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mine.yaml").write_text(
        text.split("```yaml\n# models/mine.yaml\n")[1].split("```")[0], encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)

    code, out, _ = run(capsys, "--maker", "someone")

    assert code == 0
    assert "someone/new-model" in out
    assert "yours" in out


def test_the_documentation_names_every_warning_of_the_lint() -> None:
    from kiebatch.catalogue import lint

    text = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")

    assert all(f"| `{code}` | {what} |" in text for code, what in lint.CODES.items())


def test_the_starter_lists_of_the_documentation_are_good_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```yaml\n")[1:] if block.startswith("kiebatch: 1"))
    (tmp_path / "scenes.yaml").write_text(example.split("```")[0], encoding="utf-8")

    code = app.exit_code(["validate", str(tmp_path / "scenes.yaml"), "--json"])

    assert code == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


# --- refresh


def test_a_refresh_finds_nothing_where_the_provider_says_what_the_files_say(
    capsys: pytest.CaptureFixture[str], sim: Sim, tmp_path: Path
) -> None:
    out = tmp_path / "candidate.diff"

    code, said, _ = run(
        capsys, "refresh", "--every", "0", "--output", str(out), "--api-key", sim.key, "--base-url", sim.url
    )

    assert code == 0
    assert "nothing differs" in said
    assert not out.exists()


@pytest.mark.slow
def test_derived_files_are_checked_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "refresh", "--check", "--json")

    assert code == 0
    assert json.loads(out) == {"status": "ok", "files": []}


def provider(**schema: Any) -> dict[str, Any]:
    return {"components": {"schemas": {"Request": {"properties": {"input": {"type": "object", **schema}}}}}}


def test_a_refresh_says_what_came_what_went_and_what_changed() -> None:
    found = catalogue.load()
    z_image = found.resolve("z-image")
    changed = json.loads(json.dumps(z_image.input))
    changed["properties"]["prompt"]["maxLength"] = 2000
    changed["properties"]["aspect_ratio"]["enum"].append("21:9")
    changed["properties"]["seed"] = {"type": "integer"}
    listing = [
        {"model": "z-image", "title": "Z-Image", "taskType": ["Text to Image"]},
        {
            "model": "kling-9/video\x1b[31m",
            "title": "Kling 9",
            "taskType": ["Text to Video"],
            "pricingDesc": "9 credits",
        },
    ]
    prices = [{"anchor": "https://kie.ai/market?model=z-image", "creditPrice": "0.9"}]

    answers = Answers(listed=listing, schemas={"z-image": provider(**changed)}, prices=prices)
    candidate = refresh.compare(found, answers, today="2026-11-21")

    by_kind = {(c.model, c.kind): c for c in candidate.changes if c.kind != "gone"}
    assert set(by_kind) == {("z-image", "input"), ("z-image", "price"), ("kling-9/video [31m", "new")}
    assert "new field `seed`" in by_kind["z-image", "input"].words
    assert "`prompt`: maxLength was 1000, is 2000" in by_kind["z-image", "input"].words
    assert "+      maxLength: 2000" in by_kind["z-image", "input"].diff
    assert "credits 0.9 are new in the price list" in by_kind["z-image", "price"].words
    assert "+  modality: video" in by_kind["kling-9/video [31m", "new"].diff
    gone = {c.model for c in candidate.changes if c.kind == "gone"}
    assert "nano-banana-2" in gone
    assert "veo3" not in gone, "what does not go through createTask is not in that listing"
    assert "\x1b" not in candidate.text


def test_a_refresh_of_some_models_calls_nothing_gone() -> None:
    candidate = refresh.compare(catalogue.load(), Answers(listed=[], whole=False), today="2026-11-21")

    assert candidate.changes == ()


def test_a_plan_says_which_model_has_no_known_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "scenes.yaml"
    film.write_text(
        'kiebatch: 1\nscenes:\n  - {id: 1, model: topaz/video-upscale, source: "https://example.com/1.mp4"}\n'
        "  - {id: 2, model: nano-banana-2, prompt: a gull}\n",
        encoding="utf-8",
    )

    assert app.exit_code(["plan", str(film)]) == 0
    assert "by model: topaz/video-upscale ?, nano-banana-2 8" in capsys.readouterr().out


def test_a_family_of_older_forms_alone_says_how_to_list_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--family", "veo")

    assert code == 0
    assert "--all lists them" in out
