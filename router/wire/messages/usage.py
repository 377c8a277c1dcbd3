"""Token counts of Anthropic Messages, read and written."""

from router.ir import Usage
from router.wire.raw import json_values
from router.wire.raw.json_values import Json, first_count


def of_messages(found: Json, old: Usage) -> Usage:
    """Counts of a Messages usage object over those known before: present fields overwrite."""
    details = json_values.object_at(found, "output_tokens_details")
    return Usage(
        first_count(found.get("input_tokens"), old.input),
        first_count(found.get("output_tokens"), old.output),
        first_count(found.get("cache_read_input_tokens"), old.cache_read),
        first_count(found.get("cache_creation_input_tokens"), old.cache_write),
        first_count(details.get("thinking_tokens"), old.reasoning),
    )


def as_messages(usage: Usage) -> Json:
    """All counts that Messages clients need, 0 where nothing is known."""
    found: Json = {
        "input_tokens": usage.input or 0,
        "cache_creation_input_tokens": usage.cache_write or 0,
        "cache_read_input_tokens": usage.cache_read or 0,
        "output_tokens": usage.output or 0,
    }
    if usage.reasoning is not None:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found
