"""Logins behind real proxies: one token request for all, a token that is renewed in time, a login that has ended, and
no secret where none belongs."""

import json
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from router.store.home.home import open_home
from router.store.keys import logins

from ..commands import run_in_home
from ..login.issuer import CANARY, running
from ..login.stored import store
from .processes import Proxy, backend, until
from .team import Team
from .wire import ask

BODY = json.dumps({"model": "office:model-a", "messages": [{"role": "user", "content": "Hi"}]}).encode()


@pytest.fixture
def issuer():
    """An issuer, and the backend that takes its tokens."""
    with running() as server:
        yield server


@pytest.fixture
def home(tmp_path):
    """The home of the proxies."""
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


def office(issuer):
    return backend("office", f"{issuer.url}/v1", protocols=("chat",), auth="key", key="login:work")


def chat(proxy):
    return ask(proxy.port, "/v1/chat/completions", BODY)


def test_two_proxies_that_refresh_at_once_ask_once(tmp_path, issuer, home):
    """Two processes see the same token refused at the same time: the issuer gets one request, and both serve. With a
    second one it would end the login, as its refresh token is replaced at each use."""
    store(home, issuer)
    with Proxy(tmp_path, backends=[office(issuer)]) as one, Proxy(tmp_path) as two:
        one.settled("office")
        two.settled("office")
        issuer.delay = 1.0
        with issuer.lock:
            next(iter(issuer.families.values()))["access"].clear()
        answers = []
        threads = [threading.Thread(target=lambda at=at: answers.append(chat(at).status)) for at in (one, two) * 5]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200] * 10
        assert issuer.count("refresh_token") == 1
    assert logins.read_login(home, "work").tokens.access in issuer.live


def test_four_proxies_of_a_team_ask_once(tmp_path, issuer):
    """Four homes of a team have one login, and see its token refused at the same time: the issuer gets one request, all
    serve, and each home has the new tokens."""
    homes = [open_home({"FAIRLEAD_HOME": str(tmp_path / f"n{at}" / "home")}) for at in range(4)]
    login = store(homes[0], issuer)
    for one in homes[1:]:
        logins.save_record(one, login)
    with Team(tmp_path, None, 4, backends=[office(issuer)]) as team:
        for one in team.proxies:
            one.settled("office")
        issuer.delay = 1.0
        with issuer.lock:
            next(iter(issuer.families.values()))["access"].clear()
        with ThreadPoolExecutor(12) as pool:
            answers = [*pool.map(chat, team.proxies * 3)]
        assert [one.status for one in answers] == [200] * 12, answers
        assert issuer.count("refresh_token") == 1
    found = {logins.read_login(one, "work").tokens.access for one in homes}
    assert len(found) == 1
    assert found <= issuer.live


def test_a_refused_token_is_replaced_within_the_request(tmp_path, issuer, home):
    """The backend takes the token no more although it has not ended: it is renewed once, and the client sees nothing of
    it; a second refusal is passed on, and the issuer is left alone."""
    store(home, issuer)
    with Proxy(tmp_path, backends=[office(issuer)]) as proxy:
        proxy.settled("office")
        with issuer.lock:
            family = next(iter(issuer.families.values()))
            family["access"].clear()
        assert chat(proxy).status == 200
        assert issuer.count("refresh_token") == 1
        issuer.refuses_tokens = True
        for _ in range(5):
            assert chat(proxy).status == 401
        assert issuer.count("refresh_token") <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_ended_login_is_said_and_asked_for_once(tmp_path, issuer, home):
    """`invalid_grant`: requests are told to log in again, the account's state says so, and no other process, nor a
    restarted one, asks the issuer again; a new login is taken up by the running proxy."""
    store(home, issuer, age=4000)
    with issuer.lock:
        next(iter(issuer.families.values()))["live"] = False
    with Proxy(tmp_path, backends=[office(issuer)]) as proxy:
        for _ in range(3):
            answer = chat(proxy)
            assert answer.status == 401
            assert b"login ended" in answer.body
            assert b"fairlead login work" in answer.body
        accounts = ask(proxy.port, "/accounts", None, proxy.operator()).json()["accounts"]
        assert accounts[0]["state"] == "login ended"
        assert issuer.count("refresh_token") == 1
        with Proxy(tmp_path) as other:
            assert chat(other).status == 401
        assert issuer.count("refresh_token") == 1
        store(home, issuer)
        proxy.process.send_signal(signal.SIGHUP)
        assert until(lambda: chat(proxy).status == 200)
        assert proxy.log.read_text().count("login ended") == 1


