"""Bodies that are read whole: decoded, bounded, and forgotten once they are not needed."""

import gzip
import json

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
