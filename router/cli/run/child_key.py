"""The key of a started program: made by its proxy for this process, which it ends with; inference only, with the tag,
the models and the budget of the run."""

import os
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

from router.cli.run.server import Server
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.operator_api import endpoints
from router.operator_api.keys import ChildKey as MadeKey
from router.operator_api.keys import NewChildKey
from router.settings import Secret
from router.store.home import processes
from router.store.home.home import Home
from router.store.shared.key_books import KeyBook

#: Seconds after which a key that is not renewed ends, and between two renewals.
TTL_SECONDS, RENEWAL_SECONDS = 86_400.0, 60.0
_NOT_FOUND = 404


class Grant(NamedTuple):
    """What a key is asked for."""

    #: The beginning of its name.
    name: str
    #: The name of the key of the program in which this one is started, "" for none.
    parent: str = ""
    budget_usd: float | None = None
    tag: str = ""


@dataclass
class ChildKey:
    """The key of one program, for as long as this process runs."""

    server: Server
    grant: Grant
    key: Secret
    name: str
    home: Home
    _ended: threading.Event = field(default_factory=threading.Event)

    def renew_in_background(self) -> None:
        """Have it renewed until it is revoked. A proxy that has started again since is told of it anew."""
        threading.Thread(target=self._renew, name="key", daemon=True).start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL_SECONDS):
            try:
                run_async(self._renew_once)
            except (ControlError, CommandError):
                # It is tried again; requests tell the program meanwhile.
                continue

    async def _renew_once(self) -> None:
        try:
            await self.server.proxy.call(endpoints.RENEW_CHILD_KEY, name=self.name)
        except ControlError as error:
            again = await find_again(self.home, self.server)
            if again is None:
                raise
            self.server = again
            if error.status in (_NOT_FOUND, None) or error.code == "not_signed":
                await _ask(self.server, _describe(self.grant, key=self.key.reveal(), name=self.name))

    def revoke(self) -> KeyBook | None:
        """End it; returns what its requests used, None where the proxy cannot say, and when it was revoked before."""
        if self._ended.is_set():
            return None
        self._ended.set()
        try:
            return run_async(self._revoke)
        except (ControlError, CommandError):
            return None

    async def _revoke(self) -> KeyBook:
        try:
            return (await self.server.proxy.call(endpoints.REVOKE_CHILD_KEY, name=self.name)).book
        except ControlError:
            # The port may have been handed to another process.
            again = await find_again(self.home, self.server)
            if again is None:
                raise
            return (await again.proxy.call(endpoints.REVOKE_CHILD_KEY, name=self.name)).book


def make_child_key(home: Home, server: Server, grant: Grant) -> ChildKey:
    """Have a proxy make the key. Raises CommandError."""
    try:
        made = run_async(_ask, server, _describe(grant))
    except ControlError as error:
        if grant.parent and error.status == _NOT_FOUND:
            raise CommandError(
                f"this shell was started by a `fairlead run` whose key {grant.parent} has ended.",
                "Use another shell, or start without it:   env -u FAIRLEAD_RUN fairlead run -- \N{HORIZONTAL ELLIPSIS}",
            ) from None
        raise CommandError(f"the proxy on :{server.run.port} made no key for the program: {error}") from None
    return ChildKey(server, grant, Secret(made.key), made.name, home)


async def find_again(home: Home, server: Server) -> Server | None:
    """The proxy that serves at the port of one that was found earlier; None when there is none any more."""
    from router.cli.common.running_proxy import find_proxies

    found, _ = await find_proxies(home)
    return next((Server(run, proxy, server.own) for run, proxy in found if run.port == server.run.port), None)


async def _ask(server: Server, wanted: NewChildKey) -> MadeKey:
    return await server.proxy.call(endpoints.MAKE_CHILD_KEY, wanted)


def _describe(grant: Grant, key: str = "", name: str = "") -> NewChildKey:
    pid = os.getpid()
    return NewChildKey(
        pid=pid,
        pid_started=processes.find_birth(pid),
        name=name or grant.name,
        parent=grant.parent,
        budget_usd=grant.budget_usd,
        tag=grant.tag,
        ttl_s=TTL_SECONDS,
        key=key,
    )
