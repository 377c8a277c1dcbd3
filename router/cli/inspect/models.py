"""`fairlead models`: every model that can be reached now, from the running proxy, or without one from the files of this
home and the backends' own lists."""

import os
from typing import NamedTuple

import trio

from router.cli.common import offline
from router.cli.common.layout import find_width, format_table, note, print_json, say
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser, find_nearest
from router.cli.common.pending import note_refused
from router.cli.common.running_proxy import proven
from router.errors import CommandError
from router.net.control.request import ControlError, clean
from router.policy.routing.model_list import list_models
from router.policy.routing.table import DEMO
from router.store.config import backends
from router.store.home.home import Home, open_home


class Listed(NamedTuple):
    """One line of the list."""

    id: str
    backend: str
    protocols: tuple[str, ...]


class Lists(NamedTuple):
    """The models and their source."""

    #: The proxy's URL; '' when the backends were asked.
    source: str
    models: list[Listed]
    #: Backend -> error.
    problems: dict[str, str]
    #: The backends that were asked, and how many models each listed.
    backends: dict[str, int]


def run(argv: list[str]) -> int:
    """Print the list; exit code 1 when no list could be read, or none of the backend that was asked for."""
    parser = Parser(
        "models",
        "List every model that can be reached now, with its backend and the protocols it is served in.",
        examples=["fairlead models", "fairlead models sonnet", "fairlead models --backend groq"],
    )
    parser.add_argument("filter", metavar="FILTER", nargs="?", default="", help="show only models whose name has this")
    parser.add_argument("--backend", metavar="NAME", help="show only the models of this backend")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    note_refused(home)
    lists = trio.run(_ask, home)
    if options.backend is not None:
        lists = _select_backend(lists, options.backend.lower())
    shown = lists._replace(models=[model for model in lists.models if options.filter.lower() in model.id.lower()])
    if options.json:
        print_json(_to_json(shown))
    else:
        _print(shown, filtered=len(lists.models) > len(shown.models))
    listed = sum(count for name, count in lists.backends.items() if name != DEMO)
    return 1 if lists.problems and not listed else 0


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


async def _ask(home: Home) -> Lists:
    for run, proxy in await proven(home):
        try:
            status = await proxy.fetch_status()
        except ControlError as error:
            raise CommandError(f"the proxy on {run.url} did not answer as expected: {error}") from None
        models = [Listed(model.id, model.backend, tuple(model.protocols)) for model in status.models]
        problems = {entry.name: clean(entry.problem) for entry in status.backends if entry.problem}
        for text in status.problems:
            note(f"warning: {clean(text, 500)}")
        return Lists(run.url, models, problems, {entry.name: entry.models for entry in status.backends})
    return await _ask_backends(home)


async def _ask_backends(home: Home) -> Lists:
    """The list as a proxy with these files would give it, without the demo, which only a running proxy serves."""
    settings = read_settings(home)
    found, problems = backends.load(home)
    lists = Lists("", [], {one.name: f"{one.message} {one.hint}".strip() for one in problems}, {})
    async with offline.open_runtime(home, settings) as runtime:
        table = runtime.snapshot.table
        named = list_models(table).items()
        lists.models.extend(Listed(model, owner, table.named[owner].protocols) for model, owner in named)
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
    if not lists.source:
        note("No proxy is running; this is what the backends and config.toml list.")
    for name, message in lists.problems.items():
        note(f"error: {name}: {message}")
    if lists.models:
        rows = [(model.id, model.backend, ", ".join(model.protocols)) for model in lists.models]
        print("\n".join(format_table(rows, width=find_width())))
    elif filtered:
        say("No model has this in its name. See all:   fairlead models")
    elif not lists.backends and not lists.problems:
        say("No models. Add a backend:   fairlead backend add anthropic --key-stdin")


def _to_json(lists: Lists) -> dict[str, object]:
    return {
        "proxy": lists.source or None,
        "models": [model._asdict() for model in lists.models],
        "problems": [{"backend": name, "message": message} for name, message in lists.problems.items()],
    }
