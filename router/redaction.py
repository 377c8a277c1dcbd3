"""Removes secrets from what an upstream says, in whatever spelling it repeats them.

Found are secrets written plainly; with characters escaped as in JSON, URLs or HTML, each by itself and several times
over; in base64 (both alphabets, at any position) and hexadecimal digits, also one inside the other; and across line
ends. A text is decoded into layers, each of which knows where in its parent a piece of it came from: what is found in
any layer is removed from the text itself. Decoding and searching take time in proportion to the text. A text that is
too large, or nested too deeply, to be searched is not passed on at all.
"""

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from html.entities import html5
from urllib.parse import unquote

from router.settings.secret_headers import SHORTEST

MARK = b"[redacted]"
#: Bytes of a text that is searched.
SEARCH_LIMIT = 1 << 20
# A secret of so many bytes is found by them alone; of a longer one half is enough.
_WHOLE = 16
# Ids and traces in good answers are about as long.
_ID = 40
# How often escapes are decoded that stand inside each other, beyond those that one pattern takes at once.
_ROUNDS = 5
# How often base64 or hexadecimal digits are decoded that stand inside each other.
_NESTED = 3
# Each removal can only uncover what overlapped with it.
_PASSES = 4

# What looks like a key of any provider.
KEYS = re.compile(
    r"(?:sk|pk|rk|gsk|xai|key|or|fw|tgp|csk|flk)[-_][A-Za-z0-9_\-]{12,}|AIza[0-9A-Za-z_\-]{20,}|Bearer\s+[^\s\"']{8,}"
    # Of clouds: keys of Bedrock and ids of AWS's keys, tokens of Google, JWTs, and the parts of a presigned URL. Inside
    # of long base64, as images are, the letters of some are an accident.
    r"|(?<![A-Za-z0-9+/])ABSK[A-Za-z0-9+/]{12,}={0,2}|bedrock-api-key-[A-Za-z0-9+/_\-]{12,}={0,2}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|ya29\.[A-Za-z0-9_.\-]{12,}|nvapi-[A-Za-z0-9_\-]{12,}|hf_[A-Za-z0-9]{12,}"
    r"|(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+)?"
    r"|X-Amz-(?:Signature|Credential|Security-Token)=[A-Za-z0-9%/+=_.\-]{8,}"
)
_DIGIT = re.compile(r"[0-9]")

# Each alternative takes all the ways at once in which one kind of escape is escaped again.
_ESCAPE = re.compile(
    rb"\\+(u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|x[0-9A-Fa-f]{2}|[nr\x22'/\\])"
    rb"|%(?:25)*(u[0-9A-Fa-f]{4}|[0-9A-Fa-f]{2})"
    rb"|&(?:amp;)*(#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z]{2,31};)"
)
# Line ends with what stands between the halves of a value that goes on: an event's next `data:` line, an indentation.
# Zero bytes are the other halves of UTF-16.
_FOLD = re.compile(rb"[\0\r\n]+(?:data:)?[ \t]*")
# The shortest that can hold a secret of SHORTEST bytes.
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX = re.compile(rb"[0-9A-Fa-f]{16,}")
_LINE_ENDS = {b"n": b"\n", b"r": b"\r"}
_STANDARD = bytes.maketrans(b"-_", b"+/")
_PRESIGNED = "bedrock-api-key-"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]*[ \t]+(\S+)")


def is_like_key(name: str) -> bool:
    """True for a name that is rather a key than a name: it begins like one, and has digits."""
    return KEYS.match(name) is not None and _DIGIT.search(name) is not None


