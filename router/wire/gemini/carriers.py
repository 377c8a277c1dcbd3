"""Signatures that fairlead makes for callers of the Gemini API: they carry another upstream's reasoning.

Gemini CLI drops the parts of a model's answer that are thoughts, and keeps the signatures of its calls and texts. So a
signature carries all reasoning that stood in front of its part. It is sealed state, so that nobody can forge it, bound
to the id of the call or to the text that it stands on.

It is base64 and nothing else, padded, in the standard alphabet, since Python's SDK decodes signatures; it sends them
back in the other alphabet. The same key seals `rtr1.` state, which cannot stand for a signature here.
"""

import base64
import binascii
import hashlib

import msgspec

from router.ir import Thinking
from router.wire.conversation.sealed_state import SealedState, StateSealer

_HEAD = b"rtr1.\0"
#: The letters that such a signature begins with, in either alphabet.
MARK = base64.b64encode(_HEAD).decode()
#: What Google documents for calls whose signature is not known; callers send it as it is, and as base64.
DUMMIES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
_TO_STANDARD = str.maketrans("-_", "+/")
_NO_SIGNATURES = frozenset(
    form.rstrip("=")
    for dummy in DUMMIES
    for form in (dummy, base64.b64encode(dummy.encode()).decode(), base64.urlsafe_b64encode(dummy.encode()).decode())
)


class CarriedThought(msgspec.Struct, array_like=True, frozen=True):
    """A block of reasoning as its upstream wrote it."""

    text: str = ""
    signature: str = ""
    redacted: str = ""
    #: It stood in front of all text of the answer since the last call.
    ahead: bool = False

    def seal(self, sealer: StateSealer) -> Thinking:
        """The block of a neutral request, sealed again for the upstream that it belongs to."""
        if self.redacted:
            return Thinking(redacted=sealer.seal("redacted", self.redacted, ""))
        kind = "signature" if self.signature else "text"
        return Thinking(self.text, sealer.seal(kind, self.signature, self.text))


_decode_thoughts = msgspec.json.Decoder(tuple[CarriedThought, ...]).decode


def bind_call(call_id: str) -> str:
    """What a signature on a call is bound to."""
    return f"call {call_id}"


class TextBinding:
    """What a signature on a text is bound to: all text of the answer since its last call. Clients trim it, and join and
    split it anew, so its blanks do not count."""

    __slots__ = ("_hash", "_pieces", "empty")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        # What is not in the hash yet: most texts are never asked for theirs.
        self._pieces: list[str] = []
        #: True while there is no text.
        self.empty: bool = True

    def add(self, text: str) -> None:
        """Add a piece of the text."""
        if text:
            self.empty = False
            self._pieces.append(text)

    def bind(self) -> str:
        """The words for the text so far."""
        for piece in self._pieces:
            self._hash.update("".join(piece.split()).encode("utf-8", "surrogatepass"))
        self._pieces.clear()
        return f"text {self._hash.copy().hexdigest()}"


def is_dummy(signature: str) -> bool:
    """True for a signature that stands for none."""
    return signature.rstrip("=") in _NO_SIGNATURES


def is_carrier(signature: str) -> bool:
    """True for what was made here, or pretends to be."""
    return signature.startswith(MARK)


def pack(thoughts: tuple[CarriedThought, ...], bound: str, sealer: StateSealer) -> str:
    """The signature that carries some blocks of reasoning. bound: by `bind_call` or `TextBinding`."""
    held = msgspec.json.encode(thoughts).decode()
    return base64.b64encode(_HEAD + sealer.seal_bytes("thoughts", held, bound)).decode()


def unpack(signature: str, bound: str, sealer: StateSealer) -> tuple[CarriedThought, ...] | None:
    """The blocks of reasoning in a signature; None unless it was made here for the same upstream and model, and stands
    where it stood."""
    found = _open(signature, sealer)
    if found is None or not sealer.owns(found, bound):
        return None
    try:
        return _decode_thoughts(found.data)
    except ValueError:
        return None


def _open(signature: str, sealer: StateSealer) -> SealedState | None:
    """The sealed state in a signature, for whichever upstream; None for what was not sealed with this key."""
    if not is_carrier(signature):
        return None
    text = signature.translate(_TO_STANDARD).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    found = sealer.unseal_bytes(raw[len(_HEAD) :])
    return found if found is not None and found.kind == "thoughts" else None
