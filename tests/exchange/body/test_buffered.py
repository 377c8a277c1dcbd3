"""Bodies that are read whole: decoded, bounded, and forgotten once they are not needed."""

import base64
import gzip
import json
import random
import sys
import zlib

import brotli
import pytest

from router.errors import TooLarge
from router.exchange.body.buffered import inflate
from router.host.memory_bound import MemoryBound

from ..playbook import playing
from ..upstreams import Break, answer
from ..worlds import CHAT, chat, good, refuses

CODED = gzip.compress(json.dumps(chat()).encode())
GZIP = ("content-encoding", "gzip")


@pytest.mark.parametrize(
    ("path", "body", "fields", "status", "words"),
    [
        (CHAT, b"", [], 400, "has no body"),
        (CHAT, b"{", [], 400, ""),
        (CHAT, b"[]", [], 400, ""),
        (CHAT, b"{}", [], 400, "names no model"),
        (CHAT, CODED[:-4], [GZIP], 400, "ends early"),
        (CHAT, b"no gzip", [GZIP], 400, "not valid gzip"),
        (CHAT, CODED, [("content-encoding", "x-own")], 415, "content-encoding x-own is not supported"),
        (CHAT, chat(), [("content-type", "text/plain")], 415, ""),
    ],
)
def test_what_cannot_be_read_is_refused(one, path, body, fields, status, words):
    """In the caller's form, before anything goes upstream."""
    played = playing(one, path, body, fields=fields)
    assert (played.sent, played.status) == ([], status)
    assert words in played.json()["error"]["message"]
    assert played.record.error == "invalid_request_error"


@pytest.mark.parametrize(
    ("fields", "body"),
    [([], json.dumps(chat()).encode()), ([GZIP], CODED), ([GZIP, GZIP], gzip.compress(CODED)), ([GZIP], CODED + b"")],
)
def test_codings_are_taken_off(one, fields, body):
    """None, one or several."""
    assert playing(one, CHAT, body, good(), fields=fields).sent[0].json() == chat(model="m")


def test_a_large_body_is_read_in_a_thread(one):
    """Work on a body over a mebibyte is done in a thread, with the same result."""
    body = chat(user="x" * 1_200_000)
    for data, fields in ((json.dumps(body).encode(), []), (gzip.compress(json.dumps(body).encode()), [GZIP])):
        played = playing(one, CHAT, data, good(), fields=fields, threshold=0.2)
        assert played.sent[0].json() == {**body, "model": "m"}


def test_all_bodies_together_are_bounded(one):
    """Over the bound of all buffers a request is refused, and may be sent again in a moment."""
    one.memory = MemoryBound(100)
    played = playing(one, CHAT, chat(user="x" * 200))
    assert (played.sent, played.status, played.fields[b"retry-after"]) == ([], 503, b"1")


def test_what_a_coding_gives_counts(one):
    """A small body that inflates to a large one counts as the large one."""
    one.memory = MemoryBound(4096)
    body = gzip.compress(json.dumps(chat(user="x" * 5000)).encode())
    assert len(body) < 200
    assert playing(one, CHAT, body, fields=[GZIP]).status == 503


def test_a_coding_is_bounded():
    """What inflates over the limit is refused."""
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 5000), b"gzip", 4999)
    assert inflate(gzip.compress(b"x" * 5000), b"gzip", 5000) == b"x" * 5000


def zstd_of(data):
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(data)


CODERS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd_of, "deflate": zlib.compress}
LINE = "2026-01-01 12:00:00 ERROR connection refused, retrying in 5 s\n"


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("text", [LINE * (7_000_000 // len(LINE)), "A" * 7_000_000, "0,0,0,0\n" * 800_000])
def test_a_repetitive_prompt_passes_in_any_coding(one, coding, text):
    """Logs of one line, images of one colour and tables of zeros are no bombs, though they shrink to nothing."""
    body = json.dumps(chat(user=text)).encode()
    played = playing(one, CHAT, CODERS[coding](body), good(), fields=[("content-encoding", coding)], threshold=5)
    assert played.sent[0].json() == chat(model="m", user=text)


@pytest.mark.parametrize("coding", CODERS)
def test_a_body_that_inflates_a_thousand_times_is_refused(one, coding):
    """Over 8 MiB and 200 times its size, before it is decoded any further, and the client is told what helps."""
    body = CODERS[coding](json.dumps(chat(user="A" * 30_000_000)).encode())
    played = playing(one, CHAT, body, fields=[("content-encoding", coding)], threshold=5)
    assert (played.sent, played.status) == ([], 413)
    assert "send it without content-encoding" in played.json()["error"]["message"]


def test_what_a_large_coded_body_gives_is_counted_while_it_is_decoded(one):
    """Step by step, so that the bound of all buffers holds in every moment; all of it is given back."""
    body = json.dumps(chat(user=base64.b64encode(random.Random(1).randbytes(6_000_000)).decode())).encode()
    coded = gzip.compress(body, 1)
    for limit, status in (((5 << 20) + len(coded), 503), ((4 << 20) + len(coded) + len(body), 200)):
        one.memory = bound = MemoryBound(limit)
        played = playing(one, CHAT, coded, good(), fields=[GZIP], threshold=5)
        assert played.status == status
        assert bound.reserved == 0


@pytest.mark.parametrize("answers", [(good(),), (refuses(401), good()), ([Break()], [Break()]), (refuses(400),)])
def test_a_body_is_forgotten(three, answers):
    """However the request ends, its bytes are given back, and it is not sent again."""
    played = playing(three, CHAT, chat(), *answers)
    context = played.attempt.context
    assert (context.body.data, context.body.top, context.body.replayable) == (b"", None, False)


def test_a_request_without_a_body(made):
    """Requests that only read have no body, and need none."""
    from ..worlds import box, in_order

    runtime = made(box("box", "a0"), settings=in_order(default_backend="box"))
    played = playing(runtime, "/v1/files", b"", answer(200, body=b"{}"), method="GET")
    assert (played.status, played.sent[0].body) == (200, b"")
