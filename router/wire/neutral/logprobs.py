"""Log probabilities of tokens, in the form that OpenAI's two protocols share: an object for each token, with some more
for tokens that could have stood in its place (https://platform.openai.com/docs/api-reference/chat/object).

An answer of 32,000 tokens with 20 others each has 5 million values. Decoded they take five times the memory of their
bytes, and no more is done with them than to write them down again: those of large answers stay bytes.
"""

from typing import cast

import msgspec

from router.wire.raw.json.json_values import Json

Logprob = Json | msgspec.Raw
#: The member of a choice, or of a part of text, that holds them.
MEMBER = "logprobs"
_OPENING = ord("{")


def list_logprobs(found: object) -> list[Logprob]:
    """The objects of a list; [] for any other value."""
    entries = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("Logprob", one) for one in entries if isinstance(one, dict) or _is_raw_object(one)]


def _is_raw_object(value: object) -> bool:
    return isinstance(value, msgspec.Raw) and memoryview(value)[0] == _OPENING
