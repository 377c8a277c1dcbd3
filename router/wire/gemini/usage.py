"""Token counts of Gemini (`usageMetadata`), read and written.

`promptTokenCount` holds the cached tokens and not those of the results of built-in tools; `candidatesTokenCount` does
not hold the thoughts (https://ai.google.dev/api/generate-content#UsageMetadata). A count of 0 is left out. The Gemini
API repeats growing counts in each chunk of a stream, Vertex has them in the last: the last of each field counts.
"""

import json
from typing import cast

import msgspec

from router.ir import Extras, Usage
from router.wire.costs.extras import read_tier
from router.wire.gemini.names import as_count, get
from router.wire.raw import scan
from router.wire.raw.json.json_values import Json, add_counts

_NONE = Extras()
# Vertex names the tier of a request by the traffic it was.
_TRAFFIC = "on_demand_"
#: The lists of counts by the kind of content; a prompt has a handful of kinds.
_DETAILS_LIMIT = 64
_QUERIES, _MODEL = b'"webSearchQueries"', b'"modelVersion"'
# Bytes of the queries of one candidate; candidates and chunks that are read; characters of a model's name.
_QUERIES_LIMIT, _GROUNDINGS_LIMIT, _NAME_LIMIT = 16_384, 32, 64
# Models that are billed by the answer, however many searches it made.
_BY_ANSWER = (b'"gemini-1', b'"gemini-2', b"/gemini-1", b"/gemini-2")
_scanner = json.JSONDecoder(strict=False)


def decode_usage(found: Json, known: Usage) -> Usage:
    """Counts of a `usageMetadata` object: counts in it overwrite the known ones, others stay."""
    extras = _read_extras(found, known.extras)
    prompt, tools = as_count(get(found, "promptTokenCount")), as_count(get(found, "toolUsePromptTokenCount"))
    written, thought = as_count(get(found, "candidatesTokenCount")), as_count(get(found, "thoughtsTokenCount"))
    cached = as_count(get(found, "cachedContentTokenCount"))
    read = known.cache_read if cached is None else cached
    uncached = known.input
    if prompt is not None:
        uncached = add_counts(max(0, prompt - (read or 0)), tools or 0)
    elif cached is not None and known.input is not None:
        uncached = max(0, add_counts(known.input, known.cache_read or 0) - cached)
    reasoning = known.reasoning if thought is None else thought
    output = known.output
    if written is not None:
        output = add_counts(written, reasoning or 0)
    elif thought is not None:
        output = add_counts(max(0, (known.output or 0) - (known.reasoning or 0)), thought)
    elif output is None and prompt is not None:
        # The total tells whether nothing was written or nothing was said of it.
        total = as_count(get(found, "totalTokenCount"))
        output = None if total is None else max(0, total - prompt - (tools or 0))
    return Usage(uncached, output, read, known.cache_write, reasoning, known.cache_write_1h, known.charge, extras)


def encode_usage(usage: Usage) -> Json:
    """The counts in Gemini's form; {} where none is known. Counts of 0 are left out where Google does so."""
    if usage.input is None and usage.output is None and usage.cache_read is None and usage.cache_write is None:
        return {}
    cached, thought = usage.cache_read or 0, usage.reasoning or 0
    prompt = add_counts(add_counts(usage.input or 0, cached), usage.cache_write or 0)
    output = usage.output or 0
    found: Json = {"promptTokenCount": prompt, "candidatesTokenCount": max(0, output - thought)}
    if cached:
        found["cachedContentTokenCount"] = cached
    if thought:
        found["thoughtsTokenCount"] = min(thought, output)
    found["totalTokenCount"] = add_counts(prompt, output)
    return found


def count_searches(data: bytes | bytearray) -> Extras:
    """The searches that an answer was grounded in, as Google bills them: each query, and for models before Gemini 3 the
    answer (https://ai.google.dev/gemini-api/docs/pricing). Chunks and candidates repeat them."""
    queries: set[str] = set()
    at = scan.find(data, _QUERIES)
    for _ in range(_GROUNDINGS_LIMIT):
        if at < 0:
            break
        queries.update(_read_queries(bytes(data[at + len(_QUERIES) : at + _QUERIES_LIMIT])))
        at = scan.find(data, _QUERIES, at + len(_QUERIES))
    if not queries:
        return _NONE
    at = scan.find(data, _MODEL)
    named = bytes(data[at + len(_MODEL) : at + len(_MODEL) + _NAME_LIMIT]) if at >= 0 else b""
    return Extras(searches=1 if any(name in named for name in _BY_ANSWER) else len(queries))


def _read_queries(data: bytes) -> list[str]:
    """The queries of the list that stands behind a name and its colon; a list that is cut off counts as one."""
    begin = data.find(b"[")
    if begin < 0 or data[:begin].strip() != b":":
        return []
    try:
        found: object = _scanner.raw_decode(data[begin:].decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return [""]
    entries = cast("list[object]", found) if isinstance(found, list) else []
    return [one for one in entries if isinstance(one, str) and one]


def _read_extras(found: Json, known: Extras | None) -> Extras | None:
    """What costs another price: the tier, and tokens of sound and pictures."""
    told = get(found, "serviceTier") or get(found, "trafficType")
    tier = read_tier(told.lower().removeprefix(_TRAFFIC) if isinstance(told, str) else None)
    prompt = _count_kinds(get(found, "promptTokensDetails"))
    written = _count_kinds(get(found, "candidatesTokensDetails"))
    if not tier and not prompt.get("AUDIO") and not written.get("AUDIO") and not written.get("IMAGE"):
        return known
    before = known or _NONE
    return msgspec.structs.replace(
        before,
        tier=tier or before.tier,
        input_audio=prompt.get("AUDIO", before.input_audio),
        output_audio=written.get("AUDIO", before.output_audio),
        output_image=written.get("IMAGE", before.output_image),
    )


def _count_kinds(details: object) -> dict[str, int]:
    """The counts of a list of details, by their kind of content in capitals."""
    counts: dict[str, int] = {}
    entries = cast("list[object]", details)[:_DETAILS_LIMIT] if isinstance(details, list) else []
    for entry in entries:
        one = cast("Json", entry) if isinstance(entry, dict) else {}
        kind, count = get(one, "modality"), as_count(get(one, "tokenCount"))
        if isinstance(kind, str) and count is not None:
            counts[kind.upper()] = count
    return counts
