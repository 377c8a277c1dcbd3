"""Kinds of values. Each is read from text (environment, flag, `config set`) and from TOML, with the same checks.

Rules of this file: a kind has one text that says what was expected; a refused value raises InvalidValue with this text,
never with the value; a TOML value of another type is refused, not converted, except for the forms named in `Kind`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

V = TypeVar("V")

#: The key that tools are given when the proxy asks for none, because many require one. It is not a credential.
NO_KEY = "fairlead"


class Secret:
    """A key or token. Its text form is `set`, so that it cannot reach a log or an error by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str):
        self._text = text

    def reveal(self) -> str:
        """The secret as text; to be called only where it is sent or stored."""
        return self._text

    def __str__(self) -> str:
        return "set"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Frozen(Mapping[str, V], Generic[V]):
    """A mapping that cannot be changed and can be hashed, so that settings can stand in a frozen dataclass."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None):
        self._items = dict(items or {})

    def __getitem__(self, name: str) -> V:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        # The values may be lists; equal mappings have equal names.
        return hash(frozenset(self._items))

    def __repr__(self) -> str:
        return repr(self._items)


class InvalidValue(ValueError):
    """A value that is refused."""

    def __init__(self, text: str, *, below: tuple[str | int, ...] = (), refused: bool = False):
        super().__init__(text)
        #: What was expected, or with `refused` why the key cannot be used.
        self.text = text
        #: The keys from the setting's own down to the invalid entry of a table or list.
        self.below = below
        #: The key is invalid, not its value.
        self.refused = refused


class Kind(msgspec.Struct, frozen=True):
    """How values of one kind are read. Numbers of TOML are converted to text first, so that both ways have the same
    checks."""

    #: Completes "expected …".
    expected: str
    #: The type in TOML; `time` and `size` are a text or a number, `switch` and `choice` are a text, true or false.
    form: Literal["text", "choice", "number", "time", "size", "switch", "names", "json", "table"]
    #: Reads a text; raises ValueError.
    convert: Callable[[str], Any]

    def parse_text(self, text: str) -> Any:
        """The value that a text stands for. Raises InvalidValue."""
        try:
            return self.convert(text)
        except ValueError:
            raise InvalidValue(self.expected) from None

    def parse_value(self, value: object) -> Any:
        """The value that a TOML value stands for. Raises InvalidValue."""
        if self.form == "names" and isinstance(value, list):
            return self._parse_list(cast("list[object]", value))
        return self.parse_text(self._as_text(value))

    def hides(self, value: object) -> bool:
        """True for a value, as written, that may hold a secret and must not be shown."""
        return False

    def to_toml(self, text: str) -> Any:
        """The value to write to config.toml for a valid text."""
        if self.form == "number":
            return int(text)
        if self.form in ("switch", "choice"):
            return self.convert(text)
        if self.form == "names":
            return [part.strip() for part in text.split(",") if part.strip()]
        return text.strip()

    def _as_text(self, value: object) -> str:
        if isinstance(value, bool):
            if self.form in ("switch", "choice"):
                return "on" if value else "off"
        elif isinstance(value, int | float):
            # TOML numbers have 64 bits; Python refuses to format very long ones.
            whole_number = isinstance(value, int) and abs(value) < 1 << 63
            if whole_number and self.form in ("number", "time", "size"):
                return str(value)
            if isinstance(value, float) and self.form == "time":
                return f"{value:.6f}"
        elif isinstance(value, str) and self.form not in ("number", "json", "table"):
            return value
        raise InvalidValue(self.expected)

    def _parse_list(self, parts: list[object]) -> Any:
        found: list[Any] = []
        for index, part in enumerate(parts):
            if not isinstance(part, str) or "," in part:
                raise InvalidValue(self.expected, below=(index,))
            try:
                one = self.parse_text(part)
            except InvalidValue as wrong:
                raise InvalidValue(wrong.text, below=(index,), refused=wrong.refused) from None
            if not one:
                raise InvalidValue(self.expected, below=(index,))
            found.extend(one)
        return tuple(dict.fromkeys(found))


# US dollars; a budget below the cost of one request is a mistake.
_MIN_BUDGET = 0.001
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TIME = "a number with a unit, such as 120s or 2m"
# About 317 years; a longer time is a mistake.
_MAX_SECONDS = 1e10


def parse_duration(text: str) -> float:
    """Seconds from a positive number with a unit (ms, s, m, h); a bare number is seconds. Raises ValueError."""
    match = re.fullmatch(r"\s*+(\d++(?:\.\d++)?+)\s*+(ms|s|min|m|h)?\s*+", text)
    if match is None or not 0 < float(match[1]) < _MAX_SECONDS:
        raise ValueError(_TIME)
    return float(match[1]) * _UNITS[match[2] or ""]


_SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def parse_switch(text: str) -> bool:
    """True or False from on/off, true/false, yes/no, 1/0. Raises ValueError."""
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ValueError("on or off") from None


def _parse_whole(text: str, least: int, most: int) -> int:
    # Check the length first: int() raises an error of its own for very long numbers.
    if not re.fullmatch(r"\s*+[0-9]{1,15}\s*+", text) or not least <= int(text) <= most:
        raise ValueError
    return int(text)


def _parse_plain_text(text: str) -> str:
    if not text.strip() or _CONTROL.search(text):
        raise ValueError
    return text.strip()


def _parse_secret(text: str) -> Secret:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError
    return Secret(text)


def _parse_names(text: str) -> tuple[str, ...]:
    if _CONTROL.search(text):
        raise ValueError
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _parse_model(text: str) -> str:
    # No vendor's name has joiners; with them two names would look the same.
    if len(text.encode("utf-8", "surrogatepass")) > 256 or _JOINERS.search(text):
        raise ValueError
    return _parse_plain_text(text)


def _parse_backend(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", text.strip().lower()):
        raise ValueError
    return text.strip().lower()


def choice(*names: str) -> Kind:
    """A kind that takes one of some words, in any case. TOML's true and false stand for on and off."""

    def convert(text: str) -> str:
        if text.strip().lower() not in names:
            raise ValueError
        return text.strip().lower()

    return Kind(" or ".join(filter(None, (", ".join(names[:-1]), names[-1]))), "choice", convert)


