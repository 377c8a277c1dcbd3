"""The errors by which providers refuse a request that is too long for its model, and those that only sound like it."""

from typing import NamedTuple

from router.ir.overflow import Overflow


class Wording(NamedTuple):
    """An error of a provider."""

    status: int
    #: The body, without the form of Anthropic's API around it.
    body: object
    #: What its numbers say.
    numbers: Overflow = Overflow()


def said(message, status=400, *, numbers=None, **error):
    """An error in OpenAI's form."""
    return Wording(status, {"error": {"message": message, **error}}, Overflow(**(numbers or {})))


INVALID = {"type": "invalid_request_error"}
CODE = {**INVALID, "code": "context_length_exceeded"}
#: Provider -> its error.
WORDINGS = {
    "anthropic": said(
        "prompt is too long: 213462 tokens > 200000 maximum",
        numbers={"input": 213462, "max_input": 200000},
        **INVALID,
    ),
    "anthropic, output": said(
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or "
        "`max_tokens` and try again",
        numbers={"input": 188240, "output": 21333, "window": 200000},
        **INVALID,
    ),
    "bedrock": said("Input is too long for requested model."),
    "bedrock, short": said("Input is too long.", **INVALID),
    "openai": said(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please "
        "reduce the length of the messages.",
        numbers={"input": 9001, "window": 8192},
        param="messages",
        **CODE,
    ),
    "openai, responses": said(
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param="input",
        **CODE,
    ),
    "openai, input": said(
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300123 tokens. Please "
        "reduce the length of the messages.",
        numbers={"input": 300123, "max_input": 272000},
        **CODE,
    ),
    "openai, older": said(
        "This model's maximum context length is 4097 tokens, however you requested 4500 tokens (4000 in your prompt; "
        "500 for the completion). Please reduce your prompt; or completion length.",
        numbers={"input": 4000, "output": 500, "total": 4500, "window": 4097},
        **INVALID,
    ),
    "azure": said(
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens "
        "(130000 in the messages, 1072 in the functions). Please reduce the length of the messages or functions.",
        numbers={"input": 131072, "window": 128000},
        param="messages",
        **CODE,
    ),
    "vllm": said(
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (36000 in the "
        "messages, 4000 in the completion). Please reduce the length of the messages or completion.",
        numbers={"input": 36000, "output": 4000, "total": 40000, "window": 32768},
        type="BadRequestError",
        code=400,
    ),
    "vllm, newer": said(
        "You passed 40001 input tokens and requested 4096 output tokens. However, the model's context length is only "
        "32768 tokens, resulting in a maximum input length of 28672 tokens. Please reduce the length of the input "
        "prompt. (parameter=input_tokens, value=40001)",
        numbers={"input": 40001, "output": 4096, "window": 32768},
        type="BadRequestError",
        code=400,
    ),
    "vllm, newest": said(
        "This model's maximum context length is 32768 tokens. However, you requested 4096 output tokens and your "
        "prompt contains at least 28673 input tokens, for a total of at least 32769 tokens.",
        numbers={"input": 28673, "output": 4096, "window": 32768},
        type="BadRequestError",
        code=400,
    ),
    "vllm, older": said(
        "The decoder prompt (length 36000) is longer than the maximum model length of 32768. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        numbers={"input": 36000, "window": 32768},
        type="BadRequestError",
    ),
    "sglang": said(
        "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of "
        "40000 tokens: 36000 tokens from the input messages and 4000 tokens for the completion.",
        numbers={"input": 36000, "output": 4000, "total": 40000, "window": 32768},
    ),
    "together": said(
        "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
        numbers={"input": 40000, "window": 32768},
        **INVALID,
    ),
    "together, older": said(
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 131073. Given: 140000 `inputs` tokens "
        "and 4096 `max_new_tokens`",
        422,
        numbers={"input": 140000, "output": 4096, "window": 131073},
        type="invalid_request_error",
        param="max_tokens",
    ),
    "hugging face": said(
        "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
        422,
        numbers={"input": 5000, "max_input": 4096},
    ),
    "llama.cpp": said(
        "the request exceeds the available context size, try increasing it",
        type="exceed_context_size_error",
        code=400,
        n_prompt_tokens=9000,
        n_ctx=4096,
        numbers={"input": 9000, "window": 4096},
    ),
    "llama.cpp, newer": said(
        "request (9001 tokens) exceeds the available context size (4096 tokens), try increasing it",
        type="exceed_context_size_error",
        code=400,
        numbers={"input": 9001, "window": 4096},
    ),
    "llama.cpp, older": said("the request exceeds the available context size.", 500, type="server_error"),
    "ollama": said("the input length exceeds the context length", **INVALID),
    "ollama, cloud": said("prompt too long; exceeded max context length by 1119046 tokens (ref: 9)", code=None),
    "ollama, own form": Wording(400, {"error": "the input length exceeds the context length"}),
    "lm studio": said(
        "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 20000>= "
        "n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input.",
        numbers={"input": 20000, "window": 4096},
    ),
    "lm studio, other": said(
        "Trying to keep the first 23000 tokens when context the overflows. However, the model is loaded with context "
        "length of only 4096 tokens, which is not enough.",
        numbers={"input": 23000, "window": 4096},
    ),
    "lm studio, own form": Wording(400, {"error": "The number of tokens is greater than the context length"}),
    "gemini": Wording(
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (1196265) exceeds the maximum number of tokens allowed "
                    "(1048575).",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        Overflow(input=1196265, max_input=1048575),
    ),
    "mistral": Wording(
        400,
        {
            "object": "error",
            "message": "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_prompt",
            "param": None,
            "code": "3051",
        },
        Overflow(input=65673, window=32768),
    ),
    "deepseek": said(
        "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens (1250020 in the "
        "messages, 5 in the completion). Please reduce the length of the messages or completion.",
        numbers={"input": 1250020, "output": 5, "total": 1250025, "window": 1048565},
        type="invalid_request_error",
        code="invalid_request_error",
    ),
    "openrouter": said(
        "This endpoint's maximum context length is 200000 tokens. However, you requested about 2500021 tokens "
        '(2500000 of text input, 21 in the output). Please reduce the length of either one, or use the "middle-out" '
        "transform to compress your prompt automatically.",
        numbers={"input": 2500000, "output": 21, "total": 2500021, "window": 200000},
        code=400,
    ),
    "openrouter, of a provider": said(
        "Provider returned error",
        code=400,
        metadata={
            "raw": '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 213462 '
            'tokens > 200000 maximum"}}',
            "provider_name": "Anthropic",
        },
        numbers={"input": 213462, "max_input": 200000},
    ),
    "openrouter, poolside": said(
        "Input length 140000 exceeds the maximum allowed input length of 131072 tokens.",
        code=400,
        numbers={"input": 140000, "max_input": 131072},
    ),
    "fireworks": said(
        "The prompt is too long: 140000, model maximum context length: 131071",
        type="invalid_request_error",
        code="invalid_request_error",
        numbers={"input": 140000, "window": 131071},
    ),
    "cerebras": Wording(
        400,
        {
            "message": "Please reduce the length of the messages or completion. Current length is 9000 while limit is "
            "8192",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
        Overflow(input=9000, window=8192),
    ),
    "groq": said("Please reduce the length of the messages or completion.", param="messages", **CODE),
    "groq, no code": said("Please reduce the length of the messages or completion.", **INVALID),
    "xai": Wording(
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
        Overflow(input=537812, max_input=131072),
    ),
    "z.ai": said("Prompt exceeds max length", code="1261"),
    "z.ai, other": said("Prompt too long", code="1261"),
    "moonshot": said(
        "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)",
        numbers={"input": 9000, "window": 8192},
        **INVALID,
    ),
    "alibaba": said(
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 258048]",
        type="invalid_parameter_error",
        code="invalid_parameter_error",
        numbers={"max_input": 258048},
    ),
    "minimax": said("invalid params, context window exceeds limit (2013)", type="bad_request_error"),
    "copilot": said(
        "prompt token count of 135000 exceeds the limit of 128000",
        code="model_max_prompt_tokens_exceeded",
        numbers={"input": 135000, "max_input": 128000},
    ),
    "perplexity": said("The total length of all messages is too long.", type="too_many_prompt_tokens", code=400),
    "cohere": Wording(
        400,
        {
            "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4682. Try "
            "using a shorter prompt, or enable prompt truncation."
        },
        Overflow(input=4682, max_input=4081),
    ),
    "ds4": said(
        "Prompt has 40,000 tokens, but the configured context size is 32,768 tokens",
        numbers={"input": 40000, "window": 32768},
    ),
    "litellm": said(
        "litellm.ContextWindowExceededError: Context Window exceeded for given call. No context window fallback group "
        "found.",
        type=None,
        code="400",
    ),
    "a server of its own words": Wording(422, {"detail": "The conversation exceeds the maximum context length."}),
    "a 413": said("Prompt exceeds max length", 413),
}
#: Errors about something else: status, message.
OTHERS = {
    "groq, the rate of a minute": (
        413,
        "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your "
        "message size. Please reduce the length of the messages.",
    ),
    "bedrock, a throttle": (400, "Too many tokens, please wait before trying again."),
    "bedrock, a throttle of a day": (400, "Too many tokens per day, please wait before trying again."),
    "a throttle that names the context": (400, "ThrottlingException: exceeds the context window quota, rate limited"),
    "an output limit": (
        400,
        "max_tokens is too large: 99999. This model supports at most 16384 completion tokens; its maximum context "
        "length is 128000.",
    ),
    "both output limits": (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 40000. This model's maximum context length is 32768 "
        "tokens and your request has 500 input tokens.",
    ),
    "a 429": (429, "This request would exceed your limit: prompt is too long for your tier"),
    "a string": (400, "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576."),
    "a wrong field": (400, "context_length must be a number"),
    "no text": (400, ""),
}
