"""How a simulator behaves: every choice that the protocol leaves open, as one frozen object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, Self

from kiebatch.model import JSON

KEY = "simulated-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Faithful by default; times are real seconds unless `speed` shortens them.

    - `key`: the only Bearer key taken; `seed`: of everything that is drawn by lot
    - `speed`: divides generation times and the fresh-task window (1000: a clip of 120 s takes 0.12 s)
    - `starts` in any `window_s`: submissions taken from the account (0: no limit, protocol 2.1)
    - `reads_per_s`: status reads taken (0: no limit)
    - `balance`: credits to begin with; `key_cap`: credits this key may use before code 433
    - `refunds`: failed tasks give their credits back (protocol 2.4)
    - `no_credit_code`: 402, or 500 with the text "Credits insufficient"
    - `real_status`: errors carry their code as HTTP status too; else HTTP 200 (protocol 1.4)
    - `unknown_model_code`, `missing_field_code`: 422 or 404, 500 or 422 (protocol 1.6)
    - `unfetchable`: a wrong input URL fails the task with 451 (`task`) or is refused at once (`submit`)
    - `fresh_s`: how long a new task's record reads as `recordInfo is null` (protocol 3.4);
      `absent_code`: what such a read, or an unknown id, answers: 422 or 404
    - `queuing`: tasks spend their first third in the state `queuing`
    - `extra_keys`: records carry `progress`, `updateTime`, `creditsConsumed` too
    - `paused`: model ids that answer 500 "temporarily paused"
    - `media_url`: the origin that results name (None: `/media` on the host that was asked)
    - `refuse_keys`: the media host answers 400 to a request that carries an Authorization header
    - `result_ttl_s`: how long result links work; `upload_ttl_s`: how long uploads are kept
    - `ranges`: media can be had in parts; `pixels`: scales the width and height of what is drawn
    - `webhook_key`: callbacks are signed with it (protocol 8); `callback_retries`, `callback_wait_s`: as there
    - `model_files`: a project's own model files, known beside the shipped models
    - `instance`: enters the task ids, so that two simulators never share one
    - `unknown_models`: any model id is taken (its kind guessed from its name)
    """

    key: str = KEY
    seed: int = 1
    speed: float = 1.0
    starts: int = 20
    window_s: float = 10.0
    reads_per_s: int = 0
    balance: float = 5916.25
    key_cap: float | None = None
    refunds: bool = True
    no_credit_code: Literal[402, 500] = 402
    real_status: bool = False
    unknown_model_code: Literal[422, 404] = 422
    missing_field_code: Literal[500, 422] = 500
    unfetchable: Literal["task", "submit"] = "task"
    fresh_s: float = 0.0
    absent_code: Literal[422, 404] = 422
    queuing: bool = False
    extra_keys: bool = False
    paused: tuple[str, ...] = ()
    media_url: str | None = None
    refuse_keys: bool = True
    result_ttl_s: float = 14 * 86400.0
    upload_ttl_s: float = 86400.0
    ranges: bool = True
    pixels: float = 1.0
    webhook_key: str = ""
    callback_wait_s: float = 15.0
    callback_retries: int = 3
    unknown_models: bool = False
    model_files: tuple[str, ...] = ()
    instance: str = ""

    @classmethod
    def quick(cls, **changes: JSON) -> Self:
        """Return settings for drafts: clips in a fraction of a second, no account limits, credits without end."""
        quick = cls(speed=400.0, starts=0, balance=1_000_000.0, unknown_models=True)
        return quick.changed(changes)

    @classmethod
    def from_json(cls, values: Mapping[str, JSON]) -> Self:
        """Return the settings that `dataclasses.asdict` and JSON made of some; TypeError for a key that none has."""
        make: Callable[..., Self] = cls
        return make(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})

    def changed(self, values: Mapping[str, JSON]) -> Self:
        """Return these settings with some changed; TypeError for a key that none has."""
        return self.from_json({**asdict(self), **values})
