"""Shapes what of the configuration decided about a request: rules and edits, without the user's names and values."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from router.policy.routing.clients import NAMES
from router.repro.shape import Shaper
from router.store.captures.format import ConfiguredEdits, RuleExcerpt

# Conditions whose values tell nothing of a user beside numbers and switches.
_CHOICES = ("protocol", "class", "server_tool")

Rename = Callable[[str], str]


def shape_rule(rule: RuleExcerpt, shaper: Shaper, backend: Rename, model: Rename) -> RuleExcerpt:
    """The rule with numbers in place of names. backend, model: give the name that stands for one."""

    def shape_hop(hop: str) -> str:
        name, mark, sent = hop.partition(":")
        return backend(name) + mark + (model(sent) if sent else "")

    return RuleExcerpt(
        name="rule-1",
        when={key: _shape_condition(key, value, shaper, model) for key, value in rule.when.items()},
        backend=backend(rule.backend) if rule.backend else "",
        model=model(rule.model) if rule.model else "",
        fallback=[shape_hop(hop) for hop in rule.fallback],
    )


def _shape_condition(key: str, value: Any, shaper: Shaper, model: Rename) -> Any:
    if not isinstance(value, str) or key in _CHOICES:
        return value
    if key == "client" and value in NAMES:
        return value
    # A glob says by its stars how it fits.
    return model(value) if key == "model" else shaper.names.rename(value)


def shape_edits(edits: ConfiguredEdits, shaper: Shaper, is_known_header: Callable[[str], bool]) -> ConfiguredEdits:
    """The edits with the paths that the shaped body has, and filler for values. Raises TooDeep."""

    def shape_header(name: str) -> str:
        return name if is_known_header(name.lower()) else shaper.names.rename(name)

    fields: Mapping[str, Any] = dict(shape_field(path, value, shaper) for path, value in edits.set_fields.items())
    return msgspec.structs.replace(
        edits,
        set_headers=[*map(shape_header, edits.set_headers)],
        remove_headers=[*map(shape_header, edits.remove_headers)],
        set_fields=dict(fields),
        remove_fields=[shape_field(path, None, shaper)[0] for path in edits.remove_fields],
    )


def shape_field(path: str, value: Any, shaper: Shaper) -> tuple[str, Any]:
    """A body field by its dotted path, and its value, both as in a shaped body. Raises TooDeep."""
    for name in reversed(path.split(".")):
        value = {name: value}
    found, names = shaper.shape_value(value), list[str]()
    for _ in path.split("."):
        [(name, found)] = cast("dict[str, Any]", found).items()
        names.append(name)
    return ".".join(names), found
