"""Renewing a login, at an issuer on loopback: once, written before it is used, and nothing lost when the issuer fails
or lies."""

import contextlib
import os
import sys
import threading
import time

import msgspec
import pytest
import trio

from router.errors import CommandError
from router.login.calls import IssuerError, make_send
from router.login.ended import LoginEnded
from router.login.refresh import count_left, find_due, is_valid, read, refresh
from router.login.revoke import revoke
from router.settings import Secret
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

from ..patience import PATIENCE
from ..store.keys.shelf import in_use
from .issuer import CANARY, SECRET, running
from .stored import store


@pytest.fixture
def issuer():
    """An issuer."""
    with running() as server:
        yield server


def renewed(home, login, times=1):
    """Refresh a login so many times at once; what each gave or raised."""
    found = []

    async def one():
        try:
            found.append(await refresh(home, login.name, make_send(), login.access))
        except CommandError as error:
            found.append(error)

    async def main():
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for _ in range(times):
                    nursery.start_soon(one)

    trio.run(main)
    return found


@pytest.mark.parametrize("keyring", [False, True])
def test_new_tokens_are_stored(home, issuer, keyring):
    """Both tokens are replaced, where they are kept; the form has the token, the client, and nothing else."""
    with in_use() if keyring else contextlib.nullcontext():
        before = store(home, issuer, keyring=keyring, scope="a b", audience="api")
        (after,) = renewed(home, before)
        assert after == logins.read_login(home, "work")
        assert after.tokens.access in issuer.live
        assert after.tokens.refresh not in ("", before.tokens.refresh)
        assert after.scope == "a b"
        form = {"grant_type": "refresh_token", "refresh_token": before.tokens.refresh, "client_id": "my-client"}
        assert issuer.asked[0][0] == form


def test_a_refresh_token_that_is_not_replaced_stays(home, issuer):
    """RFC 6749 6: the issuer need not give a new one."""
    before = store(home, issuer)
    issuer.gives_refresh = issuer.rotates = False
    (after,) = renewed(home, before)
    assert after.tokens.refresh == before.tokens.refresh
    assert after.tokens.access != before.tokens.access


def test_many_at_once_are_one_question(home, issuer):
    """Who waited for the lock takes what the first one got."""
    issuer.delay = 0.3
    before = store(home, issuer)
    found = renewed(home, before, times=12)
    assert len({login.tokens.access for login in found}) == 1
    assert issuer.count("refresh_token") == 1


def test_a_secret_client_signs(home, issuer):
    """The client's secret goes along with each renewal, in a header."""
    issuer.secret = SECRET
    before = store(home, issuer, client_auth="basic")
    before = msgspec.structs.replace(before, tokens=msgspec.structs.replace(before.tokens, client_secret=SECRET))
    logins.save_record(home, before)
    (after,) = renewed(home, before)
    assert after.tokens.client_secret == SECRET
    assert SECRET not in str(issuer.asked[0][0])


def test_the_end_is_kept_and_never_asked_for_again(home, issuer):
    """`invalid_grant`: stored as ended, with the reason; the next one asks nothing."""
    before = store(home, issuer)
    issuer.repeats = True
    next(iter(issuer.families.values()))["live"] = False
    (error,) = renewed(home, before)
    assert isinstance(error, LoginEnded)
    assert str(error).startswith("login ended: ")
    assert error.hint == "Log in again:   fairlead login work"
    assert "invalid_grant" in logins.read_login(home, "work").ended
    assert CANARY not in f"{error} {logins.read_login(home, 'work').ended}"
    (again,) = renewed(home, before)
    assert isinstance(again, LoginEnded)
    assert issuer.count("refresh_token") == 1


