"""The habits of a Chat upstream: what a profile says, and how a user says one of them otherwise for a backend."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from router.settings.fields import JSON, Map
from router.settings.kinds import Frozen, InvalidValue

OPENAI_SAMPLING = frozenset(("temperature", "top_p"))
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

ReasoningForm = Literal["reasoning_effort", "openrouter", "thinking_type", "enable_thinking", "chat_template", "none"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One Chat upstream's habits.

    max_tokens_field: where the output limit stands. system_role: role of the system prompt. single_system: only the
    first message may be a system message. tool_images: a tool's result may hold image parts. id_form: rule for ids of
    calls. name_limit: of tool names. strict_tools, parallel_tools, forced_choice, named_choice: fields it takes.
    shapes: kinds of structured output it takes. reasoning: how effort is said; thinkers: expression for the models that
    take it. fixed: for those that take neither sampling parameters nor stop sequences; each '' for none said. efforts:
    values it takes. replay: the field in which it wants its reasoning back, '' for none. sampling: parameters it takes.
    stop_max: stop sequences it takes. prefill: how a last assistant message is continued, '' when it cannot be.
    stream_usage: it must be asked for usage. files, remote_images: content parts it takes. user_field: where the
    caller's user goes, '' for none. empty_content: of an assistant message with calls only; empty_result: of a tool's
    result. alternates: roles must alternate. cache: form of caching marks on parts, '' where they are not taken;
    cachers: expression for the models that take them, '' for all; cache_key: it takes a key for its cache. counts: the
    protocol in which it counts tokens beside its own. max_output_cap: the most tokens it writes, 0 when not known.
    think_tags: its text begins with reasoning between <think> and </think>. buffer_tool_args: calls are passed on when
    they are whole, since their arguments may be no JSON. finish_optional: answers may end without a finish reason.
    usage_excludes_reasoning, usage_excludes_cache: its counts of output and input are without these. prefers: the
    protocol that says more than Chat, where the backend has both. shared: it takes the fields that only OpenAI's two
    protocols have.
    """

    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    system_role: Literal["system", "developer"] = "system"
    single_system: bool = False
    tool_images: bool = False
    id_form: Literal["free", "mistral9"] = "free"
    name_limit: Annotated[int, Meta(ge=16, le=256)] = 64
    strict_tools: bool = True
    parallel_tools: bool = True
    forced_choice: bool = True
    named_choice: bool = True
    shapes: tuple[str, ...] = ("json_schema", "json_object")
    reasoning: ReasoningForm = "reasoning_effort"
    thinkers: str = ""
    fixed: str = ""
    efforts: tuple[str, ...] = EFFORTS
    replay: Literal["", "reasoning_content", "reasoning"] = ""
    sampling: frozenset[str] = OPENAI_SAMPLING
    stop_max: Annotated[int, Meta(ge=0)] = 4
    prefill: Literal["", "continue", "prefix"] = ""
    stream_usage: bool = True
    files: bool = False
    remote_images: bool = True
    user_field: Literal["", "user", "safety_identifier"] = ""
    empty_content: Literal["null", "empty", "omit"] = "null"
    alternates: bool = False
    cache: Literal["", "cache_control", "breakpoint"] = ""
    cachers: str = ""
    cache_key: bool = False
    counts: Literal["", "messages"] = ""
    max_output_cap: Annotated[int, Meta(ge=0)] = 0
    empty_result: str = ""
    think_tags: bool = False
    buffer_tool_args: bool = False
    finish_optional: bool = False
    usage_excludes_reasoning: bool = False
    usage_excludes_cache: bool = False
    prefers: Literal["", "responses"] = ""
    shared: bool = False


#: The flags that a user can override. Expressions on models are not among them: an override holds for every model.
FLAGS = tuple(name for name in Profile.__struct_fields__ if name not in ("thinkers", "fixed", "cachers"))
_EXPECTED = "a table of flags and their values"


def _check_flag(text: str) -> str:
    if text not in FLAGS:
        raise InvalidValue(f"it is no flag; there are {', '.join(FLAGS)}")
    return text


def override(profile: Profile, flags: Mapping[str, Any]) -> Profile:
    """The profile with the user's values of some flags, which were checked when they were read."""
    return msgspec.structs.replace(profile, **flags) if flags else profile


class _Flags(Map, frozen=True):
    """A table of flags, each with a value of its own type."""

    def parse_value(self, value: object) -> Frozen[Any]:
        """The flags as a profile holds them. Raises InvalidValue."""
        return Frozen({name: _convert_flag(name, one) for name, one in super().parse_value(value).items()})


def _convert_flag(name: str, value: object) -> Any:
    try:
        return getattr(msgspec.convert({name: value}, Profile), name)
    except msgspec.ValidationError:
        raise InvalidValue(_describe_type(get_type_hints(Profile)[name]), below=(name,)) from None


def _describe_type(hint: Any) -> str:
    """The values that a flag of that type takes, for an error."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint)).replace("'", '"')
    return {bool: "true or false", int: "a whole number", str: "a text"}.get(hint, "a list of texts")


def _reject_text(_: str) -> Any:
    raise ValueError


PROFILE = _Flags(_EXPECTED, "table", _reject_text, _check_flag, JSON, folds=False)
