"""Seals an upstream's opaque reasoning state, so that it can travel through another protocol, and summaries.

Sealed state is put where the caller's protocol has room for opaque data, and returns with the history. It is signed, so
that a caller cannot forge it, and it names the upstream and the model it belongs to: reasoning goes to no other one. A
summary stands for a conversation, and is text: any upstream may get it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Literal

import msgspec

PREFIX = "rtr1."
#: A sealed summary begins so: unlike reasoning it may be read for every upstream, so that it binds a request to none.
#: Every body is searched for it; so long a word, in letters that are rare, is found five times as fast as a short one.
SUMMARY_PREFIX = "FAIRLEAD-CONVERSATION-SUMMARY-1."
_TAG = 16
Kind = Literal["signature", "redacted", "text", "summary", "thoughts"]


def _sign_without_key(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_TAG]


def make_signer(key: bytes) -> Callable[[bytes], bytes]:
    """A function that signs bytes with a key."""
    return lambda data: hmac.digest(key, data, "sha256")[:_TAG]


class SealedState(msgspec.Struct, array_like=True):
    """The content of sealed state."""

    upstream: str
    model: str
    kind: Kind
    data: str
    #: A fingerprint of the visible text, which shows whether the caller changed it.
    print: str


class StateSealer:
    """Seals and unseals state of one upstream and model."""

    __slots__ = ("_mac", "_model", "_upstream")

    def __init__(self, mac: Callable[[bytes], bytes] = _sign_without_key, upstream: str = "", model: str = ""):
        self._mac = mac
        self._upstream = upstream
        self._model = model

    def seal(self, kind: Kind, data: str, text: str) -> str:
        """Seal `data` that belongs to the visible `text`."""
        return PREFIX + self._pack(kind, data, text)

    def unseal(self, sealed: str, text: str) -> SealedState | None:
        """The content of sealed state; None unless it was sealed here for this upstream and model, and its text is
        unchanged."""
        found = self._unpack(sealed, PREFIX)
        if found is None or found.kind in ("summary", "thoughts"):
            return None
        return found if self.owns(found, text) else None

    def seal_summary(self, text: str) -> str:
        """Seal the summary of a conversation."""
        return SUMMARY_PREFIX + self._pack("summary", text, "")

    def unseal_summary(self, sealed: str) -> str | None:
        """The summary that was sealed with the same key, for whichever upstream and model; None for anything else."""
        found = self._unpack(sealed, SUMMARY_PREFIX)
        return found.data if found is not None and found.kind == "summary" else None

    def seal_bytes(self, kind: Kind, data: str, text: str) -> bytes:
        """Seal `data` that belongs to the visible `text`, for a form that writes bytes by itself."""
        held = msgspec.json.encode(SealedState(self._upstream, self._model, kind, data, _fingerprint(text)))
        return self._mac(held) + held

    def unseal_bytes(self, raw: bytes) -> SealedState | None:
        """The content of `seal_bytes`, for whichever upstream and model; None unless it was sealed with this key."""
        tag, held = raw[:_TAG], raw[_TAG:]
        try:
            return msgspec.json.decode(held, type=SealedState) if hmac.compare_digest(tag, self._mac(held)) else None
        except ValueError:
            return None

    def owns(self, found: SealedState, text: str) -> bool:
        """True for state of this upstream and model, whose text is unchanged."""
        return (found.upstream, found.model, found.print) == (self._upstream, self._model, _fingerprint(text))

    def _pack(self, kind: Kind, data: str, text: str) -> str:
        return base64.urlsafe_b64encode(self.seal_bytes(kind, data, text)).decode("ascii")

    def _unpack(self, sealed: str, prefix: str) -> SealedState | None:
        if not sealed.startswith(prefix):
            return None
        try:
            return self.unseal_bytes(base64.urlsafe_b64decode(sealed[len(prefix) :].encode("ascii")))
        except (binascii.Error, UnicodeEncodeError, ValueError):
            return None


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
