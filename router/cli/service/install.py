"""`fairlead service install`: show what the system is given, write it, and start the service."""

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from router.cli import stop
from router.cli.common.layout import note, say
from router.cli.common.output import load_settings, note_problems
from router.cli.common.parser import Parser
from router.cli.service.control import find_serving, is_service, make_manager, refuse_root, start_service
from router.errors import CommandError, UsageError
from router.host.own_program import find_words
from router.host.service.env_file import read_env_file
from router.installation.detect import detect, find_copy
from router.service.definition import Wanted
from router.service.manager import Definition, Manager
from router.service.program import choose_program
from router.service.variables import Needed, list_lost, list_needed, list_privileged, make_path
from router.settings import Settings
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown
from router.store.home.place import find_home


class _Plan(NamedTuple):
    """What is to be installed, and what a user should know of it."""

    wanted: Wanted
    text: str
    before: Definition | None
    notes: tuple[str, ...]
    #: A proxy in the background that has the port, which is stopped first.
    other: run_files.Run | None


def run(argv: list[str]) -> int:
    """Install the service, or show what would be written."""
    parser = Parser(
        "service install",
        "Have the system run the proxy for you, now and at every login: a user unit of systemd, a launch agent of "
        "macOS, a task of Windows. What is written is shown first; nothing needs root.",
        examples=["fairlead service install", "fairlead service install --print"],
    )
    parser.add_argument(
        "--env-file", metavar="PATH", help="a file of NAME=value lines, which only you can read, for keys in variables"
    )
    parser.add_argument("--print", "--dry-run", action="store_true", help="only show what would be written")
    parser.add_argument("--yes", action="store_true", help="write and start it without asking")
    parser.add_argument("--force", action="store_true", help="also over one that was changed by hand")
    options = parser.read(argv)
    refuse_root()
    home = open_home(os.environ)
    manager = make_manager(os.environ)
    if not options.print:
        manager.check()
    plan = _make_plan(options, home, manager)
    if options.print:
        print(plan.text, end="")
        _tell(plan)
        return 0
    _check_before(plan, manager, force=options.force)
    changed = plan.before is None or plan.before.package != "" or plan.before.text != plan.text
    if not changed and find_serving(home) is not None and manager.read_state().enabled is not False:
        say("The service is installed and running already; nothing to change.")
        return 0
    _show(plan, manager, changed=changed)
    if not options.yes and not _ask():
        say("Nothing was written.")
        return 0
    _install(home, manager, plan, changed=changed)
    return 0


def _make_plan(options: argparse.Namespace, home: Home, manager: Manager) -> _Plan:
    """Raises CommandError for what would keep the service from working."""
    settings = load_settings(home).settings
    found, problems = backends.load(home)
    note_problems(problems)
    copy = find_copy(os.environ)
    chosen = choose_program(find_words(), copy, detect(copy), os.environ)
    path = make_path(os.environ)
    env_file = None if options.env_file is None else Path(os.path.abspath(os.path.expanduser(options.env_file)))
    given = {*manager.list_variables(), *(read_env_file(env_file) if env_file is not None else ())}
    # Windows does not tell names by their case; its own come in capitals.
    same = str.upper if sys.platform == "win32" else str
    missing = [one for one in list_needed(found, settings) if same(one.variable) not in {same(name) for name in given}]
    notes = [*chosen.notes]
    if missing and not options.print:
        raise _make_variable_error(missing, env_file)
    notes += [f"{one.owner} takes its key from ${one.variable}, which the service does not have." for one in missing]
    notes += [_describe_lost(os.environ, given)] if list_lost(os.environ, given) else []
    privileged = list_privileged(found, path)
    if privileged:
        notes.append(
            f"{', '.join(privileged)} needs rights of its own to give a key, so that the service is not hardened."
        )
    wanted = Wanted(
        words=chosen.words,
        home=home.path if str(home.path) != find_home({}) else None,
        path=path,
        env_file=env_file,
        log=manager.choose_log(home.path),
        loader=copy.form == "file",
        hardened=not privileged,
    )
    return _Plan(wanted, manager.make(wanted), manager.read_own(), tuple(notes), _find_other(home, settings))


