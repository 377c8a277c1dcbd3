"""Token counts of OpenAI Chat Completions, read and written."""

import msgspec

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.costs.charges import read_charge
from router.wire.costs.extras import read_media
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_usage(found: Json, known: Usage, profile: Profile) -> Usage:
    """Counts of a Chat usage object; the last one that has any wins.

    prompt_tokens holds the cached tokens, `Usage.input` does not; completion_tokens holds the reasoning, as
    `Usage.output` does. A provider that counts otherwise is recognised by its profile, or by its total.
    """
    hit, missed = (json_values.as_count(found.get(f"prompt_cache_{name}_tokens")) for name in ("hit", "miss"))
    prompt = json_values.as_count(found.get("prompt_tokens"))
    if prompt is None and hit is not None and missed is not None:
        prompt = json_values.add_counts(hit, missed)
    output = json_values.as_count(found.get("completion_tokens"))
    charge = read_charge(found, known.charge, profile)
    if prompt is None and output is None:
        return known if charge == known.charge else msgspec.structs.replace(known, charge=charge)
    details = json_values.get_object(found, "prompt_tokens_details")
    read = json_values.find_count(details.get("cached_tokens"), hit, found.get("cached_tokens"))
    write = json_values.find_count(
        details.get("cache_write_tokens"),
        found.get("cache_creation_input_tokens"),
        details.get("cache_creation_tokens"),
    )
    hour = json_values.get_object(details, "cache_creation_token_details").get("ephemeral_1h_input_tokens")
    written = json_values.get_object(found, "completion_tokens_details")
    reasoning = json_values.as_count(written.get("reasoning_tokens"))
    cached = (read or 0) + (write or 0)
    beside = _read_rest(found, prompt, output)
    cache_apart = profile.usage_excludes_cache or (cached > 0 and beside in (cached, cached + (reasoning or 0)))
    if cache_apart:
        beside = max(0, beside - cached)
    if reasoning and (beside == reasoning or profile.usage_excludes_reasoning):
        # Some providers count reasoning apart from the output (xAI).
        output = json_values.add_counts(output or 0, reasoning)
    elif beside and not reasoning:
        # Some count it in the total alone (Gemini).
        reasoning, output = beside, json_values.add_counts(output or 0, beside)
    uncached = None if prompt is None else max(0, prompt - (0 if cache_apart else cached))
    extras = read_media(details, written, known.extras)
    return Usage(uncached, output, read, write, reasoning, json_values.as_count(hour) or None, charge, extras)


def _read_rest(found: Json, prompt: int | None, output: int | None) -> int:
    """How many tokens the total has beside those of the prompt and the completion; 0 where one of them is missing."""
    total = json_values.as_count(found.get("total_tokens"))
    return 0 if prompt is None or output is None or total is None else max(0, total - prompt - output)


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
    if usage.cache_write_1h is not None:
        hour = min(usage.cache_write_1h, write)
        lifetimes: Json = {"ephemeral_5m_input_tokens": write - hour, "ephemeral_1h_input_tokens": hour}
        json_values.get_object(found, "prompt_tokens_details")["cache_creation_token_details"] = lifetimes
    if usage.reasoning is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found
