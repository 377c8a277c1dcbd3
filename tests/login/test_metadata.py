"""What an issuer says of itself: where it is looked for, and what is refused before anything is sent."""

import pytest

from router.errors import CommandError
from router.login.calls import IssuerError, make_send
from router.login.metadata import Metadata, check_issuer, discover, is_secure, list_places, require_endpoint

from .issuer import running
from .scripted import Scripted, run

ISSUER = "https://login.example/tenant/v2.0"
GOOD = {"issuer": ISSUER, "token_endpoint": "https://login.example/token", "unknown": [1], "revocation_endpoint": None}


def found(*answers, issuer=ISSUER):
    ask = Scripted(*answers)
    return run(discover, ask, issuer), [url for _, _, url, _ in ask.asked]


def refused(*answers, issuer=ISSUER):
    with pytest.raises(IssuerError) as caught:
        found(*answers, issuer=issuer)
    return f"{caught.value} {caught.value.hint}"


def test_where_it_is_looked_for():
    """OpenID Connect appends to the issuer's path, RFC 8414 3.1 puts its own before it."""
    assert list_places("https://a.example/t/x/") == (
        "https://a.example/t/x/.well-known/openid-configuration",
        "https://a.example/.well-known/oauth-authorization-server/t/x",
    )
    document, urls = found((200, GOOD))
    assert (document.token_endpoint, urls) == ("https://login.example/token", [list_places(ISSUER)[0]])
    document, urls = found((404, b"no"), (200, GOOD))
    assert (document.issuer, urls) == (ISSUER, [*list_places(ISSUER)])
    document, urls = found((200, b"<html>"), (200, GOOD))
    assert len(urls) == 2


def test_a_slash_at_the_end_is_no_other_issuer():
    """Auth0 writes one, and users leave it out; what the issuer says is kept."""
    document, _ = found((200, {**GOOD, "issuer": ISSUER + "/"}))
    assert document.issuer == ISSUER + "/"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"issuer": "https://evil.example"}, "says that it is https://evil.example"),
        ({"issuer": "https://login.example/{tenantid}/v2.0"}, "the issuer names your tenant"),
        (
            {"token_endpoint": "http://login.example/token"},
            "http://login.example/token as its token_endpoint, which is",
        ),
        ({"token_endpoint": "http://127.0.0.1/token"}, "not a URL with https://"),
        ({"device_authorization_endpoint": "ftp://x"}, "not a URL with https://"),
        ({"revocation_endpoint": "https://user:pass@login.example/"}, "not a URL with https://"),
        ({"authorization_endpoint": "https://login.example/\u202e"}, "not a URL with https://"),
        ({"authorization_endpoint": "https://login.example/" + "a" * 3000}, "not a URL with https://"),
        ({"token_endpoint": 5}, "is not a description of an issuer"),
        ({"issuer": None}, "is not a description of an issuer"),
    ],
)
def test_lies_are_told(document, said):
    """Another issuer's document, and endpoints that would show secrets, are named; nothing else is asked."""
    assert said in refused((200, {**GOOD, **document}))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, b"", {"location": "https://evil.example/"}), "redirects to evil.example (302), which is not followed"),
        ((503, b"busy"), "answered 503"),
        ("login.example refused the connection", "login.example refused the connection."),
        ((404, b""), "Is --issuer right?"),
        ((200, b"[]"), "is not in JSON"),
        ((200, b"\xff\xfe"), "is not in JSON"),
    ],
)
def test_failures_are_told(answer, said):
    """What was seen, and what to do."""
    assert said in refused(answer)


def test_a_huge_document_is_not_read():
    """Over 8 MiB, from a real server, is given up."""
    with running() as issuer:
        issuer.bodies["/.well-known/openid-configuration"] = b" " * (9 << 20)
        with pytest.raises(IssuerError, match="sent more than 8 MiB"):
            run_real(discover, make_send(), issuer.url)


def run_real(function, *arguments):
    """On the real clock: MockClock does not wait for sockets."""
    import trio

    return trio.run(function, *arguments)


@pytest.mark.parametrize(
    ("url", "issuer", "secure"),
    [
        ("https://other.example/token", "https://login.example", True),
        ("http://login.example/token", "https://login.example", False),
        ("http://localhost:8080/token", "https://login.example", False),
        ("http://localhost:8080/token", "http://localhost:8080", True),
        ("http://[::1]:8080/token", "http://127.0.0.1:9000", True),
        ("http://10.0.0.7/token", "http://127.0.0.1", False),
        ("http://login.example/token", "http://127.0.0.1", False),
        ("https://login.example:0/", "https://login.example", False),
        ("https://login.example:x/", "https://login.example", False),
        ("https:///token", "https://login.example", False),
        ("", "https://login.example", False),
        ("https://login.example/#a", "https://login.example", False),
    ],
)
def test_where_secrets_may_go(url, issuer, secure):
    """https, or http on this machine for an issuer on this machine."""
    assert is_secure(url, issuer) is secure


@pytest.mark.parametrize(
    "url",
    ["http://login.example", "login.example", "https://u:p@login.example", "https://login.example/?a=1", "", "x y"],
)
def test_issuers_that_are_refused(url):
    """Before anything is asked."""
    with pytest.raises(CommandError, match="--issuer"):
        check_issuer(url)


def test_missing_endpoint_is_named():
    """A login that needs an endpoint which the issuer does not have."""
    with pytest.raises(IssuerError, match="names no token_endpoint"):
        require_endpoint(Metadata(issuer=ISSUER), "token_endpoint")


@pytest.mark.parametrize(
    ("methods", "secret", "auth"),
    [
        (None, "", "none"),
        (None, "s", "basic"),
        (["client_secret_post", "client_secret_basic"], "s", "basic"),
        (["client_secret_post"], "s", "post"),
        (["private_key_jwt"], "s", "basic"),
    ],
)
def test_how_a_client_says_who_it_is(methods, secret, auth):
    """Basic where the issuer takes it, which all must (RFC 6749 2.3.1)."""
    assert Metadata(issuer=ISSUER, token_endpoint_auth_methods_supported=methods).choose_auth(secret) == auth
