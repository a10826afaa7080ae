"""The machine around a run: disks without locks, no home, somebody else's home, open permissions."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kiebatch import files, workspace
from kiebatch.errors import Refused
from support.film import Film
from support.places import ROOT

SCENES = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes: [{id: 1, prompt: a boat}]\n"
NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int flock(int fd, int operation) { errno = ENOLCK; return -1; }
static int is_lock(int command) { return command == F_SETLK || command == F_SETLKW || command == F_GETLK; }
#define WRAP(name) int name(int fd, int command, ...) { va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); \\
  va_end(rest); if (is_lock(command)) { errno = ENOLCK; return -1; } \\
  int (*real)(int, int, ...) = dlsym(RTLD_NEXT, #name); return real(fd, command, argument); }
WRAP(fcntl)
WRAP(fcntl64)
"""


@pytest.fixture(scope="session")
def without_locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes every disk one without locks."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    folder = tmp_path_factory.mktemp("locks")
    (folder / "none.c").write_text(NO_LOCKS, encoding="utf-8")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", folder / "none.so", folder / "none.c", "-ldl"], check=True
    )
    return folder / "none.so"


@pytest.mark.slow
def test_a_disk_without_locks_is_said_with_the_way_out(without_locks: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.yaml").write_text(SCENES, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "kiebatch", "run", "scenes.yaml", "--draft"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(without_locks)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 4, done.stderr
    assert "this disk has no locks" in done.stderr
    assert "--state DIR" in done.stderr


@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_every_way_to_have_no_locks_is_known(number: str) -> None:
    import errno

    refused = files.unwritable(Path("x"), OSError(getattr(errno, number), "no"))

    assert isinstance(refused, Refused)
    assert "--state DIR" in refused.hint


@pytest.mark.slow
def test_state_is_readable_for_its_owner_alone(film: Film) -> None:
    film.write(SCENES)
    before = os.umask(0o022)
    try:
        assert film.command("run", "scenes.yaml", "--yes").code == 0
    finally:
        os.umask(before)

    state = film.folder / ".kiebatch"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in (state / "journal.sqlite", *state.glob("*.sqlite-*"), *state.glob("*.lock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    picture = next((film.assets / "images").iterdir())
    assert stat.S_IMODE(picture.stat().st_mode) == 0o644  # what was made is as public as any file


@pytest.mark.slow
def test_the_open_state_of_an_older_version_is_closed(film: Film) -> None:
    film.write(SCENES)
    assert film.command("run", "scenes.yaml", "--yes").code == 0
    state = film.folder / ".kiebatch"
    state.chmod(0o755)
    (state / "journal.sqlite").chmod(0o644)

    assert film.command("run", "scenes.yaml", "--yes").code == 0

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "journal.sqlite").stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_folder_that_the_user_names_keeps_its_permissions(film: Film, tmp_path: Path) -> None:
    film.write(SCENES)
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)

    assert film.command("run", "scenes.yaml", "--yes", "--state", str(shared)).code == 0

    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "journal.sqlite").stat().st_mode) == 0o600


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME whom the system does not know, as `docker run --user 54321`."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "KIEBATCH_CONFIG_HOME", "KIEBATCH_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("no_home")
def test_without_a_home_the_state_goes_to_the_runtime_or_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workspace.config_home() is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert workspace.state_home() == tmp_path / "kiebatch"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert workspace.state_home().name.startswith("kiebatch-")


@pytest.mark.slow
def test_without_a_home_a_film_is_made_all_the_same(
    film: Film, no_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(SCENES)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    assert film.command("validate", "scenes.yaml").code == 0
    assert film.command("run", "scenes.yaml", "--yes").code == 0
    assert not (film.folder / "~").exists()


def test_an_empty_home_is_no_home(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    film.write(SCENES)
    monkeypatch.setenv("HOME", "")

    assert film.command("validate", "scenes.yaml").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["KIEBATCH_CONFIG_HOME", "KIEBATCH_STATE_HOME"])
@pytest.mark.parametrize("value", ["a" * 5000, "~nosuchuser/x", "/dev/null", "/proc/self/nothing"])
def test_a_folder_of_the_environment_that_cannot_be_used_is_no_bug(
    film: Film, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(SCENES)
    monkeypatch.setenv(name, value)

    for command in (("validate", "scenes.yaml"), ("run", "scenes.yaml", "--draft"), ("credits",)):
        said = film.command(*command)

        assert said.code in (0, 2, 4), (command, said)


def test_a_result_is_placed_on_another_disk(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    part = memory / f"kiebatch-test-{os.getpid()}.part"
    part.write_bytes(b"paid for")

    assert files.place(part, tmp_path / "images" / "one.png")
    assert (tmp_path / "images" / "one.png").read_bytes() == b"paid for"
    assert not part.exists()
