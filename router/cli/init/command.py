"""`fairlead init`: from nothing to a first answer, by five questions at most.

Rules of this file: nothing is changed before the first four questions are answered; each step is one of the commands
that there are for it; whatever ends a run, what was done until then is told, with what takes it back.
"""

import argparse
import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from router.cli import proxy as proxy_command
from router.cli.backend import add as backend_add
from router.cli.backend import key as backend_key
from router.cli.common.flush import flush_history
from router.cli.common.layout import find_width, format_table, note, say
from router.cli.common.offers import find_offers
from router.cli.common.output import note_problems, read_settings
from router.cli.common.parser import Parser
from router.cli.common.port_owner import find_free_port_after, find_port_owner
from router.cli.env.listener import ask_listener
from router.cli.env.target import find_target
from router.cli.init import backends as backend_question
from router.cli.init import tools as tool_question
from router.cli.init.backends import Addition
from router.cli.init.first_answer import get_first_answer
from router.cli.init.questions import Asker, Question, has_terminal, read_yes_or_no
from router.cli.init.tools import find_tools
from router.cli.run.server import find_server, start_server
from router.cli.setup import command as setup_command
from router.errors import CommandError, UsageError
from router.net.loopback import list_literal_urls, predict_url
from router.settings import Settings
from router.setup.record import read_record
from router.setup.state import find_program, read_state
from router.setup.table import TOOLS
from router.setup.tool import Place, Tool
from router.store.config import backends
from router.store.home.client_key import client_key
from router.store.home.home import Home, open_home
from router.store.home.permissions import failed
from router.store.keys.own_keys import read_own_keys

_PROXIES = ("background", "once")
_PROXY_FLAG = "--proxy background, or --proxy once for the first answer only"


class Answers(NamedTuple):
    """What a run is to do."""

    additions: list[Addition]
    #: `running` for a proxy that is there, `background` for one to start, `once` for one that ends with the run.
    proxy: str
    tool: Tool | None


class Steps:
    """What was done, each with the command that takes it back."""

    def __init__(self) -> None:
        self._done: list[tuple[str, str]] = []

    def add(self, what: str, undo: str) -> None:
        """Note a step that is done."""
        if (what, undo) not in self._done:
            self._done.append((what, undo))

    def tell(self) -> None:
        """Print the steps."""
        if self._done:
            print()
            print("\n".join(format_table(self._done, "  ", header=("done", "to take it back"), width=find_width())))


def run(argv: list[str]) -> int:
    """Ask, do what was chosen, and end with a first answer; exit code 1 where none came."""
    options = _build_parser().read(argv)
    if options.proxy not in (None, *_PROXIES):
        raise UsageError(f'--proxy is "{options.proxy}"; expected {" or ".join(_PROXIES)}.')
    home = open_home(os.environ)
    if not os.access(home.path, os.W_OK):
        # Before anything is asked.
        raise failed(home.path, "written", PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    settings = read_settings(home)
    place = Place(os.environ, Path(os.path.expanduser("~")), sys.platform)
    asker = Asker(yes=options.yes, terminal=has_terminal())
    try:
        answers = _ask_all(home, settings, place, options, asker)
    except BaseException as error:
        if not _is_interrupt(error):
            raise
        note("\nStopped; nothing was changed.")
        return 130
    steps = Steps()
    with _telling(steps):
        _do(home, settings, place, options, answers, asker, steps)
    steps.tell()
    _tell_next(place, answers)
    return 0


def _is_interrupt(error: BaseException) -> bool:
    """True for Ctrl-C, which trio puts into a group."""
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, KeyboardInterrupt)
    return cast("BaseExceptionGroup[BaseException]", error).subgroup(KeyboardInterrupt) is not None


def _build_parser() -> Parser:
    parser = Parser(
        "init",
        "Ask at most five questions: which backends to add, the key of one, whether a proxy is to stay, which tool to "
        "point at it, and whether to write that tool's configuration. Then get a first answer, which costs a few "
        "tokens at a provider that bills them. What is configured already stays as it is. Each question has a flag; "
        "--yes takes the default of those that are left.",
        examples=[
            "fairlead init",
            "fairlead init --yes",
            "fairlead init --backend groq --key-env GROQ_API_KEY --proxy background --tool codex --write",
        ],
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        action="append",
        help="add this provider, `all` that are found here, or `none` (default: all; none where some are configured)",
    )
    backend_key.add_options(parser)
    parser.add_argument(
        "--proxy", metavar="|".join(_PROXIES), help="where none runs: one that stays, or one for the first answer"
    )
    parser.add_argument("--tool", metavar="TOOL", help="point this tool at fairlead, or `none` (the default)")
    parser.add_argument("--write", action="store_true", help="write the configuration of the tool without asking")
    parser.add_argument("--model", metavar="MODEL", help="the model that is asked, and that the tool begins with")
    parser.add_argument("--yes", action="store_true", help="take the default of each question that no flag answers")
    return parser


# The questions


