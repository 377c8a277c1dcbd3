"""Recognises the error of a limit of rate that has the status of a request that is too large.

Groq answers 413 to a request that has more tokens than its limit for a minute has left. Clients of Anthropic's API give
up at once on a 413, and some clients of OpenAI's take it for a conversation that is too long.
"""

import re

from router.wire.errors import codes
from router.wire.raw.json.json_values import Json

#: Characters of a message that are searched.
_READ_LIMIT = 4096
#: Texts that speak of the rate of requests, in lower case.
RATE = re.compile(r"rate.?limit|per minute|per day|daily|\(tpm\)|throttl|too many requests|wait before trying again")


def correct_status(status: int, error: Json, message: str) -> int:
    """The status that an error with this status should have had: 429 for a limit of rate told as a 413. error: its
    object, with the code and type."""
    return 429 if status == 413 and _says_rate(error, message) else status


def _says_rate(error: Json, message: str) -> bool:
    if any(codes.find_status(error.get(name)) == 429 for name in ("code", "type")):
        return True
    return RATE.search(message[:_READ_LIMIT].lower()) is not None
