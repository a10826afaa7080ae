"""The catalogue: its files, its names, its prices, and a user's own entries."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kiebatch import catalogue, formats
from kiebatch.catalogue import Catalogue, Model, UnknownModel, generate
from kiebatch.catalogue.conditions import concerned
from kiebatch.catalogue.media_limits import limits_of
from kiebatch.catalogue.reading import head, models_in
from kiebatch.errors import Invalid
from kiebatch.model import JSON, MediaFacts
from kiebatch.provider.families import get as family

# --- the files


def test_every_model_of_the_api_is_in_the_catalogue(shipped: Catalogue) -> None:
    counted = Counter((m.modality, m.status) for m in shipped.all())

    assert len(shipped.all()) == 232
    assert counted == {
        ("image", "current"): 65,
        ("image", "superseded"): 3,
        ("image", "withdrawn"): 2,
        ("video", "current"): 84,
        ("video", "superseded"): 14,
        ("video", "withdrawn"): 8,
        ("audio", "current"): 32,
        ("audio", "superseded"): 24,
    }


def test_the_schema_of_the_model_files_is_itself_sound() -> None:
    Draft202012Validator.check_schema(formats.load("model"))


@pytest.mark.parametrize(
    "path", sorted((catalogue.DATA / "models").glob("*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_model_file_follows_its_schema(path: Path) -> None:
    data = catalogue.read_yaml(path)

    assert [e.message for e in Draft202012Validator(formats.load("model")).iter_errors(data)] == []
    assert {entry["modality"] for entry in models_in(path)["models"]} == {path.parent.name}


def named_by(m: Model) -> set[str]:
    """Return every field of its own that an entry names."""
    found = {*m.fill, *m.input.get("required", ()), *(target.name for target in m.fields.values())}
    found = found.union(*(fields.values() for fields in m.roles.values()), *m.sets.values())
    found = found.union(*(row.get("when", {}) for row in m.prices))
    for rule in m.constraints:
        found = found.union(concerned(rule), *rule.get("groups", ()))
    return found


def test_what_an_entry_names_is_there(shipped: Catalogue) -> None:
    ids = {m.id for m in shipped.all()}
    for m in shipped.all():
        assert named_by(m) - set(m.properties) == set(), m.id
        assert {m.superseded_by or m.id, *m.follows} <= ids, m.id


@pytest.mark.slow
def test_every_input_is_a_sound_schema(shipped: Catalogue) -> None:
    for m in shipped.all():
        Draft202012Validator.check_schema(m.input)


def test_a_role_leads_to_a_field_for_that_kind_of_medium(shipped: Catalogue) -> None:
    for m in shipped.all():
        for role, fields in m.roles.items():
            for kind, name in fields.items():
                noted = limits_of(m, name)
                assert (kind == "task") == (not noted), (m.id, role)
                assert not noted or noted["kind"] == kind or kind in noted["kind"], (m.id, role)


def test_defaults_and_fillings_are_values_that_the_field_takes(shipped: Catalogue) -> None:
    for m in shipped.all():
        for name, value in (*m.defaults.items(), *m.fill.items()):
            assert Draft202012Validator(m.properties[name]).is_valid(value), (m.id, name, value)


def test_every_source_key_is_explained_in_the_head_file(shipped: Catalogue) -> None:
    known = head()["sources"]
    for m in shipped.all():
        for source in (*m.sources, *(row["source"] for row in m.prices)):
            is_address = source.startswith("https://") or "/" in source
            assert is_address or any(source.startswith(key) for key in known), (m.id, source)


def test_a_model_that_can_be_used_has_an_endpoint_that_a_family_speaks(shipped: Catalogue) -> None:
    for m in shipped.all():
        if m.status != "withdrawn":
            assert family(m.family, m.endpoint).path == m.endpoint, m.id


def test_nothing_derived_from_the_files_has_drifted() -> None:
    assert generate.drifted() == [], "run python -m kiebatch.catalogue.generate"


def test_importing_and_finding_one_model_reads_one_file() -> None:
    code = (
        "from kiebatch import catalogue\n"
        "from kiebatch.catalogue import reading\n"
        "read = []\n"
        "real = reading.read_yaml\n"
        "reading.read_yaml = lambda path: read.append(path.name) or real(path)\n"
        "found = catalogue.load()\n"
        "assert read == []\n"
        "assert found.resolve('nano-banana-2').id == 'nano-banana-2'\n"
        "print(read)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "['google.yaml']"


# --- names


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("nano-banana-2", "nano-banana-2"),
        ("flux2/pro-text-to-image", "flux-2/pro-text-to-image"),
        ("google/imagen-4", "google/imagen4"),
        ("google/imagen-4-ultra", "google/imagen4-ultra"),
        ("seedream/4-5-edit", "seedream/4.5-edit"),
        ("google/nano-banana-pro", "nano-banana-pro"),
        ("z-image/z-image", "z-image"),
        ("wan-2.7-image", "wan/2-7-image"),
        ("4o Image", "4o-image-api"),
        ("4o-image", "4o-image-api"),
        ("gpt4o-image", "gpt4o-image"),
        ("Veo 3.1 Fast", "veo3_fast"),
        ("veo 3.1", "veo-3-1"),
        ("Flux Kontext Max", "flux-kontext-max"),
        ("Flux Kontext", "flux1-kontext"),
        ("Nano Banana 2", "nano-banana-2"),
        ("Gemini 3.1 Flash Image", "nano-banana-2"),
        ("kling-3.0", "kling-3.0/video"),
        ("Suno music", "ai-music-api/generate"),
    ],
)
def test_ids_old_spellings_and_display_names_lead_to_the_model(
    shipped: Catalogue, name: str, model: str
) -> None:
    assert shipped.resolve(name).id == model


def test_an_ambiguous_display_name_lists_the_choices(shipped: Catalogue) -> None:
    with pytest.raises(UnknownModel) as caught:
        shipped.resolve("Seedream 4.5")

    assert caught.value.choices == ("seedream/4.5-text-to-image", "seedream/4.5-edit")
    assert "`seedream/4.5-edit`" in caught.value.hint


def test_an_alias_stays_with_the_model_that_the_manifest_names(shipped: Catalogue) -> None:
    assert shipped.resolve("4o-image").id == "4o-image-api"
    assert shipped.resolve("4o-image", keep="gpt4o-image").id == "gpt4o-image"
    assert shipped.resolve("4o-image", keep="nano-banana-2").id == "4o-image-api"
    assert shipped.resolve("Seedream 4.5", keep="seedream/4.5-edit").id == "seedream/4.5-edit"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nano-bananna-2", "unknown model", "nano-banana-2"),
        ("sora-2-text-to-video", "withdrawn", "veo-3-1"),
        ("midjourney", "withdrawn", ""),
        ("Midjourney v7", "withdrawn", ""),
        ("Sora 2", "withdrawn", "veo-3-1"),
        ("gpt-4o", "unknown model", "`4o-image-api`"),
        ("Kling 2.6", "unknown model", "`kling-2.6/text-to-video`"),
        ("Flux 2 Pro", "unknown model", "`flux-2/pro-text-to-image`"),
        ("dall-e-3", "unknown model", "`kiebatch models` lists them"),
        ("claude-opus-5", "chat model", "pictures, clips and sound"),
        ("gemini-2.5-flash", "chat model", "pictures, clips and sound"),
        ("POST /api/v1/gpt4o-image/generate", "address of the API", "`4o-image-api`"),
        ("/api/v1/flux/kontext/generate", "address of the API", "`flux1-kontext`"),
        ("https://api.kie.ai/api/v1/google/imagen-4", "address of the API", "`google/imagen4`"),
        ("/api/v1/ideogram/character", "address of the API", "`ideogram/character`"),
        ("/api/v2/jobs/createTask", "not a model", "no version 2"),
        ("", "unknown model", ""),
    ],
)
def test_what_is_no_model_is_said_with_what_is_right_today(
    shipped: Catalogue, name: str, message: str, hint: str
) -> None:
    with pytest.raises(UnknownModel) as caught:
        shipped.resolve(name)

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_withdrawn_model_can_still_be_read_from_a_manifest(shipped: Catalogue) -> None:
    assert shipped.get("sora-2-text-to-video") is not None
    assert shipped.resolve("sora-2-text-to-video", keep="sora-2-text-to-video").status == "withdrawn"


def test_a_model_of_another_modality_is_refused_where_one_is_wanted(shipped: Catalogue) -> None:
    with pytest.raises(UnknownModel, match="makes clips, and this wants sound"):
        shipped.resolve("veo-3-1", modality="audio")


def test_an_old_spelling_of_an_id_is_named_with_the_one_of_today(shipped: Catalogue) -> None:
    def note(name: str) -> str:
        return shipped.spelling_note(name, shipped.resolve(name))

    assert (
        note("flux2/pro-text-to-image")
        == "`flux2/pro-text-to-image` is called `flux-2/pro-text-to-image` today"
    )
    assert note("google/imagen-4") == "`google/imagen-4` is called `google/imagen4` today"
    assert note("google/imagen4") == note("Veo 3.1 Fast") == note("kling-3.0") == ""


def test_no_two_models_share_a_spelling_of_their_ids(shipped: Catalogue) -> None:
    counted = Counter(catalogue.squash(m.id) for m in shipped.all())

    assert [name for name, n in counted.items() if n > 1] == []


# --- prices

PRICES = [
    # model, what is sent, credits, kind
    ("nano-banana-2", {"prompt": "x"}, 8, "exact"),
    ("nano-banana-2", {"prompt": "x", "resolution": "4K"}, 18, "exact"),
    ("gpt-image/1.5-text-to-image", {"quality": "high"}, 22, "exact"),
    ("z-image", {}, 0.8, "exact"),
    ("kling-3.0/video", {"duration": "5", "mode": "pro", "sound": True}, 135, "exact"),
    ("kling-2.6/text-to-video", {"duration": "10", "sound": True}, 220, "exact"),
    ("bytedance/seedance-2", {"duration": 5}, 205, "exact"),
    ("bytedance/seedance-2", {"duration": -1}, 615, "bound"),
    ("bytedance/seedance-2-5", {"duration": 5, "resolution": "1080p"}, 790, "exact"),
    (
        "wan/3-0-video",
        {"duration": 5, "resolution": "720P"},
        80,
        "exact",
    ),  # settled by a bill
    ("qwen/image-edit", {"image_size": "square"}, 6, "bound"),  # 5 credits, but 0.03 USD
    ("veo3", {"resolution": "4k"}, 370, "estimate"),  # nobody compared it with a bill
    ("veo-3-1", {}, 250, "bound"),  # the tier is left open
    ("veo-3-1", {"model": "veo3_lite"}, 30, "estimate"),
    ("flux1-kontext", {}, 10, "bound"),
    ("wan/2-7-image", {}, 19.2, "exact"),  # four pictures unless told otherwise
    ("wan/2-7-image", {"n": 1}, 4.8, "exact"),
    ("wan/2-7-image", {"enable_sequential": True}, 57.6, "exact"),
    ("bytedance/seedream-v4-text-to-image", {"max_images": 3}, 15, "bound"),
    ("ideogram/v3-remix", {"num_images": "3", "rendering_speed": "TURBO"}, 10.5, "exact"),
    ("grok-imagine/text-to-image", {"enable_pro": True}, 5, "exact"),
    ("seedream/5-pro-image-to-image", {"image_urls": ["a", "b", "c"], "quality": "basic"}, 8, "exact"),
    ("qwen3/image-to-image", {"image_urls": ["a", "b"]}, 5.8, "estimate"),
    (
        "minimax-h3/reference-to-video",
        {"duration": 5, "resolution": "2K", "reference_image_urls": ["a"] * 7},
        73,
        "exact",
    ),
    ("elevenlabs/text-to-speech-multilingual-v2", {"text": "x" * 1001}, 24, "bound"),
    ("ai-music-api/generate", {}, 12, "exact"),
    ("gpt-image-2-5-flare-text-to-image", {}, 16, "bound"),  # nothing says what it makes without a resolution
    ("grok-imagine/upscale", {"resolution": "1080p"}, 30, "bound"),
    ("grok-imagine/image-to-video", {"resolution": "480p"}, 72, "bound"),
    ("kling-2.6/motion-control", {"mode": "720p", "video_urls": ["a"]}, 330, "bound"),
    ("google/gemini-3-1-flash-tts", {}, None, "unknown"),
    ("seedream/5-pro-layer-decomposition", {"image_url": "a"}, None, "unknown"),
    ("grok-imagine-video-1-5-preview", {"resolution": "1080p", "duration": 5}, None, "unknown"),
    ("omnihuman-1-5/subject-detection", {"image_url": "a"}, None, "unknown"),
    ("bytedance/v1-lite-text-to-video", {}, 22.5, "bound"),  # one account's table, not the price list
]


@pytest.mark.parametrize(("model", "sent", "credits", "kind"), PRICES)
def test_prices_follow_options_count_and_length(
    shipped: Catalogue, model: str, sent: dict[str, JSON], credits: float | None, kind: str
) -> None:
    found = catalogue.price(shipped.resolve(model), sent)

    assert (found.amount, found.kind) == (credits, kind)
    assert found.kind == "unknown" or found.as_of


def clip(seconds: float) -> MediaFacts:
    return MediaFacts(kind="video", media_type="video/mp4", extension=".mp4", duration_s=seconds)


def test_what_is_known_of_given_clips_makes_a_bound_exact(shipped: Catalogue) -> None:
    motion = shipped.resolve("kling-2.6/motion-control")
    seedance = shipped.resolve("bytedance/seedance-2")

    by_length = catalogue.price(motion, {"mode": "720p", "video_urls": ["a"]}, media={"a": clip(6)})
    given = catalogue.price(seedance, {"duration": 5, "reference_video_urls": ["a"]}, media={"a": clip(10)})

    assert (by_length.amount, by_length.kind) == (66, "estimate")
    assert (given.amount, given.kind) == (375, "exact")  # 25 a second, of what goes in and what comes out


def test_the_price_of_an_enlargement_goes_by_what_comes_out(shipped: Catalogue) -> None:
    topaz = shipped.resolve("topaz/image-upscale")
    small = MediaFacts(kind="image", media_type="image/png", extension=".png", width=900, height=600)

    assert catalogue.price(topaz, {"image_url": "a", "upscale_factor": "2"}).amount == 40
    assert catalogue.price(topaz, {"image_url": "a", "upscale_factor": "2"}, media={"a": small}).amount == 10


def test_every_living_model_with_prices_can_be_priced_or_says_why_not(shipped: Catalogue) -> None:
    for m in shipped.all():
        for row in m.prices:
            sent = {
                **m.fill,
                **{k: (v[0] if isinstance(v, list) else v) for k, v in row.get("when", {}).items()},
            }
            sent = {k: v for k, v in sent.items() if v != "absent"}
            for name, value in sent.items():
                if value != "given":
                    assert Draft202012Validator(m.properties[name]).is_valid(value), (m.id, name, value)


# --- a user's own entries

OWN = """
maker: Someone
models:
  - id: {id}
    title: My model
    modality: image
    task: text-to-image
    family: jobs
    endpoint: /api/v1/jobs/createTask
    status: current
    aliases: [mine]
    input:
      type: object
      required: [prompt]
      properties:
        prompt: {{type: string, maxLength: 20}}
        aspect_ratio: {{type: string, enum: [16:9, 1:1]}}
      additionalProperties: false
    outputs: {{count: 1}}
    prices:
      - {{per: output, credits: {credits}, as_of: 2026-11, source: my own list}}
    sources: [my own list]
    as_of: 2026-11-20
    confidence: low
