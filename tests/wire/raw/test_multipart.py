"""The model of a multipart body is found wherever it stands and however the body is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire.raw.multipart import HEADERS_LIMIT, PARTS_LIMIT, PREAMBLE_LIMIT, ModelReader, parse_boundary

BOUNDARY = b"x-boundary"
MARK = b"--" + BOUNDARY
END = MARK + b"--\r\n"


def part(name, value, *, filename=None, extra=b""):
    """One part of a form."""
    named = b"" if filename is None else b'; filename="%b"' % filename
    return b'%b\r\nContent-Disposition: form-data; name="%b"%b\r\n%b\r\n%b\r\n' % (MARK, name, named, extra, value)


def read(*pieces, boundary=BOUNDARY):
    """The reader after these pieces."""
    reader = ModelReader(boundary)
    for piece in pieces:
        reader.feed(piece)
    return reader


FILE = part(
    b"file", b"\r\n--x-boundar\r\n--x-boundary2\r\n\r\n--", filename=b"a.wav", extra=b"Content-Type: audio/wav\r\n"
)
NESTED = part(
    b"many",
    b'--inner\r\nContent-Disposition: form-data; name="model"\r\n\r\nwrong\r\n--inner--',
    extra=b"Content-Type: multipart/mixed; boundary=inner\r\n",
)
MODEL = part(b"model", b"a:m-1")
GOOD = {
    "alone": (MODEL + END, "a:m-1"),
    "behind a file": (FILE + MODEL + END, "a:m-1"),
    "before a file": (MODEL + FILE + END, "a:m-1"),
    "absent": (FILE + part(b"purpose", b"batch") + END, None),
    "preamble and epilogue": (b"for old readers\r\n" + MODEL + END + part(b"model", b"later"), "a:m-1"),
    "padding": (MODEL.replace(MARK, MARK + b" \t ") + MARK + b"-- \r\n", "a:m-1"),
    "empty parts": (
        part(b"a", b"") + MARK + b"\r\ncontent-disposition:form-data;name=b\r\n\r\n\r\n" + MODEL + END,
        "a:m-1",
    ),
    "no line end at the end": (MODEL + END[:-2], "a:m-1"),
    "no last boundary": (MODEL + MARK + b"\r\n", "a:m-1"),
    "other spellings": (
        MARK + b"\r\nX: y\r\nCONTENT-DISPOSITION: form-data;\r\n NAME=model\r\n\r\nm\xc3\xbc\r\n" + END,
        "mü",
    ),
    "a file of that name": (part(b"model", b"weights", filename=b"m.bin") + MODEL + END, "a:m-1"),
    "escaped names": (
        part(b'mo\\"del', b"x") + part(b"file", b"", filename=b'"; name=\\"model') + MODEL + END,
        "a:m-1",
    ),
    "nested": (NESTED + MODEL + END, "a:m-1"),
    "a name within": (part(b"x", b'Content-Disposition: form-data; name="model"\r\n\r\nwrong') + MODEL + END, "a:m-1"),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize(("body", "model"), GOOD.values(), ids=GOOD)
def test_found(body, model, size):
    """The value, and where it stands."""
    reader = read(*(body[at : at + size] for at in range(0, len(body), size)))
    assert reader.model == model
    assert body[slice(*reader.span)].decode() == (model or "")


@pytest.mark.parametrize(("body", "model"), GOOD.values(), ids=GOOD)
def test_every_split(body, model):
    """Two pieces, cut anywhere, are as good as one."""
    whole = read(body)
    for at in range(len(body) + 1):
        cut = read(body[:at], body[at:])
        assert (cut.model, cut.span, cut.complete, cut.in_file) == (model, whole.span, whole.complete, whole.in_file)


BAD = {
    "twice": (MODEL + FILE + MODEL + END, "twice"),
    "too long": (part(b"model", b"x" * 257) + END, "256 bytes"),
    "far too long": (part(b"model", b"x" * 100_000) + END, "256 bytes"),
    "empty": (part(b"model", b"") + END, "empty"),
    "blank": (part(b"model", b" ") + END, "empty"),
    "control characters": (part(b"model", b"a\nb") + END, "control"),
    "no UTF-8": (part(b"model", b"\xff") + END, "UTF-8"),
    "another boundary": (b"--other\r\n" + b"x" * PREAMBLE_LIMIT * 2, "does not begin"),
    "long headers": (MARK + b"\r\nX: " + b"y" * HEADERS_LIMIT + b"\r\n\r\n", "headers over"),
    "headers without end": (MARK + b"\r\n" + b"X: y\r\n" * HEADERS_LIMIT, "headers over"),
    "no disposition": (MARK + b"\r\nX: y\r\n\r\nz\r\n" + END, "Content-Disposition"),
    "no headers": (MARK + b"\r\n\r\nz\r\n" + END, "Content-Disposition"),
    "two dispositions": (
        MODEL.replace(b"\r\n\r\n", b"\r\ncontent-disposition: form-data; name=x\r\n\r\n") + END,
        "one",
    ),
    "two names": (MODEL.replace(b'"model"', b'"x"; name="model"') + END, "two names"),
    "many parts": (part(b"a", b"") * (PARTS_LIMIT + 1), "parts"),
}


@pytest.mark.parametrize("size", [977, 1 << 20])
@pytest.mark.parametrize(("body", "says"), BAD.values(), ids=BAD)
def test_refused(body, says, size):
    """What could be read in two ways, or without end, is a 400 that says why."""
    with pytest.raises(BadRequest, match=says):
        read(*(body[at : at + size] for at in range(0, len(body), size)))


def test_what_is_kept_is_bounded():
    """Of 20 MB of content a reader keeps less than its boundary, or its model's bound."""
    reader = read(MODEL, part(b"file", b"", filename=b"f")[:-2])
    for _ in range(20):
        reader.feed(b"\r\n--x" * 200_000)
        assert len(reader._data) < 100
    reader.feed(b"\r\n" + END)
    assert reader.complete


