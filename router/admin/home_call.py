"""Calls that read or change the home: they run in a thread, one at a time, and the proxy reloads after a change."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import trio

from router.admin.ask import Ask
from router.admin.status import find_problems
from router.errors import CommandError, RouterError, Unavailable
from router.host.clock import boot_time
from router.net.server.cancel_reason import CancelReason
from router.operator_api.accounts import AccountStatus
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys
from router.upstream.account_state import report_accounts

WAIT_SECONDS = 60.0
# One thread: all calls wait for the same lock, and no request of a client needs this thread.
_thread = trio.CapacityLimiter(1)

T = TypeVar("T")


class HomeCall(NamedTuple):
    """One call, with the state of the running proxy when it arrived."""

    home: Home
    environ: Mapping[str, str]
    #: fairlead's own secrets, which are no backend's key.
    own_keys: OwnKeys
    #: By backend, the names of the headers that config.toml sets.
    headers: Mapping[str, Sequence[str]]
    #: By backend that the running proxy cannot use, the reason.
    problems: Mapping[str, str]
    #: By backend and alias, the state of each account.
    accounts: Mapping[tuple[str, str], AccountStatus]
    #: The values in the path, by the names in the endpoint's braces.
    names: Mapping[str, str]
    body: bytes
    #: By backend, the names of the headers that rules set on what they send to it.
    rule_headers: Mapping[str, Sequence[str]] = {}


class _Change(Protocol):
    """An answer that lists the problems of the configuration after a change."""

    problems: list[str]


_Changed = TypeVar("_Changed", bound=_Change)


def reads_home(work: Callable[[HomeCall], T]) -> Callable[[Ask], Awaitable[T]]:
    """Make a handler that answers by reading the home."""

    async def handle(ask: Ask) -> T:
        call = await _make_call(ask)
        # Not cancelled when the caller leaves: the thread would run on and block the next call.
        with _shield():
            return await trio.to_thread.run_sync(carry_out, work, call, limiter=_thread)
        raise _make_timeout()

    return handle


def changes_home(work: Callable[[HomeCall], _Changed]) -> Callable[[Ask], Awaitable[_Changed]]:
    """Make a handler that changes the home, and answers once the proxy uses the changed configuration."""

    async def handle(ask: Ask) -> _Changed:
        call = await _make_call(ask)
        # A change that has begun is completed and loaded, even when its caller leaves.
        with _shield():
            changed = await trio.to_thread.run_sync(carry_out, work, call, limiter=_thread)
            await ask.operated.reload().wait()
            changed.problems = ask.operated.problems
            return changed
        raise _make_timeout()

    return handle


def _shield() -> trio.CancelScope:
    return trio.CancelScope(shield=True, deadline=trio.current_time() + WAIT_SECONDS)


def _make_timeout() -> Unavailable:
    return Unavailable(f"Other changes have not ended within {WAIT_SECONDS:g} s.")


async def _make_call(ask: Ask) -> HomeCall:
    # The call may wait for the home's lock, and for other calls.
    ask.connection.set_deadline(WAIT_SECONDS, CancelReason.TOTAL)
    runtime = ask.runtime
    await runtime.guard.current()
    settings = runtime.snapshot.settings
    options = settings.backends
    ruled: dict[str, list[str]] = {}
    for rule in settings.routes:
        ruled.setdefault(rule.backend.lower(), []).extend(rule.edits.set_headers)
    return HomeCall(
        home=runtime.home,
        environ=runtime.environ,
        own_keys=runtime.credentials.own,
        headers={name: tuple(entry.edits.set_headers) for name, entry in options.items()},
        problems=find_problems(runtime),
        accounts=report_accounts(runtime.snapshot.services.values(), boot_time()),
        names=ask.names,
        body=ask.body,
        rule_headers=ruled,
    )


def carry_out(work: Callable[[HomeCall], T], call: HomeCall) -> T:
    """Carry out a call. Blocks. Raises RouterError."""
    try:
        return work(call)
    except CommandError as error:
        # The home itself is at fault (an unreadable file, a lock that is held, a full disk), so it is a 500.
        raise RouterError(" ".join(f"{error} {error.hint}".split())) from None