LIES = {
    "no token": ({"access_token": None}, "is empty"),
    "of another type": ({"token_type": "mac"}, "a token of mac"),
    "not for a header": ({"access_token": "a\r\nb"}, "more than one line"),
    "an odd refresh token": ({"refresh_token": ["x"]}, "not one that can be sent back"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_issuer_changes_nothing(home, issuer, lie):
    """Its answer is told, and what was stored stays to the byte."""
    before = store(home, issuer)
    issuer.grant, said = LIES[lie]
    text = home.at("logins/work.json").read_bytes()
    (error,) = renewed(home, before)
    assert isinstance(error, IssuerError)
    assert said in str(error)
    assert home.at("logins/work.json").read_bytes() == text


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        ({"failing": [503]}, "answered 503"),
        ({"failing": [0]}, "did not answer in HTTP"),
        ({"failing": [400]}, "unauthorized_client"),
        ({"redirects": {"/token": "http://127.0.0.1:9/x"}}, "redirects to 127.0.0.1:9 (302), which is not followed"),
        ({"bodies": {"/token": b"<html>hello"}}, "not with a token in JSON"),
        ({"bodies": {"/token": b"[" * 100_000}}, "not with a token in JSON"),
        ({"bodies": {"/token": b" " * (9 << 20)}}, "sent more than 8 MiB"),
    ],
)
def test_failures_leave_the_login_as_it_is(home, issuer, switch, said):
    """Neither ended nor changed: it may work the next time."""
    before = store(home, issuer)
    for name, value in switch.items():
        setattr(issuer, name, value.copy())
    (error,) = renewed(home, before)
    assert isinstance(error, IssuerError)
    assert said in str(error)
    assert CANARY not in str(error)
    assert logins.read_login(home, "work") == before


def test_the_refresh_token_goes_to_a_safe_place_alone(home, issuer):
    """A file that names another place by http does not get it sent there."""
    before = msgspec.structs.replace(store(home, issuer), issuer="https://login.example")
    logins.save_record(home, before)
    (error,) = renewed(home, before)
    assert "not a URL with https://" in str(error)
    assert issuer.asked == []


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="POSIX modes, which root passes")
def test_a_home_that_takes_no_write_is_found_out_before(home, issuer):
    """The issuer is not asked, since its answer could not be kept."""
    before = store(home, issuer)
    with contextlib.suppress(CommandError), logins.lock(home, "work"):
        pass
    home.at("logins").chmod(0o500)
    try:
        (error,) = renewed(home, before)
    finally:
        home.at("logins").chmod(0o700)
    assert "cannot be written" in str(error)
    assert issuer.asked == []


def test_a_full_disk_is_found_out_before(home, issuer, monkeypatch):
    """As above, on any system and for any user."""
    before = store(home, issuer)

    def fail(*_):
        raise CommandError("the disk is full.")

    monkeypatch.setattr(type(home), "write", fail)
    (error,) = renewed(home, before)
    assert (str(error), issuer.asked) == ("the disk is full.", [])


def _give_up_early(monkeypatch):
    monkeypatch.setattr("router.login.refresh.STORE_SECONDS", 0.3)
    # Its own: a thread that outlives its run of trio never gives its place back.
    monkeypatch.setattr("router.login.refresh._KEYRINGS", trio.CapacityLimiter(2))


def test_a_keyring_that_hangs_is_told(home, issuer, monkeypatch):
    """It may wait for its user; other logins go on meanwhile, and what the issuer gave is kept in the file."""
    hanging = threading.Event()
    _give_up_early(monkeypatch)
    with in_use() as shelf:
        kept = store(home, issuer, keyring=True)
        other = store(home, issuer, "other")
        monkeypatch.setattr(shelf, "set_password", lambda *_: hanging.wait(PATIENCE))
        (after,) = renewed(home, kept)
        assert after == logins.read_login(home, "work")
        assert (after.entry, after.tokens.access in issuer.live) == ("", True)
        again = store(home, issuer, "again")
        shelf.set_password = shelf.__class__.set_password.__get__(shelf)
        again = logins.save_login(home, again, use_keyring=True)
        monkeypatch.setattr(shelf, "get_password", lambda *_: hanging.wait(PATIENCE))
        for _ in range(4):
            (error,) = renewed(home, again)
            assert str(error) == "the keyring did not answer within 0.3 s."
        (found,) = renewed(home, other)
        assert found.access != other.access
        hanging.set()


def test_a_keyring_that_wakes_up_later_brings_nothing_old_back(home, issuer, monkeypatch):
    """It was given up while it took the tokens; by the time it has them, the file has newer ones."""
    hanging = threading.Event()
    _give_up_early(monkeypatch)
    with in_use() as shelf:
        kept = store(home, issuer, keyring=True)
        put = shelf.set_password
        monkeypatch.setattr(shelf, "set_password", lambda *rest: (hanging.wait(PATIENCE), put(*rest)))
        (one,) = renewed(home, kept)
        (two,) = renewed(home, one)
        hanging.set()
        time.sleep(0.3)
        assert logins.read_login(home, "work") == two
        assert two.access != one.access


