"""What of the configuration decided about a request, for its capture."""

from typing import Any

import msgspec

from router.backends.profile import Profile
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.settings import Settings
from router.store.captures.format import Decision

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
        translation="" if plan is None else plan.title,
        profile=_list_differences(profile),
        efforts=None if efforts is None else list(efforts),
        settings=_list_settings(arrival.snapshot.settings),
    )


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
