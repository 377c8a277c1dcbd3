"""A server of a team in virtual time: the real scripts, run by Lua over tables (server.lua)."""

import time
from pathlib import Path

import msgspec
import pytest

#: What a real server needs for a command in a script, for an element that one gives, and for a script besides, in
#: seconds: within a factor of two of what load.py measures.
COMMAND, ELEMENT, SCRIPT = 1.2e-6, 1.2e-6, 40e-6
SOURCE = Path(__file__).with_name("server.lua")


class VirtualServer:
    """One server. clock: its own time, in seconds since 1970."""

    def __init__(self, clock):
        lupa = pytest.importorskip("lupa", reason="lupa runs the server's scripts in virtual time")
        runtimes = [name for name in ("luajit21", "luajit20", "lua51") if hasattr(lupa, name) or _loads(name)]
        module = __import__(f"lupa.{runtimes[0]}", fromlist=["LuaRuntime"])
        self._lua = module.LuaRuntime(encoding=None)
        self._lua.execute(SOURCE.read_bytes())
        self._server = self._lua.globals()[b"server"]
        self._lua.globals()[b"cjson"] = self._lua.table_from({b"decode": self._decode_json})
        self._clock = clock
        self._loaded = {}
        #: False while nothing is answered.
        self.up = True
        #: Scripts that ran, the bytes they took and gave, and the seconds of processor that they needed.
        self.scripts = self.received = self.sent = 0
        self.seconds = 0.0

    @property
    def commands(self):
        """Commands inside and outside of scripts."""
        return int(self._server[b"commands"]())

    @property
    def work(self):
        """Seconds that a real server would have needed for all of it (COMMAND, ELEMENT, SCRIPT)."""
        elements = int(self._server[b"elements"]())
        return self.commands * COMMAND + elements * ELEMENT + self.scripts * SCRIPT

    def execute(self, *words):
        """The answer to one command."""
        self._tick()
        found = self._server[b"execute"](*(word.encode() if isinstance(word, str) else word for word in words))
        return list(found.values()) if hasattr(found, "values") else found

    def run(self, source, keys, values):
        """What a script returns."""
        self._tick()
        script = self._loaded.get(source)
        if script is None:
            script = self._loaded[source] = self._server[b"load"](source.encode())
        keys = [key.encode() for key in keys]
        values = [value.encode() if isinstance(value, str) else value for value in values]
        begun = time.process_time()
        table = self._lua.table_from
        found = self._server[b"run"](script, table(keys), table(values))
        self.seconds += time.process_time() - begun
        self.scripts += 1
        self.received += sum(map(len, keys)) + sum(map(len, values))
        self.sent += len(found) if isinstance(found, bytes) else 8
        return found

    def flush(self):
        """Lose all data."""
        self._server[b"flush"]()

    def copy(self):
        """The data as it is now, for `restore`."""
        return self._server[b"copy"]()

    def restore(self, state):
        """Go on from older data, as after a failover to a replica that lags."""
        self._server[b"restore"](state)

    def _tick(self):
        self._server[b"at"](int(self._clock() * 1000))

    def _decode_json(self, text):
        found = msgspec.json.decode(text)
        return self._lua.table_from([one.encode() if isinstance(one, str) else one for one in found])


def _loads(name):
    try:
        __import__(f"lupa.{name}")
    except ImportError:
        return False
    return True
