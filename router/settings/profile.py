"""How a user says a habit of a Chat upstream otherwise for a backend."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from router.backends.profile import Profile
from router.settings.fields import JSON, Map
from router.settings.kinds import SWITCH, Frozen, InvalidValue

#: What a user can say otherwise. Expressions on models choose among the others, which then hold for every model.
_EXPRESSIONS = ("thinkers", "fixed", "cachers", "stricters", "searchers", "tool_searchers")
FLAGS = tuple(name for name in Profile.__struct_fields__ if name not in _EXPRESSIONS)
_EXPECTED = "a table of flags and their values"


def _check_flag(text: str) -> str:
    if text not in FLAGS:
        raise InvalidValue(f"it is not a known flag; expected one of {', '.join(FLAGS)}")
    return text


def override(profile: Profile, flags: Mapping[str, Any]) -> Profile:
    """The profile with the user's values of some flags, which were checked when they were read."""
    return msgspec.structs.replace(profile, **flags) if flags else profile


class _Flags(Map, frozen=True):
    """A table of flags, each with a value of its own type."""

    def parse_value(self, value: object) -> Frozen[Any]:
        """The flags as a profile holds them. Raises InvalidValue."""
        return Frozen({name: _convert_flag(name, one) for name, one in super().parse_value(value).items()})


def _convert_flag(name: str, value: object) -> Any:
    if get_type_hints(Profile)[name] is bool:
        # As other switches are written.
        value = {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value
    try:
        return getattr(msgspec.convert({name: value}, Profile), name)
    except msgspec.ValidationError:
        raise InvalidValue(_describe_type(get_type_hints(Profile)[name]), below=(name,)) from None


def _describe_type(hint: Any) -> str:
    """The values that a flag of that type takes, for an error."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint)).replace("'", '"')
    return {bool: SWITCH.expected, int: "a whole number", str: "a text"}.get(hint, "a list of texts")


def _reject_text(_: str) -> Any:
    raise ValueError


PROFILE = _Flags(_EXPECTED, "table", _reject_text, _check_flag, JSON, folds=False)
