"""Tables of which every proxy of a team has a copy, so that no request waits for the server to read them.

Rules of this file: a row is an id and a value, and the later one of an id takes the place of the earlier; whoever
writes again what it has written changes nothing. Each row gets the next number of the server, and a process asks for
the rows after the last it has seen. A table keeps so many rows of the latest. A server that lost its data has another
epoch, or a lower number: then each process reads all from the beginning and writes again what it knows.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from router.store.team.client import Script, TeamClient
from router.store.team.keys import KeyNames
from router.store.team.thread import TeamThread

#: Seconds between two looks at the server.
LOOK_SECONDS = 0.4
# Rows of one table in one answer, and rows written by one call: one script takes a millisecond or so of the server.
_ROWS, _WRITES = 500, 200
# Rows that wait for a server that cannot be reached; the oldest are lost first.
_WAITING = 20_000

#: Takes over rows: id -> value.
Receive = Callable[[Mapping[str, bytes]], None]

# KEYS: the head, and for each table the order of its rows and their values. ARGV: the epoch that the caller knows; for
# each table the last number that it has seen, then for each the most rows; then table, id and value of each row to
# write. The answer: epoch, time in seconds and microseconds, number; for each table the last number, ids and values.
_EXCHANGE = Script(
    f"""
local time = redis.call('TIME')
local head = redis.call('HMGET', KEYS[1], 'epoch', 'number')
local epoch, number = head[1], tonumber(head[2] or '0')
if not epoch then
  epoch = time[1] .. '-' .. time[2]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'number', 0)
  number = 0
