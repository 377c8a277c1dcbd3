"""The state that restores a reasoning item of a Responses upstream in a later request."""

import msgspec

_State = tuple[str, str, list[int]]


def encode_proof(item_id: str, encrypted: str, texts: list[str]) -> str:
    """The state of an item: its id, its opaque content, and the lengths of its summary's parts."""
    return msgspec.json.encode([item_id, encrypted, [len(text) for text in texts]]).decode()


def decode_proof(proof: str) -> _State | None:
    """The state, None for any other text."""
    try:
        return msgspec.json.decode(proof, type=_State)
    except msgspec.DecodeError:
        return None
