"""Which headers and body fields of a request a rule or a backend's table may change, and why the others not."""

import math
import re
from collections.abc import Callable
from typing import Any, cast

from router.settings.kinds import BACKEND, BUDGET, MODEL, RATE, TEXT, Frozen, InvalidValue, Kind, choice, clean
from router.settings.overriding_names import is_overriding_header

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_TAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/@+-]{0,63}")
_LOSS_PATH = re.compile(r"\w+(?:[ .-]\w+)*", re.ASCII)
_FRAMING = "fairlead writes it itself, for each connection"
_CREDENTIAL = "credentials belong to the backend's account:   fairlead backend add NAME --key-stdin"
_TRACE = "it would tell the backend who is behind fairlead"
_CODING = "it must describe the body that is sent"
_REFUSED_HEADERS = {
    **dict.fromkeys(
        (
            *("host", "content-length", "connection", "keep-alive", "proxy-connection", "te", "trailer"),
            *("transfer-encoding", "upgrade", "expect", "http2-settings"),
        ),
        _FRAMING,
    ),
    **dict.fromkeys(("authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"), _CREDENTIAL),
    **dict.fromkeys(("cookie", "cookie2"), "cookies never go upstream"),
    **dict.fromkeys(("forwarded", "via", "x-real-ip", "origin", "referer"), _TRACE),
    **dict.fromkeys(("content-type", "content-encoding"), _CODING),
    "accept-encoding": "ask_identity decides it",
}
_REFUSED_PREFIXES = {
    "x-fairlead-": "these names are fairlead's own",
    "x-forwarded-": _TRACE,
    "sec-": _TRACE,
}
_OVERRIDES = "it would make the backend serve another request than the one that was sent"
_REFUSED_FIELDS = {
    "model": "a rule's or an alias's model decides it",
    "stream": "the tool decides how it reads the answer",
    "messages": "it is the conversation, which fairlead never rewrites",
    "input": "it is the conversation, which fairlead never rewrites",
    "prompt": "it is the conversation, which fairlead never rewrites",
}
_FIELD = "a dotted path of a body field, such as provider.order"
_JSON = "a text, number, true, false, list or table, as JSON has them"


class Map(Kind, frozen=True):
    """A table whose keys the user chooses."""

    #: Checks a key and returns it in its final form.
    name: Callable[[str], str]
    #: The kind of the values.
    items: Kind
    #: Two keys that differ in case only are refused.
    folds: bool

    def parse_value(self, value: object) -> Frozen[Any]:
        """The table's content. Raises InvalidValue."""
        if not isinstance(value, dict):
            raise InvalidValue(self.expected)
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for key, item in cast("dict[str, object]", value).items():
            name = self.check_name(key)
            folded = name.lower() if self.folds else name
            if folded in seen:
                raise InvalidValue("it is here twice", below=(key,), refused=True)
            seen.add(folded)
            try:
                found[name] = self.items.parse_value(item)
            except InvalidValue as wrong:
                raise InvalidValue(wrong.text, below=(key,), refused=wrong.refused) from None
        return Frozen(found)

    def check_name(self, key: str) -> str:
        """The key in its final form. Raises InvalidValue."""
        try:
            return self.name(key)
        except InvalidValue as wrong:
            raise InvalidValue(wrong.text, below=(key,), refused=True) from None


def check_header_name(text: str) -> str:
    """Return the name when this header may be set or removed. Raises InvalidValue."""
    if not _HEADER_NAME.fullmatch(text):
        raise InvalidValue("it is not a valid header name")
    lowered = text.lower()
    if is_overriding_header(lowered):
        raise InvalidValue(_OVERRIDES)
    # Some servers do not tell `_` and `-` apart.
    lowered = lowered.replace("_", "-")
    reason = _REFUSED_HEADERS.get(lowered)
    for prefix, why in _REFUSED_PREFIXES.items():
        reason = reason or (why if lowered.startswith(prefix) else None)
    if reason:
        raise InvalidValue(reason)
    return text


def check_field_path(text: str) -> str:
    """Return the path when this body field may be set or removed. Raises InvalidValue."""
    parts = text.split(".")
    if len(text) > 256 or not all(part and part == part.strip() == clean(part) for part in parts):
        raise InvalidValue(f"it is not {_FIELD}")
    reason = _REFUSED_FIELDS.get(parts[0])
    if reason:
        raise InvalidValue(reason)
    return text


def check_loss_path(text: str) -> str:
    """Return the path when it can name a field of the table `losses`. Raises InvalidValue."""
    if len(text) > 256 or not _LOSS_PATH.fullmatch(text):
        raise InvalidValue("it is not a field's dotted path without indices, such as messages.content.citations")
    return text


def _make_list_parser(check: Callable[[str], str], *, lower: bool) -> Callable[[str], tuple[str, ...]]:
    def convert(text: str) -> tuple[str, ...]:
        names = [part.strip(" ") for part in text.split(",") if part.strip(" ")]
        return tuple(dict.fromkeys(check(name.lower() if lower else name) for name in names))

    return convert


class _Names(Kind, frozen=True):
    """A list of names, each of which is checked; the error of a refused one gives the reason."""

    def parse_text(self, text: str) -> Any:
        """The names that a text lists. Raises InvalidValue."""
        try:
            return self.convert(text)
        except InvalidValue as wrong:
            raise InvalidValue(wrong.text, refused=True) from None


