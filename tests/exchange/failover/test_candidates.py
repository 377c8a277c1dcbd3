"""The accounts that one request may be sent to: sessions, sealed input, ids of one account, the chain."""

import json

import pytest
import trio

from router.errors import BadGateway

from ..attempts import GOOD
from ..playbook import on_stage, play, playing
from ..upstreams import says
from ..worlds import (
    CHAT,
    MESSAGES,
    RESPONSES,
    box,
    chat,
    good,
    guarded,
    in_order,
    members,
    message,
    refuses,
    response,
    states,
    wait,
)


def test_a_chain_begins_behind_a_parked_account(chain):
    """A backend whose only account is parked is not asked at all."""

    async def main():
        first = await play(chain, CHAT, chat(), refuses(429, wait(900)), good())
        return first, await play(chain, CHAT, chat(), good())

    first, second = on_stage(chain, main)
    assert (first.asked, second.asked) == (["a", "b"], ["b"])
    assert second.fields[b"x-fairlead-attempts"] == b"1"


def test_the_chain_leads_to_where_an_account_is_ready_first(chain):
    """With every backend parked, the request waits at the one that is free first."""

    async def main():
        await play(chain, CHAT, chat(), *(refuses(429, wait(seconds)) for seconds in (900, 100, 600)))
        await trio.sleep(60)
        return await play(chain, CHAT, chat(), good())

    played = on_stage(chain, main)
    assert (played.asked, played.status) == (["b"], 200)
    assert played.record.queued == pytest.approx(40, abs=0.1)


def test_a_cooling_account_is_the_last_resort(three):
    """An account whose key was refused is passed over while others are ready, and asked when none is."""

    async def main():
        first = await play(three, CHAT, chat(), refuses(401), good())
        second = await play(three, CHAT, chat(), good())
        for member in members(three)[1:]:
            three.snapshot.services["box"].pool.park(member, trio.current_time(), 900, "said so")
        return first, second, await play(three, CHAT, chat(), good())

    first, second, third = on_stage(three, main)
    assert (first.asked, second.asked, third.asked) == (["a0", "a1"], ["a1"], ["a0"])
    assert states(three)[0] == "ready"  # it answered


def test_a_session_stays_with_its_account(made):
    """A conversation goes on where it began; others are spread."""
    runtime = made(box("box", "a0", "a1", "a2"))

    def said(text, *more):
        return {"model": "box:m", "messages": [{"role": "user", "content": text}, *more]}

    async def main():
        found = []
        for text in ("one", "two", "three", "one", "two", "three"):
            more = [{"role": "assistant", "content": "x"}] if len(found) > 2 else []
            found.append(await play(runtime, CHAT, said(text, *more), good()))
        return found

    found = on_stage(runtime, main)
    asked = [one.asked[0] for one in found]
    assert sorted(asked[:3]) == ["a0", "a1", "a2"]
    assert asked[3:] == asked[:3]
    assert [one.record.binding.turns for one in found] == [1, 1, 1, 2, 2, 2]
    assert found[0].record.binding.account == asked[0]


