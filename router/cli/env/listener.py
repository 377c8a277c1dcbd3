"""Ask who listens on a port: the fairlead of this home, another one, or another program.

A request by hand: the HTTP client would take longer to import than the whole command runs.
"""

import hmac
import secrets
import socket
from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from router.net.control.signatures import (
    KEY_NONCE,
    NONCE_HEADER,
    PROCESS_HEADER,
    PROOF_HEADER,
    Place,
    compute_older_proof,
    compute_proof,
)
from router.settings import Secret

_SECONDS = 1.0
_PATH = "/livez"
_HEAD_LIMIT = 16 << 10


class Listener(NamedTuple):
    """Who answered."""

    #: `own` has proved to know the operator token; `older` did so as an older version does, or asked one; `fairlead` is
    #: that of another home, `other` another program, `none` no listener, and `silent` accepts connections and does not
    #: answer.
    who: Literal["own", "older", "fairlead", "other", "silent", "none"]
    #: True when it is known whether clients must send a key, and which.
    key_known: bool = False
    #: That key, None for none.
    key: Secret | None = None


def ask_listener(url: str, token: Secret | None, keys: Sequence[Secret] = ()) -> Listener:
    """Ask the listener of a URL to prove that it knows the token, and which of these keys it asks its clients for.
    Neither is sent. url: with an address, not a name. token: None where this home has no proxy."""
    place = urlsplit(url)
    dialled = Place(place.hostname or "", place.port or 80)
    nonce = KEY_NONCE + secrets.token_hex(16).encode()
    answer = _fetch_proof(dialled, place.netloc, nonce)
    if isinstance(answer, Listener):
        return answer
    if token is None:
        return Listener("fairlead")
    for key in (None, *keys):
        if hmac.compare_digest(answer.proof, compute_proof(token, dialled, answer.process, nonce, key)):
            return Listener("own", True, key)
    nonce = secrets.token_hex(16).encode()
    answer = _fetch_proof(dialled, place.netloc, nonce)
    if isinstance(answer, Listener):
        return answer
    if hmac.compare_digest(answer.proof, compute_proof(token, dialled, answer.process, nonce, None)):
        return Listener("own")
    older = hmac.compare_digest(answer.proof, compute_older_proof(token, nonce))
    return Listener("older" if older else "fairlead")


class _Proof(NamedTuple):
    proof: bytes
    process: str


def _fetch_proof(place: Place, host: str, nonce: bytes) -> _Proof | Listener:
    """The proof, or who the listener is when it gives none. host: the value of the Host header."""
    try:
        connection = socket.create_connection(place, _SECONDS)
    except OSError:
        return Listener("none")
    with connection:
        try:
            connection.sendall(
                b"GET %b HTTP/1.1\r\nHost: %b\r\n%b: %b\r\nConnection: close\r\n\r\n"
                % (_PATH.encode(), host.encode(), NONCE_HEADER.encode(), nonce)
            )
            head = _read_head(connection)
        except TimeoutError:
            return Listener("silent")
        except OSError:
            return Listener("other")
    fields = {
        name.strip().lower().decode("latin-1"): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n"))
    }
    if PROOF_HEADER not in fields:
        return Listener("other")
    return _Proof(fields[PROOF_HEADER], fields.get(PROCESS_HEADER, b"").decode("latin-1"))


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_LIMIT:
        part = connection.recv(4096)
        if not part:
            break
        head += part
    return head.partition(b"\r\n\r\n")[0]
