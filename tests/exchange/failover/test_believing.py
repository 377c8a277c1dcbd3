"""What an upstream says in its body is believed: how long a limit lasts, whose it is, that money is used up; and what
the client is told of a repeat is true, however often fairlead tried itself."""

import json

import pytest
import trio

from ..playbook import on_stage, play, playing
from ..upstreams import Break, Silence, says, streams
from ..worlds import (
    CHAT,
    MESSAGES,
    RESPONSES,
    box,
    chat,
    good,
    in_order,
    members,
    message,
    refuses,
    response,
    states,
    wait,
)

EXCEEDED = "You exceeded your current quota, please check your plan and billing details. Please retry in 42.5s."
DETAILS = [
    {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "PerMinutePerProjectPerModel"}],
    },
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "42s"},
]
PER_MINUTE = says(
    429, {"error": {"code": 429, "message": EXCEEDED, "status": "RESOURCE_EXHAUSTED", "details": DETAILS}}
)
SESSION = ("x-session-id", "s1")


def anthropic(status, text, kind="invalid_request_error"):
    return says(status, {"type": "error", "error": {"type": kind, "message": text}})


def test_a_limit_a_minute_of_one_model(made):
    """Another model is served at once, the same one after the seconds that the body tells."""
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=1.0))

    async def main():
        refused = await play(runtime, CHAT, chat("box:gemini-pro"), PER_MINUTE)
        other = await play(runtime, CHAT, chat("box:gemini-flash"), good())
        early = await play(runtime, CHAT, chat("box:gemini-pro"))
        await trio.sleep(42.5)
        return refused, other, early, await play(runtime, CHAT, chat("box:gemini-pro"), good())

    refused, other, early, late = on_stage(runtime, main)
    assert (refused.status, refused.fields[b"retry-after"], refused.asked) == (429, b"43", ["a0"])
    assert (other.status, early.status, early.asked, late.status) == (200, 429, [], 200)
    assert 1 <= int(early.fields[b"retry-after"]) <= 43
    assert "parked for gemini-pro" in early.json()["error"]["message"]


def test_a_wait_in_the_body_is_waited_for(made):
    """Within its patience a request waits for what the body tells, and is served."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(429, message="Please try again in 7.2s."), good())
    assert (played.status, played.asked) == (200, ["a0", "a0"])
    assert 7.2 <= played.record.total < 10


@pytest.mark.parametrize(
    ("protocol", "path", "body", "failure"),
    [
        ("chat", CHAT, chat(), refuses(402, message="Insufficient Balance")),
        ("chat", CHAT, chat(), refuses(403, message="Your team has used all available credits.")),
        ("chat", CHAT, chat(), refuses(200, code="insufficient_quota")),
        ("messages", MESSAGES, message(), anthropic(400, "Your credit balance is too low to access the API.")),
        ("messages", MESSAGES, message(), anthropic(400, "You have reached your specified API usage limits.")),
        ("messages", MESSAGES, message(), anthropic(200, "no", "billing_error")),
        ("responses", RESPONSES, response(), refuses(402)),
        ("responses", RESPONSES, response(store=True), refuses(429, code="insufficient_quota")),
    ],
)
def test_an_account_without_money_is_followed_by_the_next(made, protocol, path, body, failure):
    """It is left alone, and the request moves on to the next account, or along the chain."""
    pool = made(box("box", "a0", "a1", protocols=(protocol,)), settings=in_order())
    played = playing(pool, path, body, failure, good(protocol))
    assert (played.status, played.asked, states(pool)) == (200, ["a0", "a1"], ["parked", "ready"])
    settings = in_order(fallback={"*": ("second:n",)})
    chain = made(box("box", "b", protocols=(protocol,)), box("second", "c", protocols=(protocol,)), settings=settings)
    played = playing(chain, path, body, failure, good(protocol))
    assert (played.status, played.asked) == (200, ["b", "c"])


def test_an_account_without_money_as_the_first_event(made):
    """An error that is the first event of a stream moves on as one with a status."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    broke = streams(b'data: {"error":{"code":402,"message":"Insufficient credits"}}\n\n')
    played = playing(pool, CHAT, chat(stream=True), broke, good())
    assert (played.status, played.asked, states(pool)) == (200, ["a0", "a1"], ["parked", "ready"])


