"""Assets as the journal and the stores keep them: every field by its name."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch.model import JSON, Asset, Row, as_list


def asset_to(asset: Asset) -> dict[str, JSON]:
    """Return an asset as a JSON object."""
    return {name: getattr(asset, name) for name in Asset.__dataclass_fields__ if name != "made_from"} | {
        "made_from": list(asset.made_from)
    }


# What a row of an older version lacks.  What names the asset is in each.
_USUAL = asset_to(Asset(id="", type="", filename=""))
for _name in ("id", "type", "filename"):
    del _USUAL[_name]


def asset_from(written: Mapping[str, JSON]) -> Asset:
    """Return the asset of a JSON object; what a later version added is left out.

    `KeyError` or `TypeError` where it is not an asset.
    """
    row = Row({**_USUAL, **written})
    return Asset(
        id=row.text("id"),
        type=row.text("type"),
        filename=row.text("filename"),
        prompt=row.text("prompt"),
        model=row.text("model"),
        parameters=row.mapping("parameters"),
        created_at=row.text("created_at"),
        scene_id=row.id_or_none("scene_id"),
        version=row.whole("version"),
        superseded_by=row.text_or_none("superseded_by"),
        shot=row.id_or_none("shot"),
        take=row.whole("take"),
        output=row.whole("output"),
        task_id=row.text_or_none("task_id"),
        fingerprint=row.text_or_none("fingerprint"),
        sha256=row.text_or_none("sha256"),
        bytes=row.whole_or_none("bytes"),
        media_type=row.text_or_none("media_type"),
        width=row.whole_or_none("width"),
        height=row.whole_or_none("height"),
        duration=row.number_or_none("duration"),
        credits=row.number_or_none("credits"),
        draft=row.flag("draft"),
        made_from=tuple(str(id) for id in as_list(row.values["made_from"])),
        extra=row.mapping("extra"),
    )