class Words(Kind, frozen=True):
    """Some of a set of words; `off` is none of them."""

    def parse_value(self, value: object) -> Any:
        """The words. TOML's false stands for off. Raises InvalidValue."""
        return () if value is False else super().parse_value(value)

    def to_toml(self, text: str) -> Any:
        """The list to write to config.toml."""
        return list(self.parse_text(text))


def some_of(*names: str) -> Kind:
    """A kind that takes some of these words, in any case, separated by commas; or `all`."""

    def convert(text: str) -> tuple[str, ...]:
        found = () if text.strip().lower() == "off" else _parse_names(text)
        if not {*found} <= {"all", *names}:
            raise ValueError
        return tuple(dict.fromkeys(found))

    return Words(f"all, off, or some of {', '.join(names)}", "names", convert)


def whole(expected: str, *, least: int = 0, most: int = 10**15 - 1) -> Kind:
    """A kind that takes a whole number between two bounds, both included."""
    return Kind(expected, "number", lambda text: _parse_whole(text, least, most))


def words(expected: str, *names: str) -> Kind:
    """A kind that takes a list of some words, in any case; an empty one for none of them."""

    def convert(text: str) -> tuple[str, ...]:
        given = _parse_names(text)
        if any(word not in names for word in given):
            raise ValueError
        return tuple(dict.fromkeys(given))

    return Kind(f"{expected}, as a list of {', '.join(names[:-1])} or {names[-1]}", "names", convert)


def _parse_date(text: str) -> str:
    if not re.fullmatch(r"\s*+[0-9]{4}-[0-9]{2}-[0-9]{2}\s*+", text):
        raise ValueError
    return date.fromisoformat(text.strip()).isoformat()


class Day(Kind, frozen=True):
    """A date. TOML's own dates are read too."""

    def parse_value(self, value: object) -> Any:
        """The date as text. Raises InvalidValue."""
        return super().parse_value(value.isoformat() if type(value) is date else value)


def _parse_days(text: str) -> int:
    match = re.fullmatch(r"\s*+([0-9]{1,4}+)\s*+(?:d|days?)?\s*+", text)
    if match is None or not 1 <= int(match[1]) <= 3650:
        raise ValueError
    return int(match[1])


