"""`fairlead restart`: restart the proxies of this home that run in the background, without a gap."""

import os

from router.cli.common.layout import say
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import find_proxies
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.operator_api.client import RunningProxy
from router.settings.kinds import clean
from router.store.home import run_files
from router.store.home.home import Home, open_home
from router.wire.raw.whole_numbers import parse_whole


def run(argv: list[str]) -> int:
    """Restart them; each answers until its successor serves."""
    parser = Parser(
        "restart",
        "Restart the proxy in the background, as after an upgrade: a new process takes the port over and gets all new "
        "requests, and the old one finishes its open answers for up to drain.time.",
        examples=["fairlead restart"],
    )
    parser.add_argument("--port", metavar="PORT", help="restart only the proxy on this port")
    options = parser.read(argv)
    if options.port is not None and parse_whole(options.port, 0, 65535) is None:
        raise UsageError(f'--port is "{options.port}"; expected a port number.')
    return run_async(_restart, open_home(os.environ), options.port)


async def _restart(home: Home, port: str | None) -> int:
    ours, older = await find_proxies(home)
    for entry in older:
        if port in (None, str(entry.port)):
            raise CommandError(
                f"the proxy on :{entry.port} is of an older fairlead, which cannot hand its port over.",
                "Stop and start it:   fairlead stop, then fairlead proxy --detach",
            )
    found = [one for one in ours if str(one[0].port) == port or (port is None and one[0].mode != "tied")]
    if not found:
        where = "" if port is None else f" on port {port}"
        raise CommandError(f"no proxy of this home runs{where}.", "Start one:   fairlead proxy --detach")
    for entry, proxy in found:
        _check_mode(entry)
        await _restart_one(entry, proxy)
    return 0


def _check_mode(entry: run_files.Run) -> None:
    again = run_files.format_unit_restart(entry)
    if again:
        raise CommandError(
            f"the proxy on :{entry.port} runs for {clean(entry.unit)}, and systemd would take a restart for its end.",
            f"Have systemd restart it:   {again}",
        )
    if entry.mode == "tied":
        raise CommandError(f"the proxy on :{entry.port} serves one `fairlead run`, and ends with it.")
    if entry.mode == "foreground":
        raise CommandError(
            f"the proxy on :{entry.port} runs in the foreground (pid {entry.pid}), where a restart would take it away.",
            "End it with Ctrl-C where it runs, then start it again:   fairlead proxy\n"
            "In the background instead:   fairlead stop, then fairlead proxy --detach",
        )


async def _restart_one(entry: run_files.Run, proxy: RunningProxy) -> None:
    try:
        answer = await proxy.restart()
    except ControlError as error:
        raise CommandError(f"the proxy on :{entry.port} was not restarted: {error}") from None
    say(f"Restarted the proxy on :{entry.port}: version {answer.version}, pid {answer.pid}.")
