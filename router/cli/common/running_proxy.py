"""Finding the running proxy of this home, and telling it that something changed."""

import trio

from router import __version__
from router.cli.common.layout import note, say
from router.cli.common.pending import note_pending
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.net.loopback import list_literal_urls
from router.operator_api.client import RunningProxy, ask_proof
from router.operator_api.status import Reloaded, Status
from router.store.home import run_files
from router.store.home.home import Home

#: For the lists of models of the backends that are there.
_LIST_SECONDS = 5.0
_BETWEEN = 0.2


async def proven(home: Home) -> list[tuple[run_files.Run, RunningProxy]]:
    """The proxies of this home that proved it, newest first; says which are of another version. Raises CommandError."""
    found, older = await find_proxies(home)
    for run, _ in found:
        if run.version != __version__:
            note(f"note: the proxy on :{run.port} is version {run.version}, this command is {__version__}.")
    for run in older:
        note(f"note: the proxy on :{run.port} (pid {run.pid}) is of an older fairlead, which this one cannot talk to.")
        note("      Restart it:   fairlead stop, then fairlead proxy")
    return found


async def find_proxies(home: Home) -> tuple[list[tuple[run_files.Run, RunningProxy]], list[run_files.Run]]:
    """The proxies of this home that proved it, newest first, and those that proved it as older versions did: who relays
    could do that too, so nothing is sent to them. Raises CommandError."""
    found: list[tuple[run_files.Run, RunningProxy]] = []
    older: list[run_files.Run] = []
    for run in run_files.live(home):
        token = home.token("operator.token")
        for url in list_literal_urls(run.literal_url or run.url):
            proof = await ask_proof(url, token)
            if proof.known:
                found.append((run, RunningProxy(url, token, proof.process)))
            elif proof.older:
                older.append(run)
            if proof.known is not None:
                break
        else:
            note(f"note: the proxy on :{run.port} (process {run.pid}) does not answer.")
    return found, older


async def fetch_listed_status(proxy: RunningProxy) -> Status:
    """What a proxy reports once it has the backends' lists of models: one that has just started reads them, which may
    take some seconds. A list that does not come in time is left out. Raises ControlError."""
    deadline = trio.current_time() + _LIST_SECONDS
    while True:
        status = await proxy.fetch_status()
        if trio.current_time() >= deadline or not any(one.loading for one in status.backends):
            return status
        await trio.sleep(_BETWEEN)


def describe_absence(home: Home, rest: str) -> str:
    """What a command says that did not ask a proxy. rest: what its answer is made of."""
    return f"{'The proxy was not asked' if run_files.live(home) else 'No proxy is running'}; this is {rest}"


def tell_change(home: Home) -> None:
    """Have the running proxies read the home again, and print whether they use it now; where none runs, print what
    would keep one from starting. Raises CommandError when one refused: the change is saved, but it is not in use."""
    if not run_files.live(home):
        note_pending(home)
        return
    refused = run_async(_tell_change, home)
    if refused is not None:
        raise refused


async def reload_proxies(home: Home) -> list[tuple[int, Reloaded | ControlError]]:
    """Have each proxy of a home read it again: its port, and what came of it. Raises CommandError."""
    found: list[tuple[int, Reloaded | ControlError]] = []
    for run, proxy in await proven(home):
        try:
            found.append((run.port, await proxy.reload()))
        except ControlError as error:
            found.append((run.port, error))
    return found


def explain_refusal(port: int, answer: Reloaded) -> CommandError | None:
    """Why a proxy keeps its previous configuration; None where it uses the new one."""
    if answer.refused is None:
        return None
    return CommandError(
        f"the running proxy on :{port} did not take it: {answer.refused.message}",
        f"It keeps the previous configuration.\n{answer.refused.fix}".rstrip(),
    )


async def _tell_change(home: Home) -> CommandError | None:
    refused: CommandError | None = None
    try:
        for port, answer in await reload_proxies(home):
            if isinstance(answer, ControlError):
                note(f"The running proxy on :{port} could not be asked whether it uses it: {answer}")
            elif (refusal := explain_refusal(port, answer)) is None:
                say(f"The running proxy on :{port} uses it now.")
            else:
                refused = refusal
    except CommandError as error:
        # The change itself is saved.
        note(f"The running proxy could not be asked whether it uses it: {error}")
    return refused
