"""Opaque reasoning state on its way through a foreign protocol (translation.md 7.3).

A carrier stands where the caller's protocol has room for opaque data, and comes back with the history. It is signed,
so that nobody but this program makes one, and it names the upstream and the model it belongs to: what comes back for
another one is not used.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Literal

import msgspec

PREFIX = "rtr1."
_TAG = 16
Kind = Literal["signature", "redacted", "text"]


def _sign_without_key(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_TAG]


def make_signer(key: bytes) -> Callable[[bytes], bytes]:
    """The tag of some bytes under a key."""
    return lambda data: hmac.digest(key, data, "sha256")[:_TAG]


class SealedState(msgspec.Struct, array_like=True):
    """What a carrier holds. print: of the visible text, to notice a change of it."""

    upstream: str
    model: str
    kind: Kind
    data: str
    print: str


class StateSealer:
    """Packs and unpacks carriers of one upstream and model."""

    __slots__ = ("_mac", "_model", "_upstream")

    def __init__(self, mac: Callable[[bytes], bytes] = _sign_without_key, upstream: str = "", model: str = ""):
        self._mac = mac
        self._upstream = upstream
        self._model = model

    def seal(self, kind: Kind, data: str, text: str) -> str:
        """A carrier for `data` that belongs to the visible `text`."""
        held = msgspec.json.encode(SealedState(self._upstream, self._model, kind, data, _fingerprint(text)))
        return PREFIX + base64.urlsafe_b64encode(self._mac(held) + held).decode("ascii")

    def unseal(self, carrier: str, text: str) -> SealedState | None:
        """What a carrier holds; None unless it is ours, of this upstream and model, and its text unchanged."""
        if not carrier.startswith(PREFIX):
            return None
        try:
            raw = base64.urlsafe_b64decode(carrier[len(PREFIX) :].encode("ascii"))
            tag, held = raw[:_TAG], raw[_TAG:]
            if not hmac.compare_digest(tag, self._mac(held)):
                return None
            found = msgspec.json.decode(held, type=SealedState)
        except (binascii.Error, UnicodeEncodeError, ValueError):
            return None
        mine = (found.upstream, found.model, found.print) == (self._upstream, self._model, _fingerprint(text))
        return found if mine else None


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
