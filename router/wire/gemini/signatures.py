"""Gemini's signatures of calls, on their way through other protocols.

A model signs its first call of each step, and since version 3 refuses the call when it comes back without the signature
(https://ai.google.dev/gemini-api/docs/thought-signatures). For a caller of another protocol it becomes reasoning as
opaque data in front of the call, in the form that Google's OpenAI-compatible endpoint has beside the call: so either
endpoint understands a conversation that began at the other.
"""

import msgspec

from router.ir import Thinking
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values

#: The placeholder that Google documents for calls whose signature is lost, or that another model made.
PLACEHOLDER = "skip_thought_signature_validator"
_BESIDE, _GOOGLE, _SIGNATURE = "extra_content", "google", "thought_signature"


def wrap_signature(signature: str) -> str:
    """The opaque data of reasoning that holds a signature."""
    return msgspec.json.encode({_BESIDE: {_GOOGLE: {_SIGNATURE: signature}}}).decode()


def unwrap_signature(data: str) -> str:
    """The signature in opaque data, '' for other data."""
    found = json_values.decode_object(data) or {}
    for name in (_BESIDE, _GOOGLE):
        found = json_values.get_object(found, name)
    signature = found.get(_SIGNATURE)
    return signature if isinstance(signature, str) else ""


def read_signature(thought: Thinking, ctx: Context) -> tuple[str, bool]:
    """The signature that a block of reasoning holds for this upstream and model, '' for none; and whether the block is
    the upstream's own. Its words are a summary for people, and need not come back."""
    state = ctx.sealer.unseal(thought.redacted or thought.signature, "" if thought.redacted else thought.text)
    if state is None:
        return "", thought == Thinking()
    return unwrap_signature(state.data) if state.kind == "redacted" else "", True
