"""What stands beside the text of an answer's parts: citations and log probabilities, read and written."""

from collections.abc import Sequence
from typing import cast

import msgspec

from router.ir import Citation
from router.wire.neutral.logprobs import Logprob, list_logprobs
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.item_table import list_objects

#: The fields of parts that are read, or say nothing that a client of another protocol would miss.
PART_FIELDS = frozenset(("type", "text", "refusal", "annotations", "logprobs", "parsed"))
Logprobs = tuple[Logprob, ...]
_entry_decoder = msgspec.json.Decoder(dict[str, object])


def decode_citation(annotation: Json) -> Citation | None:
    """The web page that an annotation cites; None for one of another kind."""
    url = annotation.get("url")
    if annotation.get("type") != "url_citation" or not isinstance(url, str) or not url:
        return None
    title = annotation.get("title")
    start, end = annotation.get("start_index"), annotation.get("end_index")
    placed = type(start) is int and type(end) is int
    return Citation(
        url,
        title if isinstance(title, str) else "",
        start=cast("int", start) if placed else None,
        end=cast("int", end) if placed else None,
    )


def encode_citation(citation: Citation, length: int) -> Json:
    """An annotation. Its place is required: a citation without one belongs to the whole text.

    length: of the text so far, in characters.
    """
    placed = citation.start is not None and citation.end is not None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start if placed else 0,
        "end_index": citation.end if placed else length,
    }


def read_logprobs(found: object) -> Logprobs:
    """The log probabilities of a part or a delta."""
    return tuple(list_logprobs(found))


def encode_logprobs(logprobs: Sequence[Logprob]) -> list[Logprob]:
    """Log probabilities of a part, each with the bytes of its token, which deltas leave out."""
    return [_complete(one) if isinstance(one, dict) else _complete_raw(one) for one in logprobs]


def _complete_raw(one: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(_complete(_entry_decoder.decode(one))))


def _complete(one: Json) -> Json:
    return {**_add_bytes(one), "top_logprobs": [_add_bytes(top) for top in list_objects(one.get("top_logprobs"))]}


def _add_bytes(one: Json) -> Json:
    if isinstance(one.get("bytes"), list):
        return one
    return {**one, "bytes": list(str(one.get("token") or "").encode("utf-8", "replace"))}
