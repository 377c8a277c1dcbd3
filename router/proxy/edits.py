"""The edits of a passed-through body (product.md 1): each is named in the record, all other bytes stay."""

from collections.abc import Sequence

import msgspec

from router.net.stream import Bytes
from router.policy.routes import Route
from router.proxy.runtime import Target
from router.wire.dialects import Call
from router.wire.peek import Edits, Top

_ATTRIBUTION = "x-anthropic-billing-header:"
_encode = msgspec.json.encode


class Edited(msgspec.Struct):
    """A body to send. hide_usage: the client did not ask for the usage event that will come."""

    parts: Sequence[Bytes]
    hide_usage: bool = False
    probed: bool = False


def edit(body: bytes, top: Top, *, call: Call, route: Route, target: Target, probe: bool, notes: list[str]) -> Edited:
    """The body with the model's new name, the usage probe, and without a foreign billing line."""
    edits = Edits(body, top)
    edited = Edited(())
    if route.model is not None and route.why == "prefix":
        edits.replace("model", _encode(route.model))
        notes.append("model renamed")
    if probe and call.path == "/v1/chat/completions" and _ask_usage(top, edits):
        edited.probed = True
        edited.hide_usage = True
        notes.append("usage asked for")
    if call.protocol == "messages" and target.strip_attribution and _strip_attribution(top, edits):
        notes.append("attribution stripped")
    edited.parts = edits.parts()
    return edited


def _ask_usage(top: Top, edits: Edits) -> bool:
    """Ask for the usage event; False when the client did already."""
    options = top.value("stream_options")
    if not isinstance(options, dict):
        if "stream_options" in top:
            edits.replace("stream_options", b'{"include_usage":true}')
        else:
            edits.insert("stream_options", b'{"include_usage":true}')
        return True
    if options.get("include_usage") is True:  # pyright: ignore[reportUnknownMemberType]
        return False
    edits.replace("stream_options", _encode({**options, "include_usage": True}))
    return True


def _strip_attribution(top: Top, edits: Edits) -> bool:
    """Take Claude Code's billing line out of the system prompt: it differs per conversation and spoils caches."""
    raw = top.raw("system")
    if raw is None or _ATTRIBUTION.encode() not in raw:
        return False
    system = top.value("system")
    if isinstance(system, str):
        first, _, rest = system.partition("\n")
        if not first.startswith(_ATTRIBUTION):
            return False
        edits.replace("system", _encode(rest))
        return True
    try:
        blocks = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return False
    kept = [bytes(block) for block in blocks if not _is_attribution(block)]
    if len(kept) == len(blocks):
        return False
    edits.replace("system", b"[" + b",".join(kept) + b"]")
    return True


class _Text(msgspec.Struct):
    text: str = ""


def _is_attribution(block: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(block, type=_Text).text.startswith(_ATTRIBUTION)
    except msgspec.DecodeError:
        return False
