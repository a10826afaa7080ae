"""Prices have a first and a last day, are rounded up, and say how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
import yaml

from kiebatch import catalogue, formats
from kiebatch.catalogue import Catalogue, Model, Schema
from kiebatch.catalogue.shapes import Entry, PriceRow
from kiebatch.model import JSON, MediaFacts, Price, as_form
from support.places import GOLDEN

BEFORE, AFTER = datetime(2026, 10, 7, 5, 59, tzinfo=UTC), datetime(2026, 10, 7, 6, 1, tzinfo=UTC)


def sound(seconds: float) -> MediaFacts:
    return MediaFacts(kind="audio", media_type="audio/mpeg", extension=".mp3", duration_s=seconds)


def clip(seconds: float) -> MediaFacts:
    return MediaFacts(kind="video", media_type="video/mp4", extension=".mp4", duration_s=seconds)


def priced(*rows: Mapping[str, JSON]) -> Model:
    """Return a model that costs what the rows say."""
    return Model(
        id="m",
        title="M",
        modality="image",
        task="text-to-image",
        input=Schema(type="object", properties={}),
        prices=tuple(
            as_form(PriceRow, {"per": "job", "as_of": "2026-11", "source": "x", **row}) for row in rows
        ),
        raw=Entry(id="m"),
    )


def what(price: Price) -> tuple[float | None, str]:
    return price.amount, price.kind


@pytest.mark.parametrize(
    ("model", "resolution", "promoted", "regular"),
    [
        ("bytedance/seedance-2-mini", "480p", 19, 47.5),
        ("bytedance/seedance-2-mini", "720p", 41, 102.5),
        ("bytedance/seedance-2-fast", "480p", 58.5, 77.5),
        ("bytedance/seedance-2-fast", "720p", 124, 165),
    ],
)
def test_a_promotion_ends_on_its_last_day(
    shipped: Catalogue, model: str, resolution: str, promoted: float, regular: float
) -> None:
    sent: dict[str, JSON] = {"duration": 5, "resolution": resolution}

    during = catalogue.price(shipped.resolve(model), sent, at=BEFORE)
    after = catalogue.price(shipped.resolve(model), sent, at=AFTER)

    assert what(during) == (promoted, "exact")
    assert during.until == "2026-10-07T06:00:00Z"
    assert what(after) == (regular, "bound")
    assert "ended on 2026-10-07" in after.note


def test_a_day_alone_counts_to_its_end_in_utc() -> None:
    model = priced({"credits": 4, "until": "2026-12-31"}, {"credits": 8})

    def at(day: int, hour: int) -> float | None:
        return catalogue.price(
            model, {}, at=datetime(2026, 12, 31, hour, 59, tzinfo=UTC).replace(day=day)
        ).amount

    assert at(31, 23) == 4
    assert catalogue.price(model, {}, at=datetime(2027, 1, 1, tzinfo=UTC)).amount == 8


def test_a_price_that_ended_with_nothing_after_it_is_unknown() -> None:
    price = catalogue.price(priced({"credits": 4, "until": "2026-01-31"}), {}, at=AFTER)

    assert what(price) == (None, "unknown")
    assert price.note == "the price of 4 credits ended on 2026-01-31"


def test_exact_means_seen_billed() -> None:
    assert what(catalogue.price(priced({"credits": 4}), {})) == (4, "estimate")
    assert what(catalogue.price(priced({"credits": 4, "confirmed": "listing-2026-10-01"}), {})) == (
        4,
        "exact",
    )


def test_only_a_bill_makes_a_price_authoritative() -> None:
    assert not catalogue.price(priced({"credits": 4, "confirmed": "listing-2026-10-01"}), {}).authoritative
    assert catalogue.price(priced({"credits": 4, "confirmed": "bills-2026-09"}), {}).authoritative


@pytest.mark.parametrize(("seconds", "standard", "pro"), [(5.04, 48, 96), (60, 480, 960), (300, 2400, 4800)])
def test_the_whole_sound_of_an_avatar_is_priced_by_whole_seconds(
    shipped: Catalogue, seconds: float, standard: float, pro: float
) -> None:
    sent = {"audio_url": "a", "image_url": "b", "prompt": "x"}

    for model, credits in (("kling/ai-avatar-standard", standard), ("kling/ai-avatar-pro", pro)):
        price = catalogue.price(shipped.resolve(model), sent, media={"a": sound(seconds)})
        assert what(price) == (credits, "exact")
        assert price.authoritative


def test_a_sound_of_unknown_length_is_priced_as_the_longest(shipped: Catalogue) -> None:
    price = catalogue.price(shipped.resolve("kling/ai-avatar-pro"), {"audio_url": "https://a.example/a.mp3"})

    assert what(price) == (4800, "bound")


@pytest.mark.parametrize(
    "model",
    ["omnihuman-1-5", "happyhorse/video-edit", "volcengine/video-to-video-lip-sync", "topaz/video-upscale"],
)
def test_given_seconds_are_rounded_up_and_a_bound_where_the_rounding_is_not_known(
    shipped: Catalogue, model: str
) -> None:
    found = shipped.resolve(model)
    fields = (found.outputs.get("seconds") or {}).get("media") or []
    sent = {name: f"{name}.x" for name in fields}

    broken = catalogue.price(found, sent, media={ref: clip(4.2) for ref in sent.values()})
    whole = catalogue.price(found, sent, media={ref: clip(5) for ref in sent.values()})

    assert broken.kind == "bound"
    assert broken.amount == whole.amount


def test_a_video_edit_is_billed_for_what_goes_in_and_what_comes_out(shipped: Catalogue) -> None:
    sent = {"video_url": "a", "resolution": "720p", "prompt": "x"}

    price = catalogue.price(shipped.resolve("happyhorse/video-edit"), sent, media={"a": clip(4.2)})

    assert what(price) == (28 * (5 + 5), "bound")


def test_a_size_that_is_a_list_has_no_price_and_ends_nothing(shipped: Catalogue) -> None:
    price = catalogue.price(shipped.resolve("qwen/text-to-image"), {"image_size": ["square"]})

    assert what(price) == (None, "unknown")


def test_a_short_reference_video_counts_for_five_seconds(shipped: Catalogue) -> None:
    sent: dict[str, JSON] = {"duration": 4, "resolution": "480p", "reference_video_urls": ["a"]}

    price = catalogue.price(
        shipped.resolve("bytedance/seedance-2-mini"), sent, media={"a": clip(3)}, at=AFTER
    )

    assert what(price) == (6 * (5 + 4), "bound")


def test_a_tier_that_is_named_sets_the_price(shipped: Catalogue) -> None:
    veo = shipped.resolve("veo-3-1")

    tiers = {t: catalogue.price(veo, {"model": t}).amount for t in ("veo3_fast", "veo3", "veo3_lite")}

    assert tiers == {"veo3_fast": 60, "veo3": 250, "veo3_lite": 30}
    assert what(catalogue.price(veo, {})) == (250, "bound")


# --- the golden table


# model, input, seconds of media, credits, kind, source
Row = tuple[str, dict[str, JSON], dict[str, float], float | None, str, str]
GOLDEN_PRICES: list[Row] = yaml.load(
    (GOLDEN / "prices.yaml").read_text(encoding="utf-8"), Loader=formats.yaml_loader()
)
DAY_OF_THE_TABLE = datetime(2026, 11, 27, tzinfo=UTC)


def lasting(seconds: float) -> MediaFacts:
    return MediaFacts(
        kind="video", media_type="video/mp4", extension=".mp4", width=1024, height=1024, duration_s=seconds
    )


@pytest.mark.parametrize("row", GOLDEN_PRICES, ids=lambda row: f"{row[0]} {row[1]}"[:70])
def test_every_price_is_the_one_of_the_table(shipped: Catalogue, row: Row) -> None:
    model, sent, seconds, credits, kind, _ = row
    media = {ref: lasting(length) for ref, length in seconds.items()}

    assert what(catalogue.price(shipped.resolve(model), sent, media=media, at=DAY_OF_THE_TABLE)) == (
        credits,
        kind,
    )


def test_the_table_has_at_least_130_cases_each_with_a_source() -> None:
    assert len(GOLDEN_PRICES) >= 130
    assert all(row[5] for row in GOLDEN_PRICES)
