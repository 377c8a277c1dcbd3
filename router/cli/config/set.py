"""`fairlead config set` and `unset`: one key of config.toml."""

import getpass
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

from router.cli.common.budget_lines import explain_change
from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending
from router.cli.config.judge import make_judge
from router.errors import CommandError, UsageError
from router.settings import DECLARATIONS, Declaration
from router.settings.keys import Key, find_key, match_spelling, redact
from router.settings.kinds import clean
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home import run_files
from router.store.home.home import Home, open_home

_VALUE_LIMIT = 16384


def run_set(argv: list[str]) -> int:
    """Change one setting."""
    parser = Parser(
        "config set",
        "Change one setting in config.toml; comments and order stay. The whole file is checked before it is saved.",
        examples=[
            "fairlead config set timeouts.idle 2m",
            "fairlead config set aliases.fast groq:llama-3.3-70b-versatile",
            "fairlead config set backends.groq.timeouts.idle 30s",
            "fairlead config set allowed_hosts box.lan,box.example",
            "fairlead config set api_key --stdin < key.txt",
        ],
    )
    parser.add_argument("key", metavar="KEY", help="the setting")
    parser.add_argument("value", metavar="VALUE", nargs="?", help="its value; several by commas where it takes a list")
    parser.add_argument("--stdin", action="store_true", help="read the value from standard input")
    options = parser.read(argv)
    key = find_key(options.key)
    value = key.read(_read_value(key, options.value, from_stdin=options.stdin))
    home = open_home(os.environ)
    file = toml.read(home)
    path = match_spelling(key.path, file.tree if file else {})
    toml.change(home, [Change(path, value)], make_judge(home))
    say(f"{clean('.'.join(path))}   {clean(_format_value(key, path, value))}")
    announce_change(home, [".".join(path)])
    for line in explain_change(home, toml.load(home, os.environ).settings, path):
        note(f"note: {line}")
    return 0


def _format_value(key: Key, path: tuple[str, ...], value: object) -> str:
    if key.declaration is not None and key.declaration.secret:
        return "set"
    plain = redact(path, value)
    if isinstance(plain, bool):
        return "on" if plain else "off"
    if isinstance(plain, float):
        return f"{plain:.12g}"
    return ",".join(cast("list[str]", plain)) if isinstance(plain, list) else str(plain)


def is_secret(key: Key, text: str) -> bool:
    """True for a value that may be a secret, and so is not to be seen where it is given."""
    return (key.declaration is not None and key.declaration.secret) or key.kind.hides(text)


def _read_value(key: Key, argument: str | None, *, from_stdin: bool) -> str:
    secret = key.declaration is not None and key.declaration.secret
    name = ".".join(key.path)
    if argument is not None and from_stdin:
        raise UsageError("VALUE and --stdin cannot be used together.")
    if argument is not None and is_secret(key, argument):
        raise UsageError(
            f"{name} is not accepted as an argument: other users can read those, and the shell's history keeps them.",
            f"Use:   fairlead config set {name} --stdin < key.txt",
        )
    if argument is not None:
        return argument
    if from_stdin:
        data = sys.stdin.buffer.read(_VALUE_LIMIT + 1)
        if len(data) > _VALUE_LIMIT:
            raise CommandError(f"the value on standard input is longer than {_VALUE_LIMIT} bytes.")
        return data.decode("utf-8", "replace").strip()
    if secret and sys.stdin.isatty():
        try:
            return getpass.getpass(f"{name} (not shown): ").strip()
        except EOFError:
            raise CommandError("no value was given.") from None
    raise UsageError(f"{name} needs a value.", f"Such as:   fairlead config set {name} {'--stdin' if secret else '…'}")


def run_unset(argv: list[str]) -> int:
    """Remove one setting."""
    parser = Parser(
        "config unset",
        "Take one setting, or a whole table, out of config.toml.",
        examples=["fairlead config unset timeouts.idle", "fairlead config unset backends.groq"],
    )
    parser.add_argument("key", metavar="KEY", help="the setting, or a table such as aliases")
    options = parser.read(argv)
    home = open_home(os.environ)
    file = toml.read(home)
    path = find_path(file.tree if file else {}, options.key)
    if path is None:
        if not _is_table(options.key):
            find_key(options.key)
        say(f"{clean(options.key)} is not set in config.toml.")
        return 0
    toml.change(home, [Change(path, None)], make_judge(home))
    say(f"Removed {clean('.'.join(path))}.")
    announce_change(home, [".".join(path)])
    return 0


_TABLES = ("aliases", "fallback", "losses", "server_tools", "routes", "backends", "keys", "prices", "models")


def _is_table(name: str) -> bool:
    prefixes = {entry.key.rpartition(".")[0] for entry in DECLARATIONS} | set(_TABLES)
    return (
        name in prefixes
        or name.startswith(("prices.", "models."))
        or (name.startswith(("backends.", "keys.")) and name.count(".") <= 2)
    )


def find_path(tree: Any, name: str) -> tuple[str, ...] | None:
    """The path of a key in the file, whether it is declared or not; None when it is missing. Names may hold dots."""
    if not isinstance(tree, dict):
        return None
    for key, below in cast("dict[str, Any]", tree).items():
        if key.lower() == name.lower():
            return (key,)
        if name.lower().startswith(f"{key.lower()}."):
            rest = find_path(below, name[len(key) + 1 :])
            if rest is not None:
                return (key, *rest)
    return None


def announce_change(home: Home, keys: Sequence[str]) -> None:
    """Print which changes need a restart or are overridden by the environment, and have a running proxy reload."""
    for line in list_overridden(keys):
        note(f"note: {line}")
    if not run_files.live(home):
        note_pending(home)
        return
    restart = explain_restart(home, keys)
    if restart:
        say(restart)
    if needs_reload(keys):
        from router.cli.common.running_proxy import tell_change

        tell_change(home)


def _list_touched(keys: Sequence[str]) -> list[Declaration]:
    """The settings that are declared; a table stands for all below it."""
    return [entry for entry in DECLARATIONS if any(key == entry.key or entry.key.startswith(f"{key}.") for key in keys)]


def list_overridden(keys: Sequence[str]) -> list[str]:
    """What to say of the variables of this shell that win over the changed keys."""
    return [
        f"${entry.env} is set in this shell and wins over config.toml."
        for entry in _list_touched(keys)
        if entry.env in os.environ
    ]


def explain_restart(home: Home, keys: Sequence[str]) -> str:
    """Which of the changed keys a running proxy takes only at its start, with what restarts it; '' for none."""
    running = run_files.list_shared(home)
    restart = [entry.key for entry in _list_touched(keys) if entry.restart]
    if not restart or not running:
        return ""
    detach = " --detach" if running[0].mode == "detached" else ""
    again = run_files.format_unit_restart(running[0]) or f"fairlead stop && fairlead proxy{detach}"
    return f"The running proxy keeps its {' and '.join(restart)}. Restart it:   {again}"


def needs_reload(keys: Sequence[str]) -> bool:
    """True where a running proxy takes one of the changed keys without a restart."""
    return sum(entry.restart for entry in _list_touched(keys)) < len(keys)
