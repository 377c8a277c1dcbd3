"""Token counts of Anthropic Messages, read and written."""

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.costs.charges import read_charge
from router.wire.costs.extras import read_messages_extras
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_usage(found: Json, known: Usage, profile: Profile) -> Usage:
    """Counts of a Messages usage object: counts in it overwrite the known ones, others stay.

    A stream gives the input counts in message_start and the output counts in message_delta. All providers of this
    protocol count alike; the profile says whether the charge is in it. `cache_creation` splits what was written to the
    cache by its lifetime, as their prices differ: 1.25 times that of input for five minutes, twice for an hour
    (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
    """
    creation = json_values.get_object(found, "cache_creation")
    minutes, hour = (json_values.as_count(creation.get(f"ephemeral_{time}_input_tokens")) for time in ("5m", "1h"))
    parts = None if minutes is None and hour is None else json_values.add_counts(minutes or 0, hour or 0)
    details = json_values.get_object(found, "output_tokens_details")
    return Usage(
        json_values.find_count(found.get("input_tokens"), known.input),
        json_values.find_count(found.get("output_tokens"), known.output),
        json_values.find_count(found.get("cache_read_input_tokens"), known.cache_read),
        json_values.find_count(found.get("cache_creation_input_tokens"), parts, known.cache_write),
        json_values.find_count(details.get("thinking_tokens"), known.reasoning),
        json_values.find_count(hour, known.cache_write_1h) or None,
        read_charge(found, known.charge, profile),
        read_messages_extras(found, known.extras),
    )


def encode_usage(usage: Usage, searches: int = 0) -> Json:
    """All counts that Messages clients require, 0 for unknown ones. searches: how many the answer tells of."""
    found: Json = {
        "input_tokens": usage.input or 0,
        "cache_creation_input_tokens": usage.cache_write or 0,
        "cache_read_input_tokens": usage.cache_read or 0,
        "output_tokens": usage.output or 0,
    }
    if usage.cache_write_1h is not None:
        hour = min(usage.cache_write_1h, usage.cache_write or 0)
        found["cache_creation"] = {
            "ephemeral_5m_input_tokens": (usage.cache_write or 0) - hour,
            "ephemeral_1h_input_tokens": hour,
        }
    if usage.reasoning is not None:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if searches:
        found["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return found
