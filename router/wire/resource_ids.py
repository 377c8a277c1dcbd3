"""Finds ids that are valid at one backend only: those that an answer issues, and those that a request names.

Ids of Messages and Chat answers are never named again. No whole body is decoded: an id at the top level is read in its
place, one deeper inside (an attached file) is searched for as bytes. A JSON key in quotes cannot occur inside a JSON
string, where its quotes would be escaped.
"""

import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import unquote

import msgspec

from router.wire import protocols
from router.wire.calls import Call
from router.wire.raw.json.top_level import Top

ID_LIMIT = 256
#: Ids of one request that are looked at: to find who issued them, and to check that all are the caller's own.
NAMED_LIMIT, CHECKED_LIMIT = 8, 1000
#: Bytes; answers above are files and lists, not objects with an id.
ANSWER_LIMIT = 65_536

# First segments of paths below /v1 whose objects have ids, and the words that stand in the place of an id.
_COLLECTION = re.compile(
    "assistants|batches|containers|conversations|evals|files|fine_tuning|responses|skills|threads|uploads"
    "|vector_stores|videos"
)
_WORD = re.compile(
    "alpha|batches|cancel|checkpoints|compact|complete|completions|content|count_tokens|events|file_batches|files"
    "|graders|input_items|input_tokens|items|jobs|messages|output_items|parts|pause|permissions|remix|results|resume"
    "|runs|search|steps|submit_tool_outputs|versions"
)
_SEGMENTS = 6

# Top-level keys of a request that hold ids issued before, in the order of their precedence.
_TOP = ("previous_response_id", "conversation", "input_file_id", "training_file", "container", "file_id", "file_ids")
_ATTACHED = re.compile(
    rb'"(?:(?:input_)?file_id|container|container_id)"\s{0,64}+:\s{0,64}+"([!#-\[\]-~]{1,256}+)"'
    rb'|"(?:file_ids|vector_store_ids)"\s{0,64}+:\s{0,64}+\[([^\[\]\\]{2,2048}+)\]'
)
# Bytes that are searched at a time, as the interpreter's lock is held meanwhile; and of the longest match, at least.
_WINDOW, _LONGEST = 64 << 10, 4096
# A character of ASCII that is written as an escape, which no encoder does with those of ids and of their keys.
_ESCAPED = re.compile(rb"\\u00(2[013-9a-fA-F]|[346][0-9a-fA-F]|5[0-9abd-fABD-F]|7[0-9a-eA-E])")
# Searched for first: four times as fast as the expression, and rarely found.
_NEEDLES = (b"file_id", b'"vector_store_ids"', b'"container')
_QUOTED = re.compile(rb'"([!#-\[\]-~]{1,256})"')
# OpenAI and compatible servers write the id of an answer first.
_FIRST = re.compile(rb'\s*\{\s*"id"\s*:\s*"([!#-\[\]-~]{1,256})"')


class _IssuedIds(msgspec.Struct):
    id: object = None
    output_file_id: object = None
    error_file_id: object = None
    file: object = None


_decoder = msgspec.json.Decoder(_IssuedIds)


def collection(path: str) -> str:
    """The collection of objects that a canonical path creates or names: its first segment, or a protocol's own
    collection below its paths; "" when objects of the path have no ids."""
    for pattern, name in _list_collections():
        if pattern.match(path):
            return name
    first = path.split("/", 3)[2]
    return first if _COLLECTION.fullmatch(first) else ""


@protocols.derived
def _list_collections() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(one for entry in protocols.BY_NAME.values() for one in entry.collections)


def in_path(path: str) -> list[str]:
    """The ids in a canonical path, percent-decoded."""
    if not collection(path):
        return []
    found = [unquote(part) for part in path.split("/")[3:_SEGMENTS] if not _WORD.fullmatch(part)]
    return [name for name in found if _is_id(name)]


def in_top(top: Top, limit: int = NAMED_LIMIT) -> list[str]:
    """The ids that a request names at its top level, at most so many."""
    return [name for key in _TOP if key in top for name in _read_ids(top.value(key), limit) if _is_id(name)][:limit]


def in_depth(body: bytes, limit: int = NAMED_LIMIT) -> list[str]:
    """The ids of files, containers and vector stores anywhere in a JSON body, at most so many."""
    found: list[str] = []
    if not any(needle in body for needle in _NEEDLES):
        return found
    for start in range(0, len(body), _WINDOW):
        for match in _ATTACHED.finditer(body, start, start + _WINDOW + _LONGEST):
            if match.start() >= start + _WINDOW:
                break  # the next window finds it too
            names = [match[1]] if match[1] is not None else _QUOTED.findall(match[2])
            found += [name.decode("ascii") for name in names]
            if len(found) >= limit:
                return found[:limit]
    return found


def in_escaped_depth(body: bytes, limit: int = NAMED_LIMIT) -> list[str]:
    """As in_depth, also of those whose characters are written as escapes, as somebody does who wants them unseen.
    Quotes and backslashes stay escapes: a text never becomes a key."""
    if _ESCAPED.search(body):
        body = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), body)
    return in_depth(body, limit)


def names_ids(call: Call) -> bool:
    """True for a call whose body may name ids at its top level."""
    return call.entry.issues is not None or not call.generates


def issues(call: Call, method: str, top: Top | None) -> bool:
    """True when the answer to a call may issue an id that a later request can name."""
    if method == "POST":
        if call.generates:
            return call.entry.issues is not None and call.entry.issues(top)
        return bool(collection(call.path))
    # A finished batch names the files that hold its results.
    return method == "GET" and collection(call.path) == "batches" and not call.path.endswith("/results")


def issued(body: bytes | bytearray) -> list[tuple[str, str]]:
    """The ids a plain answer issues, each with its collection: "" for the collection of the call's path."""
    try:
        answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found = [(answer.id, ""), (answer.output_file_id, "files"), (answer.error_file_id, "files")]
    # The answer to the completion of an upload names the file.
    found += [(name, "files") for name in _read_ids(answer.file)]
    return [(name, kind) for name, kind in found if isinstance(name, str) and _is_id(name)]


def issued_first(beginning: bytes | bytearray) -> list[tuple[str, str]]:
    """The id at the beginning of a JSON answer."""
    match = _FIRST.match(beginning)
    return [(match[1].decode("ascii"), "")] if match else []


def _is_id(name: str) -> bool:
    return 0 < len(name) <= ID_LIMIT and name.isascii() and name.isprintable() and " " not in name


def _read_ids(value: object, limit: int = NAMED_LIMIT) -> Iterator[str]:
    """The ids in a value that is an id, an object with an id, or a list of ids."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _read_ids(cast("dict[str, object]", value).get("id"), limit)
    elif isinstance(value, list):
        yield from (entry for entry in cast("list[object]", value)[:limit] if isinstance(entry, str))
