"""Names of what is stored at Google: `files/ID`, `cachedContents/ID` and the like, each valid for one project alone.

Paths and answers have the name as it is; a request names a file by its URL, a cache by its name, and an earlier
interaction by its id.
"""

import re

import msgspec

from router.wire.raw.json.json_values import Json

#: Paths of collections whose objects have names; two of these are at OpenAI too.
COLLECTIONS = (
    (re.compile(r"(?:/upload)?/v1(?:alpha|beta)/files(?:/|$)"), "files"),
    (re.compile(r"/v1(?:alpha|beta)?/cachedContents(?:/|$)"), "cachedContents"),
    (re.compile(r"/v1(?:alpha|beta)?/interactions(?:/|$)"), "interactions"),
    (re.compile(r"/v1(?:alpha|beta)/batches(?:/|$)"), "batches"),
    (re.compile(r"/v1(?:alpha|beta)?/operations(?:/|$)"), "operations"),
    (re.compile(r"/v1(?:alpha|beta)?/tunedModels(?:/|$)"), "tunedModels"),
    (re.compile(r"(?:/upload)?/v1(?:alpha|beta)?/fileSearchStores(?:/|$)"), "fileSearchStores"),
)
_IN_PATH = re.compile(
    r"/v1(?:alpha|beta)?/((?:files|cachedContents|interactions|batches|operations|tunedModels|fileSearchStores)"
    r"/[^/:]{1,200})"
)
_WHOLE = re.compile(
    r"(?:files|cachedContents|interactions|batches|operations|tunedModels|fileSearchStores)/[!-.0-9A-~]{1,200}"
)
# What is searched for first: much faster than the expressions, and rarely found.
_NEEDLES = (b"/files/", b"ached", b"nteraction")
_FILE = re.compile(rb'"file(?:Uri|_uri)"\s{0,8}:\s{0,8}"[!#-\[\]-~]{1,300}?/(files/[a-zA-Z0-9_-]{1,64})["?]')
_CACHE = re.compile(rb'"cached(?:Content|_content)"\s{0,8}:\s{0,8}"(cachedContents/[a-zA-Z0-9_-]{1,64})"')
_EARLIER = re.compile(rb'"previous(?:InteractionId|_interaction_id)"\s{0,8}:\s{0,8}"([!#-\[\]-~]{1,200})"')


class _Stored(msgspec.Struct):
    name: object = None
    id: object = None
    file: Json | None = None
    kind: object = msgspec.field(default=None, name="object")


_decode = msgspec.json.Decoder(_Stored).decode


def find_in_path(path: str) -> list[str]:
    """The name in a canonical path, if it has one."""
    found = _IN_PATH.match(path)
    return [found[1]] if found is not None else []


def find_in_body(body: bytes) -> list[str]:
    """The names that a request holds, each once."""
    if not any(needle in body for needle in _NEEDLES):
        return []
    found = [*_FILE.findall(body), *_CACHE.findall(body)]
    found += [b"interactions/" + one for one in _EARLIER.findall(body)]
    return [one.decode("ascii") for one in dict.fromkeys(found)]


def find_issued(body: bytes | bytearray) -> list[tuple[str, str]]:
    """The names that an answer gives out, each with its collection."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found = [answer.name, (answer.file or {}).get("name")]
    if isinstance(answer.id, str) and answer.kind == "interaction":
        found.append(f"interactions/{answer.id}")
    return [(name, name.partition("/")[0]) for name in found if isinstance(name, str) and _WHOLE.fullmatch(name)]
