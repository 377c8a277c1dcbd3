"""The message of an error object, which some gateways hide."""

from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

# OpenRouter's message for any error of a provider behind it; what the provider said stands in error.metadata.raw.
_SAYS_NOTHING = frozenset(("", "provider returned error", "error"))
#: Characters of a provider's own text that are passed on.
_RAW_LIMIT = 2048
#: Bytes of a plain text that are read.
_PLAIN_LIMIT = 4096
_MESSAGES = ("message", "detail", "error_description", "title", "msg")


def decode_body(body: bytes | bytearray) -> Json | None:
    """The JSON object of an error answer, also alone in a list, as Gemini sends it; None for anything else."""
    data = bytes(body).strip()
    return json_values.decode_object(data[1:-1] if data[:1] == b"[" and data[-1:] == b"]" else data)


def wrap_plain(body: bytes | bytearray) -> Json:
    """The JSON object for an error that is plain text, with that as its message; {} for a page, and for no text."""
    text = bytes(body[:_PLAIN_LIMIT]).decode("utf-8", "replace").strip()
    return {} if text[:1] in ("", "<", "{", "[") else {"message": _clean(text)}


def find_message(error: Json) -> str:
    """The message, or what the provider behind a gateway said; '' for none."""
    message = error.get("message")
    said = message if isinstance(message, str) else ""
    if said.strip().rstrip(".").lower() not in _SAYS_NOTHING:
        return said
    return _read_raw(json_values.get_object(error, "metadata").get("raw")) or said


def _read_raw(raw: object) -> str:
    """The message in a provider's error, which is an object, the text of one, or a plain text."""
    data = json_values.decode_object(raw) if isinstance(raw, str) and raw.lstrip()[:1] == "{" else raw
    if isinstance(data, dict):
        body: Json = data  # pyright: ignore[reportUnknownVariableType]
        for holder in (json_values.get_object(body, "error"), body):
            for name in _MESSAGES:
                value = holder.get(name)
                if isinstance(value, str) and value.strip():
                    return _clean(value)
        value = body.get("error")
        return _clean(value) if isinstance(value, str) else ""
    return _clean(raw) if isinstance(raw, str) else ""


def cut_text(text: str, limit: int) -> str:
    """At most `limit` characters of a text, up to its last whole word: what is left of a secret that was cut would not
    be known as one when secrets are removed later. A text without any space is left out."""
    if len(text) <= limit:
        return text
    return "".join(text[:limit].rsplit(None, 1)[:-1])


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in cut_text(text, _RAW_LIMIT)).strip()