end
local tables = (#KEYS - 1) / 2
local first = 2 + 2 * tables
for at = first, #ARGV, 3 do
  local table = tonumber(ARGV[at])
  number = number + 1
  redis.call('ZADD', KEYS[2 * table], number, ARGV[at + 1])
  redis.call('HSET', KEYS[2 * table + 1], ARGV[at + 1], ARGV[at + 2])
end
if #ARGV >= first then
  redis.call('HSET', KEYS[1], 'number', number)
  for table = 1, tables do
    local excess = redis.call('ZCARD', KEYS[2 * table]) - tonumber(ARGV[1 + tables + table])
    if excess > 0 then
      local oldest = redis.call('ZRANGE', KEYS[2 * table], 0, math.min(excess, 1000) - 1)
      redis.call('ZREM', KEYS[2 * table], unpack(oldest))
      redis.call('HDEL', KEYS[2 * table + 1], unpack(oldest))
    end
  end
end
local answer = {{epoch, time[1], time[2], number}}
for table = 1, tables do
  local seen = ARGV[1] == epoch and tonumber(ARGV[1 + table]) or 0
  if seen > number then seen = 0 end
  local rows = redis.call('ZRANGEBYSCORE', KEYS[2 * table], '(' .. seen, '+inf', 'WITHSCORES', 'LIMIT', 0, {_ROWS})
  local ids = {{}}
  for at = 1, #rows, 2 do
    ids[#ids + 1] = rows[at]
    seen = rows[at + 1]
  end
  local values = {{}}
  if #ids > 0 then values = redis.call('HMGET', KEYS[2 * table + 1], unpack(ids)) end
  answer[#answer + 1] = {{tostring(seen), ids, values}}
end
return answer
"""
)


class TableForm(NamedTuple):
    """A table. rows: the most that the server keeps."""

    name: str
    rows: int


#: Later versions add some at the end.
ACCOUNTS, SESSIONS, KEYS, DELETED, RATES, SETTINGS = FORMS = (
    TableForm("accounts", 4096),
    TableForm("sessions", 20_000),
    TableForm("keys", 10_000),
    TableForm("deleted", 10_000),
    TableForm("rates", 10_000),
    TableForm("settings", 1000),
)


class _Reader(NamedTuple):
    receive: Receive
    restate: Callable[[], None]


class SharedTables:
    """The copies that one process has."""

    def __init__(self, client: TeamClient, names: KeyNames, thread: TeamThread):
        self._client = client
        self._thread = thread
        self._head = names.name("tables")
        keys = [(names.name("order", form.name), names.name("rows", form.name)) for form in FORMS]
        self._keys = [self._head, *(key for pair in keys for key in pair)]
        self._readers: dict[int, _Reader] = {}
        self._lock = threading.Lock()
        self._waiting: dict[tuple[int, str], bytes] = {}
        self._asked = False
        self._epoch = ""
        self._number = -1
        self._seen = ["0"] * len(FORMS)
        #: When the server answered last, by time.monotonic; None before it ever has.
        self.answered: float | None = None
        #: All rows that the server had were read.
        self.complete = False
        #: What is added to time.monotonic to have the server's time, in seconds; None while that is not known.
        self.shift: float | None = None
        thread.repeat(LOOK_SECONDS, self.exchange)

    def subscribe(self, form: TableForm, receive: Receive, restate: Callable[[], None] = lambda: None) -> None:
        """Have rows of a table given to `receive`, in the team's thread. restate: writes again what this process knows,
        after the server lost its data; called in that thread too. To be called before the first exchange."""
        self._readers[FORMS.index(form)] = _Reader(receive, restate)

    def start(self) -> None:
        """Begin to exchange; again without effect."""
        self._thread.start()

    def put(self, form: TableForm, name: str, value: bytes) -> None:
        """Write a row soon. Never waits; for any thread."""
        with self._lock:
            self._waiting.pop((FORMS.index(form), name), None)
            self._waiting[FORMS.index(form), name] = value
            while len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]
            asked, self._asked = self._asked, True
        if not asked:
            self._thread.submit(self.exchange)

    def forget_clock(self) -> None:
        """Have the server's time asked for again, since the clocks of this machine went apart."""
        self.shift, self._number = None, -1

    def exchange(self) -> None:
        """Write the rows that wait, and take over those of others. Blocks. Raises Unreachable, Refused."""
        more = False
        while True:
            batch = self._take()
            if not (batch or more or self._is_changed()):
                break
            try:
                more = self._call(batch)
            except BaseException:
                with self._lock:
                    # What was put meanwhile is newer.
                    self._waiting = {**batch, **self._waiting}
                    self._asked = False
                raise
            if not more:
                break
        self.complete = True

    def _take(self) -> dict[tuple[int, str], bytes]:
        with self._lock:
            self._asked = False
            chosen = list(self._waiting)[:_WRITES]
            return {key: self._waiting.pop(key) for key in chosen}

    def _is_changed(self) -> bool:
        """True when the server has rows that this process has not seen: one command while nothing happens."""
        epoch, number = self._client.execute("HMGET", self._head, "epoch", "number")
        self.answered = time.monotonic()
        return epoch is None or epoch.decode() != self._epoch or int(number) != self._number

    def _call(self, batch: Mapping[tuple[int, str], bytes]) -> bool:
        """One exchange; True when there is more to write or to read."""
        rows: list[str | bytes | int] = []
        for (index, name), value in batch.items():
            rows += [index + 1, name, value]
        values = [self._epoch, *self._seen, *(form.rows for form in FORMS), *rows]
        answer: list[Any] = self._client.run(_EXCHANGE, self._keys, values)
        epoch, number = answer[0].decode(), int(answer[3])
        self.answered = time.monotonic()
        self.shift = int(answer[1]) + int(answer[2]) / 1e6 - self.answered
        lost = bool(self._epoch) and (epoch != self._epoch or number < self._number)
        self._epoch, self._number = epoch, number
        full = False
        for index, (seen, ids, found) in enumerate(answer[4:]):
            self._seen[index] = _to_number(seen)
            full = full or len(ids) >= _ROWS
            self._receive(index, ids, found)
        if lost:
            for reader in self._readers.values():
                reader.restate()
        return full or bool(self._waiting)

    def _receive(self, index: int, ids: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        reader = self._readers.get(index)
        if reader is not None and ids:
            rows = {name.decode(): value for name, value in zip(ids, values, strict=True) if value is not None}
            reader.receive(rows)


def _to_number(text: bytes) -> str:
    """A number of a row as the next question names it: Lua and the server write large ones with an exponent."""
    return str(int(float(text)))
