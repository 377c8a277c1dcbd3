"""Token counts of OpenAI Responses, read and written."""

import msgspec

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.costs.charges import read_charge
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_usage(found: Json, known: Usage, profile: Profile) -> Usage:
    """Counts of a Responses usage object; the last one that has any wins.

    input_tokens holds the cached tokens, `Usage.input` does not. All providers of this protocol count
    alike; the profile says whether the charge is in it.
    """
    total, output = json_values.as_count(found.get("input_tokens")), json_values.as_count(found.get("output_tokens"))
    charge = read_charge(found, known.charge, profile)
    if total is None and output is None:
        return known if charge == known.charge else msgspec.structs.replace(known, charge=charge)
    details = json_values.get_object(found, "input_tokens_details")
    read, write = (
        json_values.as_count(details.get("cached_tokens")),
        json_values.as_count(details.get("cache_write_tokens")),
    )
    reasoning = json_values.as_count(json_values.get_object(found, "output_tokens_details").get("reasoning_tokens"))
    uncached = None if total is None else max(0, total - (read or 0) - (write or 0))
    whole = json_values.as_count(found.get("total_tokens"))
    if not reasoning and total is not None and output is not None and (whole or 0) > total + output:
        # Servers in front of Gemini, which has its reasoning in the total alone.
        reasoning = (whole or 0) - total - output
        output = json_values.add_counts(output, reasoning)
    return Usage(uncached, output, read, write, reasoning, charge=charge, extras=known.extras)


def encode_usage(usage: Usage) -> Json:
    """The counts in the form of Responses; its clients require every field."""
    read, write = usage.cache_read or 0, usage.cache_write or 0
    total, output = (usage.input or 0) + read + write, usage.output or 0
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": total + output,
    }
