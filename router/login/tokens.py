"""The tokens of logins for whoever sends requests: a valid one is given at once, and renewed before it ends.

Rules of this file: a token that is valid is never waited for; while its issuer fails, it goes on being used, and the
issuer is asked ever more rarely; one that was refused is used no more, once there is another. What renews a login is
imported for the first one: most homes have none.
"""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from router.errors import CommandError
from router.host.clock import boot_time
from router.login.ended import LoginEnded, make_ended
from router.net.client.outbound import Outbound
from router.settings import Secret
from router.store.home.home import Home

if TYPE_CHECKING:
    from router.store.interfaces import SharedLogins
    from router.store.keys.logins import Login

#: After an issuer failed: doubled each time, up to the longest.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0


class Token(NamedTuple):
    """A token as it is now."""

    secret: Secret
    #: Seconds that it is valid for; infinite where that is not known.
    ends_in: float = math.inf
    #: Seconds until it is to be renewed; infinite where it cannot be, or needs not be.
    due_in: float = math.inf


class _Pause(NamedTuple):
    """An issuer that failed is left alone."""

    times: int
    #: On the clock that runs on while the machine sleeps.
    until: float
    why: str


class Logins:
    """The tokens of the logins of a home. outbound: how issuers are reached. clock: seconds, on a clock that runs on
    while the machine sleeps. say: writes a line to the log. shared: of the homes that have the same logins."""

    def __init__(
        self,
        home: Home,
        outbound: Callable[[], Outbound],
        clock: Callable[[], float] = boot_time,
        say: Callable[[str], None] = lambda text: None,
        shared: "SharedLogins | None" = None,
    ):
        self._home = home
        self._outbound = outbound
        self._clock = clock
        self._say = say
        self._shared = shared
        self._pauses: dict[str, _Pause] = {}

    async def fetch(self, name: str, refused: Secret | None = None, *, renew: bool = False) -> Token:
        """The token of a login. refused: the last one that an upstream did not take. renew: ask for the next one if
        this one is due; a valid one is given all the same when that fails. Raises LoginEnded, CommandError."""
        from router.login.refresh import count_left, find_due, is_valid, read

        login, now = await read(self._home, name), time.time()
        stale = login.access == refused and login.refreshable
        usable = is_valid(login, now) and not stale
        left = count_left(login, now)
        due = left is not None and left <= find_due(login.tokens.lifetime or 0.0)
        if usable and not (renew and due and login.refreshable and not login.ended):
            return self._make_token(login)
        if login.ended:
            raise make_ended(name, login.ended)
        if not login.refreshable:
            raise make_ended(name, "its token has reached its end, and the issuer gave none to renew it with.")
        return await self._renew(login, usable=usable)

    async def _renew(self, login: "Login", *, usable: bool) -> Token:
        from router.login.calls import make_send
        from router.login.refresh import refresh

        name = login.name
        pause = self._pauses.get(name)
        if pause is None or pause.until <= self._clock():
            try:
                renewed = await refresh(self._home, name, make_send(self._outbound()), login.access, self._shared)
            except LoginEnded as error:
                self._pauses.pop(name, None)
                if not usable:
                    raise
                self._say(f"warning: {error} The token of {name} is used until it ends. {error.hint}")
                return self._make_token(login)._replace(due_in=math.inf)
            except CommandError as error:
                pause = self._pause(name, error)
            else:
                self._pauses.pop(name, None)
                return self._make_token(renewed)
        if not usable:
            raise CommandError(f"the login {name} could not be renewed: {pause.why}")
        return self._make_token(login)._replace(due_in=max(0.0, pause.until - self._clock()))

    def _pause(self, name: str, error: CommandError) -> _Pause:
        from router.login.calls import IssuerError

        before = self._pauses.get(name)
        times = before.times if before is not None else 0
        if before is None:
            self._say(f"warning: the login {name} could not be renewed, and will be tried again: {error}")
        # What does not pass by itself, such as a client that the issuer does not know, is tried as rarely as can be.
        passing = not isinstance(error, IssuerError) or error.passing
        seconds = (
            min(PAUSE_SECONDS * 2.0 ** min(times, 10), LONGEST_PAUSE_SECONDS) if passing else LONGEST_PAUSE_SECONDS
        )
        pause = self._pauses[name] = _Pause(times + 1, self._clock() + seconds, str(error))
        return pause

    def forget_pauses(self) -> None:
        """Ask each issuer again at the next need: the user may have mended what was wrong."""
        self._pauses.clear()

    def _make_token(self, login: "Login") -> Token:
        from router.login.refresh import count_left, find_due

        left = count_left(login, time.time())
        if left is None:
            return Token(login.access)
        renews = login.refreshable and not login.ended
        return Token(
            login.access, left, max(0.0, left - find_due(login.tokens.lifetime or 0.0)) if renews else math.inf
        )
