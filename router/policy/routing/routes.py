"""Which backend serves a request, under which model name, and why.

The steps in order; the one that finds the backend is the last:
0 forced   `model` and `fast_model`, for requests that have a model write text
1 alias    the user's names, one step, in any case; then family shortcuts such as `opus`, unless a catalog has a model
           of that very name. Their `[1m]` stays until a backend is found that knows the name only without it
2 prefix   `backend:model`; other colons belong to the model. A shortcut behind it is the newest of that backend
  owner    the backend that issued an id the request names (`previous_response_id`, a file): it means nothing elsewhere
3 rules    the first that applies; without a backend it renames and edits, and later steps find the backend. One that
           names a backend which is not there, or another model than a forced one, is passed over
4 catalog, 5 family, 6 default, 7 nothing: 404. A name of a vendor's models, and a shortcut for them, is for that
           vendor's backends alone where there are any (vendor_names). Where 404 would follow, what a tool asks beside
           the conversation, for a model of its own choice, goes where the shortcut of the model's family leads

What only a backend of the request's own protocol can serve, such as a tool that runs at the vendor, goes to one that
serves the model that was asked for, also where an alias or a rule leads elsewhere.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.bound_requests import OWNER, find_owner, make_speaks, prefer_native, route_to_native
from router.policy.routing.family_shortcuts import LONG, parse_shortcut, parse_version, strip_long
from router.policy.routing.request_traits import NO_TRAITS, RequestTraits
from router.policy.routing.rules import PreparedRule
from router.policy.routing.suggestions import describe_configured, find_nearest_models, join_names, make_refusal
from router.policy.routing.table import DEMO, Route, Table, format_rule
from router.policy.routing.trace import NOT_LOOKED_AT, Step, Trace
from router.policy.routing.vendor_names import Vendors

__all__ = ["DEMO", "Route", "Table", "decide", "find_nearest_models"]

# The tier that tools use for titles and summaries.
_SMALL = re.compile(r"(?:^|[-_.:/ ])(?:haiku|mini|nano|lite)[\d.]*(?=$|[-_.:/ \[@])", re.IGNORECASE)

_DECIDED_LIMIT = 256


class _Name(NamedTuple):
    """A model's name after steps 0 and 1."""

    text: str
    #: The alias or shortcut that stood for it, '' for none.
    alias: str = ""
    #: It is the user's `model` or `fast_model`.
    forced: bool = False
    #: A shortcut was asked for, whose meaning hangs on the catalogs.
    floats: bool = False

    def describe(self) -> str:
        """What gave the name, '' for the caller."""
        return f"alias {self.alias}" if self.alias else "the forced model" if self.forced else ""


class _Found(NamedTuple):
    """Where a name goes."""

    backend: Backend
    #: The name as the backend gets it.
    sent: str
    #: The step that found the backend.
    why: str
    #: A shortcut was asked for, whose meaning hangs on the catalogs.
    floats: bool = False


def decide(facts: RoutingFacts, table: Table, traits: RequestTraits = NO_TRAITS, trace: Trace | None = None) -> Route:
    """The route of a request. traits: needed where `table.asks`, and where nothing serves the model. trace: gets every
    step that was looked at.

    Raises UnknownModel, or BadRequest when nothing says where the request should go.
    """
    try:
        route = _decide_by_name(facts, table, traits, trace)
    except UnknownModel:
        relative = _route_to_relative(facts, table, traits, trace)
        if relative is None:
            raise
        route = relative
    return route_to_native(route, facts, table, trace) if facts.bound else route


def _decide_by_name(facts: RoutingFacts, table: Table, traits: RequestTraits, trace: Trace | None) -> Route:
    """The route of a request for the model that it names, or for none. Raises as `decide`."""
    model = facts.model
    if model is None:
        return _route_to_owner(None, _Name(""), facts, table, trace) or _route_without_model(facts, table, trace)
    if table.rules or facts.owner is not None or trace is not None:
        return _decide_anew(model, facts, table, traits, trace)
    # Then nothing else decides, and a tool asks for the same few models all day.
    key = (model, facts.protocol, facts.generates)
    route = table.decided.get(key)
    if route is None:
        route = _decide_anew(model, facts, table, traits, None)
        if len(table.decided) >= _DECIDED_LIMIT:
            table.decided.clear()
        table.decided[key] = route
    return route


