"""Requests go where the ids they name were issued, also after the proxy was restarted."""

import gzip
import json
import sqlite3
import time
from contextlib import closing

import pytest

from .processes import Proxy, add_backend, backend, until
from .upstream import Upstream, plain, stream
from .wire import ask

CREATED = [
    b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_s","model":"m"}}\n\n',
    b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_s"}}\n\n',
]


def made(name, **fields):
    """An object with an id, as an upstream answers with one."""
    return plain(json.dumps({"id": name, **fields}).encode())


def body(**fields):
    """A request's body."""
    return json.dumps(fields).encode()


class Pair:
    """A proxy in front of two upstreams that list different models; it can be started anew on the same home."""

    def __init__(self, folder):
        self._folder = folder
        self.ups = {name: Upstream(models=(f"model-{name}",)) for name in ("a", "b")}
        for up in self.ups.values():
            up.default = (made("nothing-new", object="list"),)
        self.backends = [backend(name, up.root) for name, up in self.ups.items()]
        self.proxy = None
        self.start()

    def start(self, **settings):
        """A proxy on the home that may have been used before."""
        self.proxy = Proxy(self._folder, backends=self.backends, settings=settings)
        self.proxy.settled(*(entry["name"] for entry in self.backends if entry["enabled"]))

    def restart(self):
        """Stop and start again."""
        assert self.proxy.stop() == 0, self.proxy.said()
        self.start()

    def ask(self, *arguments, **options):
        """One request to the proxy."""
        return ask(self.proxy.port, *arguments, **options)

    def served(self, *arguments, **options):
        """Which backend answered."""
        answer = self.ask(*arguments, **options)
        assert answer.status == 200, answer.body
        return answer.field(b"x-fairlead-backend").decode()

    def issue(self, name, path, answer, **fields):
        """Have the backend of that name issue an id; the model says where it goes."""
        self.ups[name].script(answer)
        assert self.served(path, body(model=f"{name}:model-{name}", **fields)) == name

    def rows(self):
        """What the file holds: id -> (backend, account, kind)."""
        with closing(sqlite3.connect(self.proxy.home / "history.db")) as db:
            return {row[0]: row[1:] for row in db.execute("SELECT id, backend, account, kind FROM owners")}

    def close(self):
        """Stop all."""
        code = self.proxy.stop() if self.proxy.process.poll() is None else 0
        for up in self.ups.values():
            up.stop()
        assert code == 0, self.proxy.said()


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_after_a_restart(pair, streamed):
    """A stored response is read, continued and deleted where it was made, by a proxy that was started later."""
    answer = stream(CREATED) if streamed else made("resp_s", object="response", output=[])
    pair.issue("b", "/v1/responses", answer, input="x", stream=streamed)
    for _ in range(2):
        assert pair.served("/v1/responses/resp_s") == "b"
        assert pair.served("/v1/responses/resp%5Fs/input_items?limit=2") == "b"
        assert pair.served("/v1/responses", body(model="model-b", previous_response_id="resp_s", input="x")) == "b"
        assert pair.served("/v1/responses/resp_s/cancel", b"{}") == "b"
        assert pair.served("/v1/responses/resp_s", method="DELETE") == "b"
        pair.restart()
    assert pair.rows()["resp_s"] == ("b", "none", "responses")


def test_an_unknown_id_asks_for_a_choice(pair):
    """With two backends that could serve it, an id nobody remembers is a 400 that says how to choose."""
    answer = pair.ask("/v1/responses/resp_unknown")
    assert answer.status == 400
    assert "`fairlead config set default_backend a`" in answer.json()["error"]["message"]


def test_the_owner_goes_before_the_models_route(pair):
    """An id means nothing elsewhere: it pins its backend though the model is another's; an explicit prefix decides."""
    pair.issue("a", "/v1/responses", made("resp_1"), input="x")
    follow = {"previous_response_id": "resp_1", "input": "x"}
    assert pair.served("/v1/responses", body(model="model-b", **follow)) == "a"
    assert json.loads(pair.ups["a"].seen[-1].body)["model"] == "model-b"
    assert pair.served("/v1/responses", body(model="b:model-b", **follow)) == "b"
    assert pair.served("/v1/responses", body(model="a:model-a", **follow)) == "a"
    assert json.loads(pair.ups["a"].seen[-1].body)["model"] == "model-a"


def test_what_is_not_stored_is_not_remembered(pair):
    """store: false, Chat and Messages answers leave no trace: their ids are never used again."""
    pair.issue("a", "/v1/responses", made("resp_1"), input="x", store=False)
    pair.issue("a", "/v1/chat/completions", made("chatcmpl-1"), messages=[])
    pair.issue("a", "/v1/messages", made("msg_1", type="message"), messages=[])
    pair.issue("a", "/v1/responses", made("resp_2"), input="x")
    pair.proxy.stop()
    assert set(pair.rows()) == {"resp_2"}


