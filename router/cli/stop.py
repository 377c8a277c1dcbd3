"""`fairlead stop`: end the running proxies of this home."""

import contextlib
import os
import secrets
import signal
import sys

import trio

from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.common.port_owner import find_port_owner
from router.cli.common.running_proxy import find_proxies
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.operator_api.client import RunningProxy, verify_listener
from router.settings import Secret
from router.settings.kinds import clean
from router.store.config import toml
from router.store.home import processes, run_files
from router.store.home.home import Home, open_home
from router.wire.raw.whole_numbers import parse_whole

# Seconds beyond those in which a proxy drains: it then ends its streams with an error event.
END_SECONDS = 5.0
# For one of an older version.
DRAIN_SECONDS = 10.0


def run(argv: list[str]) -> int:
    """Stop them and wait until their processes end."""
    parser = Parser(
        "stop",
        "Stop the running proxy: it finishes open answers for up to drain.time, then ends.",
        examples=["fairlead stop"],
    )
    parser.add_argument("--port", metavar="PORT", help="stop only the proxy on this port")
    options = parser.read(argv)
    if options.port is not None and parse_whole(options.port, 0, 65535) is None:
        raise UsageError(f'--port is "{options.port}"; expected a port number.')
    return run_async(_stop, open_home(os.environ), options.port)


async def _stop(home: Home, port: str | None) -> int:
    ours, older = await find_proxies(home)
    found = [one for one in ours if str(one[0].port) == port or (port is None and one[0].mode != "tied")]
    ended = [entry for entry in older if port in (None, str(entry.port))]
    if not found and not ended:
        await _check_foreign_listener(home, port)
        if any(str(entry.port) == port or (port is None and entry.mode != "tied") for entry in run_files.live(home)):
            raise CommandError("no proxy of this home answers, so none was told to stop.")
        say("No proxy of this home is running." if port is None else f"No proxy of this home runs on port {port}.")
        await _note_other(int(port) if port else toml.load(home, os.environ).settings.port)
        return 0
    for entry, proxy in found:
        await _wait_for_end(home, *await _tell(home, entry, proxy))
        say(f"Stopped the proxy on :{entry.port}.")
        if entry.unit:
            note(f"note: it ran for {clean(entry.unit)}, which may start it again at the next login.")
    for entry in ended:
        _end_older(entry)
        await _wait_for_end(home, entry, DRAIN_SECONDS)
        say(f"Stopped the proxy on :{entry.port}, which was of an older fairlead.")
    return 0


async def _tell(home: Home, entry: run_files.Run, proxy: RunningProxy) -> tuple[run_files.Run, float]:
    """Tell a proxy to stop; returns the run file of the process that was told, and for how many seconds its answers may
    go on. Raises CommandError."""
    try:
        try:
            return entry, await proxy.stop()
        except ControlError as error:
            # A restart may have handed the port to another process since this one was asked to prove itself.
            ours, _ = await find_proxies(home)
            successors = [one for one in ours if one[0].port == entry.port and one[0].pid != entry.pid]
            if error.code != "not_signed" or not successors:
                raise
            successor, proxy = successors[0]
            return successor, await proxy.stop()
    except ControlError as error:
        raise CommandError(f"the proxy on :{entry.port} could not be told to stop: {error}") from None


def _end_older(entry: run_files.Run) -> None:
    """Ask a proxy of an older version to end, which takes the token and no signature: by a signal, since its process is
    known to be this user's, and whoever answers on its port is not. Raises CommandError."""
    if sys.platform == "win32":
        raise CommandError(
            f"the proxy on :{entry.port} is of an older fairlead, which this one cannot talk to.",
            f"End it:   taskkill /PID {entry.pid} /F",
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(entry.pid, signal.SIGTERM)


async def _wait_for_end(home: Home, entry: run_files.Run, seconds: float) -> None:
    # The end of another process can only be polled. The proxy removes its run file last; its process id may stay in
    # use longer, as a zombie whose parent has not waited for it.
    patience = seconds + END_SECONDS
    with trio.move_on_after(patience):
        while processes.alive(entry.pid) and run_files.present(home, entry):  # noqa: ASYNC110
            await trio.sleep(0.02)
        return
    raise CommandError(
        f"the proxy on :{entry.port} was told to stop, but process {entry.pid} still runs after {patience:g} s."
    )


async def _check_foreign_listener(home: Home, port: str | None) -> None:
    """Raise CommandError when the listener of a run file answers but does not prove to be of this home."""
    for entry in run_files.live(home):
        if (
            port in (None, str(entry.port))
            and await verify_listener(entry.literal_url or entry.url, home.token("operator.token")) is False
        ):
            raise CommandError(
                f"{entry.url} answers, but did not prove to be the fairlead of this home; it was not told to stop.",
                f"Its run file names process {entry.pid}.",
            )


async def _note_other(port: int) -> None:
    """Say who else has the port: a proxy whose home was removed is no longer found by commands."""
    nobodys = Secret(secrets.token_hex())
    if port and await verify_listener(f"http://localhost:{port}", nobodys) is False:
        who = find_port_owner(port)
        note(f"note: another program has port {port}{f' ({who})' if who else ''}.")
        note("      A proxy whose home was removed can only be stopped by ending its process.")
