"""The command line: which command is which function, and how a failure is shown.

Commands are imported when they are called, so that each pays for its own modules only.
"""

import errno
import gc
import io
import os
import sys
from importlib import import_module
from types import ModuleType

from router.errors import CommandError, UsageError

# Name -> "module:function" and the line of the overview.
COMMANDS = {
    "proxy": ("router.cli.proxy:run", "serve every backend on one local URL"),
    "demo": ("router.cli.demo.command:run", "try it without a key: serve a built-in backend and send it requests"),
    "init": ("router.cli.init.command:run", "ask a few questions, and get a first answer"),
    "stop": ("router.cli.stop:run", "stop the running proxy"),
    "restart": ("router.cli.restart:run", "restart a proxy in the background, without a gap"),
    "status": ("router.cli.inspect.status:run", "show what the running proxy serves, and what runs now"),
    "doctor": ("router.cli.doctor.command:run", "look for what is wrong, and say what to do about it"),
    "run": ("router.cli.run.command:run", "start a tool that reaches its models through the proxy"),
    "env": ("router.cli.env.command:run", "print the lines that point a tool at the proxy"),
    "setup": ("router.cli.setup.command:run", "point a tool's own configuration at the proxy, or take that back"),
    "backend": ("router.cli.backend.commands:run", "add, list, change, remove and test backends"),
    "accounts": ("router.cli.accounts.commands:run", "store several keys of one backend"),
    "login": ("router.cli.login.command:run", "log in at a provider or an issuer, and use that as a key"),
    "keys": ("router.cli.keys.commands:run", "give each tool or person a client key, with limits of its own"),
    "config": ("router.cli.config.show:run", "show and change the settings"),
    "conform": ("router.cli.conform.command:run", "find out by tiny requests what a backend really does"),
    "explain": ("router.cli.inspect.explain:run", "show where a request would go, and why; nothing is sent"),
    "usage": ("router.cli.inspect.usage:run", "show requests, tokens, cost, latency and errors of a period"),
    "log": ("router.cli.watch.log:run", "show the newest requests, a line each, and go on with those that follow"),
    "top": ("router.cli.watch.top:run", "show what runs now, again every second"),
    "ui": ("router.cli.watch.ui:run", "open the local page of the running proxy in the browser"),
    "why": ("router.cli.inspect.why:run", "show what happened to one request"),
    "repro": ("router.cli.repro.repro:run", "make a file that shows what happened to a request, without its content"),
    "replay": ("router.cli.repro.replay:run", "show, or try, what a captured request becomes at another backend"),
    "history": ("router.cli.history:run", "export the history, or clear it"),
    "cache": ("router.cli.cache:run", "show the answers that are given again, or delete them"),
    "resume": ("router.cli.resume:run", "resume traffic after a budget halt"),
    "models": ("router.cli.inspect.models:run", "list every model that can be reached now"),
    "mcp": ("router.cli.mcp.command:run", "answer an agent's questions about the router, over its pipe"),
    "subagent": ("router.cli.subagent.commands:run", "give an agent a sub-agent or a skill that knows fairlead"),
    "completions": ("router.cli.completions.command:run", "print the script that completes commands in your shell"),
    "service": ("router.cli.service.commands:run", "have the system run the proxy, now and at every login"),
    "upgrade": ("router.cli.upgrade.command:run", "install the newest release, or go back to the version before"),
}

#: What commands are for -> their names, each once, in the order of the overview.
PURPOSES = {
    "serve": ("demo", "init", "proxy", "stop", "restart", "service", "upgrade"),
    "connect a tool": ("run", "setup", "env", "keys", "mcp", "subagent", "completions"),
    "reach models": ("backend", "accounts", "login", "models", "config"),
    "watch": ("status", "top", "log", "ui", "usage", "why", "explain", "history", "cache", "resume"),
    "find faults": ("doctor", "conform", "repro", "replay"),
}

