"""The texts by which the clients of each API know the error of a request that is too long, with its numbers.

Google      The input token count (213462) exceeds the maximum number of tokens allowed (200000).
Anthropic   prompt is too long: 213462 tokens > 200000 maximum
            input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease ...
OpenAI      This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. ...

Claude Code shortens the conversation by the first, and asks for less output by the second; Zed reads the number of the
first; Codex knows OpenAI's code alone, other clients of OpenAI's APIs the code or the words. What the upstream said
follows in parentheses.
"""

import re

from router.ir.overflow import Overflow
from router.wire.errors import overflow, texts
from router.wire.raw.json.json_values import Json

#: What the message begins with in Anthropic's API.
PHRASE = "prompt is too long"
#: What the message says in Google's API, in lower case.
GOOGLE = "exceeds the maximum number of tokens allowed"
# Anthropic's own messages, with their numbers.
_NUMBERED = re.compile(r"prompt is too long: [0-9]{1,16} tokens > |input length and .{0,12}max_tokens.{0,4} exceed ")
# The messages that clients of Anthropic's API know, which some compare from their beginning: Anthropic's, and Amazon
# Bedrock's.
_ANTHROPIC = re.compile(
    r"prompt is too long|input is too long\b|input length and .{0,12}max_tokens.{0,4} exceed context limit: [0-9]"
)
_OPENAI = re.compile(r"maximum context length is [0-9]{1,16} tokens")
_REMEDY = "Please reduce the length of the messages."
# Claude Code asks for 1,000 tokens less than are free, and not for fewer than 3,000.
_LEAST_ROOM = 4000
#: Characters of the upstream's text that are repeated.
_SAID_LIMIT = 2048


def is_for_anthropic(error: Json) -> bool:
    """True for an error object whose words clients of Anthropic's API know."""
    message = error.get("message")
    known = isinstance(message, str) and _ANTHROPIC.match(message[: overflow.READ_LIMIT].lower()) is not None
    return known and error.get("type") == "invalid_request_error"


def is_for_chat(error: Json) -> bool:
    """True for an error object that clients of OpenAI's Chat know, by its code or its words."""
    message = error.get("message")
    known = isinstance(message, str) and _OPENAI.search(message[: overflow.READ_LIMIT].lower()) is not None
    return known or error.get("code") == overflow.CODE


def is_for_responses(error: Json) -> bool:
    """True for an error object that clients of OpenAI's Responses know: Codex reads the code alone."""
    return error.get("code") == overflow.CODE


def say_to_anthropic(found: Overflow, said: str) -> str:
    """The message for a caller of Anthropic's API. said: the upstream's."""
    if _NUMBERED.match(said):
        return said
    limit, requested = found.limit, found.requested
    if found.input_fits and (found.window or 0) - (found.input or 0) >= _LEAST_ROOM:
        return _add(
            f"input length and `max_tokens` exceed context limit: {found.input} + {found.output} > {found.window}, "
            "decrease input length or `max_tokens` and try again",
            said,
        )
    if limit is not None:
        # There are no words for a limit alone; the request is over it by one token at least.
        return _add(f"{PHRASE}: {requested or limit + 1} tokens > {limit} maximum", said)
    if requested is not None:
        return _add(f"{PHRASE}: {requested} tokens", said)
    return said if said.startswith(PHRASE) else f"{PHRASE}: {said}"


def say_to_openai(found: Overflow, said: str) -> str:
    """The message for a caller of OpenAI's APIs. said: the upstream's."""
    if _OPENAI.search(said[: overflow.READ_LIMIT].lower()):
        return said
    limit, requested = found.limit, found.requested
    if limit is None:
        begin = "The request exceeds" if requested is None else f"The request's {requested} tokens exceed"
        return _add(f"{begin} the model's maximum context length. {_REMEDY}", said)
    begin = f"This model's maximum context length is {limit} tokens."
    if found.input_fits and found.input is not None and found.output is not None:
        return _add(
            f"{begin} However, you requested {found.input + found.output} tokens ({found.input} in the messages, "
            f"{found.output} in the completion). Please reduce the length of the messages or completion.",
            said,
        )
    resulted = "more" if requested is None else f"{requested} tokens"
    return _add(f"{begin} However, your messages resulted in {resulted}. {_REMEDY}", said)


def say_to_google(found: Overflow, said: str) -> str:
    """The message for a caller of Google's API. said: the upstream's."""
    if GOOGLE in said[: overflow.READ_LIMIT].lower():
        return said
    limit, requested = found.limit, found.requested
    count = "" if requested is None else f" ({requested})"
    bound = "" if limit is None else f" ({limit})"
    return _add(f"The input token count{count} {GOOGLE}{bound}.", said)


def _add(message: str, said: str) -> str:
    """The message with what the upstream said."""
    said = texts.cut_text(said.strip(), _SAID_LIMIT)
    return f"{message} ({said})" if said and said not in message else message
