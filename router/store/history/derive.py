"""Derives from the declared columns which are stored and summed, structs, and functions that read a record."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from router.store.history.columns import COLUMNS, Column
from router.store.history.storage import NONE, Storage, clean
from router.wire.headers.agent_hints import read_hints
from router.wire.headers.rate_limits import billing_and_usage

_Shape = TypeVar("_Shape", bound=msgspec.Struct)

#: The columns of the table `requests`.
STORED: tuple[tuple[Column, Storage], ...] = tuple(
    (column, column.storage) for column in COLUMNS if column.storage is not None
)
#: The names of those whose sums are kept, in this order.
SUMMED: tuple[str, ...] = tuple(column.name for column in COLUMNS if column.summed)


def with_fields(shape: type[_Shape], fields: Iterable[tuple[str, Any]]) -> type[_Shape]:
    """The struct, extended by those of the fields (name, type) that it does not declare; their default is None."""
    more = [(name, kind, None) for name, kind in fields if name not in shape.__struct_fields__]
    if not more:
        return shape
    made: Any = msgspec.defstruct(shape.__name__, more, bases=(shape,), kw_only=True)
    return made


def compile_entry(shape: type[_Shape]) -> Callable[[Any], _Shape]:
    """A function `(record)` that makes the entry."""
    sources = {column.field: column.source for column in COLUMNS if column.source}
    own, more = shape.__match_args__, [name for name in shape.__struct_fields__ if name not in shape.__match_args__]
    # By position where possible: keywords take twice as long.
    values = [*(sources[name] for name in own), *(f"{name}={sources[name]}" for name in more)]
    return _compile(_with_headers(f"shape({', '.join(values)})"), "record", shape=shape, **_READERS)


def compile_log(**functions: Callable[..., object]) -> Callable[[Any], dict[str, object]]:
    """A function `(record)` that makes the fields of the log line. functions: what the expressions use."""
    fields = ", ".join(f"{column.log!r}: {column.log_value}" for column in COLUMNS if column.log)
    return _compile(_with_headers(f"{{{fields}}}"), "record", **_READERS, **functions)


def compile_row(columns: Iterable[tuple[Column, Storage]], computed: str = "") -> Callable[..., tuple[object, ...]]:
    """A function `(entry, number, …)` that makes the values of these columns. computed: the names of those whose
    values are arguments."""
    values = ", ".join(storage.write.format(_format_stored(column)) for column, storage in columns)
    return _compile(f"({values},)", f"entry, number, {computed}", clean=clean, NONE=NONE)


def compile_sum(fields: Iterable[str]) -> Callable[[Any], int]:
    """A function `(entry)` that adds up these fields; what is not known counts as 0."""
    return _compile(" + ".join(f"(entry.{field} or 0)" for field in fields), "entry")


def _format_stored(column: Column) -> str:
    """The expression of the value that is stored."""
    field, dot, _ = column.path.partition(".")
    if dot:
        return f"(None if entry.{field} is None else entry.{column.path})"
    return f"entry.{field}" if field else column.name


def compile_lists(fields: Iterable[str]) -> Callable[[Any], tuple[list[Any], ...]]:
    """A function `(entries)` that lists the values of each of these fields."""
    return _compile(f"({', '.join(f'[entry.{field} for entry in entries]' for field in fields)},)", "entries")


_READERS: dict[str, Callable[..., object]] = {"read_limits": billing_and_usage, "read_hints": read_hints}


def _with_headers(expression: str) -> str:
    """The expression with `limits` and `hints`, which are read once."""
    return f"(limits := read_limits(record.limits), hints := read_hints(record.hints), {expression})[2]"


def _compile(expression: str, parameters: str, /, **names: object) -> Callable[..., Any]:
    """Compile a function; it runs for each request, so it must be as fast as code written by hand."""
    return eval(f"lambda {parameters}: {expression}", names)  # noqa: S307 - expressions of ours
