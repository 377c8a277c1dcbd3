"""Detects the protocol of a request from its fields alone; for `explain`, which gets a body without a path."""

from collections.abc import Mapping

from router.wire import protocols
from router.wire.raw.json.top_level import Top


def protocol_of(top: Top, fields: Mapping[bytes, bytes]) -> str:
    """The protocol whose fields the request has, else the default protocol. fields: headers by lower-case name."""
    best, best_score = protocols.DEFAULT.name, 0
    for entry in protocols.BY_NAME.values():
        score = entry.recognize(top, fields)
        if score > best_score:
            best, best_score = entry.name, score
    return best


def usual_protocols(model: str) -> list[str]:
    """All protocols, the one that a model of this name is usually requested in first."""
    lowered = model.lower()
    first = next(
        (entry for entry in protocols.BY_NAME.values() if any(word in lowered for word in entry.model_words)),
        protocols.DEFAULT,
    )
    return sorted(protocols.BY_NAME, key=lambda name: name != first.name)
