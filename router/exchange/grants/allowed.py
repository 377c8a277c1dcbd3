"""What the client key of a request may use: its paths, its models and backends.

A key with a list of models never reaches another one, whatever names it: an alias, a prefix, a rule, the forced model,
the chain of fallbacks, an earlier response. A call that names no model is refused where it could run one all the same.
"""

from dataclasses import replace
from typing import cast

from router.errors import BadRequest, Forbidden, RouterError
from router.exchange.context import Arrival
from router.policy.grants.grant import Grant, allows, allows_backend, allows_model, describe_models
from router.policy.routing.routes import Route
from router.settings.kinds import clean
from router.wire import calls, resource_ids
from router.wire.calls import Call
from router.wire.protocols import MESSAGES
from router.wire.raw.json.top_level import Top

# Collections whose objects run no model by themselves.
_NO_MODEL = frozenset(("responses", "conversations", "files", "uploads", "containers", "vector_stores"))
# Fields of gateways' own that name models to use in the place of `model`.
_FURTHER_MODELS = ("models", "fallbacks", "fallback_models")


def check_path(grant: Grant, call: Call, method: str) -> None:
    """Refuse a path that the key may not use. Raises Forbidden."""
    for one in grant.line:
        if (
            one.paths == "all"
            or calls.find_listed(call.path) is not None
            or (one.paths == "inference" and _is_inference(call))
        ):
            continue
        what = "the list of models alone" if one.paths == "models" else "what a model answers alone"
        change = f" Whoever runs this fairlead can change that:   fairlead keys set {one.name} --paths all"
        hint = "" if one.is_child else change
        raise Forbidden(f"The key {one.name} may use {what}, not {method} {call.path[:200]}.{hint}")


def _is_inference(call: Call) -> bool:
    collection = resource_ids.collection(call.path)
    return call.generates or call.counts or collection in ("", "responses")


def check_route(arrival: Arrival, route: Route, top: Top | None) -> None:
    """Refuse a request whose route leads where its key may not. top: the top level of its body, None where that is no
    JSON. Raises RouterError."""
    grant = arrival.grant
    if grant is None:
        return
    call = arrival.call
    if (
        arrival.request.method in ("GET", "HEAD")
        and resource_ids.collection(call.path)
        and not (call.entry.resources or resource_ids).in_path(call.path)
    ):
        raise Forbidden(
            f"The key {grant.name} may not list {call.path[:200]}: the list has what belongs to other keys."
        )
    if not grant.is_limited:
        return
    more = [name for name in _FURTHER_MODELS if top is not None and name in top] if grant.names_models else []
    if more:
        raise Forbidden(f"The key {grant.name} may use some models only, and `{more[0]}` names further ones.")
    for one in grant.line:
        if not _allows_alone(one, route):
            raise _make_refusal(arrival, one, route)
        if one.models is not None and route.model is None and not _runs_no_model(arrival):
            raise Forbidden(
                f"The key {one.name} may use some models only, and {arrival.request.method} {arrival.call.path[:200]} "
                "does not say which it will use."
            )
        if one.models is not None and top is not None:
            _check_tools(arrival, one, route, top)


def _check_tools(arrival: Arrival, grant: Grant, route: Route, top: Top) -> None:
    """Refuse a tool for which the provider uses a model that it names and the key may not. Raises RouterError."""
    tools = top.value("tools") if "tools" in top else None
    for tool in cast("list[object]", tools) if isinstance(tools, list) else ():
        model = cast("dict[str, object]", tool).get("model") if isinstance(tool, dict) else None
        if isinstance(model, str) and not allows_model(grant, route.backend.name, model):
            text = (
                f"The key {grant.name} may not use the model '{clean(model, 80)}', which a tool of the request names. "
                f"It may use {describe_models(grant)}."
            )
            raise _make_final(arrival, text)


def passes_grant(arrival: Arrival, route: Route) -> bool:
    """True when the key of the request may use a route. An alias that is allowed stands for its own target, and for no
    other that a rule or a fallback puts in its place."""
    grant = arrival.grant
    return grant is None or allows(grant, route.backend, route.model, _find_alias(route))


def _find_alias(route: Route) -> str:
    return route.alias if route.alias and route.renamed_by == f"alias {route.alias}" else ""


def _allows_alone(grant: Grant, route: Route) -> bool:
    return allows(replace(grant, parent=None), route.backend, route.model, _find_alias(route))


def _runs_no_model(arrival: Arrival) -> bool:
    call = arrival.call
    return arrival.request.method in ("GET", "HEAD", "DELETE") or resource_ids.collection(call.path) in _NO_MODEL


def _make_refusal(arrival: Arrival, grant: Grant, route: Route) -> RouterError:
    """The error for a route that is not allowed, in the class that clients of the caller's protocol take as final."""
    model = arrival.record.model or route.model or "this"
    sent = f" (it goes to {route.backend.name}:{route.model})" if route.model and route.model != model else ""
    if not allows_backend(grant, route.backend.name):
        text = f"The key {grant.name} may not use the backend {route.backend.name}, which serves the model '{model}'."
    elif route.backend.auth == "client" and not grant.auth_client:
        text = f"The key {grant.name} may not use the backend {route.backend.name}, to which the tool's own login goes."
        if not grant.is_child:
            text += f" Whoever runs this fairlead can allow it:   fairlead keys set {grant.name} --auth-client on"
    else:
        text = f"The key {grant.name} may not use the model '{model}'{sent}. It may use {describe_models(grant)}."
    return _make_final(arrival, text)


def _make_final(arrival: Arrival, text: str) -> RouterError:
    return BadRequest(text) if arrival.call.protocol == MESSAGES.name else Forbidden(text)