"""


def test_a_file_in_the_project_adds_a_model_and_says_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN.format(id="someone/model", credits=3))

    found = catalogue.load([tmp_path, tmp_path / "nothing-here"]).resolve("mine")

    assert (found.id, found.origin) == ("someone/model", str(tmp_path / "mine.yaml"))
    assert found.properties["aspect_ratio"]["enum"] == ["16:9", "1:1"], "YAML 1.2, as in a scene file"
    assert catalogue.price(found, {"prompt": "x"}).amount == 3


def test_a_users_entry_goes_over_the_shipped_one_and_a_cap_reserves_the_higher_price(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN.format(id="nano-banana-2", credits=0.01))
    mine = catalogue.load([tmp_path])

    found = mine.resolve("nano-banana-2")

    assert found.title == "My model"
    price = catalogue.price(found, {"prompt": "x"})
    assert (price.amount, price.reserved) == (0.01, 8)
    assert len(mine.all()) == len(catalogue.load().all())


def test_a_users_entry_for_an_endpoint_of_its_own_reserves_what_the_dearest_there_costs(
    tmp_path: Path,
) -> None:
    text = OWN.format(id="my-veo", credits=1).replace("family: jobs", "family: veo")
    (tmp_path / "mine.yaml").write_text(text.replace("/api/v1/jobs/createTask", "/api/v1/veo/generate"))

    found = catalogue.load([tmp_path]).resolve("my-veo")

    price = catalogue.price(found, {"prompt": "x"})
    assert (price.amount, price.reserved) == (1, 250), "its body may name any of the models there"


def test_a_users_entry_may_be_dearer(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN.format(id="nano-banana-2", credits=50))

    assert catalogue.price(catalogue.load([tmp_path]).resolve("nano-banana-2"), {"prompt": "x"}).amount == 50


@pytest.mark.parametrize(
    "endpoint",
    ["https://evil.example/api/v1/jobs/createTask", "//evil.example/x", "/api/v1/../x", "/elsewhere"],
)
def test_a_users_entry_names_no_host_and_no_place_outside_the_api(tmp_path: Path, endpoint: str) -> None:
    text = OWN.format(id="someone/model", credits=3).replace("/api/v1/jobs/createTask", endpoint)
    (tmp_path / "mine.yaml").write_text(text)

    with pytest.raises(Invalid) as caught:
        catalogue.load([tmp_path])

    assert "endpoint" in caught.value.problems[0].message
    assert caught.value.problems[0].where.file == str(tmp_path / "mine.yaml")


def test_data_files_have_the_scalars_of_scene_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "[16:9, no, on, 007, 0x1F, 2026-10-08, 1_000, 12, -3, 0.5, 1e3, true, null, ~]"
    )

    assert catalogue.read_yaml(tmp_path / "a.yaml") == [
        *("16:9", "no", "on", "007", 31, "2026-10-08", "1_000"),
        *(12, -3, 0.5, 1000.0, True, None, None),
    ]


def test_a_broken_file_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("models: [\n")

    with pytest.raises(Invalid) as caught:
        catalogue.load([tmp_path])

    assert caught.value.problems[0].where.line > 0


def test_a_file_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "mine.yaml").write_text("\n".join(lines))

    with pytest.raises(Invalid, match="too large"):
        catalogue.load([tmp_path])


def test_a_model_that_nobody_knows_takes_everything_and_has_no_price() -> None:
    found = catalogue.unknown("new/model", "video")

    assert found.validator.is_valid({"anything": 1})
    assert catalogue.price(found, {"anything": 1}).kind == "unknown"
    assert not found.known


def test_no_model_disappears_without_a_word(golden: Callable[[str, str], None]) -> None:
    """Every model that was ever shipped is still known: as current, superseded or withdrawn."""
    golden("models.txt", "".join(f"{m.modality} {m.id} {m.status}\n" for m in catalogue.load().all()))


def test_a_closed_model_has_a_last_day_or_says_why_not_and_its_successor_is_current(
    shipped: Catalogue,
) -> None:
    for model in shipped.all():
        if model.superseded_by:
            newer = shipped.get(model.superseded_by)
            assert newer is not None, model.id
            assert newer.status == "current", model.id
        if model.migration:
            assert model.migration.get("source"), model.id
