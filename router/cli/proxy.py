"""`fairlead proxy`: serve until stopped."""

import argparse
import gc
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from router import __version__
from router.cli.common import budget_lines
from router.cli.common.layout import note, say
from router.cli.common.output import (
    collect_login_protocols,
    format_problems,
    format_tool_lines,
    load_settings,
    print_in_background,
)
from router.cli.common.parser import Parser
from router.errors import CommandError
from router.settings import DECLARATIONS, Loaded, Settings, format_default
from router.settings.keys import find_unknown_variables
from router.store.captures import folder as captures
from router.store.config import backends, toml
from router.store.home import client_key, run_files
from router.store.home.home import Home, open_home
from router.store.home.place import CONFIG_DIR

if TYPE_CHECKING:
    from router.host.service.managed import Service
    from router.host.starter import Starter
    from router.server.accepting import Role
    from router.server.listeners import PortTaken
    from router.server.serve import Serving

#: As router/server/workers/given.py has it, which no other process loads.
_WORKER = "FAIRLEAD_WORKER_OF"


def run(argv: list[str]) -> int:
    """Serve; exit code 0 also when a proxy of this home serves already."""
    # What is made before listening lives as long as the process; serve.run enables the collector again.
    gc.disable()
    try:
        return _work(argv) if _WORKER in os.environ else _run_managed(argv)
    finally:
        gc.enable()


def _run_managed(argv: list[str]) -> int:
    """Serve, and tell who started this process."""
    from router.host.service.managed import read_variables, take_service
    from router.host.starter import take_starter

    starter, service = take_starter(os.environ), take_service(os.environ)
    if starter is not None:
        from router.cli.background import reporting

        with reporting(starter):
            return _run(argv, starter, service)
    try:
        read_variables(os.environ)
        return _run(argv, None, service)
    except CommandError as error:
        # Another program may leave the port again; what is wrong with the configuration stays so.
        error.exit_code = service.choose_exit_code(error.exit_code, lasting=not isinstance(error, _PortInUse))
        raise


def _run(argv: list[str], starter: "Starter | None", service: "Service") -> int:
    options = _build_parser().read(argv)
    flags = _read_flags(options)
    if options.config_dir is not None:
        # Also for what this process starts.
        os.environ[CONFIG_DIR] = options.config_dir
    home = open_home(os.environ)
    loaded = load_settings(home, flags)
    settings = loaded.settings
    _check_start(home, loaded)
    if options.detach and starter is None:
        from router.cli.background import start_proxy

        try:
            return start_proxy(home, settings, [word for word in argv if word != "--detach"])
        except CommandError as error:
            from router.server.listeners import PortTaken

            if isinstance(error, PortTaken):
                return _report_running(home, settings, error)
            raise
    role = _make_role(settings, [word for word in argv if word != "--detach"], starter)
    return _serve(home, loaded, flags, (starter, service, role))


def _serve(home: Home, loaded: Loaded, flags: dict[str, str], situation: "tuple[Starter | None, Service, Role]") -> int:
    settings, (starter, service, role) = loaded.settings, situation
    from router.cli.background import announce_service, announce_start, make_origin, stop_with_starter
    from router.server import serve
    from router.server.listeners import PortTaken

    def announce(serving: "Serving") -> None:
        notes, lines = _format_start(home, settings, serving)
        if service.kind:
            announce_service(service, serving.url, notes)
        elif starter is None:
            print_in_background(notes, error=True)
            print_in_background([*lines, "\nServing. Ctrl-C stops."])
        else:
            announce_start(home, starter, serving.url, notes, lines)
            stop_with_starter(starter, serving)

    try:
        return serve.run(
            settings,
            home,
            warnings=loaded.warnings,
            load_settings=lambda: toml.load(home, os.environ, flags),
            announce=announce,
            origin=make_origin(home, starter, service),
            role=role,
        )
    except PortTaken as taken:
        if starter is not None:
            raise
        return _report_running(home, settings, taken, service=bool(service.kind))


