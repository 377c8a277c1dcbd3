"""Stored answers over a team: sealed on the server, beside the copy of the process that gave them.

Rules of this file: the server has the same entries as a home, sealed, bounded by count, bytes and age; an answer that a
process does not have is read there. What is deleted at one process is told to all. A server that cannot be reached is
passed over: an answer of another process is then not found.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from router.store.interfaces import Json
from router.store.shared.stored_responses import MAX_AGE_SECONDS, MAX_BYTES, MAX_ROWS
from router.store.team.client import Refused, Script, TeamClient, Unreachable
from router.store.team.keys import KeyNames
from router.store.team.secrets import TeamSecret
from router.store.team.state.sealing import Sealer, Unreadable
from router.store.team.state.tables import DELETED, SharedTables
from router.store.team.thread import TeamThread

# Of the server's values in all; MAX_BYTES of a home are before they are compressed.
_BYTES = MAX_BYTES
# KEYS: values, their order by time, and their size in all. ARGV: id, value, the most rows, bytes and seconds.
_STORE = Script(
    """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local size = tonumber(redis.call('GET', KEYS[3]) or '0')
size = size - redis.call('HSTRLEN', KEYS[1], ARGV[1]) + #ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local function drop(ids)
  for _, id in ipairs(ids) do
    size = size - redis.call('HSTRLEN', KEYS[1], id)
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[5], 'LIMIT', 0, 100))
local rows = redis.call('ZCARD', KEYS[2])
while rows > 1 and (rows > tonumber(ARGV[3]) or size > tonumber(ARGV[4])) do
  drop(redis.call('ZRANGE', KEYS[2], 0, 0))
  rows = rows - 1
end
redis.call('SET', KEYS[3], size)
return size
"""
)


class TeamStoredEntries:
    """The entries of stored answers that the server has. put, delete: for the event loop; read blocks."""

    def __init__(
        self, client: TeamClient, names: KeyNames, secret: TeamSecret, thread: TeamThread, tables: SharedTables
    ):
        self._client = client
        self._secret = secret
        self._thread = thread
        self._tables = tables
        self._sealer = Sealer(secret.derive("kept responses"))
        self._keys = [names.name("keep"), names.name("keep", "order"), names.name("keep", "size")]
        self._on_deleted: Callable[[str], None] = lambda name: None
        tables.subscribe(DELETED, self._receive)

    def on_deleted(self, forget: Callable[[str], None]) -> None:
        """Have this called with the id of an answer that another process deleted, in the team's thread."""
        self._on_deleted = forget

    def put(self, name: str, entry: Json) -> None:
        """Store an entry soon."""
        self._thread.submit(lambda: self._write(name, entry))

    def delete(self, name: str, tombstone: Json) -> None:
        """Put a tombstone in the place of an answer, and tell the other processes."""
        self.put(name, tombstone)
        self._tables.put(DELETED, name, b"1")

    def read(self, name: str) -> Json | None:
        """The entry of an id, None for an unknown one and while the server cannot be reached. Blocks."""
        field = self._secret.identify("kept", name)
        with suppress(Unreachable, Refused, Unreadable, msgspec.DecodeError):
            sealed = self._client.execute("HGET", self._keys[0], field)
            if sealed is not None:
                return msgspec.json.decode(self._sealer.open(field, sealed), type=Json)
        return None

    def _write(self, name: str, entry: Json) -> None:
        try:
            plain = msgspec.json.encode(entry)
        except (msgspec.EncodeError, UnicodeEncodeError):
            return
        field = self._secret.identify("kept", name)
        values = [field, self._sealer.seal(field, plain), MAX_ROWS, _BYTES, MAX_AGE_SECONDS]
        self._client.run(_STORE, self._keys, values)

    def _receive(self, rows: Mapping[str, bytes]) -> None:
        for name in rows:
            self._on_deleted(name)
