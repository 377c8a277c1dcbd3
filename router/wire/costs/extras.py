"""What an answer costs beside its plain tokens: its service tier, searches, tokens of sound and pictures.

Byte patterns with unescaped quotation marks cannot occur inside a JSON string, so that what a model writes is never
taken for one of them. Messages tells all in its usage object
(https://platform.claude.com/docs/en/build-with-claude/usage-and-cost, server_tool_use and service_tier); OpenAI's
protocols have the tier beside the usage, and the calls of hosted tools among the output
(https://platform.openai.com/docs/api-reference/responses/object), Google what was searched for beside the text.
"""

import re
from collections.abc import Callable

import msgspec

from router.ir import Extras, Usage
from router.wire.raw import scan
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Reads what tools of the provider an answer used, from its bytes or those of the events that end a stream.
ToolReader = Callable[[bytes | bytearray], Extras]

_NONE = Extras()
#: Tiers that cost what no tier costs.
STANDARD = ("", "auto", "default", "standard", "standard_only", "on_demand")
_NO_TIER = (None, *STANDARD)
#: Tiers that cost less than the usual one.
CHEAPER = ("flex", "batch", "economy", "slow")
_STANDARD_BYTES = tuple(tier.encode() for tier in STANDARD)
_TIER = re.compile(rb'"service_tier":\s{0,8}"([a-z_0-9]{1,32})"')
_LONGEST_TIER = len('"service_tier":') + 8 + 32 + 2
_TIER_NAME = re.compile("[a-z_0-9]{1,32}")
_SEARCH, _LOOKUP = b'"web_search_call"', b'"file_search_call"'
#: Calls of tools whose cost no answer tells.
_UNCOUNTED = ((b'"code_interpreter_call"', "code interpreter"), (b'"image_generation_call"', "image generation"))


def read_tier(value: object) -> str:
    """The tier as a short name, '' for the standard one and for what is no tier."""
    if not isinstance(value, str):
        return ""
    name = value.lower()
    return name if name not in STANDARD and _TIER_NAME.fullmatch(name) else ""


def read_messages_extras(found: Json, known: Extras | None) -> Extras | None:
    """Those of a Messages usage object: counts in it overwrite the known ones."""
    told, tier, speed = found.get("server_tool_use"), found.get("service_tier"), found.get("speed")
    if not told and tier in _NO_TIER and speed in _NO_TIER:
        return known
    tools = json_values.get_object(found, "server_tool_use")
    tier, speed = read_tier(tier), read_tier(speed)
    if not tools and not tier and not speed:
        return known
    before = known or _NONE
    return _found(
        Extras(
            tier=speed or tier or before.tier,
            searches=json_values.find_count(tools.get("web_search_requests"), before.searches) or 0,
            uncounted="code execution" if _any(tools.get("code_execution_requests")) else before.uncounted,
        )
    )


def read_media(read: Json, written: Json, known: Extras | None) -> Extras | None:
    """Those of the details of a Chat usage object. read, written: the details of the prompt and of the completion."""
    if "audio_tokens" not in read and "audio_tokens" not in written and "image_tokens" not in written:
        return known
    return _found(
        msgspec.structs.replace(
            known or _NONE,
            input_audio=json_values.as_count(read.get("audio_tokens")) or 0,
            output_audio=json_values.as_count(written.get("audio_tokens")) or 0,
            output_image=json_values.as_count(written.get("image_tokens")) or 0,
        )
    )


def count_calls(data: bytes | bytearray) -> Extras:
    """The calls of hosted tools that an answer of Responses lists among its output."""
    if not scan.contains(data, b"_call"):
        return _NONE
    return Extras(
        searches=min(scan.count(data, _SEARCH), json_values.MOST_TOKENS),
        lookups=min(scan.count(data, _LOOKUP), json_values.MOST_TOKENS),
        uncounted=next((name for needle, name in _UNCOUNTED if scan.contains(data, needle)), ""),
    )


def add_extras(usage: Usage, data: bytes | bytearray, read_tools: ToolReader | None) -> Usage:
    """A usage with what a whole answer, or the event that ends a stream, tells beside its usage object. read_tools: of
    the protocol (Needles.tools). It looks through all of the data, several times: what is large is not for the loop."""
    tier = scan.search(_TIER, data, _LONGEST_TIER) if scan.contains(data, b'"service_tier"') else None
    name = "" if tier is None or tier[1] in _STANDARD_BYTES else read_tier(tier[1].decode("ascii"))
    found = _NONE if read_tools is None else read_tools(data)
    return merge_extras(usage, msgspec.structs.replace(found, tier=name) if name else found)


def merge_extras(usage: Usage, found: Extras) -> Usage:
    """A usage with what stood beside its usage object."""
    if found is _NONE or found == _NONE:
        return usage
    known = usage.extras or _NONE
    merged = msgspec.structs.replace(
        known,
        tier=found.tier or known.tier,
        searches=max(known.searches, found.searches),
        lookups=max(known.lookups, found.lookups),
        uncounted=known.uncounted or found.uncounted,
    )
    return msgspec.structs.replace(usage, extras=merged)


def _any(value: object) -> bool:
    return bool(json_values.as_count(value))


def _found(extras: Extras) -> Extras | None:
    return None if extras == _NONE else extras
