"""What operators may look at, of a running proxy: analytics, history, metrics, and the live stream."""

import json
import time
from contextlib import closing

import pytest

from router.store.database.migrations import MIGRATIONS, migrate
from router.store.database.open import connect

from .processes import Proxy, Threaded, make_home, until
from .samples import PROTOCOLS
from .wire import Client, ask, request

PATHS = ("/analytics", "/analytics/stream", "/metrics", "/admin/history", "/admin/history/req_x")
[MESSAGES] = [protocol for protocol in PROTOCOLS if protocol.name == "messages"]
BODY = MESSAGES.body("demo")


@pytest.fixture
def proxy(tmp_path):
    with Proxy(tmp_path) as running:
        yield running


def sent(proxy, count=1):
    """Some requests; their ids once the history has them."""
    ids = [ask(proxy.port, MESSAGES.path, BODY).field(b"x-fairlead-request-id").decode() for _ in range(count)]
    assert until(lambda: ask(proxy.port, f"/admin/history/{ids[-1]}", None, proxy.operator()).status == 200)
    return ids


@pytest.mark.parametrize("path", PATHS)
def test_operators_only(proxy, path):
    """Without the token, and with another verb, nothing is told."""
    assert ask(proxy.port, path).status == 401
    assert ask(proxy.port, path, None, (b"Authorization", b"Bearer x")).status == 401
    assert ask(proxy.port, path, b"{}", proxy.operator()).status == 405


def test_before_anything_happened(proxy):
    """Empty answers of the same form, not errors."""
    found = ask(proxy.port, "/analytics", None, proxy.operator()).json()
    assert (found["schema"], found["total"]["requests"], found["models"]) == (1, 0, [])
    assert ask(proxy.port, "/admin/history", None, proxy.operator()).json() == {"schema": 1, "requests": []}
    assert ask(proxy.port, "/admin/history/req_x", None, proxy.operator()).status == 404
    metrics = ask(proxy.port, "/metrics", None, proxy.operator())
    assert metrics.field(b"content-type").startswith(b"text/plain; version=0.0.4")
    assert b"fairlead_build_info" in metrics.body


@pytest.mark.parametrize("query", ["since=x", "since=", "since=-1h", "since=2099-01-01"])
def test_a_time_that_is_none(proxy, query):
    """It is refused with what was expected."""
    answer = ask(proxy.port, f"/analytics?{query}", None, proxy.operator())
    if query == "since=":  # as if not given
        assert answer.status == 200
        return
    assert answer.status == 400
    assert "24h" in answer.json()["error"]["message"]


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "9" * 5000, "\u0661"])
def test_a_limit_that_is_none(proxy, limit):
    """So is a page of no size, or of too large a one."""
    path = f"/admin/history?limit={limit}".encode("ascii", "backslashreplace").decode()
    assert ask(proxy.port, path, None, proxy.operator()).status == 400


def test_pages(proxy):
    """The newest first, page by page, until none is left."""
    ids = sent(proxy, 5)
    found, before = [], ""
    while page := ask(proxy.port, f"/admin/history?limit=2{before}", None, proxy.operator()).json()["requests"]:
        found += [row["id"] for row in page]
        before = f"&before={found[-1]}"
    assert found == ids[::-1]
    assert ask(proxy.port, "/admin/history?before=req_nobody", None, proxy.operator()).json()["requests"] == []


