"""Which models a tool is told of: from the running proxy, or without one from the backends' own lists."""

import os
from collections.abc import Mapping, Sequence

from router.backends.known import is_for_text
from router.cli.common.output import read_settings
from router.cli.common.parser import find_nearest
from router.cli.common.running_proxy import fetch_listed_status, proven
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError, clean
from router.operator_api.models import MODELS_LIMIT, ModelReport
from router.policy.routing.model_list import list_served
from router.policy.routing.table import DEMO
from router.settings.kinds import clean as clean_name
from router.setup.tool import Model
from router.store.home.home import Home

#: The newest models that a tool is told of beside the aliases: lists of tools are for choosing from.
NEWEST = 30
_DEMO_MODEL = "demo"


def find_models(home: Home, chosen: str) -> tuple[tuple[Model, ...], Model]:
    """The models that a tool is told of, and the one that it begins with. chosen: the user's, "" for none. Raises
    CommandError for a model that nothing serves."""
    reports = run_async(_ask, home, chosen)
    aliases = list(read_settings(home).aliases)
    listed = choose_listed([one for one in reports if one.id != chosen or is_for_text(one.id)], aliases)
    if not chosen:
        models = tuple(make_model(one) for one in listed) or (Model(_DEMO_MODEL),)
        return models, models[0]
    found = next((one for one in reports if one.id == chosen), None)
    if found is None:
        near = find_nearest(chosen, [one.id for one in reports])
        hint = f"Did you mean {near}?" if near else "Choose one of the models that this lists:   fairlead models"
        raise CommandError(f"nothing serves the model {clean_name(chosen)}.", hint)
    model = make_model(found)
    return (model, *(make_model(one) for one in listed if one.id != chosen)), model


def choose_listed(reports: Sequence[ModelReport], aliases: Sequence[str]) -> list[ModelReport]:
    """Aliases first, then the newest; demo models only where there is no other one."""
    real = [one for one in reports if one.backend != DEMO and is_for_text(one.model)]
    first = [one for one in real if one.id in aliases]
    others = sorted((one for one in real if one.id not in aliases), key=_read_created, reverse=True)
    return [*first, *others[:NEWEST]]


def _read_created(report: ModelReport) -> int:
    fact = report.facts.get("created")
    return fact.value if fact is not None and isinstance(fact.value, int) else 0


def make_model(report: ModelReport) -> Model:
    """What a tool is told of a model."""
    facts = {name: fact.value for name, fact in report.facts.items()}
    return Model(
        name=report.id,
        title=clean_name(str(facts.get("title", ""))) if report.id == report.model else "",
        window=_read_number(facts, "window"),
        max_output=_read_number(facts, "max_output"),
        images="image" in _read_words(facts, "modalities"),
    )


def _read_number(facts: Mapping[str, object], name: str) -> int | None:
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _read_words(facts: Mapping[str, object], name: str) -> list[object]:
    value = facts.get(name)
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


async def _ask(home: Home, chosen: str) -> list[ModelReport]:
    """Reports on the first models, and on the one that was chosen."""
    for run, proxy in await proven(home):
        try:
            names = [one.id for one in (await fetch_listed_status(proxy)).models]
            return await proxy.report_models(_limit(names, chosen))
        except ControlError as error:
            raise CommandError(f"the proxy on {run.url} did not answer as expected: {clean(str(error))}") from None
    return await _ask_backends(home, chosen)


async def _ask_backends(home: Home, chosen: str) -> list[ModelReport]:
    # Late: a running proxy makes all of it unnecessary.
    from router.cli.common import offline
    from router.upstream.facts.describe import report_models

    async with offline.open_runtime(home, read_settings(home)) as runtime:
        table = runtime.snapshot.table
        found = report_models(_limit(list(list_served(table)), chosen), table, runtime.snapshot.facts)
    if chosen.partition("-")[0] == _DEMO_MODEL and os.environ.get("FAIRLEAD_DEMO") != "off":
        # Only a running proxy lists its demo.
        found.append(ModelReport(id=chosen, backend=DEMO, model=chosen, protocols=[], facts={}, summary="", notice=""))
    return found


def _limit(names: Sequence[str], chosen: str) -> list[str]:
    wanted: list[str] = [*([chosen] if chosen else []), *names]
    return list(dict.fromkeys(wanted))[:MODELS_LIMIT]