class Redactor:
    """Finds and removes some secrets; those shorter than SHORTEST are left alone, since they may be ordinary words."""

    __slots__ = ("_long", "_needles", "_plain", "_run", "secrets")

    def __init__(self, secrets: Iterable[str]):
        #: What is removed, longest first.
        self.secrets = tuple(sorted({part for one in secrets for part in _list_parts(one)}, key=len, reverse=True))
        raw = [one.encode("utf-8", "surrogatepass") for one in self.secrets]
        # A secret may hold what looks like an escape, which is decoded along with the text.
        self._needles = tuple(dict.fromkeys(form for one in raw for form in (one, _decode_fully(one))))
        self._plain = tuple(dict.fromkeys(form for one in raw for form in (one, *_spell_coded(one))))
        shortest = min(map(len, raw), default=_ID)
        # A short one is within the length of an id when it is coded twice: then ids are looked through too.
        self._long = min(max(_ID, shortest * 4 // 3 - 2), shortest * 16 // 9)
        self._run = re.compile(rb"[A-Za-z0-9+/_-]{%d}" % self._long)

    def __bool__(self) -> bool:
        return bool(self.secrets)

    def suspects(self, values: Sequence[bytes]) -> bool:
        """A quick look at the values of a good answer's head: False where no secret stands plainly or coded once,
        nothing is escaped, and nothing else is long enough to hold a secret."""
        data = b"\n".join(values)
        if b"\\" in data or b"%" in data or b"&" in data:
            return True
        for needle in self._plain:
            if needle in data:
                return True
        # Few values are that long, and the pattern costs more than all of the above.
        return max(map(len, values)) >= self._long and self._run.search(data) is not None

    def redact(self, data: bytes) -> bytes | None:
        """The text without the secrets; None for one that cannot be searched through, which must not be passed on."""
        if not self._needles or not data:
            return data
        for _ in range(_PASSES):
            if len(data) > SEARCH_LIMIT:
                return None
            spans: list[tuple[int, int]] = []
            for layer in _iter_layers(data):
                if layer is None:
                    return None
                spans += self._find(layer)
            if not spans:
                return data
            data = _cut(data, spans)
        return None

    def redact_text(self, text: str) -> str:
        """As `redact`, for a text in a message; one that cannot be searched through is removed."""
        if not self._needles or not text:
            return text
        raw = text.encode("utf-8", "surrogatepass")
        found = self.redact(raw)
        if found is raw:
            return text
        return (MARK if found is None else found).decode("utf-8", "replace")

    def _find(self, layer: "_Layer") -> Iterator[tuple[int, int]]:
        """The spans of the original text that a secret in the layer came from."""
        text = layer.text
        for needle in self._needles:
            # Of a text that was cut, the larger part of a secret may be left.
            part = needle[: max(_WHOLE, len(needle) // 2)]
            at = text.find(part)
            while at >= 0:
                size = len(part)
                while size < len(needle) and text[at + size : at + size + 1] == needle[size : size + 1]:
                    size += 1
                yield layer.locate(at, at + size)
                at = text.find(part, at + size)


NO_SECRETS = Redactor(())


def remove_controls(text: str) -> str:
    """A text of the network for a message: control and bidirectional characters become spaces."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _list_parts(secret: str) -> Iterator[str]:
    """A secret, and the parts of a header's value that are secret by themselves: `Bearer KEY`, `Basic USER:PASSWORD`
    in base64."""
    found = [secret]
    scheme = _SCHEME.fullmatch(secret)
    if scheme is not None:
        found.append(scheme[1])
        if secret[:6].lower() == "basic ":
            login = _decode_base64(scheme[1].encode())
            found += [login, login.partition(":")[2]]
    if secret.startswith(_PRESIGNED):
        found += _list_presigned(secret)
    return (one for one in found if len(one) >= SHORTEST)


def _list_presigned(key: str) -> Iterator[str]:
    """The URL that a short-term Bedrock key is in base64, and the session and signature in it: AWS repeats these in
    errors about signatures."""
    url = _decode_base64(key.removeprefix(_PRESIGNED).encode())
    yield url
    for field in url.partition("?")[2].split("&"):
        name, _, value = field.partition("=")
        if name in ("X-Amz-Security-Token", "X-Amz-Signature"):
            yield from (value, unquote(value))


def _decode_base64(data: bytes) -> str:
    try:
        return binascii.a2b_base64(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _spell_coded(secret: bytes) -> Iterator[bytes]:
    """What base64 makes of a secret at each of its three positions, without the characters that depend on what stands
    around it, in both alphabets; and its hexadecimal digits in both spellings."""
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        coded = binascii.b2a_base64(bytes(before) + secret, newline=False)
        core = coded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


#: Starts, ends, sources and lengths of the pieces of a layer.
_Pieces = tuple[list[int], list[int], list[int], list[int]]
_NO_PIECES: _Pieces = ([], [], [], [])


class _Layer:
    """A text that was decoded from another one, and where its pieces came from.

    Pieces are those that differ from the parent, in order: `starts` and `ends` here, `sources` in the parent. Between
    them the two are equal. A piece stands for `up` bytes of the parent for each `down` of its own, or, where `up` is 0,
    for as many as `lengths` says, whole.
    """

    __slots__ = ("_down", "_ends", "_lengths", "_parent", "_sources", "_starts", "_up", "depth", "text")

    def __init__(
        self,
        text: bytes,
        parent: "_Layer | None" = None,
        pieces: _Pieces = _NO_PIECES,
        *,
        up: int = 0,
        down: int = 1,
        depth: int = 0,
    ):
        self.text = text
        self.depth = depth
        self._parent = parent
        self._starts, self._ends, self._sources, self._lengths = pieces
        self._up, self._down = up, down

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original text a span of this one came from."""
        layer = self
        while layer._parent is not None:
            start, end = layer._lift(start)[0], layer._lift(end - 1)[1]
            layer = layer._parent
        return start, end

    def _lift(self, at: int) -> tuple[int, int]:
        """The span of the parent that one byte came from."""
        piece = bisect_right(self._starts, at) - 1
        if piece < 0:
            return at, at + 1
        source, length = self._sources[piece], self._lengths[piece]
        if at >= self._ends[piece]:
            behind = at - self._ends[piece] + source + length
            return behind, behind + 1
        if not self._up:
            return source, source + length
        offset = at - self._starts[piece]
        first = min(source + offset * self._up // self._down, source + length - 1)
        return first, min(source - (offset + 1) * -self._up // self._down, source + length)


def _iter_layers(data: bytes) -> Iterator[_Layer | None]:
    """A text and all that can be decoded from it; None for one that is nested too deeply."""
    waiting = [_Layer(data)]
    while waiting:
        layer: _Layer | None = waiting.pop()
        for _ in range(_ROUNDS + 1):
            if layer is None:
                break
            yield layer
            folded = _replace(layer, _FOLD, _join) if layer.depth == 0 else None
            if folded is not None:
                yield folded
                layer = folded
            waiting += _iter_codings(layer)
            layer = _replace(layer, _ESCAPE, _decode_escape)
        if layer is not None and layer.depth == 0:
            yield None
            return


def _iter_codings(layer: _Layer) -> Iterator[_Layer]:
    """What a layer's base64 and hexadecimal digits hold, read from each position at which they may begin."""
    if layer.depth >= _NESTED:
        return
    runs = [match.span() for match in _BASE64.finditer(layer.text)]
    if runs:
        text = layer.text.translate(_STANDARD)
        for skip in range(4):
            yield _decode_runs(layer, text, runs, skip, (4, 3), binascii.a2b_base64, b"A")
    runs = [match.span() for match in _HEX.finditer(layer.text)]
    if runs:
        for skip in range(2):
            yield _decode_runs(layer, layer.text, runs, skip, (2, 1), binascii.unhexlify, b"0")


def _decode_runs(
    layer: _Layer,
    text: bytes,
    runs: list[tuple[int, int]],
    skip: int,
    size: tuple[int, int],
    decode: Callable[[bytes], bytes],
    filler: bytes,
) -> _Layer:
    """The decoded runs of a layer, joined: one call decodes them all. skip: how many characters at the beginning of
    each are left out. size: characters for bytes. filler: a character that stands for zero bits."""
    up, down = size
    pieces: _Pieces = ([], [], [], [])
    starts, ends, sources, lengths = pieces
    coded: list[bytes] = []
    at = 0
    last = len(runs) - 1
    for number, (start, end) in enumerate(runs):
        start += skip
        length = end - start
        whole = -(-length // up) * up
        # Zero bytes between the runs keep apart what stands in two of them.
        gap = up if number < last else 0
        coded += (text[start:end], filler * (whole - length + gap))
        starts.append(at)
        sources.append(start)
        lengths.append(length)
        at += (whole + gap) // up * down
        ends.append(at)
    return _Layer(decode(b"".join(coded)), layer, pieces, up=up, down=down, depth=layer.depth + 1)


def _replace(layer: _Layer, pattern: re.Pattern[bytes], decode: Callable[[re.Match[bytes]], bytes]) -> _Layer | None:
    """The layer with everything replaced that the pattern finds; None where it finds nothing."""
    text = layer.text
    parts: list[bytes] = []
    pieces: _Pieces = ([], [], [], [])
    starts, ends, sources, lengths = pieces
    at = done = 0
    for match in pattern.finditer(text):
        new = decode(match)
        start, end = match.span()
        if new == match[0]:
            continue  # no escape after all
        parts += (text[done:start], new)
        at += start - done
        starts.append(at)
        at += len(new)
        ends.append(at)
        sources.append(start)
        lengths.append(end - start)
        done = end
    if not starts:
        return None
    parts.append(text[done:])
    return _Layer(b"".join(parts), layer, pieces, depth=layer.depth)


def _join(_match: re.Match[bytes]) -> bytes:
    return b""


def _decode_escape(match: re.Match[bytes]) -> bytes:
    """What an escape stands for; itself where that is not known."""
    body, code, entity = match.groups()
    if body is not None:
        if len(body) == 1:
            return _LINE_ENDS.get(body, body)
        return bytes((int(body[1:], 16),)) if body[:1] == b"x" else _encode(body[1:].strip(b"{}"), 16)
    if code is not None:
        return _encode(code[1:], 16) if code[:1] == b"u" else bytes((int(code, 16),))
    if entity[:1] != b"#":
        found = html5.get(entity.decode("ascii"))
        return match[0] if found is None else found.encode()
    digits = entity[1:].rstrip(b";")
    return _encode(digits[1:], 16) if digits[:1] in b"xX" else _encode(digits, 10)


def _encode(digits: bytes, base: int) -> bytes:
    """A character by its number."""
    number = int(digits, base)
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b"?"


def _decode_fully(data: bytes) -> bytes:
    """A text with everything decoded that looks like an escape."""
    for _ in range(_ROUNDS):
        data, before = _ESCAPE.sub(_decode_escape, data), data
        if data == before:
            break
    return data


def _cut(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """The text with a mark in place of each span; those that touch each other get one."""
    parts: list[bytes] = []
    done = -1
    for start, end in sorted(spans):
        if start > done:
            parts += (data[max(0, done) : start], MARK)
        done = max(done, end)
    parts.append(data[max(0, done) :])
    return b"".join(parts)
