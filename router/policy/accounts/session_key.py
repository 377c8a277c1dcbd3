"""The key of a conversation, so that it stays with the account that has its prompt in its cache."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import cast

import msgspec

from router.wire import protocols
from router.wire.raw.json.top_level import Top, decode_value

#: Headers that name a conversation, the first one that is there counts.
HEADERS = (b"x-claude-code-session-id", b"session-id", b"thread-id", b"x-session-affinity", b"x-session-id")
#: Names the agent of a session that has several, each with a conversation of its own.
AGENT_HEADER = b"x-claude-code-agent-id"
TEXT_LIMIT = 4096

# Bytes of a header or of metadata whose key is remembered.
_REMEMBERED = 1024

_SESSION = re.compile(r"session_([0-9a-zA-Z-]{8,64})$")
#: The family of models that cost nothing, at providers that name them so.
FREE = ":free"

_FAMILY = re.compile(r"opus|sonnet|haiku")
Add = Callable[[bytes], None]

_items = msgspec.json.Decoder(list[msgspec.Raw])


def name_session(fields: Mapping[bytes, bytes]) -> str:
    """The name of a conversation by its headers alone, that of an agent within it included; '' for none. It is as long
    as its client makes it."""
    for name in HEADERS:
        value = fields.get(name)
        if value:
            return (value + b" " + fields.get(AGENT_HEADER, b"")).decode("latin-1")
    return ""


def derive_session(fields: Mapping[bytes, bytes], top: Top | None) -> str:
    """The session of a request as 16 hex digits, '' for one that shows none: the one it names, else a hash of its first
    texts."""
    return read_session(fields, top) or ("" if top is None else _first_texts(top))


def read_session(fields: Mapping[bytes, bytes], top: Top | None) -> str:
    """The session that a request names, as 16 hex digits, '' for none: in a header of the client's, as its
    prompt_cache_key, or inside metadata.user_id."""
    for name in HEADERS:
        value = fields.get(name)
        if value:
            return _key(b"header", value)
    if top is None:
        return ""
    named = _text_at(top, "prompt_cache_key")
    if named:
        return _key(b"cache", named.encode("utf-8", "replace"))
    metadata = top.raw("metadata")
    if metadata is None:
        return ""
    # An agent sends the same with each turn.
    return _find_user_key(metadata) if len(metadata) <= _REMEMBERED else _read_user_key(metadata)


@lru_cache(maxsize=256)
def find_family(model: str | None) -> str:
    """The family of models a name belongs to, where a provider has limits for families; '' for none."""
    if not model:
        return ""
    if model.endswith(FREE):
        return FREE
    found = _FAMILY.search(model.lower())
    return found[0] if found else ""


def _key(kind: bytes, value: bytes) -> str:
    # A session has the same with each turn.
    return _find_key(kind, value) if len(value) <= _REMEMBERED else _make_key(kind, value)


def _make_key(kind: bytes, value: bytes) -> str:
    return blake2b(kind + b"\0" + value, digest_size=8).hexdigest()


_find_key = lru_cache(maxsize=256)(_make_key)


def _text_at(top: Top, name: str) -> str:
    value = top.value(name) if name in top else None
    return value if isinstance(value, str) else ""


def _read_user_key(metadata: bytes) -> str:
    user = _session_in(metadata)
    return _key(b"user", user.encode("utf-8", "replace")) if user else ""


_find_user_key = lru_cache(maxsize=256)(_read_user_key)


def _session_in(raw: bytes) -> str:
    """The session inside metadata.user_id: a JSON text, or the older `user_…_session_…`."""
    metadata = decode_value(raw)
    user = cast("dict[str, object]", metadata).get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str) or len(user) > TEXT_LIMIT:
        return ""
    if user.startswith("{"):
        try:
            found = msgspec.json.decode(user)
        except (msgspec.DecodeError, RecursionError):
            return ""
        session = found.get("session_id") if isinstance(found, dict) else None  # pyright: ignore
        return session if isinstance(session, str) else ""
    match = _SESSION.search(user)
    return match[1] if match else ""


def _first_texts(top: Top) -> str:
    """A hash of the leading system text and the first user message; marks for caches are no text."""
    digest = blake2b(b"texts\0", digest_size=8)
    found = False
    for name in ("system", "instructions"):
        if name in top:
            found = _add(digest.update, top.value(name)) or found
    for name in protocols.conversations():
        raw = top.raw(name)
        if raw is not None:
            found = _add_leading(digest.update, raw) or found
    return digest.hexdigest() if found else ""


def _add_leading(add: Add, raw: bytes) -> bool:
    """Add the messages up to the first of the user; True when there was one."""
    try:
        items = _items.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _add(add, decode_value(raw))
    for item in items[:8]:
        value = decode_value(bytes(item))
        message = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        role = message.get("role")
        if role not in ("system", "developer", "user"):
            return False
        if _add(add, message.get("content")) and role == "user":
            return True
    return False


def _add(add: Add, content: object) -> bool:
    """Add the first TEXT_LIMIT bytes of a content's text; True when there was any."""
    taken = b""
    for text in _texts(content):
        taken += text.encode("utf-8", "replace")
        if len(taken) >= TEXT_LIMIT:
            break
    add(taken[:TEXT_LIMIT] + b"\0")
    return bool(taken)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in cast("list[object]", content):
            text = cast("dict[str, object]", block).get("text") if isinstance(block, dict) else None
            if isinstance(text, str):
                yield text
