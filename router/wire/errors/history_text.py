"""The text of an error for the history: one line that says what went wrong, without advice and markup."""

import re

from router.wire.errors import texts
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Bytes of a text that is kept.
ERROR_BYTES = 200
#: Bytes of a body, or characters of a message, that are looked at.
READ_LIMIT = 4096
_CODE_LIMIT = 64
_SPACE = re.compile(r"\s+")
# Where a sentence ends; not the point in `gpt-5.1` or `127.0.0.1`.
_SENTENCE = re.compile(r"(?<=\.) +(?=[A-Z`])")
_ADVICE = re.compile(r"\bfairlead (?:accounts|backend|config|env|explain|models|proxy|resume|usage)\b")
# Where the objects of errors have their text.
_MESSAGES = ("message", "detail", "error_description", "title", "reason", "msg")


def read_error_text(body: bytes | bytearray) -> str:
    """What an upstream's error says: the message of any protocol's error, else the title of a page or the text itself;
    '' for an empty body."""
    data = texts.decode_body(body)
    if data is not None:
        return _find_message(data)
    title = find_title(body)
    if title is not None:
        return _clean(title)
    beginning = bytes(body[:READ_LIMIT])
    return "" if is_markup(beginning) else _clean(beginning.decode("utf-8", "replace"))


def read_code(body: bytes | bytearray) -> str | None:
    """The code of an error in OpenAI's form, None where it has none."""
    data = texts.decode_body(body)
    code = json_values.get_object(data, "error").get("code") if data is not None else None
    return code if isinstance(code, str) and len(code) <= _CODE_LIMIT else None


def is_markup(body: bytes | bytearray) -> bool:
    """True for a page of HTML or XML, as far as its beginning tells."""
    return bytes(body[:READ_LIMIT]).lstrip()[:1] == b"<"


def find_title(page: bytes | bytearray) -> str | None:
    """The title of a page, as it is written there; None when its beginning holds none that is whole. Each part is
    searched for once: a pattern would look for the end anew at every `<title>`."""
    beginning = bytes(page[:READ_LIMIT])
    lowered = beginning.lower()
    tag = lowered.find(b"<title")
    start = lowered.find(b">", tag) + 1 if tag >= 0 else 0
    end = lowered.find(b"</title>", start) if start else -1
    return beginning[start:end].decode("utf-8", "replace") if end >= 0 else None


def drop_advice(message: str) -> str:
    """An error of fairlead's own without the later sentences that name a command: where the text is shown, the next
    step stands beside it."""
    first, *others = _SENTENCE.split(message)
    return _clean(" ".join([first, *(one for one in others if not _ADVICE.search(one))]))


def shorten(text: str) -> str:
    """At most ERROR_BYTES of the text, in UTF-8, whole characters; a cut one ends with three points."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= ERROR_BYTES:
        return raw.decode()
    return raw[: ERROR_BYTES - 3].decode("utf-8", "ignore").rstrip() + "..."


def _find_message(data: Json) -> str:
    """The message of an error object: of the protocols' `error`, of RFC 9457's `detail`, or of servers that put it
    elsewhere."""
    error = json_values.get_object
    for holder in (error(data, "error"), error(error(data, "response"), "error"), data):
        said = texts.find_message(holder)
        if said.strip():
            return _clean(said)
        for name in _MESSAGES:
            value = holder.get(name)
            if isinstance(value, str) and value.strip():
                return _clean(value)
    value = data.get("error")
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    return _SPACE.sub(" ", texts.cut_text(text, READ_LIMIT)).strip()
