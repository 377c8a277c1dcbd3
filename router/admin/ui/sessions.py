"""Who may see the local page's data: one-time codes, and the tokens of tabs that they are exchanged for.

All of it is in the memory of this process, as digests, and ends with it. There are no cookies: a browser would send one
to every port of this machine.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from router.errors import Unauthenticated

#: Seconds in which a code can be exchanged.
CODE_SECONDS = 60.0
#: Seconds after which a token ends: without a request, and in any case.
IDLE_SECONDS, TOTAL_SECONDS = 12 * 3600.0, 24 * 3600.0
#: How many codes, and how many tokens, there are at most; the one that was used least lately makes place.
MOST = 16
_BYTES = 32

NO_CODE = (
    "This code does not open the page: it was used already, or is older than a minute. Open the page again:   "
    "fairlead ui"
)
USED_TWICE = (
    "This code was used before, so that the page it opened is closed too. If that was not you, another program of this "
    "machine has read the code. Open the page again:   fairlead ui"
)
NO_TOKEN = "This page has no access any more: it ended, or the proxy was started again. Open it again:   fairlead ui"  # noqa: S105


class _Code(NamedTuple):
    ends: float
    #: The digest of the token that it was exchanged for; b"" for none yet.
    token: bytes


class _Session(NamedTuple):
    ends: float
    used: float


class PageSessions:
    """The codes and tokens of one proxy. clock: seconds, which go on while the machine sleeps."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._codes: dict[bytes, _Code] = {}
        self._sessions: dict[bytes, _Session] = {}

    def make_code(self) -> str:
        """Make a code for one tab."""
        now = self._clock()
        self._codes = {name: code for name, code in self._codes.items() if code.ends > now}
        while len(self._codes) >= MOST:
            del self._codes[min(self._codes, key=lambda name: self._codes[name].ends)]
        code = secrets.token_urlsafe(_BYTES)
        self._codes[_digest(code.encode())] = _Code(now + CODE_SECONDS, b"")
        return code

    def exchange(self, code: bytes) -> str:
        """Make a token of a code that was not used. Raises Unauthenticated; for a code that comes again, the token that
        was made of it ends: one of the two senders was not meant to have it."""
        now, name = self._clock(), _digest(code)
        found = self._codes.get(name)
        if found is None or found.ends <= now:
            raise Unauthenticated(NO_CODE)
        if found.token:
            self._sessions.pop(found.token, None)
            raise Unauthenticated(USED_TWICE)
        while len(self._sessions) >= MOST:
            del self._sessions[min(self._sessions, key=lambda one: self._sessions[one].used)]
        token = secrets.token_urlsafe(_BYTES)
        self._sessions[_digest(token.encode())] = _Session(now + TOTAL_SECONDS, now)
        self._codes[name] = _Code(found.ends, _digest(token.encode()))
        return token

    def check(self, token: bytes) -> None:
        """Refuse a token that was not given out, or has ended. Raises Unauthenticated."""
        now, name = self._clock(), _digest(token)
        found = self._sessions.get(name)
        if found is None or found.ends <= now or found.used + IDLE_SECONDS <= now:
            self._sessions.pop(name, None)
            raise Unauthenticated(NO_TOKEN)
        self._sessions[name] = _Session(found.ends, now)


def _digest(text: bytes) -> bytes:
    # What is looked up is not the secret: the time that a look takes tells nothing of it.
    return hashlib.sha256(text).digest()
