"""What answers change in the state of their accounts, and keys that are fetched."""

import time
from email.utils import formatdate

import pytest
import trio

from router.backends import Account
from router.settings import Secret

from ...upstream.runtimes import backend
from ..playbook import on_stage, play, playing
from ..upstreams import Break, says
from ..worlds import (
    CHAT,
    box,
    chat,
    good,
    in_order,
    members,
    refuses,
    states,
)


def test_a_good_answer_reopens_its_account(three):
    """A success after failures clears them."""

    async def main():
        await play(three, CHAT, chat(), refuses(500), good())
        assert members(three)[0].faults == 1
        await trio.sleep(10)
        return await play(three, CHAT, chat("box:m", user="x"), good(), fields=[("session-id", "other")])

    played = on_stage(three, main)
    assert played.asked == ["a0"]
    assert members(three)[0].faults == 0


def test_a_good_head_with_a_bad_end_is_no_success(three):
    """An answer that breaks off leaves the account's failures standing, and counts as one more."""

    async def main():
        await play(three, CHAT, chat(), refuses(500), good())
        await trio.sleep(10)
        cut = [good()[0][:-9], Break()]
        return await play(three, CHAT, chat(), cut, good(), fields=[("session-id", "other")])

    played = on_stage(three, main)
    assert played.asked == ["a0", "a1"]
    assert members(three)[0].faults == 2


def test_an_error_of_the_request_reopens_nothing(three):
    """A 400 is no success of its account."""

    async def main():
        await play(three, CHAT, chat(), refuses(500), good())
        await trio.sleep(10)
        await play(three, CHAT, chat(), refuses(400), fields=[("session-id", "other")])

    on_stage(three, main)
    assert members(three)[0].faults == 1


def test_limits_that_an_answer_tells_of_steer(made):
    """Each account's room is known by its own answers: the next conversation goes where most is left."""
    runtime = made(box("box", "a0", "a1"))

    def left(number):
        names = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
        return tuple(zip(names, (b"100", b"%d" % number, b"60s"), strict=True))

    async def main():
        for number, room in enumerate((10, 90)):
            await play(runtime, CHAT, chat(), good("chat", *left(room)), fields=[("session-id", f"s{number}")])
        return await play(runtime, CHAT, chat(), good(), fields=[("session-id", "third")])

    played = on_stage(runtime, main)
    readings = [one.headroom.readings(0.0)[0].limit.used for one in members(runtime)]
    assert readings == pytest.approx([0.9, 0.1])
    assert played.asked == ["a1"]
    assert played.attempt.limits == {}


def test_limits_in_an_error_steer_as_well(three):
    """The account's limits in the head of a failed answer are noted."""
    names = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
    told = tuple(zip(names, (b"100", b"25", b"60s"), strict=True))
    playing(three, CHAT, chat(), refuses(500, *told), good())
    assert [one.limit.used for one in members(three)[0].headroom.readings(0.0)] == [0.75]


@pytest.mark.parametrize("name", [b"openai-organization", b"anthropic-organization-id"])
def test_an_answer_tells_its_accounts_organisation(three, name):
    """The first good answer names the account's organisation."""
    playing(three, CHAT, chat(), good("chat", (name, b"north")))
    assert [one.group for one in members(three)] == ["north", "", ""]


def test_an_error_tells_no_organisation(three):
    """The organisation is not read from an answer that failed."""
    playing(three, CHAT, chat(), refuses(400, (b"openai-organization", b"north")))
    assert [one.group for one in members(three)] == ["", "", ""]


class Keys:
    """Keys that are fetched: the next one each time the last was refused."""

    def __init__(self, *texts):
        self._texts = list(texts)
        self.dropped = []

    async def key(self, reference):
        assert reference == 'cmd:["print-key"]'
        await trio.lowlevel.checkpoint()
        return Secret(self._texts[0])

    def list_fetched(self, _references):
        return [Secret(self._texts[0])]

    def forget(self, _reference, secret):
        self.dropped.append(secret.reveal())
        if len(self._texts) > 1:
            del self._texts[0]

    def accept(self, _reference, _secret):
        pass


@pytest.fixture
def fetching(made):
    """A backend whose key is fetched."""
    return made(backend("box", key="", accounts=(Account("a0", 'cmd:["print-key"]'),)), settings=in_order())


NEWER = {"old": b"sk-old-0123456789", "new": b"sk-new-0123456789"}


