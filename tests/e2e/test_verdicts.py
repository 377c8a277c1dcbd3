"""An account that fails is judged by what it said itself, whichever protocol the caller speaks: over real sockets."""

import json
import re

import pytest
import trio

from .flock import ANSWER, flock, once
from .pools import KEYS, pooled, served
from .processes import ALL

PATHS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}
#: Name -> status and error of an upstream that speaks Chat, the attempts that follow, the state of its account.
SAID = {
    "no more quota": (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, 2, "parked"),
    "a rate": (429, {"type": "rate_limit_error", "code": "rate_limit_exceeded"}, 2, "parked"),
    "a bad key": (401, {"type": "invalid_request_error", "code": "invalid_api_key"}, 2, "cooling"),
    "too busy": (503, {"type": "server_error", "code": None}, 2, "ready"),
    "not here": (451, {"type": "invalid_request_error", "code": None}, 1, "ready"),
    "too slow": (408, {"type": "invalid_request_error", "code": None}, 1, "ready"),
    "gone": (498, {"type": "invalid_request_error", "code": None}, 1, "ready"),
    "no balance": (402, {"type": "unknown_error", "code": None, "message": "Insufficient Balance"}, 2, "parked"),
    "no credit": (400, {"type": "x", "code": None, "message": "Your credit balance is too low."}, 2, "parked"),
    "no credits": (403, {"code": None, "message": "Your team has used all available credits."}, 2, "parked"),
    "a wait in words": (429, {"code": None, "message": "Please try again in 42s."}, 2, "parked"),
    "one model": (403, {"type": "x", "code": None, "message": "It requires a subscription."}, 2, "ready"),
    "what was asked": (403, {"type": "x", "code": None, "message": "Your input was flagged."}, 1, "ready"),
    "money in a 200": (200, {"code": 402}, 2, "parked"),
    "quota in a 200": (200, {"type": "insufficient_quota", "code": "insufficient_quota"}, 2, "parked"),
    "key in a 200": (200, {"code": 401}, 2, "cooling"),
}


def asks(caller, *, stream):
    """A request in the caller's protocol."""
    said = (
        {"input": "hi", "store": False} if caller == "responses" else {"messages": [{"role": "user", "content": "hi"}]}
    )
    limit = {"max_tokens": 9} if caller == "messages" else {}
    return json.dumps({"model": "m", "stream": stream, **limit, **said}).encode()


async def asked(folder, caller, name, *, stream):
    """What a caller gets of two accounts, of which the first says this; the attempts, and the state of that account."""
    status, error, _, _ = SAID[name]
    body = json.dumps({"error": {"message": "no", "param": None, **error}}).encode()
    folder.mkdir()
    async with (
        flock({}) as up,
        served(folder, pooled("box", up.root, KEYS[:2], protocols=["chat"])) as serving,
    ):
        up.said = {KEYS[0]: (status, body), KEYS[1]: (200, json.dumps(ANSWER[PATHS["chat"]]).encode())}
        answer = await once(serving.port, PATHS[caller], asks(caller, stream=stream))
        service = serving.runtime.snapshot.services["box"]
        member, now = service.pool.members[0], service.queue.clock()
        [entry] = serving.runtime.recorder.recent
        tries = [(one.account, one.status, one.error, one.done, re.sub(r"\d+ s", "", one.note)) for one in entry.tries]
        assert up.asked.total() == entry.attempts == int(answer.fields["x-fairlead-attempts"])
        account = member.state(now), round(max(0.0, member.closed - now), -1), member.rejections, member.faults
    return answer, tries, account


@pytest.mark.parametrize("name", SAID)
def test_a_verdict_does_not_hang_on_the_callers_protocol(tmp_path, name):
    """Callers of all protocols have the same attempts at a Chat backend, and leave its account in the same state; when
    the next account answers, none of them sees the error."""
    _, _, attempts, state = SAID[name]
    found = {}

    async def one(caller, stream):
        folder = tmp_path / f"{caller}-{stream}"
        found[caller, stream] = await asked(folder, caller, name, stream=stream)

    async def main():
        async with trio.open_nursery() as nursery:
            for caller in ALL:
                for stream in (False, True):
                    nursery.start_soon(one, caller, stream)

    trio.run(main)
    relayed = found["chat", False][1:]
    assert (len(relayed[0]), relayed[1][0]) == (attempts, state)
    for answer, tries, account in found.values():
        assert (tries, account) == relayed
        assert (answer.status == 200) is (attempts == 2)
