"""A cache mark for a request of a client that sends none: without one Messages caches nothing."""

from router.wire.raw.json.splice import Splice

_NEEDLE = b'"cache_control"'
_MARK = b'{"type":"ephemeral"}'
_PARTS = ("tools", "system", "messages")


def mark_cache(splice: Splice) -> bool:
    """Mark the whole request: the provider then caches up to its last block, and finds there what the turn before left.
    False for one that has marks of its own."""
    if "cache_control" in splice or any(_NEEDLE in (splice.raw(name) or b"") for name in _PARTS):
        return False
    splice.put("cache_control", _MARK)
    return True