def old_file(folder, version, *statements):
    """A home whose history.db has the schema of this version, and what these add."""
    path = make_home(folder) / "history.db"
    with closing(connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        migrate(db, MIGRATIONS[:version])
        for statement in statements:
            db.execute(statement)
    path.chmod(0o600)
    return path


READS = ("/analytics", "/admin/history", "/admin/history/req_x", "/admin/history/-")


@pytest.mark.parametrize("fault", ["newer", "damaged"])
def test_a_history_that_cannot_be_read(tmp_path, fault):
    """A newer file is left as it is: what would read it is 503 with the way out, requests and /metrics go on. A damaged
    one is put aside, and what happens from then on is recorded."""
    path = old_file(tmp_path, len(MIGRATIONS), "PRAGMA user_version = 99")
    if fault == "damaged":
        path.write_bytes(b"no database" * 4000)
    before = path.read_bytes()
    with Proxy(tmp_path) as proxy:
        assert until(lambda: "history.db" in proxy.said())
        name = ask(proxy.port, MESSAGES.path, BODY).field(b"x-fairlead-request-id").decode()
        answers = {read: ask(proxy.port, read, None, proxy.operator()) for read in READS}
        metrics = ask(proxy.port, "/metrics", None, proxy.operator()).body.decode()
        state = ask(proxy.port, "/status", None, proxy.operator()).json()["history"]
        said = proxy.said()
    assert 'gen_ai_server_request_duration_seconds_count{error_type="",gen_ai_operation_name="chat"' in metrics
    if fault == "damaged":
        assert path.with_name("history.db.corrupt-1").read_bytes() == before
        assert answers["/admin/history/-"].json()["request"]["id"] == name
        assert state["problem"] is None
        return
    assert {read: answer.status for read, answer in answers.items()} == dict.fromkeys(READS, 503)
    assert all("newer fairlead" in answer.json()["error"]["message"] for answer in answers.values())
    assert "newer fairlead" in state["problem"]
    assert "fairlead_history_in_use 0.0" in metrics
    assert said.count("newer fairlead") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS)))
def test_a_history_of_an_older_version(tmp_path, version):
    """Its rows stand beside those of now."""
    values = (
        f"1, 'req_old', {int(time.time() * 1000) - 60_000}, 1, 1, 1, '/v1/messages', 2, 2, 1, 1, 200, 1, 1, 0, NULL, 9"
    )
    old_file(
        tmp_path,
        version,
        "INSERT INTO names VALUES (1, ''), (2, 'm')",
        "INSERT INTO requests (seq, id, time, method, client, protocol, path, model, served, backend, account, status, "
        "error, attempts, queue_ms, first_byte_us, total_us, price, losses, stream, billing, tag, estimated, notes) "
        f"VALUES ({values}, 1, '', 0, 1, 1, 0, '')",
    )
    with Proxy(tmp_path) as proxy:
        [new] = sent(proxy)
        rows = ask(proxy.port, "/admin/history", None, proxy.operator()).json()["requests"]
        assert [row["id"] for row in rows] == [new, "req_old"]
        assert rows[1]["model"] == "m"


def test_the_stream(proxy):
    """It begins with the last 50, then tells each request as it ends; a stop does not wait for it."""
    ids = [ask(proxy.port, MESSAGES.path, BODY).field(b"x-fairlead-request-id").decode() for _ in range(60)]
    with Client(proxy.port) as reader:
        reader.send(request("/analytics/stream", None, proxy.operator()))
        seen = reader.read_until(ids[-1].encode())
        assert b"text/event-stream" in seen
        assert ids[9].encode() not in seen
        assert ids[10].encode() in seen
        last = ask(proxy.port, MESSAGES.path, BODY).field(b"x-fairlead-request-id")
        seen = reader.read_until(last)
        reader.read_until(b"\n\n")
        data = json.loads(seen[seen.rindex(b"data: ") + 6 :].split(b"\n")[0])
        assert (data["schema"], data["model"], data["status"], data["backend"]) == (1, "demo", 200, "demo")
        assert "root" not in data
        began = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - began < 6


def test_a_reader_that_stops(tmp_path, monkeypatch):
    """What waits for it is bounded: it is cut off, and requests never wait."""
    monkeypatch.setattr("router.admin.live_api.WAITING", 4)
    with Threaded(tmp_path) as proxy:
        token = (tmp_path / "home" / "operator.token").read_bytes().strip()
        recorder = proxy.serving.runtime.recorder
        with Client(proxy.port) as reader:
            reader.send(request("/analytics/stream", None, (b"Authorization", b"Bearer " + token)))
            assert until(lambda: len(recorder.listeners) == 1)
            [listen] = recorder.listeners
            ask(proxy.port, MESSAGES.path, BODY)
            assert until(lambda: recorder.recent)
            entry = recorder.recent[-1]
            # Many end between two steps of the loop, so that the reader's task takes none of them.
            proxy.call(lambda: [listen(entry) for _ in range(50)])
            assert until(lambda: not recorder.listeners)
        assert ask(proxy.port, MESSAGES.path, BODY).status == 200


