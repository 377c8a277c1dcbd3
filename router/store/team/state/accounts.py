"""The state of accounts over a team, and which account each session is bound to.

Rules of this file: an account is told by the identity of its key, which only the proxies of the team can compute; an
account whose key is not known here is not shared. The later row of an account or session counts. Everything is told
and taken over between requests, in steps of the event loop; no request waits for the server. Where it cannot be reached
each process goes on with what it knows.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from router.policy.accounts.pool import Member
from router.policy.accounts.rate_limit import RateLimit
from router.policy.accounts.session_affinity import IDLE_SECONDS, SessionAffinity
from router.policy.accounts.shared_state import SharedAccount, apply_account, read_account, summarize
from router.settings import Secret
from router.store.shared.sqlite import LocalAccountStates
from router.store.team.secrets import TeamSecret
from router.store.team.state.owners import AccountNames
from router.store.team.state.rates import ListLimits, SharedRates
from router.store.team.state.tables import ACCOUNTS, LOOK_SECONDS, SESSIONS, SharedTables

# A binding is told again while it is used, so that the server keeps it as one of the latest.
_AGAIN_SECONDS = 3600.0
_SESSIONS = _RECEIVED = 20_000
# The clocks of the machine were apart by as much more than before: it slept.
_SLEPT_SECONDS = 0.5


class _SharedSession(msgspec.Struct, frozen=True, array_like=True):
    """The account of a session."""

    identity: str
    #: When it was told, by the server's clock.
    at: float


class _Bound(NamedTuple):
    """A binding of this process that was told."""

    name: str
    account: str
    at: float


_accounts = msgspec.json.Decoder(SharedAccount)
_sessions = msgspec.json.Decoder(_SharedSession)


class TeamAccountStates(LocalAccountStates):
    """The accounts of one process."""

    interval: float | None = LOOK_SECONDS

    def __init__(self, secret: TeamSecret, tables: SharedTables, rates: SharedRates):
        super().__init__()
        self._secret = secret
        self._tables = tables
        self._rates = rates
        self._identities: dict[tuple[str, str], str] = {}
        self._members: dict[str, Member] = {}
        # What was told or taken over last of each account.
        self._known: dict[str, tuple[object, ...]] = {}
        self._told: OrderedDict[tuple[str, str], _Bound] = OrderedDict()
        self._names: dict[str, tuple[str, str]] = {}
        self._bindings: OrderedDict[str, _SharedSession] = OrderedDict()
        # Filled by the team's thread, emptied by the event loop.
        self._received_accounts: deque[tuple[str, SharedAccount]] = deque(maxlen=_RECEIVED)
        self._received_sessions: deque[tuple[str, _SharedSession]] = deque(maxlen=_RECEIVED)
        # The clock of the accounts beside time.monotonic.
        self._apart: float | None = None
        self._stepped = -1e18
        tables.subscribe(ACCOUNTS, self._receive_accounts, self._restate)
        tables.subscribe(SESSIONS, self._receive_sessions)
        rates.add(self._list_rates)

    @property
    def names(self) -> AccountNames:
        """How this process names accounts."""
        return AccountNames(lambda backend, alias: self._identities.get((backend, alias), ""), self._find_alias)

    def load(self, backend: str, alias: str, fingerprint: str, key: Secret | None = None) -> Member | None:
        """The state of an account, None when nothing is known of it. key: its provider's, None while that is not
        known."""
        name = "" if key is None else self._secret.identify("account", f"{backend}\0{key.reveal()}")
        if name or (backend, alias) not in self._identities:
            self._identities[backend, alias] = name
        return super().load(backend, alias, fingerprint)

    def save(self, accounts: Mapping[str, Sequence[Member]]) -> None:
        """Save the state of these accounts, by backend, and forget all others."""
        super().save(accounts)
        present = {(backend, one.alias): one for backend, members in accounts.items() for one in members}
        self._identities = {key: name for key, name in self._identities.items() if key in present}
        self._members = {name: present[key] for key, name in self._identities.items() if name}
        self._known = {name: known for name, known in self._known.items() if name in self._members}

    def share_limits(self, list_limits: ListLimits) -> None:
        """Keep these limits a minute in step too, by names that all processes have for them."""
        self._rates.add(list_limits)

    def join_port(self, port: str) -> None:
        """Count nothing of the other processes of this port."""
        self._rates.join_port(port)

    def find_sessions(self, backend: str) -> SessionAffinity:
        """The sessions of a backend."""
        affinity = super().find_sessions(backend)
        if affinity.find_elsewhere is None:
            affinity.find_elsewhere = partial(self._find_elsewhere, backend)
        return affinity

    def step(self, now: float) -> bool:
        """Take over what others told, and tell what is new here; True when the state of an account may have changed.
        now: on the clock of the accounts."""
        self._tables.start()
        shift = self._find_shift(now)
        if shift is None:
            return False
        moved = self._take_over(now, shift)
        self._take_over_sessions(now, shift)
        for name, member in self._members.items():
            known = summarize(member, now)
            if known != self._known.get(name, _UNTOUCHED):
                self._known[name] = known
                self._tables.put(ACCOUNTS, name, msgspec.json.encode(read_account(member, now, shift)))
        self._tell_sessions(now, shift)
        counted = self._rates.step(now)
        for member in self._members.values() if counted else ():
            member.look_at_limits(now)
        self._stepped = now
        return moved or counted

    def _find_shift(self, now: float) -> float | None:
        apart = now - time.monotonic()
        if self._apart is not None and abs(apart - self._apart) > _SLEPT_SECONDS:
            self._tables.forget_clock()
        self._apart = apart
        return None if self._tables.shift is None else self._tables.shift - apart

    # Accounts

    def _take_over(self, now: float, shift: float) -> bool:
        changed = False
        for _ in range(len(self._received_accounts)):
            name, told = self._received_accounts.popleft()
            member = self._members.get(name)
            if member is None:
                continue
            before = summarize(member, now)
            if before != self._known.get(name, _UNTOUCHED) and member.closed > now and not told.closed:
                continue  # what closed it here is newer: it is told in this step
            apply_account(member, told, now, shift)
            self._known[name] = summarize(member, now)
            changed = changed or self._known[name] != before
        return changed

    def _receive_accounts(self, rows: Mapping[str, bytes]) -> None:
        self._received_accounts.extend((name, _accounts.decode(value)) for name, value in rows.items())

    def _restate(self) -> None:
        # Told again in the next step.
        self._known, self._told = {}, OrderedDict()

    def _find_alias(self, backend: str, name: str) -> str:
        return next((key[1] for key, one in self._identities.items() if one == name and key[0] == backend), "")

    def _list_rates(self) -> Mapping[str, RateLimit]:
        return {f"account {name}": one.rate_limit for name, one in self._members.items() if one.rate_limit is not None}

    # Sessions

    def _tell_sessions(self, now: float, shift: float) -> None:
        for backend, affinity in self._sessions.items():
            for session, binding in affinity.list_used(self._stepped):
                told = self._told.get((backend, session))
                if told is not None and told.account == binding.account and now - told.at < _AGAIN_SECONDS:
                    continue
                identity = self._identities.get((backend, binding.account), "")
                if identity:
                    name = self._name_session(backend, session) if told is None else told.name
                    self._note_told(backend, session, _Bound(name, binding.account, now))
                    row = _SharedSession(identity, now + shift)
                    self._tables.put(SESSIONS, name, msgspec.json.encode(row))

    def _note_told(self, backend: str, session: str, bound: _Bound) -> None:
        self._told.pop((backend, session), None)
        self._told[backend, session] = bound
        self._names[bound.name] = (backend, session)
        while len(self._told) > _SESSIONS:
            self._names.pop(self._told.popitem(last=False)[1].name, None)

    def _take_over_sessions(self, now: float, shift: float) -> None:
        for _ in range(len(self._received_sessions)):
            name, row = self._received_sessions.popleft()
            self._bindings.pop(name, None)
            self._bindings[name] = _SharedSession(row.identity, row.at - shift)
            own = self._names.get(name)
            if own is not None and (account := self._find_alias(own[0], row.identity)):
                self.find_sessions(own[0]).adopt(own[1], account, now)
                self._note_told(*own, _Bound(name, account, now))
        while len(self._bindings) > _SESSIONS:
            self._bindings.popitem(last=False)

    def _receive_sessions(self, rows: Mapping[str, bytes]) -> None:
        self._received_sessions.extend((name, _sessions.decode(value)) for name, value in rows.items())

    def _find_elsewhere(self, backend: str, session: str) -> str:
        """The account that another process bound a session to, '' for none."""
        if not self._bindings:
            return ""
        row = self._bindings.get(self._name_session(backend, session))
        if row is None or self._stepped - row.at > IDLE_SECONDS:
            return ""
        return self._find_alias(backend, row.identity)

    def _name_session(self, backend: str, session: str) -> str:
        return self._secret.identify("session", f"{backend}\0{session}")


_UNTOUCHED = summarize(Member(""), 0.0)
