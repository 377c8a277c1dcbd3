"""`fairlead login NAME`: the ways in, what they leave behind, and what an issuer that fails or lies leaves: nothing."""

import json
import sys
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from router.login import flows
from router.store.config import backends
from router.store.keys import logins

from ...login.issuer import CANARY, CLIENT, SECRET
from ...store.keys.shelf import in_use
from .conftest import get


def test_with_the_browser(cli, issuer, browser):
    """A backend with the login as its key, asked whether it takes it; the tokens are in a private file."""
    done = cli.log_in(issuer, "--scope", "a  b")
    assert (done.code, CANARY in done.said) == (0, False)
    assert "Logged in: work its token lasts 60 min and is renewed before that kept in a file of the home" in done.said
    assert f"work {issuer.url}/v1 chat key from login work" in done.said
    assert "key accepted, 1 model" in done.said
    (account,) = backends.find(cli.home, "work").accounts
    assert (account.alias, account.key) == ("default", "login:work")
    login = logins.read_login(cli.home, "work")
    assert login.tokens.access in issuer.live
    assert (login.client_id, login.scope, login.token_endpoint) == (CLIENT, "a b", f"{issuer.url}/token")
    asked = parse_qs(urlsplit(browser.opened[0]).query)
    assert asked["redirect_uri"][0].startswith("http://127.0.0.1:")
    assert asked["scope"] == ["a b"]
    assert browser.answers[0][0] == 200


def test_what_does_not_belong_is_passed_over(cli, issuer, browser):
    """Before the answer: an icon, another state, another path; after it a second answer. One question to the issuer."""
    seen = []

    def disturb(target):
        root = target.partition("/callback")[0]
        for path in ("/favicon.ico", "/callback?code=stolen&state=wrong", "/other?code=x", "/callback"):
            seen.append(get(root + path)[0])
        seen.append(get(target, Host="evil.example")[0])

    browser.before = disturb
    done = cli.log_in(issuer)
    assert done.code == 0
    assert seen == [404, 400, 404, 400, 404]
    assert "an answer came that was not used: it has another state" in done.said
    assert "stolen" not in done.said
    assert issuer.count("authorization_code") == 1


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        ({"denies": True}, "refused: access_denied"),
        ({"answer": {"iss": "https://evil.example"}}, "the answer is of https://evil.example"),
        ({"metadata": {"authorization_response_iss_parameter_supported": True}}, "RFC 9207"),
        ({"metadata": {"issuer": "https://evil.example"}}, "says that it is https://evil.example"),
        ({"metadata": {"token_endpoint": "http://login.example/token"}}, "is not a URL with https://"),
        ({"metadata": {"authorization_endpoint": None}}, "names no authorization_endpoint"),
        ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "does not support PKCE with S256"),
        ({"bodies": {"/.well-known/openid-configuration": b" " * (9 << 20)}}, "sent more than 8 MiB"),
        ({"bodies": {"/token": b" " * (9 << 20)}}, "sent more than 8 MiB"),
        ({"bodies": {"/token": b"nonsense"}}, "not with a token in JSON"),
        ({"redirects": {"/token": "http://127.0.0.1:9/"}}, "which is not followed"),
        ({"redirects": {"/.well-known/openid-configuration": "http://127.0.0.1:9/"}}, "which is not followed"),
        ({"grant": {"access_token": None}}, "is empty"),
        ({"grant": {"access_token": "a\nb"}}, "more than one line"),
        ({"grant": {"token_type": "DPoP"}}, "can use Bearer tokens alone"),
        ({"failing": [503]}, "answered 503"),
        ({"failing": [0]}, "did not answer in HTTP"),
        ({"failing": [400]}, "unauthorized_client"),
        ({"secret": "another"}, "invalid_client"),
    ],
)
def test_an_issuer_that_fails_or_lies(cli, issuer, browser, switch, said):
    """It is told in words, with what was seen; a login, backends and settings that were there are as they were."""
    assert cli.log_in(issuer, name="before").code == 0
    before = {path: path.read_bytes() for path in cli.home.path.rglob("*") if path.is_file()}
    for name, value in switch.items():
        setattr(issuer, name, value)
    done = cli.log_in(issuer)
    assert done.code == 1
    assert said in done.said
    assert CANARY not in done.said
    after = {path: path.read_bytes() for path in cli.home.path.rglob("*") if path.is_file()}
    assert after == before


def test_with_the_device_flow(cli, issuer, browser):
    """The code and its page are shown, the page with the code in it is opened where there is a browser; GitHub's form
    of errors is understood."""
    issuer.device = {"interval": 0.1, "verification_uri_complete": f"{issuer.url}/activate?code=WDJBMJHT"}
    issuer.device_answers = ["authorization_pending", "authorization_pending"]
    issuer.errors_with_200 = True
    done = cli.log_in(issuer, "--device", "--audience", "api")
    assert done.code == 0
    assert f"{issuer.url}/activate WDJBMJHT (WDJB MJHT)" in done.said
    assert browser.opened == [f"{issuer.url}/activate?code=WDJBMJHT"]
    assert logins.read_login(cli.home, "work").audience == "api"


