"""The copy of an answer: whole, bounded, and no burden to the observer that was there before."""

import pytest

from router.exchange.answer_cache import recorder as module
from router.exchange.answer_cache.recorder import AnswerRecorder
from router.host.memory_bound import MemoryBound

HEAD = [(b"Content-Type", b"application/json"), (b"x-other", b"1")]


class Inner:
    """Another observer."""

    def __init__(self):
        self.told = []

    def note_head(self, status, headers):
        self.told.append((status, list(headers)))

    def note_body(self, pieces):
        self.told.append(list(pieces))


def test_a_whole_answer():
    """Its type and its bytes; the observer before it is told of the same."""
    inner = Inner()
    copy = AnswerRecorder(MemoryBound(), inner)
    copy.note_head(200, HEAD)
    copy.note_body((b"one", memoryview(b" two")))
    assert (copy.content_type, copy.body) == ("application/json", b"one two")
    assert inner.told == [(200, HEAD), [b"one", b" two"]]


@pytest.mark.parametrize(("status", "more"), [(404, []), (200, [(b"Content-Encoding", b"gzip")])])
def test_what_is_not_kept(status, more):
    """Another status than 200, and a body that is compressed for this client."""
    copy = AnswerRecorder(MemoryBound(), None)
    copy.note_head(status, [*HEAD, *more])
    copy.note_body((b"one",))
    assert copy.body is None


def test_too_large_an_answer(monkeypatch):
    """Its memory is given back at once, and the answer goes on."""
    monkeypatch.setattr(module, "ENTRY_LIMIT", 5)
    bound = MemoryBound()
    copy = AnswerRecorder(bound, None)
    copy.note_head(200, HEAD)
    copy.note_body((b"abc",))
    assert bound.reserved == 3
    copy.note_body((b"def",))
    copy.note_body((b"ghi",))
    assert (bound.reserved, copy.body) == (0, None)


def test_no_memory_left():
    """An answer that finds no room is not copied; the request has no error."""
    bound = MemoryBound(limit=4)
    copy = AnswerRecorder(bound, None)
    copy.note_head(200, HEAD)
    copy.note_body((b"12345",))
    assert (bound.reserved, copy.body) == (0, None)


def test_released():
    """At the end all memory is given back."""
    bound = MemoryBound()
    copy = AnswerRecorder(bound, None)
    copy.note_body((b"abc",))
    copy.release()
    copy.release()
    assert bound.reserved == 0
