"""Keeps the state of accounts the same in all processes of a port: what closed them, their failures, their limits.

Rules of this file: nothing runs on the way of a request. Every TICK_SECONDS the accounts are compared with what was
sent or received last, and what differs goes to the others; their clock is the machine's (`host.clock.boot_time`). Of
two changes at once the later closing, failure or failed connection counts, each by its own moment.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from router.policy.accounts.headroom import LimitReading
from router.policy.accounts.member import Closing, Member
from router.upstream.services import Service

TICK_SECONDS = 0.1
# Reading the limits of an account parses headers, so that is done less often.
_READINGS_EVERY = 10


class AccountState(msgspec.Struct, array_like=True, frozen=True):
    """The state of one account."""

    backend: str
    alias: str
    fingerprint: str
    closed: float
    closed_at: float
    cools: bool
    spent: bool
    why: str
    rejections: int
    closed_for: dict[str, Closing]
    refused: tuple[str, ...]
    faults: int
    shaky: float
    shook_at: float
    missed: int
    missed_at: float
    group: str
    readings: tuple[LimitReading, ...] = ()


class AccountMirror:
    """What this process has sent and received."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], AccountState] = {}
        self._round = 0

    def collect(self, services: Mapping[str, Service], now: float, *, all_: bool = False) -> list[AccountState]:
        """The states that the other processes do not know. all_: every state."""
        self._round += 1
        deep = all_ or self._round % _READINGS_EVERY == 0
        found: list[AccountState] = []
        for service, member in _list_members(services.values()):
            key = (service.name, member.alias, member.fingerprint)
            known = self._known.get(key)
            state = _read(service, member, now, known, deep=deep)
            if all_ or (state != known and (known is not None or not _is_new(member, state))):
                found.append(state)
            self._known[key] = state
        return found

    def receive(self, states: Iterable[AccountState], services: Mapping[str, Service], now: float) -> None:
        """Apply what another process knows."""
        for state in states:
            service = services.get(state.backend)
            member = _find(service, state)
            if service is None or member is None:
                continue
            _apply(member, state, now)
            service.pool.take_split(member)
            self._known[state.backend, state.alias, state.fingerprint] = _read(service, member, now, None, deep=True)
            service.queue.recheck()


def _list_members(services: Iterable[Service]) -> Iterator[tuple[Service, Member]]:
    for service in services:
        if not service.pool.stateless:
            for member in service.pool.members:
                yield service, member


def _find(service: Service | None, state: AccountState) -> Member | None:
    members = service.pool.members if service is not None else ()
    return next((one for one in members if (one.alias, one.fingerprint) == (state.alias, state.fingerprint)), None)


def _is_new(member: Member, state: AccountState) -> bool:
    """True for an account to which nothing has happened."""
    fresh = Member(member.alias, member.fingerprint, group=member.group)
    return (fresh.closed_at, fresh.shook_at, fresh.missed_at) == (
        state.closed_at,
        state.shook_at,
        state.missed_at,
    ) and not state.readings


def _read(service: Service, member: Member, now: float, known: AccountState | None, *, deep: bool) -> AccountState:
    readings = known.readings if known is not None else ()
    if deep and len(service.pool.members) > 1:
        readings = tuple(sorted(member.headroom.readings(now), key=lambda one: one.limit.name))
    return AccountState(
        service.name,
        member.alias,
        member.fingerprint,
        member.closed,
        member.closed_at,
        member.cools,
        member.spent,
        member.why,
        member.rejections,
        dict(member.closed_for),
        tuple(sorted(member.refused)),
        member.faults,
        member.shaky,
        member.shook_at,
        member.missed,
        member.missed_at,
        member.group,
        readings,
    )


def _apply(member: Member, state: AccountState, now: float) -> None:
    if state.closed_at >= member.closed_at:
        member.closed, member.closed_at, member.cools = state.closed, state.closed_at, state.cools
        member.spent, member.why, member.rejections = state.spent, state.why, state.rejections
        member.closed_for, member.refused = dict(state.closed_for), set(state.refused)
    if state.shook_at >= member.shook_at:
        member.faults, member.shaky, member.shook_at = state.faults, state.shaky, state.shook_at
    if state.missed_at >= member.missed_at:
        member.missed, member.missed_at = state.missed, state.missed_at
    member.group = member.group or state.group
    if state.readings:
        limits = tuple(one.limit._replace(left=max(0.0, one.until - now)) for one in state.readings)
        member.headroom.note_limits(limits, now)
    member.settle()
