"""`fairlead login status`, `refresh` and `logout`; and OpenRouter's login from its beginning to its end."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from router.backends import Account, Backend
from router.login import openrouter
from router.store.config import backends
from router.store.keys import logins
from router.store.keys.logins import Tokens

from ...login.issuer import CANARY
from ...login.stored import store
from ...store.keys.shelf import in_use


@pytest.fixture
def served(cli, issuer):
    """A login that serves two backends beside another key."""
    login = store(cli.home, issuer, scope="a b")
    for name in ("office", "other"):
        accounts = (Account("main", "sk-0"), Account("work", "login:work"))
        backends.save(cli.home, Backend(name=name, root=f"{issuer.url}/v1", protocols=("chat",), accounts=accounts))
    return login


def test_status(cli, issuer, served):
    """Issuer, scopes, accounts, what is left and whether it is renewed; no token."""
    done = cli("login", "status")
    assert done.code == 0
    row = done.out.splitlines()[1].split("   ")
    host = urlsplit(issuer.url).netloc
    assert [cell.strip() for cell in row if cell.strip()] == [
        *("work", "office/work, other/work", f"{host} (a b)", "valid for 60 min, then renewed", "file"),
    ]
    told = json.loads(cli("login", "status", "--json").out)
    (login,) = told["logins"]
    assert login.pop("expires_in_s") == pytest.approx(3600, abs=60)
    assert login == {
        "name": "work",
        "issuer": issuer.url,
        "client_id": "my-client",
        "scopes": ["a", "b"],
        "accounts": ["office/work", "other/work"],
        "refreshable": True,
        "ended": None,
        "kept_in": "file",
        "label": None,
        "usage_usd": None,
        "limit_usd": None,
    }
    assert told["problems"] == []
    assert CANARY not in done.said


def test_status_of_none(cli):
    """What to do, and an empty list."""
    done = cli("login", "status")
    assert (done.code, done.out) == (0, "There are no logins. Log in:   fairlead login openrouter\n")
    assert json.loads(cli("login", "status", "--json").out) == {"logins": [], "problems": []}


@pytest.mark.parametrize(
    ("age", "changes", "code", "said"),
    [
        (4000, {}, 0, "renewed at the next request"),
        (0, {"ended": "invalid_grant"}, 1, "work has ended: invalid_grant Log in again: fairlead login work"),
        (4000, {"ended": "invalid_grant"}, 1, "ended 7 min ago"),
        (0, {"tokens": Tokens("key", "", 0.0, None)}, 0, "no end that is known"),
        (0, {"tokens": Tokens("key", "", 0.0, 3600.0)}, 0, "days ago"),
    ],
)
def test_status_of_others(cli, issuer, age, changes, code, said):
    """What has ended is told, with what to do, and as exit code where it needs the user."""
    store(cli.home, issuer, age=age, **changes)
    done = cli("login", "status")
    assert (done.code, said in done.said) == (code, True), done.said


def test_status_of_what_cannot_be_read(cli, issuer, served):
    """The others are shown."""
    cli.home.write("logins/bad.json", b"{}")
    done = cli("login", "status")
    assert done.code == 1
    assert "bad.json holds no login" in done.said
    assert "valid for 60 min" in done.said
    assert json.loads(cli("login", "status", "--json").out)["problems"][0]["login"] == "bad"


def test_refresh(cli, issuer, served):
    """Now, though it is not due."""
    done = cli("login", "refresh", "work")
    assert (done.code, done.out) == (0, "Renewed: work is valid for 60 min.\n")
    assert issuer.count("refresh_token") == 1
    assert logins.read_login(cli.home, "work").tokens.refresh != served.tokens.refresh


def test_refresh_fails(cli, issuer, served):
    """The issuer's reason, and what was stored stays."""
    issuer.failing = [503]
    done = cli("login", "refresh", "work")
    assert (done.code, "answered 503" in done.said) == (1, True)
    assert logins.read_login(cli.home, "work") == served
    next(iter(issuer.families.values()))["live"] = False
    done = cli("login", "refresh", "work")
    assert (done.code, "Log in again: fairlead login work" in done.said) == (1, True)
    assert cli("login", "refresh", "none").code == 1
    assert cli("login", "refresh").code == 2


def test_refresh_of_what_has_nothing_to_refresh(cli, issuer):
    """A key without an end; and a token with one, which is an error."""
    store(cli.home, issuer, tokens=Tokens("key", "", 0.0, None))
    assert cli("login", "refresh", "work").out == "Nothing to refresh: the key of work has no end that is known.\n"
    store(cli.home, issuer, tokens=Tokens("key", "", 0.0, 60.0))
    assert cli("login", "refresh", "work").code == 1


def test_logout(cli, issuer, served):
    """The issuer ends it, and tokens and accounts go; other accounts stay."""
    done = cli("login", "logout", "work")
    assert done.code == 0
    assert done.out.splitlines() == [
        *("The issuer revoked it.", "Removed its account of office.", "Removed its account of other."),
        "Logged out: work.",
    ]
    assert issuer.revoked[0]["token"] == served.tokens.refresh
    assert logins.list_names(cli.home) == []
    assert [one.alias for one in backends.find(cli.home, "office").accounts] == ["main"]
    assert cli("login", "logout", "work").code == 1