def test_no_account_has_money(made):
    """The upstream's own words first; then, while nobody is asked, an error that tools do not repeat at once."""
    pool = made(box("box", "a0", "a1", protocols=("chat", "responses")), settings=in_order())

    async def main():
        first = await play(
            pool, CHAT, chat(), refuses(402, message="Insufficient credits"), refuses(402, message="none")
        )
        return first, await play(pool, CHAT, chat()), await play(pool, RESPONSES, response())

    first, second, third = on_stage(pool, main)
    assert (first.status, first.json()["error"]["message"]) == (402, "none")
    assert b"retry-after" not in first.fields
    assert (second.status, second.asked, second.fields[b"retry-after"]) == (402, [], b"600")
    assert second.json()["error"]["code"] == "insufficient_quota"
    assert "has credit left" in second.json()["error"]["message"]
    assert (third.status, third.json()["error"]["code"]) == (429, "insufficient_quota")


def test_a_limit_is_better_news_than_no_money(made):
    """Of both the client gets the one that ends by itself, and when."""
    for failures in ((refuses(402), refuses(429, wait(90))), (refuses(429, wait(90)), refuses(402))):
        pool = made(box("box", "a0", "a1"), settings=in_order())
        played = playing(pool, CHAT, chat(), *failures)
        assert (played.status, played.fields[b"retry-after"]) == (429, b"90")


def test_money_that_is_left_for_smaller_requests(made):
    """A 402 about the size of one request closes nothing to the next."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    played = playing(pool, CHAT, chat(), refuses(402, message="You can only afford 900 tokens."), good())
    assert (played.asked, played.status, states(pool)) == (["a0", "a1"], 200, ["ready", "ready"])


def test_a_model_that_is_refused_leaves_other_conversations_where_they_are(made):
    """403 of a paid model at both accounts: requests for another model keep their account and its cache."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    no = refuses(403, message="this model requires a subscription")

    async def main():
        asked = []
        for number in range(4):
            own = [("x-session-id", f"s{number}")]
            asked.append((await play(pool, CHAT, chat("box:free"), good(), fields=own)).asked)
            assert (await play(pool, CHAT, chat("box:paid"), no, no, fields=own)).status == 403
            asked.append((await play(pool, CHAT, chat("box:free"), good(), fields=own)).asked)
        return asked

    assert on_stage(pool, main) == [["a0"]] * 8
    assert states(pool) == ["ready", "ready"]


def test_two_models_that_are_refused_close_the_account(made):
    """Then all its models are asked of the next one."""
    pool = made(box("box", "a0", "a1"), settings=in_order())

    async def main():
        for model in ("box:m", "box:n"):
            own = [("x-session-id", model)]
            assert (await play(pool, CHAT, chat(model), refuses(403), good(), fields=own)).asked == ["a0", "a1"]
        return await play(pool, CHAT, chat("box:o"), good())

    assert on_stage(pool, main).asked == ["a1"]
    assert states(pool) == ["cooling", "ready"]