def _parse_header_value(text: str) -> str:
    if len(text) > 8192 or not _HEADER_VALUE.fullmatch(text):
        raise ValueError
    return text


class _Json(Kind, frozen=True):
    """Any JSON value. A text that is not JSON is read as a string."""

    def parse_value(self, value: object) -> Any:
        """The value itself. Raises InvalidValue for a value that JSON cannot express."""
        _check_json(value)
        return value

    def to_toml(self, text: str) -> Any:
        """The value to write to config.toml."""
        return self.convert(text)


def _check_json(value: object) -> None:
    if isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            _check_json(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _check_json(item)
    elif isinstance(value, bool | str):
        return
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise InvalidValue(_JSON)
    elif not isinstance(value, float) or not math.isfinite(value):
        raise InvalidValue(_JSON)


def _parse_json(text: str) -> Any:
    import json

    try:
        value = json.loads(text)
        _check_json(value)
    except (ValueError, RecursionError):
        return text
    return value


def _reject_text(_: str) -> Any:
    raise ValueError


def _parse_alias(text: str) -> str:
    if text != text.strip():
        raise InvalidValue("it begins or ends with a space")
    try:
        return MODEL.parse_text(text).lower()
    except InvalidValue:
        raise InvalidValue(f"it is not {MODEL.expected}") from None


def _parse_chain(text: str) -> tuple[str, ...]:
    names = [part.strip(" ") for part in text.split(",") if part.strip(" ")]
    for name in names:
        backend, colon, model = name.partition(":")
        if not colon or not model.strip():
            raise InvalidValue("it is not BACKEND:MODEL")
        BACKEND.parse_text(backend)
        MODEL.parse_text(model)
    return tuple(dict.fromkeys(names))


def _check_server_tool(text: str) -> str:
    if text != "web_search":
        raise InvalidValue("it is not a known tool; expected web_search")
    return text


def _parse_target(text: str) -> str:
    backend, colon, model = text.partition(":")
    return f"{BACKEND.parse_text(backend)}{colon}{MODEL.parse_text(model) if colon else ''}"


def _parse_pattern(text: str) -> str:
    try:
        return MODEL.parse_text(text)
    except InvalidValue:
        raise InvalidValue("it is not a glob on a model's name, such as claude-*") from None


def _parse_account(text: str) -> str:
    backend, slash, alias = text.partition("/")
    try:
        if slash:
            return f"{BACKEND.parse_text(backend)}/{BACKEND.parse_text(alias)}"
    except InvalidValue:
        pass
    raise InvalidValue("it is not an account, such as groq/work: a backend's name, a slash, an alias")


def _parse_tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise ValueError
    return text


def _check_tag(text: str) -> str:
    try:
        return TAG.parse_text(text)
    except InvalidValue:
        raise InvalidValue(f"it is not {TAG.expected}") from None


MODEL_GLOBS = _Names(
    "globs on models, as a list of texts such as claude-*", "names", _make_list_parser(_parse_pattern, lower=False)
)
BACKEND_NAMES = _Names(
    "names of backends, as a list of texts", "names", _make_list_parser(BACKEND.parse_text, lower=True)
)
TAG = Kind("a tag: 1 to 64 letters, digits and . _ : / @ + -, a letter or digit first", "text", _parse_tag)
VALUE = Kind("a header's value: printable ASCII without spaces at its ends", "text", _parse_header_value)
JSON = _Json(_JSON, "json", _parse_json)
HEADERS = Map("a table of header names and texts", "table", _reject_text, check_header_name, VALUE, folds=True)
HEADER_NAMES = _Names("header names, as a list of texts", "names", _make_list_parser(check_header_name, lower=True))
FIELDS = Map("a table of body fields and their values", "table", _reject_text, check_field_path, JSON, folds=False)
FIELD_PATHS = _Names(
    "dotted paths of body fields, as a list of texts", "names", _make_list_parser(check_field_path, lower=False)
)
ALIASES = Map("a table of names and the models they stand for", "table", _reject_text, _parse_alias, MODEL, folds=True)
CHAIN = _Names("names of backend and model, as a list of texts such as local:qwen3-coder", "names", _parse_chain)
CHAINS = Map(
    "a table of model globs and lists of BACKEND:MODEL", "table", _reject_text, _parse_pattern, CHAIN, folds=True
)
ACCOUNT_BUDGETS = Map(
    "a table of accounts, such as groq/work, and US dollars", "table", _reject_text, _parse_account, BUDGET, folds=True
)
ACCOUNT_RATES = Map(
    "a table of accounts, such as groq/work, and whole numbers a minute",
    "table",
    _reject_text,
    _parse_account,
    RATE,
    folds=True,
)
ACCOUNT_GROUPS = Map(
    "a table of accounts, such as groq/work, and names of their groups",
    "table",
    _reject_text,
    _parse_account,
    TEXT,
    folds=True,
)
TAG_BUDGETS = Map("a table of tags and US dollars", "table", _reject_text, _check_tag, BUDGET, folds=False)
SERVER_TOOLS = Map(
    "a table of tools and the backends that run them, as BACKEND or BACKEND:MODEL",
    "table",
    _reject_text,
    _check_server_tool,
    Kind("BACKEND or BACKEND:MODEL, such as anthropic:claude-haiku-4-5", "text", _parse_target),
    folds=False,
)
LOSSES = Map(
    "a table of request fields and warn, strict or silent",
    "table",
    _reject_text,
    check_loss_path,
    choice("warn", "strict", "silent"),
    folds=False,
)
