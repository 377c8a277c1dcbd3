"""Where one request may go: sessions, sealed input, ids of one account, the chain."""

import pytest
import trio

from ..attempts import GOOD
from ..playbook import on_stage, play, playing, says
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
    """A caller's own credential that is refused is the caller's business: nothing is parked."""
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
    """An account that cannot read it is left for the next, and keeps its good name."""
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
    """What only its writer can read is not sent to another backend."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a"), ("second", "b")))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(runtime, RESPONSES, SEALED, refuses(429, wait(900)))
    assert (played.asked, played.status) == (["a"], 429)


def test_an_id_pins_its_account(sealing):
    """A follow-up goes to the account that gave the answer; when that is parked, the error names it."""
    sealing.owners.remember("resp_9", "box", "a1", "responses")
    body = response(previous_response_id="resp_9")

    async def main():
        first = await play(sealing, RESPONSES, body, refuses(429, wait(900)))
        return first, await play(sealing, RESPONSES, body)

    first, second = on_stage(sealing, main)
    assert (first.asked, first.status) == (["a1"], 429)
    assert (second.asked, second.status) == ([], 429)
    assert "This request needs the account a1" in second.json()["error"]["message"]
