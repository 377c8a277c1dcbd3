"""What upstreams of the Chat protocol do differently, as flags."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

OPENAI_SAMPLING = frozenset(("temperature", "top_p"))
LOCAL_SAMPLING = OPENAI_SAMPLING | {"top_k"}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

ReasoningForm = Literal["reasoning_effort", "openrouter", "thinking_type", "enable_thinking", "chat_template", "none"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The habits of one Chat upstream."""

    #: Where the output limit stands.
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    #: Role of the system prompt.
    system_role: Literal["system", "developer"] = "system"
    #: Only the first message may be a system message.
    single_system: bool = False
    #: A tool's result may hold image parts.
    tool_images: bool = False
    #: Rule for the ids of calls.
    id_form: Literal["free", "mistral9"] = "free"
    #: Longest name of a tool, in characters.
    name_limit: Annotated[int, Meta(ge=16, le=256)] = 64
    #: It takes `strict` of a tool.
    strict_tools: bool = True
    #: It takes `parallel_tool_calls`.
    parallel_tools: bool = True
    #: It takes `tool_choice` required.
    forced_choice: bool = True
    #: It takes a `tool_choice` that names a tool.
    named_choice: bool = True
    #: Kinds of structured output it takes.
    shapes: tuple[str, ...] = ("json_schema", "json_object")
    #: How effort is said.
    reasoning: ReasoningForm = "reasoning_effort"
    #: Expression for the models that take an effort, '' for all.
    thinkers: str = ""
    #: Expression for the models that take neither sampling parameters nor stop sequences, '' for none.
    fixed: str = ""
    #: Efforts it takes.
    efforts: tuple[str, ...] = EFFORTS
    #: The field in which it wants its reasoning back, '' for none.
    replay: Literal["", "reasoning_content", "reasoning"] = ""
    #: Sampling parameters it takes.
    sampling: frozenset[str] = OPENAI_SAMPLING
    #: Number of stop sequences it takes.
    stop_max: Annotated[int, Meta(ge=0)] = 4
    #: How a last assistant message is continued, '' when it cannot be.
    prefill: Literal["", "continue", "prefix"] = ""
    #: It must be asked for the usage of a stream.
    stream_usage: bool = True
    #: It takes files as content parts.
    files: bool = False
    #: It takes images by their URL.
    remote_images: bool = True
    #: Where the caller's user goes, '' for none.
    user_field: Literal["", "user", "safety_identifier"] = ""
    #: Content of an assistant message with calls only.
    empty_content: Literal["null", "empty", "omit"] = "null"
    #: Roles must alternate.
    alternates: bool = False
    #: Form of caching marks on parts, '' where they are not taken.
    cache: Literal["", "cache_control", "breakpoint"] = ""
    #: Expression for the models that take caching marks, '' for all.
    cachers: str = ""
    #: It takes a key for its cache.
    cache_key: bool = False
    #: The protocol in which it counts tokens beside its own.
    counts: Literal["", "messages"] = ""
    #: The most tokens it writes, 0 when not known.
    max_output_cap: Annotated[int, Meta(ge=0)] = 0
    #: Content of a tool's result without any.
    empty_result: str = ""
    #: Its text begins with reasoning between <think> and </think>.
    think_tags: bool = False
    #: Calls are passed on when they are whole, since their arguments may be no JSON.
    buffer_tool_args: bool = False
    #: Answers may end without a finish reason.
    finish_optional: bool = False
    #: Its count of output is without reasoning.
    usage_excludes_reasoning: bool = False
    #: Its count of input is without what the cache holds.
    usage_excludes_cache: bool = False
    #: The protocol that says more than Chat, where the backend has both.
    prefers: Literal["", "responses"] = ""
    #: It takes the fields that only OpenAI's two protocols have.
    shared: bool = False


#: Of a provider that is not known: the habits that most servers share.
GENERIC = Profile(sampling=LOCAL_SAMPLING, reasoning="none")