def test_a_failing_issuer_costs_nothing_while_the_token_is_valid(tmp_path, issuer, home):
    """The token is due, and its issuer answers 503: requests are served with it, the issuer is asked ever more rarely,
    and it is renewed in the background once the issuer works again."""
    store(home, issuer, age=3400)
    issuer.failing = [503] * 50
    with Proxy(tmp_path, backends=[office(issuer)]) as proxy:
        assert until(lambda: issuer.count("refresh_token"))
        began = time.monotonic()
        while time.monotonic() < began + 12:
            assert chat(proxy).status == 200
            time.sleep(0.5)
        assert issuer.count("refresh_token") <= 3
        with issuer.lock:
            issuer.failing.clear()
        assert until(lambda: logins.read_login(home, "work").tokens.obtained > time.time() - 60)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_while_it_refreshes(tmp_path, issuer, home):
    """kill -9 between the question and its answer: the lock is free, nothing is torn, and what the issuer has replaced
    meanwhile is a login that has ended, said as such."""
    store(home, issuer, age=4000)
    issuer.delay = 2.0
    proxy = Proxy(tmp_path, backends=[office(issuer)])
    assert until(lambda: issuer.count("refresh_token") == 1)
    proxy.process.send_signal(signal.SIGKILL)
    proxy.kill()
    assert logins.read_login(home, "work").tokens.refresh
    time.sleep(2.2)
    issuer.delay = 0.0
    with Proxy(tmp_path) as again:
        answer = chat(again)
        assert answer.status == 401
        assert b"login ended" in answer.body


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_stopped_while_it_refreshes(tmp_path, issuer, home):
    """Told to stop between the question and its answer, a proxy writes the new tokens before it ends."""
    before = store(home, issuer, age=4000)
    issuer.delay = 1.0
    proxy = Proxy(tmp_path, backends=[office(issuer)])
    assert until(lambda: issuer.count("refresh_token") == 1)
    assert proxy.stop() == 0
    after = logins.read_login(home, "work")
    assert after.tokens.refresh != before.tokens.refresh
    assert after.tokens.access in issuer.live


def test_no_secret_is_where_none_belongs(tmp_path, issuer, home):
    """After requests, refusals and an issuer that repeats what it was sent: no token in the log, the access log, the
    history, the configuration, the answers and the arguments of any process; the files of logins alone have them."""
    store(home, issuer, age=4000)
    issuer.repeats = True
    with Proxy(tmp_path, "-vv", "--log-file", str(tmp_path / "access.log"), backends=[office(issuer)]) as proxy:
        said = [chat(proxy).body]
        issuer.refuses_tokens = True
        said.append(chat(proxy).body)
        with issuer.lock:
            for family in issuer.families.values():
                family["live"] = False
        said += [chat(proxy).body for _ in range(3)]
        for path in ("/status", "/accounts", "/admin/backends", "/admin/history", "/metrics"):
            said.append(ask(proxy.port, path, None, proxy.operator()).body)
        arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _is_readable(path)]
        for command in (["login", "status", "--json"], ["backend", "list", "--json"], ["login", "refresh", "work"]):
            done = run_in_home(home.path, *command)
            said += [done.out, done.err]
    assert issuer.count("refresh_token") >= 1
    assert not [text for text in [*said, *arguments] if CANARY.encode() in text]
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert holding == [home.at("logins/work.json")]
    if sys.platform != "win32":
        assert holding[0].stat().st_mode & 0o777 == 0o600


def _is_readable(path):
    try:
        return bool(path.read_bytes())
    except OSError:
        return False
