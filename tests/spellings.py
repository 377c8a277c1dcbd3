"""How upstreams may spell a key that they repeat, and a strict reader that finds a key in all of these spellings.

The reader shares nothing with router/redaction.py: it decodes whatever can be decoded, piece by piece, and looks for
the larger part of the key in all of it.
"""

import base64
import binascii
import html
import json
import re
from urllib.parse import quote, unquote_to_bytes

_RUN = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX_RUN = re.compile(rb"[0-9A-Fa-f]{16,}")
_ESCAPE = re.compile(rb"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_DEPTH = 3


def _per_character(form):
    return lambda key: "".join(form.format(ord(char)) for char in key)


def _base64(before, *, coded=base64.b64encode):
    return lambda key: coded(b"u:x"[:before] + key.encode() + b";tail").decode()


def _json(key):
    return json.dumps(key)[1:-1]


#: Name -> how a key is spelled.
SPELLINGS = {
    "plain": str,
    "JSON": _json,
    "JSON slash": lambda key: _json(key).replace("/", "\\/"),
    "JSON plus": lambda key: _json(key).replace("+", "\\u002B").replace("-", "\\u002d"),
    "JSON all": _per_character("\\u{:04x}"),
    "JSON ALL": _per_character("\\u{:04X}"),
    "JSON twice": lambda key: _json(_json(key.replace("/", "\\/"))),
    "JSON all twice": lambda key: _json(_json(_per_character("\\u{:04x}")(key))),
    "URL": lambda key: quote(key, safe=""),
    "URL lower": lambda key: quote(key, safe="").lower() if key.islower() else _per_character("%{:02x}")(key),
    "URL all": _per_character("%{:02X}"),
    "URL partly": lambda key: "".join(f"%{ord(char):02x}" if at % 3 else char for at, char in enumerate(key)),
    "URL twice": lambda key: quote(quote(_per_character("%{:02x}")(key), safe=""), safe=""),
    "HTML": html.escape,
    "HTML numbers": _per_character("&#{};"),
    "HTML hex": _per_character("&#x{:X};"),
    "HTML twice": lambda key: html.escape(_per_character("&#{};")(key)),
    "base64 at 0": _base64(0),
    "base64 at 1": _base64(1),
    "base64 at 2": _base64(2),
    "base64url at 0": _base64(0, coded=base64.urlsafe_b64encode),
    "base64url at 1": _base64(1, coded=base64.urlsafe_b64encode),
    "base64url at 2": _base64(2, coded=base64.urlsafe_b64encode),
    "base64 without end": lambda key: base64.b64encode(key.encode()).decode().rstrip("="),
    "Basic": lambda key: "Basic " + base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 in JSON": lambda key: base64.b64encode(f'{{"k":"{_json(key)}"}}'.encode()).decode().replace("/", "\\/"),
    "base64 in URL": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
    "base64 twice": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "base64 of URL": lambda key: base64.b64encode(_per_character("%{:02x}")(key).encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "hex of base64": lambda key: base64.b64encode(key.encode()).hex(),
    "URL in JSON": lambda key: _json(quote(key, safe="").replace("%", "\\u0025")),
    "JSON in URL": lambda key: quote(_per_character("\\u{:04x}")(key), safe=""),
    "HTML in JSON": lambda key: _json(_per_character("&#{};")(key)).replace("&", "\\u0026"),
}


def leaks(key, data):
    """True when the larger part of a key can be read in some bytes that a client got."""
    part = key.encode()[: len(key) // 2 + 1]
    return any(part in one for one in _iter_readings(bytes(data), _DEPTH, set()))


def _iter_readings(data, depth, seen):
    if data in seen:
        return
    seen.add(data)
    yield data
    if not depth:
        return
    for one in _decoded(data):
        if len(one) >= 8:
            yield from _iter_readings(one, depth - 1, seen)


def _decoded(data):
    """All that a text holds in another coding."""
    if b"%" in data:
        yield from _steps(unquote_to_bytes, data)
    if b"&" in data:
        yield from _steps(lambda one: html.unescape(one.decode("latin-1")).encode("latin-1", "replace"), data)
    if b"\\" in data:
        yield from _steps(lambda one: _ESCAPE.sub(_unescape, one), data)
    if b"\n" in data or b"\r" in data:
        yield re.sub(rb"\r?\n(?:data: ?)?", b"", data)
    for match in _RUN.finditer(data):
        run = match[0].replace(b"-", b"+").replace(b"_", b"/")
        for skip in range(4):
            part = run[skip:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            yield binascii.a2b_base64(part + b"=" * (-len(part) % 4))
    for match in _HEX_RUN.finditer(data):
        for skip in range(2):
            part = match[0][skip:]
            yield bytes.fromhex(part[: len(part) // 2 * 2].decode())


def _unescape(match):
    """One escape of JSON; of anything else the character."""
    said = match[1]
    if len(said) > 1:
        return chr(int(said[1:], 16)).encode("utf-8", "surrogatepass")
    return {b"n": b"\n", b"r": b"\r"}.get(said, said)


def _steps(decode, data):
    for _ in range(6):
        data, before = decode(data), data
        if data == before:
            break
        yield data
