"""The turn state of Codex stays with the account that issued it."""

import pytest

from ..playbook import on_stage, play, playing
from ..worlds import MESSAGES, RESPONSES, box, good, in_order, message, refuses, response, wait

STATE = (b"x-codex-turn-state", b"token-of-a0")
SENT = ("x-codex-turn-state", "token-of-a0")


@pytest.fixture
def two(made):
    return made(box("box", "a0", "a1", protocols=("responses",)), settings=in_order())


def states(played):
    """The turn state that each attempt sent, by account."""
    return [(one.account, one.fields.get(STATE[0])) for one in played.sent]


def test_it_goes_back_to_its_account(two):
    """The client gets it, and its next request of the turn takes it along."""

    async def main():
        first = await play(two, RESPONSES, response(), good("responses", STATE))
        return first, await play(two, RESPONSES, response(), good("responses"), fields=[SENT])

    first, second = on_stage(two, main)
    assert first.fields[STATE[0]] == STATE[1]
    assert states(second) == [("a0", STATE[1])]


def test_it_is_left_out_for_another_account(two):
    """After a failover the other account does not get it; the record says so."""

    async def main():
        await play(two, RESPONSES, response(), good("responses", STATE))
        return await play(two, RESPONSES, response(), refuses(429, wait(900)), good("responses"), fields=[SENT])

    played = on_stage(two, main)
    assert states(played) == [("a0", STATE[1]), ("a1", None)]
    assert "turn state of another account left out" in played.record.notes


@pytest.mark.parametrize("fields", [[SENT], [SENT, SENT]], ids=["unknown", "doubled"])
def test_one_that_is_not_known_goes_nowhere(two, fields):
    """Not after a restart either; and of two it is not known which an upstream would read."""
    played = playing(two, RESPONSES, response(), good("responses"), fields=fields)
    assert states(played) == [("a0", None)]


def test_two_of_them_go_nowhere(two):
    """Though one of them is known."""

    async def main():
        await play(two, RESPONSES, response(), good("responses", STATE))
        return await play(two, RESPONSES, response(), good("responses"), fields=[SENT, SENT])

    assert states(on_stage(two, main)) == [("a0", None)]


def test_it_reaches_no_other_backend(made):
    """Neither one of the same protocol nor one that is reached by translation."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a0"), ("second", "b")))
    third = box("third", "c", protocols=("messages",))
    runtime = made(first, second, third, settings=in_order())

    async def main():
        await play(runtime, RESPONSES, response(), good("responses", STATE))
        same = await play(runtime, RESPONSES, response("second:m"), good("responses"), fields=[SENT])
        return same, await play(runtime, RESPONSES, response("third:m"), good("messages"), fields=[SENT])

    same, translated = on_stage(runtime, main)
    assert states(same) == [("b", None)]
    assert states(translated) == [("c", None)]


def test_a_caller_of_another_protocol_does_not_get_it(two):
    """It could not give it back."""
    played = playing(two, MESSAGES, message(), good("responses", STATE))
    assert played.status == 200
    assert STATE[0] not in played.fields
