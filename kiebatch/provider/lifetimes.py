"""How long things live at the provider: one table, each fact with its source and date.

Where two newer independent sources disagree with an older one, they are followed.  What we rely on is always shorter
than what was promised, since nothing tells us when the promise changes.
"""

from __future__ import annotations

from kiebatch._dataclass import dataclass

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long one kind of thing is kept (`kept_s`), and how long we rely on it (`relied_on_s`), in seconds."""

    what: str
    kept_s: float
    relied_on_s: float
    source: str
    as_of: str


UPLOAD = Lifetime(
    what="an uploaded file",
    kept_s=24 * HOUR_S,
    relied_on_s=20 * HOUR_S,
    source="kie.ai's own agent skill `kie-models`, an audit and two clients; docs up to spring 2026 said 3 days",
    as_of="2026-10-07",
)
RESULT = Lifetime(
    what="a result",
    kept_s=14 * DAY_S,
    relied_on_s=14 * DAY_S,  # only tells for how long asking is worth it; a failed attempt costs nothing
    source="docs.kie.ai, confirmed by the audit of 2026-10",
    as_of="2026-10-07",
)
RESULT_LINK = Lifetime(
    what="the link of a result in a task's record",
    kept_s=24 * HOUR_S,
    relied_on_s=10 * MINUTE_S,
    source="docs.kie.ai say 24 hours; one field note says 10 minutes",
    as_of="2026-10-01",
)
FRESH_LINK = Lifetime(
    what="a link from `common/download-url`",
    kept_s=20 * MINUTE_S,
    relied_on_s=20 * MINUTE_S,  # used at once, never kept
    source="docs.kie.ai; `X-Amz-Expires=1200` in recordings",
    as_of="2026-04-30",
)
RECORD = Lifetime(
    what="a task's record",
    kept_s=60 * DAY_S,
    relied_on_s=14 * DAY_S,  # the helpers of Veo and 4o refuse records that are older
    source="docs.kie.ai",
    as_of="2026-08-19",
)

TABLE = (UPLOAD, RESULT, RESULT_LINK, FRESH_LINK, RECORD)
