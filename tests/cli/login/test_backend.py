"""`fairlead login NAME` once more, and the backend and account that a login serves."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from router.backends import Account, Backend
from router.store.config import backends
from router.store.keys import logins

from ...login.issuer import CLIENT, SECRET


def test_again_without_options(cli, issuer, browser):
    """`fairlead login NAME`, as errors name it: issuer, client, scope and secret are those of the time before, and the
    backend is the one that it serves."""
    issuer.secret = SECRET
    assert cli.log_in(issuer, "--client-secret-stdin", "--scope", "a", "--backend", "office", stdin=SECRET).code == 0
    before = logins.read_login(cli.home, "work")
    assert issuer.asked[-1][1]["authorization"].startswith("Basic ")
    done = cli("login", "work")
    assert done.code == 0
    assert "office/default" in done.said
    after = logins.read_login(cli.home, "work")
    assert after.tokens.access != before.tokens.access
    assert (after.scope, after.tokens.client_secret) == ("a", SECRET)
    assert backends.present(cli.home, "work") is None
    assert len(backends.find(cli.home, "office").accounts) == 1
    assert SECRET not in done.said


def test_a_new_client_does_not_get_the_old_secret(cli, issuer, browser):
    """Nor does another issuer: what was given for one place goes to no other."""
    issuer.secret = SECRET
    assert cli.log_in(issuer, "--client-secret-stdin", stdin=SECRET).code == 0
    cli("login", "work", "--client-id", "other")
    assert issuer.asked[-1][0]["client_id"] == "other"
    assert "authorization" not in issuer.asked[-1][1]


def test_what_is_asked_for_stays(cli, issuer, browser):
    """Issuers grant another scope than was asked for: it is shown, and the next login asks for the same again."""
    issuer.grant = {"scope": "a"}
    assert cli.log_in(issuer, "--scope", "a offline_access").code == 0
    assert "(a)" in cli("login", "status").said
    cli("login", "work")
    assert parse_qs(urlsplit(browser.opened[-1]).query)["scope"] == ["a offline_access"]


def test_a_new_backend_that_does_not_answer(cli, issuer, browser):
    """What it speaks cannot be found out then; the login is not lost for that."""
    place = ("--base-url", "http://127.0.0.1:9/v1")
    done = cli("login", "work", "--issuer", issuer.url, "--client-id", CLIENT, *place)
    assert "So chat is taken." in done.said
    assert "fairlead backend set work --protocols LIST" in done.said
    assert backends.find(cli.home, "work").protocols == ("chat",)
    assert logins.list_names(cli.home) == ["work"]


def test_beside_other_keys(cli, issuer, browser):
    """A backend that has a key gets the login as a further account; one that passes on logins is not changed."""
    root = f"{issuer.url}/v1"
    assert cli("backend", "add", "office", "--base-url", root, "--protocols", "chat", "--key-stdin", stdin="sk-1").code
    done = cli("login", "work", "--issuer", issuer.url, "--client-id", CLIENT, "--backend", "office")
    assert done.code == 0
    assert [one.alias for one in backends.find(cli.home, "office").accounts] == ["default", "work"]
    assert "Accounts in use: default, work." in done.said
    cli("backend", "set", "office", "--auth", "client")
    done = cli("login", "work", "--backend", "office")
    assert done.code == 1
    assert "passes on each tool's own login" in done.said


@pytest.mark.parametrize("name", ["none", "client", "default"])
def test_names_that_no_account_can_have(cli, issuer, browser, name):
    """Answers have them in place of an account's name, or another account has it: the account is called otherwise."""
    root = f"{issuer.url}/v1"
    cli("backend", "add", "office", "--base-url", root, "--protocols", "chat", "--key-stdin", stdin="sk-1")
    assert cli.log_in(issuer, name="work").code == 0
    done = cli("login", name, "--issuer", issuer.url, "--client-id", CLIENT, "--backend", "office")
    assert done.code == 0
    assert backends.find(cli.home, "office").accounts[1].alias == f"{name}-login"


def test_a_backend_that_moved_meanwhile(cli, issuer, browser):
    """While the user was in the browser, another command changed its URL: the token does not go there."""
    assert cli.log_in(issuer).code == 0
    moved = msgspec.structs.replace(backends.find(cli.home, "work"), root="http://127.0.0.1:9/v1", accounts=())
    browser.before = lambda target: backends.save(cli.home, moved)
    done = cli("login", "work")
    assert done.code == 1
    assert "was moved to http://127.0.0.1:9/v1 meanwhile" in done.said
    assert backends.find(cli.home, "work").accounts == ()


def test_a_backend_that_came_meanwhile(cli, issuer, browser):
    """The same command, twice at once: the second finds the account, and tries it."""

    def add(target):
        root = f"{issuer.url}/v1"
        backends.save(
            cli.home,
            Backend(name="work", root=root, protocols=("chat",), accounts=(Account("default", "login:work"),)),
        )

    browser.before = add
    done = cli.log_in(issuer)
    assert done.code == 0
    assert len(backends.find(cli.home, "work").accounts) == 1


def test_a_token_that_the_backend_refuses(cli, issuer, browser):
    """Saved, said, and what to do names the login."""
    issuer.refuses_tokens = True
    done = cli.log_in(issuer)
    assert done.code == 1
    assert "key refused (401 invalid_api_key)" in done.said
    assert "Log in again: fairlead login work" in done.said
