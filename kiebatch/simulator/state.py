"""The simulator's state: tasks, the ledger of charges, media, balance and limits.  No I/O, no threads."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Literal
from urllib.parse import unquote, urlsplit

from kiebatch.catalogue import Model
from kiebatch.model import JSON
from kiebatch.simulator import asked, models, times
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.faults import TASK, Fault, Faults
from kiebatch.simulator.settings import Settings
from kiebatch.simulator.wire import TEXTS, Call, Refusal

Phase = Literal["absent", "running", "done", "failed"]
ACCOUNT = "100001"


@dataclass(slots=True, kw_only=True)
class Charge:
    """One accepted submission: what it was and what it cost."""

    task_id: str
    family: str
    model: str
    input: Mapping[str, JSON]
    credits: float
    time: float
    refunded: bool = False

    def as_json(self) -> dict[str, JSON]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, kw_only=True)
class Facts:
    """What its family remembers of a task.  Files are named by their paths on the media host."""

    parent: str = ""  # the id of the task that it goes on from
    number: int = 1  # the track of that task that it is made from
    seconds: float = 0.0  # how long that track is
    cover: str = ""
    origin: str = ""
    last_frame: str = ""
    result: JSON = None  # where it makes words or values, not media
    param: str = ""  # the request, as its record tells it
    personas: list[str] = field(default_factory=list)  # the tracks that have one
    _made: dict[str, dict[int, str]] = field(default_factory=dict)

    def made(self, form: str) -> dict[int, str]:
        """Return the tasks that make another form of its outputs, by the output's number: to read and to add to."""
        return self._made.setdefault(form, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What a family wants of a task that begins."""

    family: str
    operation: str
    outputs: list[Wanted] | None = None  # None means: by the request
    facts: Facts = field(default_factory=Facts)
    error: tuple[str, str] | None = None  # how it is going to end
    at_once: bool = False  # whether it ends now


@dataclass(slots=True, kw_only=True)
class Task:
    """The provider's record of one submission.  Times are seconds of the simulator's clock."""

    id: str
    family: str
    operation: str
    known: Model
    body: Mapping[str, JSON]
    input: Mapping[str, JSON]
    origin: str  # where the submission was sent to
    made_at: float
    visible_at: float
    ends_at: float
    charge: Charge
    outputs: list[Wanted] = field(default_factory=list)
    error: tuple[str, str] | None = None  # code and text, when it is going to fail
    callback: str | None = None
    quirks: dict[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    @property
    def model(self) -> str:
        return self.known.id

    def phase(self, now: float) -> Phase:
        if now < self.visible_at:
            return "absent"
        if now < self.ends_at:
            return "running"
        return "failed" if self.error else "done"

    def progress(self, now: float) -> float:
        """Return the share of its time that has passed, 0 to 1."""
        if math.isinf(self.ends_at):
            return 0.5
        span = self.ends_at - self.made_at
        return 1.0 if span <= 0 else min(1.0, max(0.0, (now - self.made_at) / span))


@dataclass(slots=True, kw_only=True)
class Medium:
    """One file of the media host: an upload's bytes, or a result that is drawn when asked for."""

    media_type: str
    available_at: float
    expires_at: float
    data: bytes | None = None
    wanted: Wanted | None = None


class Simulator:
    """A whole account at a provider that is not there.

    `ledger` holds every charge, in order; `tasks` every task by its id; `media` every file by its path;
    `requests` counts calls by operation, `calls` lists the last ones (time, operation, path).  `key_leaks` lists
    media requests that carried a key, `bugs` what went wrong in here.
    """

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time) -> None:
        self.clock = clock
        self.settings = settings or Settings()
        self.reset()

    def reset(self, settings: Settings | None = None) -> None:
        """Forget everything that happened; with new settings if given."""
        self.settings = settings or self.settings
        self.ledger: list[Charge] = []
        self.tasks: dict[str, Task] = {}
        self.media: dict[str, Medium] = {}
        self.uploads: list[str] = []
        self.requests: Counter[str] = Counter()
        self.refusals: Counter[int] = Counter()
        self.calls: deque[tuple[float, str, str]] = deque(maxlen=100_000)
        self.bugs: list[str] = []
        self.key_leaks: list[str] = []
        self.unknown_fields: Counter[str] = Counter()
        self.callbacks: list[tuple[float, int, str, str]] = []  # due, order, task id, stage
        self.captions: dict[str, Sequence[str]] = {}
        self._takes: Counter[str] = Counter()
        self._labelled: Counter[str] = Counter()  # by prompt
        self.faults = Faults(self.settings.seed)
        self._balance = self.settings.balance
        self._starts: deque[float] = deque()
        self._reads: deque[float] = deque()
        self._made: Counter[str] = Counter()
        self._unsettled: list[tuple[float, str]] = []
        self.elsewhere = 0.0  # what somebody else has spent of the account's credits
        self._counter = 0
        self._ids = 0

    # --- money and limits ------------------------------------------------------------------------------

    @property
    def balance(self) -> float:
        """The credits left, refunds that are due included."""
        self._settle()
        return self._balance

    @balance.setter
    def balance(self, credits: float) -> None:
        self._settle()
        self._balance = credits

    @property
    def charged(self) -> float:
        """The credits that were taken and not given back."""
        self._settle()
        return round(sum(charge.credits for charge in self.ledger if not charge.refunded), 4)

    def _settle(self) -> None:
        now = self.clock()
        while self._unsettled and self._unsettled[0][0] <= now:
            task = self.tasks[heapq.heappop(self._unsettled)[1]]
            charge = task.charge
            if self.gives_back(task) and not charge.refunded:
                charge.refunded = True
                self._balance = round(self._balance + charge.credits, 4)

    def gives_back(self, task: Task) -> bool:
        """Whether a task that fails gets its credits back."""
        return self.settings.refunds and "billed" not in task.quirks

    def admit(self) -> None:
        """Take one submission into the account's sliding window; `Refusal` 429 when it is full."""
        limit, now = self.settings.starts, self.clock()
        if not limit:
            return
        while self._starts and self._starts[0] <= now - self.settings.window_s:
            self._starts.popleft()
        if len(self._starts) >= limit:
            raise Refusal(429)
        self._starts.append(now)

    def admit_read(self) -> None:
        """Count one status read; `Refusal` 429 when there are more than the settings allow in a second."""
        limit, now = self.settings.reads_per_s, self.clock()
        if not limit:
            return
        while self._reads and self._reads[0] <= now - 1.0:
            self._reads.popleft()
        if len(self._reads) >= limit:
            raise Refusal(429)
        self._reads.append(now)

    # --- tasks -----------------------------------------------------------------------------------------

    def create(self, call: Call, known: Model, given: Mapping[str, JSON], new: NewTask) -> Task:
        """Charge for a task and begin it; `Refusal` when there is no money for it or an input cannot be had."""
        settings, now = self.settings, self.clock()
        unreachable = self.unreachable(call.origin, given)
        if unreachable and settings.unfetchable == "submit":
            raise Refusal(451)
        kind = asked.kind_of(known)
        credits = models.credits(known, given, kind)
        self._check_funds(credits)

        self._made[known.id] += 1
        lasts_s = (
            0.0 if new.at_once else times.generation_s(settings.seed, known.id, kind, self._made[known.id])
        )
        outputs = new.outputs
        if outputs is None:
            outputs = self.drawings(known, given)
        charge = Charge(
            task_id=self.new_id(), family=new.family, model=known.id, input=given, credits=credits, time=now
        )
        task = Task(
            id=charge.task_id,
            family=new.family,
            operation=new.operation,
            known=known,
            body=call.fields,
            input=given,
            origin=call.origin,
            made_at=now,
            visible_at=now + settings.fresh_s / settings.speed,
            ends_at=now + lasts_s / settings.speed,
            charge=charge,
            outputs=outputs,
            callback=_callback(call.fields),
            facts=new.facts,
            error=new.error or self.unfitting(call.origin, known, given),
        )
        if unreachable:
            task.error = ("451", TEXTS[451])
        ttl_s = settings.result_ttl_s
        for fault in self.faults.strike("submit", call.path, known.id, TASK):
            ttl_s = _apply(fault, task, ttl_s)
        self.tasks[task.id] = task
        self.charge(charge)
        self.spend_elsewhere(float(task.quirks.get("elsewhere", 0)))
        if task.error:
            heapq.heappush(self._unsettled, (task.ends_at, task.id))
        else:
            for wanted in task.outputs:
                self.publish(task, wanted, ttl_s=ttl_s)
        self.schedule(task, task.ends_at, "end")
        return task

    def _check_funds(self, credits: float) -> None:
        """Refuse what the key may not spend, or the account cannot pay."""
        cap = self.settings.key_cap
        if cap is not None and self.charged + credits > cap:
            raise Refusal(433)
        if self.balance < credits:
            raise Refusal(self.settings.no_credit_code, TEXTS[402])

    def caption(self, given: Mapping[str, JSON]) -> None:
        """Keep what pictures are called, by prompt: one text for all of them, or one for each request in order."""
        for prompt, labels in given.items():
            listed = labels if isinstance(labels, list | tuple) else [labels]
            self.captions[prompt] = [str(label) for label in listed]

    def charge(self, charge: Charge) -> None:
        """Write down a charge for an answer that came at once."""
        self.ledger.append(charge)
        self._balance = round(self._balance - charge.credits, 4)

    def spend_elsewhere(self, credits: float) -> None:
        """Let somebody else spend credits of the account: they are in no charge."""
        self.elsewhere = round(self.elsewhere + credits, 4)
        self._balance = round(self._balance - credits, 4)

    def known(self, model: str) -> Model:
        """Return what is known of a dedicated endpoint's model."""
        return models.dedicated(model, self.settings.model_files) or models.guess(model)

    def drawings(self, known: Model, given: Mapping[str, JSON]) -> list[Wanted]:
        """Return what the outputs of a request are going to show."""
        prompt = asked.prompt_of(given)
        labels = self.captions.get(prompt) or ("",)
        label = labels[min(self._labelled[prompt], len(labels) - 1)]
        self._labelled[prompt] += 1
        drawings = asked.outputs(known, given, label=label, scale=self.settings.pixels)
        # The same request again is another take, and shows another panel.
        key = asked.digest(known.id, given)
        self._takes[key] += 1
        return [replace(wanted, take=self._takes[key]) for wanted in drawings]

    def new_id(self) -> str:
        """Return an id that no task of this or another simulator has: 32 hex digits."""
        self._ids += 1
        return hashlib.md5(
            f"{self.settings.instance} {self.settings.seed} {self._ids}".encode(), usedforsecurity=False
        ).hexdigest()

    def schedule(self, task: Task, due: float, stage: str) -> None:
        """Have a callback sent at `due`, if the task wants any and ends one day."""
        if task.callback and not math.isinf(due):
            self._counter += 1
            heapq.heappush(self.callbacks, (due, self._counter, task.id, stage))

    def due_callbacks(self) -> Iterator[tuple[Task, str]]:
        """Take the callbacks whose time has come, oldest first."""
        while self.callbacks and self.callbacks[0][0] <= self.clock():
            _, _, task_id, stage = heapq.heappop(self.callbacks)
            yield self.tasks[task_id], stage

    # --- media -----------------------------------------------------------------------------------------

    def result_path(self, task: Task, wanted: Wanted) -> str:
        stem = f"{wanted.number}-{wanted.part}" if wanted.part else str(wanted.number)
        return f"/media/{task.family}/{task.id}_{stem}.{task.quirks.get('extension', wanted.extension)}"

    def publish(
        self, task: Task, wanted: Wanted, *, available_at: float | None = None, ttl_s: float | None = None
    ) -> str:
        """Let a result be had from the end of its task on, or from another time; return its path."""
        path = self.result_path(task, wanted)
        if available_at is None:
            available_at = task.ends_at
        if ttl_s is None:
            ttl_s = self.settings.result_ttl_s
        self.media[path] = Medium(
            media_type=wanted.media_type,
            available_at=available_at,
            expires_at=available_at + ttl_s,
            wanted=wanted,
        )
        return path

    def media_root(self, origin: str) -> str:
        """Return what media paths are appended to, for a client that came to `origin`."""
        return (self.settings.media_url or origin).rstrip("/")

    def own_path(self, origin: str, url: str) -> str | None:
        """Return the media path that a URL of ours names; None for other people's URLs."""
        parts = urlsplit(url)
        ours = {urlsplit(origin).netloc, urlsplit(self.settings.media_url or origin).netloc}
        if parts.netloc not in ours or not parts.path.startswith("/media/"):
            return None
        return unquote(parts.path)

    def medium(self, path: str) -> Medium | None:
        """Return a file that can be had now, or None."""
        found = self.media.get(path)
        return found if found and found.available_at <= self.clock() < found.expires_at else None

    def unreachable(self, origin: str, given: JSON) -> list[str]:
        """Return the URLs of ours in a request that lead nowhere.  Other people's are never fetched."""
        wrong = []
        for url in _urls(given):
            path = self.own_path(origin, url)
            if path is not None:
                if self.medium(path) is None:
                    wrong.append(url)
            elif urlsplit(url).netloc == urlsplit(origin).netloc:
                wrong.append(url)
        return wrong

    def unfitting(self, origin: str, known: Model, given: Mapping[str, JSON]) -> tuple[str, str] | None:
        """Return how a task ends that was given a medium of another kind than its field takes, of ours."""
        for name, value in given.items():
            wanted = (known.properties.get(name, {}).get("media") or {}).get("kind")
            if not wanted:
                continue
            for url in _urls(value):
                found = self.medium(self.own_path(origin, url) or "")
                kind = found.media_type.split("/")[0] if found else wanted
                if kind in ("image", "video", "audio") and kind != wanted:
                    return "422", f"{name}: the file type is not supported"
        return None


