"""`fairlead models`: every model that can be reached now, from the running proxy, or without one from the files of this
home and the backends' own lists."""

import json
import os
from typing import NamedTuple

import trio

from router.cli.common import offline
from router.cli.common.output import format_table, note_problems, read_settings
from router.cli.common.parser import Parser, note
from router.cli.common.pending import note_refused
from router.cli.common.running_proxy import proven
from router.errors import CommandError
from router.net.control.request import ControlError, clean
from router.policy.routing.model_list import list_models
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


def run(argv: list[str]) -> int:
    """Print the list; exit code 1 when a backend could not be asked."""
    parser = Parser(
        "models",
        "List every model that can be reached now, with its backend and the protocols it is served in.",
        examples=["fairlead models"],
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    note_refused(home)
    lists = trio.run(_ask, home)
    if options.json:
        print(json.dumps(_to_json(lists), indent=2))
    else:
        _print(lists)
    return 1 if lists.problems else 0


async def _ask(home: Home) -> Lists:
    for _, proxy in await proven(home):
        try:
            status = await proxy.fetch_status()
        except ControlError as error:
            raise CommandError(f"the proxy on {proxy.url} did not answer as expected: {error}") from None
        models = [Listed(model.id, model.backend, tuple(model.protocols)) for model in status.models]
        return Lists(proxy.url, models, {entry.name: entry.problem for entry in status.backends if entry.problem})
    return await _ask_backends(home)


async def _ask_backends(home: Home) -> Lists:
    """The list as a proxy with these files would give it, without the demo, which only a running proxy serves."""
    settings = read_settings(home)
    found, problems = backends.load(home)
    note_problems(problems)
    lists = Lists("", [], {problem.name: problem.message for problem in problems})
    async with offline.open_runtime(home, settings) as runtime:
        table = runtime.snapshot.table
        named = list_models(table).items()
        lists.models.extend(Listed(model, owner, table.named[owner].protocols) for model, owner in named)
        for backend in found:
            entry = runtime.catalogs.get(backend.name)
            if entry is not None and not entry.loaded:
                problem = clean(entry.problem or "its model list did not come in time")
                lists.problems[backend.name] = problem
                note(f"error: {backend.name}: {problem}")
    return lists


def _print(lists: Lists) -> None:
    if lists.source:
        for name, message in lists.problems.items():
            note(f"error: {name}: {message}")
    else:
        note("No proxy is running; this is what the backends and config.toml list.")
    if lists.models:
        print(
            "\n".join(format_table([(model.id, model.backend, ", ".join(model.protocols)) for model in lists.models]))
        )
    elif not lists.problems:
        print("No models. Add a backend:   fairlead backend add anthropic --key-stdin")


def _to_json(lists: Lists) -> dict[str, object]:
    return {
        "proxy": lists.source or None,
        "models": [model._asdict() for model in lists.models],
        "problems": [{"backend": name, "message": message} for name, message in lists.problems.items()],
    }
