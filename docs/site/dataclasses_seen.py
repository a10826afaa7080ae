"""Shows griffe, which reads the code for the reference page, the dataclasses that type checkers see."""

from __future__ import annotations

from typing import Any

import griffe


class DataclassesSeen(griffe.Extension):
    """`kiebatch._dataclass` makes what the standard library makes, so its classes get the same signatures."""

    def on_class_instance(self, *, cls: griffe.Class, **_: Any) -> None:
        for decorator in cls.decorators:
            if decorator.callable_path == "kiebatch._dataclass.dataclass":
                decorator.value.function = griffe.ExprName("dataclasses.dataclass")