@pytest.mark.parametrize(
    "words", ["your input was flagged", "Country, region, or territory not supported", "It breaks our usage policies."]
)
def test_a_403_about_the_request_closes_nothing(made, words):
    """What the request holds, or where it comes from, says nothing of an account; its other accounts would refuse it as
    well, another backend may not."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    played = playing(pool, CHAT, chat(), refuses(403, message=words))
    assert (played.asked, played.status, states(pool)) == (["a0"], 403, ["ready", "ready"])
    assert [one.until("", "m") for one in members(pool)] == [0.0, 0.0]
    chain = made(box("box", "a"), box("second", "b"), settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(chain, CHAT, chat(), refuses(403, message=words), good())
    assert (played.asked, played.status) == (["a", "b"], 200)


TPM = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested {}."


def test_more_tokens_than_a_limit_of_rate_has(made):
    """A 413 that says no wait is about this request: no account is closed, and another backend may take it. One that
    says it closes the model for so long, and the client is told how long."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    played = playing(pool, MESSAGES, message(), refuses(413, message=TPM.format(9000)))
    assert (played.asked, played.status, states(pool)) == (["a0"], 429, ["ready", "ready"])
    assert [one.until("", "m") for one in members(pool)] == [0.0, 0.0]
    chain = made(box("box", "a"), box("second", "b"), settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(chain, MESSAGES, message(), refuses(413, message=TPM.format(9000)), good())
    assert (played.asked, played.status) == (["a", "b"], 200)
    alone = made(box("box", "a"), settings=in_order(queue_timeout=1.0))
    played = playing(alone, MESSAGES, message(), refuses(413, message=f"{TPM.format(900)} Please try again in 40s."))
    assert (played.status, played.fields[b"retry-after"]) == (429, b"40")


@pytest.mark.parametrize(
    ("path", "body"), [(CHAT, chat()), (MESSAGES, message())], ids=["passed through", "translated"]
)
def test_a_request_that_is_too_long_is_asked_once(made, path, body):
    """llama.cpp says it with a 500: no other account is asked, none counts as failing, and nothing says to repeat."""
    pool = made(box("box", "a0", "a1"), box("next", "b"), settings=in_order(fallback={"*": ("next:n",)}))
    long = refuses(500, message="the request exceeds the available context size", type="server_error")
    played = playing(pool, path, body, long, good(), good())
    assert (played.asked, [one.faults for one in members(pool)]) == (["a0"], [0, 0])
    assert played.status == 400
    assert b"retry-after" not in played.fields
    assert "context size" in played.json()["error"]["message"]


FAILURES = {
    "overloaded": refuses(529),
    "its own fault": refuses(500),
    "broken": [Break()],
    "limited": refuses(429, wait(120)),
    "limited by the body": refuses(429, message="try again in 2m"),
    "limited without a time": refuses(429),
}


@pytest.mark.parametrize("accounts", [("a0",), ("a0", "a1")], ids=["one", "two"])
@pytest.mark.parametrize("name", FAILURES)
def test_the_clients_patience_is_longer_than_ours(made, name, accounts):
    """What may succeed later says when, and never that a repeat is of no use, however often fairlead tried."""
    pool = made(box("box", *accounts), settings=in_order(queue_timeout=5.0))
    played = playing(pool, CHAT, chat(), *[FAILURES[name]] * 8)
    assert played.status >= 429
    assert int(played.fields[b"retry-after"]) >= 1
    assert b"x-should-retry" not in played.fields


def test_silence_says_when_to_ask_again(made):
    """An upstream that sends no head in time is one that may answer later."""
    runtime = made(box("box", "a0"), settings=in_order(timeouts_first_byte=10.0))
    played = playing(runtime, CHAT, chat(stream=True), [Silence(999)])
    assert played.status == 504
    assert int(played.fields[b"retry-after"]) >= 1
    assert b"x-should-retry" not in played.fields


def test_an_upstreams_word_against_a_repeat_is_not_that_of_the_pool(made):
    """One account's limit may be for long while another one's ends soon."""
    pool = made(box("box", "a0", "a1"), settings=in_order(queue_timeout=5.0))
    never = (b"x-should-retry", b"false")
    played = playing(pool, CHAT, chat(), refuses(429, wait(20)), refuses(429, wait(9000), never))
    assert (played.status, played.fields[b"retry-after"]) == (429, b"20")
    assert b"x-should-retry" not in played.fields


def test_what_the_client_is_told_of_a_limit_is_true(made):
    """A header that says less than the body is not passed on; one that says as much stays as it came."""
    for fields, words, told in (
        ((wait(2),), "try again in 90s", b"90"),
        (((b"retry-after-ms", b"2000"),), "try again in 90s", b"90"),
        ((wait(90),), "no", b"90"),
    ):
        pool = made(box("box", "a0"), settings=in_order(queue_timeout=5.0))
        played = playing(pool, CHAT, chat(), refuses(429, *fields, message=words))
        assert played.fields[b"retry-after"] == told
        assert b"retry-after-ms" not in played.fields


def test_a_callers_own_credential_is_told_as_well(made):
    """No account is parked for it, and the client hears when to come back."""
    own = box("box", "a0", auth="client")
    pool = made(own, settings=in_order())
    fields = [("authorization", "Bearer sk-of-the-caller-0123456789")]
    played = playing(pool, CHAT, chat(), refuses(429, message="try again in 90s"), fields=fields)
    assert (played.status, played.fields[b"retry-after"]) == (429, b"90")


def test_failures_in_a_row_are_told_as_clients_wait_themselves(made):
    """Each answer asks for more patience, so that an agent's ten tries last for minutes."""
    pool = made(box("box", "a0"), settings=in_order())

    async def main():
        found = []
        for _ in range(7):
            played = await play(pool, CHAT, chat(), refuses(529))
            found.append(int(played.fields[b"retry-after"]))
        return found, json.loads(played.got)

    assert on_stage(pool, main)[0] == [1, 1, 2, 4, 8, 16, 30]


def test_a_limit_beside_failures_is_told_as_the_failures(made):
    """One account is at a limit for long, the other one fails: it is the failing one that may serve next."""
    pool = made(box("box", "a0", "a1"), settings=in_order(queue_timeout=1.0))

    async def main():
        first = await play(pool, CHAT, chat(), refuses(429, wait(9000)), *[refuses(500)] * 5)
        later = [await play(pool, CHAT, chat(), *[refuses(500)] * 5) for _ in range(3)]
        return [int(one.fields[b"retry-after"]) for one in (first, *later)]

    told = on_stage(pool, main)
    assert told == sorted(told)
    assert (told[0] <= 8, told[-1]) == (True, 30)