def _decide_anew(model: str, facts: RoutingFacts, table: Table, traits: RequestTraits, trace: Trace | None) -> Route:
    name = _resolve_name(model, facts, table, trace)
    found = _match_prefix(name.text, facts, table, trace)
    pinned = None if found else _route_to_owner(model, name, facts, table, trace)
    if pinned is not None:
        return pinned
    if found is not None and trace is not None:
        trace.extend(Step("rule", False, NOT_LOOKED_AT, entry.rule.name) for entry in table.rules)
    if found is None and table.rules:
        entry = _match_rule(name, facts, table, traits, trace)
        if entry is not None:
            return _apply_rule(model, name, entry, facts, table, trace)
    backend, sent, why, floats = found or _find_backend(name.text, facts, table, trace)
    by = name.describe() if sent != model else ""
    return Route(backend, sent, why, sent != model, name.alias, floats=floats or name.floats, renamed_by=by)


def _route_to_relative(facts: RoutingFacts, table: Table, traits: RequestTraits, trace: Trace | None) -> Route | None:
    """The route of a request that a tool makes beside the conversation, for a model that nothing serves: to what the
    shortcut of the model's family stands for; None when there is no such thing. The user did not choose the name, and
    without an answer Claude Code denies every action that it wants to have judged."""
    parsed = parse_version(strip_long(facts.model)) if facts.model and traits.request_class == "auxiliary" else None
    if parsed is None:
        return None
    family = parsed[0]
    if trace is not None:
        trace.append(Step("shortcut", True, f"{facts.model} is asked for by the tool itself: {family} may serve it"))
    try:
        route = _decide_anew(family, msgspec.structs.replace(facts, model=family), table, traits, trace)
    except UnknownModel:
        return None
    return msgspec.structs.replace(route, renamed_by=f"shortcut {family}, as the tool itself asks for {facts.model}")


def _route_to_owner(
    model: str | None, name: _Name, facts: RoutingFacts, table: Table, trace: Trace | None
) -> Route | None:
    """The route to the backend that issued an id the request names; None when there is no such id."""
    owner = find_owner(facts.owner, table.named)
    if owner is None:
        return None
    if trace is not None:
        trace.append(Step("owner", True, f"the request names an id that {owner.name} issued"))
    sent = name.text or None
    by = name.describe() if sent != model else ""
    return Route(owner, sent, OWNER, sent != model, name.alias, floats=name.floats, renamed_by=by)


# Steps 0 and 1


def _resolve_name(model: str, facts: RoutingFacts, table: Table, trace: Trace | None) -> _Name:
    if not table.renames and (parse_shortcut(model) is None or table.find_servers(model)):
        if trace is not None:
            trace.append(Step("alias", False, "none"))
        return _Name(model)
    text, forced = model, False
    if facts.generates and (table.model or table.fast_model):
        wanted = _find_forced(model, table)
        if wanted is not None:
            text, forced = wanted, True
        if trace is not None:
            trace.append(Step("forced", forced, f"{model} → {text}" if forced else "this tier is left alone"))
    target = table.targets.get(text.lower()) if table.targets else None
    alias = "" if target is None else text
    if trace is not None:
        trace.append(Step("alias", target is not None, "none" if target is None else f"{text} → {target}"))
    text = text if target is None else target
    newest, floats = _expand_shortcut(text, facts, table, None)
    if trace is not None and floats:
        _trace_vendor(text, table, trace)
        trace.append(
            Step("shortcut", newest != text, f"{text} → {newest}" if newest != text else _explain_no_newest(text))
        )
    return _Name(newest, alias or (text if newest != text else ""), forced, floats)


def _find_forced(model: str, table: Table) -> str | None:
    """What is forced on a request: `fast_model` on the small tier, `model` on all it leaves."""
    if table.fast_model and (_SMALL.search(model) or _SMALL.search(table.targets.get(model.lower(), ""))):
        return table.fast_model
    return table.model


