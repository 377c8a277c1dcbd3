"""A proxy in the background: starting it and waiting until it serves, and what the started process says of that."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Generator, Sequence
from typing import Protocol

import trio

from router import __version__
from router.cli.common.layout import note, say
from router.cli.common.output import print_in_background
from router.errors import CommandError
from router.host.event_loop import run_async
from router.host.own_program import BackgroundProgram, find_words, start_again
from router.host.service.managed import Service
from router.host.starter import Report, Starter
from router.server.background_log import NAME, open_log
from router.server.listeners import PortTaken
from router.server.restart import Origin, find_origin
from router.settings import Settings
from router.store.home.home import Home
from router.store.home.permissions import shown

START_SECONDS = 30.0


def start_tied(home: Home) -> tuple[BackgroundProgram, Report]:
    """Start a proxy on a port of its own, for this machine only, that ends with this process. Raises CommandError when
    it does not serve."""
    program = _start(home, ["--port", "0", "--host", "localhost"], tied=True)
    served = False
    try:
        report = _wait(home, program)
        served = True
    finally:
        # Also for Ctrl-C.
        if not served:
            program.kill()
    return program, report


def start_proxy(home: Home, settings: Settings, flags: Sequence[str]) -> int:
    """Start a proxy in the background, and print what it says once it serves. flags: those of `fairlead proxy`. Raises
    CommandError and PortTaken when it does not serve; no process is left then."""
    _check_paths(settings)
    program = _start(home, flags)
    served = False
    try:
        report = _wait(home, program)
        served = True
    finally:
        # Also for Ctrl-C.
        if served:
            program.let_go()
        else:
            program.kill()
    for line in report.notes:
        note(line)
    say("\n".join(report.lines))
    return 0


def _start(home: Home, flags: Sequence[str], *, tied: bool = False) -> BackgroundProgram:
    environ = dict(os.environ)
    if "FAIRLEAD_HOME" in environ:
        # It may count from this folder, which is not the one where the proxy runs.
        environ["FAIRLEAD_HOME"] = str(home.path)
    words = find_words()
    log = open_log(home)
    try:
        return start_again(words, ["proxy", *flags], environ, log=log, tied=tied)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{words[0]} cannot be started: {reason}.") from None
    finally:
        os.close(log)


def _check_paths(settings: Settings) -> None:
    """Raise CommandError for a path that counts from where the proxy runs."""
    for name, path in (("log_file", settings.log_file), ("tls.ca_file", settings.tls_ca_file)):
        if path and not os.path.isabs(os.path.expanduser(path)):
            raise CommandError(
                f"{name} is {path}, which counts from the folder of a proxy; one in the background has none.",
                f"Give the whole path:   {os.path.abspath(path)}",
            )


def _wait(home: Home, program: BackgroundProgram) -> Report:
    """What it says once it serves. Raises CommandError and PortTaken."""
    report = run_async(_read_report, program)
    if report is None:
        raise CommandError(f"the proxy did not serve within {START_SECONDS:g} s, and was ended.", _hint_at_log(home))
    if report.kind == "taken":
        raise PortTaken(report.port, report.companion)
    if report.kind != "serving":
        error = CommandError(report.message, report.hint or _hint_at_log(home))
        error.exit_code = report.exit_code
        raise error
    return report


async def _read_report(program: BackgroundProgram) -> Report | None:
    with trio.move_on_after(START_SECONDS):
        return await trio.to_thread.run_sync(program.read_report, abandon_on_cancel=True)
    return None


def _hint_at_log(home: Home) -> str:
    return f"Its log is {shown(home.at(NAME))}."


def announce_service(service: Service, url: str, notes: Sequence[str]) -> None:
    """Say in the log of a service manager that this process serves. A journal has the time of each line itself."""
    print_in_background([*notes, _format_start(url, stamped=service.log is not None)])


# In the process that was started


@contextlib.contextmanager
def reporting(starter: Starter) -> Generator[None]:
    """Tell the starter of an error that ends the start; the log has it too."""
    try:
        yield
    except PortTaken as taken:
        starter.report(Report(kind="taken", port=taken.port, companion=taken.companion))
        raise
    except CommandError as error:
        starter.report(Report(kind="failed", message=str(error), hint=error.hint, exit_code=error.exit_code))
        raise


def make_origin(home: Home, starter: Starter | None, service: Service) -> Origin:
    """How this process was started, and what it is started again with."""
    if starter is None:
        return find_origin(os.environ, service)
    return Origin("tied" if starter.tied else "detached", find_words(), tuple(sys.argv[1:]), dict(os.environ), starter)


class _Stoppable(Protocol):
    def stop(self) -> None: ...


def stop_with_starter(starter: Starter, serving: _Stoppable) -> None:
    """Have a proxy that is tied to its starter stop once that has ended. For the thread of the proxy's loop."""
    if not starter.tied:
        return
    token = trio.lowlevel.current_trio_token()

    def watch() -> None:
        starter.wait_for_end()
        with contextlib.suppress(trio.RunFinishedError):
            trio.from_thread.run_sync(serving.stop, trio_token=token)

    # No thread of trio's: it would be waited for at the end.
    threading.Thread(target=watch, name="starter", daemon=True).start()


def announce_start(home: Home, starter: Starter, url: str, notes: Sequence[str], lines: Sequence[str]) -> None:
    """Tell the starter that this process serves, and what to tell its user; a line in the log says so too."""
    pid = os.getpid()
    print_in_background([*notes, _format_start(url)], error=True)
    last = f"\nServing in the background (pid {pid}). Log: {shown(home.at(NAME))}"
    told = [*lines, last, "Stop it:   fairlead stop"]
    starter.report(Report(kind="serving", version=__version__, lines=told, notes=list(notes)))
    starter.close()


def _format_start(url: str, *, stamped: bool = True) -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S ") if stamped else ""
    return f"{stamp}fairlead {__version__} serves on {url} (pid {os.getpid()})."
