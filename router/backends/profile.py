"""The differences between upstreams of the Chat protocol, and some of those of Gemini's, as flags."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

OPENAI_SAMPLING = frozenset(("temperature", "top_p"))
LOCAL_SAMPLING = OPENAI_SAMPLING | {"top_k"}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

ReasoningForm = Literal["reasoning_effort", "openrouter", "thinking_type", "enable_thinking", "chat_template", "none"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How one upstream's Chat differs from others."""

    #: The field of the output limit.
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
    #: It enforces a JSON schema of the answer where `strict` says so.
    strict_shapes: bool = True
    #: Expression for the models that do, '' for all.
    stricters: str = ""
    #: The subset of JSON Schema it takes: OpenAI's strict mode has one, and all goes without it; Mistral's strict mode
    #: wants closed objects only; Gemini refuses unknown keywords in any schema.
    schemas: Literal["openai", "mistral", "gemini"] = "openai"
    #: It takes `web_search_options`, and searches the web.
    web_search: bool = False
    #: Expression for the models that search, '' for all.
    searchers: str = ""
    #: The tool by which it searches the web for a model that asks for it, '' where it has none: that of OpenAI's
    #: Responses, xAI's form of the same, OpenRouter's or Groq's tool in Chat.
    search_tool: Literal["", "responses", "xai", "openrouter", "browser_search"] = ""
    #: Expression for the models that may have this tool, '' for all.
    tool_searchers: str = ""
    #: The form in which a request states the effort.
    reasoning: ReasoningForm = "reasoning_effort"
    #: Expression for the models that take an effort, '' for all.
    thinkers: str = ""
    #: Expression for the models that take neither sampling parameters nor stop sequences, '' for none.
    fixed: str = ""
    #: Efforts it takes.
    efforts: tuple[str, ...] = EFFORTS
    #: The field in which its reasoning is sent back to it, '' for none.
    replay: Literal["", "reasoning_content", "reasoning"] = ""
    #: Sampling parameters it takes.
    sampling: frozenset[str] = OPENAI_SAMPLING
    #: Number of stop sequences it takes.
    stop_max: Annotated[int, Meta(ge=0)] = 4
    #: How a request asks to continue a last assistant message, '' where that is impossible.
    prefill: Literal["", "continue", "prefix"] = ""
    #: It must be asked for the usage of a stream.
    stream_usage: bool = True
    #: It takes files as content parts.
    files: bool = False
    #: It takes images by their URL.
    remote_images: bool = True
    #: In Gemini's own protocol: it fetches images and documents by their URL; it takes the documented placeholder for
    #: the signature of a call that is lost.
    fetches_urls: bool = True
    skips_signatures: bool = True
    #: The field for the caller's user, '' for none.
    user_field: Literal["", "user", "safety_identifier"] = ""
    #: Content of an assistant message with calls only.
    empty_content: Literal["null", "empty", "omit"] = "null"
    #: Roles must alternate.
    alternates: bool = False
    #: Form of caching marks on parts, '' where they are not taken.
    cache: Literal["", "cache_control", "breakpoint"] = ""
    #: Expression for the models that take caching marks, '' for all.
    cachers: str = ""
    #: It takes `prompt_cache_key`.
    cache_key: bool = False
    #: Seconds that an unused prompt stays in its cache, and the shortest prompt that it caches, in tokens; 0: as it is
    #: documented for the model (cache_rules.py).
    cache_seconds: Annotated[int, Meta(ge=0)] = 0
    cache_minimum: Annotated[int, Meta(ge=0)] = 0
    #: A further protocol in which it counts tokens.
    counts: Literal["", "messages"] = ""
    #: The highest output limit it takes in tokens, 0 when not known.
    max_output_cap: Annotated[int, Meta(ge=0)] = 0
    #: Content that is sent for an empty tool result.
    empty_result: str = ""
    #: Its text begins with reasoning between <think> and </think>.
    think_tags: bool = False
    #: Tool calls are passed on once they are complete, since their arguments may be invalid JSON.
    buffer_tool_args: bool = False
    #: Answers may end without a finish reason.
    finish_optional: bool = False
    #: Its count of output tokens excludes reasoning.
    usage_excludes_reasoning: bool = False
    #: Its count of input tokens excludes cached ones.
    usage_excludes_cache: bool = False
    #: The field of a usage object that says what the request was charged, in US dollars or xAI's ticks; '' where the
    #: provider documents none. It counts in place of a price.
    charge: Literal["", "cost", "cost.total_cost", "cost_in_usd_ticks"] = ""
    #: The protocol to translate to rather than Chat, where the backend speaks both: it can express more.
    prefers: Literal["", "responses", "gemini"] = ""
    #: Tools that it runs itself for a request in Messages: web_search, mcp.
    hosted: frozenset[str] = frozenset()
    #: A web search that a translated request only offers is sent on too. Off by default: agents offer one in every
    #: request, and the provider charges for each search that the model makes.
    offered_search: bool = False
    #: It takes the fields that only OpenAI's two protocols have.
    shared: bool = False
    #: In Responses it compacts a conversation that asks for it, by a last item or at /responses/compact.
    compacts: bool = False


#: For providers that are not known: the behaviour that most servers share.
GENERIC = Profile(sampling=LOCAL_SAMPLING, reasoning="none")