def _expand_shortcut(text: str, facts: RoutingFacts, table: Table, only: Backend | None) -> tuple[str, bool]:
    """The listed model that a shortcut stands for, with its `[1m]`, else the name itself; whether it is a shortcut.

    only: look at this backend's models alone, else at those of the family's vendor where it has a backend.
    """
    if parse_shortcut(text) is None or (table.find_servers(text) if only is None else table.lists(only, text)):
        return text, False
    vendors = table.vendor_names.find(text)
    among = (only,) if only is not None else vendors.backends if vendors.alone else None
    newest = table.shortcuts.newest(text, facts.protocol, among)
    return (text if newest is None else newest + LONG if strip_long(text) != text else newest), True


def _explain_no_newest(text: str) -> str:
    return f"no catalog has a model for {text}"


def _trace_vendor(text: str, table: Table, trace: Trace) -> None:
    """Say that a shortcut stands for a model of its vendor's backends, where others have models of the family too."""
    vendors, wanted = table.vendor_names.find(text), parse_shortcut(text)
    versions = table.shortcuts.families.get(wanted[0], {}) if wanted else {}
    own = {one.name for one in vendors.backends}
    others = dict.fromkeys(
        one.backend.name for same in versions.values() for one in same if one.backend.name not in own
    )
    if vendors.alone and others:
        trace.append(Step("vendor", True, _explain_vendor(vendors, [*others])))


def _explain_vendor(vendors: Vendors, others: Sequence[str]) -> str:
    own = join_names(vendors.backends) or "a backend that cannot be read"
    return f"a name of {own}; {', '.join(others)} would serve it by prefix, alias, rule or fallback"


# Step 2


def _match_prefix(text: str, facts: RoutingFacts, table: Table, trace: Trace | None) -> _Found | None:
    prefix, colon, rest = text.partition(":")
    backend = table.prefixes.get(prefix.lower()) if colon else None
    if backend is None:
        if trace is not None:
            gap = table.find_gap(prefix) if colon else None
            missing = f"{prefix}: (backend {gap.backend} {gap.why})" if gap else f"no backend is named {prefix}"
            trace.append(Step("prefix", False, missing if colon else "none"))
        return None
    if not rest:
        raise BadRequest(f"The model '{text}' names a backend and no model; write {prefix}:MODEL.")
    sent, floats = _expand_shortcut(rest, facts, table, backend)
    sent = _fit_name(sent, table, backend)
    if trace is not None:
        changed = f", {rest} → {sent}" if sent != rest else ""
        trace.append(Step("prefix", True, f"{prefix}: (backend {backend.name}){changed}"))
    return _Found(backend, sent, "prefix", floats)


def _fit_name(text: str, table: Table, backend: Backend) -> str:
    """The name without a `[1m]` that this backend does not list, if the rest is a name of its models."""
    bare = strip_long(text)
    if bare == text or table.lists(backend, text):
        return text
    if table.lists(backend, bare + LONG):
        return bare + LONG
    known = table.lists(backend, bare) or any(one is backend for one in table.of_family(bare))
    return bare if known else text


# Step 3


def _match_rule(
    name: _Name, facts: RoutingFacts, table: Table, traits: RequestTraits, trace: Trace | None
) -> PreparedRule | None:
    for number, entry in enumerate(table.rules):
        rule = entry.rule
        unmet = entry.unmet(name.text, facts, traits)
        if unmet is None and rule.backend and rule.backend.lower() not in table.prefixes:
            gap = table.find_gap(rule.backend)
            unmet = f"matches, but its backend {rule.backend} {gap.why if gap else 'is not configured'}"
        elif unmet is None and name.forced and rule.model and rule.model != name.text:
            unmet = f"matches, but would send {rule.model}, and {name.text} is forced"
        if trace is not None:
            trace.append(Step("rule", unmet is None, unmet or _describe_effect(entry), rule.name))
        if unmet is None:
            if trace is not None:
                trace.extend(Step("rule", False, NOT_LOOKED_AT, later.rule.name) for later in table.rules[number + 1 :])
            return entry
    return None


def _describe_effect(entry: PreparedRule) -> str:
    rule = entry.rule
    where = [f"to {rule.backend}"] if rule.backend else []
    return ", ".join([*where, *([f"as {rule.model}"] if rule.model else [])]) or "edits only"


