"""`dataclass` for what small commands load: the standard library's at a quarter of its price.

Up to Python 3.12 each method of each dataclass is compiled on its own while its module is imported, six for a frozen
one. With 147 of them that was 40 % of `kiebatch status`. Here only `__init__` is compiled. Equality, hash and text are
functions that every class gets a binding of. That nobody assigns to a field of a frozen one is left to the type
checker, which sees the standard library's `dataclass` in any case. Python 3.13 compiles a class's methods at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 13):
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from collections.abc import Callable
    from operator import attrgetter

    def dataclass(
        *, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Callable[[type], type]:
        """Return a decorator that makes of a class what `dataclasses.dataclass` makes of it with these options."""

        def make(plain: type) -> type:
            plain.__doc__ = plain.__doc__ or plain.__name__  # dataclasses would work its signature out
            made = dataclasses.dataclass(plain, eq=False, repr=False, slots=slots, kw_only=kw_only)
            fields = dataclasses.fields(made)
            methods = _methods(
                shown=[field.name for field in fields if field.repr],
                compared=[field.name for field in fields if field.compare],
            )
            if not frozen:
                methods["__hash__"] = None
            for name, method in methods.items():
                if name not in vars(plain):
                    setattr(made, name, method)
            return made

        return make

    def _methods(shown: list[str], compared: list[str]) -> dict[str, Any]:
        values = attrgetter(*compared) if compared else (lambda self: ())

        def __eq__(self: Any, other: object) -> Any:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        def __hash__(self: Any) -> int:
            return hash(values(self))

        def __repr__(self: Any) -> str:
            text = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
            return f"{self.__class__.__qualname__}({text})"

        return {"__eq__": __eq__, "__hash__": __hash__, "__repr__": __repr__}