@pytest.mark.parametrize(
    ("answer", "said"), [("access_denied", "was refused at the issuer's page"), ("expired_token", "not used in time")]
)
def test_a_device_that_is_refused(cli, issuer, browser, answer, said):
    """Told, and nothing stored."""
    issuer.device = {"interval": 0.1}
    issuer.device_answers = [answer]
    done = cli.log_in(issuer, "--device")
    assert (done.code, logins.list_names(cli.home)) == (1, [])
    assert said in done.said


def test_without_a_browser(cli, issuer, browser):
    """The device flow where the issuer has one; else what helps is named, before anything is shown or stored."""
    browser.works = False
    issuer.device = {"interval": 0.1}
    assert cli.log_in(issuer).code == 0
    assert issuer.count("urn:ietf:params:oauth:grant-type:device_code") == 1
    issuer.metadata = {"device_authorization_endpoint": None}
    done = cli.log_in(issuer, name="other")
    assert done.code == 1
    assert "there is no browser here." in done.said
    assert "fairlead login other --manual" in done.said
    assert "fairlead login other --no-browser" in done.said


def follow(cli, issuer, browser, monkeypatch, *more, change=lambda target: target, name="work"):
    """Log in by hand: what the issuer sends the browser to is pasted, as `change` makes it."""
    lines, shown = [], threading.Event()

    async def read(self):
        if not lines:
            return None
        return lines.pop(0)

    async def wait(terminal, url, *rest, **named):
        lines.extend(change(browser.find_target(url)).split("\n"))
        shown.set()
        return await original(terminal, url, *rest, **named)

    original = flows._wait
    monkeypatch.setattr(flows, "_wait", wait)
    monkeypatch.setattr("router.cli.login.command._Lines.read", read)
    return cli.log_in(issuer, "--manual", *more, name=name)


def test_by_hand(cli, issuer, browser, monkeypatch):
    """The pasted address is taken, after one with another state was not; no browser is opened."""

    def change(target):
        return f"{target.replace('state=', 'state=x')}\n\n{target}"

    done = follow(cli, issuer, browser, monkeypatch, change=change)
    assert (done.code, browser.opened) == (0, [])
    assert f"the browser goes to {issuer.asked[-1][0]['redirect_uri']}?" in done.said
    assert "That was not used: it has another state" in done.said


def test_by_hand_with_the_code_alone(cli, issuer, browser, monkeypatch):
    """Pages that show a code."""
    done = follow(cli, issuer, browser, monkeypatch, change=lambda target: parse_qs(urlsplit(target).query)["code"][0])
    assert done.code == 0


def test_by_hand_the_listener_waits_too(cli, issuer, browser, monkeypatch):
    """What comes first counts: here nothing is pasted, and the browser reaches the listener."""
    done = follow(
        cli,
        issuer,
        browser,
        monkeypatch,
        change=lambda target: threading.Timer(0.5, get, [target]).start() or "",
    )
    assert done.code == 0


def test_by_hand_with_an_address_elsewhere(cli, issuer, browser, monkeypatch):
    """A registered https:// address that nothing here listens on; it is sent along in the exchange too."""
    uri = "https://app.example/done"
    done = follow(cli, issuer, browser, monkeypatch, "--redirect-uri", uri)
    assert done.code == 0
    assert issuer.asked[-1][0]["redirect_uri"] == uri
    assert logins.read_login(cli.home, "work").redirect_uri == uri
    assert "needs --manual" in cli.log_in(issuer, "--redirect-uri", uri, name="other").said


def test_by_hand_and_nothing_pasted(cli, issuer, browser):
    """Standard input ends, and nothing listens: it ends too, at once."""
    done = cli.log_in(issuer, "--manual", "--redirect-uri", "https://app.example/done")
    assert (done.code, "no answer came." in done.said) == (1, True)


def test_nobody_answers(cli, issuer, browser, monkeypatch):
    """The wait has an end, which is told with what helps."""
    monkeypatch.setattr(flows, "BROWSER_SECONDS", 0.3)
    done = cli.log_in(issuer, "--no-browser")
    assert done.code == 1
    assert browser.opened == []
    assert "no answer came within" in done.said
    assert "--manual" in done.said


def test_a_certain_redirect_uri(cli, issuer, browser):
    """The host, port and path that are registered; without a port any is taken."""
    assert cli.log_in(issuer, "--redirect-uri", "http://localhost/back").code == 0
    uri = urlsplit(issuer.asked[-1][0]["redirect_uri"])
    assert (uri.hostname, uri.path) == ("localhost", "/back")
    assert uri.port
    assert cli.log_in(issuer, "--redirect-uri", f"http://localhost:{uri.port}", name="two").code == 0
    assert issuer.asked[-1][0]["redirect_uri"] == f"http://localhost:{uri.port}"


