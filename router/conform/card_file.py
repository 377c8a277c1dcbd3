"""Cards in the home: `cards/BACKEND@MODEL.json`, one for each backend and model."""

import hashlib
from collections.abc import Collection
from urllib.parse import quote

import msgspec

from router.conform.record import SCHEMA, Card, Row
from router.store.home.home import Home

FOLDER = "cards"
_LONGEST = 160


def name_card(backend: str, model: str) -> str:
    """The name of a card's file within the home. What a file system could take for something else is escaped."""
    escaped = quote(model, safe="")
    if len(escaped) > _LONGEST:
        escaped = f"{escaped[:_LONGEST]}~{hashlib.sha256(model.encode()).hexdigest()[:12]}"
    return f"{FOLDER}/{backend}@{escaped}.json"


def write_card(home: Home, card: Card) -> str:
    """Write a card in place of the one before; returns its name within the home. Raises CommandError."""
    name = name_card(card.backend, card.model)
    home.write(name, msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    return name


def read_card(home: Home, backend: str, model: str) -> Card | None:
    """The card of a model; None where there is none, or none that can be read. Raises CommandError for a file that
    others could read."""
    card = _decode(home.read(name_card(backend, model)))
    return card if card is not None and (card.backend, card.model) == (backend, model) else None


def list_cards(home: Home, backend: str) -> list[Card]:
    """The cards of a backend that can be read, in the order of their models. Raises CommandError."""
    names = [name for name in home.names(FOLDER, ".json") if name.startswith(f"{backend}@")]
    found = [_decode(home.read(f"{FOLDER}/{name}.json")) for name in names]
    return [card for card in found if card is not None and card.backend == backend]


def _decode(data: bytes | None) -> Card | None:
    if data is None:
        return None
    try:
        card = msgspec.json.decode(data, type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return card if card.schema == SCHEMA else None


def check_current(card: Card | None, root: str, fingerprint: str) -> Card | None:
    """The card, unless it is of another place, or of another build of the model. fingerprint: '' for one not known."""
    if card is None or card.root != root:
        return None
    return None if fingerprint and card.fingerprint and card.fingerprint != fingerprint else card


def merge_rows(before: Card | None, fresh: Collection[Row], known: Collection[str]) -> list[Row]:
    """The rows of a card after a run: those of a probe that was not run, or could not tell, stay as they were. known:
    the ids of all probes, in their order."""
    rows = {row.id: row for row in before.probes} if before is not None else {}
    for row in fresh:
        if row.verdict != "unknown" or rows.get(row.id, row).verdict == "unknown":
            rows[row.id] = row
    return [rows[name] for name in known if name in rows]
