"""Requests to the metadata server of the cloud that this machine runs in.

Rules of this file: it is asked only for an account whose key the user took from there, over plain http as it speaks, on
the way that no proxy is on, and its redirects are not followed; no request of a caller comes here.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from router.errors import CommandError
from router.net.client.outbound import DIRECT
from router.net.control.request import Answer, ControlError, clean, send

SECONDS = 5.0
_LIMIT = 1 << 20
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


async def ask_metadata(host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], what: str) -> Answer:
    """GET from a metadata server. host: with a port where it has one. what: how messages name it. Raises CommandError
    when no answer came."""
    if not _HOST.fullmatch(host):
        raise CommandError(f"{what} is named {clean(host, 60)!r}, which is no host.")
    url = f"http://{host}{path}?{urlencode(query)}"
    try:
        answer = await send("GET", url, headers, None, SECONDS, replace(DIRECT, link_local=True), limit=_LIMIT)
    except ControlError as error:
        raise CommandError(f"{what} gave no token: {error}.", "It exists only on machines of that cloud.") from None
    if 300 <= answer.status < 400:
        raise CommandError(f"{what} redirects elsewhere ({answer.status}), which is not followed.")
    return answer
