"""Reading an upstream's answer before it is decided what becomes of it: it stays readable."""

import re

from router.net.client.exchange import Exchange as Upstream

#: An answer to a Chat stream whose usage was asked for, by a server that does not know the field.
USAGE = re.compile(rb"stream_options")
#: What OpenAI answers to input that was sealed for another organisation.
SEALED = re.compile(rb"invalid_encrypted_content|ncrypted content .{0,1000}could not be ", re.DOTALL)
_LIMIT = 65536


async def said(upstream: Upstream) -> bytes:
    """The body, or its beginning when it is long."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < _LIMIT:
        got = await upstream.read()
        if not got:
            break
        pieces += got
    answer = b"".join(pieces)
    if answer:
        upstream.put_back(answer)
    return answer


async def complains(upstream: Upstream, pattern: re.Pattern[bytes]) -> bool:
    """True for a 400 that says something."""
    return upstream.status == 400 and pattern.search(await said(upstream)) is not None
