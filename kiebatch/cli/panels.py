"""Help whose options are grouped in panels, for commands that have many."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from typer.core import TyperCommand


class Panel(StrEnum):
    """The headings under which `--help` lists the options of a command that has many."""

    SPENDING = "Spending"
    NETWORK = "Network"
    FILES = "Files"
    OUTPUT = "Output"


class Command(TyperCommand):
    """A command whose `--help` groups its options by their `rich_help_panel`, without needing rich."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments: list[tuple[str, str]] = []
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        groups |= {str(panel): [] for panel in Panel}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                arguments.append(record)
                continue
            panel = getattr(param, "rich_help_panel", None) or "Options"
            groups.setdefault(panel, []).append(record)
        _section(formatter, "Arguments", arguments)
        for name, records in groups.items():
            _section(formatter, name, records)


def _section(formatter: Any, name: str, records: Sequence[tuple[str, str]]) -> None:
    if records:
        with formatter.section(name):
            formatter.write_dl(records)