def _work(argv: list[str]) -> int:
    """Serve as a worker of the process that started this one."""
    from router.host.own_program import find_words
    from router.server import serve
    from router.server.restart import Origin
    from router.server.workers.given import take_given
    from router.server.workers.worker import WorkerRole

    given = take_given(os.environ)
    assert given is not None
    flags = _read_flags(_build_parser().read(argv))
    home = open_home(os.environ)
    loaded = load_settings(home, flags)
    return serve.run(
        loaded.settings,
        home,
        warnings=loaded.warnings,
        load_settings=lambda: toml.load(home, os.environ, flags),
        origin=Origin("worker", find_words()),
        role=WorkerRole(given),
    )


def _make_role(settings: Settings, argv: list[str], starter: "Starter | None") -> "Role":
    """What this process is: the parent of workers where there are to be several. Raises CommandError."""
    from router.server.accepting import ALONE

    if settings.workers == 1 or (starter is not None and starter.tied):
        return ALONE
    from router.server.workers.parent import Parent, check_workers, find_program

    check_workers(settings.workers)
    return Parent(settings.workers, find_program(argv, os.environ))


def _check_start(home: Home, loaded: Loaded) -> None:
    """Raise CommandError for the first thing that keeps the proxy from starting; print the others, if any."""
    from router.upstream.configuration import list_faults
    from router.upstream.search import find_gap

    for line in (*find_unknown_variables(os.environ), *filter(None, (find_gap(loaded.settings),))):
        note(f"warning: {line}")
    faults = list_faults(home, loaded, os.environ)
    if faults:
        first, *others = faults
        also = "".join(f"\nAlso: {fault}" for fault in others)
        raise CommandError(str(first), f"{first.hint}{also}")


def _build_parser() -> Parser:
    parser = Parser(
        "proxy",
        "Serve every backend on one local URL until stopped. "
        "Each option can also be set with the environment variable shown, or permanently with `fairlead config set`.",
        examples=["fairlead proxy", "fairlead proxy --port 3457 -v", "fairlead proxy --detach"],
    )
    parser.add_argument("--detach", action="store_true", help="start it in the background and return once it serves")
    parser.add_argument("-v", dest="shorthand", action="count", help="as --verbose 1; -vv as --verbose 2")
    parser.add_argument(
        "--config-dir",
        metavar="PATH",
        help="folder with config.toml and backends that is only read, such as a mounted one; all else stays in the "
        f"home (${CONFIG_DIR})",
    )
    for entry in DECLARATIONS:
        if entry.flag:
            default = format_default(entry)
            about = _format_about(entry.help, default, entry.env)
            parser.add_argument(entry.flag, dest=entry.attribute, metavar=entry.metavar, help=about.replace("%", "%%"))
    secret = ", ".join(f"${entry.env}: {entry.help}" for entry in DECLARATIONS if entry.secret)
    parser.epilog = f"only as a variable, or with `fairlead config set`:\n  {secret}\n\n{parser.epilog}"
    return parser


def _format_about(text: str, default: str, variable: str) -> str:
    """A setting's help with its default and variable in one pair of brackets."""
    inside = [f"default {default}"] if default else []
    if text.endswith(")") and "(default" in text:
        text, _, named = text.removesuffix(")").rpartition(" (")
        inside = [named]
    return f"{text} ({'; '.join([*inside, f'${variable}'])})"


def _read_flags(options: argparse.Namespace) -> dict[str, str]:
    given = {entry.attribute: getattr(options, entry.attribute) for entry in DECLARATIONS if entry.flag}
    if options.shorthand is not None and given["verbose"] is None:
        given["verbose"] = str(min(options.shorthand, 2))
    return {attribute: text for attribute, text in given.items() if text is not None}


