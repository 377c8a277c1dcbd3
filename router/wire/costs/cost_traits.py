"""What a request says of its cost before it is sent: the limit of its output, its tier, tools that are billed apart."""

import functools
import re
from typing import NamedTuple, cast

from router.wire.calls import Call
from router.wire.costs.extras import CHEAPER, read_tier
from router.wire.protocols import COMPLETIONS, EMBEDDINGS
from router.wire.raw.json.json_values import MOST_TOKENS, Json, as_count
from router.wire.raw.json.top_level import Top
from router.wire.raw.whole_numbers import parse_whole

#: Web searches that are expected of a request that allows them without a bound of its own.
TYPICAL_SEARCHES = 10
_MOST_CHOICES = 10_000
# Where a request names its service tier: OpenAI's and Anthropic's name, and Google's.
_TIERS = ("service_tier", "serviceTier")
_MOST_SEARCHES = 1000
# Tools that the provider runs, by the beginning of their type.
_SEARCH = "web_search"
_UNCOUNTED = {
    "code_interpreter": "the tool code_interpreter",
    "image_generation": "the tool image_generation",
    "code_execution": "the tool code_execution",
    "shell": "the tool shell",
}
# Google's tools name themselves by a field. It bills searches of the web and of maps. An answer tells its queries of
# the web; those for enterprises have a price of their own.
_OF_GOOGLE = {
    **dict.fromkeys(("googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval"), ""),
    **dict.fromkeys(("enterpriseWebSearch", "enterprise_web_search"), "the tool enterprise web search"),
    **dict.fromkeys(("googleMaps", "google_maps"), "the tool google maps"),
}
# A list of tools without any of these needs no decoding. An escape may spell each of them.
_TOOLS = re.compile(rb"web_search|code_interpreter|image_generation|code_execution|[wW]ebSearch|google|\"shell\"|\\u")
# Decoding more of them would delay every stream.
_TOOLS_LIMIT = _PROMPT_LIMIT = 1 << 20
# Between two texts of a list: inside a text, quotation marks are escaped.
_BETWEEN = re.compile(rb'",\s{0,16}"')
# The limit of the output on paths of no protocol.
_CAPS = ("max_tokens",)
# Models that search the web for each request, and do not tell how often.
_SEARCHERS = re.compile(r"-search-(?:preview|api)|^sonar|/sonar")


class CostTraits(NamedTuple):
    """Of a request to a model."""

    #: The tokens that all answers together may have, as the request says; None where it does not.
    output: int | None = None
    #: Answers that it asks for.
    choices: int = 1
    #: Web searches that are expected.
    searches: int = 0
    #: The service tier or speed, '' for the usual one and for cheaper ones.
    tier: str = ""
    #: The answer is sound.
    audio: bool = False
    #: The longest that its input may stay in a cache: `5m`, `1h`, '' where it names no caching.
    cached: str = ""
    #: In words, something in it whose cost no answer tells; '' for nothing.
    uncounted: str = ""

    def describe_unpriced(self) -> str:
        """In words, what of the request may have no price though its model has one."""
        return f"the service tier {self.tier}" if self.tier else "sound"


NO_COST_TRAITS = CostTraits()


def read_limit(call: Call, top: Top | None) -> int | None:
    """The tokens that all answers of a request together may have, None where it does not say."""
    if top is None:
        return None
    limit = 0
    for name in call.entry.output_caps or _CAPS:
        # Of two names the upstream may know either, so that the higher limit may hold.
        found = _read_whole(top, name)
        limit = found if found > limit else limit
    if not limit:
        return None
    if call.entry is COMPLETIONS or not _first_names(call.entry.choices).isdisjoint(top):
        limit *= _count_choices(call, top)
    return limit if limit < MOST_TOKENS else MOST_TOKENS


@functools.cache
def _first_names(dotted: tuple[str, ...]) -> frozenset[str]:
    """The fields of the top level in which these stand. dotted: as the entry of a protocol has them."""
    return frozenset(name.partition(".")[0] for name in dotted)


