"""Claude Code's billing line in a system prompt: it differs per conversation and spoils the caches of other vendors."""

import msgspec

from router.wire.raw.json.splice import Splice

_ATTRIBUTION = "x-anthropic-billing-header:"
_encode = msgspec.json.encode


class _Text(msgspec.Struct):
    text: str = ""


def strip_attribution(splice: Splice) -> bool:
    """Take the line out; True when there was one."""
    if not splice.may_hold("system", _ATTRIBUTION.encode()) or not splice.is_unique("system"):
        return False
    system = splice.value("system")
    if isinstance(system, str):
        first, _, rest = system.partition("\n")
        if not first.startswith(_ATTRIBUTION):
            return False
        splice.put("system", _encode(rest))
        return True
    try:
        blocks = msgspec.json.decode(splice.raw("system") or b"", type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return False
    kept = [bytes(block) for block in blocks if not _is_attribution(block)]
    if len(kept) == len(blocks):
        return False
    splice.put("system", b"[" + b",".join(kept) + b"]")
    return True


def _is_attribution(block: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(block, type=_Text).text.startswith(_ATTRIBUTION)
    except msgspec.DecodeError:
        return False
