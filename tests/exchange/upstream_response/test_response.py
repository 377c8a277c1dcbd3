"""Answers whose body is in memory."""

import trio

from router.exchange.upstream_response.response import NOT_ASKED, BufferedResponse
from router.net.headers import to_lines


def test_an_answer_that_is_at_hand():
    """It is read once, can be put back, and its first fields count."""

    async def main():
        found = BufferedResponse(200, b"OK", to_lines([(b"A", b"1"), (b"a", b"2")]), b"body")
        assert (found.fields, found.ended) == ({b"a": b"1"}, False)
        assert await found.read() == [b"body"]
        assert found.ended
        assert await found.read() == []
        found.put_back(b"more")
        assert (found.ended, await found.read()) == (False, [b"more"])
        found.release()
        found.drop()

    trio.run(main)


def test_no_answer_yet():
    """The placeholder has status 0 and no body."""
    assert (NOT_ASKED.status, NOT_ASKED.ended) == (0, True)
