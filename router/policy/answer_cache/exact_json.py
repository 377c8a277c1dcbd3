"""Reads a body as exact JSON, and writes what it means in one form only: so equal requests have equal bytes.

Fairlead takes more than JSON from callers, and lets the last of two members of one name count, as most servers do. Two
readers may understand such a body differently, so it has no canonical form.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn, cast

#: How deep a value may be: deeper ones are refused before they come here.
DEPTH = 250


class NotExact(Exception):
    """The body is no exact JSON object. The text says why."""


def read_exact(body: bytes) -> dict[str, Any]:
    """The object that a body is; numbers with a fraction or an exponent are Decimal. Raises NotExact."""
    try:
        value: object = json.loads(
            body.decode("utf-8"), object_pairs_hook=_make_object, parse_float=Decimal, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise NotExact("its body is not exact JSON") from None
    if not isinstance(value, dict):
        raise NotExact("its body is not a JSON object")
    return cast("dict[str, Any]", value)


def write_canonical(value: object) -> bytes:
    """The bytes of a value that `read_exact` gave, the same for all that mean the same: the order of members, spaces,
    escapes, and how a number is written do not count. Raises NotExact for one that is too deep."""
    out: list[bytes] = []
    _write(value, out, DEPTH)
    return b"".join(out)


def _make_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotExact("its body has two members of one name")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


def _write(value: object, out: list[bytes], depth: int) -> None:
    """Append the parts of a value. Texts have their length in front, so that no text can look like what is around."""
    if not depth:
        raise NotExact("its body is nested too deeply")
    if isinstance(value, str):
        out.append(_write_text(value))
    elif value is None or isinstance(value, bool):
        out.append(b"n" if value is None else b"t" if value else b"f")
    elif isinstance(value, int | Decimal):
        out.append(_write_number(value))
    elif isinstance(value, list):
        out.append(b"[")
        for item in cast("list[object]", value):
            _write(item, out, depth - 1)
        out.append(b"]")
    else:
        out.append(b"{")
        for name, item in sorted(cast("dict[str, object]", value).items()):
            out.append(_write_text(name))
            _write(item, out, depth - 1)
        out.append(b"}")


def _write_text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def _write_number(number: int | Decimal) -> bytes:
    """A number as its digits and a power of ten: 1, 1.0 and 10e-1 are the same, and nothing is rounded."""
    sign, digits, exponent = Decimal(number).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return b"d0;"
    power = cast("int", exponent) + len(text) - len(short)
    return f"d{'-' if sign else ''}{short}e{power};".encode("ascii")