def _format_start(home: Home, settings: Settings, serving: "Serving") -> tuple[list[str], list[str]]:
    """The notes on what to look after, and the lines on where the proxy serves and how tools reach it."""
    found, problems = backends.load(home)
    notes = [*_format_unread(problems), *_format_others(home)]
    enabled = [backend for backend in found if backend.enabled]
    named = _format_backends([entry.name for entry in enabled], [entry.name for entry in problems], settings.demo)
    lines = [f"fairlead {__version__}   {serving.url}   {named}\n"]
    lines += format_tool_lines(serving.url, asks_key=serving.key is not None, own=collect_login_protocols(enabled))
    why = client_key.explain_auto(settings) if serving.key is not None else ""
    if why:
        lines.append(f"They must because others may use this machine: {why}.")
        lines.append("Where nobody else does:   fairlead config set require_key off")
    if not enabled:
        lines.append("Add a backend:   fairlead backend add anthropic --key-stdin")
    if serving.runtime.ledger.elsewhere:
        lines.append(f"{serving.runtime.ledger.elsewhere}.")
    if settings.history_capture:
        lines.append(captures.capture_notice(home))
    if serving.runtime.snapshot.caches:
        from router.store.answer_cache.schema import cache_notice

        lines.append(cache_notice(home))
    return notes, [*lines, *budget_lines.format_budget_lines(home, settings)]


def _format_unread(problems: Sequence[backends.Problem]) -> list[str]:
    """The lines on the backends that cannot be read, with what that means for requests."""
    lines: list[str] = []
    for problem in problems:
        lines += [*format_problems([problem]), f"       Until then requests for models of {problem.name} get a 404."]
    return lines


def _format_others(home: Home) -> list[str]:
    """A line for each other proxy of this home."""
    return [
        f"note: another proxy of this home serves on :{run.port} (pid {run.pid}). "
        f"Stop it:   fairlead stop --port {run.port}"
        for run in run_files.live(home)
        if run.pid != os.getpid() and run.mode != "tied"
    ]


def _format_backends(names: list[str], unread: list[str], demo: bool) -> str:
    if names:
        return f"backends: {', '.join(names)}"
    if unread:
        return f"no backend can be read: {', '.join(unread)}"
    return "no backends yet; only the demo models work" if demo else "no backends yet"


def _report_running(home: Home, settings: Settings, taken: "PortTaken", *, service: bool = False) -> int:
    """Handle a taken port: success when a proxy of this home has it. Raises CommandError for any other program, and
    for one of an older version. service: for a service, which is not running then, also for a proxy of this home."""
    from router.cli.common.running_proxy import find_proxies
    from router.host.event_loop import run_async

    port = taken.port
    found, older = run_async(find_proxies, home)
    for entry in older:
        if entry.port == port:
            raise CommandError(
                f"port {port} is taken by a proxy of this home that is of an older fairlead (pid {entry.pid}).",
                f"Stop it first:   fairlead stop --port {port}",
            )
    for entry, _ in found:
        if entry.port == port and service:
            raise CommandError(
                f"port {port} is taken by another proxy of this home (pid {entry.pid}, {entry.mode}).",
                f"Leave it to the service:   fairlead stop --port {port}, then fairlead service restart",
            )
        if entry.port == port:
            stored, _ = backends.load(home)
            say(f"fairlead {entry.version}   {entry.url}   already serving (pid {entry.pid})")
            say(f"Stop it:   fairlead stop --port {port}\n")
            asks_key = client_key.client_key(settings, home) is not None
            print("\n".join(format_tool_lines(entry.url, asks_key=asks_key, own=collect_login_protocols(stored))))
            return 0
    raise make_port_taken_error(taken, "proxy")


class _PortInUse(CommandError):
    """Another program listens on the port."""


def make_port_taken_error(taken: "PortTaken", command: str) -> CommandError:
    """The error for a port on which another program listens; it names a free port."""
    from router.cli.common.port_owner import find_free_port_after, find_port_owner

    owner = find_port_owner(taken.port)
    free = find_free_port_after(taken.port)
    return _PortInUse(
        f"port {taken.port} is taken by another program{f' ({owner})' if owner else ''}{taken.where}.",
        f"Use another port:   fairlead {command} --port {0 if free is None else free}",
    )
