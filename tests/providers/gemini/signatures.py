"""Signatures of thoughts: what the fake issues, and what it takes back.

The rules are those of Google's page on thought signatures: Gemini 3 and later checks the current turn, which is all
behind the last user content that holds something beside function responses; the first call of each model content in it
must have its signature. What was changed or cut is refused wherever it stands.
"""

import base64
import hashlib
import hmac
import secrets

from .errors import Refused
from .fields import decode, get

#: Google's documented stand-ins for a signature that the caller does not have, raw or in base64.
DUMMIES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
_DOCS = "https://ai.google.dev/gemini-api/docs/thought-signatures"


class Signer:
    """Issues signatures, standard base64 with padding, and knows its own. issued: all of them."""

    def __init__(self):
        self._key = secrets.token_bytes(32)
        self.issued = []

    def sign(self, model, *, size=90):
        """A signature of a model. It holds every sign of base64 that a careless re-encoding would change."""
        body = b"\xfb\xef\xbe\xff" + hashlib.sha256(model.encode()).digest()[:8] + secrets.token_bytes(size)
        found = base64.b64encode(hmac.digest(self._key, body, "sha256") + body).decode()
        self.issued.append(found)
        return found

    def knows(self, text):
        """True for a signature of its own, in either alphabet, with or without padding."""
        data = decode(text)
        return hmac.compare_digest(hmac.digest(self._key, data[32:], "sha256"), data[:32])


def is_dummy(text):
    """True for a documented stand-in."""
    return text in DUMMIES or any(decode(text) == word.encode() for word in DUMMIES)


def _is_responses(content):
    parts = get(content, "parts", [])
    return bool(parts) and all(get(part, "functionResponse") for part in parts)


def current_turn(contents):
    """The index of the first content of the current turn."""
    for index in range(len(contents) - 1, -1, -1):
        if get(contents[index], "role", "user") == "user" and not _is_responses(contents[index]):
            return index + 1
    return 0


def check_signatures(signer, model, contents):
    """Raise Refused for signatures that are missing or wrong; True when a stand-in stands on a call that is not the
    first of its content, to which Gemini answers nothing."""
    begun = current_turn(contents)
    misplaced, position = False, 0
    for index, content in enumerate(contents):
        calls = 0
        for part in get(content, "parts", []):
            signature, call = get(part, "thoughtSignature", ""), get(part, "functionCall")
            dummy = bool(signature) and is_dummy(signature)
            if model.signed and signature and not dummy and not signer.knows(signature):
                raise Refused(400, "Corrupted thought signature.")
            if call is None:
                continue
            calls, position = calls + 1, position + 1
            misplaced |= dummy and calls > 1
            if model.signed and calls == 1 and index >= begun and not signature:
                raise Refused(400, _missing(get(call, "name", ""), position))
    return model.signed and misplaced


def _missing(name, position):
    return (
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "
        f"call `default_api:{name}` , position {position}. Please refer to {_DOCS} for more details."
    )