def _parse_megabytes(text: str) -> int:
    match = re.fullmatch(r"\s*+([0-9]{1,7}+)\s*+(mb|mib|gb|gib)?\s*+", text.lower())
    if match is None:
        raise ValueError
    size = int(match[1]) * (1024 if (match[2] or "").startswith("g") else 1)
    if not 1 <= size <= 1 << 20:
        raise ValueError
    return size


def _parse_money(text: str) -> float:
    match = re.fullmatch(r"\s*+[0-9]{1,6}(?:\.[0-9]{1,12})?\s*+", text)
    if match is None:
        raise ValueError
    return float(text)


class Dollars(float):
    """An amount of US dollars. It is shown without a unit, while other floats are shown as seconds."""


def _parse_budget(text: str) -> Dollars:
    amount = _parse_money(text)
    if amount < _MIN_BUDGET:
        raise ValueError
    return Dollars(amount)


class Money(Kind, frozen=True):
    """An amount: a number of TOML with or without a fraction."""

    #: The smallest valid amount.
    least: float = 0.0

    def parse_value(self, value: object) -> Any:
        """The amount. Raises InvalidValue."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value < 1e6:
            raise InvalidValue(self.expected)
        return Dollars(value)

    def to_toml(self, text: str) -> Any:
        """The value to write to config.toml."""
        return float(self.parse_text(text))


# C0, DEL, C1, lone surrogates, and characters of category Cf, which reorder or hide text on a terminal or make two
# names look the same. Not: the signs of Arabic and Kaithi numbers, which are seen. The joiners of emoji and of scripts
# (U+200C, U+200D) may stand in a text between characters that are not ASCII; elsewhere they only hide themselves.
_FORMAT = (
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001-\U000e007f"
)
_CONTROL = re.compile(
    f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_FORMAT}]|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_JOINERS = re.compile("[\u200c\u200d]")

TEXT = Kind("a text that is not empty", "text", _parse_plain_text)
SECRET = Kind("printable characters without spaces", "text", _parse_secret)
TIME = Kind(_TIME, "time", parse_duration)
SWITCH = Kind("on or off", "switch", parse_switch)
NAMES = Kind("names, as a list of texts", "names", _parse_names)
MEGABYTES = Kind("a number of megabytes from 1 to 1048576, such as 500MB or 2GB", "number", _parse_megabytes)
# In TOML a text or a number of megabytes; MEGABYTES is a number alone there.
SIZE = Kind("a size from 1MiB to 1024GiB, such as 64MiB", "size", _parse_megabytes)
DAYS = Kind("a number of days from 1 to 3650, such as 30d", "time", _parse_days)
MONEY = Money("US dollars per million tokens, from 0 to 999999, such as 2.5", "number", _parse_money)
BUDGET = Money("US dollars from 0.001 to 999999, such as 5", "number", _parse_budget, _MIN_BUDGET)
DATE = Kind('a date as "2026-11-30"', "text", _parse_date)
PORT = whole("a port number from 0 to 65535 (0 picks a free one)", most=65535)
LEVEL = whole("0, 1 or 2", most=2)
DAY = Day('a date as "2027-01-31", the last day of its validity', "text", _parse_date)
TOKENS = whole("a whole number of tokens, 0 or more")
CAP = whole("a whole number of tokens, 1 or more", least=1)
WINDOW = whole("a whole number of tokens from 64 to 100000000", least=64, most=100_000_000)
RATE = whole("a whole number a minute, 1 or more", least=1, most=10**9)
PLACES = whole("a whole number from 1 to 100000", least=1, most=100_000)
WORKERS = whole("a whole number from 1 to 64", least=1, most=64)
MODEL = Kind("a model's name: 1 to 256 bytes without control characters", "text", _parse_model)
BACKEND = Kind("a backend's name: 1 to 64 of a-z, 0-9, - and _, a letter or digit first", "text", _parse_backend)


def display(value: object) -> str:
    """A value for an error: a text in quotes, shortened, without control characters; a table or list as its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{clean(value)}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "a number of more than 64 bits"
    return clean(str(value))


def clean(text: str, limit: int = 120) -> str:
    """Foreign text made safe for a terminal: control characters escaped, at most `limit` characters."""
    # What is cut off below need not be looked at.
    escaped = escape_controls(text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[:limit] + "…"


def escape_controls(text: str) -> str:
    """The text with its control characters, and those that reorder or hide text, as escapes: `\\u202e`."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
