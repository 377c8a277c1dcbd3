"""The proxy that serves a started program: the running one of this home, or one for as long as the program runs."""

from typing import NamedTuple

from router.cli.background import start_tied
from router.cli.common.running_proxy import find_proxies
from router.errors import CommandError
from router.host.event_loop import run_async
from router.host.own_program import BackgroundProgram
from router.operator_api.client import RunningProxy
from router.store.home.home import Home
from router.store.home.run_files import Run


class Server(NamedTuple):
    """A proxy that has proved to be of this home."""

    run: Run
    proxy: RunningProxy
    #: The process that this one has started for it, None for a proxy that was running.
    own: BackgroundProgram | None = None

    def end(self) -> None:
        """Let a proxy of this run end: it finishes its open answers."""
        if self.own is not None:
            self.own.let_go()


def find_server(home: Home, port: int | None = None) -> Server | None:
    """The newest proxy that runs for all tools of this home; None when there is none. port: that of one that was
    started for a program, in which this command runs. Raises CommandError."""
    found, older = run_async(find_proxies, home)
    for run, proxy in found:
        if run.port == port or (port is None and run.mode != "tied"):
            return Server(run, proxy)
    if older and port is None:
        raise CommandError(
            f"the proxy on :{older[0].port} (pid {older[0].pid}) is of an older fairlead, which makes no keys.",
            "Restart it:   fairlead stop, then fairlead proxy",
        )
    return None


def start_server(home: Home) -> Server:
    """Start a proxy that ends with this process, however that ends. Raises CommandError."""
    program, report = start_tied(home)
    try:
        found, _ = run_async(find_proxies, home)
        for run, proxy in found:
            if run.pid == report.pid:
                return Server(run, proxy, program)
        raise CommandError("the proxy that was started for this run cannot be found.", "Try again.")
    except BaseException:
        program.kill()
        raise
