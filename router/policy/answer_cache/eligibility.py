"""Whether a request may be given the answer that an equal one got before; else the reason, in words.

Kept are embeddings, counts of tokens, and text at temperature 0. What has an effect at the provider, or hangs on what
lies there or elsewhere, is never kept: a repeat of it is another request.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, cast

#: What a request asks for, as far as a cache of answers knows it.
Kind = Literal["messages", "chat", "responses", "embeddings", "count"]
Json = Mapping[str, Any]

# A request with one of these names something that lies at the provider, or leaves something there.
_NEVER = {
    "previous_response_id": "it goes on from a stored answer (previous_response_id)",
    "conversation": "it goes on in a stored conversation",
    "prompt": "it names a stored prompt",
    "background": "it is answered in the background",
    "container": "it names a container",
    "mcp_servers": "it has the provider ask other servers (mcp_servers)",
    "web_search_options": "it has the provider search the web",
    "search_parameters": "it has the provider search the web",
    "enable_search": "it has the provider search the web",
    "plugins": "it has the provider run plugins",
    "audio": "its answer is audio, which is kept at the provider for a while",
}
# Names of members that refer to something outside the request, within a conversation.
_REFERENCES = ("file_id", "file_url", "vector_store_ids", "container_id")
_REFERENCE = "it names a file or an address, behind which there may be something else the next time"
_ENCRYPTED = "reasoning.encrypted_content"
_TOOL_KINDS = ("function", "custom")


def find_obstacle(kind: Kind, body: Json, *, tools: bool) -> str:
    """Why the answer to a request is not kept, in words that begin with `it`; '' when it may be. body: read exactly.
    tools: requests that declare tools may be kept too."""
    if kind == "embeddings":
        return ""
    for name, why in _NEVER.items():
        if body.get(name) not in (None, False):
            return why
    if any(_refers_outside(body.get(field)) for field in ("messages", "input", "system")):
        return _REFERENCE
    if kind == "count":
        return ""
    if any("encrypted_content" in one for one in _walk(body.get("input"))) or _ENCRYPTED in _list(body.get("include")):
        return "it has reasoning that one account alone can read (encrypted_content)"
    return _find_store(kind, body) or _find_variance(body) or _find_tools(kind, body, tools=tools)


def _find_store(kind: Kind, body: Json) -> str:
    stores = body.get("store")
    if kind == "responses" and stores is not False:
        return "its answer is stored at the provider, since it does not say store: false"
    return "its answer is stored at the provider (store)" if stores not in (None, False) else ""


def _find_variance(body: Json) -> str:
    """Why two equal requests may get different answers."""
    temperature = body.get("temperature")
    if temperature is None:
        return "it does not state temperature 0"
    if isinstance(temperature, bool) or not isinstance(temperature, int | Decimal) or temperature != 0:
        return "its temperature is not 0"
    if body.get("n") not in (None, 1):
        return "it asks for several answers (n)"
    return ""


def _find_tools(kind: Kind, body: Json, *, tools: bool) -> str:
    declared = [*_list_objects(body.get("tools")), *_list_objects(body.get("functions"))]
    for one in declared:
        # A tool of Messages that the client runs itself has no type, or `custom`.
        said = one.get("type", "custom" if kind == "messages" or "parameters" in one else None)
        if said not in _TOOL_KINDS or (kind == "messages" and said != "custom"):
            return "it declares a tool that the provider runs"
    if declared and not tools:
        return "it declares tools (cache.tools is off): a call that is given again is carried out again"
    return ""


def _refers_outside(value: object) -> bool:
    """True where a conversation refers to something that is not in it."""
    return any(_is_reference(one) for one in _walk(value))


def _is_reference(one: Json) -> bool:
    if any(name in one for name in _REFERENCES) or one.get("type") in ("item_reference", "container_upload"):
        return True
    source = one.get("source")
    if isinstance(source, dict) and cast("Json", source).get("type") in ("url", "file"):
        return True
    image: object = one.get("image_url")
    address = cast("Json", image).get("url") if isinstance(image, dict) else image
    return isinstance(address, str) and not address.startswith("data:")


def _walk(value: object) -> Iterator[Json]:
    """All objects in a value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield cast("Json", one)
            waiting += cast("Json", one).values()
        elif isinstance(one, list):
            waiting += cast("list[object]", one)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _list_objects(value: object) -> Iterable[Json]:
    """The objects of a list, where None stands for an empty one; what is anything else is an object of no kind."""
    found = [] if value is None else cast("list[object]", value) if isinstance(value, list) else [value]
    return [cast("Json", one) if isinstance(one, dict) else {"type": None} for one in found]
