"""Calls that read or change the home: they run in a thread, one at a time, and a change is taken up by the proxy."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import trio

from router.admin.ask import Ask
from router.admin.status import find_problems
from router.errors import CommandError, RouterError, Unavailable
from router.host.clock import boot_time
from router.net.server.connection import CancelReason
from router.operator_api.accounts import AccountStatus
from router.store.home.home import Home
from router.upstream.account_state import report_accounts

WAIT_SECONDS = 60.0
# One: they wait for the same lock, and no request that is served needs this thread.
_thread = trio.CapacityLimiter(1)

T = TypeVar("T")


class HomeCall(NamedTuple):
    """What a call is about, and what was known of the running proxy as it came."""

    home: Home
    environ: Mapping[str, str]
    #: Of each backend, the names of the headers that config.toml sets.
    headers: Mapping[str, Sequence[str]]
    #: Of each backend that the running proxy cannot use, why.
    problems: Mapping[str, str]
    #: By backend and alias, how each account is.
    accounts: Mapping[tuple[str, str], AccountStatus]
    #: Those in the path.
    names: Mapping[str, str]
    body: bytes


class _Change(Protocol):
    """An answer that says what the proxy made of a change."""

    problems: list[str]


_Changed = TypeVar("_Changed", bound=_Change)


def reads_home(work: Callable[[HomeCall], T]) -> Callable[[Ask], Awaitable[T]]:
    """The handler that answers by reading the home."""

    async def handle(ask: Ask) -> T:
        call = await _call_of(ask)
        # Not given up when the caller leaves: the thread would run on, and the next call would find it taken.
        with _shield():
            return await trio.to_thread.run_sync(carry_out, work, call, limiter=_thread)
        raise _time_out()

    return handle


def changes_home(work: Callable[[HomeCall], _Changed]) -> Callable[[Ask], Awaitable[_Changed]]:
    """The handler that changes the home, and answers once the proxy uses what lies there then."""

    async def handle(ask: Ask) -> _Changed:
        call = await _call_of(ask)
        # A change that was begun is carried out and taken up, whether its caller waits or not.
        with _shield():
            changed = await trio.to_thread.run_sync(carry_out, work, call, limiter=_thread)
            await ask.operated.reload().wait()
            changed.problems = ask.operated.problems
            return changed
        raise _time_out()

    return handle


def _shield() -> trio.CancelScope:
    return trio.CancelScope(shield=True, deadline=trio.current_time() + WAIT_SECONDS)


def _time_out() -> Unavailable:
    return Unavailable(f"Other changes have not ended within {WAIT_SECONDS:g} s.")


async def _call_of(ask: Ask) -> HomeCall:
    # The home's lock may be waited for, and other calls with it.
    ask.connection.set_deadline(WAIT_SECONDS, CancelReason.TOTAL)
    runtime = ask.runtime
    await runtime.guard.current()
    options = runtime.snapshot.settings.backends
    return HomeCall(
        home=runtime.home,
        environ=runtime.environ,
        headers={name: tuple(entry.edits.set_headers) for name, entry in options.items()},
        problems=find_problems(runtime),
        accounts=report_accounts(runtime.snapshot.services.values(), boot_time()),
        names=ask.names,
        body=ask.body,
    )


def carry_out(work: Callable[[HomeCall], T], call: HomeCall) -> T:
    """Carry out a call. Blocks. Raises RouterError."""
    try:
        return work(call)
    except CommandError as error:
        # What the home itself is at fault for: a file that cannot be read, a lock that is held, a full disk.
        raise RouterError(" ".join(f"{error} {error.hint}".split())) from None
