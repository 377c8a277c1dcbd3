"""What a Gemini model takes, by its name.

Sources: Google's pages on thinking, thought signatures and structured outputs (https://ai.google.dev/gemini-api/docs).
A model that is not known is treated as the newest are: what those refuse is most of what any refuses.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec


class Budgets(NamedTuple):
    """How many tokens a model of version 2.5 may think."""

    least: int
    most: int
    #: The budget that turns thinking off, or as far down as it goes.
    off: int


class GeminiModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes."""

    #: Words of `thinkingLevel` in lower case, the weakest first; () where it takes none.
    levels: tuple[str, ...] = ()
    #: True for levels that hold for a model of this name; False for those of the newest.
    named: bool = True
    #: `thinkingBudget`, which stands in place of levels; None where it takes none.
    budgets: Budgets | None = None
    #: temperature, topP and topK.
    sampling: bool = True
    #: The first call of each turn must carry its signature, calls have ids, results may hold images, and a schema of
    #: the answer may stand beside tools: all since version 3.
    signs: bool = True
    #: A system prompt.
    system: bool = True


_LOW = ("low", "medium", "high")
_MINIMAL = ("minimal", *_LOW)
_NEWEST = GeminiModel(levels=_LOW, named=False, sampling=False)
# Behind the protocol may be another vendor's model, or one with a name of the user's.
_UNKNOWN = GeminiModel(levels=_LOW, named=False)
_OLD = GeminiModel(signs=False)


def _second(least: int, most: int, off: int) -> GeminiModel:
    return GeminiModel(budgets=Budgets(least, most, off), signs=False)


def _third(*levels: str, sampling: bool = True) -> GeminiModel:
    return GeminiModel(levels=levels, sampling=sampling)


_MODELS: tuple[tuple[re.Pattern[str], GeminiModel], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), model)
    for pattern, model in (
        (r"gemma", msgspec.structs.replace(_OLD, system=False)),
        (r"learnlm|embedding|(?:^|/)aqa", _OLD),
        (r"gemini-(?:[01]\b|2\b(?!\.5)|exp-|ultra|pro-vision)", _OLD),
        (r"gemini-2\.5-(?:flash|pro)-[\w-]{0,24}(?:image|tts|audio)", _OLD),
        (r"gemini-2\.5-pro", _second(128, 32_768, 128)),
        (r"gemini-2\.5-flash-lite", _second(512, 24_576, 0)),
        (r"gemini-2\.5-flash", _second(1, 24_576, 0)),
        (r"gemini-2\.5", _OLD),
        (r"gemini-3-pro", _third("low", "high")),
        (r"gemini-3\.[1-5]-pro", _third(*_LOW)),
        (r"gemini-3\.5-flash-lite", _third(*_MINIMAL, sampling=False)),
        (r"gemini-3(?:\.[1-5])?-flash", _third(*_MINIMAL)),
        (r"gemini-3\.6-flash", _third(*_MINIMAL, sampling=False)),
        (r"gemini-(?:3\.[6-9]-(?:flash|pro)|flash-latest|4-argon)", _third(*_LOW, sampling=False)),
        (r"gemini-4-hydrogen", _third(*_LOW, "xhigh", sampling=False)),
        (r"gemini", _NEWEST),
    )
)


@lru_cache(maxsize=256)
def find_model(name: str) -> GeminiModel:
    """What a model takes. name: as the upstream knows it, with or without a path in front."""
    return next((model for pattern, model in _MODELS if pattern.search(name)), _UNKNOWN)
