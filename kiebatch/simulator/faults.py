"""Trouble on request: single faults at a known call, and storms that strike by lot."""

from __future__ import annotations

import fnmatch
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

from kiebatch.errors import Invalid
from kiebatch.model import JSON

OPERATIONS = ("submit", "poll", "credit", "upload", "download", "link", "callback", "chat", "other")
# What happens to a call ...
TRANSPORT = {
    "code": "the body carries this code, with HTTP 200 (value: code, then blank and text)",
    "names-task": "the same, and `data` names the task that was made (with `+after`)",
    "http": "the same with a real HTTP status (value: code)",
    "html": "an HTML page of the proxy (value: HTTP status)",
    "empty": "HTTP 200 and an empty body",
    "garbage": "HTTP 200 and something that is not a JSON object (value: list, number, text, broken)",
    "no-data": "code 200 with `data` null",
    "cut": "the connection is cut without an answer",
    "cut-early": "the connection is cut before the request's body is read",
    "cut-middle": "the connection is cut in the middle of the answer",
    "slow": "the answer comes late (value: seconds)",
    "retry-after": "code 429 with HTTP 429 and a Retry-After header (value: seconds)",
}
# ... to the task that a submission makes ...
TASK = {
    "fail": "the task fails (value: its code, then blank and text)",
    "fail-envelope": "the task fails, told by the envelope's code alone (value: 501 or 408)",
    "stuck": "the task never ends",
    "lasts": "the task takes this long (value: seconds, not scaled)",
    "fresh": "its record is null for so long (value: seconds, not scaled)",
    "state": "while it runs its state reads so (value: word)",
    "no-output": "success without a URL (value: text, null, object or list: the kind of emptiness)",
    "object": "resultJson is an object instead of a text",
    "tracks": "resultJson holds a list of tracks under `data` in place of `resultUrls` (Market music)",
    "snake": "result keys in snake_case (4o: `result_urls`)",
    "urls-as-text": "lists of URLs as a text (Veo; value: json or brackets)",
    "top-level": "the results come beside `response` (Veo)",
    "flag-as-text": "flags as numeric texts",
    "callback-exception": "the state at the end is CALLBACK_EXCEPTION (Suno)",
    "outputs": "so many outputs (value: number)",
    "extension": "its result links end in another extension (value: the extension)",
    "costs": "its record says that it cost so many credits (value: a number)",
    "price": "it costs so many credits, whatever the catalogue says (value: a number)",
    "billed": "its credits stay with the provider although it fails",
    "elsewhere": "somebody else spends so many credits of the account (value: a number)",
    "same-id": "the answer names the first task of the account in place of the new one (Market)",
    "other-id": "its record names another task (Market)",
    "links-die": "its result links stop working after so long (value: seconds)",
}
# ... to a download ...
DOWNLOAD = {
    "expired": "403, the link is over",
    "gone": "404",
    "truncate": "the connection ends in the middle of the file",
    "stall": "the file stops in the middle and the rest never comes",
    "wrong-type": "another Content-Type than the bytes have",
    "wrong-medium": "another medium than was asked for (an MP4 for a still, a PNG for a clip)",
    "page": "an HTML page with HTTP 200 in place of the file",
    "no-length": "no Content-Length",
    "redirect": "302 to another address (value: URL)",
}
# ... and to a callback.
CALLBACK = {
    "lost": "the callback is never sent",
    "twice": "the callback is sent twice",
    "late": "the callback comes late (value: seconds)",
    "forged": "the callback's signature is wrong",
}
KINDS = {**TRANSPORT, **TASK, **DOWNLOAD, **CALLBACK}