def test_an_end_that_cannot_be_written_is_told(home, issuer, monkeypatch):
    """The reason is that of the issuer."""
    before = store(home, issuer)
    next(iter(issuer.families.values()))["live"] = False
    write, failures = type(home).write, [False, True]

    def fail(self, name, data):
        if failures.pop(0):
            raise CommandError("the disk is full.")
        write(self, name, data)

    monkeypatch.setattr(type(home), "write", fail)
    (error,) = renewed(home, before)
    assert isinstance(error, LoginEnded)
    assert "invalid_grant" in str(error)


def test_a_write_that_fails_after_the_answer_is_tried_again(home, issuer, monkeypatch):
    """The new tokens exist nowhere else by then."""
    before = store(home, issuer)
    write, failures = type(home).write, [False, True, True, False]

    def fail(self, name, data):
        if failures.pop(0):
            raise CommandError("the disk is full.")
        write(self, name, data)

    monkeypatch.setattr(type(home), "write", fail)
    monkeypatch.setattr("trio.sleep", _no_sleep)
    (after,) = renewed(home, before)
    assert logins.read_login(home, "work") == after
    assert after.tokens.access in issuer.live


async def _no_sleep(_):
    await trio.lowlevel.checkpoint()


def test_cancelled_in_the_middle_it_is_finished(home, issuer):
    """A stop between the question and its answer does not lose the answer."""
    before = store(home, issuer)
    issuer.delay = 0.5

    async def main():
        with trio.move_on_after(0.3) as scope:
            await refresh(home, "work", make_send(), before.access)
        return scope.cancelled_caught

    trio.run(main)
    assert logins.read_login(home, "work").tokens.access in issuer.live - {before.tokens.access}


def test_logged_out_meanwhile(home, issuer):
    """A login that is gone when the lock is held is not brought back."""
    before = store(home, issuer)
    logins.remove_login(home, before)
    (error,) = renewed(home, before)
    assert str(error) == "login ended: there is no login work."
    assert logins.list_names(home) == []
    with pytest.raises(LoginEnded):
        trio.run(read, home, "work")


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_the_issuers_clock_does_not_matter(home, issuer, skew):
    """An hour ahead or behind: a life of 60 min counts from the answer, by the clock that judges it."""
    issuer.skew = skew
    (after,) = renewed(home, store(home, issuer))
    assert count_left(after, time.time()) == pytest.approx(3600, abs=30)


def make(lifetime, obtained=1000.0):
    return Login(name="work", issuer="x", tokens=Tokens("at", "rt", obtained, lifetime))


@pytest.mark.parametrize(
    ("lifetime", "due"), [(3600, 360), (86_400, 8640), (1800, 300), (600, 300), (300, 150), (60, 30), (10, 5)]
)
def test_when_it_is_due(lifetime, due):
    """The last five minutes or tenth of its life, whichever is longer, and never before half of it."""
    assert find_due(lifetime) == due


@pytest.mark.parametrize(
    ("lifetime", "now", "left", "valid"),
    [
        (3600, 1000, 3600, True),
        (3600, 4000, 600, True),
        (3600, 5000, -400, False),
        (None, 1e9, None, True),
        # This machine's clock was set back by an hour, or on by one.
        (3600, 1000 - 3600, 180, True),
        (3600, 1000 + 3700, -100, False),
    ],
)
def test_what_is_left(lifetime, now, left, valid):
    """By this machine's clock; a token from the future is usable, and due."""
    login = make(lifetime)
    assert count_left(login, now) == left
    assert is_valid(login, now) is valid


def test_revocation(home, issuer):
    """RFC 7009 2.1: the refresh token, with its kind and the client; a refusal is told without it."""
    login = store(home, issuer)
    trio.run(revoke, make_send(), login)
    (form,) = issuer.revoked
    assert form == {"token": login.tokens.refresh, "token_type_hint": "refresh_token", "client_id": "my-client"}
    assert login.access.reveal() not in issuer.live
    issuer.revocation_status = 503
    with pytest.raises(IssuerError, match="answered 503"):
        trio.run(revoke, make_send(), login)
    with pytest.raises(IssuerError, match="names no place"):
        trio.run(revoke, make_send(), msgspec.structs.replace(login, revocation_endpoint=""))
    assert Secret(login.tokens.refresh) != login.access
