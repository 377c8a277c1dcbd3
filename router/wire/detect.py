"""Which protocol a request is in, told from its fields alone; for `explain`, which is handed a body without a path."""

from collections.abc import Mapping

from router.wire import protocols
from router.wire.raw.top_level import Top


def protocol_of(top: Top, fields: Mapping[bytes, bytes]) -> str:
    """The protocol whose fields the request has, else the one assumed where nothing tells. fields: headers by
    lower-case name."""
    best, surest = protocols.DEFAULT.name, 0
    for entry in protocols.BY_NAME.values():
        sure = entry.recognize(top, fields)
        if sure > surest:
            best, surest = entry.name, sure
    return best


def usual_protocols(model: str) -> list[str]:
    """All protocols, in the order in which a model is usually asked for."""
    lowered = model.lower()
    first = next(
        (entry for entry in protocols.BY_NAME.values() if any(word in lowered for word in entry.model_words)),
        protocols.DEFAULT,
    )
    return sorted(protocols.BY_NAME, key=lambda name: name != first.name)
