"""`fairlead keys`: client keys as named grants, each with its own limits. A key is shown once, when it is made."""

import argparse
import contextlib
import os
import sys

from router.cli.common.group import run_group
from router.cli.common.layout import note, print_json, say
from router.cli.common.parser import Parser
from router.cli.config.judge import make_judge
from router.errors import CommandError, UsageError
from router.settings import Secret, parse_duration
from router.settings.kinds import display
from router.store.config import client_keys
from router.store.home.home import Home, open_home
from router.store.keys import client_keys as secrets

_COMMANDS = {
    "add": ("router.cli.keys.commands:run_add", "make a key, and show it once"),
    "list": ("router.cli.keys.list:run", "show the keys: what each may use, has spent, and when it ends"),
    "set": ("router.cli.keys.commands:run_set", "change what a key may use"),
    "rotate": ("router.cli.keys.commands:run_rotate", "replace the secret of a key"),
    "revoke": ("router.cli.keys.commands:run_revoke", "end a key"),
    "print": ("router.cli.keys.commands:run_print", "print the key that was made for a tool"),
}
_EXAMPLES = ("fairlead keys add laptop", "fairlead keys list", "fairlead keys revoke laptop")
#: Option, the key of [keys.NAME], what stands for the value in help, and its help.
_OPTIONS = (
    ("--models", "models", "GLOBS", "models it may use, separated by commas: aliases, models, or BACKEND:MODEL"),
    ("--backends", "backends", "NAMES", "backends it may use, separated by commas"),
    ("--expires", "expires", "DATE", "the last day on which it is valid, or a time from now such as 90d"),
    ("--rpm", "rpm", "NUMBER", "requests per minute; more wait"),
    ("--tpm", "tpm", "NUMBER", "tokens per minute; more wait"),
    ("--max-concurrent", "max_concurrent", "NUMBER", "requests at a time; more wait"),
    ("--budget-day", "budget.day_usd", "USD", "US dollars for a day"),
    ("--budget-month", "budget.month_usd", "USD", "US dollars for a month"),
    ("--budget-day-tokens", "budget.day_tokens", "NUMBER", "tokens for a day"),
    ("--budget-month-tokens", "budget.month_tokens", "NUMBER", "tokens for a month"),
    ("--paths", "paths", "PATHS", "inference (default), models for the list of models alone, or all"),
    ("--tag", "tag", "TAG", "tag of its requests, whatever they say themselves"),
    (
        "--auth-client",
        "auth_client",
        "on|off",
        "whether it may use backends to which the tool's own login goes; off unless it is a tool's",
    ),
)


def run(argv: list[str]) -> int:
    """Run one of the key commands."""
    return run_group("keys", _COMMANDS, argv, examples=_EXAMPLES)


def _add_options(parser: Parser) -> None:
    for flag, _, metavar, about in _OPTIONS:
        parser.add_argument(flag, metavar=metavar, help=about)


def _read_options(options: argparse.Namespace) -> dict[str, object]:
    given = {key: getattr(options, flag[2:].replace("-", "_")) for flag, key, _, _ in _OPTIONS}
    return client_keys.read_options({key: value for key, value in given.items() if value is not None})


def run_add(argv: list[str]) -> int:
    """Make a key, and print it."""
    parser = Parser(
        "keys add",
        "Make a client key and print it; it is not shown again, since only its digest is kept. What is not named here "
        "is not limited. Its name is its identity in `usage --by key` and in budgets.",
        examples=[
            "fairlead keys add laptop",
            "fairlead keys add laptop --models 'claude-*,fast' --budget-day 10 --expires 90d",
            "fairlead keys add ci --backends groq --rpm 60 --max-concurrent 4 --tag team-blue",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="what to call it")
    _add_options(parser)
    parser.add_argument("--json", action="store_true", help="print name and key as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    key = client_keys.add(home, options.name, _read_options(options), make_judge(home))
    _show(home, options.name.lower(), key, as_json=options.json)
    return 0


def run_set(argv: list[str]) -> int:
    """Change what a key may use."""
    parser = Parser(
        "keys set",
        "Change what a client key may use. An empty value takes a limit away.",
        examples=[
            "fairlead keys set laptop --budget-day 20",
            "fairlead keys set laptop --models '' --expires 30d",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="the key")
    _add_options(parser)
    options = parser.read(argv)
    wanted = _read_options(options)
    if not wanted:
        raise UsageError("nothing to change was named.", "See:   fairlead keys set --help")
    home = open_home(os.environ)
    client_keys.change(home, options.name, wanted, make_judge(home))
    say(f"Changed {options.name.lower()}: {', '.join(wanted)}.")
    _tell(home)
    return 0


def run_rotate(argv: list[str]) -> int:
    """Replace the secret of a key, and print the new one."""
    parser = Parser(
        "keys rotate",
        "Make a new secret for a client key and print it; what the key may use stays. The old one ends at once, or "
        "after --grace.",
        examples=["fairlead keys rotate laptop --grace 24h"],
    )
    parser.add_argument("name", metavar="NAME", help="the key")
    parser.add_argument("--grace", metavar="TIME", help="how long the old secret stays valid, such as 24h")
    parser.add_argument("--json", action="store_true", help="print name and key as JSON")
    options = parser.read(argv)
    grace = 0.0 if options.grace is None else _read_grace(options.grace)
    home = open_home(os.environ)
    name = options.name.lower()
    key = client_keys.rotate(home, name, grace, make_judge(home))
    _show(home, name, key, as_json=options.json)
    return 0


def _read_grace(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"--grace is {display(text)}; expected a number with a unit, such as 24h.") from None


def run_revoke(argv: list[str]) -> int:
    """End a key."""
    parser = Parser(
        "keys revoke",
        "End a client key at once, with its limits and the keys that it made for processes.",
        examples=["fairlead keys revoke laptop"],
    )
    parser.add_argument("name", metavar="NAME", help="the key")
    options = parser.read(argv)
    home = open_home(os.environ)
    client_keys.revoke(home, options.name, make_judge(home))
    say(f"Revoked {options.name.lower()}.")
    _tell(home)
    return 0


def run_print(argv: list[str]) -> int:
    """Print the key that was made for a tool, for tools that ask a command for it."""
    parser = Parser(
        "keys print",
        "Print the client key that fairlead made for a tool, and that the tool reads by this command. Other keys are "
        "never shown again.",
        examples=["fairlead keys print codex"],
    )
    parser.add_argument("tool", metavar="TOOL", help="the tool, such as codex")
    options = parser.read(argv)
    home = open_home(os.environ)
    key = secrets.read_tool_key(home, options.tool.lower())
    if key is None:
        raise CommandError(
            f"no key was made for {display(options.tool)}.",
            "A key of your own is shown only when it is made. Make another:   fairlead keys add NAME",
        )
    print(key.reveal())
    return 0


def _show(home: Home, name: str, key: Secret, *, as_json: bool) -> None:
    """Print a key that was just made; what is said of it goes to stderr, so that the output is the key alone."""
    if as_json:
        print_json({"name": name, "key": key.reveal()})
    else:
        print(key.reveal())
    note(f"This is the key {name}. It is not shown again. A tool sends it as x-api-key, as a Bearer token or as")
    note("x-fairlead-key.")
    _tell(home, aside=True)


def _tell(home: Home, *, aside: bool = False) -> None:
    """Have a running proxy read the keys. aside: what it says goes to stderr."""
    from router.cli.common.running_proxy import tell_change

    with contextlib.redirect_stdout(sys.stderr if aside else sys.stdout):
        tell_change(home)
