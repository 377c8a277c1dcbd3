"""Signatures in requests that are passed on to Google's API as they came, whose conversation began elsewhere.

What fairlead made for a caller carries another upstream's reasoning, and Google would refuse it as corrupted. Only the
first call of each content needs one; the documented placeholder stands for one that is not known
(https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from collections.abc import Callable
from typing import cast

import msgspec

from router.wire.conversation.sealed_state import StateSealer
from router.wire.gemini import carriers
from router.wire.gemini.carriers import bind_call, is_carrier, unpack
from router.wire.gemini.models import find_model
from router.wire.gemini.names import get, get_object, spell
from router.wire.gemini.signatures import PLACEHOLDER, unwrap_signature
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: In every body that holds a signature that fairlead made.
MARK = carriers.MARK.encode()
_NAME = "thoughtSignature"
# Chooses what takes the place of a signature, '' for nothing: from the call that it stands on, {} for a text, the
# signature, and whether that is the first call of its content.
_Choose = Callable[[Json, str, bool], str]


def restore_signatures(contents: bytes, sealer: StateSealer, model: str) -> bytes:
    """The contents of a request with the signatures that fairlead made replaced: by the model's own that one carries,
    else by the placeholder on a first call, else by none. contents: as JSON; the same object when it holds none."""
    needed = find_model(model).signs

    def choose(call: Json, signature: str, first: bool) -> str:
        if not is_carrier(signature):
            return signature
        bound = bind_call(str(get(call, "id") or ""))
        for thought in unpack(signature, bound, sealer) or () if call else ():
            if inner := unwrap_signature(thought.redacted):
                return inner
        return PLACEHOLDER if first and needed else ""

    return _replace(contents, choose) or contents


def _replace(contents: bytes, choose: _Choose) -> bytes | None:
    """The contents with other signatures; None where nothing changes."""
    found = json_values.decode_value(contents)
    changed = False
    for content in cast("list[object]", found) if isinstance(found, list) else ():
        parts = get(cast("Json", content), "parts") if isinstance(content, dict) else None
        first = True
        for part in cast("list[object]", parts) if isinstance(parts, list) else ():
            if not isinstance(part, dict):
                continue
            held = cast("Json", part)
            call = get_object(held, "functionCall") if get(held, "functionCall") is not None else None
            changed |= _replace_one(held, call, choose, first)
            first = first and call is None
    return msgspec.json.encode(found) if changed else None


def _replace_one(part: Json, call: Json | None, choose: _Choose, first: bool) -> bool:
    """Replace the signature of a part; True when it had another one."""
    name = spell(part, _NAME)
    signature = part.get(name)
    if not isinstance(signature, str):
        return False
    chosen = choose(call or {}, signature, first and call is not None)
    if chosen == signature:
        return False
    if chosen:
        part[name] = chosen
    else:
        del part[name]
    return True
