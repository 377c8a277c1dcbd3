"""Token counts of OpenAI Chat Completions, read and written."""

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.neutral.charges import read_charge
from router.wire.raw import json_values
from router.wire.raw.json_values import Json


def decode_usage(found: Json, known: Usage, profile: Profile) -> Usage:
    """Counts of a Chat usage object; the last one that has any wins.

    prompt_tokens holds the cached tokens, `Usage.input` does not; completion_tokens holds the reasoning, as
    `Usage.output` does. A provider that counts otherwise is recognised by its profile, or by its total.
    """
    prompt = json_values.as_count(found.get("prompt_tokens"))
    output = json_values.as_count(found.get("completion_tokens"))
    if prompt is None and output is None:
        return known
    details = json_values.get_object(found, "prompt_tokens_details")
    written = json_values.get_object(found, "completion_tokens_details")
    read = json_values.find_count(
        details.get("cached_tokens"), found.get("prompt_cache_hit_tokens"), found.get("cached_tokens")
    )
    write = json_values.find_count(
        details.get("cache_write_tokens"),
        found.get("cache_creation_input_tokens"),
        details.get("cache_creation_tokens"),
    )
    reasoning = json_values.as_count(written.get("reasoning_tokens"))
    total = json_values.as_count(found.get("total_tokens"))
    apart = None not in (prompt, output, total) and total == (prompt or 0) + (output or 0) + (reasoning or 0)
    if reasoning and (apart or profile.usage_excludes_reasoning):
        # Some providers count reasoning apart from the output (xAI).
        output = (output or 0) + reasoning
    cached = 0 if profile.usage_excludes_cache else (read or 0) + (write or 0)
    uncached = None if prompt is None else max(0, prompt - cached)
    return Usage(uncached, output, read, write, reasoning, charge=read_charge(found, known.charge, profile))


def find_usage(data: Json, choice: Json) -> Json:
    """The usage object of a whole Chat answer or of a chunk, {} when it holds none. choice: its first choice, or {}.

    It is a member of the body, of the choice (Moonshot) or of x_groq (Groq).
    """
    found = data.get("usage") or choice.get("usage")
    if not found and "x_groq" in data:
        found = json_values.get_object(data, "x_groq").get("usage")
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def encode_usage(usage: Usage) -> Json:
    """The counts in OpenAI's form."""
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
