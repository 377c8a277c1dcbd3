"""`fairlead service status`: whether the service is installed, current and running, and what to do if not."""

import os
import time
from typing import Any

from router.cli.common.layout import find_width, print_json, wrap_row
from router.cli.common.output import load_settings
from router.cli.common.parser import Parser
from router.cli.service.commands import Installed, find_installed
from router.cli.service.control import call, find_serving, is_service, read_log
from router.errors import CommandError
from router.policy.accounts.retry import format_duration
from router.service.manager import State
from router.service.variables import list_needed
from router.settings.kinds import clean
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import Home
from router.store.home.permissions import shown
from router.store.home.place import find_home

_TAIL = 3
_VERSION_SECONDS = 10.0
_WIDTH = 11


def run(argv: list[str]) -> int:
    """Show the service; exit code 1 when it does not run."""
    parser = Parser(
        "service status",
        "Show whether the service is installed as this fairlead writes it, whether it runs and since when, and which "
        "version it starts. The exit code is 1 when it does not run.",
        examples=["fairlead service status", "fairlead service status --json"],
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    found = find_installed()
    if found is None:
        report: dict[str, Any] = {"installed": False, "running": False}
        if options.json:
            print_json(report)
        else:
            print(
                "\n".join(wrap_row("service    ", "not installed   Install it: fairlead service install", find_width()))
            )
        return 1
    report = describe(found)
    if options.json:
        print_json(report)
    else:
        _print(report)
    return 0 if report["running"] else 1


def describe(found: Installed) -> dict[str, Any]:
    """What is known of it, as JSON has it."""
    home, manager, definition = found
    state, serving = manager.read_state(), find_serving(home)
    running = serving is not None or state.running
    pid = serving.pid if serving is not None else state.pid
    since = (serving.started if serving is not None else state.since) or None
    version = "" if definition.verdict == "foreign" else _ask_version(definition.program)
    return {
        "installed": True,
        "manager": manager.name,
        "place": definition.package or manager.place,
        "definition": "package" if definition.package else definition.verdict,
        "enabled": state.enabled,
        "running": running,
        "state": state.word,
        "pid": pid or None,
        "since": since if running else None,
        "restarts": state.restarts,
        "last_exit": state.last_exit,
        "lingering": state.lingering,
        "program": definition.program,
        "program_version": version,
        "running_version": None if serving is None else serving.version,
        "url": None if serving is None else serving.url,
        "log": definition.log or None,
        "log_end": [] if running else read_log(manager, definition.log, _TAIL),
        "notes": [*state.notes, *_list_notes(found, state, serving, version)],
    }


def _ask_version(program: str) -> str:
    """The version that a program says it is, '' when it says none."""
    if not os.path.isabs(program) or not os.path.isfile(program):
        return ""
    try:
        said = call([program, "--version"], {}, _VERSION_SECONDS).out.decode("utf-8", "replace").strip()
    except CommandError:
        return ""
    name, _, version = said.partition(" ")
    return clean(version) if name == "fairlead" and len(version) < 40 else ""


def _list_notes(found: Installed, state: State, serving: run_files.Run | None, version: str) -> list[str]:
    """What is wrong or soon will be, each with what to do about it."""
    home, _, definition = found
    notes: list[str] = []
    if definition.verdict == "edited":
        notes.append("it was changed by hand; fairlead writes it anew only with: fairlead service install --force")
    elif definition.verdict == "older":
        notes.append("it is of an older fairlead. Write it anew: fairlead service install")
    elif definition.verdict == "foreign" and not definition.package:
        notes.append("it was not written by fairlead")
    if definition.program and not os.path.isfile(definition.program):
        notes.append(f"{definition.program} is not there. Write it anew: fairlead service install")
    if serving is not None and version and serving.version != version:
        notes.append(f"it runs {serving.version}, and {version} is installed. Start it anew: fairlead service restart")
    if state.enabled is False:
        notes.append("it does not start at login: fairlead service install")
    if state.lingering is False:
        notes.append("it ends with your last session. Have it go on: loginctl enable-linger")
    if serving is None and not state.running:
        notes += _explain_absence(home)
    if str(home.path) != find_home(os.environ):
        notes.append(f"it serves another home than this shell's: {shown(home.path)}")
    return [*notes, *_list_missing_keys(home, definition.text)]


def _explain_absence(home: Home) -> list[str]:
    try:
        port = load_settings(home).settings.port
    except CommandError as error:
        return [f"it cannot start: {error}"]
    others = [
        f"another proxy of this home has its port (pid {entry.pid}, {entry.mode}). "
        f"Stop it: fairlead stop --port {port}, then fairlead service restart"
        for entry in run_files.live(home)
        if entry.port == port and not is_service(entry)
    ]
    return others or ["it does not run. Start it: fairlead service restart"]


def _list_missing_keys(home: Home, text: str) -> list[str]:
    """Keys in variables, where the service was given no file of them."""
    if "EnvironmentFile=" in text or "FAIRLEAD_SERVICE_ENV" in text or "--env-file" in text:
        return []
    try:
        settings, (known, _) = load_settings(home).settings, backends.load(home)
    except CommandError:
        return []
    return [
        f"{one.owner} takes its key from ${one.variable}, which the service may not have: fairlead service install"
        for one in list_needed(known, settings)
    ]


def _print(report: dict[str, Any]) -> None:
    state = report["state"] or ("running" if report["running"] else "not running")
    rows = [("service", f"{'running' if report['running'] else 'not running'} ({report['manager']}: {state})")]
    if report["running"]:
        facts = [f"pid {report['pid']}"]
        if report["since"]:
            facts.append(f"for {format_duration(max(0.0, time.time() - report['since']))}")
        facts += [f"on {report['url']}"] if report["url"] else []
        rows[0] = ("service", "   ".join([rows[0][1], *facts]))
    if report["restarts"]:
        rows.append(("restarts", f"{report['restarts']} by itself since it was started"))
    if report["last_exit"]:
        rows.append(("last exit", report["last_exit"]))
    rows.append(("installed", f"{report['place']}   {report['definition']}"))
    rows.append(("starts", f"{report['program']}   {report['program_version'] or 'version not known'}"))
    if report["lingering"] is not None:
        rows.append(("lingers", "yes" if report["lingering"] else "no"))
    rows.append(("log", report["log"] or "fairlead service logs"))
    rows += [("says", clean(line, 600)) for line in report["log_end"]]
    rows += [("note", line) for line in report["notes"]]
    for label, text in rows:
        print("\n".join(wrap_row(f"{label:<{_WIDTH}}", text, find_width())))
