"""Whether a request may be given the answer that an equal one got before; else the reason, in words.

Kept are embeddings, counts of tokens, and text at temperature 0. What has an effect at the provider, or hangs on what
lies there or elsewhere, is never kept: a repeat of it is another request.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from router.wire.kept_answers.rules import KeptAnswers
from router.wire.protocols import BY_NAME, derived

#: What a request asks for, as far as a cache of answers knows it: text in the protocol of this name, or one of these.
Kind = str
EMBEDDED, COUNTED = "embeddings", "count"
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
_REFERENCES = ("file_id", "file_url", "vector_store_ids", "container_id", "fileUri", "file_uri")
_REFERENCE = "it names a file or an address, behind which there may be something else the next time"
_ENCRYPTED = "reasoning.encrypted_content"


def find_obstacle(kind: Kind, body: Json, *, tools: bool) -> str:
    """Why the answer to a request is not kept, in words that begin with `it`; '' when it may be. body: read exactly.
    tools: requests that declare tools may be kept too."""
    if kind == EMBEDDED:
        return _REFERENCE if _refers_outside(body) else ""
    rules = BY_NAME[kind].kept if kind in BY_NAME else None
    for name, why in {**_NEVER, **(rules.never if rules is not None else {})}.items():
        if body.get(name) not in (None, False):
            return why
    if any(_refers_outside(body.get(field)) for field in _list_conversations()):
        return _REFERENCE
    if kind == COUNTED:
        return ""
    if rules is None:
        return "it is of a kind whose answers never are"
    if any("encrypted_content" in one for one in _walk(body.get("input"))) or _ENCRYPTED in _list(body.get("include")):
        return "it has reasoning that one account alone can read (encrypted_content)"
    return _find_store(rules, body) or _find_variance(rules, body) or _find_tools(rules, body, tools=tools)


@derived
def _list_conversations() -> tuple[str, ...]:
    """The fields of all protocols in which a request may refer to what is not in it."""
    found = (field for entry in BY_NAME.values() if entry.kept is not None for field in entry.kept.conversation)
    return tuple(dict.fromkeys(found))


def _find_store(rules: KeptAnswers, body: Json) -> str:
    stores = body.get("store")
    if rules.stores and stores is not False:
        return "its answer is stored at the provider, since it does not say store: false"
    return "its answer is stored at the provider (store)" if stores not in (None, False) else ""


def _find_variance(rules: KeptAnswers, body: Json) -> str:
    """Why two equal requests may get different answers."""
    stated = [one for one in rules.find_temperatures(body) if one is not None]
    if not stated:
        return "it does not state temperature 0"
    if any(isinstance(one, bool) or not isinstance(one, int | Decimal) or one != 0 for one in stated):
        return "its temperature is not 0"
    if any(one not in (None, 1) for one in rules.find_choices(body)):
        return "it asks for several answers"
    return ""


def _find_tools(rules: KeptAnswers, body: Json, *, tools: bool) -> str:
    declared = rules.find_tools(body)
    if declared.hosted:
        return "it declares a tool that the provider runs"
    if declared.any and not tools:
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
