"""Recognises the error of a request that is too long for its model, in the words of every provider.

Clients shorten a conversation only when they read the words of the API they speak: Claude Code looks for `prompt is too
long`, Codex for the code `context_length_exceeded`. Matching is linear: a bounded beginning of the text is searched
with patterns that repeat a bounded number of times.
"""

import re

#: The code that OpenAI's protocols have for it.
CODE = "context_length_exceeded"
#: What the message begins with in Anthropic's protocol.
PHRASE = "prompt is too long"
#: Characters of a message that are searched.
_READ_LIMIT = 4096

#: Codes and types that mean nothing else.
_CODES = frozenset(
    (
        CODE,
        "context_window_exceeded",
        "max_context_length_exceeded",
        "too_many_prompt_tokens",  # Perplexity
        "exceed_context_size_error",  # llama.cpp
        "model_max_prompt_tokens_exceeded",  # GitHub Copilot
        "1261",  # Z.ai
    )
)
#: Provider -> what its message says, in lower case.
_WORDINGS: dict[str, str] = {
    "Anthropic": r"prompt is too long|input length and .{0,12}max_tokens.{0,4} exceed context limit",
    "Amazon Bedrock": r"input is too long",
    "OpenAI": r"exceeds? the context window|input tokens exceed the configured limit",
    "OpenAI, vLLM, DeepSeek, OpenRouter, Novita": r"maximum context length (?:is|of) \d|model's context length is only",
    "vLLM, older": r"prompt \(length \d{1,12}\) is longer than the maximum model length",
    "SGLang": r"longer than the model's context length|exceeds the model's maximum context length",
    "llama.cpp": r"exceeds? the available context size",
    "LM Studio": r"greater than the context length|loaded with context length of only|context the overflows",
    "Ollama": r"exceeded max context length|input length exceeds the (?:maximum )?context length|prompt too long",
    "Perplexity": r"total length of all messages is too long",
    "Mistral": r"too large for model with \d{1,12} maximum context length",
    "Groq, Cerebras": r"reduce the length of the messages",
    "Gemini": r"input token count.{0,40} exceeds",
    "xAI": r"maximum prompt length is \d",
    "Together, Hugging Face": r"`inputs` tokens \+ `max_new_tokens` must be|`inputs` must have less than",
    "Fireworks": r"model maximum context length",
    "Moonshot": r"exceeded model token limit",
    "Z.ai": r"prompt exceeds max length",
    "Alibaba": r"range of input length should be",
    "MiniMax": r"context window exceeds limit",
    "GitHub Copilot": r"prompt token count.{0,40} exceeds the limit",
    "Cohere": r"too many tokens: total number of tokens in the prompt",
    "others": r"context[ _](?:length|window|size)[ _](?:was |is |has been )?exceeded"
    r"|exceed(?:s|ed)? (?:the |its )?(?:model(?:'s)? )?(?:max(?:imum)? )?(?:allowed )?context (?:length|window|size)",
}
_OVERFLOW = re.compile("|".join(_WORDINGS.values()))
#: Texts that speak of tokens and mean the rate of requests, or an output limit alone.
_NO_OVERFLOW = re.compile(
    r"rate.?limit|per minute|per day|\(tpm\)|throttl|too many requests|wait before trying again"
    r"|max_(?:completion_)?tokens['\"`]?(?: or .{0,30})? is too large"
)
# A limit, a refusal and a missing model are about something else, whatever words they use.
_OTHER_STATUS = frozenset((401, 402, 403, 404, 429))


def is_overflow(message: str, *words: object, status: int = 0) -> bool:
    """True for the error of a request that is too long. words: its code and type. status: of the answer, 0 for none."""
    if any(isinstance(word, str) and word in _CODES for word in words):
        return True
    if status in _OTHER_STATUS:
        return False
    text = message[:_READ_LIMIT].lower()
    return _OVERFLOW.search(text) is not None and _NO_OVERFLOW.search(text) is None
