"""What a command that goes on says of the proxies: that none runs, that one came or went, that one cannot record."""

import time

from router.cli.common.flush import flush_history
from router.store.home import run_files
from router.store.home.home import Home

# Seconds between two questions whether the history can be written; the proxies say by their run files that they serve.
_ASK_SECONDS = 30.0


class ProxyNews:
    """Tells what has changed since it was last asked."""

    def __init__(self, home: Home):
        self._home = home
        self._ports: dict[int, int] | None = None
        self._problems: list[str] = []
        self._asked = time.monotonic()

    def read(self) -> list[str]:
        """The lines on what has changed."""
        ports = {run.port: run.pid for run in run_files.live(self._home)}
        before, self._ports = self._ports, ports
        lines: list[str] = []
        if not ports and before != ports:
            ended = f"The proxy on :{min(before)} has ended. " if before else "No proxy is running. "
            lines.append(f"{ended}What the next one serves is shown here; start it:   fairlead proxy")
        elif before is not None:
            lines += [f"The proxy on :{port} serves now." for port, pid in ports.items() if before.get(port) != pid]
            lines += [f"The proxy on :{port} has ended." for port in before if port not in ports]
        return [*lines, *self._read_problems()]

    def _read_problems(self) -> list[str]:
        if time.monotonic() - self._asked < _ASK_SECONDS:
            return []
        self._asked = time.monotonic()
        before, self._problems = self._problems, flush_history(self._home)
        return [f"history  {problem}" for problem in self._problems if problem not in before]
