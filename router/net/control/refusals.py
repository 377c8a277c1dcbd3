"""Reads what a provider refuses, in any of the forms that providers have."""

from typing import cast
from urllib.parse import urlsplit

import msgspec

from router.net.control.request import SHOWN, Answer, ControlError, clean
from router.redaction import NO_SECRETS, Redactor
from router.settings import Secret


def check_not_html(answer: Answer, url: str) -> None:
    """Raise ControlError for a web page."""
    if "html" in answer.headers.get("content-type", "") or answer.body[:64].lstrip().startswith(b"<"):
        why = "a login page or proxy may be intercepting the connection, or the base URL is wrong"
        if answer.status in (404, 405):
            why = "the path of the base URL is probably wrong"
        raise ControlError(f"{urlsplit(url).netloc} sent a web page, not an API's answer: {why}", status=answer.status)


def read_refusal(answer: Answer, url: str, key: Secret | None, *, limit: int = SHOWN) -> ControlError:
    """The error for an unsuccessful answer, in the provider's words, cut at `limit` and without the key."""
    host = urlsplit(url).netloc
    hidden = NO_SECRETS if key is None else Redactor([key.reveal()])
    if 300 <= answer.status < 400:
        target = clean(hidden.redact_text(urlsplit(answer.headers.get("location", "")).netloc)) or "another path"
        said = f"{host} redirects to {target} ({answer.status})"
        return ControlError(said, status=answer.status, code="redirect", cause="redirect")
    try:
        check_not_html(answer, url)
        message, code = _read_error(msgspec.json.decode(answer.body))
        code = code or answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    except ControlError as error:
        message, code = str(error), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message, code = answer.body[: SHOWN * 4].decode("utf-8", "replace"), ""
    if key is not None:
        message = message.replace(key.reveal(), "(key)")
        code = code.replace(key.reveal(), "(key)")
    message, code = hidden.redact_text(message[: SHOWN * 4]), hidden.redact_text(code[: SHOWN * 4])
    said = clean(message, limit) or f"{host} answered {answer.status} and gave no reason"
    return ControlError(said, status=answer.status, code=clean(code, 60))


def _read_error(data: object) -> tuple[str, str]:
    """Message and code from the forms providers use: {"error": {…}}, {"error": "…"}, {"message": "…"}; Google has that
    in a list at times."""
    if isinstance(data, list) and data:
        return _read_error(cast("list[object]", data)[0])
    entry = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    inner = entry.get("error", entry)
    if isinstance(inner, str):
        return inner, ""
    fields = cast("dict[str, object]", inner) if isinstance(inner, dict) else entry
    message = fields.get("message") or fields.get("Message") or fields.get("detail")
    code = next(
        (value for name in ("code", "type", "status") if isinstance(value := fields.get(name), str) and value), ""
    )
    return (message if isinstance(message, str) else ""), code
