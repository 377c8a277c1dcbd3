"""The operator's API on a real proxy: backends and accounts come, change and go, and the proxy uses what is there."""

import fcntl
import json
import sys
import threading
import time

import pytest

from ..commands import run_in_home
from ..patience import PATIENCE
from .conftest import CLIENT_KEY
from .processes import Proxy, backend, until
from .samples import CHAT
from .upstream import plain
from .wire import JSON, Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")

KEY = "sk-literal-0123456789"


@pytest.fixture
def proxy(tmp_path, upstream):
    """A proxy without backends, not even the demo."""
    upstream.default = (plain(CHAT.whole),)
    with Proxy(tmp_path, settings={"FAIRLEAD_DEMO": "off"}) as running:
        yield running


def call(proxy, method, path, fields=None):
    """One call with the operator token; status and JSON."""
    body = None if fields is None else json.dumps(fields).encode()
    answer = ask(proxy.port, path, body, proxy.operator(), method=method)
    assert b"sk-" not in answer.body
    return answer.status, answer.json()


def post(proxy, path, **fields):
    return call(proxy, "POST", path, fields)


def add(proxy, upstream, name="box", **fields):
    given = {"name": name, "base_url": upstream.root, "protocols": ["chat"], "key": KEY, **fields}
    return post(proxy, "/admin/backends", **{key: value for key, value in given.items() if value is not None})


def asked(proxy, model):
    return ask(proxy.port, CHAT.path, CHAT.body(model))


def stored(proxy, name="box"):
    return json.loads((proxy.home / "backends" / f"{name}.json").read_text())


def test_a_backend_comes_changes_and_goes(proxy, upstream):
    """Each change is on disk and in use when its answer comes; no answer holds a key."""
    status, answer = add(proxy, upstream)
    assert status == 201
    assert answer["backend"] == {
        "name": "box",
        "base_url": upstream.root,
        "protocols": ["chat"],
        "auth": "key",
        "credentials": "key stored",
        "enabled": True,
        "headers": [],
        "accounts": [{"alias": "default", "source": "stored", "credentials": "key stored", "serves": True}],
    }
    assert asked(proxy, "box:m").status == 200
    assert upstream.seen[-1].field(b"authorization") == f"Bearer {KEY}".encode()
    status, answer = post(proxy, "/admin/backends/box", key="sk-other", protocols=["messages", "chat"])
    assert (status, answer["dropped"]) == (200, [])
    assert asked(proxy, "box:m").status == 200
    assert upstream.seen[-1].field(b"authorization") == b"Bearer sk-other"
    assert post(proxy, "/admin/backends/BOX", enabled=False)[1]["backend"]["enabled"] is False
    assert asked(proxy, "box:m").status == 404
    assert [entry["name"] for entry in call(proxy, "GET", "/admin/backends")[1]["backends"]] == ["box"]
    assert post(proxy, "/admin/backends/box", enabled=True)[0] == 200
    assert asked(proxy, "box:m").status == 200
    assert call(proxy, "DELETE", "/admin/backends/box") == (200, {"removed": "box", "problems": []})
    assert asked(proxy, "box:m").status == 404
    assert call(proxy, "DELETE", "/admin/backends/box")[0] == 404
    assert call(proxy, "GET", "/admin/backends") == (200, {"schema": 1, "backends": [], "problems": []})


def test_another_place_drops_the_keys(proxy, upstream):
    """A key given for one base URL is not sent to another; the answer names the accounts that went."""
    add(proxy, upstream)
    post(proxy, "/admin/accounts", backend="box", alias="work", key="sk-work")
    status, answer = post(proxy, "/admin/backends/box", base_url=upstream.root + "/team/v1")
    assert (status, answer["dropped"]) == (200, ["default", "work"])
    assert stored(proxy)["accounts"] == []
    refused = asked(proxy, "box:m")
    assert (refused.status, upstream.seen) == (401, [])
    assert "has no usable key" in refused.json()["error"]["message"]


def test_accounts_come_and_go(proxy, upstream):
    """All of them serve; the last one may go, and is missed."""
    add(proxy, upstream)
    assert post(proxy, "/admin/accounts", backend="Box", alias="Work", key="sk-work")[0] == 201
    assert post(proxy, "/admin/accounts", backend="box", alias="work", key="sk-work")[0] == 409
    status, listed = call(proxy, "GET", "/accounts")
    assert status == 200
    assert listed == {
        "schema": 1,
        "accounts": [
            {
                "backend": "box",
                "alias": alias,
                "source": "stored",
                "credentials": "key stored",
                "serves": True,
                "problem": None,
                "key_problem": None,
                "state": "ready",
                "reason": "ready",
                "until_s": None,
                "headroom": 1.0,
                "limits": [],
                "running": 0,
                "next": alias == "default",
            }
            for alias in ("default", "work")
        ],
        "problems": [],
    }
    assert call(proxy, "GET", "/admin/accounts") == (status, listed)
    assert call(proxy, "DELETE", "/admin/accounts/box/default")[1]["removed"] == "default"
    asked(proxy, "box:m")
    assert upstream.seen[-1].field(b"authorization") == b"Bearer sk-work"
    status, answer = call(proxy, "DELETE", "/admin/accounts/box/work")
    assert (status, answer["backend"]["credentials"]) == (200, "no key stored")
    assert asked(proxy, "box:m").status == 401
    assert call(proxy, "GET", "/accounts")[1]["accounts"] == []
    assert call(proxy, "DELETE", "/admin/accounts/box/work")[0] == 404
    assert call(proxy, "DELETE", "/admin/accounts/nobody/work")[0] == 404
    [entry] = call(proxy, "GET", "/admin/backends")[1]["backends"]
    assert entry["problem"] == "no key is stored."