@pytest.mark.parametrize(
    "uri", ["http://example.com/x", "ftp://localhost", "http://localhost/?a=1", "x", "http://localhost:0/", "http://[x"]
)
def test_redirect_uris_that_cannot_be_used(cli, issuer, browser, uri):
    """A code must not go anywhere else in the clear."""
    done = cli.log_in(issuer, "--redirect-uri", uri)
    assert (done.code, browser.opened) == (1, [])
    assert "--redirect-uri cannot be used" in done.said


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["login", "anthropic"], 1, "fairlead backend add anthropic --auth client"),
        (["login", "openruoter"], 1, "Did you mean: fairlead login openrouter"),
        (["login", "copilot"], 1, "belong to their vendors' own tools"),
        (["login", "work", "--base-url", "https://x.example", "--issuer", "https://x.example"], 2, "needs --client-id"),
        (["login", "work", "--issuer", "https://x.example", "--client-id", "x"], 1, "so it needs a URL"),
        (["login", "status", "extra"], 2, "unexpected argument"),
        (
            ["login", "work", "--issuer", "https://x.example", "--client-id", "x", "--base-url", "http://x.example"],
            *(1, "fairlead backend add work --no-key --protocols chat --base-url http://x.example/v1 --insecure-http"),
        ),
        (["login", "groq", "--issuer", "http://x.example", "--client-id", "x"], 1, "begins with http://"),
        (["login", "groq", "--device", "--manual"], 2, "cannot be used together"),
        (["login", "groq", "--client-secret-stdin", "--manual"], 2, "both read standard input"),
        (["login", "openrouter", "--scope", "x"], 2, "is for an issuer of your own"),
        (["login", "a b"], 1, "cannot be a login's name"),
        (["login"], 2, "NAME"),
        (["login", "groq", "--issuer", "https://x.example", "--client-id", "x y\n"], 2, "--client-id is too long, or"),
        (["auth"], 2, "fairlead login --help"),
    ],
)
def test_what_is_refused_before_anything_is_asked(cli, argv, code, said):
    """With the remedy."""
    done = cli(*argv)
    assert (done.code, said in done.said) == (code, True), done.said


@pytest.mark.parametrize(
    ("client", "tool"),
    [
        ("9d1c250a-e61b-44d9-88ed-5944d1962f5e", "Claude Code"),
        ("app_EMoamEEZ73f0CkXaXp7hrann", "Codex"),
        ("Iv1.b507a08c87ecfe98", "GitHub Copilot"),
    ],
)
def test_other_programs_clients_are_refused(cli, client, tool):
    """Whoever gives one: the id was issued to another product."""
    done = cli("login", "groq", "--issuer", "https://login.example", "--client-id", client)
    assert done.code == 1
    assert f"this client id is that of {tool}" in done.said
    assert "--auth client" in done.said


def test_help_says_for_which_vendors_there_is_none(cli):
    """And what to do for those."""
    done = cli("login", "--help")
    assert done.code == 0
    for vendor in ("Claude Pro and Max", "ChatGPT", "GitHub Copilot", "Grok", "Kimi Code"):
        assert vendor in done.said
    assert "--auth client" in done.said


def test_in_the_keyring(cli, issuer, browser):
    """Where one answers it is used without asking; --no-keyring keeps a file."""
    with in_use() as shelf:
        done = cli.log_in(issuer)
        assert "kept in the keyring" in done.said
        assert CANARY not in cli.home.at("logins/work.json").read_text()
        assert CANARY in str(shelf.entries)
        assert "key accepted" in done.said
        assert cli("login", "work", "--no-keyring").code == 0
        assert shelf.entries == {}


def test_its_own_key_is_refused(cli, issuer, browser):
    """An issuer that gives out fairlead's own key as a token: it would be sent upstream."""
    own = cli.home.token("client.key").reveal()
    issuer.grant = {"access_token": own}
    done = cli.log_in(issuer)
    assert done.code == 1
    assert "fairlead's own client key" in done.said
    assert (own in done.said, logins.list_names(cli.home)) == (False, [])


def test_without_anything_to_renew_with(cli, issuer, browser):
    """Said, with the scope that most issuers want for it."""
    issuer.gives_refresh = False
    done = cli.log_in(issuer)
    assert done.code == 0
    assert "offline_access" in done.said


def test_no_secret_is_shown(cli, issuer, browser):
    """In outputs, arguments of the browser and files but the one of the login."""
    issuer.repeats = True
    issuer.secret = SECRET
    done = cli.log_in(issuer, "--client-secret-stdin", stdin=SECRET)
    said = [done.said, *browser.opened]
    for argv in (["login", "status"], ["backend", "list"], ["backend", "list", "--json"], ["config", "export"]):
        said.append(cli(*argv).said)
    assert not [text for text in said if CANARY in text or SECRET in text]
    files = [path for path in cli.home.path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert files == [cli.home.at("logins/work.json")]
    assert json.loads(files[0].read_text())["tokens"]["client_secret"] == SECRET
    if sys.platform != "win32":
        assert files[0].stat().st_mode & 0o777 == 0o600
