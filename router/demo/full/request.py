"""A request to demo-full, in the terms that all protocols share, and what they check alike."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from router.backends.profile import EFFORTS
from router.demo.body import Json, Object, as_object, as_text, objects
from router.demo.full.media import describe_data, describe_url
from router.demo.reply import Tool
from router.errors import BadRequest

_CHOICES = 8
_ALTERNATIVES = 20


@dataclass(slots=True)
class Turn:
    """One turn. Results of tools are a turn of the role `tool`."""

    role: str
    text: str = ""
    #: What its images, files and audio show.
    seen: list[str] = field(default_factory=list[str])
    #: Ids of the calls that it makes.
    calls: list[str] = field(default_factory=list[str])
    #: Ids of the calls that it has the results of.
    results: list[str] = field(default_factory=list[str])


class Block(NamedTuple):
    """A piece of the prompt, for the cache."""

    content: Json
    #: The request asks to cache the prompt up to here.
    marked: bool = False


@dataclass(slots=True, kw_only=True)
class Request:
    """A request."""

    protocol: str
    turns: list[Turn]
    #: The prompt in its order.
    blocks: list[Block]
    #: Prompts are cached only where that is asked for.
    marks_only: bool = False
    tools: list[Tool] = field(default_factory=list[Tool])
    choice: Json = None
    #: It may call several tools at once.
    parallel: bool = True
    thinks: bool = False
    #: The first of its calls must come back with a signature.
    signs_calls: bool = False
    #: Tokens of the answer.
    limit: int | None = None
    stops: list[str] = field(default_factory=list[str])
    #: JSON schema of the required answer, None for prose.
    format: Object | None = None
    copies: int = 1
    #: Alternatives to tell for each word, None for no probabilities.
    logprobs: int | None = None
    #: The web search of the provider is offered.
    searches: bool = False
    #: It asks to compact the conversation.
    compacts: bool = False


def require_objects(turns: list[Object], field: str) -> list[Object]:
    """The turns or items of a field. Raises BadRequest where none of them is an object."""
    if not turns:
        raise BadRequest(f"{field}: an object is required.")
    return turns


def read_content(turn: Turn, content: Json) -> None:
    """Add a string or parts of any protocol to a turn. Raises BadRequest."""
    if isinstance(content, str):
        _add_text(turn, content)
        return
    for part in objects(content):
        kind = as_text(part.get("type"))
        if kind in ("text", "input_text", "output_text"):
            _add_text(turn, as_text(part.get("text")))
        elif kind in ("image", "document"):
            _add_source(turn, as_object(part.get("source")), kind)
        elif kind in ("image_url", "input_image"):
            value = part.get("image_url")
            turn.seen.append(describe_url(as_text(value) or as_text(as_object(value).get("url")), "image"))
        elif kind in ("file", "input_file"):
            file = as_object(part.get("file")) or part
            address = as_text(file.get("file_data")) or as_text(file.get("file_url"))
            turn.seen.append(describe_url(address, "attached file"))
        elif kind == "input_audio":
            turn.seen.append(describe_data(as_text(as_object(part.get("input_audio")).get("data")), "audio"))


def _add_text(turn: Turn, text: str) -> None:
    turn.text = f"{turn.text}\n{text}" if turn.text and text else turn.text or text


def _add_source(turn: Turn, source: Object, kind: str) -> None:
    if source.get("type") == "url":
        turn.seen.append(describe_url(as_text(source.get("url")), kind))
    elif source.get("type") == "text":
        _add_text(turn, as_text(source.get("data")))
    else:
        turn.seen.append(describe_data(as_text(source.get("data")), kind))


def check_results(turns: Iterable[Turn]) -> None:
    """Raises BadRequest for a tool's result without the call that it belongs to."""
    called: set[str] = set()
    for turn in turns:
        for name in turn.results:
            if name not in called:
                raise BadRequest(f"The tool result '{name[:100]}' belongs to no call before it.")
        called.update(turn.calls)


def check_choice(tools: Iterable[Tool], choice: Json) -> None:
    """Raises BadRequest for a tool_choice that names a tool which is not offered."""
    named = as_object(choice)
    name = named.get("name") or as_object(named.get(as_text(named.get("type")))).get("name")
    if name is not None and name != "web_search" and name not in {tool.name for tool in tools}:
        raise BadRequest("tool_choice: it names a tool that the request does not have.")


def read_number(body: Object, name: str, low: int, high: int) -> int | None:
    """A whole number of a field, None where it is absent. Raises BadRequest."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"{name}: must be a whole number from {low} to {high}.")
    return value


def read_copies(body: Object) -> int:
    """The number of choices. Raises BadRequest."""
    return read_number(body, "n", 1, _CHOICES) or 1


def read_logprobs(body: Object) -> int | None:
    """The number of alternatives to tell for each word, None for no probabilities. Raises BadRequest."""
    count = read_number(body, "top_logprobs", 0, _ALTERNATIVES)
    return (count or 0) if body.get("logprobs") is True else None


def read_effort(value: Json, allowed: tuple[str, ...] = EFFORTS) -> bool:
    """True when an effort asks to think. Raises BadRequest for one that does not exist."""
    if value is None:
        return False
    if value not in allowed:
        raise BadRequest(f"effort: must be one of {', '.join(allowed)}.")
    return value != "none"


def read_stops(value: Json) -> list[str]:
    """The stop sequences in a string or list. Raises BadRequest."""
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise BadRequest("Stop sequences must be a list of texts that are not empty.")
    return [one for one in found if isinstance(one, str)]


def check_temperature(body: Object, high: int) -> None:
    """Raises BadRequest for a temperature out of bounds."""
    value = body.get("temperature")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high):
        raise BadRequest(f"temperature: must be a number from 0 to {high}.")


def encode_block(content: Json) -> bytes:
    """A block's bytes, without its cache mark: one that moves changes no prompt."""
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name != "cache_control"}
    return msgspec.json.encode(content)
