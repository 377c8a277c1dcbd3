"""The proof by which a proxy shows a command that it is of the same home: neither sends the operator token."""

import hmac

from router.settings import Secret

#: A nonce that begins so is answered with a proof over the client key too: of the keys that a command knows, it finds
#: the one that the proxy asks its clients for.
KEY_NONCE = b"key-"


def compute_proof(token: Secret, nonce: bytes, key: Secret | None) -> bytes:
    """HMAC-SHA256 of the nonce with the operator token, in hex. key: what clients must send, None for none."""
    if nonce.startswith(KEY_NONCE):
        nonce = b"%b\n%b" % (nonce, key.reveal().encode() if key else b"")
    return hmac.digest(token.reveal().encode(), nonce, "sha256").hex().encode()