def _apply_rule(
    model: str, name: _Name, entry: PreparedRule, facts: RoutingFacts, table: Table, trace: Trace | None
) -> Route:
    """The route of a request that a rule applies to; a rule without a backend leaves it to the other steps."""
    rule = entry.rule
    if rule.backend:
        backend = table.prefixes[rule.backend.lower()]
        sent, floats = _expand_shortcut(rule.model or name.text, facts, table, backend)
        found = _Found(backend, _fit_name(sent, table, backend), "rule", floats)
    else:
        text, floats = _expand_shortcut(rule.model, facts, table, None) if rule.model else (name.text, False)
        found = (_match_prefix(text, facts, table, None) if rule.model else None) or _find_backend(
            text, facts, table, trace
        )
    floats = floats or found.floats or name.floats
    renamed = found.sent != model
    by = (format_rule(rule.name) if rule.model else name.describe()) if renamed else ""
    return Route(
        found.backend,
        found.sent,
        found.why,
        renamed,
        name.alias,
        rule.name,
        for_tool=bool(rule.when.server_tool and (rule.backend or rule.model)),
        floats=floats,
        edits=entry.edits,
        renamed_by=by,
    )


# Steps 4 to 7


def _find_backend(text: str, facts: RoutingFacts, table: Table, trace: Trace | None) -> _Found:
    owners = table.find_servers(text)
    bare = text if owners else strip_long(text)
    if bare != text and (owners := table.find_servers(bare + LONG)):
        bare += LONG
    owners = owners or table.find_servers(bare)
    vendors = table.vendor_names.find(bare)
    listed = table.owners.get(bare, ())
    if trace is not None and len(owners) < len(listed):
        others = [one.name for one in listed if all(one is not owner for owner in owners)]
        trace.append(Step("vendor", True, _explain_vendor(vendors, others)))
    if owners:
        if trace is not None:
            trace.append(Step("catalog", True, f"{bare} is listed by {join_names(owners)}"))
        return _Found(prefer_native(owners, facts), bare, "catalog")
    gap = table.find_gap(text.partition(":")[0]) if ":" in text else None
    owners = table.of_family(bare) if gap is None else ()
    if trace is not None:
        where = f" of {join_names(vendors.backends)}" if listed and vendors.backends else ""
        trace.append(Step("catalog", False, f"in no model list{where}"))
        said = f"a model of the family of {join_names(owners)}" if owners else "no provider's family matches"
        trace.append(Step("family", bool(owners), said))
    if owners:
        return _Found(prefer_native(owners, facts), bare, "family")
    fallback = _find_default(table) if gap is None else None
    if trace is not None:
        trace.append(Step("default", fallback is not None, fallback.name if fallback else _explain_no_default(table)))
    if fallback is None:
        raise make_refusal(text, gap or table.find_vendor_gap(vendors), facts, table)
    return _Found(fallback, text, "default")


def _explain_no_default(table: Table) -> str:
    if table.default is None:
        return "no default_backend"
    gap = table.find_gap(table.default)
    return f"default_backend {table.default} {gap.why if gap else 'is not configured'}"


def _find_default(table: Table) -> Backend | None:
    return table.named.get(table.default) if table.default is not None else None


def _route_without_model(facts: RoutingFacts, table: Table, trace: Trace | None) -> Route:
    speaks = make_speaks(facts)
    able = [backend for backend in table.backends if speaks(backend)]
    real = [backend for backend in able if backend.name != DEMO]
    fallback = _find_default(table)
    if len(real) == 1:
        route = Route(real[0], None, "only backend that speaks the protocol")
    elif fallback is not None and fallback in able:
        route = Route(fallback, None, "default")
    elif real:
        raise BadRequest(
            f"The request names no model, and {len(real)} backends could serve it ({join_names(real)}). Choose one: "
            f"`fairlead config set default_backend {real[0].name}`."
        )
    else:
        raise BadRequest(
            f"No configured backend speaks {facts.protocol or 'the OpenAI protocols'}. {describe_configured(table)}"
        )
    if trace is not None:
        trace.append(Step("default", True, f"the request names no model; {route.backend.name} is the {route.why}"))
    return route
