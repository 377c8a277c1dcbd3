"""Has running proxies write to the history what has just ended, so that a command can read or erase it there."""

import contextlib

from router.errors import CommandError
from router.store.home import run_files
from router.store.home.home import Home


def flush_history(home: Home) -> list[str]:
    """Have the proxies of a home write what waits. Returns a line for each that cannot write, with the reason."""
    if not run_files.live(home):
        return []
    # Where no proxy runs, nothing that speaks to one is imported.
    from router.host.event_loop import run_async

    # What is in the file can be read although a proxy cannot be asked.
    with contextlib.suppress(CommandError):
        return run_async(_ask, home)
    return []


async def _ask(home: Home) -> list[str]:
    from router.cli.common.running_proxy import proven
    from router.net.control.request import ControlError

    lines: list[str] = []
    for run, proxy in await proven(home):
        with contextlib.suppress(ControlError):
            # A request that is looked for is written first; there may be none.
            await proxy.fetch_latest_request()
        with contextlib.suppress(ControlError):
            problem = (await proxy.fetch_status()).history.problem
            if problem is not None:
                lines.append(f"the proxy on :{run.port} cannot write it, so requests since then are missing: {problem}")
    return lines
