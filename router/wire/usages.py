"""Token counts in both spellings (translation.md 3.9)."""

from router.ir import Usage
from router.settings.profile import Profile
from router.wire import base
from router.wire.base import Json

_USUAL = Profile()


def of_chat(found: Json, profile: Profile = _USUAL) -> Usage:
    """Counts of an OpenAI usage object; prompt_tokens holds the cached ones, Usage.input does not."""
    details = base.object_at(found, "prompt_tokens_details")
    written = base.object_at(found, "completion_tokens_details")
    read = _first(details.get("cached_tokens"), found.get("prompt_cache_hit_tokens"), found.get("cached_tokens"))
    write = _first(
        details.get("cache_write_tokens"),
        found.get("cache_creation_input_tokens"),
        details.get("cache_creation_tokens"),
    )
    prompt = base.count(found.get("prompt_tokens"))
    output = base.count(found.get("completion_tokens"))
    reasoning = base.count(written.get("reasoning_tokens"))
    total = base.count(found.get("total_tokens"))
    apart = None not in (prompt, output, total) and total == (prompt or 0) + (output or 0) + (reasoning or 0)
    if reasoning and (apart or profile.usage_excludes_reasoning):
        # Some count reasoning beside the output (xAI).
        output = (output or 0) + reasoning
    cached = 0 if profile.usage_excludes_cache else (read or 0) + (write or 0)
    uncached = None if prompt is None else max(0, prompt - cached)
    return Usage(uncached, output, read, write, reasoning)


def of_messages(found: Json, old: Usage) -> Usage:
    """Counts of a Messages usage object over those known before: present fields overwrite."""
    details = base.object_at(found, "output_tokens_details")
    return Usage(
        _first(found.get("input_tokens"), old.input),
        _first(found.get("output_tokens"), old.output),
        _first(found.get("cache_read_input_tokens"), old.cache_read),
        _first(found.get("cache_creation_input_tokens"), old.cache_write),
        _first(details.get("thinking_tokens"), old.reasoning),
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


def as_chat(usage: Usage) -> Json:
    """The counts as OpenAI has them."""
    read, write = usage.cache_read or 0, usage.cache_write or 0
    prompt, completion = (usage.input or 0) + read + write, usage.output or 0
    found: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
    }
    if usage.reasoning is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found


def _first(*values: object) -> int | None:
    return next((found for value in values if (found := base.count(value)) is not None), None)
