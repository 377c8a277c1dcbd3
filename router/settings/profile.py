"""How a user says a habit of a Chat upstream otherwise for a backend."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from router.backends.profile import Profile
from router.settings.fields import JSON, Map
from router.settings.kinds import Frozen, Wrong

#: What a user can say otherwise. Expressions on models choose among the others, which then hold for every model.
FLAGS = tuple(name for name in Profile.__struct_fields__ if name not in ("thinkers", "fixed", "cachers"))
_EXPECTED = "a table of flags and their values"


def _flag(text: str) -> str:
    if text not in FLAGS:
        raise Wrong(f"it is no flag; there are {', '.join(FLAGS)}")
    return text


def overridden(profile: Profile, flags: Mapping[str, Any]) -> Profile:
    """The profile with some flags as the user has them; the flags were checked when they were read."""
    return msgspec.structs.replace(profile, **flags) if flags else profile


class _Flags(Map, frozen=True):
    """A table of flags, each with a value of its own type."""

    def value(self, value: object) -> Frozen[Any]:
        """The flags as a profile holds them. Raises Wrong."""
        return Frozen({name: _typed(name, one) for name, one in super().value(value).items()})


def _typed(name: str, value: object) -> Any:
    try:
        return getattr(msgspec.convert({name: value}, Profile), name)
    except msgspec.ValidationError:
        raise Wrong(_expected(get_type_hints(Profile)[name]), below=(name,)) from None


def _expected(hint: Any) -> str:
    """What a flag of that type takes, in words."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint)).replace("'", '"')
    return {bool: "true or false", int: "a whole number", str: "a text"}.get(hint, "a list of texts")


def _no_text(_: str) -> Any:
    raise ValueError


PROFILE = _Flags(_EXPECTED, "table", _no_text, _flag, JSON, folds=False)
