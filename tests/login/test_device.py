"""The device flow, in virtual time: when the issuer is asked, and how it ends."""

import pytest
import trio

from router.login import device
from router.login.calls import Client, IssuerError
from router.login.device import DeviceCode
from router.login.metadata import Metadata

from .scripted import Scripted, run

CLIENT = Client("my-client")
FOUND = Metadata(
    issuer="https://login.example",
    token_endpoint="https://login.example/token",
    device_authorization_endpoint="https://login.example/device",
)
PENDING = (400, {"error": "authorization_pending"})
SLOW = (400, {"error": "slow_down"})
GRANTED = (200, {"access_token": "at-1", "token_type": "bearer", "expires_in": "3600", "refresh_token": "rt-1"})
TOLD = {"device_code": "dc", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example/activate"}


def polled(*answers, interval=5.0, lifetime=900.0):
    """What polling gave, the moments of its questions, and what was noted."""
    ask, notes = Scripted(*answers), []
    code = DeviceCode("dc", "WDJB", "https://login.example/activate", "", lifetime, interval)
    try:
        outcome = run(device.poll, ask, FOUND, CLIENT, code, notes.append)
    except IssuerError as error:
        outcome = error
    return outcome, ask, notes


@pytest.mark.parametrize(
    ("answers", "times"),
    [
        ([GRANTED], [5]),
        ([PENDING, PENDING, GRANTED], [5, 10, 15]),
        ([PENDING, SLOW, PENDING, GRANTED], [5, 10, 20, 30]),
        ([SLOW, SLOW, GRANTED], [5, 15, 30]),
        (["timed out", "timed out", GRANTED], [5, 15, 35]),
        ([(503, b"busy"), PENDING, GRANTED], [5, 15, 25]),
        # As GitHub does.
        ([(200, {"error": "authorization_pending"}), (200, {"error": "slow_down"}), GRANTED], [5, 10, 20]),
    ],
)
def test_when_it_asks(answers, times):
    """First after the interval; `slow_down` adds five seconds for good; an answer that does not come doubles them."""
    outcome, ask, _ = polled(*answers)
    assert ask.times == times
    assert (outcome.access, outcome.refresh, outcome.lifetime) == ("at-1", "rt-1", 3600)
    assert {form["grant_type"] for *_, form in ask.asked} == {"urn:ietf:params:oauth:grant-type:device_code"}
    assert {form["device_code"] for *_, form in ask.asked} == {"dc"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, {"error": "access_denied"}), "the login was refused at the issuer's page."),
        ((400, {"error": "expired_token"}), "the code was not used in time."),
        (
            (401, {"error": "invalid_client", "error_description": "no"}),
            "login.example answered 401 invalid_client: no.",
        ),
        ((400, b"<html>"), "login.example answered 400."),
        ((200, {"access_token": "at"}), "a token of no type that is named"),
        ((200, {"access_token": "a t", "token_type": "Bearer"}), "has a space"),
        ((200, {"token_type": "Bearer"}), "the access token of login.example is empty"),
        ((302, b"", {"location": "https://evil.example/x"}), "redirects to evil.example (302), which is not followed"),
    ],
)
def test_how_it_ends(answer, said):
    """Each end is told at once, in words."""
    outcome, ask, _ = polled(PENDING, answer)
    assert said in str(outcome)
    assert ask.times == [5, 10]


def test_it_ends_with_its_code():
    """A code that is never used ends the polling in time, however long the issuer says `pending`."""
    outcome, ask, _ = polled(PENDING, lifetime=60.0)
    assert outcome.code == "expired_token"
    assert ask.times == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]


def test_failures_are_noted_without_secrets():
    """What goes wrong and may pass is told, without the device's code."""
    _, _, notes = polled((503, {"error_description": "dc-secret dc"}), "broken dc", GRANTED)
    assert len(notes) == 2
    assert all(note.startswith("note: ") for note in notes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verification_uri": "http://login.example/activate"}, "not a URL with https://"),
        ({"verification_uri": "javascript:alert(1)"}, "not a URL with https://"),
        ({"verification_uri_complete": "file:///etc/passwd"}, "not a URL with https://"),
        ({"device_code": 1}, "gave no code for a device"),
        ({"user_code": ""}, "gave no code for a device"),
        ({"verification_uri": None}, "gave no code for a device"),
    ],
)
def test_codes_that_are_refused(changes, said):
    """An issuer that sends the user to an unsafe page, or gives no code."""
    ask = Scripted((200, {**TOLD, **changes}))
    with pytest.raises(IssuerError, match=said):
        run(device.begin, ask, FOUND, CLIENT)


def test_what_is_asked_and_told():
    """Client, scope and audience; five seconds where no interval is named; absurd times are bounded."""

    async def begin(**changes):
        ask = Scripted((200, {**TOLD, **changes}))
        return await device.begin(ask, FOUND, CLIENT, scope="a b", audience="api"), ask

    code, ask = run(begin)
    assert ask.asked[0][3] == {"client_id": "my-client", "scope": "a b", "audience": "api"}
    assert (code.interval, code.lifetime) == (5.0, 1800.0)
    code, _ = run(lambda: begin(interval=1e9, expires_in=1e12))
    assert (code.interval, code.lifetime) == (300.0, 1800.0)
    code, _ = run(
        lambda: begin(interval=-3, expires_in="nan", verification_uri=None, verification_url="https://g.example/")
    )
    assert (code.interval, code.lifetime, code.page) == (5.0, 1800.0, "https://g.example/")
    assert "dc" not in repr(code)


@pytest.mark.parametrize(
    ("told", "spoken"), [("WDJBMJHT", "WDJB MJHT"), ("WDJB-MJHT", "WDJB-MJHT"), ("ABC123", "ABC123")]
)
def test_code_is_shown_in_groups(told, spoken):
    """A long code without separators is easier to type in groups of four."""
    assert DeviceCode("dc", told, "", "", 1, 1).spoken == spoken


def test_it_can_be_cancelled():
    """Ctrl-C between two questions ends it."""

    async def main():
        with trio.move_on_after(12) as scope:
            code = DeviceCode("dc", "WDJB", "", "", 900, 5)
            await device.poll(Scripted(PENDING), FOUND, CLIENT, code)
        return scope.cancelled_caught

    assert run(main)