def test_known_names_need_little(proxy):
    """A known provider brings its URL and protocols; one without a key none."""
    status, answer = post(proxy, "/admin/backends", name="groq", key=KEY)
    assert (status, answer["backend"]["protocols"]) == (201, ["chat", "responses"])
    assert post(proxy, "/admin/backends", name="ollama")[1]["backend"]["auth"] == "none"
    status, answer = post(proxy, "/admin/backends", name="anthropic", auth="client")
    assert (status, answer["backend"]["credentials"]) == (201, "each tool's own login")
    status, answer = post(proxy, "/admin/accounts", backend="anthropic", alias="x", key=KEY)
    assert (status, "each tool's own login" in answer["error"]["message"]) == (409, True)
    assert {file.name for file in (proxy.home / "backends").iterdir()} == {"anthropic.json", "groq.json", "ollama.json"}


def test_problems_are_shown(proxy, upstream):
    """An account whose variable is not set, and a file that cannot be read."""
    (proxy.home / "backends").mkdir(mode=0o700)
    for name, key in (("env", "env:NOT_SET_HERE"), ("late", "literal")):
        path = proxy.home / "backends" / f"{name}.json"
        path.touch(mode=0o600)
        accounts = [{"alias": "a", "key": "literal"}, {"alias": "b", "key": "env:NOT_SET_HERE"}]
        accounts = accounts if key == "literal" else [{"alias": "main", "key": key}]
        entry = {"schema": 1, "name": name, "root": upstream.root, "protocols": ["chat"], "accounts": accounts}
        path.write_text(json.dumps(entry))
    (proxy.home / "backends" / "bad.json").touch(mode=0o600)
    status, answer = post(proxy, "/admin/backends/late", enabled=True)
    assert (status, len(answer["problems"])) == (200, 1)
    assert "bad.json" in answer["problems"][0]
    answer = call(proxy, "GET", "/accounts")[1]
    found = {(entry["backend"], entry["alias"]): entry for entry in answer["accounts"]}
    assert found["env", "main"]["problem"] == found["late", "b"]["problem"] == "$NOT_SET_HERE is not set."
    assert found["late", "a"]["problem"] is None
    assert found["env", "main"]["credentials"] == "key from $NOT_SET_HERE (not set)"
    assert found["env", "main"]["source"] == "env"
    assert [entry["backend"] for entry in answer["problems"]] == ["bad"]
    status, answer = post(proxy, "/admin/backends/bad", enabled=False)
    assert status == 500
    assert "bad.json" in answer["error"]["message"]
    assert "fairlead backend remove bad" in answer["error"]["message"]
    assert call(proxy, "DELETE", "/admin/backends/bad")[0] == 200


def test_headers_are_listed_by_name(tmp_path, upstream):
    """What config.toml sets for a backend shows by its name."""
    (tmp_path / "home").mkdir(mode=0o700)
    config = tmp_path / "home" / "config.toml"
    config.touch(mode=0o600)
    config.write_text('[backends.box.set_headers]\nX-Title = "secret-title"\n')
    with Proxy(tmp_path, backends=[backend("box", upstream.root)]) as proxy:
        answer = ask(proxy.port, "/admin/backends", None, proxy.operator())
        assert [one["headers"] for one in answer.json()["backends"] if one["name"] == "box"] == [["X-Title"]]
        assert b"secret-title" not in answer.body


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * (1 << 20), JSON, 413),
        (b'{"name":"' + b"x" * 60_000 + b'"}', JSON, 400),
        (b"{", JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b"", JSON, 400),
        (b'{"name":"x"}', (b"Content-Type", b"text/plain"), 415),
        (b'{"name":"x"}', (b"Content-Type", b"application/x-www-form-urlencoded"), 415),
    ],
    ids=["1 MB", "long name", "cut", "deep", "empty", "text", "form"],
)
@pytest.mark.parametrize("path", ["/admin/backends", "/admin/backends/box", "/admin/accounts"])
def test_bodies_that_are_none(proxy, path, body, kind, status):
    """Refused with what was expected, in the operator's form; the proxy goes on."""
    answer = ask(proxy.port, path, body, proxy.operator(), kind=kind)
    assert answer.status == status
    error = answer.json()["error"]
    assert set(error) == {"type", "message"}
    assert len(error["message"]) < 1000
    assert not (proxy.home / "backends").exists()
    assert ask(proxy.port, "/livez").status == 200


