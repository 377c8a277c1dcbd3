"""For how long providers keep a prompt in their caches, and from which length on, as they document it.

Sources: Anthropic's page on prompt caching, LiteLLM's `prompt_cache_min_tokens`, the docstrings of OpenAI's SDK
(`prompt_cache_options`), Google's page on context caching. Others document neither: 0 stands for unknown.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec

HOUR, DAY = 3600, 86_400


class CacheRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of a model's cache."""

    #: Seconds that an unused entry stays at least, counted from the start of a request; 0 where it is not known.
    seconds: int = 0
    #: The same for an entry that was asked to stay for longer; 0 where that cannot be asked for.
    longer: int = 0
    #: The shortest prompt that is cached, in tokens; 0 where it is not known.
    minimum: int = 0
    #: Only what stands before a mark is cached.
    marked: bool = False
    #: How many content blocks before a mark an earlier entry is looked for; 0 for any number.
    lookback: int = 0
    #: The most marks of one request; 0 for any number.
    marks: int = 0


class SeenLifetime(NamedTuple):
    """For how long a model's cache was seen to keep a prompt, in seconds."""

    #: The longest time after which it was still there; 0 for none that tells anything.
    kept: int
    #: The shortest time after which it was gone though nothing had changed; 0 for none. More than `kept`.
    dropped: int
    #: When one of them was seen last, in seconds since 1970.
    at: float


def _claude(minimum: int) -> CacheRule:
    return CacheRule(seconds=300, longer=HOUR, minimum=minimum, marked=True, lookback=20, marks=4)


_RULES: tuple[tuple[re.Pattern[str], CacheRule], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), rule)
    for pattern, rule in (
        (r"(?:opus|sonnet|haiku)-5[.-]5|opus-5|fable|mythos", _claude(512)),
        (r"opus-4[.-][56]|haiku-4[.-]5", _claude(4096)),
        (r"opus-4[.-]7|haiku-3", _claude(2048)),
        (r"claude|opus|sonnet|haiku", _claude(1024)),
        (r"gpt-(?:5\.(?:[6-9]|\d\d)|[6-9]|\d\d)", CacheRule(seconds=1800, longer=12 * HOUR, minimum=1024)),
        (r"gpt-oss", CacheRule()),
        (r"gpt-|chatgpt|codex|(?:^|/)o\d", CacheRule(seconds=300, longer=DAY, minimum=1024)),
        (r"gemini-2", CacheRule(minimum=2048)),
        (r"gemini-[3-9]", CacheRule(minimum=4096)),
    )
)
_UNKNOWN = CacheRule()


@lru_cache(maxsize=256)
def find_cache_rule(model: str, seconds: int = 0, minimum: int = 0) -> CacheRule:
    """The rule of a model, by its name. seconds, minimum: what holds in place of the documented values, 0 for them."""
    rule = next((rule for pattern, rule in _RULES if pattern.search(model)), _UNKNOWN)
    return msgspec.structs.replace(rule, seconds=seconds or rule.seconds, minimum=minimum or rule.minimum)