def _callback(body: Mapping[str, JSON]) -> str | None:
    """Return where the submission wants to be called back (protocol 1.3, both spellings)."""
    found = body.get("callBackUrl") or body.get("calBackUrl")
    return found if isinstance(found, str) else None


def _urls(value: JSON) -> Iterator[str]:
    """Yield the addresses in an input, but not those that are to be called back."""
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if not key.lower().startswith(("callback", "calback")):
                yield from _urls(part)
    elif isinstance(value, list):
        for part in value:
            yield from _urls(part)


def _apply(fault: Fault, task: Task, ttl_s: float) -> float:
    """Let a fault strike a task that begins; return how long its links will live."""
    if fault.kind == "links-die":
        return float(fault.value)
    if fault.kind in _STRIKES:
        _STRIKES[fault.kind](fault, task)
    else:
        task.quirks[fault.kind] = fault.value
    return ttl_s


def _failure(fault: Fault, otherwise: str) -> tuple[str, str]:
    """Return the code and the text of a failure, as far as the fault says them."""
    code, _, text = fault.value.partition(" ")
    code = code or otherwise
    return code, text or TEXTS.get(int(code) if code.isdecimal() else 0, "Generation failed")


def _fail(fault: Fault, task: Task) -> None:
    task.error = _failure(fault, "500")


def _fail_envelope(fault: Fault, task: Task) -> None:
    task.error = _failure(fault, "501")
    task.quirks["fail-envelope"] = task.error[0]


def _price(fault: Fault, task: Task) -> None:
    task.charge.credits = float(fault.value)


def _stuck(_fault: Fault, task: Task) -> None:
    task.ends_at = math.inf


def _lasts(fault: Fault, task: Task) -> None:
    task.ends_at = task.made_at + float(fault.value)


def _fresh(fault: Fault, task: Task) -> None:
    task.visible_at = task.made_at + float(fault.value)


def _outputs(fault: Fault, task: Task) -> None:
    if task.outputs:
        first = task.outputs[0]
        task.outputs = [replace(first, number=n) for n in range(1, int(fault.value) + 1)]
    else:
        task.quirks["outputs"] = fault.value


_STRIKES: Mapping[str, Callable[[Fault, Task], None]] = {
    "fail": _fail,
    "fail-envelope": _fail_envelope,
    "price": _price,
    "stuck": _stuck,
    "lasts": _lasts,
    "fresh": _fresh,
    "outputs": _outputs,
}
