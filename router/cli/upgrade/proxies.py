"""The running proxies of the home after the program was replaced: those in the background and that of the service
restart, others are named."""

from collections.abc import Callable

import trio

from router.cli.common.running_proxy import find_proxies
from router.cli.service.control import is_service, restart_installed
from router.errors import CommandError
from router.net.control.request import ControlError
from router.operator_api.client import RunningProxy
from router.store.home import run_files
from router.store.home.home import Home


def list_running_versions(home: Home) -> set[str]:
    """The versions that this home's proxies run."""
    return {run.version for run in run_files.live(home)}


def describe_restarts(home: Home, version: str) -> list[str]:
    """A line for each proxy of this home that another program's upgrade leaves as it is, with what restarts it.
    version: the installed one, which may be newer than what a proxy runs."""
    lines: list[str] = []
    for run in run_files.live(home):
        if run.mode == "tied":
            continue
        again = "fairlead service restart" if is_service(run) else _name_restart(run)
        if run.mode == "detached":
            again = "fairlead restart"
        if run.version != version:
            lines.append(f"The proxy on :{run.port} still runs {run.version}. Restart it:   {again}")
        else:
            lines.append(f"Then restart the proxy on :{run.port}:   {again}")
    return lines


async def restart_proxies(home: Home, version: str, told: Callable[[str], None]) -> list[dict[str, object]]:
    """Have the proxies of other versions run the new one. told: gets a line of each. Returns for JSON what became of
    each: `port`, `version` that serves there now, `restarted`, and `command` for one that was left as it is."""
    if not list_running_versions(home) - {version}:
        return []
    try:
        found, older = await find_proxies(home)
    except CommandError as error:
        told(f"Whether a proxy runs could not be found out: {error}")
        return []
    results: list[dict[str, object]] = []
    for run, proxy in found:
        if run.version != version:
            results.append(await _restart(home, run, proxy, version, told))
    results += [_leave(run, told, "it is of an older fairlead") for run in older]
    return results


async def _restart(
    home: Home, run: run_files.Run, proxy: RunningProxy, version: str, told: Callable[[str], None]
) -> dict[str, object]:
    if run.mode == "tied":
        told(f"The proxy on :{run.port} still runs {run.version}: it ends with its `fairlead run`.")
        return {"port": run.port, "version": run.version, "restarted": False, "command": ""}
    if is_service(run):
        return await _restart_service(home, run, version, told)
    if run.mode != "detached":
        return _leave(run, told, "systemd runs it" if run.mode in run_files.MANAGERS else "it runs in the foreground")
    try:
        serving = await proxy.restart()
    except ControlError as error:
        return _leave(run, told, str(error).rstrip("."))
    if serving.version != version:
        # It was started by the path of its version's folder, or of another installation.
        return _leave(run, told, f"it was restarted, and what started it is {serving.version}")
    told(f"The proxy on :{run.port} is {serving.version} now; the old one ends once its requests have ended.")
    return {"port": run.port, "version": serving.version, "restarted": True}


async def _restart_service(
    home: Home, run: run_files.Run, version: str, told: Callable[[str], None]
) -> dict[str, object]:
    try:
        serving = await trio.to_thread.run_sync(restart_installed, home)
    except CommandError as error:
        return _leave(run, told, str(error).rstrip("."))
    if serving.version != version:
        return _leave(serving, told, f"the service was restarted, and what it starts is {serving.version}")
    told(f"The service was restarted: the proxy on :{serving.port} is {serving.version} now.")
    return {"port": serving.port, "version": serving.version, "restarted": True}


def _leave(run: run_files.Run, told: Callable[[str], None], why: str) -> dict[str, object]:
    command = _name_restart(run)
    told(f"The proxy on :{run.port} still runs {run.version} ({why}).")
    told(f"Restart it:   {command}")
    return {"port": run.port, "version": run.version, "restarted": False, "command": command}


def _name_restart(run: run_files.Run) -> str:
    again = f"fairlead stop --port {run.port}, then fairlead proxy{' --detach' if run.mode == 'detached' else ''}"
    return run_files.format_unit_restart(run) or again
