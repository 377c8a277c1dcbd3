"""What a command and the proxy of its home show each other in the place of the operator token, which neither sends.

Each is an HMAC-SHA256 with the token over lines of text:
- The proof of a listener covers the command's nonce and the address and port that the command dialled. A proxy gives it
  for the address and port at which the connection arrived, so that one who relays the nonce gets a worthless one.
- The signature of a request covers address and port too, the process it is for, a time and a nonce (so that it is taken
  once), method, target and the digest of the body.
- The signature of an answer covers that of its request, the status and the body.

The first line names the kind, so that none of the three can be taken for another.
"""

import hashlib
import hmac
import secrets
import time
from typing import NamedTuple

from router.net.loopback import normalize
from router.settings import Secret

#: The headers of /livez: of the question, and of the answer.
NONCE_HEADER, PROOF_HEADER, PROCESS_HEADER = "x-fairlead-nonce", "x-fairlead-proof", "x-fairlead-process"
#: The header of a signed answer.
ANSWER_HEADER = "x-fairlead-signature"
#: The scheme of a signed request in its Authorization header.
SCHEME = "fairlead-hmac-sha256"
#: A nonce that begins so is answered with a proof over the client key too: of the keys that a command knows, it finds
#: the one that the proxy asks its clients for.
KEY_NONCE = b"key-"
#: How many seconds the time of a signed request may be off: both sides read the same machine's clock.
WINDOW_SECONDS = 60.0


class Place(NamedTuple):
    """Where a connection goes: the address and the port of the listener's side."""

    address: str
    port: int


class SignedCall(NamedTuple):
    """A signed request, as its Authorization header has it."""

    #: Seconds since 1970, in decimal.
    time: str
    nonce: str
    #: SHA-256 of the body, in hex.
    body: str
    signature: str

    def format(self) -> str:
        """The value of the header."""
        return " ".join((SCHEME, *self))


def compute_proof(token: Secret, place: Place, process: str, nonce: bytes, key: Secret | None) -> bytes:
    """The proof of a listener. process: its random name. key: what clients must send, None for none."""
    lines = ["listener", normalize(place.address), str(place.port), process]
    if nonce.startswith(KEY_NONCE):
        lines.append(hash_body(key.reveal().encode()) if key else "")
    return _sign(token, lines, nonce).encode()


def compute_older_proof(token: Secret, nonce: bytes) -> bytes:
    """The proof as older versions gave it, also to one who relayed the nonce: it shows only that such a proxy runs."""
    return hmac.digest(token.reveal().encode(), nonce, "sha256").hex().encode()


def sign_call(token: Secret, place: Place, process: str, method: str, target: bytes, body: bytes) -> SignedCall:
    """Sign a request. process: the name that the listener's proof covered. target: path and query, as they are sent."""
    moment, nonce, digest = f"{time.time():.3f}", secrets.token_hex(16), hash_body(body)
    unsigned = SignedCall(moment, nonce, digest, "")
    return unsigned._replace(signature=compute_call(token, place, process, method, target, unsigned))


def compute_call(token: Secret, place: Place, process: str, method: str, target: bytes, call: SignedCall) -> str:
    """The signature that a request must have."""
    lines = ["request", normalize(place.address), str(place.port), process, call.time, call.nonce, method, call.body]
    return _sign(token, lines, target)


def sign_answer(token: Secret, call: str, status: int, body: bytes) -> str:
    """The signature of an answer. call: that of its request."""
    return _sign(token, ["answer", call, str(status)], hash_body(body).encode())


def parse_call(value: bytes) -> SignedCall | None:
    """The signed request of an Authorization header, None when it holds another credential."""
    words = value.decode("latin-1").split(" ")
    if words[0].lower() != SCHEME or len(words) != 5:
        return None
    return SignedCall(*words[1:])


def hash_body(body: bytes) -> str:
    """The digest of a body."""
    return hashlib.sha256(body).hexdigest()


def _sign(token: Secret, lines: list[str], last: bytes) -> str:
    # No part can hold a line feed but the last one, which ends the text.
    message = "".join(f"{line}\n" for line in ("fairlead 1", *lines)).encode("utf-8", "replace") + last
    return hmac.digest(token.reveal().encode(), message, "sha256").hex()
