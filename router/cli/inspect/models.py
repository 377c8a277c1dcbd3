"""`fairlead models`: every model that can be reached now and what is known of it, from the running proxy, or without
one from the files of this home and the backends' own lists."""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from router.cli.common import offline
from router.cli.common.layout import find_width, format_table, note, print_json, say
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser, find_nearest
from router.cli.common.pending import note_refused
from router.cli.common.running_proxy import describe_absence, fetch_listed_status, proven
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError, clean
from router.operator_api.models import ModelReport
from router.policy.routing.model_list import list_served
from router.policy.routing.table import DEMO
from router.store.config import backends
from router.store.home.home import Home, open_home
from router.upstream.facts.describe import report_models


class Lists(NamedTuple):
    """The models and their source."""

    #: The proxy's URL; '' when the backends were asked.
    source: str
    models: list[ModelReport]
    #: Backend -> error.
    problems: dict[str, str]
    #: The backends that were asked, and how many models each listed.
    backends: dict[str, int]
    #: Why no proxy was asked; '' where one was.
    absence: str = ""


def run(argv: list[str]) -> int:
    """Print the list; exit code 1 when no list could be read, or none of the backend that was asked for."""
    parser = Parser(
        "models",
        "List every model that can be reached now, with its backend, the protocols it is served in, and what is known "
        "of it: window and other limits, efforts, the day it ends, each with its source.",
        examples=["fairlead models", "fairlead models sonnet", "fairlead models 'gpt-5*' --backend openai"],
    )
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="?",
        default="",
        help="show only models whose name has this; with * or ? it is the whole name",
    )
    parser.add_argument("--backend", metavar="NAME", help="show only the models of this backend")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    note_refused(home)
    lists = run_async(_ask, home, options.pattern.lower())
    if options.backend is not None:
        lists = _select_backend(lists, options.backend.lower())
    if options.json:
        print_json(_to_json(lists))
    else:
        _print(lists, filtered=bool(options.pattern))
    listed = sum(count for name, count in lists.backends.items() if name != DEMO)
    return 1 if lists.problems and not listed else 0


def _select_names(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a pattern, in lower case, selects."""
    if "*" in pattern or "?" in pattern:
        return [name for name in names if fnmatchcase(name.lower(), pattern)]
    return [name for name in names if pattern in name.lower()]


def _select_backend(lists: Lists, name: str) -> Lists:
    """The models and the problem of one backend. Raises CommandError when there is none of this name."""
    if name not in lists.backends:
        near = find_nearest(name, lists.backends)
        hint = f"Did you mean {near}?" if near else "See:   fairlead backend list"
        raise CommandError(f"there is no enabled backend named {clean(name)}.", hint)
    return lists._replace(
        models=[model for model in lists.models if model.backend == name],
        problems={one: text for one, text in lists.problems.items() if one == name},
        backends={name: lists.backends[name]},
    )


async def _ask(home: Home, pattern: str) -> Lists:
    for run, proxy in await proven(home):
        try:
            status = await fetch_listed_status(proxy)
            models = await proxy.report_models(_select_names((model.id for model in status.models), pattern))
        except ControlError as error:
            raise CommandError(f"the proxy on {run.url} did not answer as expected: {error}") from None
        problems = {entry.name: clean(entry.problem) for entry in status.backends if entry.problem}
        for text in status.problems:
            note(f"warning: {clean(text, 500)}")
        return Lists(run.url, models, problems, {entry.name: entry.models for entry in status.backends})
    return await _ask_backends(home, pattern)


async def _ask_backends(home: Home, pattern: str) -> Lists:
    """The list as a proxy with these files would give it, without the demo, which only a running proxy serves."""
    settings = read_settings(home)
    found, problems = backends.load(home)
    absence = describe_absence(home, "what the backends and config.toml list.")
    lists = Lists("", [], {one.name: f"{one.message} {one.hint}".strip() for one in problems}, {}, absence)
    async with offline.open_runtime(home, settings) as runtime:
        table = runtime.snapshot.table
        served = list_served(table)
        lists.models.extend(report_models(_select_names(served, pattern), table, runtime.snapshot.facts))
        for backend in found:
            entry = runtime.catalogs.get(backend.name)
            if entry is None:
                continue
            lists.backends[backend.name] = len(entry.models)
            if not entry.loaded:
                problem = clean(entry.problem or "its model list did not come in time")
                lists.problems[backend.name] = problem
    return lists


def _print(lists: Lists, *, filtered: bool) -> None:
    if lists.absence:
        note(lists.absence)
    for name, message in lists.problems.items():
        note(f"error: {name}: {message}")
    if lists.models:
        rows = [(model.id, model.backend, ", ".join(model.protocols), _describe(model)) for model in lists.models]
        print("\n".join(format_table(rows, width=find_width())))
    elif filtered:
        say("No model has this in its name. See all:   fairlead models")
    elif not lists.backends and not lists.problems:
        say("No models. Add a backend:   fairlead backend add anthropic --key-stdin")


def _describe(model: ModelReport) -> str:
    return "; ".join(clean(text, 400) for text in (model.notice, model.summary) if text)


def _to_json(lists: Lists) -> dict[str, object]:
    return {
        "proxy": lists.source or None,
        "models": [msgspec.to_builtins(model) for model in lists.models],
        "problems": [{"backend": name, "message": message} for name, message in lists.problems.items()],
    }