def _ask_all(home: Home, settings: Settings, place: Place, options: argparse.Namespace, asker: Asker) -> Answers:
    """What is to be done; changes nothing. Raises CommandError, UsageError."""
    configured = {*home.names(backends.FOLDER, ".json")}
    _, problems = backends.load(home)
    note_problems(problems)
    if asker.asks:
        say("Nothing is changed until these questions are answered. Ctrl-C stops.")
        if configured:
            say(f"Configured already, and left as it is: {', '.join(sorted(configured))}.")
    offers = find_offers(home, settings, os.environ)
    chosen = backend_question.choose(options, offers, configured, asker)
    chosen = backend_question.ask_key(chosen, read_own_keys(home, settings), asker)
    server = find_server(home)
    url = predict_url(settings.host, settings.port) if server is None else server.run.url
    stays = options.tool not in (None, backend_question.NONE)
    proxy = _choose_proxy(url, settings, options.proxy, asker, stays=stays) if server is None else "running"
    if proxy == "running" and asker.asks:
        say(f"A proxy serves on {url}.")
    tool = None
    if proxy != "once":
        found = find_tools(home, place, url) if options.tool is None else []
        tool = tool_question.choose(options.tool, place, found, asker, write=options.write or options.yes)
    asker.check_complete()
    return Answers(chosen, proxy, tool)


def _choose_proxy(url: str, settings: Settings, named: str | None, asker: Asker, *, stays: bool) -> str:
    """`background` or `once`. url: that a proxy would have. named: by a flag. stays: a tool is to be pointed at it.
    Raises CommandError, UsageError."""
    if named == "once" and stays:
        raise UsageError("a tool needs a proxy that stays.", "Use:   --proxy background")
    taken = _explain_taken_port(url, settings.port)
    if taken is not None and named != "once":
        if named == "background" or stays:
            raise taken
        note(f"note: {taken} So a proxy runs for the first answer only. {taken.hint}")
        return "once"
    if named is not None or stays:
        return named or "background"
    if asker.asks:
        say("No proxy runs. One in the background stays until `fairlead stop`; else one runs for the first answer.")
    question = Question("Start it in the background? (y/n)", "y", _PROXY_FLAG)
    return "background" if asker.ask(question, read_yes_or_no) else "once"


def _explain_taken_port(url: str, port: int) -> CommandError | None:
    """Why no proxy of this home can have its port, None when it can."""
    if not port or all(ask_listener(one, None).who == "none" for one in list_literal_urls(url)):
        return None
    owner, free = find_port_owner(port), find_free_port_after(port)
    return CommandError(
        f"port {port} is taken by another program{f' ({owner})' if owner else ''}.",
        f"Use another port:   fairlead config set port {0 if free is None else free}",
    )


# The steps


@contextmanager
def _telling(steps: Steps) -> Generator[None]:
    """Tell what was done before whatever ends the steps."""
    try:
        yield
    except BaseException:
        sys.stdout.flush()
        steps.tell()
        sys.stdout.flush()
        raise


def _do(
    home: Home,
    settings: Settings,
    place: Place,
    options: argparse.Namespace,
    answers: Answers,
    asker: Asker,
    steps: Steps,
) -> None:
    for one in answers.additions:
        _add(home, settings, one, options, asker, steps)
    names = [one.name for one in answers.additions]
    if answers.proxy == "once":
        server = start_server(home)
        try:
            get_first_answer(home, server.proxy, client_key(settings, home), names, options.model or "")
        finally:
            # What happened can be asked at once.
            flush_history(home)
            server.end()
        return
    if answers.proxy == "background":
        print()
        proxy_command.run(["--detach"])
    print()
    server = find_server(home)
    if server is None:
        raise CommandError("the proxy has ended.", "Start it again:   fairlead proxy --detach")
    if answers.proxy == "background":
        # Another command may have started it in this moment.
        steps.add(f"a proxy runs (pid {server.run.pid})", "fairlead stop")
    if answers.tool is not None and _set_up(home, place, answers.tool, options, steps):
        return
    get_first_answer(home, server.proxy, find_target(home).key, names, options.model or "")


def _add(
    home: Home, settings: Settings, one: Addition, options: argparse.Namespace, asker: Asker, steps: Steps
) -> None:
    """Add a backend. A key that was typed and is refused is asked for again."""
    given = backend_add.read_options([*one.arguments])
    if one.key_by_option:
        given = backend_question.fill_options(given, options)
    try:
        code = backend_add.add(home, given, one.key)
        while code and one.key is not None and asker.terminal:
            prompt = f"Another key for {one.name} (not shown, empty keeps this one): "
            key = backend_question.read_key(prompt, read_own_keys(home, settings), optional=True)
            if not key:
                break
            code = backend_add.add(home, given, key)
    finally:
        if one.name in home.names(backends.FOLDER, ".json"):
            steps.add(f"added {one.name}", f"fairlead backend remove {one.name}")


def _set_up(home: Home, place: Place, tool: Tool, options: argparse.Namespace, steps: Steps) -> bool:
    """Point the tool at the proxy, and have it ask; False where fairlead has to ask itself."""
    before = read_record(home, tool.name)
    setup_command.run(
        [
            tool.name,
            *(["--model", options.model] if options.model else []),
            *(["--yes"] if options.write or options.yes else []),
        ]
    )
    record = read_record(home, tool.name)
    if record != before:
        steps.add(f"pointed {tool.title} at fairlead", f"fairlead setup {tool.name} --undo")
    here = read_state(tool, place, find_target(home).url, record).kind == "here"
    if not here or not tool.check:
        return False
    from router.cli.setup.check import check

    note(f"Asking by {tool.title} ...")
    check(home, place, tool, options.model or "", as_json=False)
    return True


def _tell_next(place: Place, answers: Answers) -> None:
    program = next((tool.program for tool in TOOLS if find_program(tool, place.environ)), "claude")
    print()
    if answers.proxy == "once":
        say("Start the proxy when you want it:   fairlead proxy --detach")
    say(f"Start a tool without changing its files:   fairlead run -- {program}")
    say("What runs, and what was used:   fairlead status, then fairlead usage")
