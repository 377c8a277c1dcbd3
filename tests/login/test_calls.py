"""Requests to an issuer: what its answers mean, and that no secret comes back out of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.login.calls import (
    LONGEST_LIFE,
    Client,
    IssuerError,
    make_refusal,
    post_form,
    read_grant,
    read_seconds,
)
from router.net.control.request import Answer, clean

from .issuer import SECRET
from .scripted import Scripted, run

URL = "https://login.example/token"


def answer(status, body):
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.0, 0.0)


@pytest.mark.parametrize(
    ("status", "body", "code", "passing"),
    [
        (400, {"error": "invalid_grant"}, "invalid_grant", False),
        (200, {"error": "slow_down"}, "slow_down", True),
        (200, {"error": {"nested": 1}}, "", False),
        (503, b"", "", True),
        (500, {"error": "server_error"}, "server_error", True),
        (429, b"slow", "", True),
        (400, b"<html>", "", False),
        (503, {"error": "invalid_client"}, "invalid_client", False),
    ],
)
def test_refusals(status, body, code, passing):
    """The code of RFC 6749 5.2, whatever the status; what may pass by itself is told apart."""
    refusal = make_refusal(answer(status, body), URL)
    assert (refusal.code, refusal.passing) == (code, passing)


def test_success_is_no_refusal():
    """A good answer, and one with an empty error."""
    assert make_refusal(answer(200, {"access_token": "a"}), URL) is None
    assert make_refusal(answer(200, {"error": None, "access_token": "a"}), URL) is None


@pytest.mark.parametrize(
    "repeated", ["rt-secret-0123456789", "rt%2Dsecret%2D0123456789", "cnQtc2VjcmV0LTAxMjM0NTY3ODk="]
)
def test_an_issuer_that_repeats_a_secret(repeated):
    """In whatever spelling, it is taken out of the message, as are characters that control a terminal."""
    body = {"error": f"bad {repeated}", "error_description": f"you sent {repeated}\x1b[31m\u202e."}
    refusal = make_refusal(answer(400, body), URL, ["rt-secret-0123456789"])
    assert repeated not in str(refusal)
    assert repeated not in refusal.code
    assert str(refusal).isprintable()
    assert "you sent [redacted]" in str(refusal)


@pytest.mark.parametrize(
    ("client", "form", "header"),
    [
        (Client("my id"), {"a": "1", "client_id": "my id"}, None),
        (Client("id", SECRET, "post"), {"a": "1", "client_id": "id", "client_secret": SECRET}, None),
        # RFC 6749 2.3.1: both parts are form-encoded before.
        (Client("i:d", "s+/ ", "basic"), {"a": "1"}, "Basic aSUzQWQ6cyUyQiUyRis="),
    ],
)
def test_how_a_client_signs(client, form, header):
    """Its id in the form, its secret there too, or both in a header."""
    ask = Scripted((200, {}))
    run(post_form, ask, URL, {"a": "1"}, client)
    assert ask.asked[0][3] == form
    assert ask.headers[0].get("authorization") == header
    assert SECRET not in repr(client)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600),
        ("3599", 3599),
        (1.5, 1.5),
        (0, None),
        (-1, None),
        (True, None),
        ("soon", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), LONGEST_LIFE),
        (10**400, None),
        ([1], None),
    ],
)
def test_lives(value, seconds):
    """A number, or one in a string; what means nothing is as if it was not said."""
    assert read_seconds(value) == seconds


GOOD = {"access_token": "at", "token_type": "BEARER", "refresh_token": "rt", "expires_in": 60, "scope": "a b"}


def test_grant_is_read():
    """RFC 6749 5.1; the type's case does not matter, and what is not named is not there."""
    grant = read_grant(answer(200, GOOD), URL)
    assert grant == ("at", "rt", 60, "a b")
    assert "at" not in repr(grant)
    assert read_grant(answer(200, {"access_token": "at", "token_type": "bearer"}), URL) == ("at", "", None, "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_type": "DPoP"}, "a token of DPoP; fairlead can use Bearer tokens alone"),
        ({"token_type": None}, "no type that is named"),
        ({"access_token": "a\r\nx-evil: 1"}, "more than one line"),
        ({"access_token": "a" * 20000}, "longer than"),
        ({"access_token": None}, "is empty"),
        ({"access_token": ["at"]}, "is empty"),
        ({"access_token": "env:HOME"}, "is a reference"),
        ({"refresh_token": 5}, "the refresh token of login.example is not one that can be sent back"),
        ({"refresh_token": "a\nb"}, "not one that can be sent back"),
        ({"refresh_token": "é"}, "not one that can be sent back"),
    ],
)
def test_grants_that_are_lies(changes, said):
    """Nothing of them is used."""
    with pytest.raises(IssuerError, match=said):
        read_grant(answer(200, {**GOOD, **changes}), URL)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("access_token", "token_type", "refresh_token", "expires_in", "scope", "error", "error_description")


@given(st.integers(200, 599), st.dictionaries(st.sampled_from(FIELDS), JSON) | st.binary())
def test_no_answer_breaks_it(status, body):
    """Any answer is a grant whose token a header can carry, or an error that a terminal can show."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    outcome = _read(status, data)
    if isinstance(outcome, IssuerError):
        assert str(outcome) == clean(str(outcome), 1000)
    else:
        assert outcome.access.isascii()
        assert outcome.access.isprintable()


def _read(status, data):
    refusal = make_refusal(answer(status, data), URL)
    try:
        return refusal or read_grant(answer(status, data), URL)
    except IssuerError as error:
        return error
