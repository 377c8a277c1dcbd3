"""The next attempt after each failure, and its effect on the client's answer, the record and the accounts."""

import dataclasses

import pytest

from router.errors import BadGateway
from router.policy.accounts.rate_limit import RateSettings
from router.settings.tables import BackendOptions
from router.upstream.targets import FAR_SECONDS

from ..playbook import on_stage, play, playing
from ..upstreams import Break, Silence, streams
from ..worlds import (
    CHAT,
    RESPONSES,
    box,
    chat,
    good,
    in_order,
    members,
    refuses,
    response,
    states,
    wait,
)

QUOTA = {"code": "insufficient_quota"}


@pytest.mark.parametrize(
    ("failure", "done", "state"),
    [
        (refuses(401), "cooled", "cooling"),
        (refuses(403), "cooled", "ready"),
        (refuses(402), "parked", "parked"),
        (refuses(400, **QUOTA), "parked", "parked"),
        (refuses(403, **QUOTA), "parked", "parked"),
        (refuses(429), "parked", "parked"),
        (refuses(429, **QUOTA), "parked", "parked"),
        (refuses(500), "moved", "ready"),
        (refuses(529), "moved", "ready"),
        ([Break()], "moved", "ready"),
        ([Break(reset=False)], "moved", "ready"),
        ([b"SSH-2.0-server\r\n\r\n"], "moved", "ready"),
        ([good()[0][:-5], Break()], "moved", "ready"),
    ],
)
def test_a_failed_account_is_followed_by_the_next(three, failure, done, state):
    """Each failure that another account may not have moves the request on, and changes the account's state."""
    played = playing(three, CHAT, chat(), failure, good())
    assert played.asked == ["a0", "a1"]
    assert played.status == 200
    assert [one[3] for one in played.tries] == [done, ""]
    assert states(three) == [state, "ready", "ready"]
    assert played.fields[b"x-fairlead-attempts"] == b"2"
    assert b"x-should-retry" not in played.fields
    assert members(three)[0].faults == (done == "moved")


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_an_error_of_the_request_is_final(three, status):
    """Another account would answer the same: none is asked, the account stays as it was."""
    played = playing(three, CHAT, chat(), refuses(status))
    assert (played.asked, played.status) == (["a0"], status)
    assert states(three) == ["ready"] * 3
    assert b"x-should-retry" not in played.fields
    assert played.record.error == "upstream_error"


def test_a_chain_that_failed_is_begun_again(chain):
    """After a wait the request goes to the first backend of the chain, also where each backend has one account."""
    played = playing(chain, CHAT, chat(), *[refuses(500)] * 3, good())
    assert played.asked == ["a", "b", "c", "a"]
    assert [one[3] for one in played.tries] == ["moved", "moved", "retried", ""]


def test_a_chain_may_lead_back(made):
    """An account that failed for one model is asked for another one along the chain."""
    settings = in_order(fallback={"*": ("second:n", "box:o")})
    runtime = made(box("box", "a"), box("second", "b"), settings=settings)
    played = playing(runtime, CHAT, chat(), refuses(500), refuses(500), good())
    assert played.asked == ["a", "b", "a"]
    assert [one.json()["model"] for one in played.sent] == ["m", "n", "o"]
    assert not any("passed over" in note for note in played.record.notes)


def test_an_account_that_cannot_be_reached(three):
    """A request that was never sent moves on; a network failure does not change the account's state."""
    played = playing(three, CHAT, chat(), good(), unreachable=[BadGateway("It could not be reached.")])
    assert played.story == ["! unreachable", "> a1 POST /v1/chat/completions", "< 200", "= 200 application/json"]
    assert played.tries == [("a0", 0, "api_error", "moved"), ("a1", 200, "", "")]
    assert [one.faults for one in members(three)] == [0, 0, 0]


def test_the_chain_is_asked_in_its_order(chain):
    """Each backend gets its own model's name, and the answer names what served it."""
    played = playing(chain, CHAT, chat(), refuses(429, wait(900)), refuses(500), good())
    assert played.asked == ["a", "b", "c"]
    assert [one.json()["model"] for one in played.sent] == ["m", "n", "o"]
    assert played.fields[b"x-fairlead-fallback"] == b"third:o"
    assert played.fields[b"x-fairlead-backend"] == b"third"
    assert (played.record.backend, played.record.account, played.record.route) == ("third", "c", "fallback")
    assert played.record.sent_model == "o"


def test_a_limit_that_ends_soon_is_waited_for(made):
    """One account at a limit of a moment is asked again after it, once the limit is over."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(429, wait(2)), good())
    assert played.asked == ["a0", "a0"]
    assert 2 <= played.record.total < 4
    assert [one[3] for one in played.tries] == ["parked", ""]


def test_a_limit_is_waited_for_twice_at_most(made):
    """Then the client gets the error, with the time to try again: its patience is longer."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), *[refuses(429, wait(2))] * 3)
    assert (played.asked, played.status) == (["a0"] * 3, 429)
    assert played.fields[b"retry-after"] == b"2"
    assert b"x-should-retry" not in played.fields