def read_cost_traits(call: Call, top: Top | None, body: bytes, caps: tuple[int, ...] = ()) -> CostTraits:
    """What a request says of its cost. body: the whole of it. caps: limits of the output that are set elsewhere."""
    if call.entry is EMBEDDINGS:
        return CostTraits(output=0)
    if top is None:
        return NO_COST_TRAITS
    limit, choices = read_limit(call, top), _count_choices(call, top)
    bounds = [bound * choices for bound in caps if bound]
    if bounds:
        limit = min(bounds) if limit is None else min(limit, *bounds)
    searches, uncounted = _read_tools(top)
    if "web_search_options" in top or _SEARCHERS.search(str(top.value("model") or "")):
        searches, uncounted = max(1, searches), uncounted or "web searches in Chat"
    if "background" in top and top.value("background") is True:
        uncounted = "an answer in the background (background = true)"
    return CostTraits(
        output=limit,
        choices=choices,
        searches=searches,
        tier=_read_tier(top),
        audio="modalities" in top and "audio" in str(top.value("modalities")),
        cached="" if b'"cache_control"' not in body else "1h" if b'"1h"' in body else "5m",
        uncounted=uncounted,
    )


def _read_tier(top: Top) -> str:
    speed = read_tier(top.value("speed")) if "speed" in top else ""
    tier = speed or next((read_tier(top.value(name)) for name in _TIERS if name in top), "")
    # Whether an answer was that cheap is for the answer to tell.
    return "" if tier in CHEAPER else tier


def _count_choices(call: Call, top: Top) -> int:
    count = max(1, *(_read_whole(top, name) for name in call.entry.choices))
    if call.entry is COMPLETIONS:
        count = max(count, _read_whole(top, "best_of"))
        count *= _count_prompts(top)
    return min(count, _MOST_CHOICES)


def _count_prompts(top: Top) -> int:
    """The prompts of a request in the protocol before Chat, each of which has an answer."""
    raw = top.raw("prompt") or b""
    if raw[:1] != b"[":
        return 1
    if len(raw) > _PROMPT_LIMIT:
        is_lists = raw[1:64].lstrip()[:1] == b"["
        return max(1, raw.count(b"[") - 1) if is_lists else 1 + sum(1 for _ in _BETWEEN.finditer(raw))
    prompts = cast("list[object]", top.value("prompt"))
    # Numbers are the tokens of one prompt.
    return len(prompts) if prompts and not isinstance(prompts[0], int | float) else 1


def _read_whole(top: Top, name: str) -> int:
    """A whole number of tokens or answers, 0 for anything else. name: dotted where it stands below the top level."""
    name, _, inner = name.partition(".")
    raw = top.raw(name)
    if raw is None:
        return 0
    if raw.isdigit() and len(raw) < 19:
        return min(int(raw), MOST_TOKENS)
    value = top.value(name)
    below = inner.split(".") if inner else ()
    for step in below:
        value = cast("Json", value).get(step) if isinstance(value, dict) else None
    if below and isinstance(value, str):
        value = parse_whole(value, 0, MOST_TOKENS)  # Google's servers read numbers in texts too
    if isinstance(value, float) and 0 < value < float("inf"):
        return int(min(value, MOST_TOKENS))
    # A larger number may be a limit too: that of the model.
    return MOST_TOKENS if type(value) is int and value > MOST_TOKENS else as_count(value) or 0


def _read_tools(top: Top) -> tuple[int, str]:
    """The web searches that the tools allow, and in words the first tool whose cost no answer tells."""
    raw = top.raw("tools")
    if raw is None or _TOOLS.search(raw) is None:
        return 0, ""
    if len(raw) > _TOOLS_LIMIT:
        return TYPICAL_SEARCHES, "tools of over 1 MiB"
    tools = top.value("tools")
    searches, uncounted = 0, ""
    for entry in cast("list[object]", tools) if isinstance(tools, list) else ():
        tool = cast("Json", entry) if isinstance(entry, dict) else {}
        kind = str(tool.get("type") or "")
        if kind.startswith(_SEARCH):
            searches = min(searches + (as_count(tool.get("max_uses")) or TYPICAL_SEARCHES), _MOST_SEARCHES)
        of_google = next((_OF_GOOGLE[name] for name in tool if name in _OF_GOOGLE), None)
        if of_google is not None:
            searches = min(searches + TYPICAL_SEARCHES, _MOST_SEARCHES)
            uncounted = uncounted or of_google
        uncounted = uncounted or next((name for start, name in _UNCOUNTED.items() if kind.startswith(start)), "")
    return searches, uncounted
