"""What an upstream takes from a model: of Chat as its provider has it, of Messages by the model's name alone, since all
providers of that protocol serve the same family."""

import re

import msgspec

from router.backends.known import known
from router.backends.profile import GENERIC, Profile


def profile_of(vendor: str, model: str = "") -> Profile:
    """The habits of a known provider towards a model; of an unknown provider those that most servers share."""
    entry = known(vendor)
    found = (entry.profile if entry is not None else None) or GENERIC
    if found.thinkers and not re.search(found.thinkers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, reasoning="none")
    if found.fixed and re.search(found.fixed, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, sampling=frozenset[str](), stop_max=0)
    if found.cachers and not re.search(found.cachers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, cache="")
    return found


class Claude(msgspec.Struct, frozen=True, kw_only=True):
    """What a Claude model takes. sampling: temperature and its like. adaptive: effort in place of a budget. efforts:
    values of output_config.effort. inline_system: system messages within the conversation. prefill: a last assistant
    message. max_output: tokens asked for when the caller set no limit."""

    sampling: bool = True
    adaptive: bool = False
    efforts: tuple[str, ...] = ()
    inline_system: bool = False
    prefill: bool = True
    max_output: int = 8192


_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)(?:-([a-z]+))?", re.IGNORECASE)
_OLD = Claude()


def claude_of(model: str) -> Claude:
    """What a model takes by its name; a name that is no Claude's is taken for an old one: least is assumed."""
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