def test_a_burst_is_waited_for_where_the_sessions_cache_is(three):
    """A conversation stays with its account for a moment's limit, though others are ready."""

    async def main():
        await play(three, CHAT, chat(), good())
        return await play(three, CHAT, chat(), refuses(429, wait(3)), good())

    played = on_stage(three, main)
    assert played.asked == ["a0", "a0"]
    assert 3 <= played.record.total < 5


def test_a_burst_moves_a_conversation_that_begins(three):
    """Nothing is in a cache yet: the next account is asked at once."""
    played = playing(three, CHAT, chat(), refuses(429, wait(3)), good())
    assert played.asked == ["a0", "a1"]
    assert played.record.total == 0


def test_of_two_bursts_the_shorter_one_is_waited_for(made):
    """A conversation that begins waits where an account is ready first, not where it was refused last."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(429, wait(1)), refuses(429, wait(4)), good())
    assert played.asked == ["a0", "a1", "a0"]
    assert 1 <= played.record.total < 2


def test_all_that_failed_are_asked_again(three):
    """When every account failed, the one with the fewest failures is asked again after a wait, twice at most."""
    played = playing(three, CHAT, chat(), *[refuses(500)] * 6)
    assert played.asked[:3] == ["a0", "a1", "a2"]
    assert len(played.asked) == 5
    assert [one[3] for one in played.tries] == ["moved", "moved", "retried", "retried", ""]
    assert played.record.total >= 0.5 + 1.0
    assert (played.status, played.fields[b"retry-after"]) == (500, b"1")
    assert b"x-should-retry" not in played.fields


@pytest.mark.parametrize("last", [refuses(401), refuses(403), refuses(429, wait(1800)), refuses(402)])
@pytest.mark.parametrize("stumble", [refuses(529), [Break()]], ids=["busy", "broken"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_an_account_that_stumbles_beside_one_that_is_closed_is_asked_again(made, stumble, last, first):
    """Whichever was asked first: the client does not notice that one stumbled while the others rest."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    two = (stumble, last) if first else (last, stumble)
    played = playing(runtime, CHAT, chat(), *two, stumble, good())
    assert (played.status, played.asked) == (200, ["a0", "a1", *["a0" if first else "a1"] * 2])


TOO_LONG = "the request exceeds the available context size"


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_of_the_request_goes_before_the_faults_of_accounts(made, status):
    """A client that is told to repeat it would only hear it later."""
    for fault in (refuses(529), refuses(429, wait(900)), [Break()]):
        runtime = made(box("box", "a0", "a1"), settings=in_order())
        played = playing(runtime, CHAT, chat(), fault, refuses(status, message=TOO_LONG))
        assert (played.status, TOO_LONG in played.json()["error"]["message"]) == (400, True)
        assert b"retry-after" not in played.fields