def test_what_a_moved_session_gives_up(made):
    """The record tells the account a conversation left, and the tokens its cache held there."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    cached = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 7}}

    async def main():
        first = await play(runtime, CHAT, chat(), _with_usage(cached))
        return first, await play(runtime, CHAT, chat(), refuses(429, wait(900)), good())

    first, second = on_stage(runtime, main)
    assert first.record.usage.cache_read == 7
    assert (second.record.binding.account, second.record.binding.turns) == ("a0", 2)
    assert second.record.given_up == 7
    assert second.asked == ["a0", "a1"]


def _with_usage(usage):
    return says(200, {**GOOD["chat"], "usage": usage})


def test_a_caller_with_its_own_key_is_not_moved(made):
    """A refusal of the caller's own credential parks nothing."""
    runtime = made(box("box", auth="client"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(401), fields=[("authorization", "Bearer sk-callers-own")])
    assert (len(played.sent), played.status) == (1, 401)
    assert states(runtime) == ["ready"]
    assert [one[1:] for one in played.tries] == [(401, "upstream_error", "")]


SEALED = response(input=[{"type": "reasoning", "summary": [], "encrypted_content": "x"}])


UNREADABLE = refuses(400, code="invalid_encrypted_content")


@pytest.fixture
def sealing(made):
    return made(box("box", "a0", "a1", "a2", protocols=("responses",)), settings=in_order())


def test_sealed_input_finds_who_can_read_it(sealing):
    """An account that cannot read the sealed input is left for the next, and stays ready."""
    played = playing(sealing, RESPONSES, SEALED, UNREADABLE, UNREADABLE, good("responses"))
    assert (played.asked, played.status) == (["a0", "a1", "a2"], 200)
    assert [one[3] for one in played.tries] == ["moved", "moved", ""]
    assert states(sealing) == ["ready"] * 3


def test_input_without_a_seal_is_not_searched_for(sealing):
    """The same 400 is final where the request holds nothing sealed."""
    played = playing(sealing, RESPONSES, response(), UNREADABLE)
    assert (played.asked, played.status) == (["a0"], 400)


def test_sealed_input_stays_with_its_writer(sealing):
    """The account the conversation is bound to wrote it: when that one is at a limit, no other is asked."""

    async def main():
        await play(sealing, RESPONSES, SEALED, good("responses"))
        return await play(sealing, RESPONSES, SEALED, refuses(429, wait(900)))

    played = on_stage(sealing, main)
    assert (played.asked, played.status) == (["a0"], 429)


def test_sealed_input_moves_within_its_organisation(sealing):
    """Another account of the writer's organisation can read it."""
    for member, group in zip(members(sealing), ("north", "south", "north"), strict=True):
        member.group = group

    async def main():
        await play(sealing, RESPONSES, SEALED, good("responses"))
        return await play(sealing, RESPONSES, SEALED, refuses(429, wait(900)), good("responses"))

    played = on_stage(sealing, main)
    assert (played.asked, played.status) == (["a0", "a2"], 200)


def test_sealed_input_leaves_the_chain_alone(made):
    """Input that only its writer can read is not sent to another backend."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a"), ("second", "b")))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(runtime, RESPONSES, SEALED, refuses(429, wait(900)))
    assert (played.asked, played.status) == (["a"], 429)


def test_an_id_pins_its_account(sealing):
    """A follow-up goes to the account that gave the answer; when that is parked, the error names it."""
    sealing.resource_owners.remember("resp_9", "box", "a1", "responses")
    body = response(previous_response_id="resp_9")

    async def main():
        first = await play(sealing, RESPONSES, body, refuses(429, wait(900)))
        return first, await play(sealing, RESPONSES, body)

    first, second = on_stage(sealing, main)
    assert (first.asked, first.status) == (["a1"], 429)
    assert (second.asked, second.status) == ([], 429)
    assert "This request needs the account a1" in second.json()["error"]["message"]


def test_a_session_whose_account_is_parked_moves(made):
    """The record has the number of requests that the conversation had sent to its account."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())

    async def main():
        for _ in range(3):
            await play(runtime, CHAT, chat(), good())
        runtime.snapshot.services["box"].pool.park(members(runtime)[0], trio.current_time(), 900, "said so")
        return await play(runtime, CHAT, chat(), good())

    played = on_stage(runtime, main)
    assert played.asked == ["a1"]
    assert (played.record.binding.account, played.record.binding.turns) == ("a0", 3)


def test_a_backend_that_does_not_speak_it_is_left_out_of_the_chain(made):
    """A call that is not translated goes only where it is spoken."""
    settings = in_order(fallback={"*": ("second:n", "third:o")})
    second = box("second", "b", protocols=("messages",))
    runtime = made(box("box", "a"), second, box("third", "c"), settings=settings)
    played = playing(runtime, "/v1/embeddings", {"model": "box:m", "input": "x"}, refuses(500), says(200, {"data": []}))
    assert played.asked == ["a", "c"]


def test_an_upload_has_no_chain(made):
    """A multipart body stays with its backend, since its model was renamed for that one."""
    runtime = made(box("box", "a"), box("second", "b"), settings=in_order(fallback={"*": ("second:n",)}))
    body = (b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nbox:m\r\n--x--\r\n',)
    kind = ("content-type", "multipart/form-data; boundary=x")
    played = playing(
        runtime, "/v1/audio/transcriptions", b"", fields=[kind], pieces=body, unreachable=[BadGateway("no way")] * 9
    )
    assert (played.asked, played.status) == ([], 502)
    assert played.tries == [("a", 0, "api_error", "")]


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ((refuses(429, wait(900)), refuses(500)), ["a0", "a1", "a1"]),
        ((refuses(429, wait(900)), UNREADABLE), ["a0", "a1", "a2"]),
        ((UNREADABLE, refuses(500)), ["a0", "a1", "a2"]),
    ],
)
def test_sealed_input_whose_writer_is_not_known(sealing, failures, asked):
    """The first account that fails otherwise may have written it: then only its group is asked, until one of them
    cannot read it."""
    for member, group in zip(members(sealing), ("north", "north", "south"), strict=True):
        member.group = group
    played = playing(sealing, RESPONSES, SEALED, *failures, good("responses"))
    assert played.asked == asked


