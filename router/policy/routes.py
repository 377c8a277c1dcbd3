"""Which backend serves a request, under which model name, and why (product.md 6).

The steps in order; the one that finds the backend is the last:
0 forced   `model` and `fast_model`, for requests that have a model write text
1 alias    the user's names, one step, in any case; then family shortcuts such as `opus`, unless a catalog has a model
           of that very name. A `[1m]` that no catalog lists is dropped from a name that is known without it
2 prefix   `backend:model`; other colons belong to the model. A shortcut behind it is the newest of that backend
3 rules    the first that applies; without a backend it renames and edits, and later steps find the backend. One that
           names a backend which is not there, or another model than a forced one, is passed over
4 catalog, 5 family, 6 default, 7 nothing: 404
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import Facts
from router.policy.nearest import configured, names_of, nearest_names, unknown_text
from router.policy.rules import Ready
from router.policy.shortcuts import LONG, asked
from router.policy.table import DEMO, Route, Table
from router.policy.trace import Step, StepName, Trace
from router.policy.traits import NO_TRAITS, Traits

__all__ = ["DEMO", "Route", "Table", "decide", "nearest_models"]

# The tier that tools use for titles and summaries.
_SMALL = re.compile(r"(?:^|[-_.:/ ])(?:haiku|mini|nano|lite)[\d.]*(?=$|[-_.:/ \[@])", re.IGNORECASE)


class _Name(NamedTuple):
    """A model's name after steps 0 and 1."""

    text: str
    alias: str = ""
    forced: bool = False
    floats: bool = False


class _Found(NamedTuple):
    """Where a name goes. sent: as the backend gets it."""

    backend: Backend
    sent: str
    why: str
    floats: bool = False


def decide(facts: Facts, table: Table, traits: Traits = NO_TRAITS, trace: Trace | None = None) -> Route:
    """The route of a request. traits: needed where `table.asks`. trace: gets every step that was looked at.

    Raises UnknownModel, or BadRequest when nothing says where the request should go.
    """
    model = facts.model
    if model is None:
        return _without_model(facts, table, trace)
    name = _named(model, facts, table, trace)
    found = _prefixed(name.text, facts, table, trace)
    if found is None and table.rules:
        entry = _matching(name, facts, table, traits, trace)
        if entry is not None:
            return _ruled(model, name, entry, facts, table, trace)
    backend, sent, why, floats = found or _owned(name.text, facts, table, trace)
    return Route(backend, sent, why, sent != model, name.alias, "", floats or name.floats)


def _say(trace: Trace | None, step: StepName, took: bool, text: str, rule: str = "") -> None:
    if trace is not None:
        trace.append(Step(step, took, text, rule))


# Steps 0 and 1


def _named(model: str, facts: Facts, table: Table, trace: Trace | None) -> _Name:
    text, forced = model, False
    if facts.generates and (table.model or table.fast_model):
        wanted = _forced(model, table)
        _say(trace, "forced", wanted is not None, f"{model} → {wanted}" if wanted else "no model is forced on this one")
        if wanted is not None:
            text, forced = wanted, True
    target = table.targets.get(text.lower()) if table.targets else None
    alias = ""
    if target is not None:
        _say(trace, "alias", True, f"{text} → {target}")
        alias, text = text, target
    newest, floats = _shortcut(text, facts, table, None)
    if newest != text:
        _say(trace, "shortcut", True, f"{text} → {newest}")
        alias, text = alias or (text if floats else ""), newest
    elif target is None:
        _say(trace, "alias", False, "none" if not floats else f"no catalog has a model for {text}")
    return _Name(text, alias, forced, floats)


def _forced(model: str, table: Table) -> str | None:
    """What is forced on a request: `fast_model` on the small tier, `model` on all it leaves."""
    if table.fast_model and (_SMALL.search(model) or _SMALL.search(table.targets.get(model.lower(), ""))):
        return table.fast_model
    return table.model


def _shortcut(text: str, facts: Facts, table: Table, only: Backend | None) -> tuple[str, bool]:
    """The listed model that a shortcut or a `[1m]` form stands for, else the name itself; whether it is a shortcut.

    only: look at this backend's models alone.
    """
    if table.lists(only, text):
        return text, False
    is_long = text[-len(LONG) :].lower() == LONG
    floats = asked(text) is not None
    if floats:
        newest = table.shortcuts.newest(text, facts.protocol, only)
        if newest is None:
            return text, True
        long = newest + LONG
        return (long if is_long and table.lists(only, long) else newest), True
    if is_long:
        bare = text[: -len(LONG)]
        family = table.of_family(bare)
        if table.lists(only, bare) or (family if only is None else any(one is only for one in family)):
            return bare, False
    return text, False


# Step 2


def _prefixed(text: str, facts: Facts, table: Table, trace: Trace | None) -> _Found | None:
    prefix, colon, rest = text.partition(":")
    backend = table.prefixes.get(prefix.lower()) if colon else None
    if backend is None:
        _say(trace, "prefix", False, f"no backend is named {prefix}" if colon else "none")
        return None
    if not rest:
        raise BadRequest(f"The model '{text}' names a backend and no model; write {prefix}:MODEL.")
    sent, floats = _shortcut(rest, facts, table, backend)
    _say(
        trace,
        "prefix",
        True,
        f"{prefix}: is the backend {backend.name}" + (f", {rest} → {sent}" if sent != rest else ""),
    )
    return _Found(backend, sent, "prefix", floats)


