"""Recognises the error of a request that is too long for its model, in the words of every provider, and reads its
numbers.

Clients shorten a conversation only when they read the words of the API they speak: Claude Code looks for `prompt is too
long`, Codex for the code `context_length_exceeded` (overflow_texts.py). Matching is linear: a bounded beginning of the
text is searched with patterns that repeat a bounded number of times.
"""

import re

from router.ir.overflow import Overflow
from router.wire.errors.told_status import RATE
from router.wire.raw.json.json_values import Json, as_count

#: The code that OpenAI's protocols have for it.
CODE = "context_length_exceeded"
#: Characters of a message that are searched.
READ_LIMIT = 4096

#: Codes and types that mean nothing else.
_CODES = frozenset(
    (
        CODE,
        "context_window_exceeded",
        "model_context_window_exceeded",
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
    "OpenAI, Azure, vLLM, DeepSeek, OpenRouter, Novita": r"maximum context length (?:is|of) \d"
    r"|model's context length is only",
    "vLLM, older": r"prompt \(length \d{1,12}\) is longer than the maximum model length",
    "SGLang, Together": r"longer than the model's context length|exceeds the model's maximum context length",
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
    "Poolside": r"exceeds (?:the )?maximum allowed input length",
    "Moonshot": r"exceeded model token limit",
    "Z.ai": r"prompt exceeds max length",
    "Alibaba": r"range of input length should be",
    "MiniMax": r"context window exceeds limit",
    "GitHub Copilot": r"prompt token count.{0,40} exceeds the limit",
    "Cohere": r"too many tokens: total number of tokens in the prompt",
    "ds4": r"tokens?, but the configured context size is \d",
    "others": r"context[ _](?:length|window|size)[ _](?:was |is |has been )?exceeded"
    r"|exceed(?:s|ed)? (?:the |its )?(?:model(?:'s)? )?(?:max(?:imum)? )?(?:allowed )?context (?:length|window|size)",
}
_OVERFLOW = re.compile("|".join(_WORDINGS.values()))
#: Texts that speak of tokens and mean an output limit alone.
_OUTPUT_LIMIT = re.compile(r"max_(?:completion_)?tokens['\"`]?(?: or .{0,30})? is too large")
# A limit, a refusal and a missing model are about something else, whatever words they use.
_OTHER_STATUS = frozenset((401, 402, 403, 404, 429))

# A number behind its words, and one before them: at most 16 digits and commas, not a part of a longer one.
_BEHIND = r"[ :]{0,2}[(\[]?([0-9][0-9,]{0,15}+)(?![0-9])"
_BEFORE = r"(?<![0-9,])([0-9][0-9,]{0,15}+)[)]? "
# What the numbers of these messages are, by the words next to them. A limit that depends on the request, such as the
# `maximum input length` that vLLM computes from the output asked for, is none.
_INPUT = re.compile(
    r"(?:too long|token count(?: of)?|resulted in|prompt contains(?: at least)?|request contains|exceed context limit"
    r"|(?:request|input) \(|input length|keep the first|prompt has|current length is|requested:|received|n_keep|given:"
    r"|prompt \(length)"
    rf"{_BEHIND}"
    rf"|{_BEFORE}(?:tokens )?(?:in (?:the|your) (?:messages|prompt)|of text input|input tokens|tokens from the input"
    r"|`inputs`)"
)
_OUTPUT = re.compile(
    rf"exceed context limit: [0-9,]{{1,16}} ?\+{_BEHIND}"
    rf"|{_BEFORE}(?:tokens )?(?:(?:in|for) the (?:completion|output)|output tokens|`max_new_tokens`)"
)
_TOTAL = re.compile(r"requested(?: about| at least| a total of)?" + _BEHIND + r" tokens")
_WINDOW = re.compile(
    r"(?:(?:context (?:length|size|window)|model length)(?: is| of)?(?: only)?|n_ctx|model token limit|limit is"
    r"|must be <=|exceed context limit: [0-9,]{1,16} ?\+ ?[0-9,]{1,16} >)"
    rf"{_BEHIND}|{_BEFORE}maximum context length"
)
_MAX_INPUT = re.compile(
    r"(?:tokens? >|prompt length is|tokens allowed|should be \[[0-9]{1,9},|configured limit of|exceeds the limit of"
    r"|less than|cannot exceed|allowed input length of)"
    rf"{_BEHIND}"
)
_TEXT_NUMBERS = {"input": _INPUT, "output": _OUTPUT, "total": _TOTAL, "window": _WINDOW, "max_input": _MAX_INPUT}
#: Fields of an error object that hold a number: those of llama.cpp.
_FIELDS = {"input": "n_prompt_tokens", "window": "n_ctx"}
#: The least that is believed to be a limit.
_LEAST_LIMIT = 128


def is_overflow(message: str, *words: object, status: int = 0) -> bool:
    """True for the error of a request that is too long. words: its code and type. status: of the answer, 0 for none."""
    if any(isinstance(word, str) and word in _CODES for word in words):
        return True
    if status in _OTHER_STATUS:
        return False
    text = message[:READ_LIMIT].lower()
    return _OVERFLOW.search(text) is not None and not any(other.search(text) for other in (RATE, _OUTPUT_LIMIT))


def read_overflow(error: Json, message: str, *, status: int = 0) -> Overflow | None:
    """The numbers of the error of a request that is too long, None for any other error. error: its object, with the
    code and type. status: of the answer, 0 for none."""
    if not is_overflow(message, error.get("code"), error.get("type"), status=status):
        return None
    text = message[:READ_LIMIT].lower()
    told: dict[str, int | None] = {name: as_count(error.get(field)) or None for name, field in _FIELDS.items()}
    for name, pattern in _TEXT_NUMBERS.items():
        told[name] = told.get(name) or _find_number(pattern, text)
    for name in ("window", "max_input"):
        if (told[name] or 0) < _LEAST_LIMIT:
            told[name] = None
    return Overflow(**told)


def _find_number(pattern: re.Pattern[str], text: str) -> int | None:
    """The first number of tokens that a pattern finds, None for none and for one that cannot be."""
    for found in pattern.finditer(text):
        number = as_count(int(found[found.lastindex or 0].replace(",", "")))
        if number:
            return number
    return None
