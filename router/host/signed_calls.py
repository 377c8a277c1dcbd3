"""Checks the signed requests of operators (`net.control.signatures`): each is for this process, at the address and port
where it arrived, of now, and is taken once.

The names of requests that were taken are kept as long as they could be repeated; only holders of the token add to them,
and when their table is full further requests wait.
"""

import hmac
import secrets
import time
from collections.abc import Callable

from router.errors import Unauthenticated, Unavailable
from router.net.control.signatures import (
    WINDOW_SECONDS,
    Place,
    SignedCall,
    compute_call,
    hash_body,
    parse_call,
)
from router.settings import Secret

#: How many requests may be signed in two minutes.
REMEMBERED = 4096


class SignedCalls:
    """The check of one process. clock: seconds since 1970."""

    def __init__(self, token: Secret, clock: Callable[[], float] = time.time):
        self._token = token
        self._clock = clock
        #: The random name of this process: what was signed for an earlier one is worthless.
        self.process = secrets.token_hex(16)
        # Nonce -> until when it could be sent again.
        self._taken: dict[str, float] = {}

    def check(self, value: bytes, place: Place, method: str, target: bytes) -> SignedCall | None:
        """The signed request of an Authorization header's value; None for another credential. place: where it arrived.
        Raises Unauthenticated, or Unavailable when too many came."""
        call = parse_call(value)
        if call is None:
            return None
        expected = compute_call(self._token, place, self.process, method, target, call)
        if not hmac.compare_digest(expected.encode(), call.signature.encode("latin-1")):
            raise Unauthenticated(
                "The signature of this request is not valid here: it was made with another token, for another address, "
                "or for a proxy that has ended. Run the command again."
            )
        # From here on it is of a holder of the token.
        self._take(call)
        return call

    def _take(self, call: SignedCall) -> None:
        now = self._clock()
        try:
            moment = float(call.time)
        except ValueError:
            moment = 0.0
        if not abs(now - moment) <= WINDOW_SECONDS:
            raise Unauthenticated(
                f"This request was signed {now - moment:.0f} s ago by its clock. Run the command again."
            )
        if call.nonce in self._taken:
            raise Unauthenticated("This signed request was answered before. Run the command again.")
        if len(self._taken) >= REMEMBERED:
            self._taken = {nonce: end for nonce, end in self._taken.items() if end >= now}
        if len(self._taken) >= REMEMBERED:
            raise Unavailable("Too many requests were signed within two minutes.", retry_after=10)
        self._taken[call.nonce] = moment + WINDOW_SECONDS


def check_body(value: bytes, body: bytes) -> None:
    """Refuse a signed request whose body is another one. value: of its Authorization header, which was checked. Raises
    Unauthenticated."""
    call = parse_call(value)
    if call is not None and not hmac.compare_digest(call.body.encode("latin-1"), hash_body(body).encode()):
        raise Unauthenticated("The body of this request is not the one that was signed.")
