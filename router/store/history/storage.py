"""How the values of a history column are stored in history.db, and what the API shows of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

#: Stands for NULL on the way to SQLite, as no stored value is below zero: Python's module takes 0.25 µs to pass a
#: None, and a quarter of that for a number.
NONE = -1
#: The largest count that is stored: SQLite's integers have 64 bits, and the sums of hours must fit too.
MOST = 10**13
TEXT_LIMIT = 256


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Make text from the network fit to be stored: no control characters or surrogates, at most `limit` characters."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:limit])
    return text[:limit]


class Storage(NamedTuple):
    """One way to store values."""

    #: The type in the table.
    sql: str
    #: The type in the API.
    shown: Any
    #: The expression of the stored value, where {0} is the expression of the value, `v` is a free variable, and
    #: `number` gives the number of a name (name_table.NameTable.number). NONE stands for NULL.
    write: str
    #: Converts a value of the table into that of the API; None when they are the same.
    read: Callable[[Any], Any] | None = None
    #: Whether it may be NULL.
    null: bool = False
    #: Whether the table holds the number of a name; `read` gets the name.
    named: bool = False
    #: Whether the value may be any number, so that it is bounded by MOST before it is stored.
    bounded: bool = False


def _read_thousandths(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _read_dollars(value: int | None) -> float | None:
    return None if value is None else value / 1e9


def _read_list(text: str) -> list[str]:
    return text.split("; ") if text else []


def _read_told(text: str | None) -> str | None:
    return text or None


def _read_alias(text: str) -> str:
    return text.partition("/")[2]


def text(limit: int, *, null: bool = False) -> Storage:
    """Text of at most so many characters."""
    cleaned = f"v and clean(v, {limit})"
    if null:
        return Storage("TEXT", str | None, f"NONE if (v := {{0}}) is None else {cleaned}", null=True)
    return Storage("TEXT", str, f"(v := {{0}}) and clean(v, {limit})")


def texts(limit: int) -> Storage:
    """Several texts in one, with `; ` between them; a list in the API."""
    return text(limit)._replace(shown=list[str], read=_read_list)


def name(limit: int = 0, *, chosen: bool = False) -> Storage:
    """A text that many rows have, stored as its number in the table of names. limit: its length, 0 for names that need
    no cleaning. chosen: callers choose it, so there may be any number of names."""
    cleaned = f"clean({{0}}, {limit})" if limit else "{0}"
    return Storage("INTEGER", str, f"number({cleaned}, chosen={chosen})", named=True)


_OR_NULL = "NONE if (v := {0}) is None else v"
#: Seconds since 1970, stored in milliseconds.
MOMENT = Storage("INTEGER", float, "int({0} * 1000)", _read_thousandths)
#: Seconds, stored and shown in milliseconds.
MILLISECONDS = Storage("INTEGER", int, "int({0} * 1000)")
#: Seconds, stored in microseconds, shown in milliseconds.
MICROSECONDS = Storage("INTEGER", float, "max(0, int({0} * 1e6))", _read_thousandths)
OPTIONAL_MICROSECONDS = Storage(
    "INTEGER", float | None, "NONE if (v := {0}) is None else max(0, int(v * 1e6))", _read_thousandths, null=True
)
IDENTIFIER = Storage("TEXT", str, "{0}")
NUMBER = Storage("INTEGER", int, "{0}")
OPTIONAL_NUMBER = Storage("INTEGER", int | None, _OR_NULL, null=True)
#: A count that the upstream gives.
COUNT = OPTIONAL_NUMBER._replace(bounded=True)
FLAG = Storage("INTEGER", bool, "int({0})", bool)
SHARE = Storage("REAL", float | None, _OR_NULL, null=True)
#: Billionths of a US dollar, shown in dollars.
DOLLARS = Storage("INTEGER", float | None, _OR_NULL, _read_dollars, null=True)
OPTIONAL_NAME = Storage("INTEGER", str | None, "NONE if (v := {0}) is None else number(v)", null=True, named=True)

#: A name that callers choose, '' for none; NULL in the rows of older versions.
TOLD_NAME = name(64, chosen=True)._replace(shown=str | None, read=_read_told, null=True)
#: An id that callers choose.
OPTIONAL_ID = text(64, null=True)
#: `BACKEND/ALIAS`, of which the alias is shown.
ACCOUNT_NAME = name()._replace(read=_read_alias)
