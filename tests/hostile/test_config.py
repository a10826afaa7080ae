"""`config.yaml`, the person's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiebatch.errors import Invalid
from kiebatch.project import config
from kiebatch.project.config import ForeignUrls

WHOLE = """\
kiebatch-config: 1
allow: [pictures, ~/more]
account: studio
trusted_hosts: [CDN.example, "files.example:8443", "[2001:db8::1]:9"]
foreign_urls: upload
warn_above: 100
confirm_above: 2.5$
reject_above: 20 $
"""


def test_every_key_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    found = config.parse(WHOLE, "config.yaml", tmp_path)

    assert found.allow == (tmp_path / "pictures", tmp_path / "more")
    assert found.account == "studio"
    assert found.trusted_hosts == ("cdn.example", "files.example:8443", "[2001:db8::1]:9")
    assert found.foreign_urls is ForeignUrls.UPLOAD
    assert (found.warn_above, found.confirm_above, found.reject_above) == (100, 500, 4000)
    assert found.problems == ()


def test_without_a_file_everything_is_as_it_was(tmp_path: Path) -> None:
    assert config.read(tmp_path / "config.yaml") == config.UserConfig()


def test_an_unknown_key_is_a_warning_at_its_place() -> None:
    found = config.parse("kiebatch-config: 1\nalow: [x]\nmcp: {port: 1}\n", "config.yaml", Path("/home"))

    first, second = found.problems
    assert (first.where.line, first.severity, first.hint) == (2, "warning", "did you mean `allow`?")
    assert (second.where.line, second.severity) == (3, "warning")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("allow: [{a: 1}]", "a list of texts"),
        ('allow: ["a\\0b"]', "NUL"),
        ("allow: ~nosuchuser/x", "home folder"),
        ("trusted_hosts: [https://cdn.example/]", "host names"),
        ("trusted_hosts: ['*']", "host names"),
        ("foreign_urls: maybe", "send, upload or refuse"),
        ("foreign_urls: [send]", "send, upload or refuse"),
        ("account: [a]", "is a name"),
        ("warn_above: -1", "takes credits"),
        ("warn_above: .inf", "takes credits"),
        ("warn_above: 1e400", ""),
        ("confirm_above: [5]", "takes credits"),
        ("reject_above: $5$", "takes credits"),
        ("reject_above: true", "takes credits"),
        ("reject_above: " + "9" * 400, "not a number that can be used"),
    ],
)
def test_a_wrong_value_is_one_problem(line: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        config.parse(f"kiebatch-config: 1\n{line}\n", "config.yaml", Path("/home"))

    (problem,) = caught.value.problems
    assert problem.where.line == 2
    assert words in problem.message


@pytest.mark.parametrize(
    "head", ["", "kiebatch-config: 2\n", "kiebatch-config: true\n", "kiebatch-config: one\n"]
)
def test_the_format_is_named_in_its_first_line(head: str) -> None:
    with pytest.raises(Invalid, match="kiebatch-config"):
        config.parse(f"{head}account: studio\n", "config.yaml", Path("/home"))