@pytest.mark.parametrize("protocols", [("responses",), ("chat",)])
def test_sealed_state_binds_at_a_responses_backend(made, protocols):
    """An account of a Responses backend may be unable to read sealed reasoning; Chat backends have none."""
    runtime = made(box("box", "a0", "a1", protocols=protocols), settings=in_order())
    thought = {"type": "thinking", "thinking": "hm", "signature": "rtr1.abc"}
    said = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "so"}]},
        {"role": "user", "content": "go on"},
    ]
    answer = good(protocols[0])
    played = playing(runtime, MESSAGES, message(messages=said), UNREADABLE, answer)
    assert played.asked == (["a0", "a1"] if protocols == ("responses",) else ["a0"])


@pytest.mark.parametrize("protocols", [("responses",), ("chat",)])
def test_state_in_signatures_binds_too(made, protocols):
    """Callers of Google's API send the sealed reasoning back as signatures."""
    runtime = made(box("box", "a0", "a1", protocols=protocols), settings=in_order())
    said = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "so", "thoughtSignature": "cnRyMS4AYWJj"}]},
        {"role": "user", "parts": [{"text": "go on"}]},
    ]
    path, body = "/v1beta/models/box%3Am:generateContent", json.dumps({"contents": said}).encode()
    played = playing(runtime, path, body, UNREADABLE, good(protocols[0]))
    assert played.asked == (["a0", "a1"] if protocols == ("responses",) else ["a0"])


def test_an_account_parked_for_one_family(made):
    """One account that is parked for a family of models serves the others."""
    runtime = made(box("box", "a0"), settings=in_order())

    async def main():
        pool = runtime.snapshot.services["box"].pool
        pool.park(members(runtime)[0], trio.current_time(), 900, "said so", "opus")
        return [
            await play(runtime, CHAT, chat(f"box:{model}"), good()) for model in ("claude-opus-4", "claude-haiku-4")
        ]

    opus, haiku = on_stage(runtime, main)
    assert (opus.asked, opus.status) == ([], 429)
    assert (haiku.asked, haiku.status) == (["a0"], 200)


def test_when_no_other_account_is_left_the_guard_says_why(made):
    """Halted accounts are passed over only while that leaves another."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    guarded(runtime, "account box/a0", "account box/a1")
    played = playing(runtime, CHAT, chat())
    assert (played.asked, played.status) == ([], 402)
    assert "account box/a" in played.json()["error"]["message"]


def test_of_two_that_are_ready_at_once_the_first_of_the_chain_is_asked(chain):
    """A request that begins again begins with the first backend of the chain."""

    async def main():
        for name in ("box", "second", "third"):
            chain.snapshot.services[name].pool.park(members(chain, name)[0], trio.current_time(), 30, "said so")
        return await play(chain, CHAT, chat(), good())

    assert on_stage(chain, main).asked == ["a"]


def test_an_account_is_not_asked_again_for_the_next_model(made):
    """What failed at one backend is passed over while the chain stays there."""
    settings = in_order(fallback={"*": ("box:o", "second:n")})
    runtime = made(box("box", "a0", "a1"), box("second", "b"), settings=settings)
    assert playing(runtime, CHAT, chat(), refuses(500), refuses(500), good()).asked == ["a0", "a1", "b"]
