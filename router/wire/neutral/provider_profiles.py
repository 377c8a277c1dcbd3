"""Differences between providers of the same protocol, as data.

A profile describes what a Chat or Responses upstream accepts. What a Messages upstream accepts depends on the model's
name instead, since all providers of that protocol serve Claude. Where a provider's documents leave a flag open, it has
the value that fails with an error, and not the one that silently changes the request.
"""

import re

import msgspec

from router.settings.profile import OPENAI_SAMPLING, Profile

LOCAL_SAMPLING = OPENAI_SAMPLING | {"top_k"}

GENERIC = Profile(sampling=LOCAL_SAMPLING, reasoning="none")
_OLLAMA = Profile(
    remote_images=False,
    efforts=("none", "low", "medium", "high"),
    stop_max=16,
    thinkers="gpt-oss|qwen3|deepseek-r1|magistral|think",
)

PROFILES: dict[str, Profile] = {
    "openai": Profile(
        prefers="responses",
        shared=True,
        max_tokens_field="max_completion_tokens",
        system_role="developer",
        files=True,
        user_field="safety_identifier",
        thinkers=r"^(o\d|gpt-([5-9]|oss)|codex)",
        fixed=r"^(o\d|gpt-[5-9](?!.*chat)|codex)",
        cache="breakpoint",
        cachers=r"^gpt-(5\.([6-9]|\d\d)|[6-9])",
        cache_key=True,
    ),
    "groq": Profile(
        max_tokens_field="max_completion_tokens",
        efforts=("none", "low", "medium", "high"),
        user_field="user",
        thinkers="gpt-oss|qwen3",
    ),
    "deepseek": Profile(reasoning="thinking_type", replay="reasoning_content", stop_max=16, shapes=("json_object",)),
    "mistral": Profile(
        id_form="mistral9",
        empty_content="omit",
        alternates=True,
        stream_usage=False,
        reasoning="none",
        prefill="prefix",
        stop_max=16,
    ),
    "xai": Profile(efforts=("low", "high"), user_field="user", thinkers="grok-3-mini"),
    "openrouter": Profile(
        reasoning="openrouter",
        sampling=LOCAL_SAMPLING,
        cache="cache_control",
        files=True,
        replay="reasoning",
        user_field="user",
    ),
    "gemini": Profile(efforts=("none", "minimal", "low", "medium", "high"), stop_max=5, remote_images=False),
    "ollama": _OLLAMA,
    "vllm": Profile(
        sampling=LOCAL_SAMPLING,
        reasoning="chat_template",
        prefill="continue",
        stop_max=16,
        tool_images=True,
        counts="messages",
    ),
    "llamacpp": Profile(
        sampling=LOCAL_SAMPLING,
        reasoning="chat_template",
        single_system=True,
        stop_max=16,
        tool_images=True,
        counts="messages",
    ),
    "lmstudio": Profile(sampling=LOCAL_SAMPLING, reasoning="none", single_system=True, named_choice=False),
    "litellm": Profile(sampling=OPENAI_SAMPLING, cache="cache_control", files=True, user_field="user"),
    "together": Profile(sampling=LOCAL_SAMPLING, efforts=("low", "medium", "high"), thinkers="gpt-oss"),
    "fireworks": Profile(sampling=LOCAL_SAMPLING, user_field="user"),
    "cerebras": Profile(
        max_tokens_field="max_completion_tokens",
        efforts=("low", "medium", "high"),
        remote_images=False,
        thinkers="gpt-oss",
    ),
    "zai": Profile(reasoning="thinking_type", stream_usage=False, stop_max=1, shapes=("json_object",)),
    "moonshot": Profile(reasoning="thinking_type", replay="reasoning_content", stop_max=5),
    "alibaba": Profile(reasoning="enable_thinking", sampling=LOCAL_SAMPLING, cache="cache_control", stop_max=16),
}


def find_profile(vendor: str, model: str = "") -> Profile:
    """The profile of a provider for a model; for an unknown provider one that most servers accept."""
    found = PROFILES.get(vendor, GENERIC)
    if found.thinkers and not re.search(found.thinkers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, reasoning="none")
    if found.fixed and re.search(found.fixed, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, sampling=frozenset[str](), stop_max=0)
    if found.cachers and not re.search(found.cachers, model, re.IGNORECASE):
        found = msgspec.structs.replace(found, cache="")
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