def test_waiting_for_the_lock_stops_nobody(proxy, upstream):
    """While another command holds the home's lock, the proxy serves; the change is made once it is free."""
    add(proxy, upstream)
    answers = []
    with (proxy.home / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: answers.append(post(proxy, "/admin/backends/box", enabled=False)))
        waiting.start()
        time.sleep(0.2)
        assert asked(proxy, "box:m").status == 200
        assert ask(proxy.port, "/livez").status == 200
        assert answers == []
    waiting.join(PATIENCE)
    assert answers[0][0] == 200
    assert asked(proxy, "box:m").status == 404


def test_change_of_a_caller_that_left(proxy, upstream):
    """A change that was begun is carried out and taken up without its caller."""
    add(proxy, upstream)
    with (proxy.home / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Client(proxy.port) as client:
            client.send(request("/admin/backends/box", b'{"enabled":false}', proxy.operator()))
            time.sleep(0.3)
            client.abort()
        time.sleep(0.1)
    assert until(lambda: asked(proxy, "box:m").status == 404)


def test_changes_at_once_all_survive(proxy, upstream):
    """Commands and calls that change one backend at the same time lose nothing of each other."""
    add(proxy, upstream)
    codes = []

    def command(*arguments):
        codes.append(run_in_home(proxy.home, *arguments, A_KEY=KEY, PATH="").code)

    def by_api(number):
        codes.append(post(proxy, "/admin/accounts", backend="box", alias=f"api{number}", key=KEY)[0] - 201)
        codes.append(add(proxy, upstream, f"other{number}")[0] - 201)

    threads = [
        threading.Thread(target=command, args=("accounts", "add", "box", f"cli{number}", "--key-env", "A_KEY"))
        for number in range(4)
    ]
    threads += [threading.Thread(target=by_api, args=(number,)) for number in range(8)]
    threads += [threading.Thread(target=command, args=("backend", "disable", "box"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert codes == [0] * 21
    entry = stored(proxy)
    expected = {"default", *(f"cli{number}" for number in range(4)), *(f"api{number}" for number in range(8))}
    assert ({account["alias"] for account in entry["accounts"]}, entry["enabled"]) == (expected, False)
    listed = call(proxy, "GET", "/admin/backends")[1]["backends"]
    assert {backend["name"] for backend in listed} == {"box", *(f"other{number}" for number in range(8))}
    # What the last reload took up is what lies there.
    assert {backend["name"] for backend in proxy.status()["backends"]} == {f"other{number}" for number in range(8)}


def test_keys_are_in_no_log(tmp_path, upstream):
    """At -vv too: neither a key that was given, nor one that was refused."""
    upstream.default = (plain(b'{"error":{"message":"the key %b is no good"}}' % KEY.encode(), b"400 Bad Request"),)
    with Proxy(tmp_path, settings={"FAIRLEAD_VERBOSE": "2"}) as proxy:
        assert add(proxy, upstream)[0] == 201
        assert post(proxy, "/admin/accounts", backend="box", alias="work", key=KEY + "-second")[0] == 201
        assert add(proxy, upstream, "other", key=KEY + "\x07")[0] == 400
        assert asked(proxy, "box:m").status == 400
        assert proxy.stop() == 0
    said = proxy.log.read_text()
    assert "is no good" in said
    assert KEY not in said


def test_status_tells_of_history(tmp_path):
    """Whether history is kept, and what was lost; `/health` says no more than before."""
    with Proxy(tmp_path) as proxy:
        history = proxy.status()["history"]
        assert (history["problem"], history["dropped"]) == (None, 0)
        assert proxy.status()["schema"] == 1
        assert ask(proxy.port, "/health").json() == {"status": "ok"}
        assert proxy.stop() == 0
    database = tmp_path / "home" / "history.db"
    for path in (tmp_path / "home").glob("history.db*"):
        path.unlink()
    database.mkdir()
    with Proxy(tmp_path) as proxy:
        problem = until(lambda: proxy.status()["history"]["problem"])
        assert "history.db" in problem


def test_a_page_cannot_call(keyed):
    """Neither a foreign page nor the clients' key reaches the operator's API."""
    key = (b"Authorization", b"Bearer " + CLIENT_KEY.encode())
    assert ask(keyed.port, "/admin/backends", b'{"name":"x"}', key).status == 401
    assert ask(keyed.port, "/accounts", None, key).status == 401
    page = (b"Origin", b"https://evil.example")
    assert ask(keyed.port, "/admin/backends", b"{}", keyed.operator(), page).status == 403