@pytest.mark.parametrize("last", [refuses(500, message=TOO_LONG), refuses(404, message="no such model")])
def test_what_only_a_fallback_refuses_is_no_better_news(made, last):
    """The model that was asked for exists, and may take it: what its own backend said is given."""
    runtime = made(box("box", "a"), box("second", "b"), settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(runtime, CHAT, chat(), refuses(429, wait(900)), last)
    assert (played.status, played.asked) == (429, ["a", "b"])
    assert 1 <= int(played.fields[b"retry-after"]) <= 900


@pytest.mark.parametrize("closed", [401, 403])
def test_a_key_that_is_refused_beside_a_fault_does_not_forbid_a_repeat(made, closed):
    """The account that failed may serve the next time."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(closed), *[refuses(529)] * 3)
    assert b"x-should-retry" not in played.fields


def test_an_account_without_a_key_does_not_forbid_a_repeat(made):
    """Another one failed, and may serve the next time."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    targets = runtime.snapshot.services["box"].targets
    targets["a0"] = dataclasses.replace(targets["a0"], problem="the keyring is locked.")
    played = playing(runtime, CHAT, chat(), *[refuses(529)] * 4)
    assert "a1" in played.asked
    assert b"x-should-retry" not in played.fields


def test_one_account_is_left_to_the_clients_own_retries(made):
    """Without another place a 500 is given as it came, and the client may try again."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(500))
    assert (played.asked, played.status) == (["a0"], 500)
    assert b"x-should-retry" not in played.fields


UNSAFE = [refuses(500), [Break()]]


HARMLESS = [refuses(401), refuses(429, wait(900))]


@pytest.mark.parametrize("failure", [*UNSAFE, *HARMLESS])
@pytest.mark.parametrize(
    ("body", "safe"),
    [
        (response(), True),
        (response(store=True), False),
        (response(background=True), False),
        (response(previous_response_id="resp_9"), False),
        (response(tools=[{"type": "web_search"}]), True),
        (response(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]), True),
        (response(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]), False),
        (response(tools=[{"type": "function", "name": "f"}]), True),
    ],
)
def test_what_may_have_been_carried_out_is_not_sent_again(made, failure, body, safe):
    """A Responses request that leaves traces moves only while nothing can have been done."""
    runtime = made(box("box", "a0", "a1", protocols=("responses",)), settings=in_order())
    played = playing(runtime, RESPONSES, body, failure, good("responses"))
    again = safe or failure in HARMLESS
    assert played.asked == (["a0", "a1"] if again else ["a0"])
    assert (played.status == 200) is again


@pytest.mark.parametrize("failure", UNSAFE)
@pytest.mark.parametrize(
    "body",
    [response(store=True), response(store=None), response(tools=[{"type": "web_search"}, {"type": "tool_search"}])],
)
def test_what_was_translated_is_sent_again(made, failure, body):
    """A stored answer is kept by this proxy, and a tool that the translation drops cannot have run: a failed upstream
    is followed by the next account, and by another protocol along the chain."""
    pool = made(box("box", "a0", "a1"), settings=in_order())
    assert playing(pool, RESPONSES, body, failure, good()).asked == ["a0", "a1"]
    chain = made(
        box("box", "a"), box("second", "b", protocols=("messages",)), settings=in_order(fallback={"*": ("second:n",)})
    )
    played = playing(chain, RESPONSES, body, failure, good("messages"))
    assert (played.asked, played.status) == (["a", "b"], 200)


def test_silence_before_the_head_moves_on(made):
    """Each attempt of a stream has its own limit, and the last is judged like the first."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(timeouts_first_byte=10.0))
    played = playing(runtime, CHAT, chat(stream=True), *[[Silence(999)]] * 4)
    assert played.asked == ["a0", "a1", "a0", "a1"]
    assert played.status == 504
    assert "sent no answer within 10 s" in played.json()["error"]["message"]
    assert int(played.fields[b"retry-after"]) >= 1
    assert b"x-should-retry" not in played.fields


def test_a_slow_connection_moves_on(made):
    """The limit to connect is the attempt's own as well, and counts as nothing sent."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(timeouts_connect=3.0))
    played = playing(runtime, CHAT, chat(), good(), unreachable=[Silence(99)])
    assert (played.asked, played.status, played.record.total) == (["a1"], 200, 3.0)
    assert played.tries[0] == ("a0", 0, "timeout_error", "moved")


def test_no_attempt_begins_too_late(made):
    """240 s after it arrived a request is not sent again: what waits then goes on to its own limit."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    assert FAR_SECONDS > 240
    played = playing(runtime, CHAT, chat(stream=True), [Silence(999)], good())
    assert (played.asked, played.status, played.record.total) == (["a0"], 200, FAR_SECONDS)
    assert b"timeouts.first_byte" in played.got


def test_a_streams_preamble_that_falls_silent_moves_on(made):
    """Silence before any content is an error of the attempt while another may follow."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(timeouts_idle=7.0))
    begun = b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    played = playing(runtime, CHAT, chat(stream=True), streams(begun, Silence(99)), good())
    assert (played.asked, played.status, played.record.total) == (["a0", "a1"], 200, 7.0)


def test_a_parked_account_is_waited_for(made):
    """Within the queue's timeout a request waits for the account, and the wait is recorded."""
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=60.0))

    async def main():
        await play(runtime, CHAT, chat(), *[refuses(429, wait(40))] * 3)
        return await play(runtime, CHAT, chat(), good())

    played = on_stage(runtime, main)
    assert played.status == 200
    assert 0 < played.record.queued <= 40
    assert played.record.total >= played.record.queued
    assert any(note.endswith("for an account of box to be ready") for note in played.record.notes)


def test_patience_is_of_the_whole_request(made):
    """What was waited for one limit is not waited again for the next."""
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=50.0))
    played = playing(runtime, CHAT, chat(), refuses(429, wait(30)), refuses(429, wait(30)), good())
    assert (played.asked, played.status) == (["a0", "a0"], 429)
    assert 30 <= played.record.total < 40


def test_a_full_backend_leads_along_the_chain(made):
    """At a limit that the user set the request moves along the chain, and the backend passed over is noted."""
    settings = in_order(
        queue_timeout=5.0, fallback={"*": ("second:n", "third:o")}, backends={"box": BackendOptions(rpm=1)}
    )
    runtime = made(box("box", "a"), box("second", "b"), box("third", "c"), settings=settings)

    async def main():
        await play(runtime, CHAT, chat(), good())
        return await play(runtime, CHAT, chat(), good())

    played = on_stage(runtime, main)
    assert (played.asked, played.status) == (["b"], 200)
    assert "box passed over: no place for it in time (rpm)" in played.record.notes


def test_tokens_are_counted_when_the_answer_ends(made):
    """A limit of tokens counts an estimate first, and what was used in its place at the end."""
    runtime = made(box("box", "a0"), settings=in_order(backends={"box": BackendOptions(tpm=1000)}))
    played = playing(runtime, CHAT, chat(), good())
    line = runtime.snapshot.services["box"].queue
    assert line.rate_limit.limits == RateSettings(None, 1000, 0.0)
    assert played.record.usage.input + played.record.usage.output == 4
    assert line.rate_limit.used(line.clock())["tpm"][0] == 4
