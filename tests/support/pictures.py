"""Golden pictures: compared with a tolerance, because fonts and their rendering differ between machines."""

from __future__ import annotations

import pytest
from PIL import Image, ImageChops, ImageStat

from support.places import GOLDEN


def check(name: str, picture: Image.Image, request: pytest.FixtureRequest, tolerance: float = 4.0) -> None:
    """Compare a picture with `tests/golden/<name>`; `--update-golden` writes it instead.

    `tolerance` is the mean difference of levels, of 255, that is let pass; no ninth of the picture may differ by
    more than three times that.
    """
    path = GOLDEN / name
    picture = picture.convert("RGB")
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(64).save(path, optimize=True)
    with Image.open(path) as golden:
        assert golden.size == picture.size
        difference = ImageChops.difference(golden.convert("RGB"), picture).convert("L")
    mean = ImageStat.Stat(difference).mean[0]
    worst = ImageStat.Stat(difference.resize((3, 3), Image.Resampling.BOX)).extrema[0][1]
    assert mean <= tolerance, f"{path} differs by {mean:.1f} levels; --update-golden rewrites it"
    assert worst <= 3 * tolerance, f"a part of {path} differs by {worst} levels; --update-golden rewrites it"