def test_conversations_and_batches(pair):
    """What calls without a model create pins what names it: at the top level, in a path, and a batch's result files."""
    pair.proxy.stop()
    pair.start(FAIRLEAD_DEFAULT_BACKEND="b")
    for path, answer in (
        ("/v1/conversations", made("conv_1", object="conversation")),
        ("/v1/batches", made("batch_1", status="validating", output_file_id=None)),
        ("/v1/uploads/upload_1/complete", made("upload_1", file={"id": "file-2", "object": "file"})),
    ):
        pair.ups["b"].script(answer)
        assert pair.served(path, b"{}") == "b"
    pair.ups["b"].script(made("batch_1", status="completed", output_file_id="file-out", error_file_id="file-err"))
    assert pair.served("/v1/batches/batch_1") == "b"
    pair.proxy.stop()
    pair.start(FAIRLEAD_DEFAULT_BACKEND="a")
    assert pair.served("/v1/files/file-other/content") == "a"
    for name in ("file-out", "file-err", "file-2"):
        assert pair.served(f"/v1/files/{name}/content") == "b"
    assert pair.served("/v1/responses", body(model="model-a", conversation="conv_1", input="x")) == "b"
    assert pair.served("/v1/responses", body(model="model-a", conversation={"id": "conv_1"}, input="x")) == "b"
    assert pair.served("/v1/batches", body(input_file_id="file-out", endpoint="/v1/responses")) == "b"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_attached_files_pin(pair, path):
    """A file id deep in a body goes to its backend, in every protocol; text that looks like one does not count."""
    pair.proxy.stop()
    pair.start(FAIRLEAD_DEFAULT_BACKEND="b")
    pair.ups["b"].script(made("file-1", object="file"))
    assert pair.served("/v1/files", b"{}") == "b"
    field = "input" if path == "/v1/responses" else "messages"
    part = {"type": "file", "file": {"file_id": "file-1"}}
    quoted = {"type": "text", "text": 'the "file_id": "file-1" of it'}
    pair.restart()
    assert pair.served(path, body(model="model-a", **{field: [{"role": "user", "content": [part]}]})) == "b"
    assert pair.served(path, body(model="model-a", **{field: [{"role": "user", "content": [quoted]}]})) == "a"


def test_a_large_body_is_searched(pair):
    """Over 1 MiB in a thread, with the same result."""
    pair.proxy.stop()
    pair.start(FAIRLEAD_DEFAULT_BACKEND="b")
    pair.ups["b"].script(made("file-1", object="file"))
    assert pair.served("/v1/files", b"{}") == "b"
    parts = [{"type": "text", "text": "x" * 3_000_000}, {"type": "file", "file": {"file_id": "file-1"}}]
    assert pair.served("/v1/chat/completions", body(model="model-a", messages=[{"content": parts}])) == "b"


def test_a_coded_answer(pair):
    """An id in a gzip answer, which passes as it is, is read beside the relay."""
    coded = gzip.compress(json.dumps({"id": "vs_1"}).encode())
    pair.ups["b"].script(plain(coded, b"200 OK", (b"Content-Encoding", b"gzip")))
    answer = pair.ask("/v1/vector_stores", body(model="b:x"))
    assert answer.body == coded
    assert pair.served("/v1/vector_stores/vs_1") == "b"


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/vector_stores"])
def test_an_answer_that_is_not_held(pair, path):
    """One too large to be held until it is whole gives the id it begins with."""
    pair.issue("b", path, made("id-9", object="x", padding="y" * 3_000_000), input="x")
    assert pair.served(f"{path}/id-9") == "b"


def test_a_killed_proxy(pair):
    """What was issued more than a second before a kill -9 is remembered by the next proxy."""
    # Nothing is written before that.
    pair.proxy.loaded()
    pair.issue("b", "/v1/responses", made("resp_1"), input="x")
    time.sleep(1)
    pair.proxy.kill()
    for file in (pair.proxy.home / "run").iterdir():
        file.unlink()
    pair.start()
    assert pair.served("/v1/responses/resp_1") == "b"


def test_two_proxies_of_one_home(pair):
    """What one issues the other knows, a second later."""
    first = pair.proxy
    pair.issue("b", "/v1/responses", made("resp_1"), input="x")
    for file in (first.home / "run").iterdir():
        file.unlink()  # the next one's is looked for
    pair.start()
    try:
        assert until(lambda: pair.ask("/v1/responses/resp_1").status == 200)
        assert pair.served("/v1/responses/resp_1") == "b"
    finally:
        first.stop()


def test_an_owner_that_is_gone(pair):
    """A disabled owner is named in an error of the caller's protocol; nothing is sent anywhere else."""
    pair.issue("a", "/v1/responses", made("resp_1"), input="x")
    pair.backends[0]["enabled"] = False
    pair.restart()
    seen = len(pair.ups["b"].seen)
    for asked in (("/v1/responses/resp_1",), ("/v1/responses", body(model="model-b", previous_response_id="resp_1"))):
        answer = pair.ask(*asked)
        assert answer.status == 404
        assert "backend a" in answer.json()["error"]["message"]
    assert len(pair.ups["b"].seen) == seen
    add_backend(pair.proxy.home, pair.backends[0] | {"enabled": True})


def test_an_answer_passes_unchanged(pair):
    """What issues an id is relayed byte for byte: long, chunked, with an id of any kind."""
    for answer in (
        b'{ "object":"file", "id" : "file-\\u0031" , "x":"' + b"y" * 200_000 + b'"}',
        b'{"id":17}',
        b'["id"]',
        b"not json",
        b'{"id":"' + b"z" * 300 + b'"}',
    ):
        pair.ups["a"].script(plain(answer, b"201 Created"))
        got = pair.ask("/v1/vector_stores/a:x/files", body(model="a:x"))
        assert (got.status, got.body) == (201, answer)


def test_a_home_that_cannot_keep_it(pair):
    """With a history.db of a newer version ids are kept in memory, and the proxy says so once."""
    pair.proxy.stop()
    path = pair.proxy.home / "history.db"
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    pair.start()
    pair.issue("b", "/v1/responses", made("resp_1"), input="x")
    assert pair.served("/v1/responses/resp_1") == "b"
    assert until(lambda: "newer fairlead" in pair.proxy.said()), pair.proxy.said()
    pair.restart()
    assert pair.ask("/v1/responses/resp_1").status == 400
    assert until(lambda: pair.proxy.said().count("newer fairlead") == 1), pair.proxy.said()
