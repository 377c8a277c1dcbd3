"""Reads JSON as Google's API does (proto3 JSON): names in camelCase or snake_case, also mixed in one body; whole
numbers of 64 bits as numbers or texts; enum values in letters of any case; bytes in either alphabet of base64, padded
or not; null as an absent field.
"""

import binascii
import functools

from router.errors import BadRequest
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# Characters of base64 that are checked at once; whole groups of four.
_STEP = 256 << 10
_STANDARD = str.maketrans("-_", "+/")
_MOST = 10**15


@functools.cache
def to_snake(name: str) -> str:
    """The snake_case spelling of a camelCase name. name: of a field of the API, never a caller's word."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


def both(*names: str) -> frozenset[str]:
    """Some names, each in both spellings."""
    return frozenset((*names, *map(to_snake, names)))


def spell(entry: Json, name: str) -> str:
    """A field's name as the object has it: camelCase where that says something, else snake_case where that does; the
    camelCase name for an absent field."""
    if entry.get(name) is not None:
        return name
    snake = to_snake(name)
    return snake if entry.get(snake) is not None else name


def get(entry: Json, name: str) -> object:
    """The value of a field in either spelling, camelCase first; None for an absent field. name: in camelCase."""
    found = entry.get(name)
    return found if found is not None else entry.get(to_snake(name))


def get_object(entry: Json, name: str) -> Json:
    """The object under a field in either spelling, {} for any other value. name: in camelCase."""
    found = get(entry, name)
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def as_number(value: object) -> object:
    """A whole number that stands as a text, as a number; any other value as it is."""
    if not isinstance(value, str):
        return value
    number = parse_whole(value.removeprefix("-"), 0, _MOST)
    return value if number is None else -number if value.startswith("-") else number


def as_count(value: object) -> int | None:
    """A count of tokens, as a number or a text; None for any other value."""
    return json_values.as_count(as_number(value))


def read_integer(entry: Json, name: str, path: str, least: int = 0) -> int | None:
    """A whole number of at least `least`, None for an absent field. path: of the object, with a point behind it.
    Raises BadRequest."""
    return json_values.read_integer(as_number(get(entry, name)), f"{path}{spell(entry, name)}", least)


def read_enum(entry: Json, name: str, path: str) -> str:
    """An enum value in capitals, '' for an absent field. path: of the object, with a point behind it. Raises
    BadRequest."""
    return json_values.read_text(get(entry, name), f"{path}{spell(entry, name)}").upper()


def as_enum(value: object) -> str:
    """An enum value in capitals, '' for what is no text."""
    return value.upper() if isinstance(value, str) else ""


def normalize_base64(text: str, path: str) -> str:
    """Base64 in the standard alphabet, padded. Raises BadRequest for what is no base64."""
    found = text.translate(_STANDARD) if "-" in text or "_" in text else text
    if len(found) % 4:
        found = found.rstrip("=")
        found += "=" * (-len(found) % 4)
    try:
        for at in range(0, len(found), _STEP):
            # Padding may stand at the very end only: a whole step decodes to three bytes for each group.
            step = found[at : at + _STEP]
            if len(binascii.a2b_base64(step, strict_mode=True)) < len(step) // 4 * 3 and at + _STEP < len(found):
                raise binascii.Error("padding stands within it")
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{path}: its base64 is broken: {error}.") from None
    return found
