"""Sound that leads the picture: what `duration: voice` means for a scene and its shots, before the voice is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.catalogue.inputs import lengths, voice_id
from kiebatch.model import JSON, Ask, Job, Led, Path, Price, SceneId, Slot, as_list, under
from kiebatch.scenefile.durations import seconds
from kiebatch.scenefile.prompts import with_variables
from kiebatch.scenefile.shape import SceneValues, ShotValues
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import Source
from kiebatch.scenefile.speech import Rates

VOICE = "voice"
_TIGHT = 1.08  # the estimate may be so much too low
_SLOWEST = 1.6  # how much slower than calm speech a voice may be before its picture waits for another run


def leads(document: JSON) -> bool:
    """Whether any length of a scene file follows a voice, whatever else is wrong with the file."""
    scenes = _mappings(document, "scenes")
    shots = [shot for scene in scenes for shot in _mappings(scene, "shots")]
    return any(raw.get("duration") == VOICE for raw in (*scenes, *shots))


def _mappings(value: JSON, key: str) -> list[Mapping[str, JSON]]:
    return [one for one in as_list(under(value, key)) if isinstance(one, Mapping)]


@dataclass(frozen=True, slots=True)
class Leading:
    """The voices of a file, by the name of the shot that speaks."""

    source: Source
    shots: Mapping[str, ShotSpec]
    _pictures: dict[SceneId, list[ShotSpec]] = field(default_factory=dict)

    def of(self, spec: ShotSpec) -> Led | None:
        """Return how the length of a shot of the picture follows its scene's voice; None where it does not."""
        if spec.kind != "shot":
            return None
        if spec.raw.get("duration") == VOICE:
            return self._led(spec.scene, spec.raw)
        led = self._led(spec.scene, spec.scene_raw) if _follows_scene(spec) else None
        if led is None:
            return None
        others = self._pictures_of(spec.scene)
        own = sum(float(s.seconds or 0.0) for s in others)
        return replace(led, others_s=own, among=sum(1 for s in others if not s.raw.get("duration")))

    def of_scene(self, scene: SceneValues) -> Led | None:
        return self._led(scene["id"], scene) if scene.get("duration") == VOICE else None

    def check(self, scene: SceneValues, path: Path) -> None:
        """Report a length that follows a voice where there is none, and a pause beside a length that does not."""
        if scene.get("skip"):
            return
        self._check_one(scene["id"], scene, path)
        for i, shot in enumerate(scene.get("shots", ())):
            if shot is not None and not shot.get("skip"):
                self._check_one(scene["id"], shot, (*path, "shots", i))

    def _check_one(self, scene: SceneId, raw: ShotValues, place: Path) -> None:
        if raw.get("duration") != VOICE:
            for key in (key for key in ("head", "tail") if key in raw):
                self.source.error((*place, key), f"`{key}` goes with `duration: voice`", code="no-voice")
        elif self._led(scene, raw) is None:
            message = f"scene {scene}: `duration: voice`, and the scene has no `voiceover`"
            self.source.error((*place, "duration"), message, code="no-voice")

    def _pictures_of(self, scene: SceneId) -> Sequence[ShotSpec]:
        """Return the shots of a scene's picture that are made; all shots are gone through once."""
        if not self._pictures:
            for shot in self.shots.values():
                if shot.kind == "shot" and not shot.skip:
                    self._pictures.setdefault(shot.scene, []).append(shot)
        return self._pictures.get(scene, ())

    def _led(self, scene: SceneId, raw: ShotValues) -> Led | None:
        voice = self.shots.get(Slot(scene, "vo").shot_name)
        if voice is None or voice.skip or not (voice.prompt.strip() or voice.raw.get("file")):
            return None
        probable_s = self._estimate(voice, self.source.options.speech)
        return Led(
            slot=self._slot(voice),
            estimated_s=probable_s,
            # By the table alone: what was planned does not move with each voice that is made.
            most_s=max(probable_s, self._estimate(voice, Rates()) * _SLOWEST),
            head_s=float(raw.get("head") or 0.0),
            tail_s=float(raw.get("tail") or 0.0),
        )

    def _slot(self, voice: ShotSpec) -> Slot | None:
        if not voice.makes:
            return None
        picked = self.source.options.picked(voice.name)
        take = picked if picked is not None and picked <= voice.takes else 1
        return voice.slot(voice.models[0][1], take)

    def _estimate(self, voice: ShotSpec, rates: Rates) -> float:
        text = with_variables(self.source, voice.prompt)
        params = voice.raw.get("params", {})
        language = str(voice.raw.get("language") or params.get("language_code") or "")
        if not voice.models:
            return round(rates.seconds(text, "", "", language), 2)
        model = voice.models[0][1]
        name = voice_id(model, Ask(voice=voice.raw.get("voice"), params=params))
        return round(rates.seconds(text, model.id, name, language), 2)


def _follows_scene(spec: ShotSpec) -> bool:
    """Whether a shot without a length is in a scene whose length follows its voice."""
    is_open = spec.shot is not None and not spec.raw.get("duration")
    return is_open and spec.scene_raw.get("duration") == VOICE


def possible_s(model: Model, ask: Ask) -> Sequence[float]:
    """Return the lengths that a clip can have: one where the author chose it, none where nobody can choose."""
    field = model.fields.get("duration")
    if field is None or model.modality != "video":
        return ()
    said = {**ask.default_params, **ask.params}
    chosen = seconds(str(said.get(field.name) or said.get("duration") or ""))
    if chosen:
        return (chosen,)
    return lengths(model.properties.get(field.name) or {})


def open_job(job: Job, led: Led, found: Sequence[tuple[float, Job]]) -> Job:
    """Return a job whose length is open until the voice is made, at its probable length and the most it may cost."""
    after = (led.slot,) if led.slot else ()
    forms = tuple((length, replace(one, authored_before=None)) for length, one in found)
    return replace(job, led=led, lengths=forms, after=after, price=bound(led, forms))


def bound(led: Led, forms: Sequence[tuple[float, Job]]) -> Price:
    """Return the most that a job costs whose voice takes as long as it may; unknown where one of the prices is."""
    prices = _prices_within(led, forms)
    amounts = [price.amount for price in prices]
    if None in amounts:
        return prices[amounts.index(None)]
    top = max(prices, key=lambda price: price.amount or 0.0)
    reserve = max(price.reserved or 0.0 for price in prices)
    return replace(
        top,
        kind=top.kind if len(set(amounts)) == 1 else "bound",
        reserve=reserve if reserve > (top.amount or 0.0) else None,
    )


def _prices_within(led: Led, forms: Sequence[tuple[float, Job]]) -> list[Price]:
    """Return the prices of the lengths up to the first that has room for the slowest voice."""
    least = led.seconds(led.most_s)
    enough = next((length for length, _ in forms if length >= least), forms[-1][0])
    return [job.price for length, job in forms if length <= enough]


def too_long(led: Led, longest: float) -> str:
    """Return `error` for a text that cannot fit, `warning` for one that may not, nothing for one that does."""
    if led.seconds() > longest:
        return "error"
    at_most = led.seconds(led.estimated_s * _TIGHT)
    return "warning" if at_most > longest else ""
