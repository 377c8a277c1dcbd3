"""What a probe gets: requests of each protocol, waits that a backend asks for, and ends of a run."""

import json

import pytest
import trio

from router.conform import bench as benches
from router.conform.bench import ALL_WAITS_SECONDS, LOST_LIMIT, MOST_OUTPUT, WAIT_SECONDS, Stopped
from router.conform.record import Unknown

from ..answers import GOOD
from ..net.peers import scripted
from .benches import make_backend, make_bench, run_plan, verdicts


@pytest.fixture
def slept(monkeypatch):
    """The waits, which take no time."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(benches.trio, "sleep", sleep)
    return waits


def answer_in_turn(peer, *answers):
    """One answer after the other at Chat's path; the last one again and again."""
    left = list(answers)
    peer.answers["/v1/chat/completions"] = lambda headers: left.pop(0) if len(left) > 1 else left[0]


GOOD_CHAT = (200, {}, json.dumps(GOOD["chat"]).encode())


def busy(after):
    """A 429 that tells a wait."""
    return 429, {"retry-after": after}, b'{"error":{"message":"slow down"}}'


def ask(bench):
    """One request of Chat."""
    return trio.run(lambda: bench.ask("chat", bench.make_request("chat")))


@pytest.mark.parametrize("protocol", ["messages", "chat", "responses"])
def test_a_request_is_small(protocol):
    """It names the model, asks for few tokens, and has what is named in place of the usual."""
    bench = make_bench("http://127.0.0.1:1/v1")
    body = bench.make_request(protocol, "Hello.", output=4096, temperature=1, model="other")
    assert body["model"] == "other"
    assert body["temperature"] == 1
    assert body[bench.caps[protocol]] == MOST_OUTPUT
    assert "Hello." in json.dumps(body)
    assert "model" not in bench.make_request(protocol, model=None)


def test_a_short_wait_is_waited(slept):
    """A 429 that tells a wait is asked once more after it: many accounts have few requests a minute."""
    with scripted() as peer:
        bench = make_bench(peer.root)
        answer_in_turn(peer, busy("7"), GOOD_CHAT)
        assert ask(bench).ok
    assert slept == [7]
    assert bench.budget.requests == 2


@pytest.mark.parametrize("after", [str(WAIT_SECONDS + 1), "0", "soon", ""])
def test_a_long_wait_is_not(slept, after):
    """Where the wait is long, or none is told, the probe cannot tell."""
    with scripted() as peer:
        bench = make_bench(peer.root)
        answer_in_turn(peer, busy(after))
        with pytest.raises(Unknown, match="429 slow down"):
            ask(bench)
    assert slept == []


def test_waits_have_an_end(slept):
    """All waits of a run together are bounded."""
    with scripted() as peer:
        bench = make_bench(peer.root)
        answer_in_turn(peer, busy("20"))
        for _ in range(30):
            with pytest.raises(Unknown):
                ask(bench)
    assert sum(slept) <= ALL_WAITS_SECONDS
    assert len(slept) == ALL_WAITS_SECONDS // 20


@pytest.mark.parametrize("status", [401, 402, 403, 408, 429, 502, 503, 529])
def test_what_says_nothing_of_the_request(status):
    """An answer that another request would have got too is no verdict."""
    with scripted() as peer:
        answer_in_turn(peer, (status, {}, b'{"error":{"message":"not now"}}'))
        with pytest.raises(Unknown, match=f"{status} not now"):
            ask(make_bench(peer.root))


@pytest.mark.parametrize("status", [400, 404, 405, 422, 500, 501])
def test_a_refusal_is_an_answer(status):
    """A refusal of the request itself is for the probe to judge; some servers refuse with 500."""
    with scripted() as peer:
        answer_in_turn(peer, (status, {}, b'{"error":{"message":"no"}}'))
        reply = ask(make_bench(peer.root))
    assert reply.refused
    assert reply.describe() == f"{status} no"


def test_a_backend_that_is_gone_is_not_asked_on():
    """After some requests that got no answer nothing more is sent."""
    with scripted() as peer:
        root = peer.root
    bench = make_bench(root)
    for _ in range(LOST_LIMIT):
        with pytest.raises(Unknown, match="refused the connection"):
            ask(bench)
    with pytest.raises(Stopped):
        ask(bench)
    assert bench.budget.requests == LOST_LIMIT


def test_the_name_of_the_limit_is_found():
    """A backend that refuses one name of the output limit is asked with the other from then on."""
    sent = []

    def judge(headers):
        body = json.loads(peer.seen[-1][3])
        sent.append("max_tokens" in body)
        if "max_tokens" in body:
            return 400, {}, b'{"error":{"message":"Unsupported parameter: max_tokens"}}'
        return GOOD_CHAT

    with scripted() as peer:
        peer.answers["/v1/chat/completions"] = judge
        found = run_plan(make_backend(peer.root, protocols=("chat",)), ("protocols.chat", "roles.same_role"), model="m")
    assert verdicts(found) == {"protocols.chat": "yes", "roles.same_role": "yes"}
    assert sent == [True, False, False]