_TEXT = re.compile(
    r"(?P<on>[a-z/][\w/.-]*)(?:~(?P<model>[^@%=]+))?"
    r"(?:@(?P<nth>\d+)|%(?P<chance>[\d.]+))?(?:x(?P<times>\d+))?"
    r"=(?P<kind>[a-z-]+)(?::(?P<value>[^+]*))?(?P<after>\+after)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of trouble and when it strikes.

    - `on`: the operation, or a path of the API that begins with `/`
    - `nth`: the first call it strikes, counted among matching calls from when it was set.  With `chance`
      (0 to 1) it strikes by lot instead, again and again.  `times`: it strikes so many calls in a row
    - `when`: `before` leaves the call without effect; `after` lets it act, then spoils the answer
    """

    on: str
    kind: str
    value: str = ""
    nth: int = 1
    times: int = 1
    chance: float | None = None
    when: Literal["before", "after"] = "before"
    model: str = "*"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Invalid(f"unknown fault `{self.kind}`", hint="one of: " + ", ".join(KINDS))
        if self.on not in OPERATIONS and not self.on.startswith("/"):
            raise Invalid(
                f"a fault cannot strike `{self.on}`", hint="one of: " + ", ".join(OPERATIONS) + ", or a path"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `WHERE[~MODEL][@NTH or %CHANCE][xTIMES]=KIND[:VALUE][+after]`; `Invalid` when it is none.

        `submit@3=html:502+after`: the third submission makes its task, is charged and answers an HTML page.
        `poll%0.05=code:500`: one status read in twenty fails.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise Invalid(
                f"`{text}` is not a fault", hint="like `submit@3=html:502+after` or `poll%0.05=code:500`"
            )
        part = found.groupdict()
        return cls(
            on=part["on"],
            kind=part["kind"],
            value=part["value"] or "",
            nth=int(part["nth"] or 1),
            times=int(part["times"] or 1),
            chance=float(part["chance"]) if part["chance"] else None,
            when="after" if part["after"] else "before",
            model=part["model"] or "*",
        )

    @classmethod
    def from_json(cls, values: Mapping[str, JSON]) -> Self:
        """Return the fault that `as_json` and JSON made of one; TypeError for a key that none has."""
        make: Callable[..., Self] = cls
        return make(**values)

    def as_json(self) -> dict[str, JSON]:
        return asdict(self)


@dataclass(slots=True)
class _Set:
    """A fault that is set: how many calls it was about, and how many more it strikes in a row."""

    fault: Fault
    calls: int = 0
    strikes_left: int = 0


class Faults:
    """The faults that are set, and how often each was passed by."""

    def __init__(self, seed: int, faults: Iterable[Fault] = ()) -> None:
        self._lot = random.Random(f"faults {seed}")
        self._set: list[_Set] = []
        self.struck: list[tuple[str, Fault]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        self._set.append(_Set(fault))

    def clear(self) -> None:
        self._set.clear()

    @property
    def active(self) -> list[Fault]:
        return [one.fault for one in self._set]

    def strike(
        self, operation: str, path: str, model: str | None, kinds: Sequence[str] | dict[str, str]
    ) -> list[Fault]:
        """Return the faults among `kinds` that strike this call, in the order they were set.

        `model` None means not known yet: faults that name a model wait.
        """
        found = []
        for one in self._set:
            fault = one.fault
            if fault.kind not in kinds or fault.on not in (operation, path):
                continue
            if fault.model != "*" and (model is None or not fnmatch.fnmatchcase(model, fault.model)):
                continue
            if self._strikes(one):
                found.append(fault)
                self.struck.append((path, fault))
        return found

    def _strikes(self, one: _Set) -> bool:
        """Count a call that a fault is about, and return whether it strikes: by chance, or by the number of the call."""
        fault = one.fault
        one.calls += 1
        if fault.chance is None:
            return one.calls in range(fault.nth, fault.nth + fault.times)
        if one.strikes_left == 0 and self._lot.random() < fault.chance:
            one.strikes_left = fault.times
        if one.strikes_left == 0:
            return False
        one.strikes_left -= 1
        return True


# Share of calls, times in a row, and the fault.
_STORM = (
    (0.02, 4, "submit", "code", "429", "before"),
    (0.01, 1, "submit", "html", "502", "before"),
    (0.01, 1, "submit", "html", "520", "after"),
    (0.01, 1, "submit", "cut", "", "before"),
    (0.01, 1, "submit", "cut", "", "after"),
    (0.01, 1, "submit", "code", "500", "before"),
    (0.02, 1, "submit", "slow", "0.2", "before"),
    (0.03, 1, "submit", "fail", "500 Internal error, please try again later.", "before"),
    (0.03, 1, "submit", "fresh", "0.5", "before"),
    (0.005, 1, "submit", "stuck", "", "before"),
    (0.01, 1, "submit", "no-output", "list", "before"),
    (0.02, 1, "submit", "object", "", "before"),
    (0.01, 5, "poll", "code", "429", "before"),
    (0.02, 1, "poll", "code", "500", "before"),
    (0.01, 3, "poll", "html", "502", "before"),
    (0.01, 1, "poll", "empty", "", "before"),
    (0.02, 1, "poll", "cut", "", "before"),
    (0.01, 1, "poll", "no-data", "", "before"),
    (0.01, 1, "poll", "slow", "0.3", "before"),
    (0.03, 1, "upload", "html", "502", "before"),
    (0.02, 1, "upload", "cut", "", "before"),
    (0.02, 1, "download", "gone", "", "before"),
    (0.04, 1, "download", "truncate", "", "before"),
    (0.02, 1, "download", "page", "", "before"),
    (0.03, 1, "download", "html", "503", "before"),
    (0.03, 1, "download", "slow", "0.3", "before"),
    (0.05, 1, "credit", "html", "502", "before"),
)


def storm(strength: float) -> list[Fault]:
    """Return weather of every kind; `strength` 1 spoils roughly one call in six, 0.1 one in sixty."""
    return [
        Fault(
            on=on,
            kind=kind,
            value=value,
            when="after" if when == "after" else "before",
            chance=min(1.0, share * strength),
            times=times,
        )
        for share, times, on, kind, value, when in _STORM
    ]
