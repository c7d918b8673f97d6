"""How each kind of object is shown in a trace.

An object is shown by its fields where its class declares them (dataclass, pydantic, named tuple), and by the
name of its class otherwise. Neither its `repr` nor its `model_dump` is asked: they may be slow, raise, consume what the
work still needs, or print a password. What its class keeps out of `repr` is kept out of here, too.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import AnyUrl, BaseModel, Secret, SecretBytes, SecretStr

from studio.secrets import HIDDEN

if TYPE_CHECKING:
    from studio.tracing.plain import Plain

# Python writes integers of at most 4,300 decimal digits.
INTEGER_BITS = 14_000

UNREADABLE = "<unreadable>"

# From an object, with as many containers inside each other as a number says, to plain values.
Shape = Callable[["Plain", Any, int], Any]


def class_name(kind: type) -> str:
    """Return `<module.Class>`, without the module of built-in types."""
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"<{module}{kind.__qualname__.rpartition('<locals>.')[2]}>"


@functools.lru_cache(maxsize=2048)
def shape(kind: Any) -> Shape:
    """Return what makes plain values of objects of class `kind`."""
    for known, found in _BEFORE_FIELDS:
        if issubclass(kind, known):
            return found
    if issubclass(kind, BaseModel):
        return _model(kind)
    if dataclasses.is_dataclass(kind):
        return _declared({field.name: field.repr for field in dataclasses.fields(kind)})
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple
    for known, found in _AFTER_FIELDS:
        if issubclass(kind, known):
            return found
    name = class_name(kind)
    return lambda _plain, _value, _depth: name


def _as_is(_: Plain, value: Any, __: int) -> Any:
    return value


def _hidden(*_: object) -> str:
    return HIDDEN


def _enum(plain: Plain, value: Enum, depth: int) -> Any:
    return plain.of(value.value, depth)


def _text(plain: Plain, value: str, _: int) -> str:
    return plain.text(value)


def _integer(plain: Plain, value: int, _: int) -> int | str:
    bits = int.bit_length(value)
    if bits > INTEGER_BITS:
        return f"<integer of {bits} bits>"
    plain.charge(bits >> 1)
    return int.__int__(value)


def _float(_: Plain, value: float, __: int) -> float | str:
    exact = float.__float__(value)
    if exact - exact == 0:
        return exact
    return "NaN" if exact != exact else "Infinity" if exact > 0 else "-Infinity"


def _bytes(plain: Plain, value: bytes | bytearray | memoryview, _: int) -> str:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    if size > plain.left or (isinstance(value, memoryview) and not value.contiguous):
        return f"<{size} bytes>"
    try:
        return plain.text(bytes(value).decode())
    except UnicodeDecodeError:
        return f"<{size} bytes>"


def _declared(fields: dict[str, bool]) -> Shape:
    def show(plain: Plain, value: Any, depth: int) -> Any:
        pairs = ((name, _attribute(value, name) if shown else HIDDEN) for name, shown in fields.items())
        return plain.pairs(value, pairs, len(fields), depth)

    return show


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except Exception:  # noqa: BLE001 - one field that breaks does not take the others with it
        return UNREADABLE


def _model(kind: type[BaseModel]) -> Shape:
    left_out = {name for name, field in kind.__pydantic_fields__.items() if field.exclude}
    hidden = {name for name, field in kind.__pydantic_fields__.items() if not field.repr}

    def show(plain: Plain, value: BaseModel, depth: int) -> Any:
        extra = getattr(value, "__pydantic_extra__", None) or {}
        held = plain.copied(lambda: iter([*value.__dict__.items(), *extra.items()]))
        shown = [(name, HIDDEN if name in hidden else item) for name, item in held if name not in left_out]
        return plain.pairs(value, shown, len(shown), depth)

    return show


def _named_tuple(plain: Plain, value: Any, depth: int) -> Any:
    names = type(value)._fields
    return plain.pairs(value, zip(names, tuple.__iter__(value), strict=False), len(names), depth)


def _mapping(plain: Plain, value: dict[Any, Any] | types.MappingProxyType[Any, Any], depth: int) -> Any:
    items = value.items if isinstance(value, types.MappingProxyType) else functools.partial(dict.items, value)
    total = len(value) if isinstance(value, types.MappingProxyType) else dict.__len__(value)
    return plain.pairs(value, plain.copied(lambda: iter(items())), total, depth)


def _sequence(kind: Any) -> Shape:
    def show(plain: Plain, value: Any, depth: int) -> Any:
        return plain.items(value, plain.copied(lambda: kind.__iter__(value)), kind.__len__(value), depth)

    return show


def _set(kind: Any) -> Shape:
    def show(plain: Plain, value: Any, depth: int) -> Any:
        items = plain.copied(lambda: kind.__iter__(value))
        if all(type(item) is str for item in items):
            items.sort()  # so that the same set has the same hash in the next process
        return plain.items(value, items, kind.__len__(value), depth)

    return show


def _iso(_: Plain, value: date | time, __: int) -> str:
    return value.isoformat()


def _str(plain: Plain, value: object, _: int) -> str:
    return plain.text(str(value))


def _pattern(plain: Plain, value: re.Pattern[Any], depth: int) -> Any:
    return plain.of(value.pattern, depth)


def _exception(plain: Plain, value: BaseException, depth: int) -> Any:
    pairs = (("error", class_name(type(value))[1:-1]), ("message", _said(value)))
    return plain.pairs(value, pairs, 2, depth)


def _said(value: BaseException) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - what cannot say what it is has at least a name
        return UNREADABLE


def _class(_: Plain, value: type, __: int) -> str:
    return f"<class {class_name(value)[1:-1]}>"


def _function(_: Plain, value: Any, __: int) -> str:
    return f"<function {value.__module__ or 'builtins'}.{value.__qualname__.replace('<locals>.', '')}>"


def _called(name: str) -> Shape:
    return lambda _plain, _value, _depth: name


_EMPTY: dict[Any, Any] = {}
_VIEWS: tuple[Any, ...] = (type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
_WRITTEN = (timedelta, UUID, Decimal, Fraction, complex, range, PurePath, AnyUrl)
_ADDRESSES = (IPv4Address, IPv6Address, IPv4Network, IPv6Network)

_BEFORE_FIELDS: tuple[tuple[Any, Shape], ...] = (
    ((SecretStr, SecretBytes, Secret), _hidden),
    (type, _class),
    (Enum, _enum),
    (str, _text),
    ((bool, types.NoneType), _as_is),
    (int, _integer),
    (float, _float),
)
_AFTER_FIELDS: tuple[tuple[Any, Shape], ...] = (
    ((dict, types.MappingProxyType), _mapping),
    (list, _sequence(list)),
    (tuple, _sequence(tuple)),
    (deque, _sequence(deque)),
    (set, _set(set)),
    (frozenset, _set(frozenset)),
    *((view, _sequence(view)) for view in _VIEWS),
    ((bytes, bytearray, memoryview), _bytes),
    ((datetime, date, time), _iso),
    ((*_WRITTEN, *_ADDRESSES), _str),
    (re.Pattern, _pattern),
    (BaseException, _exception),
    (_FUNCTIONS, _function),
    (types.GeneratorType, _called("<generator>")),
    (types.AsyncGeneratorType, _called("<async generator>")),
    (types.CoroutineType, _called("<coroutine>")),
)
