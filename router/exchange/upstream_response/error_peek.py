"""Reads the beginning of an upstream's answer without consuming it."""

import re

from router.exchange.upstream_response.response import UpstreamResponse

#: In OpenAI's error for input that was sealed for another organisation.
SEALED_REFUSED = re.compile(rb"invalid_encrypted_content|ncrypted content .{0,1000}could not be ", re.DOTALL)
_LIMIT = 65536


async def peek_body(response: UpstreamResponse) -> bytes:
    """The body, or its beginning when it is long."""
    pieces: list[bytes] = []
    size = 0
    while size < _LIMIT:
        got = await response.read()
        if not got:
            break
        pieces += got
        size += sum(map(len, got))
    body = b"".join(pieces)
    if body:
        response.put_back(body)
    return body
