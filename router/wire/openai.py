"""What OpenAI Chat Completions and Responses have in common: error forms, data URLs, schemas, efforts, cache keys."""

import base64
import binascii
import re

import msgspec

from router.errors import BadRequest, RouterError
from router.ir import Document, Fault, Request, Text
from router.wire import dialect
from router.wire.errors import overflow, overflow_texts
from router.wire.errors.told_status import correct_status
from router.wire.neutral.context import Context
from router.wire.neutral.schemas import OPENAI_STRICT, fits
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Words by which providers of this form say that an account has no money left: codes, then sentences.
QUOTA_WORDS = (
    *(b"insufficient_quota", b"billing_hard_limit", b"billing_not_active", b"exceeded_current_quota_error"),
    *(b"arrearage", b"insufficient balance", b"insufficient credits", b"used all available credits"),
    *(b"run out of credits", b"doesn't have any credits", b"monthly spending limit", b"credits are depleted"),
    "\u4f59\u989d\u4e0d\u8db3".encode(),  # "the balance is not sufficient", of Zhipu
)
#: OpenAI's sentence for the same, which others copy for limits that end in a moment.
QUOTA_HINTS = (b"exceeded your current quota",)
#: The fields in which OpenAI's own callers name their user.
OWN_USER = ("user", "safety_identifier")
_BUDGETS = ((2048, "low"), (8192, "low"), (16384, "medium"), (32768, "high"))


def is_strict_schema(schema: Json | None) -> bool:
    """True when a schema already meets OpenAI's rules for strict ones: every property required, no others allowed, and
    no keyword that the strict mode does not know."""
    found = {name: value for name, value in (schema or {}).items() if name != "$schema"}
    return fits(found, OPENAI_STRICT)


def resolve_effort(request: Request) -> str:
    """The effort that the request asks for, '' when it asks for none."""
    wanted = request.reasoning
    if wanted is None:
        return ""
    if wanted.off:
        return "none"
    if wanted.effort or not wanted.budget:
        return wanted.effort
    return next((effort for limit, effort in _BUDGETS if wanted.budget < limit), "xhigh")


def find_nearest_effort(effort: str, known: tuple[str, ...]) -> str:
    """The effort itself, else the next weaker one, else the weakest; '' (leave the field out) when nothing is near."""
    if effort in known or not known:
        return effort if effort in known else ""
    order = ("minimal", "low", "medium", "high", "xhigh", "max")
    if effort not in order:
        return ""
    weaker = [name for name in order[: order.index(effort)] if name in known]
    return weaker[-1] if weaker else next(name for name in order if name in known)


def decode_cache(data: Json) -> bool | None:
    """True when caching without marks is asked for, False when only marks count, None when the request does not say."""
    options = json_values.read_object(data.get("prompt_cache_options"), "prompt_cache_options")
    return {"implicit": True, "explicit": False}.get(
        json_values.read_text(options.get("mode"), "prompt_cache_options.mode")
    )


def encode_own_error(error: RouterError) -> Json:
    """An error of fairlead as `{message, type, param, code}`, the form that Chat and Responses share."""
    return {
        "message": error.message,
        "type": dialect.openai_kind(error.status),
        "param": error.param,
        "code": error.code,
    }


#: The words of a refusal for which the model gave none.
DECLINED = "The model declined to answer."

# Anthropic type -> (status, OpenAI type, OpenAI code) for callers of the OpenAI protocols.
_FOR_OPENAI: dict[str, tuple[int, str, str | None]] = {
    "invalid_request_error": (400, "invalid_request_error", None),
    "authentication_error": (401, "invalid_request_error", "invalid_api_key"),
    "billing_error": (402, "insufficient_quota", "insufficient_quota"),
    "permission_error": (403, "invalid_request_error", "permission_denied"),
    "not_found_error": (404, "invalid_request_error", "model_not_found"),
    "conflict_error": (409, "invalid_request_error", None),
    "request_too_large": (413, "invalid_request_error", "request_too_large"),
    "rate_limit_error": (429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": (500, "server_error", None),
    "timeout_error": (504, "server_error", "timeout"),
    "overloaded_error": (503, "server_error", "overloaded"),
}


# Status of an OpenAI-speaking upstream -> Anthropic status.
_FOR_ANTHROPIC = {422: 400, 451: 403, 408: 504, 524: 504, 503: 529, 498: 529}
_STATUS = {400: 400, 401: 401, 402: 402, 403: 403, 404: 404, 409: 409, 413: 413, 429: 429, 504: 504, 529: 529}


def decode_error(data: Json, status: int) -> Fault | None:
    """The error in an OpenAI body or chunk; None when it holds none. status: that of the answer, 0 inside a stream."""
    found = data.get("error")
    if not found:
        return None
    error: Json = found if isinstance(found, dict) else {"message": str(found)}  # pyright: ignore[reportUnknownVariableType]
    code = error.get("code") if isinstance(error.get("code"), str) else None
    param = error.get("param") if isinstance(error.get("param"), str) else None
    message = dialect.read_message(error, data)
    status = status or dialect.error_status(error)
    found_overflow = overflow.read_overflow(error, message, status=status)
    if found_overflow is not None:
        return Fault(400, "invalid_request_error", message, overflow.CODE, param, found_overflow)  # pyright: ignore[reportArgumentType]
    status = _to_anthropic_status(correct_status(status, error, message))
    if code == "insufficient_quota":
        status = 402
    kind = dialect.anthropic_kind(status)
    return Fault(status, kind, message, code, param)  # pyright: ignore[reportArgumentType]


def _to_anthropic_status(status: int) -> int:
    """The Anthropic status for a status of an OpenAI-speaking upstream."""
    status = _FOR_ANTHROPIC.get(status, status)
    return _STATUS.get(status, 400 if 400 <= status < 500 else 500)


def encode_error(fault: Fault, *, streamed: bool = False) -> tuple[int, bytes]:
    """Status and body for a Chat caller. streamed: the body holds the status too."""
    status, kind, code = _FOR_OPENAI.get(fault.kind, (500, "server_error", None))
    if kind == "invalid_request_error" and fault.kind == "not_found_error" and "model" not in fault.message.lower():
        code = None
    said = fault.message if fault.overflow is None else overflow_texts.say_to_openai(fault.overflow, fault.message)
    error: Json = {"message": said, "type": kind, "param": fault.param, "code": fault.code or code}
    if streamed:
        error["status"] = status
    return status, msgspec.json.encode({"error": error})


_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"%PDF": "application/pdf"}


def decode_document(url: str, title: str, path: str, ctx: Context) -> Text | Document:
    """A file given as a data URL; a text file becomes a text block."""
    media, data = parse_data_url(url, path)
    if media.startswith("text/"):
        text = base64.b64decode(data).decode("utf-8", "replace")
        ctx.note_weakened(path)
        return Text(f"Title: {title}\n{text}" if title else text)
    return Document(media, data, title=title)


def parse_data_url(url: str, path: str) -> tuple[str, str]:
    """Media type and base64 of a data URL; the first bytes of the data overrule the media type in the URL."""
    found = _DATA_URL.match(url)
    if found is None or not found[3]:
        raise BadRequest(f"{path}: expected an http(s) URL or a data URL in base64.")
    data = url[found.end() :]
    try:
        head = base64.b64decode(data[:64], validate=True)
        if len(data) % 4:
            raise binascii.Error("its length is no multiple of 4")
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{path}: its base64 is broken: {error}.") from None
    media = (found[1] or "").lower().replace("image/jpg", "image/jpeg")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        media = "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), media), data
