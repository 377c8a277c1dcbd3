"""What of the configuration decided about a request, for its capture."""

from typing import Any, Literal

import msgspec

from router.backends.profile import Profile
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.settings import Settings
from router.settings.tables import Condition, Edits, list_entries
from router.store.captures.format import BackendExcerpt, ConfiguredEdits, Decision, RuleExcerpt

_USUAL = Profile()


def describe_decision(arrival: Arrival, attempt: Attempt | None) -> Decision | None:
    """The decision about a request; None for one that was refused before it was routed. attempt: the last one."""
    if attempt is None:
        return None
    backend, plan = attempt.route.backend, attempt.plan
    profile = attempt.target.profile if plan is None else plan.ctx.profile
    efforts = None if plan is None else plan.ctx.efforts
    return Decision(
        backend=backend.name,
        vendor=backend.vendor,
        protocols=list(backend.protocols),
        account=attempt.target.account,
        route=attempt.route.why,
        chosen=arrival.record.chosen,
        rule=_describe_rule(attempt.route.rule, arrival.snapshot.settings),
        edits=[*_describe_edits(attempt.target.edits, "backend"), *_describe_edits(attempt.route.edits, "rule")],
        earlier=_describe_earlier(arrival, backend.name),
        translation="" if plan is None else plan.title,
        profile=_list_differences(profile),
        efforts=None if efforts is None else list(efforts),
        settings=_list_settings(arrival.snapshot.settings),
    )


def _describe_earlier(arrival: Arrival, last: str) -> list[BackendExcerpt]:
    names = dict.fromkeys(one.backend for one in arrival.record.tries if one.backend != last)
    found = [target for name in names if (target := arrival.snapshot.targets.get(name)) is not None]
    return [
        BackendExcerpt(
            backend=target.backend.name,
            vendor=target.backend.vendor,
            protocols=list(target.backend.protocols),
            profile=_list_differences(target.profile),
        )
        for target in found
    ]


def _describe_rule(name: str, settings: Settings) -> RuleExcerpt | None:
    """The rule of this name, as far as it chooses; its edits stand beside it. Of a built-in one the name alone."""
    if not name:
        return None
    rule = next((rule for rule in settings.routes if rule.name == name), None)
    if rule is None:
        return RuleExcerpt(name=name)
    usual = Condition()
    given = {entry.key: getattr(rule.when, entry.attribute) for entry in list_entries(Condition)}
    unset = {entry.key: getattr(usual, entry.attribute) for entry in list_entries(Condition)}
    when = {key: value for key, value in given.items() if value != unset[key]}
    return RuleExcerpt(name=name, when=when, backend=rule.backend, model=rule.model, fallback=list(rule.fallback))


def _describe_edits(edits: Edits | None, by: Literal["backend", "rule"]) -> list[ConfiguredEdits]:
    if edits is None:
        return []
    return [
        ConfiguredEdits(
            by=by,
            set_headers=list(edits.set_headers),
            remove_headers=list(edits.remove_headers),
            set_fields=dict(edits.set_fields),
            remove_fields=list(edits.remove_fields),
            effort=edits.effort or "",
            max_tokens=edits.max_tokens,
        )
    ]


def _list_differences(profile: Profile) -> dict[str, Any]:
    """The flags of a profile that are not as usual, as JSON holds them."""
    found: dict[str, Any] = {}
    for name in Profile.__struct_fields__:
        value = getattr(profile, name)
        if value != getattr(_USUAL, name):
            found[name] = _to_json(value)
    return found


def _to_json(value: Any) -> Any:
    """A value as JSON holds it, the same each time."""
    found = msgspec.to_builtins(value)
    return sorted(found) if isinstance(value, frozenset) else found


def _list_settings(settings: Settings) -> dict[str, Any]:
    return {
        "loss": settings.loss,
        "losses": dict(settings.losses),
        "auto_cache": settings.auto_cache,
        "echo_model": settings.echo_model,
        "usage_probe": settings.usage_probe,
        "ask_identity": settings.ask_identity,
        "strip_attribution": settings.strip_attribution,
    }