def test_too_many_readers(tmp_path, monkeypatch):
    """One more than there may be is told to come again."""
    monkeypatch.setattr("router.admin.live_api.READERS", 1)
    with Threaded(tmp_path) as proxy:
        token = (tmp_path / "home" / "operator.token").read_bytes().strip()
        field = (b"Authorization", b"Bearer " + token)
        with Client(proxy.port) as reader:
            reader.send(request("/analytics/stream", None, field))
            assert until(lambda: proxy.serving.runtime.recorder.listeners)
            assert ask(proxy.port, "/analytics/stream", None, field).status == 503


def test_heartbeats(tmp_path, monkeypatch):
    """A stream on which nothing happens shows that it lives."""
    monkeypatch.setattr("router.admin.live_api.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("router.admin.live_api._TICK_SECONDS", 0.05)
    with Threaded(tmp_path) as proxy:
        token = (tmp_path / "home" / "operator.token").read_bytes().strip()
        with Client(proxy.port) as reader:
            reader.send(request("/analytics/stream", None, (b"Authorization", b"Bearer " + token)))
            end = time.monotonic() + 10
            while reader._rest.count(b": heartbeat") < 3 and time.monotonic() < end:
                reader._rest += reader.sock.recv(4096)
            assert reader._rest.count(b": heartbeat") >= 3


def rows_of(proxy, count):
    """The newest rows, once there are so many."""
    ask_rows = lambda: ask(proxy.port, "/admin/history", None, proxy.operator()).json()["requests"]  # noqa: E731
    assert until(lambda: len(ask_rows()) >= count)
    return ask_rows()


def test_what_was_no_request(proxy):
    """A malformed request and an unknown path are counted by their error, without a word of what stood in them; paths
    of fairlead's own that were refused are not, since what watches them asks again and again."""
    for path in ("/v2/sk-secret-path?key=sk-secret-query", "/admin/sk-secret", "/status"):
        ask(proxy.port, path, None)
    with Client(proxy.port) as client:
        client.send(b"GET /v1/sk-secret HTTP/1.1\nHost: localhost\n\n")
        name = client.answer().field(b"x-fairlead-request-id").decode()
    rows = rows_of(proxy, 3)
    assert [(row["status"], row["path"], row["error"]) for row in rows] == [
        (400, "(malformed)", "invalid_request_error"),
        (404, "(unknown)", "not_found_error"),
        (404, "(unknown)", "not_found_error"),
    ]
    assert rows[0]["id"] == name
    found = ask(proxy.port, "/analytics", None, proxy.operator()).json()
    assert (found["total"]["requests"], found["total"]["errors"]) == (3, 3)
    assert "sk-secret" not in json.dumps([rows, found])
    assert not any(b"sk-secret" in path.read_bytes() for path in proxy.home.glob("history.db*"))


def test_cost_in_the_stream(tmp_path):
    """Events name the cost of a request as its row does, and where the price is from."""
    path = make_home(tmp_path) / "config.toml"
    path.touch(mode=0o600)
    path.write_text('[prices."demo"]\ninput = 1000\noutput = 2000\n')
    with Proxy(tmp_path) as proxy, Client(proxy.port) as reader:
        [name] = sent(proxy)
        reader.send(request("/analytics/stream", None, proxy.operator()))
        seen = reader.read_until(name.encode())
        seen += reader.read_until(b"\n\n")
        told = json.loads(seen[seen.rindex(b"data: ") + 6 :].split(b"\n")[0])
        row = ask(proxy.port, f"/admin/history/{name}", None, proxy.operator()).json()["request"]
        assert told["cost_usd"] == row["cost_usd"] > 0
        assert told["price"] == row["price"] == "config.toml"
        assert (told["attempts"], len(told["tries"])) == (1, 1)
        [attempt] = row["tries"]
        assert (attempt["backend"], attempt["status"], attempt["done"]) == ("demo", 200, "")
