"""Token counts of the toy protocol, read and written."""

from router.ir import Usage
from router.wire.raw.json import json_values

#: Where a usage object begins.
NEEDLES = (b'"meter":{', b'"meter": {')


def decode_usage(found, known):
    """The counts of a `meter`; the last one wins."""
    return Usage(
        json_values.find_count(found.get("seen"), known.input),
        json_values.find_count(found.get("made"), known.output),
    )


def encode_usage(usage):
    """The counts as the toy protocol has them; it knows no cache."""
    read = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    return {"seen": read, "made": usage.output or 0}
