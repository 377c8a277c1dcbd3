"""Agents that repeat a request as its answers tell them, behind a proxy: what they live through directly, they live
through here, with one account and with several.

The client stands for Claude Code and the SDKs: it repeats 408, 409, 429 and 5xx up to ten times, obeys x-should-retry
and a retry-after, and takes every other answer for the last one. Its waits are cut short.
"""

import json

import pytest
import trio

from .flock import Caller, flock
from .pools import KEYS, message, pooled, served
from .processes import ALL

REPEATS = 10
#: A request as Codex sends it: it always declares the search of the server.
CODEX = json.dumps(
    {"model": "m", "input": "hi", "store": False, "stream": False, "tools": [{"type": "web_search"}]}
).encode()
FORMS = {
    "claude": ("/v1/messages", message(stream=False)),
    "claude-stream": ("/v1/messages", message()),
    "chat": ("/v1/chat/completions", message(stream=False)),
    "codex": ("/v1/responses", CODEX),
}


async def insist(port, path, body):
    """Ask as a patient client does: the last answer, and how many requests it took."""
    number = 0
    async with Caller(port) as caller:
        while True:
            answer = await caller.ask(path, body)
            number += 1
            told = answer.fields.get("x-should-retry")
            passing = answer.status in (408, 409, 429) or answer.status >= 500 or bool(answer.error)
            if number > REPEATS or not (told == "true" if told else passing):
                return answer, number
            wait = float(answer.fields.get("retry-after", 0.5))
            assert 0 < wait <= 60, "an agent gives up on a longer wait"
            await trio.sleep(min(wait, 0.02))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", ["529", "cut"])
@pytest.mark.parametrize("accounts", [1, 2])
def test_a_backend_that_fails_for_a_while(tmp_path, form, fault, accounts):
    """Six failures in a row end no agent, however many accounts it has; nothing says that a repeat is of no use."""
    path, body = FORMS[form]

    async def main():
        modes = dict.fromkeys(KEYS[:accounts], f"{6 // accounts}-times-{fault}")
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root, KEYS[:accounts])) as serving:
            return await insist(serving.port, path, body)

    answer, _ = trio.run(main)
    assert (answer.status, answer.error) == (200, "")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accounts", [1, 2])
def test_a_limit_that_comes_again(tmp_path, form, accounts):
    """A limit that lasts longer than a request may wait goes to the client with its time, and without a word against
    repeating."""
    path, body = FORMS[form]

    async def main():
        modes = dict.fromkeys(KEYS[:accounts], "429-8")
        options = {"queue_timeout": "300ms"}
        async with (
            flock(modes) as up,
            served(tmp_path, pooled("box", up.root, KEYS[:accounts]), **options) as serving,
            Caller(serving.port) as caller,
        ):
            return [await caller.ask(path, body) for _ in range(3)], up.asked.total()

    answers, asked = trio.run(main)
    for answer in answers:
        assert answer.status == 429
        assert "x-should-retry" not in answer.fields
        assert 1 <= int(answer.fields["retry-after"]) <= 8
    assert asked == accounts


@pytest.mark.parametrize("fault", ["500", "529", "cut"])
@pytest.mark.parametrize(
    ("form", "spoken"), [*((form, ALL) for form in FORMS), ("codex", ("messages",)), ("codex", ("chat",))]
)
def test_a_backend_that_fails_for_ever_has_a_fallback(tmp_path, form, fault, spoken):
    """The fallback serves the first request, also one that declares the search of the server, passed through or
    translated."""
    path, body = FORMS[form]

    async def main():
        modes = {KEYS[0]: fault, KEYS[1]: "good"}
        async with flock(modes) as up:
            backends = (
                pooled("box", up.root, KEYS[:1], protocols=list(spoken)),
                pooled("second", up.root, KEYS[1:2], protocols=list(spoken)),
            )
            async with served(tmp_path, *backends, tables={"fallback": {"*": ("second:n",)}}) as serving:
                answer, number = await insist(serving.port, path, body)
            return answer, number, up.asked

    answer, number, asked = trio.run(main)
    assert (answer.status, number, answer.fields["x-fairlead-backend"]) == (200, 1, "second")
    assert b"good" in answer.body
    assert sum(count for (key, _), count in asked.items() if key == KEYS[0]) == 1


def test_a_request_that_no_repeat_helps(tmp_path):
    """What is final says so once, and an agent stops at once."""

    async def main():
        modes = dict.fromkeys(KEYS[:2], "401")
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root, KEYS[:2])) as serving:
            return await insist(serving.port, *FORMS["claude"])

    answer, number = trio.run(main)
    assert (answer.status, answer.fields["x-should-retry"], number) == (401, "false", 1)