def test_a_file_shows_when_it_begins():
    """The head of a part with a file name is enough."""
    assert not read(part(b"purpose", b"x")).in_file
    assert read(part(b"file", b"y" * 50, filename=b"f")[:80]).in_file
    assert read(MARK + b"\r\nContent-Disposition: form-data; name=f; filename*=utf-8''f\r\n\r\n").in_file


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'multipart/form-data; charset=utf-8; Boundary="a b;c"', b"a b;c"),
        (
            b"multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            b"----WebKitFormBoundary7MA4YWxkTrZu0gW",
        ),
        (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
    ],
)
def test_boundaries(kind, boundary):
    """Quoted or not, in any place and spelling."""
    assert parse_boundary(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"; boundary=",
        b'; boundary=""',
        b'; boundary="a "',
        b"; boundary=" + b"x" * 71,
        b"; boundary=a; boundary=b",
    ],
)
def test_bad_boundaries(kind):
    """None, an empty one, a long one, or two: refused."""
    with pytest.raises(BadRequest, match="boundary"):
        parse_boundary(b"multipart/form-data" + kind)


# Small alphabets of what parsers stumble over.
_CONTENT = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"\r\n--", BOUNDARY, b"\r\n--x-bound", b"model", b"\x00", b" "]), max_size=12
).map(b"".join)
_FIELD = st.tuples(st.sampled_from([b"file", b"prompt", b"Model", b"models"]), _CONTENT, st.sampled_from([None, b"f"]))


@given(st.lists(_FIELD, max_size=5), st.integers(0, 5), st.booleans(), st.lists(st.integers(1, 40), max_size=60))
def test_any_content_any_cut(fields, place, named, cuts):
    """Whatever the parts hold short of a boundary of their own, the model and its place are found."""
    # Content that holds a boundary line would be two parts.
    fields = [field for field in fields if b"\r\n" + MARK not in b"\r\n" + field[1] + b"\r\n"]
    parts = [part(name, value, filename=filename) for name, value, filename in fields]
    if named:
        parts.insert(place, MODEL)
    body = b"".join(parts) + END
    pieces, at = [], 0
    for size in cuts:
        pieces.append(body[at : at + size])
        at += size
    reader = read(*pieces, body[at:])
    assert reader.model == ("a:m-1" if named else None)
    assert reader.complete
    assert body[slice(*reader.span)] == (b"a:m-1" if named else b"")


@given(
    st.lists(
        st.sampled_from(
            [MARK, b"--", b"\r\n", b"\r", b" ", b"x", b'Content-Disposition: form-data; name="model"', b"\r\n\r\n"]
        ),
        max_size=20,
    ),
    st.integers(1, 9),
)
def test_rubbish(tokens, size):
    """Any bytes give a result or a BadRequest, the same however they are cut."""
    body = b"".join(tokens)

    def outcome(step):
        try:
            reader = read(*(body[at : at + step] for at in range(0, len(body), step)))
        except BadRequest as error:
            return error.message
        return reader.model, reader.span, reader.complete

    assert outcome(size) == outcome(len(body) + 1)
