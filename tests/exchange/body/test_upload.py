"""Multipart bodies: read until their model is known, renamed, sent on as they come, and never sent twice."""

import gzip
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadGateway, BadRequest
from router.exchange.body.upload import _splice, is_upload
from router.net.server.cancel_reason import CancelReason

from ..playbook import playing
from ..upstreams import EARLY, Break, says
from ..worlds import box, in_order, refuses

PATH = "/v1/audio/transcriptions"
BOUNDARY = b"----of-the-test"
KIND = ("content-type", "multipart/form-data; boundary=----of-the-test")
HEARD = says(200, {"text": "heard"})


def part(name, value, filename=None):
    named = b"" if filename is None else b'; filename="%b"' % filename
    return b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (BOUNDARY, name, named, value)


MODEL, END = part(b"model", b"box:whisper"), b"--" + BOUNDARY + b"--\r\n"
RENAMED = part(b"model", b"whisper")
FILE = part(b"file", b"\x00\r\n--" * 2000, b"a.wav")


@pytest.fixture
def two(made):
    return made(box("box", "a0", "a1"), settings=in_order(default_backend="box"))


def upload(runtime, *pieces, answers=(HEARD,), path=PATH, fields=(), **options):
    return playing(runtime, path, b"", *answers, fields=[KIND, *fields], pieces=pieces, **options)


@pytest.mark.parametrize(
    "pieces",
    [
        (MODEL, FILE, END),
        (FILE, MODEL, END),
        (FILE[:50], FILE[50:] + MODEL[:60], MODEL[60:] + END),
        (MODEL + FILE + END,),
        tuple((MODEL + FILE + END)[at : at + 97] for at in range(0, len(MODEL + FILE + END), 97)),
    ],
)
def test_the_model_is_renamed_wherever_it_stands(two, pieces):
    """Before or behind the file, in any pieces: only its name changes, and the length says so."""
    played = upload(two, *pieces)
    sent = played.sent[0]
    assert sent.body == b"".join(pieces).replace(MODEL, RENAMED)
    assert sent.fields[b"content-length"] == b"%d" % len(sent.body)
    assert sent.fields[b"content-type"] == KIND[1].encode()
    assert (played.status, played.json()) == (200, {"text": "heard"})
    assert (played.record.model, played.record.sent_model) == ("box:whisper", "whisper")
    assert "model renamed" in played.record.notes


def test_a_body_without_a_length_goes_without_one(two):
    """What came in chunks, goes in chunks."""
    played = upload(two, MODEL, FILE, END, announced=False)
    assert played.sent[0].fields[b"transfer-encoding"] == b"chunked"
    assert b"content-length" not in played.sent[0].fields
    assert played.sent[0].body == RENAMED + FILE + END


@pytest.mark.parametrize("failure", [refuses(500), refuses(401), [Break()]])
def test_an_upload_that_was_sent_on_is_not_sent_again(two, failure):
    """It is not in memory: whatever the answer, no other account is asked."""
    played = upload(two, MODEL, FILE, END, answers=(failure, HEARD))
    assert played.asked == ["a0"]
    assert played.status in (500, 401, 502)


def test_a_kept_connection_is_not_used_for_it(two):
    """An idle connection may be stale, and what is streamed on it is lost."""
    played = upload(two, MODEL, FILE, END, kept=1)
    assert played.status == 200
    assert played.pool.acquired == 0


def test_an_upload_that_was_never_sent_moves(two):
    """Nothing went out: another account gets all of it."""
    for pieces in ((MODEL, FILE + END), (FILE, MODEL, END)):
        played = upload(two, *pieces, unreachable=[BadGateway("no way")])
        assert (played.asked, played.status) == (["a1"], 200)
        assert played.sent[0].body == b"".join(pieces).replace(MODEL, RENAMED)


def test_an_upload_that_was_read_whole_follows_the_rules_of_all(two):
    """A coded body is held whole: what cannot have been carried out is sent again."""
    coded = gzip.compress(MODEL + FILE + END)
    played = playing(two, PATH, coded, refuses(401), HEARD, fields=[KIND, ("content-encoding", "gzip")])
    assert (played.asked, played.status) == (["a0", "a1"], 200)
    assert [one.body for one in played.sent] == [RENAMED + FILE + END] * 2


def test_a_refusal_ends_the_sending(two):
    """An upstream that refuses the request early need not get the rest."""
    played = upload(two, MODEL, FILE, END, answers=([EARLY, *refuses(413)],))
    assert (played.status, played.sent[0].body) == (413, b"")
    assert (played.pool.given_back, played.pool.dropped) == (0, 1)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((MODEL + MODEL + END,), "twice"),
        ((FILE,), "last boundary"),
        ((part(b"model", b"") + END,), "empty"),
        ((b"no boundary" * 2000,), "does not begin"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(two, pieces, words):
    """Before anything goes upstream."""
    played = upload(two, *pieces)
    assert (played.sent, played.status) == ([], 400)
    assert words in played.json()["error"]["message"]
    assert isinstance(played.error, BadRequest)


def test_a_file_that_is_stored_needs_no_model(two):
    """There the fields before the file decide, and the rest is sent on as it comes."""
    played = upload(two, part(b"purpose", b"batch"), FILE, END, path="/v1/files")
    assert (played.status, played.sent[0].body) == (200, part(b"purpose", b"batch") + FILE + END)
    assert played.record.notes == ()


def test_the_beginning_is_captured(two):
    """Of a capture the first bytes are enough."""
    played = upload(two, MODEL, FILE, END, capture=20)
    assert played.record.request_body[:20] == MODEL[:20]


def test_its_limit_is_the_whole_requests(two):
    """Each piece that is sent on gives the client's next one the time that is left."""
    played = upload(two, MODEL, FILE, END)
    assert (1800.0, CancelReason.TOTAL) in played.client.deadlines


@pytest.mark.parametrize(
    ("method", "kind", "generates", "found"),
    [
        ("POST", KIND[1], False, True),
        ("PUT", KIND[1], False, True),
        ("POST", "Multipart/Form-Data; boundary=x", False, True),
        ("POST", KIND[1], True, False),
        ("GET", KIND[1], False, False),
        ("POST", "application/json", False, False),
    ],
)
def test_what_an_upload_is(asked, method, kind, generates, found):
    """Only a multipart body of a path that does not generate is an upload."""
    assert is_upload(asked(method, content_type=kind), generates=generates) is found


@given(st.binary(min_size=1, max_size=60), st.data())
def test_splice(body, data):
    """Wherever the pieces were cut and the value stands, only it is replaced."""
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start + 1, len(body)))
    value = data.draw(st.binary(max_size=20))
    pieces, at = deque(), 0
    while at < len(body):
        size = data.draw(st.integers(1, 20))
        pieces.append(body[at : at + size])
        at += size
    spliced = _splice(pieces, start, end, value)
    assert b"".join(spliced) == body[:start] + value + body[end:]
    assert all(spliced) or not value
