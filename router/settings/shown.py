"""Settings as people read and type them."""

from dataclasses import fields
from typing import Any

from router.settings.declared import Declaration, Settings
from router.settings.kinds import Dollars

_DEFAULTS = {one.name: one.default for one in fields(Settings)}


def get_default(entry: Declaration) -> Any:
    """The value of a setting that no source sets."""
    return _DEFAULTS[entry.attribute]


def format_value(value: Any) -> str:
    """A setting's value in the form that can be typed; '' for None, `set` for a secret."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Dollars):
        return f"{value:.12g}"
    if isinstance(value, float):
        return f"{value:g}s" if value < 1e6 else f"{value:.0f}s"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)


def format_default(entry: Declaration) -> str:
    """The default as help shows it; '' for None."""
    return format_value(get_default(entry))
