"""Ask who listens on a port: the fairlead of this home, another one, or another program.

A request by hand: the HTTP client would take longer to import than the whole command runs.
"""

import hmac
import secrets
import socket
from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from router.host.proof import KEY_NONCE, compute_proof
from router.settings import Secret

_SECONDS = 1.0
_PATH = "/livez"
_HEAD_LIMIT = 16 << 10


class Listener(NamedTuple):
    """Who answered."""

    #: `own` has proved to know the operator token; `fairlead` is that of another home, `other` another program, `none`
    #: no listener, and `silent` accepts connections and does not answer.
    who: Literal["own", "fairlead", "other", "silent", "none"]
    #: True when it is known whether clients must send a key, and which.
    key_known: bool = False
    #: That key, None for none.
    key: Secret | None = None


def ask_listener(url: str, token: Secret | None, keys: Sequence[Secret] = ()) -> Listener:
    """Ask the listener of a URL to prove that it knows the token, and which of these keys it asks its clients for.
    Neither is sent. token: None where this home has no proxy."""
    nonce = KEY_NONCE + secrets.token_hex(16).encode()
    answer = _fetch_proof(url, nonce)
    if isinstance(answer, Listener):
        return answer
    if token is None:
        return Listener("fairlead")
    for key in (None, *keys):
        if hmac.compare_digest(answer, compute_proof(token, nonce, key)):
            return Listener("own", True, key)
    nonce = secrets.token_hex(16).encode()
    answer = _fetch_proof(url, nonce)
    if isinstance(answer, Listener):
        return answer
    return Listener("own" if hmac.compare_digest(answer, compute_proof(token, nonce, None)) else "fairlead")


def _fetch_proof(url: str, nonce: bytes) -> bytes | Listener:
    """The proof, or who the listener is when it gives none."""
    place = urlsplit(url)
    try:
        connection = socket.create_connection((place.hostname or "localhost", place.port or 80), _SECONDS)
    except OSError:
        return Listener("none")
    with connection:
        try:
            connection.sendall(
                b"GET %b HTTP/1.1\r\nHost: %b\r\nx-fairlead-nonce: %b\r\nConnection: close\r\n\r\n"
                % (_PATH.encode(), place.netloc.encode(), nonce)
            )
            head = _read_head(connection)
        except TimeoutError:
            return Listener("silent")
        except OSError:
            return Listener("other")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"x-fairlead-proof":
            return value.strip()
    return Listener("other")


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_LIMIT:
        part = connection.recv(4096)
        if not part:
            break
        head += part
    return head.partition(b"\r\n\r\n")[0]
