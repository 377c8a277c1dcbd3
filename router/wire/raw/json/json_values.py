"""Reads fields of a decoded JSON body; a value of the wrong type is refused with the field's path.

`read_*` takes null or an absent field for its empty value, `require_*` refuses it.
"""

import contextlib
import gc
from collections.abc import Generator
from typing import cast

import msgspec

from router.errors import BadRequest
from router.wire.raw.json import large_json, lenient_json

Json = dict[str, object]
#: What the fast decoder raises for a text that is no JSON, or too deep.
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
#: The most tokens that an answer can have used: a larger number is none, since sums of it could not be stored.
MOST_TOKENS = 10**9
_MOST_SECONDS = 1 << 53
_decoder = msgspec.json.Decoder()
# Over so many bytes the collector is stopped while they are decoded: each of its passes looks through all that was made
# before, with the interpreter held, and there is no garbage among it.
_LARGE = 1 << 20


def decode_object(data: str | bytes) -> Json | None:
    """A JSON object, or None for anything else. What SDKs take beside JSON is read too (lenient_json)."""
    try:
        # Here for each event of a stream: one call less.
        value: object = _decoder.decode(data) if len(data) <= _LARGE else _decode_large(data)
    except UNREADABLE:
        value = look_again(data)
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def look_at_object(data: str | bytes) -> Json | None:
    """As `decode_object`, for those who look at some of its fields: of long texts in large JSON they get the beginning
    (large_json)."""
    try:
        # As above.
        value: object = _decoder.decode(data) if len(data) <= _LARGE else _decode_large(data, cut_texts=True)
    except UNREADABLE:
        value = look_again(data)
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def decode_value(data: str | bytes) -> object:
    """A JSON value. Raises what is in UNREADABLE."""
    return _decoder.decode(data) if len(data) <= _LARGE else _decode_large(data)


def _decode_large(data: str | bytes, *, cut_texts: bool = False) -> object:
    with collector_stopped():
        return large_json.decode(data.encode() if isinstance(data, str) else data, cut_texts=cut_texts)


@contextlib.contextmanager
def collector_stopped() -> Generator[None]:
    """Values are made in the block of which none is garbage."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def look_again(data: str | bytes, replaced: list[str] | None = None) -> object:
    """A value that the fast decoder refused, None when SDKs refuse it too. replaced: gets the paths of what JSON cannot
    hold, and was replaced."""
    try:
        found = lenient_json.decode(data)
    except (ValueError, RecursionError):
        return None
    if replaced is not None:
        replaced += found.replaced
    return found.value


def get_object(value: Json, name: str) -> Json:
    """The object under a key, {} for any other value."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def read_error(data: Json) -> Json:
    """The object under `error`, also where it is a text alone; {} for any other value."""
    found = data.get("error")
    return {"message": found} if isinstance(found, str) and found else get_object(data, "error")


def as_count(value: object) -> int | None:
    """A count of tokens, from 0 to MOST_TOKENS; None for any other value."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def find_count(*values: object) -> int | None:
    """The first count of tokens among some values, None when there is none."""
    for value in values:
        if type(value) is int and 0 <= value <= MOST_TOKENS:
            return value
    return None


def add_counts(first: int, second: int) -> int:
    """The sum of two counts; no more than MOST_TOKENS."""
    return min(first + second, MOST_TOKENS)


def as_moment(value: object) -> int | None:
    """Seconds since 1970, None for any other value."""
    return value if type(value) is int and 0 <= value < _MOST_SECONDS else None


_NAMES: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _wrong_type(path: str, expected: str, value: object) -> BadRequest:
    """The error for a value of the wrong type."""
    return BadRequest(f"{path}: expected {expected}, got {_NAMES.get(type(value), 'a number')}.")


def read_text(value: object, path: str) -> str:
    """A string; '' for null or an absent field."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong_type(path, "a string", value)
    return value


def require_text(data: Json, name: str, path: str) -> str:
    """A string that must be present and not empty."""
    value = data.get(name)
    if not isinstance(value, str):
        raise _wrong_type(f"{path}.{name}", "a string", value)
    if not value:
        raise BadRequest(f"{path}.{name}: it is empty.")
    return value


def read_number(value: object, path: str) -> float | None:
    """A number, None for null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(path, "a number", value)
    return value


def read_integer(value: object, path: str, least: int = 0) -> int | None:
    """An integer of at least `least`, None for null; 1.0 counts as one."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(path, "a whole number", value)
    if not least <= value <= 2**53:
        raise BadRequest(f"{path}: it must be a whole number of at least {least}.")
    return value


def read_bool(value: object, path: str) -> bool | None:
    """A truth value, None for null."""
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(path, "true or false", value)
    return value


def require_object(value: object, path: str) -> Json:
    """An object."""
    if not isinstance(value, dict):
        raise _wrong_type(path, "an object", value)
    return cast("Json", value)


def read_object(value: object, path: str) -> Json:
    """An object, {} for null."""
    return {} if value is None else require_object(value, path)


def read_objects(value: object, path: str) -> list[Json]:
    """A list of objects, [] for null."""
    entries = read_list(value, path)
    for at, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise _wrong_type(f"{path}[{at}]", "an object", entry)
    return cast("list[Json]", entries)


def read_list(value: object, path: str) -> list[object]:
    """A list, [] for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong_type(path, "a list", value)
    return cast("list[object]", value)


def read_texts(value: object, path: str) -> tuple[str, ...]:
    """A list of strings."""
    return tuple(read_text(entry, f"{path}[{at}]") for at, entry in enumerate(read_list(value, path)))


def encode_json(value: object) -> str:
    """Compact JSON that keeps the order of keys. Raises BadRequest for a value that JSON cannot hold."""
    try:
        return msgspec.json.encode(value).decode("utf-8")
    except (UnicodeEncodeError, OverflowError, msgspec.EncodeError) as error:
        raise BadRequest(f"A value cannot be written as JSON: {error}.") from None


def as_raw_object(arguments: str) -> msgspec.Raw | None:
    """The JSON text of a call's arguments, {} for an empty text; None when it is no object. Nothing is changed but
    halves of surrogate pairs, for which Anthropic refuses a request."""
    if not arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        value: object = _decoder.decode(arguments)
    except UNREADABLE:
        try:
            value = lenient_json.decode_halves(arguments)
        except (ValueError, RecursionError):
            return None
        return msgspec.Raw(msgspec.json.encode(value)) if isinstance(value, dict) else None
    return msgspec.Raw(arguments.strip().encode()) if isinstance(value, dict) else None