def test_a_fetched_key_that_is_refused_is_fetched_anew(fetching):
    """The request is sent once more with a newer key, and the account stays ready."""
    fetching.credentials = keys = Keys(*(one.decode() for one in NEWER.values()))
    played = playing(fetching, CHAT, chat(), refuses(401), good(), keys=NEWER)
    assert played.asked == ["old", "new"]
    assert (played.status, keys.dropped) == (200, ["sk-old-0123456789"])
    assert (states(fetching), members(fetching)[0].rejections) == (["ready"], 0)
    assert played.tries == [("a0", 401, "upstream_error", "retried"), ("a0", 200, "", "")]


def test_a_key_is_fetched_anew_once(fetching):
    """A newer key that is refused as well is the account's fault."""
    fetching.credentials = Keys(*(one.decode() for one in NEWER.values()))
    played = playing(fetching, CHAT, chat(), refuses(401), refuses(401), keys=NEWER)
    assert (played.asked, played.status) == (["old", "new"], 401)
    assert states(fetching) == ["cooling"]


def test_the_same_key_fetched_anew_is_not_tried(fetching):
    """Fetching gave the key that was refused: the client gets an error, and the upstream is not asked again."""
    fetching.credentials = Keys(NEWER["old"].decode())
    played = playing(fetching, CHAT, chat(), refuses(401, message="bad key"), keys=NEWER)
    assert (played.asked, played.status) == (["old"], 401)
    assert states(fetching) == ["cooling"]


EXPIRED = (
    refuses(403, message="The security token included in the request is expired"),
    refuses(403, code="ExpiredTokenException"),
    says(403, {"message": "Signature expired: 20261201T000000Z is now earlier than 20261201T000500Z"}),
    says(403, {"type": "error", "error": {"type": "permission_error", "message": "Bearer Token has expired"}}),
)


@pytest.mark.parametrize("expired", EXPIRED)
def test_a_key_that_has_expired_is_fetched_anew(fetching, expired):
    """Clouds tell it by a 403 that says so: one new key, and the account stays ready."""
    fetching.credentials = keys = Keys(*(one.decode() for one in NEWER.values()))
    played = playing(fetching, CHAT, chat(), expired, good(), keys=NEWER)
    assert (played.asked, played.status) == (["old", "new"], 200)
    assert keys.dropped == ["sk-old-0123456789"]
    assert states(fetching) == ["ready"]


def test_a_new_key_that_has_expired_too_is_given_up(fetching):
    """As after a 401."""
    fetching.credentials = Keys(*(one.decode() for one in NEWER.values()))
    played = playing(fetching, CHAT, chat(), EXPIRED[0], EXPIRED[0], keys=NEWER)
    assert (played.asked, played.status) == (["old", "new"], 403)


def test_a_clock_that_is_off_is_noted_at_a_refused_key(fetching):
    """By the time that the upstream's answer tells: keys that are made here hold the time."""
    fetching.credentials = Keys(*(one.decode() for one in NEWER.values()))
    date = formatdate(time.time() + 600, usegmt=True).encode()
    played = playing(fetching, CHAT, chat(), refuses(401, (b"date", date)), good(), keys=NEWER)
    assert "this machine's clock is 10 min behind, by that of box" in played.record.notes
    now = formatdate(time.time(), usegmt=True).encode()
    played = playing(fetching, CHAT, chat(), refuses(403, (b"date", now)), good(), keys=NEWER)
    assert not any("clock" in note for note in played.record.notes)


def test_a_clock_that_is_off_is_told_where_the_new_key_is_the_old_one(fetching):
    """A key that holds the time is the same when it is made anew at once: the clock is what to look at."""
    fetching.credentials = Keys("sk-old-0123456789", "sk-old-0123456789")
    date = formatdate(time.time() - 600, usegmt=True).encode()
    expired = says(403, {"message": "Signature expired"}, (b"date", date))
    played = playing(fetching, CHAT, chat(), expired, keys=NEWER)
    assert "This machine's clock is 10 min ahead: set it." in played.json()["error"]["message"]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_fetched_key_that_was_not_refused_stays(fetching, status):
    """Only a 401, or a 403 that says that it has expired, says that a newer one may help."""
    fetching.credentials = keys = Keys(*(one.decode() for one in NEWER.values()))
    played = playing(fetching, CHAT, chat(), refuses(status), keys=NEWER)
    assert (played.asked, played.status, keys.dropped) == (["old"], status, [])
