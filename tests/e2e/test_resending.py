"""What is sent again, by the upstream's own count: endpoints by faults, as policy/accounts/retry.py says."""

import pytest
import trio

from .flock import flock, once
from .pools import KEYS, LONG, message, pooled, served
from .processes import backend

FREE = {
    "/v1/messages": message(stream=False),
    "/v1/messages/count_tokens": message(stream=False),
    "/v1/chat/completions": message(stream=False),
    "/v1/embeddings": b'{"model":"m","input":"x"}',
    "/v1/responses": b'{"model":"m","store":false,"input":"x"}',
}
SERVED = {
    "/v1/responses": b'{"model":"m","input":"x"}',
    "/v1/images/generations": b'{"model":"m","prompt":"x"}',
    "/v1/batches": b'{"x":1}',
}
BEFORE, AFTER = ("401", "403", "429"), ("500", "529", "cut")


@pytest.mark.parametrize("fault", BEFORE + AFTER)
@pytest.mark.parametrize(
    ("path", "body", "free"),
    [*((path, body, True) for path, body in FREE.items()), *((path, body, False) for path, body in SERVED.items())],
)
def test_what_is_sent_again(tmp_path, path, body, free, fault):
    """The upstream's own count: what may have been served is sent again only where that does no harm."""

    async def main():
        async with flock({KEYS[0]: fault}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            answer = await once(serving.port, path, body)
            return answer, sum(up.asked.values()), up.asked[KEYS[0], path]

    answer, asked, first = trio.run(main)
    assert first == 1
    moves = free or fault in BEFORE
    assert asked == (2 if moves else 1)
    assert (answer.status == 200) is moves
    assert answer.fields.get("x-fairlead-attempts") == str(asked)
    assert "x-should-retry" not in answer.fields


@pytest.mark.parametrize(
    ("path", "again"),
    [("/v1/messages", True), ("/v1/chat/completions", True), ("/v1/embeddings", True), ("/v1/responses", False)],
)
def test_errors_inside_a_200(tmp_path, path, again):
    """An error in the place of an answer counts as the 5xx it should have been."""

    async def main():
        async with flock({KEYS[0]: "error"}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2])) as serving:
            body = SERVED[path] if path in SERVED else FREE[path]
            answer = await once(serving.port, path, body)
            return answer.status, sum(up.asked.values())

    assert trio.run(main) == ((200, 2) if again else (529, 1))


@pytest.mark.parametrize("fault", BEFORE + AFTER)
def test_what_is_deleted_again(tmp_path, fault):
    """A DELETE moves only while nobody can have carried it out."""

    async def main():
        async with flock({KEYS[0]: fault}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            answer = await once(serving.port, "/v1/responses/resp_1", b"", method="DELETE")
            return answer.status, sum(up.asked.values())

    status, asked = trio.run(main)
    assert asked == (2 if fault in BEFORE else 1)
    assert (status == 200) is (fault in BEFORE)


@pytest.mark.parametrize(("path", "body"), [*FREE.items(), *SERVED.items()])
def test_what_was_never_sent_moves(tmp_path, path, body):
    """Where no connection came about, anything may go on along the chain, and is sent once."""

    async def main():
        async with flock({}) as up:
            backends = [
                pooled("box", "http://127.0.0.1:9/v1", KEYS[:1]),
                backend("second", up.root, auth="key", key="key-of-second"),
            ]
            tables = {"fallback": {"*": ("second:m",)}}
            async with served(tmp_path, *backends, tables=tables, **LONG) as serving:
                answer = await once(serving.port, path, body)
            return answer, sum(up.asked.values())

    answer, asked = trio.run(main)
    if b'"model"' in body:
        assert (answer.status, answer.fields["x-fairlead-backend"], asked) == (200, "second", 1)
    else:
        assert (answer.status, asked) == (502, 0), "without a model there is no chain"
