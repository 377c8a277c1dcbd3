"""The fields of Chat answers that are read, or whose loss means nothing to a caller: identifiers, timings, and what a
provider says of its own filters and hosts. Any other field is named as a loss."""

from router.wire.chat.answer import citations
from router.wire.chat.answer.executed_tools import FIELD as EXECUTED
from router.wire.chat.answer.reasoning_details import FIELD

#: Fields of a chunk or a whole answer.
ANSWER = frozenset(
    (
        *("id", "object", "created", "model", "choices", "usage", "error", "type", *citations.FIELDS),
        *("system_fingerprint", "service_tier", "obfuscation", "provider", "x_groq", "usage_breakdown", "timings"),
        *("time_info", "prompt_filter_results", "prompt_token_ids", "request_id", "kv_transfer_params", "__verbose"),
        *("p", "nonce", "status", "metadata", "stats", "runtime_info", "cost", "trace_id"),
    )
)
#: Fields of a choice; of its log probabilities only where they are asked for.
CHOICE = frozenset(
    (
        *("index", "delta", "finish_reason", "native_finish_reason", "stop_reason", "matched_stop", "usage", "error"),
        *("content_filter_results", "content_filter_result", "content_filter_offsets", "token_ids", "seed", "text"),
        *("routed_experts",),
    )
)
CHOICE_WITH_LOGPROBS = CHOICE | {"logprobs"}
#: Fields of a tool call, and of the function in it.
CALL = frozenset(("id", "index", "type", "function", "custom", "extra_content"))
FUNCTION = frozenset(("name", "arguments", "input", "parsed_arguments"))
#: Fields of a delta or a message.
MESSAGE = frozenset(
    (
        *("role", "content", "refusal", "tool_calls", "function_call", "annotations", FIELD, EXECUTED),
        *("reasoning_content", "reasoning"),
        *("name", "prefix", "parsed", "tool_call_id", "token_ids", "padding", "obfuscation", "id", "type"),
    )
)
