"""config.toml, the files of the backends, and what their rules and names lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from router.cli.common.output import format_count
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.operator_api.explain import Question
from router.settings.kinds import clean
from router.settings.tables import Condition, Rule
from router.store.config import toml
from router.store.home.permissions import shown
from router.upstream.configuration import list_faults

#: Names that are asked about, at most.
_NAMES = 20
#: Models of several backends that are named.
_EXAMPLES = 3


def split_advice(text: str) -> tuple[str, str]:
    """What is wrong, and what to do, from a sentence that ends with a command of fairlead."""
    for gap in (":   fairlead ", ": `fairlead ", ": fairlead "):
        before, found, command = text.rpartition(gap)
        if found:
            # What stands before the colon says what the command is for.
            wrong, end, what = before.rpartition(". ")
            command = f"fairlead {command.rstrip('.').rstrip('`')}"
            return (wrong, f"{what}: {command}") if end else (before, command)
    return text, ""


def check_configuration(situation: Situation) -> list[Row]:
    """Whether the configuration can be read, and a proxy would start with it."""
    rows = [Row("config", "fail", str(one), one.hint) for one in _list_problems(situation)]
    for found in situation.proxies:
        if found.run.refused:
            text = f"the proxy on :{found.run.port} keeps its previous configuration: {found.run.refused}"
            rows.append(Row("config", "fail", text, found.run.fix or "Correct it: fairlead config edit"))
    rows += [Row("config", "fail", one.message, one.hint, subject=one.name) for one in situation.unread]
    for warning in situation.loaded.warnings:
        text, fix = split_advice(warning)
        rows.append(Row("config", "warn", text, fix or "Correct it: fairlead config edit"))
    if rows:
        return rows
    home = situation.home
    if home is None or home.read(toml.NAME) is None:
        return [Row("config", "ok", "no config.toml, all settings have their defaults")]
    return [Row("config", "ok", f"{shown(home.at(toml.NAME))} is valid")]


def _list_problems(situation: Situation) -> Iterator[CommandError]:
    if situation.config_problem is not None:
        yield situation.config_problem
        return
    if situation.backends_problem is not None:
        yield situation.backends_problem
    elif situation.home is not None:
        yield from list_faults(situation.home, situation.loaded, situation.environ)


async def check_routes(situation: Situation) -> list[Row]:
    """Whether rules, aliases and chains lead somewhere."""
    rows = list(list_hidden_rules(situation.settings.routes))
    serving = situation.serving
    if serving is None or serving.proxy is None:
        return rows
    for alias, target in list(situation.settings.aliases.items())[:_NAMES]:
        answer = await serving.proxy.explain(Question(model=alias))
        if answer.error:
            text = f"the alias {alias} leads to {target}, which no backend serves"
            rows.append(Row("routes", "warn", text, f"Name another model: fairlead config set aliases.{alias} MODEL"))
    return rows or [Row("routes", "ok", _describe_routes(situation))]


def _describe_routes(situation: Situation) -> str:
    settings = situation.settings
    found = [f"{len(settings.routes)} rules", f"{len(settings.aliases)} aliases", f"{len(settings.fallback)} chains"]
    return ", ".join(found)


def check_shared_models(situation: Situation) -> list[Row]:
    """Models that several backends list, and which of these gets a request for the bare name."""
    serving = situation.serving
    if serving is None or serving.status is None:
        return []
    served = {model.id: model.backend for model in serving.status.models}
    others: dict[str, list[str]] = {}
    for name, backend in served.items():
        # A model has a name with a prefix at those that do not get the bare one.
        prefix, mark, model = name.partition(":")
        if mark and prefix == backend and served.get(model, backend) != backend:
            others.setdefault(model, []).append(name)
    if not others:
        return []
    said = [f"{model} goes to {served[model]}, {' and '.join(names)} elsewhere" for model, names in others.items()]
    more = f"; and {len(said) - _EXAMPLES} more" if len(said) > _EXAMPLES else ""
    listed = "; ".join(clean(one, 400) for one in said[:_EXAMPLES])
    return [Row("routes.twice", "info", f"several backends list {format_count(len(said), 'model')}: {listed}{more}")]


def list_hidden_rules(rules: Sequence[Rule]) -> Iterator[Row]:
    """A row for each rule that no request reaches: one before it takes all that it would take."""
    for place, rule in enumerate(rules):
        for before in rules[:place]:
            if _takes_all_of(before.when, rule.when):
                text = f'the rule "{rule.name}" is never used: "{before.name}" before it takes the same requests'
                yield Row("routes", "warn", text, "Put the narrower rule first: fairlead config edit")
                break


def _takes_all_of(first: Condition, other: Condition) -> bool:
    """True where all that one condition holds for, another does too. Bounds and patterns count when they are equal, or
    the wider one is plainly so."""
    return all(_is_as_wide(one.name, getattr(first, one.name), getattr(other, one.name)) for one in fields(Condition))


def _is_as_wide(name: str, wanted: Any, given: Any) -> bool:
    """True where one part of a condition holds for all that another value of it holds for."""
    if wanted in (None, "") or wanted == given:
        return True
    if given in (None, ""):
        return name == "model" and wanted == "*"
    if name == "model":
        return wanted == "*" or (
            wanted.endswith("*") and not _has_sign(wanted[:-1]) and given.lower().startswith(wanted[:-1].lower())
        )
    if name == "tokens_over":
        return given > wanted
    return name == "tokens_under" and given < wanted


def _has_sign(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")