def test_logout_that_the_issuer_does_not_follow(cli, issuer, served):
    """Deleted here all the same, and said; exit code 1."""
    issuer.revocation_status = 503
    done = cli("login", "logout", "work")
    assert done.code == 1
    assert "did not revoke the login" in done.said
    assert CANARY not in done.said
    assert logins.list_names(cli.home) == []


def test_logout_where_nothing_can_be_revoked(cli, issuer):
    """Said."""
    with in_use() as shelf:
        store(cli.home, issuer, revocation_endpoint="", keyring=True)
        done = cli("login", "logout", "work")
        assert (done.code, "has no way to revoke a token" in done.said) == (0, True)
        assert shelf.entries == {}


def test_backend_without_its_login_says_what_stays(cli, issuer, served):
    """Removing a backend or an account leaves the login, since others may use it."""
    done = cli("backend", "remove", "other")
    assert "Its login stays. End it: fairlead login logout work" in done.said
    assert logins.list_names(cli.home) == ["work"]


class OpenRouter(ThreadingHTTPServer):
    """What OpenRouter answers at the three places of a login."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), OpenRouterHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []


class OpenRouterHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        told = {name: values[0] for name, values in parse_qs(query).items()}
        self.server.asked.append((path, told))
        if path == "/auth":
            self.answer(302, {}, f"{told['callback_url']}?code=canary-code")
        elif self.headers.get("authorization") != "Bearer canary-sk-or-v1-0123456789":
            self.answer(401, {"error": {"message": "no"}})
        elif path == "/api/v1/key":
            self.answer(200, {"data": {"label": "sk-or-v1-0…9", "usage": 1.5, "limit": 10}})
        else:
            self.answer(200, {"data": [{"id": "openai/gpt-5"}]})

    def do_POST(self):
        self.server.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
        self.answer(200, {"key": "canary-sk-or-v1-0123456789", "user_id": "u"})

    def answer(self, status, document, location=""):
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("content-length", str(len(body)))
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def router(monkeypatch):
    """OpenRouter on loopback."""
    with OpenRouter() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setattr(openrouter, "AUTHORIZE", f"{server.url}/auth")
        monkeypatch.setattr(openrouter, "EXCHANGE", f"{server.url}/api/v1/auth/keys")
        monkeypatch.setattr(openrouter, "KEY", f"{server.url}/api/v1/key")
        yield server
        server.shutdown()
        thread.join()


def test_openrouter(cli, router, browser):
    """Log in, see what the key is called and has used, find nothing to refresh, log out."""
    # The known provider's own place cannot be reached here.
    done = cli("login", "openrouter", "--base-url", f"{router.url}/api/v1", "--protocols", "chat")
    assert done.code == 0
    assert "its token has no end that is known" in done.said
    assert backends.find(cli.home, "openrouter").accounts == (Account("default", "login:openrouter"),)
    (_, asked), (_, exchanged) = router.asked[:2]
    back = urlsplit(asked["callback_url"])
    assert (back.hostname, back.path.startswith("/callback/")) == ("localhost", True)
    assert exchanged["code"] == "canary-code"
    assert exchanged["code_challenge_method"] == "S256"
    status = cli("login", "status")
    assert "openrouter.ai (sk-or-v1-0…9, $1.50 used of $10.00)" in status.said
    assert json.loads(cli("login", "status", "--json").out)["logins"][0]["usage_usd"] == 1.5
    assert "Nothing to refresh" in cli("login", "refresh", "openrouter").said
    out = cli("login", "logout", "openrouter")
    assert out.code == 0
    assert "https://openrouter.ai/settings/keys" in out.said
    assert CANARY not in done.said + status.said + out.said
    assert logins.list_names(cli.home) == []


def test_openrouter_path_is_the_state(cli, router, browser):
    """An answer at another path is passed over: only OpenRouter knows the one of this login."""
    seen = []

    def disturb(target):
        from .conftest import get

        root = target.partition("/callback/")[0]
        seen.extend(get(f"{root}{path}?code=stolen")[0] for path in ("/callback", "/callback/guess", "/"))

    browser.before = disturb
    assert cli("login", "openrouter", "--base-url", f"{router.url}/api/v1", "--protocols", "chat").code == 0
    assert seen == [404, 404, 404]
    assert router.asked[2][1]["code"] == "canary-code"


def test_openrouter_that_cannot_be_asked(cli, router, browser, monkeypatch):
    """Status shows the login all the same."""
    cli("login", "openrouter", "--base-url", f"{router.url}/api/v1", "--protocols", "chat")
    monkeypatch.setattr(openrouter, "KEY", "http://127.0.0.1:9/key")
    done = cli("login", "status")
    assert done.code == 0
    assert "OpenRouter does not tell of the key of openrouter" in done.said
    assert "openrouter/default" in done.said