# A word that users of other programs type -> what there is for it.
_ELSEWHERE = {
    **dict.fromkeys(("serve", "start", "up", "server"), "Start the proxy:   fairlead proxy"),
    "reload": "A running proxy takes changes by itself. Restart one in the background:   fairlead restart",
    **dict.fromkeys(("kill", "quit", "down"), "Stop the proxy:   fairlead stop"),
    **dict.fromkeys(
        ("logs", "tail", "requests"),
        "A line per request:              fairlead log -f\nWhat happened to the last one:   fairlead why -",
    ),
    **dict.fromkeys(("web", "dashboard", "gui", "page"), "Open the local page in the browser:   fairlead ui"),
    **dict.fromkeys(
        ("daemon", "systemd", "launchd", "autostart"), "Have the system run the proxy:   fairlead service install"
    ),
    **dict.fromkeys(("stats", "cost", "costs"), "Requests, tokens and cost:   fairlead usage"),
    **dict.fromkeys(("check", "ping", "test"), "Test a backend:   fairlead backend test NAME"),
    **dict.fromkeys(
        ("probe", "card", "cards", "conformance", "capabilities"),
        "Find out what a backend really does:   fairlead conform NAME",
    ),
    **dict.fromkeys(("diagnose", "diagnostics", "health", "verify"), "Look for what is wrong:   fairlead doctor"),
    **dict.fromkeys(
        ("add", "provider", "providers", "backends"), "Add a backend with its key:   fairlead backend add NAME"
    ),
    "key": "A provider's key:          fairlead backend add NAME\nA key for your clients:    fairlead keys add NAME",
    **dict.fromkeys(
        ("install", "configure"),
        "Point a tool at the proxy:         fairlead setup TOOL\n"
        "Have the system run the proxy:     fairlead service install",
    ),
    **dict.fromkeys(("auth", "signin", "oauth"), "Log in, where a provider offers it:   fairlead login --help"),
    "logout": "End a login:   fairlead login logout NAME",
    **dict.fromkeys(
        ("agent", "agents", "skill", "skills"), "Tell an agent of fairlead:   fairlead subagent install --help"
    ),
    **dict.fromkeys(("onboard", "quickstart", "wizard"), "Answer a few questions:   fairlead init"),
    **dict.fromkeys(("launch", "exec", "connect"), "Start a tool through the proxy:   fairlead run -- claude"),
    **dict.fromkeys(("set", "get", "settings", "edit"), "Settings:   fairlead config --help"),
    **dict.fromkeys(
        ("update", "self-update", "selfupdate", "self-upgrade"), "Install the newest release:   fairlead upgrade"
    ),
    **dict.fromkeys(("rollback", "downgrade"), "Go back to the version before:   fairlead upgrade --rollback"),
    "list": "List models or backends:   fairlead models\n                            fairlead backend list",
}

# Options that stand in the place of a command: those of the full-screen view.
_SCREEN = ("--plain", "--no-mouse")

_ALONE = "`fairlead` alone shows all of it on a terminal's whole screen; `fairlead --plain` prints a line per request."

# A write to the output that fails with one of these is an error of the output, not a defect of fairlead.
_OUTPUT_ERRNOS = {errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT}


def main(argv: list[str]) -> int:
    """Run one command line and return its exit code: 0 ok, 1 failed, 2 usage, 130 interrupted."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A model name that the terminal's encoding lacks must not end the command.
                stream.reconfigure(errors="replace")
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
            # It was closed before the start: all commands take it for empty.
            sys.stdin = open(os.open(os.devnull, os.O_RDONLY), encoding="utf-8", closefd=False)  # noqa: SIM115
        code = _run(argv)
    except BaseException as error:
        code = _report(error)
    try:
        if sys.stdout:  # None when it was closed before the start
            sys.stdout.flush()
    except OSError as error:
        code = _report(error)
    return code


def _run(argv: list[str]) -> int:
    if not argv and not _has_terminals():
        print(_format_overview())
        return 2
    if not argv or argv[0] in _SCREEN:
        return _load("router.cli.tui.command").run(argv)
    name, rest = argv[0], argv[1:]
    if name == "__complete":
        # Called by shells only, at each TAB.
        from router.cli.completions.complete import run

        return run(rest)
    if name == "__service":
        # Called by the Task Scheduler only.
        from router.cli.service.start import run

        return run(rest)
    if name in ("--version", "-V"):
        return _print_version()
    if name in ("help", "--help", "-h"):
        if not rest or name != "help":
            print(_format_overview())
            return 0
        name, rest = rest[0], [*rest[1:], "--help"]
    if name not in COMMANDS:
        raise _make_unknown_error(name)
    module, _, function = COMMANDS[name][0].partition(":")
    return getattr(_load(module), function)(rest)


def _has_terminals() -> bool:
    """True where the full-screen view can be drawn, and keys can be read."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM") != "dumb" and all(stream and stream.isatty() for stream in streams)


