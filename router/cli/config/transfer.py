"""`fairlead config export` and `import`: share settings with other machines, read those of other programs."""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any, cast

from router.cli.common.layout import find_width, note, say, wrap
from router.cli.common.parser import Parser
from router.cli.config.import_plan import Plan
from router.cli.config.import_text import parse_tree
from router.errors import CommandError, UsageError
from router.settings import ConfigFile, Loaded, resolve
from router.settings.keys import redact
from router.settings.reading import Path, format_path
from router.store.config import toml
from router.store.home.home import open_home
from router.store.home.permissions import FILE_LIMIT, shown, word

_FORMS = ("fairlead", "claude-code-router", "litellm")


def run_export(argv: list[str]) -> int:
    """Write config.toml's settings without secrets."""
    parser = Parser(
        "config export",
        "Write the settings of config.toml as TOML, to share them: without the API key, without values that could be "
        "secrets, without comments and unknown keys. Backends and their keys are not in it.",
        examples=["fairlead config export", "fairlead config export fairlead.toml"],
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to (default: standard output)")
    options = parser.read(argv)
    home = open_home(os.environ)
    file = toml.read(home)
    loaded = toml.load(home, {})
    import tomlkit

    left: list[str] = []
    tree = _drop_secrets(file.tree if file else {}, (), loaded, left)
    text = tomlkit.dumps(tree)
    for name in left:
        note(f"left out: {name}")
    if options.file is None:
        sys.stdout.write(text)
        return 0
    try:
        with FilePath(options.file).open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise CommandError(f"{options.file} exists.", "Name another file, or remove it first.") from None
    except OSError as error:
        raise CommandError(f"{options.file} cannot be written: {error.strerror}.") from None
    say(f"Wrote {options.file}.")
    return 0


def _drop_secrets(
    node: Mapping[str, Any], path: tuple[str | int, ...], loaded: Loaded, left: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        here = (*path, key)
        if here in loaded.unknown:
            left.append(f"{format_path(here)}, unknown")
        elif isinstance(value, dict):
            below = _drop_secrets(cast("dict[str, Any]", value), here, loaded, left)
            if below or not value:
                found[key] = below
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in cast("list[Any]", value)):
            found[key] = [
                _drop_secrets(item, (*here, index), loaded, left)
                for index, item in enumerate(cast("list[dict[str, Any]]", value))
            ]
        elif redact(here, value) != value:
            left.append(f"{format_path(here)}, which may be a secret")
        else:
            found[key] = value
    return found


def run_import(argv: list[str]) -> int:
    """Show what a file would change, and apply it after a confirmation."""
    parser = Parser(
        "config import",
        "Read a file of `fairlead config export`, claude-code-router's config.json or LiteLLM's config.yaml, list "
        "what is imported and what is not, and write it after a yes. Backends that exist stay as they are.",
        examples=[
            "fairlead config import ~/.claude-code-router/config.json",
            "fairlead config import litellm.yaml --yes",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the file")
    parser.add_argument("--from", dest="form", metavar="FORM", help=f"{', '.join(_FORMS)} (default: detected)")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    options = parser.read(argv)
    if options.form is not None and options.form not in _FORMS:
        raise UsageError(f'--from is "{options.form}"; expected {", ".join(_FORMS)}.')
    home = open_home(os.environ)
    plan = Plan(home, toml.read(home))
    toml.load(home, {})
    _fill_plan(plan, options.file, options.form)
    print("\n".join(plan.format_lines(find_width()) or wrap("Nothing in the file can be imported.", find_width())))
    if not plan.imported:
        return 0
    plan.check()
    if not options.yes and not _ask_consent():
        say(f"Nothing was written. Write it:   fairlead config import {word(FilePath(options.file))} --yes")
        return 0
    plan.apply()
    say("Written.")
    from router.cli.config.set import announce_change

    announce_change(home, [".".join(change.path) for change in plan.changes] or ["routes"])
    return 0


def _ask_consent() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("Write this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _fill_plan(plan: Plan, name: str, form: str | None) -> None:
    text = _read_text(name)
    chosen = form or ("fairlead" if name.lower().endswith(".toml") else None)
    if chosen == "fairlead":
        _plan_own_file(plan, toml.parse(text, name))
        return
    tree = parse_tree(text, name)
    chosen = chosen or next((form for form, key in _SIGNS if key in tree), None)
    if chosen is None:
        raise CommandError(
            f"{name} is not a file that can be imported.", f"If it is, name its format:   --from {'|'.join(_FORMS)}"
        )
    from router.cli.config import import_ccr, import_litellm

    (import_litellm if chosen == "litellm" else import_ccr).fill_plan(plan, tree)


_SIGNS = (
    ("claude-code-router", "Providers"),
    ("claude-code-router", "Router"),
    ("litellm", "model_list"),
    ("litellm", "litellm_settings"),
    ("litellm", "router_settings"),
    ("litellm", "general_settings"),
)


def _read_text(name: str) -> str:
    path = FilePath(os.path.expanduser(name))
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
    if len(data) > FILE_LIMIT:
        raise CommandError(f"{name} is larger than 1 MiB.")
    return toml.decode(data, shown(path))


def _plan_own_file(plan: Plan, file: ConfigFile) -> None:
    """Plan each key of an exported file or another config.toml by itself, so that existing keys stay."""
    unknown = resolve({}, {}, file).unknown
    for key, value in file.tree.items():
        if key == "routes":
            for index, rule in enumerate(cast("list[dict[str, Any]]", value)):
                plan.add_rule(f"routes {index + 1}", rule)
        else:
            _plan_entries(plan, (key,), value, unknown)


def _plan_entries(plan: Plan, path: tuple[str, ...], value: Any, unknown: Collection[Path]) -> None:
    if path in unknown:
        plan.skip(format_path(path), "unknown")
    elif isinstance(value, dict) and path[-2:-1] != ("set_fields",):
        for key, below in cast("dict[str, Any]", value).items():
            _plan_entries(plan, (*path, key), below, unknown)
    else:
        plan.add_key(format_path(path), path, value)
