"""Replaces the signatures of a conversation that its upstream does not accept.

A client that was answered by one model and then asks another sends the signatures of the first along, among them those
that fairlead makes for answers of other protocols. Google's API answers 400 to such, and to a call that lost its own;
the request is sent once more, with the documented placeholder on the first call of each step.
"""

import re
from typing import cast

import msgspec

from router.wire.gemini.carriers import is_carrier
from router.wire.gemini.names import get, spell
from router.wire.gemini.signatures import PLACEHOLDER
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: A complaint about a signature that is missing, of another model, or broken.
REFUSED = re.compile(rb"[Tt]hought[ _]?[Ss]ignature")
_SIGNATURE = "thoughtSignature"


def drop_foreign_signatures(body: bytes) -> bytes | None:
    """The request without fairlead's own signatures; if it has none, without any. Calls that must have one get the
    placeholder. None where that changes nothing."""
    data = json_values.decode_object(body)
    if data is None:
        return None
    answers = [_list_parts(one) for one in _list_objects(data.get("contents")) if one.get("role") == "model"]
    only_own = any(is_carrier(_read(part)) for parts in answers for part in parts)
    changed = [_replace(parts, only_own=only_own) for parts in answers]
    return msgspec.json.encode(data) if any(changed) else None


def _list_objects(found: object) -> list[Json]:
    entries = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("Json", one) for one in entries if isinstance(one, dict)]


def _list_parts(content: Json) -> list[Json]:
    return _list_objects(content.get("parts"))


def _read(part: Json) -> str:
    found = get(part, _SIGNATURE)
    return found if isinstance(found, str) else ""


def _replace(parts: list[Json], *, only_own: bool) -> bool:
    """Replace the signatures of one answer of the model; True where anything changed."""
    first = next((part for part in parts if get(part, "functionCall") is not None), None)
    some = False
    for part in parts:
        held = _read(part)
        if part is first:
            wanted = held if only_own and held and not is_carrier(held) else PLACEHOLDER
            if held != wanted:
                part[spell(part, _SIGNATURE)] = wanted
                some = True
        elif held and (is_carrier(held) or not only_own):
            del part[spell(part, _SIGNATURE)]
            some = True
    return some