def _load(module: str) -> ModuleType:
    """The module of a command. What is made while modules are loaded stays: collections meanwhile find nothing."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


def _print_version() -> int:
    from router import __version__

    print(f"fairlead {__version__}")
    return 0


def _format_overview() -> str:
    from router import __version__
    from router.cli.common.layout import find_width, format_listing, wrap

    width = find_width()
    lines = [
        f"fairlead {__version__}: one URL on this machine, every LLM behind it",
        "",
        "usage: fairlead COMMAND …",
    ]
    for purpose, names in PURPOSES.items():
        lines += ["", f"{purpose}:", *format_listing([(name, COMMANDS[name][1]) for name in names], width, 11)]
    lines += ["", "first steps:", "  fairlead demo", "  fairlead init", "  fairlead run -- claude"]
    lines += ["", _ALONE, "`fairlead COMMAND --help` for details on a command; `--version` prints the version."]
    return "\n".join(part for line in lines for part in wrap(line, width))


def _make_unknown_error(name: str) -> UsageError:
    from router.cli.common.parser import find_nearest

    if name.startswith("-"):
        kind, known = "option", ["--help", "--version", *_SCREEN]
    else:
        kind, known = "command", [*COMMANDS, "help"]
    elsewhere = _ELSEWHERE.get(name.lower())
    near = find_nearest(name, known)
    if elsewhere:
        hint = elsewhere
    elif name == "--json":
        hint = "It comes after a command:   fairlead usage --json"
    elif near:
        hint = f"Did you mean:   fairlead {near}"
    else:
        hint = "See:   fairlead --help"
    return UsageError(f"unknown {kind}: {name}", hint)


def _report(error: BaseException) -> int:
    """Print the error that ended a command, and return its exit code."""
    cause = _unwrap(error)
    if isinstance(cause, SystemExit):
        return cause.code if isinstance(cause.code, int) else 0
    if isinstance(cause, OSError) and _is_output_error(cause):
        # The interpreter flushes stdout at exit and would print a second error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(cause, BrokenPipeError):
            _print_error(f"the output cannot be written: {cause.strerror or cause}.", "")
        return 1
    if isinstance(cause, KeyboardInterrupt):
        if sys.stderr and sys.stderr.isatty():
            # The shell's prompt would stand on the line of "^C".
            print(file=sys.stderr)
        return 130
    if isinstance(cause, CommandError):
        _print_error(str(cause), cause.hint)
        return cause.exit_code
    if os.environ.get("FAIRLEAD_TRACEBACK") == "1":
        raise error
    _print_error(
        f"internal error: {type(cause).__name__}. This is a bug in fairlead.",
        "For a report, run the command again with FAIRLEAD_TRACEBACK=1 set.",
    )
    return 1


def _is_output_error(error: OSError) -> bool:
    """True for a failed write to the output. An error of a file carries the file's name and is not one."""
    return isinstance(error, BrokenPipeError) or (error.filename is None and error.errno in _OUTPUT_ERRNOS)


def _unwrap(error: BaseException) -> BaseException:
    # trio wraps every exception that leaves a nursery, also KeyboardInterrupt, into a group.
    if not isinstance(error, BaseExceptionGroup):
        return error
    from typing import cast  # late: it takes a third of the time of a TAB

    inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return _unwrap(inner[0]) if len(inner) == 1 else cast("BaseException", error)


def _print_error(message: str, hint: str) -> None:
    from router.cli.common.layout import note

    note(f"error: {message}")
    for line in hint.splitlines():
        note(f"       {line}")
