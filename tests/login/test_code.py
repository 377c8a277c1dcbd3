"""The authorization code with PKCE: what is asked for, and which answers count."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.login.calls import IssuerError
from router.login.code import (
    Expected,
    Foreign,
    Refused,
    Secrets,
    check_pkce,
    judge,
    judge_pasted,
    make_secrets,
    make_url,
    read_parameters,
)
from router.login.metadata import Metadata

ISSUER = "https://login.example"
EXPECTED = Expected("st", ISSUER, names_itself=False)
NAMED = Expected("st", ISSUER, names_itself=True)


def test_challenge_is_that_of_the_standard():
    """RFC 7636, appendix B."""
    own = Secrets("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "")
    assert own.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_secrets_are_long_and_new():
    """A verifier of 43 characters (RFC 7636 4.1) and a state of 128 bits, other ones each time, and not in a repr."""
    one, other = make_secrets(), make_secrets()
    assert len(one.verifier) == 43
    assert len(one.state) == 22
    assert {one.verifier, one.state}.isdisjoint((other.verifier, other.state))
    assert one.verifier not in repr(one)


@pytest.mark.parametrize("endpoint", ["https://login.example/a", "https://login.example/a?tenant=1"])
def test_url_has_the_challenge_and_never_the_verifier(endpoint):
    """What the browser gets; parameters that the endpoint has stay."""
    own = make_secrets()
    url = make_url(endpoint, "id", "http://127.0.0.1:1/callback", own, scope="a b", audience="api")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] == own.challenge
    assert (asked["scope"], asked["audience"], asked["state"]) == ("a b", "api", own.state)
    assert asked.get("tenant") == ("1" if "?" in endpoint else None)
    assert own.verifier not in url


@pytest.mark.parametrize(
    ("query", "expected", "outcome"),
    [
        ("code=c&state=st", EXPECTED, "c"),
        (f"code=c&state=st&iss={ISSUER}", EXPECTED, "c"),
        (f"code=c&state=st&iss={ISSUER}", NAMED, "c"),
        (f"code=c&state=st&iss={ISSUER}/", NAMED, "c"),
        ("code=c&state=st", NAMED, "RFC 9207"),
        ("code=c&state=st&iss=https://evil.example", EXPECTED, "the answer is of https://evil.example"),
        ("error=access_denied&state=st&error_description=no", EXPECTED, "login.example refused: access_denied, no."),
        ("code=c", EXPECTED, None),
        ("code=c&state=other", EXPECTED, None),
        ("error=access_denied", EXPECTED, None),
        ("state=st", EXPECTED, None),
        ("code=&state=st", EXPECTED, None),
        ("code=a%20b&state=st", EXPECTED, None),
        ("code=c&state=st&state=st", EXPECTED, None),
        ("code=c&code=d&state=st", EXPECTED, None),
        ("&".join(f"a{number}=1" for number in range(200)), EXPECTED, None),
    ],
)
def test_answers(query, expected, outcome):
    """A code counts with its state alone; with it, a refusal and another issuer end the login; without it, nothing
    does."""
    returned = judge(read_parameters(query), expected)
    if outcome is None:
        assert isinstance(returned, Foreign)
    elif isinstance(returned, Refused):
        assert outcome in str(returned.error)
    else:
        assert returned == outcome


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://127.0.0.1:4711/callback?code=c&state=st", "c"),
        ("  http://localhost/callback?state=st&code=c#_=_ \n", "c"),
        ("?code=c&state=st", "c"),
        ("code=c&state=st", "c"),
        ("4/0AeanS0-abc_DEF", "4/0AeanS0-abc_DEF"),
        ("http://127.0.0.1:4711/callback?code=c&state=other", None),
        ("http://127.0.0.1:4711/callback", None),
        ("two words", None),
        ("y", None),
        ("yes", None),
    ],
)
def test_pasted(text, code):
    """The address, its query or the code alone; the state of an address is checked."""
    returned = judge_pasted(text, EXPECTED)
    assert returned == code if code is not None else isinstance(returned, Foreign)


@given(st.text())
def test_no_text_breaks_it(text):
    """Whatever is pasted or comes as a query is judged, and passes only with the state or as a plain code."""
    for returned in (judge_pasted(text, EXPECTED), judge(read_parameters(text), EXPECTED)):
        assert isinstance(returned, str | Refused | Foreign)
        if isinstance(returned, str):
            assert returned.isascii()
            assert " " not in returned


def test_plain_challenges_are_refused():
    """An issuer that knows no S256 would let a code be used without its verifier."""
    check_pkce(Metadata(issuer=ISSUER))
    check_pkce(Metadata(issuer=ISSUER, code_challenge_methods_supported=["S256"]))
    with pytest.raises(IssuerError, match="does not support PKCE"):
        check_pkce(Metadata(issuer=ISSUER, code_challenge_methods_supported=["plain"]))
