"""The settings on which the proxies of a team must agree, since each goes by its own: limits of shared budgets, what
they do, and where days begin."""

from collections.abc import Mapping

from router.settings import Settings
from router.settings.kinds import clean

NOT_SET = "not set"
_LIMITS = ("day_usd", "month_usd", "day_tokens", "month_tokens")


def list_team_settings(settings: Settings) -> dict[str, str]:
    """Their values by their names. A limit for everything is told also where there is none; others only where there is
    one, since homes have backends, accounts and tags of their own."""
    found = {
        "guard.enabled": "on" if settings.guard_enabled else "off",
        "guard.behavior": settings.guard_behavior,
        "shared.timezone": settings.shared_timezone,
    }
    for name in _LIMITS:
        found[f"guard.{name}"] = _format(getattr(settings, f"guard_{name}"))
    for backend, options in settings.backends.items():
        for name in _LIMITS:
            value = getattr(options, f"budget_{name}")
            if value is not None:
                found[f"backends.{backend}.budget.{name}"] = _format(value)
    for name, limits in (
        ("guard.accounts.{}.day_usd", settings.guard_accounts_day_usd),
        ("guard.accounts.{}.month_usd", settings.guard_accounts_month_usd),
        ("guard.tags.{}.day_usd", settings.guard_tags_day_usd),
        ("guard.tags.{}.month_usd", settings.guard_tags_month_usd),
    ):
        found |= {name.format(key): _format(value) for key, value in limits.items()}
    return found


def _format(value: float | None) -> str:
    return NOT_SET if value is None else f"{value:.15g}"


def find_differences(own: Mapping[str, str], others: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What differs between this home and others, each with its fix. others: by the name of their machine."""
    found: list[str] = []
    for name, value in own.items():
        theirs: dict[str, list[str]] = {}
        for host, values in others.items():
            if values.get(name, value) != value:
                theirs.setdefault(values[name], []).append(host)
        if theirs:
            there = ", ".join(
                f"{clean(other)} at {clean(' and '.join(sorted(hosts)))}" for other, hosts in theirs.items()
            )
            found.append(
                f"{clean(name)} is {clean(value)} here and {there}; in a team each proxy goes by its own. Set them "
                f"alike:   fairlead config set {clean(name)} VALUE"
            )
    return found
