"""Stills and clips with one planted fault each, or none: drawn by Pillow, moved and encoded by ffmpeg.

Every sample comes from its number alone.  The faultless ones are hard on purpose: night, fog, a spot of light, things
before white and black, a whip pan, a flash, a bird in a still sky, twelve pictures a second.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps

WIDE, HIGH = 1280, 720
SECONDS = 3.0
STILL: Mapping[str, str] = {"size": "16:9", "blank": "none", "bars": "none", "like": "keeper.png"}
CLIP: Mapping[str, str] = {
    "size": "16:9",
    "length": f"{SECONDS:g} ±0.1s",
    "bars": "none",
    "cuts": "0",
    "black": "none",
    "freeze": "< 0.5s",
    "silence": "< 1s",
    "loudness": "-23 ±3 LUFS",
    "clipping": "none",
    "first_frame": "like first.png",
}
LIT = ("land", "fog", "city", "sea")  # bars beside what is black are nowhere to be seen
LOOKS = ("land", "night", "fog", "spot", "white", "black", "city", "sea")


@dataclass(frozen=True)
class Sample:
    """One file, the check that it must fail (empty for none), and the pictures that it is compared with by check."""

    path: Path
    kind: str
    fault: str
    story: str
    compared: Mapping[str, Path] = field(default_factory=dict)
    is_720p: bool = False


# --- pictures --------------------------------------------------------------------------------------------


def clouds(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Return soft grey noise in three sizes."""
    found = Image.new("L", size, 128)
    for cells, weight in ((5, 0.6), (17, 0.4), (61, 0.25)):
        rows = max(2, cells * size[1] // size[0])
        layer = Image.frombytes("L", (cells, rows), rng.randbytes(cells * rows))
        found = Image.blend(found, layer.resize(size, Image.Resampling.BICUBIC), weight)
    return found


def colour(rng: random.Random, low: int, high: int) -> tuple[int, int, int]:
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def picture(rng: random.Random, look: str, size: tuple[int, int] = (WIDE, HIGH)) -> Image.Image:
    """Return a picture of one look, never the same twice."""
    ground = ImageOps.colorize(
        clouds(rng, size), colour(rng, 10, 60), colour(rng, 190, 250), mid=colour(rng, 70, 170)
    )
    draw = ImageDraw.Draw(ground)
    wide, high = size
    if look in ("white", "black"):
        ground = Image.new("RGB", size, (252, 252, 252) if look == "white" else (3, 3, 4))
        draw = ImageDraw.Draw(ground)
    if look == "city":
        for x in range(0, wide, rng.randint(50, 120)):
            draw.rectangle(
                [x, rng.randint(high // 8, high // 2), x + rng.randint(30, 90), high], colour(rng, 20, 200)
            )
    for _ in range(rng.randint(4, 9)):
        x, y, r = rng.randint(0, wide), rng.randint(0, high), rng.randint(high // 14, high // 3)
        if look in ("white", "black"):
            x, y = (
                wide // 2 + rng.randint(-wide // 6, wide // 6),
                high // 2 + rng.randint(-high // 6, high // 6),
            )
            r = min(r, high // 4)
        draw.ellipse([x - r, y - r, x + r, y + r * 0.8], fill=colour(rng, 20, 230))
    if look == "spot":
        mask = Image.new("L", size, 8)
        r = rng.randint(high // 5, high // 3)
        middle = (wide // 2, high // 2)
        ImageDraw.Draw(mask).ellipse([middle[0] - r, middle[1] - r, middle[0] + r, middle[1] + r], fill=240)
        ground = Image.composite(
            ground, Image.new("RGB", size), mask.filter(ImageFilter.GaussianBlur(high // 20))
        )
    if look == "night":
        ground = ground.point(lambda level: level * 45 // 255)
        for _ in range(40):
            x, y = rng.randint(0, wide), rng.randint(0, high // 2)
            ImageDraw.Draw(ground).ellipse([x, y, x + 2, y + 2], fill=(200, 200, 180))
    if look == "fog":
        ground = Image.blend(ground, Image.new("RGB", size, (180, 184, 188)), 0.75)
    return ground


def barred(image: Image.Image, thick: float, *, standing: bool, white: int = 0) -> Image.Image:
    """Return a picture squeezed between two bars, each `thick` of its side."""
    wide, high = image.size
    bar = round(thick * (wide if standing else high))
    inner = (wide - 2 * bar, high) if standing else (wide, high - 2 * bar)
    framed = Image.new("RGB", image.size, (white, white, white))
    framed.paste(ImageOps.fit(image, inner), (bar, 0) if standing else (0, bar))
    return framed


def stills(folder: Path, count: int) -> Iterator[Sample]:
    """Yield stills: of four, one with each of three faults and one without."""
    for number in range(count):
        rng = random.Random(number)
        look = LOOKS[number // 4 % len(LOOKS)]
        image = picture(rng, look)
        keeper = folder / f"keeper-{number}.png"
        image.resize((WIDE // 2, HIGH // 2)).save(keeper)
        fault = ("", "bars", "blank", "like")[number % 4]
        if number % 24 == 3:
            fault = "size"
        if fault == "bars":
            lit = look if look in LIT else "land"
            image = barred(
                picture(rng, lit), rng.uniform(0.03, 0.2), standing=number % 8 == 1, white=rng.randint(0, 6)
            )
            image.resize((WIDE // 2, HIGH // 2)).save(keeper)
        if fault == "blank":
            image = Image.new("RGB", (WIDE, HIGH), colour(rng, 0, 255))
            image.resize((WIDE // 2, HIGH // 2)).save(keeper)
        if fault == "like":
            image = picture(random.Random(number + 10_000), rng.choice([one for one in LOOKS if one != look]))
        if fault == "size":
            image = image.resize(rng.choice([(1024, 1024), (720, 1280), (1152, 864)]))
        ending = rng.choice(["png", "jpg", "webp"])
        path = folder / f"still-{number}.{ending}"
        image.save(path, quality=80)
        yield Sample(path, "still", fault, look, {"like": keeper})


# --- clips -----------------------------------------------------------------------------------------------


@dataclass
class Making:
    """What ffmpeg is to do for one clip."""

    folder: Path
    number: int
    rng: random.Random
    program: str
    inputs: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    seconds: float = SECONDS

    @property
    def path(self) -> Path:
        return self.folder / f"clip-{self.number}.mp4"

    @property
    def part(self) -> int:
        """By which a clip is smaller than 720p: every fifth is not, and tells what 720p costs."""
        return 1 if self.number % 5 == 0 else 2

    @property
    def size(self) -> tuple[int, int]:
        return WIDE // self.part, HIGH // self.part

    def still(self, look: str, seconds: float | None = None) -> str:
        """Add a picture, larger than the clip, that stands; return the filter that begins with it."""
        file = self.folder / f"clip-{self.number}-{len(self.inputs)}.png"
        picture(self.rng, look, (1600 // self.part, 900 // self.part)).save(file, compress_level=1)
        length = self.seconds if seconds is None else seconds
        self.inputs += ["-framerate", "24", "-i", str(file)]
        stands = f"format=yuv420p,loop=loop=-1:size=1,setpts=N/24/TB,trim=duration={length:g}"
        return f"[{self.inputs.count('-i') - 1}:v]{stands},"

    def moved(self, look: str, move: str, seconds: float | None = None) -> str:
        """Add a picture over which a camera moves."""
        label = self.still(look, seconds=seconds)
        out = f"[m{len(self.filters)}]"
        x, y = MOVES[move]
        steps = ",fps=12,fps=24" if move == "twelve" else ""
        grain = "" if move in ("bird", "twelve") else ",noise=alls=4:allf=t"
        wide, high = self.size
        start = (
            f"{label}crop={wide}:{high}:x='({x})/{self.part}':y='({y})/{self.part}'{steps}{grain},setsar=1"
        )
        if move == "bird":
            flight = f"overlay=x='mod(200+n*7,1200)/{self.part}':y={160 // self.part}:shortest=1"
            self.filters.append(
                f"color=c=black:s={44 // self.part}x{26 // self.part}:r=24[bird];{start}[sky]"
            )
            self.filters.append(f"[sky][bird]{flight}{out}")
        else:
            self.filters.append(f"{start}{out}")
        return out

    def sound(self, gain_db: float = 0.0, tail: str = "") -> str:
        """Add a voice of sorts, at -23 LUFS and `gain_db` more."""
        pitch = self.rng.randint(110, 400)
        tone = (
            f"0.3*sin(2*PI*{pitch}*t)*(0.75+0.25*sin(2*PI*3*t))+0.12*sin(2*PI*{pitch * 2.5}*t)+0.02*random(0)"
        )
        self.inputs += ["-f", "lavfi", "-t", f"{self.seconds:g}", "-i", f"aevalsrc='{tone}':s=44100"]
        label = f"[{self.inputs.count('-i') - 1}:a]"
        out = "[sound]"
        self.filters.append(f"{label}volume={LEVEL_DB + gain_db:g}dB{tail}{out}")
        return out

    def make(self, video: str, sound: str) -> Path:
        crf, bits = self.rng.choice(["20", "26", "31"]), self.rng.choice(["96k", "160k"])
        command = [self.program, "-v", "error", "-y", *self.inputs, "-filter_complex", ";".join(self.filters)]
        command += ["-map", video, "-map", sound, "-c:v", "libx264", "-preset", "superfast", "-crf", crf]
        command += ["-pix_fmt", "yuv420p", "-r", "24", "-c:a", "aac", "-b:a", bits, "-t", f"{self.seconds:g}"]
        subprocess.run([*command, str(self.path)], check=True, timeout=120)
        return self.path

    def first_frame(self) -> Path:
        """Return the picture from which the clip is said to start: its first frame, scaled and compressed."""
        file = self.folder / f"clip-{self.number}-first.jpg"
        command = [self.program, "-v", "error", "-y", "-i", str(self.path)]
        command += ["-frames:v", "1", "-vf", "scale=480:270", "-q:v", "6"]
        subprocess.run([*command, str(file)], check=True, timeout=60)
        return file


LEVEL_DB = -8.6  # at which the voice has about -23 LUFS
MOVES: Mapping[str, tuple[str, str]] = {
    "pan": ("40+t*60", "60"),
    "slow": ("100+t*16", "80+t*6"),
    "whip": ("if(lt(t,1.2),10,if(lt(t,1.6),10+(t-1.2)*750,310))+10*sin(t*5)", "90"),
    "hand": ("150+14*sin(t*7)+6*sin(t*17)", "90+12*cos(t*5)"),
    "bird": ("160", "90"),
    "twelve": ("30+t*70", "90"),
}
_CUT = ("different", "alike", "jump")


def _video(making: Making, fault: str) -> tuple[str, str]:
    """Return the label of a clip's picture with its fault, and what it is called."""
    rng = making.rng
    look, move = LOOKS[making.number % len(LOOKS)], list(MOVES)[making.number // 3 % len(MOVES)]
    at = rng.uniform(0.6, SECONDS - 1.2)
    if fault == "cuts":
        kind = _CUT[making.number % 3]
        other = look if kind == "alike" else LOOKS[(making.number + 3) % len(LOOKS)]
        cut = round(at * 24) / 24
        first = making.moved(look, "pan", cut)
        second = making.moved(other, "hand", SECONDS - cut)
        making.filters.append(f"{first}{second}concat=n=2[seen]")
        return "[seen]", f"{kind} {look} {other}"
    if fault == "bars" and look not in LIT:
        look = LIT[making.number % len(LIT)]
    label = making.moved(look, move if fault in ("", "silence", "clipping", "loudness") else "pan")
    if not fault and making.number % 5 == 0:
        flash = f"eq=brightness='if(between(t,{at:.2f},{at + 0.12:.2f}),0.35,0)':eval=frame"
        making.filters.append(f"{label}{flash}[seen]")
        return "[seen]", f"flash {look} {move}"
    if fault == "freeze":
        frames, start = rng.randint(14, 30), round(at * 24)
        freeze = f"loop=loop={frames}:size=1:start={start},setpts=N/24/TB,trim=duration={SECONDS:g}"
    elif fault == "black":
        end = at + rng.uniform(0.25, 0.8)
        level = rng.choice(["black", "0x060606"])
        freeze = f"drawbox=c={level}:t=fill:enable='between(t,{at:.2f},{end:.2f})'"
    elif fault == "bars":
        bar, (wide, high) = 2 * rng.randint(8, 30 * 2 // making.part), making.size
        freeze = f"crop={wide}:{high - 2 * bar},pad={wide}:{high}:0:{bar}"
        if making.number % 2:
            freeze = f"crop={wide - 2 * bar}:{high},pad={wide}:{high}:{bar}:0"
    elif fault == "size":
        freeze = "scale=800:600,setsar=1"
    else:
        return label, f"{look} {move}"
    making.filters.append(f"{label}{freeze}[seen]")
    return "[seen]", f"{look} pan"


def _sound(making: Making, fault: str) -> str:
    rng = making.rng
    if fault == "silence":
        start = rng.uniform(0.2, 1.2)
        return making.sound(
            tail=f",volume=volume='if(between(t,{start:.2f},{start + 1.4:.2f}),0.0005,1)':eval=frame"
        )
    if fault == "clipping":
        # Loud, cut off at full scale, and turned no softer: the loudness is wrong as well.
        return making.sound(gain_db=rng.uniform(21, 26), tail=",aformat=sample_fmts=s16")
    if fault == "loudness":
        return making.sound(gain_db=rng.choice([-12.0, -8.0, 7.0]))
    return making.sound()


FAULTS = (
    "cuts",
    "freeze",
    "black",
    "bars",
    "silence",
    "clipping",
    "loudness",
    "size",
    "length",
    "first_frame",
)


def clips(folder: Path, count: int, program: str) -> Iterator[Sample]:
    """Yield clips, every third without a fault."""
    planted = 0
    for number in range(count):
        fault = ""
        if number % 3:
            fault = FAULTS[planted % len(FAULTS)]
            planted += 1
        making = Making(folder, number, random.Random(number + 50_000), program)
        if fault == "length":
            making.seconds = making.rng.choice([2.0, 2.75])
        video, story = _video(making, fault)
        making.make(video, _sound(making, fault))
        first = making.first_frame()
        if fault == "first_frame":
            picture(making.rng, LOOKS[(number + 4) % len(LOOKS)]).save(first, quality=80)
        whole = making.part == 1 and fault != "size"
        yield Sample(making.path, "clip", fault, story, {"first_frame": first}, whole)