# Step 3


def _matching(name: _Name, facts: Facts, table: Table, traits: Traits, trace: Trace | None) -> Ready | None:
    for number, entry in enumerate(table.rules):
        rule = entry.rule
        unmet = entry.unmet(name.text, facts, traits)
        if unmet is None and rule.backend and rule.backend.lower() not in table.prefixes:
            unmet = f"applies, but its backend {rule.backend} is not configured or disabled"
        elif unmet is None and name.forced and rule.model and rule.model != name.text:
            unmet = f"applies, but would send {rule.model}, and {name.text} is forced"
        _say(trace, "rule", unmet is None, unmet or _effect(entry), rule.name)
        if unmet is None:
            if trace is not None:
                trace.extend(
                    Step("rule", False, "not looked at", later.rule.name) for later in table.rules[number + 1 :]
                )
            return entry
    return None


def _effect(entry: Ready) -> str:
    rule = entry.rule
    where = [f"to {rule.backend}"] if rule.backend else []
    return ", ".join([*where, *([f"as {rule.model}"] if rule.model else [])]) or "edits only"


def _ruled(model: str, name: _Name, entry: Ready, facts: Facts, table: Table, trace: Trace | None) -> Route:
    """The route of a request that a rule applies to; a rule without a backend leaves it to the other steps."""
    rule = entry.rule
    if rule.backend:
        backend = table.prefixes[rule.backend.lower()]
        sent, floats = _shortcut(rule.model or name.text, facts, table, backend)
        found = _Found(backend, sent, "rule", floats)
    else:
        text, floats = _shortcut(rule.model, facts, table, None) if rule.model else (name.text, False)
        found = (_prefixed(text, facts, table, None) if rule.model else None) or _owned(text, facts, table, trace)
    floats = floats or found.floats or name.floats
    return Route(found.backend, found.sent, found.why, found.sent != model, name.alias, rule.name, floats, rule.edits)


# Steps 4 to 7


def _owned(text: str, facts: Facts, table: Table, trace: Trace | None) -> _Found:
    owners = table.owners.get(text)
    if owners:
        backend = _native(owners, facts)
        _say(trace, "catalog", True, f"listed by {names_of(owners)}")
        return _Found(backend, text, "catalog")
    _say(trace, "catalog", False, f"no catalog lists {text}")
    owners = table.of_family(text)
    if owners:
        _say(trace, "family", True, f"named as {names_of(owners)} names its models")
        return _Found(_native(owners, facts), text, "family")
    _say(trace, "family", False, "no vendor's names look so")
    fallback = _default(table)
    if fallback is not None:
        _say(trace, "default", True, fallback.name)
        return _Found(fallback, text, "default")
    _say(trace, "default", False, f"{table.default} is not there" if table.default else "none is set")
    raise UnknownModel(unknown_text(text, table.owners, table.backends))


def _native(owners: Sequence[Backend], facts: Facts) -> Backend:
    """The first that speaks the caller's protocol, else the first."""
    if len(owners) == 1:
        return owners[0]
    speaks = _speaker(facts)
    return next((backend for backend in owners if speaks(backend)), owners[0])


def _default(table: Table) -> Backend | None:
    if table.default is not None:
        return table.named.get(table.default)
    # With nothing but the demo every name reaches it, so that a tool can be tried before a key is at hand.
    if len(table.backends) == 1 and table.backends[0].name == DEMO:
        return table.backends[0]
    return None


def _without_model(facts: Facts, table: Table, trace: Trace | None) -> Route:
    speaks = _speaker(facts)
    able = [backend for backend in table.backends if speaks(backend)]
    real = [backend for backend in able if backend.name != DEMO] or able
    if len(real) == 1:
        why = "only backend that speaks the protocol"
        _say(trace, "default", True, f"no model is named; {real[0].name} is the {why}")
        return Route(real[0], None, why)
    fallback = _default(table)
    if fallback is not None and fallback in able:
        _say(trace, "default", True, f"no model is named; {fallback.name} is the default")
        return Route(fallback, None, "default")
    if not real:
        raise BadRequest(
            f"No configured backend speaks {facts.protocol or 'the OpenAI protocols'}.{configured(table.backends)}"
        )
    raise BadRequest(
        f"The request names no model, and {len(real)} backends could serve it ({names_of(real)}). Start the proxy with "
        "--default-backend NAME to choose one."
    )


def _speaker(facts: Facts) -> Callable[[Backend], bool]:
    if facts.protocol is None:
        return lambda backend: "chat" in backend.protocols or "responses" in backend.protocols
    return lambda backend: facts.protocol in backend.protocols


def nearest_models(model: str, table: Table) -> list[str]:
    """Up to three catalog names that look like `model`, the closest first."""
    return nearest_names(model, table.owners)