def _make_variable_error(missing: Sequence[Needed], env_file: Path | None) -> CommandError:
    names = sorted({one.variable for one in missing})
    lines = [f"{one.owner} takes its key from ${one.variable}." for one in missing]
    lines += [
        "Store each key where the service finds it:",
        *(f"  {line}" for line in sorted({one.remedy for one in missing})),
    ]
    if env_file is None:
        lines.append("Or write the variables to a file that only you can read (NAME=value lines), and name it:")
        lines.append("  fairlead service install --env-file PATH")
    else:
        lines.append(f"{shown(env_file)} has no {', '.join(names)}.")
    return CommandError(
        "a service has none of your shell's variables, and keys are taken from some of them.", "\n".join(lines)
    )


def _describe_lost(environ: Mapping[str, str], given: "set[str]") -> str:
    names = list_lost(environ, given)
    return (
        f"{', '.join(names)} of this shell is not passed on to the service: "
        "`fairlead config set` keeps a setting, --env-file a variable."
    )


def _find_other(home: Home, settings: Settings) -> run_files.Run | None:
    """The proxy of this home that has the service's port, and is not the service."""
    for entry in run_files.live(home):
        if entry.port == settings.port and not is_service(entry):
            return entry
    return None


def _check_before(plan: _Plan, manager: Manager, *, force: bool) -> None:
    """Raise CommandError where something else would be overwritten, or has the port."""
    before = plan.before
    if before is not None and not before.package and before.verdict in ("edited", "foreign") and not force:
        was = "was changed by hand" if before.verdict == "edited" else "is there, and was not written by fairlead"
        raise CommandError(
            f"{manager.place} {was}; it was left as it is.",
            "What fairlead would write:   fairlead service install --print\n"
            "Overwrite it:   fairlead service install --force",
        )
    if plan.other is not None and plan.other.mode != "detached":
        how = "in a terminal" if plan.other.mode == "foreground" else f"for {plan.other.unit}"
        raise CommandError(
            f"a proxy of this home serves on :{plan.other.port} already, {how} (pid {plan.other.pid}).",
            "End it where it runs, then install the service.",
        )


def _show(plan: _Plan, manager: Manager, *, changed: bool) -> None:
    """Show what is written."""
    before = plan.before
    if changed and (before is None or before.package):
        print(f"{manager.place}  (new)")
        print("\n".join(f"  {line}".rstrip() for line in plan.text.splitlines()))
    elif changed and before is not None:
        print(manager.place)
        lines = difflib.unified_diff(before.text.splitlines(), plan.text.splitlines(), lineterm="", n=0)
        print("\n".join(f"  {line[0]} {line[1:]}" for line in list(lines)[2:] if line[0] in "+-"))
    _tell(plan)


def _tell(plan: _Plan) -> None:
    for line in plan.notes:
        note(f"note: {line}")
    if plan.other is not None and plan.other.mode == "detached":
        note(f"note: the proxy in the background on :{plan.other.port} (pid {plan.other.pid}) is stopped first.")


def _ask() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("nothing was written: this is no terminal to ask on.", "Write it without a question: --yes")
    try:
        return input("Write this and start the service? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _install(home: Home, manager: Manager, plan: _Plan, *, changed: bool) -> None:
    if changed:
        manager.install(plan.text)
    if plan.other is not None:
        stop.run(["--port", str(plan.other.port)])
    log = str(plan.wanted.log or "")
    serving = start_service(home, manager, log, manager.start)
    say(
        f"The service runs: fairlead {serving.version} serves on {serving.url} (pid {serving.pid}), and at every login."
    )
    say("Its log:   fairlead service logs")
    say("Undo:      fairlead service uninstall")
    if manager.read_state().lingering is False:
        note("note: it ends when your last session does, as after ssh. Have it go on:   loginctl enable-linger")
