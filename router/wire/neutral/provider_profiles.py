"""What an upstream accepts for a model.

Of Chat and Responses that depends on the provider, of Messages on the model's name: a Claude takes the same at every
provider, and the servers of other models are third parties.
"""

import re
from typing import Literal

import msgspec

from router.backends.known import known
from router.backends.profile import GENERIC, Profile


def find_profile(vendor: str, model: str = "") -> Profile:
    """The profile of a provider for a model; for an unknown provider one that most servers accept."""
    entry = known(vendor)
    found = (entry.profile if entry is not None else None) or GENERIC
    if entry is not None and entry.hosted:
        found = msgspec.structs.replace(found, hosted=entry.hosted)
    if found.thinkers and not re.search(found.thinkers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, reasoning="none")
    if found.fixed and re.search(found.fixed, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, sampling=frozenset[str](), stop_max=0)
    if found.cachers and not re.search(found.cachers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, cache="")
    if found.stricters and not re.search(found.stricters, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, strict_shapes=False)
    if found.searchers and not re.search(found.searchers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, web_search=False)
    if found.tool_searchers and not re.search(found.tool_searchers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, search_tool="")
    return found


class Claude(msgspec.Struct, frozen=True, kw_only=True):
    """What a model behind Messages accepts."""

    #: temperature, top_p and top_k.
    sampling: bool = True
    #: Adaptive thinking with an effort, in place of a token budget.
    adaptive: bool = False
    #: Values of output_config.effort.
    efforts: tuple[str, ...] = ()
    #: System messages within the conversation.
    inline_system: bool = False
    #: A last assistant message, which the answer continues.
    prefill: bool = True
    #: max_tokens where the caller set no limit; Messages requires one.
    max_output: int = 8192
    #: Schemas that it enforces: output_config.format, and strict tools.
    schemas: bool = True
    #: A tool_choice that forces a call: never, only without thinking, or always.
    forced: Literal["never", "without thinking", "always"] = "without thinking"
    #: How a request turns thinking off; "effort" where nothing does, and the lowest effort comes nearest.
    off: Literal["disabled", "between_tools", "effort"] = "disabled"
    #: Its thinking has a signature, without which it cannot go back. Other servers of the protocol sign nothing.
    signs: bool = True
    #: It thinks unless a request says otherwise, and then wants the thinking of an open tool round back.
    thinks: bool = False


_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)(?:-([a-z]+))?", re.IGNORECASE)
_FAMILIES = re.compile(r"claude|opus|sonnet|haiku|fable|mythos", re.IGNORECASE)
_UNVERSIONED = re.compile(r"claude-(fable|mythos)(?!-?\d)", re.IGNORECASE)
# Models of other vendors that think by default.
_THINKERS = re.compile(r"deepseek|kimi|glm|minimax|qwen|magistral|gpt-oss|think|reason", re.IGNORECASE)
_OLD = Claude()
_OTHER = Claude(signs=False)
_OTHER_THINKER = Claude(signs=False, thinks=True)
# Which models take neither a forced call nor thinking that is turned off, from which version on.
_UNFORCED = {"fable": (5, 1), "mythos": (5, 1), "opus": (5, 5), "sonnet": (5, 5)}
_ALWAYS_THINKING = {"fable": (5, 0), "mythos": (5, 0), "opus": (5, 5)}
_BETWEEN_TOOLS = {"sonnet": (5, 5)}
_NEVER = (99, 0)


def find_claude(model: str) -> Claude:
    """What a model accepts, by its name. An unknown Claude is treated as an old one, which accepts least; a model that
    is no Claude has a third party's server, which signs no thinking."""
    found = _VERSION.search(model)
    if found is None:
        preview = _UNVERSIONED.search(model)
        if preview is not None:
            return _find_version(preview[1].lower(), (5, 0))
        if _FAMILIES.search(model):
            return _OLD
        return _OTHER_THINKER if _THINKERS.search(model) else _OTHER
    return _find_version((found[1] or found[4] or "").lower(), (int(found[2]), int(found[3] or 0)))


def _find_version(family: str, version: tuple[int, int]) -> Claude:
    if version < (4, 0):
        return Claude(max_output=4096 if version < (3, 5) else 8192, schemas=False)
    if version < (4, 6):
        return Claude(max_output=32000, schemas=version >= (4, 5) or (family == "opus" and version >= (4, 1)))
    inline = version >= (5, 5) or (family == "opus" and version >= (4, 8)) or family in ("fable", "mythos")
    off: Literal["disabled", "between_tools", "effort"] = "disabled"
    if version >= _ALWAYS_THINKING.get(family, _NEVER):
        off = "effort"
    elif version >= _BETWEEN_TOOLS.get(family, _NEVER):
        off = "between_tools"
    forced: Literal["never", "without thinking", "always"] = "always" if version >= (4, 8) else "without thinking"
    return Claude(
        sampling=version < (4, 7),
        adaptive=True,
        efforts=("low", "medium", "high", "max") if version < (4, 7) else ("low", "medium", "high", "xhigh", "max"),
        inline_system=inline or (family == "opus" and version >= (5, 0)),
        prefill=False,
        max_output=32000,
        forced="never" if version >= _UNFORCED.get(family, _NEVER) else forced,
        off=off,
    )
