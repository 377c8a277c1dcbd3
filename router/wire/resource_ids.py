"""Ids that mean something at one backend only: which an answer issues, and which a request names.

Messages and Chat answers issue none that is ever used again. Nothing here decodes a whole body: an id is read where it
stands at the top level, and one that stands deep inside (an attached file) is searched for as bytes. A JSON key in
quotes cannot occur inside a JSON string, where its quotes would be escaped.
"""

import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import unquote

import msgspec

from router.wire import protocols
from router.wire.calls import Call
from router.wire.raw.top_level import Top

ID_LIMIT = 256
NAMED_LIMIT = 8
#: Answers over this are files and lists, not objects.
ANSWER_LIMIT = 65_536

# What stands first in a path below /v1 and can be created, and the words that stand where ids do.
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

# Top-level keys of a request that name what was issued before, in the order they are asked for.
_TOP = ("previous_response_id", "conversation", "input_file_id", "training_file", "container", "file_id", "file_ids")
_ATTACHED = re.compile(
    rb'"(?:(?:input_)?file_id|container|container_id)"\s*:\s*"([!#-\[\]-~]{1,256})"'
    rb'|"(?:file_ids|vector_store_ids)"\s*:\s*\[([^\]\\]{2,2048})\]'
)
# Four times as fast as the expression, and seldom there.
_NEEDLES = (b"file_id", b'"vector_store_ids"', b'"container')
_QUOTED = re.compile(rb'"([!#-\[\]-~]{1,256})"')
# As OpenAI and those who follow it write an answer: its id first.
_FIRST = re.compile(rb'\s*\{\s*"id"\s*:\s*"([!#-\[\]-~]{1,256})"')


class _Issued(msgspec.Struct):
    id: object = None
    output_file_id: object = None
    error_file_id: object = None
    file: object = None


_issued = msgspec.json.Decoder(_Issued)


def collection(path: str) -> str:
    """What a canonical path creates or names: its first segment, or what a protocol keeps below its own; "" when
    nothing there has an id."""
    for pattern, name in _kept_below():
        if pattern.match(path):
            return name
    first = path.split("/", 3)[2]
    return first if _COLLECTION.fullmatch(first) else ""


@protocols.derived
def _kept_below() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(one for entry in protocols.BY_NAME.values() for one in entry.collections)


def in_path(path: str) -> list[str]:
    """The ids in a canonical path, percent-decoded."""
    if not collection(path):
        return []
    found = [unquote(part) for part in path.split("/")[3:_SEGMENTS] if not _WORD.fullmatch(part)]
    return [name for name in found if _is_id(name)]


def in_top(top: Top) -> list[str]:
    """The ids that keys of a request's top level name."""
    return [name for key in _TOP if key in top for name in _texts(top.value(key)) if _is_id(name)][:NAMED_LIMIT]


def in_depth(body: bytes) -> list[str]:
    """The ids of files, containers and vector stores anywhere in a JSON body."""
    found: list[str] = []
    if not any(needle in body for needle in _NEEDLES):
        return found
    for match in _ATTACHED.finditer(body):
        names = [match[1]] if match[1] is not None else _QUOTED.findall(match[2])
        found += [name.decode("ascii") for name in names]
        if len(found) >= NAMED_LIMIT:
            break
    return found[:NAMED_LIMIT]


def names_ids(call: Call) -> bool:
    """True for a call whose body may name ids at its top level."""
    return call.entry.issues is not None or not call.generates


def issues(call: Call, method: str, top: Top | None) -> bool:
    """True when the answer to a call may issue an id that is worth remembering."""
    if method == "POST":
        if call.generates:
            return call.entry.issues is not None and call.entry.issues(top)
        return bool(collection(call.path))
    # A batch names the files with its results once it is done.
    return method == "GET" and collection(call.path) == "batches" and not call.path.endswith("/results")


def issued(body: bytes | bytearray) -> list[tuple[str, str]]:
    """The ids a plain answer issues, each with the collection it is of: "" for that of the call's path."""
    try:
        answer = _issued.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found = [(answer.id, ""), (answer.output_file_id, "files"), (answer.error_file_id, "files")]
    # A completed upload has become a file.
    found += [(name, "files") for name in _texts(answer.file)]
    return [(name, kind) for name, kind in found if isinstance(name, str) and _is_id(name)]


def issued_first(beginning: bytes | bytearray) -> list[tuple[str, str]]:
    """The id at the very beginning of a JSON answer."""
    match = _FIRST.match(beginning)
    return [(match[1].decode("ascii"), "")] if match else []


def _is_id(name: str) -> bool:
    return 0 < len(name) <= ID_LIMIT and name.isascii() and name.isprintable() and " " not in name


def _texts(value: object) -> Iterator[str]:
    """An id, an object with an id, or a list of ids."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(cast("dict[str, object]", value).get("id"))
    elif isinstance(value, list):
        yield from (entry for entry in cast("list[object]", value)[:NAMED_LIMIT] if isinstance(entry, str))
