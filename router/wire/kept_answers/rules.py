"""What tells, in one protocol, whether an equal request may be given an answer again, and whether that is whole."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

#: A body that was read exactly, or an answer.
Json = Mapping[str, Any]


class DeclaredTools(NamedTuple):
    """The tools of a request, as far as it matters who runs them."""

    #: It declares some.
    any: bool
    #: The provider runs one of them.
    hosted: bool


class KeptAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one protocol."""

    #: Fields in which a request may refer to what is not in it.
    conversation: tuple[str, ...]
    #: Fields beside those of all protocols that keep a request from being answered again, with the reason.
    never: Mapping[str, str] = {}
    #: The temperatures that a request states, and the numbers of answers that it asks for, in any spelling.
    find_temperatures: Callable[[Json], list[object]] = lambda body: [body.get("temperature")]
    find_choices: Callable[[Json], list[object]] = lambda body: [body.get("n")]
    find_tools: Callable[[Json], DeclaredTools]
    #: Its answers are stored at the provider unless a request says store: false.
    stores: bool = False
    #: Its answers repeat fields of the request that do not change them.
    repeats: bool = False
    #: True for a canonical path that asks for embeddings, and the fields that hold them in the answers.
    embeds: Callable[[str], bool] = lambda path: False
    embedded: tuple[str, ...] = ()
    #: True for an answer, and for the events of a stream without pings, that says that it came to its own end.
    is_whole: Callable[[Json], bool]
    is_stream_whole: Callable[[Sequence[Json]], bool]


def as_object(value: object) -> Json:
    """The object, {} for anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def list_objects(value: object) -> list[Json]:
    """The entries of a list, {} for each that is no object; [] for what is no list."""
    return [as_object(one) for one in cast("list[object]", value)] if isinstance(value, list) else []


def list_declared(value: object) -> list[Json]:
    """The tools of a list, where None stands for an empty one; what is anything else is a tool of no kind."""
    found = [] if value is None else cast("list[object]", value) if isinstance(value, list) else [value]
    return [cast("Json", one) if isinstance(one, dict) else {"type": None} for one in found]
