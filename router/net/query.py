"""Which query parameters go upstream.

What tells a credential by its name is left out, rather than all but a list of known parameters let through: a user
relies on parameters that fairlead has never heard of (`api-version` of Azure, flags of one vendor), while a credential
nearly always says what it is. A name is judged in every reading that a server might make of it: decoded once or more,
in any case, with brackets, spaces or a rest of HTML before it.
"""

import unicodedata
from functools import lru_cache
from urllib.parse import unquote, unquote_to_bytes

from router.errors import BadRequest
from router.settings.overriding_names import is_overriding_parameter
from router.settings.secret_names import is_secret_name

#: Each name is decoded and judged, so their number is bounded; OpenAI's lists take about ten.
PARAMETERS = 500
# Decodings of a name; one that is still encoded then is kept by nobody's API.
_DECODINGS = 3
_NAME_LIMIT = 512
# Whole names that mean a credential in queries alone: Azure Functions' `code`, single sign-on.
_IN_QUERIES = frozenset(("code", "ticket", "sid", "samlart"))


def check_query(query: str) -> None:
    """Refuse a query that two servers could read differently: some separate parameters at `;` too. Raises
    BadRequest."""
    if ";" in query and any("=" in rest for part in query.split("&") for rest in part.split(";")[1:]):
        raise BadRequest("The query separates parameters by ';'; use '&', and %3B within a value.")
    if query.count("&") >= PARAMETERS:
        raise BadRequest(f"The query has over {PARAMETERS} parameters.")


def take_key(query: bytes) -> tuple[bytes, bytes]:
    """The value of the parameter `key`, b"" without one, and the query without it. A second value is left out too."""
    if b"key=" not in query:
        return b"", query
    parts = query.split(b"&")
    found = [unquote_to_bytes(part[4:].replace(b"+", b" ")) for part in parts if part[:4] == b"key="]
    key = found[0] if found else b""
    usable = all(0x21 <= byte <= 0x7E for byte in key)
    return key if usable else b"", b"&".join(part for part in parts if part[:4] != b"key=")


def replace_parameter(query: bytes, names: tuple[str, ...], parameter: bytes) -> bytes:
    """The query with one parameter in place of those of some names."""
    kept = [
        part for part in query.split(b"&") if part and unquote(part.partition(b"=")[0].decode("latin-1")) not in names
    ]
    return b"&".join([*kept, parameter])


def filter_query(query: bytes) -> bytes:
    """The caller's query as it goes upstream: without parameters that carry a credential or replace the request's
    method, with its question mark."""
    kept = [part for part in query.split(b"&") if not _is_withheld(part.partition(b"=")[0])]
    return b"?" + b"&".join(kept) if kept else b""


# A target has at most 64 KiB, so the cache is bounded in bytes too.
@lru_cache(maxsize=256)
def _is_withheld(raw: bytes) -> bool:
    if len(raw) > _NAME_LIMIT:
        return True
    name = raw.decode("latin-1").replace("+", " ")
    for _ in range(_DECODINGS):
        if _is_told(name):
            return True
        decoded = unquote(name)
        if decoded == name:
            return False
        name = decoded
    return True


def _is_told(name: str) -> bool:
    if not name.isascii():
        # Letters that look, or are folded by a server, like those of ASCII; and characters that are not seen.
        name = unicodedata.normalize("NFKC", name)
        name = "".join(char for char in name if unicodedata.category(char) != "Cf")
    # Both ends: of `a[key][]` the part in brackets, of `&amp;key` and `a;key` what follows.
    parts = [part.strip(" \t\r\n\0$") for part in name.replace("]", "[").replace(";", "[").split("[")]
    if name.strip().lower() in _IN_QUERIES or any(is_secret_name(part) for part in parts if part):
        return True
    return is_overriding_parameter(name.strip()) or is_overriding_parameter(name.strip().removeprefix("amp;"))
