"""What an upstream accepts for a model.

Of Chat and Responses that depends on the provider, of Messages on the model's name alone, since all providers of that
protocol serve Claude.
"""

import re

import msgspec

from router.backends.known import known
from router.backends.profile import GENERIC, Profile


def find_profile(vendor: str, model: str = "") -> Profile:
    """The profile of a provider for a model; for an unknown provider one that most servers accept."""
    entry = known(vendor)
    found = (entry.profile if entry is not None else None) or GENERIC
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
    return found


class Claude(msgspec.Struct, frozen=True, kw_only=True):
    """What a Claude model accepts."""

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


_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)(?:-([a-z]+))?", re.IGNORECASE)
_OLD = Claude()


def find_claude(model: str) -> Claude:
    """What a model accepts, by its name; an unknown name is treated as an old Claude, which accepts least."""
    found = _VERSION.search(model)
    if found is None:
        return _OLD
    family = (found[1] or found[4] or "").lower()
    version = (int(found[2]), int(found[3] or 0))
    if version < (4, 0):
        return Claude(max_output=4096 if version < (3, 5) else 8192)
    if version < (4, 6):
        return Claude(max_output=32000)
    inline = version >= (5, 5) or (family == "opus" and version >= (4, 8)) or family in ("fable", "mythos")
    return Claude(
        sampling=version < (4, 7),
        adaptive=True,
        efforts=("low", "medium", "high", "max") if version < (4, 7) else ("low", "medium", "high", "xhigh", "max"),
        inline_system=inline or (family == "opus" and version >= (5, 0)),
        prefill=False,
        max_output=32000,
    )
