"""The accounts that issued ids, over a team: each process has those that it saw, the server has those of all.

Rules of this file: an id that this process does not know is looked up on the server, while its request waits, for
DEADLINE_SECONDS at most. What cannot be looked up is not guessed: a request that names such an id is refused, since
another account could not serve it. Accounts are told by the identity of their keys, since each machine has names of its
own for them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from router.errors import Unavailable
from router.store.interfaces import Owner, ResourceOwners
from router.store.shared.resource_owners import MAX_AGE_SECONDS
from router.store.team.breaker import Breaker
from router.store.team.client import Refused, TeamClient, Unreachable
from router.store.team.keys import KeyNames
from router.store.team.thread import TeamThread

DEADLINE_SECONDS = 0.05
# Ids that wait for a server that cannot be reached.
_WAITING = 10_000
_WRITES = 200
_RETRY_SECONDS = 1.0


class AccountNames(msgspec.Struct, frozen=True):
    """How a process names accounts. identify: backend, alias -> identity over the team, '' where its key is not known.
    find_alias: backend, identity -> alias, '' for an account that this process does not have."""

    identify: Callable[[str, str], str]
    find_alias: Callable[[str, str], str]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """What the server has of an id."""

    backend: str
    account: str
    #: The identity of the account's key, '' where it was not known.
    identity: str
    kind: str
    used: int
    key: str = ""


_decoder = msgspec.json.Decoder(_Stored)


class TeamResourceOwners:
    """The ids of one team. Its methods do not block, except `find` and `find_all`."""

    #: Other processes may have issued any id.
    attached = True

    def __init__(
        self,
        local: ResourceOwners,
        client: TeamClient,
        names: KeyNames,
        thread: TeamThread,
        accounts: AccountNames,
    ):
        self._local = local
        self._team, self._client = client, client.with_deadline(DEADLINE_SECONDS)
        # A look-up that comes late says little of a server that has so short a time.
        self._client.breaker = Breaker()
        self._names = names
        self._thread = thread
        self._accounts = accounts
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, Owner] = OrderedDict()
        self._asked = False
        thread.repeat(_RETRY_SECONDS, self._write)

    def remember(self, name: str, backend: str, account: str, kind: str, key: str = "") -> None:
        """Remember the account that issued an id, here and on the server."""
        before = self._local.known((name,))
        self._local.remember(name, backend, account, kind, key)
        after = self._local.known((name,))
        if after is not None and after != before:
            self._submit(name, after[1])

    def cache(self, name: str, owner: Owner) -> None:
        """Put an entry that `find` returned into memory, as the latest."""
        self._local.cache(name, owner)

    def known(self, names: Iterable[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is in memory, with its owner."""
        return self._local.known(names)

    def find(self, names: Sequence[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is known here, else on the server. Blocks. Raises Unavailable."""
        found = self._local.find(names)
        if found is not None:
            return found
        others = self._look_up(names)
        return next(((name, others[name]) for name in names if name in others), None)

    def find_all(self, names: Sequence[str]) -> dict[str, Owner]:
        """Those of the ids that are known here or on the server. Blocks. Raises Unavailable."""
        found = dict(self._local.find_all(names))
        rest = [name for name in names if name not in found]
        return {**found, **self._look_up(rest)} if rest else found

    def _look_up(self, names: Sequence[str]) -> Mapping[str, Owner]:
        try:
            if self._team.breaker.problem is not None:
                raise Unreachable(self._team.breaker.problem)
            values = self._client.execute("MGET", *(self._names.name("own", name) for name in names))
        except (Unreachable, Refused) as error:
            raise Unavailable(
                "Which account issued an id that this request names could not be looked up on the team's server "
                f"(shared.url): {error}. Send it again in a moment.",
                retry_after=1,
            ) from None
        found = {name: self._read(value) for name, value in zip(names, values, strict=True) if value is not None}
        return {name: owner for name, owner in found.items() if owner is not None}

    def _read(self, value: bytes) -> Owner | None:
        try:
            stored = _decoder.decode(value)
        except msgspec.DecodeError:
            return None
        alias = self._accounts.find_alias(stored.backend, stored.identity) if stored.identity else ""
        return Owner(stored.backend, alias or stored.account, stored.kind, stored.used, stored.key)

    def _submit(self, name: str, owner: Owner) -> None:
        with self._lock:
            self._waiting[name] = owner
            while len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)
            asked, self._asked = self._asked, True
        if not asked:
            self._thread.submit(self._write)

    def _write(self) -> None:
        """Write the ids that wait. Blocks. Raises Unreachable, Refused."""
        while True:
            with self._lock:
                self._asked = False
                batch = {name: self._waiting[name] for name in list(self._waiting)[:_WRITES]}
            if not batch:
                return
            self._team.pipeline([self._make_command(name, owner) for name, owner in batch.items()])
            with self._lock:
                for name, owner in batch.items():
                    if self._waiting.get(name) is owner:
                        del self._waiting[name]

    def _make_command(self, name: str, owner: Owner) -> list[str | bytes | int]:
        identity = self._accounts.identify(owner.backend, owner.account)
        stored = _Stored(owner.backend, owner.account, identity, owner.kind, owner.used, owner.key)
        return ["SET", self._names.name("own", name), msgspec.json.encode(stored), "EX", MAX_AGE_SECONDS]
