"""OpenRouter's own login: what is asked for, what comes back, and how it fails."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from router.login import openrouter
from router.login.calls import IssuerError
from router.login.code import Foreign, Refused, make_secrets
from router.settings import Secret

from .scripted import Scripted, run

PATH = "/callback/abc"


def test_path_cannot_be_guessed():
    """There is no state: 128 random bits of the path take its place."""
    one, other = openrouter.make_path(), openrouter.make_path()
    assert one.startswith("/callback/")
    assert len(one) == len("/callback/") + 22
    assert one != other


def test_url_is_as_documented():
    """`callback_url`, challenge and method, on https://openrouter.ai/auth."""
    own = make_secrets()
    url = urlsplit(openrouter.make_url("http://localhost:51423/callback/x", own))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://openrouter.ai/auth"
    assert parse_qs(url.query) == {
        "callback_url": ["http://localhost:51423/callback/x"],
        "code_challenge": [own.challenge],
        "code_challenge_method": ["S256"],
    }


def test_code_is_given_for_the_key():
    """JSON with code, verifier and method; the answer's key."""
    own, bodies = make_secrets(), []

    async def ask(method, url, headers, body):
        bodies.append((method, url, headers["content-type"], json.loads(body)))
        return await Scripted((200, {"key": "sk-or-v1-0123", "user_id": "u"}))(method, url, headers, body)

    assert run(openrouter.exchange, ask, "c-1", own) == Secret("sk-or-v1-0123")
    sent = {"code": "c-1", "code_verifier": own.verifier, "code_challenge_method": "S256"}
    assert bodies == [("POST", "https://openrouter.ai/api/v1/auth/keys", "application/json", sent)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, {"error": {"message": "bad"}}), "the challenge was not made as it expects (400)"),
        ((403, {"error": {"message": "no"}}), "the code or its verifier is wrong, or was used before (403)"),
        ((405, {}), "openrouter.ai answered 405."),
        ((500, b"busy"), "openrouter.ai answered 500."),
        ((200, {"key": None}), "answered, but without a key"),
        ((200, {"key": "two words"}), "the key of OpenRouter has a space"),
        ((200, b"<html>"), "answered, but without a key"),
        ((302, b"", {"location": "https://evil.example"}), "redirects to evil.example (302)"),
        ("openrouter.ai refused the connection", "openrouter.ai refused the connection."),
    ],
)
def test_failures(answer, said):
    """Each says what was seen."""
    with pytest.raises(IssuerError) as caught:
        run(openrouter.exchange, Scripted(answer), "c-1", make_secrets())
    assert said in str(caught.value)


def test_what_comes_back():
    """A code, or a refusal; anything else is passed over."""
    assert openrouter.judge({"code": "c-1"}) == "c-1"
    assert isinstance(openrouter.judge({"error": "access_denied"}), Refused)
    for odd in (None, {}, {"code": ""}, {"code": "a b"}):
        assert isinstance(openrouter.judge(odd), Foreign)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://localhost:1/callback/abc?code=c-1", "c-1"),
        ("code-123", "code-123"),
        ("yes", None),
        ("http://localhost:1/callback/other?code=c-1", None),
        ("https://openrouter.ai/settings", None),
        ("two words", None),
    ],
)
def test_pasted(text, code):
    """The address must be the one of this login; a code alone is tied to it by the verifier."""
    returned = openrouter.judge_pasted(text, PATH)
    assert returned == code if code is not None else isinstance(returned, Foreign)


def test_facts_of_a_key():
    """Label, usage and limit as OpenRouter tells them, cleaned; what is missing is not made up."""
    told = {"data": {"label": "sk-or-v1-0…\x1b[1m", "usage": 1.25, "limit": None}}
    ask = Scripted((200, told))
    facts = run(openrouter.ask_key, ask, Secret("sk-or-v1-0123456789"))
    assert (facts.usage, facts.limit) == (1.25, None)
    assert facts.label.isprintable()
    assert ask.headers[0]["authorization"] == "Bearer sk-or-v1-0123456789"
    assert run(openrouter.ask_key, Scripted((200, [])), Secret("k")) == ("", None, None)
    with pytest.raises(IssuerError, match="answered 401") as caught:
        run(openrouter.ask_key, Scripted((401, {"error": "sk-or-v1-0123456789"})), Secret("sk-or-v1-0123456789"))
    assert "0123456789" not in str(caught.value)
