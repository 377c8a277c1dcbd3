"""What was answered through translation is read, listed, cancelled and deleted under its id, and no vendor is asked.

OpenAI's SDK judges the answers. One upstream speaks Chat alone, so that its answers are fairlead's to keep; the other
speaks Responses and is the only backend that could be asked for an unknown id.
"""

import json
import sqlite3
from contextlib import closing

import openai
import pytest

from tests.store.memory import MemoryStore

from ..commands import run_in_home
from .processes import Threaded, backend, until
from .samples import CHAT
from .upstream import Upstream, plain, stream
from .wire import ask

OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 10}
VENDORS = json.dumps({"id": "resp_vendor", "object": "response", "status": "completed", "output": []}).encode()
ASKED = {"model": "kept:model-a", "instructions": "Be brief.", "metadata": {"a": "b"}, "temperature": 0.5}
TALK = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": [{"type": "input_text", "text": "three"}]},
]


class Kept:
    """A proxy on a store, in front of both upstreams; it can be started anew."""

    def __init__(self, folder, store):
        self._folder, self._store = folder, store
        self.ups = {"kept": Upstream(), "vendor": Upstream()}
        self.ups["kept"].default = (plain(CHAT.whole),)
        self.ups["vendor"].default = (plain(VENDORS),)
        protocols = {"kept": ["chat"], "vendor": ["responses"]}
        self._backends = [backend(name, up.root, protocols=protocols[name]) for name, up in self.ups.items()]
        self.begin()

    def begin(self):
        """Start with what the store holds."""
        options = {} if self._store is None else {"open_store": self._store.open}
        self.proxy = Threaded(self._folder, backends=self._backends, default_backend="vendor", **options)
        assert until(lambda: not self.proxy.serving.runtime.catalogs.loading)
        self.client = openai.OpenAI(base_url=f"http://localhost:{self.proxy.port}/v1", **OPTIONS)

    def stop(self):
        """Stop the proxy, after which all is stored."""
        self.client.close()
        self.proxy.__exit__()

    def again(self):
        """Stop and start."""
        self.stop()
        self.begin()

    def vendors(self):
        """The lines of the requests that the other vendor got."""
        return [seen.line for seen in self.ups["vendor"].seen]

    def close(self):
        """Stop all."""
        self.stop()
        for up in self.ups.values():
            up.stop()


@pytest.fixture(params=["history.db", "memory"])
def kept(request, tmp_path):
    found = Kept(tmp_path, MemoryStore() if request.param == "memory" else None)
    yield found
    found.close()


@pytest.fixture
def filed(tmp_path):
    """On history.db alone."""
    found = Kept(tmp_path, None)
    yield found
    found.close()


def create(kept, streamed=False, **fields):
    """An answer that is kept, as its caller got it."""
    asked = {"input": TALK, **ASKED, **fields}
    if not streamed:
        return kept.client.responses.create(**asked)
    kept.ups["kept"].script(stream(CHAT.events))
    *_, last = kept.client.responses.create(stream=True, **asked)
    return last.response


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_is_retrieved_as_it_was_given(kept, streamed):
    """Field by field, at once and by a proxy that is started later; the backend's vendor is not asked."""
    first = create(kept, streamed)
    for _ in range(2):
        found = kept.client.responses.retrieve(first.id, include=["reasoning.encrypted_content"])
        assert found.model_dump() == first.model_dump()
        assert (found.instructions, found.metadata, found.temperature, found.store) == (
            "Be brief.",
            {"a": "b"},
            0.5,
            True,
        )
        assert found.output_text
        kept.again()
    assert kept.vendors() == []
    assert len(kept.ups["kept"].seen) == 1


def test_input_items_are_listed(kept):
    """In both orders and by pages that the SDK fetches by itself; those of earlier answers stand before."""
    first = create(kept)
    for _ in range(2):
        items = list(kept.client.responses.input_items.list(first.id, order="asc", limit=2, include=[]))
        assert [(item.role, item.content[0].text) for item in items] == [
            ("user", "one"),
            ("assistant", "two"),
            ("user", "three"),
        ]
        assert len({item.id for item in items}) == 3
        newest = kept.client.responses.input_items.list(first.id)
        assert [item.id for item in newest] == [item.id for item in reversed(items)]
        after = kept.client.responses.input_items.list(first.id, order="asc", after=items[1].id)
        assert (after.data[0].id, after.first_id, after.last_id, after.has_more) == (*[items[2].id] * 3, False)
        kept.again()
    second = create(kept, input="four", previous_response_id=first.id)
    items = list(kept.client.responses.input_items.list(second.id, order="asc"))
    assert [item.content[0].text for item in items] == ["one", "two", "three", first.output_text, "four"]
    with pytest.raises(openai.BadRequestError) as caught:
        kept.client.responses.input_items.list(first.id, limit=1000)
    assert caught.value.param == "limit"
    assert kept.vendors() == []


def test_an_answer_is_deleted(kept):
    """It is gone for all calls, also after a restart: 404 in OpenAI's form, and it cannot be continued."""
    first, other = create(kept), create(kept)
    raw = ask(kept.proxy.port, f"/v1/responses/{first.id}", method="DELETE")
    assert (raw.status, raw.json()) == (200, {"id": first.id, "object": "response", "deleted": True})
    for _ in range(2):
        responses = kept.client.responses
        for call in (responses.retrieve, responses.delete, responses.cancel, responses.input_items.list):
            with pytest.raises(openai.NotFoundError, match="not found") as caught:
                call(first.id)
            assert (caught.value.type, caught.value.param) == ("invalid_request_error", None)
            assert caught.value.response.headers["x-should-retry"] == "false"
        with pytest.raises(openai.BadRequestError) as caught:
            create(kept, input="four", previous_response_id=first.id)
        assert caught.value.code == "previous_response_not_found"
        assert responses.retrieve(other.id).id == other.id
        kept.again()
    kept.client.responses.delete(other.id)
    assert kept.vendors() == []


def test_items_of_a_deleted_answer_are_missing(kept):
    """What continued it is still shown, with the items that are left, and the list says that some are not."""
    first = create(kept)
    second = create(kept, input="four", previous_response_id=first.id)
    path = f"/v1/responses/{second.id}/input_items"
    assert ask(kept.proxy.port, path).field(b"x-fairlead-loss") is None
    kept.client.responses.delete(first.id)
    answer = ask(kept.proxy.port, path)
    assert answer.field(b"x-fairlead-loss") == b"input_items=weakened"
    assert [item["content"][0]["text"] for item in answer.json()["data"]] == ["four"]
    assert kept.client.responses.retrieve(second.id).previous_response_id == first.id
    with pytest.raises(openai.BadRequestError, match="is not kept"):
        create(kept, input="five", previous_response_id=second.id)


def test_what_has_ended_cannot_be_cancelled(kept):
    """As OpenAI says it of an answer that is not made in the background; nor can its events be had again."""
    first = create(kept)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        kept.client.responses.cancel(first.id)
    with pytest.raises(openai.BadRequestError, match="background=true") as caught:
        kept.client.responses.retrieve(first.id, stream=True)
    assert caught.value.param == "stream"
    assert kept.client.responses.retrieve(first.id).id == first.id
    assert kept.vendors() == []


def test_an_id_that_is_no_longer_known(kept):
    """Of an answer that was not to be stored: 404, also under paths that a vendor may have, and no vendor is asked."""
    unkept = create(kept, store=False)
    for path, method in (("", "GET"), ("/input_items", "GET"), ("/cancel", "POST"), ("", "DELETE"), ("/more", "POST")):
        body = b"{}" if method == "POST" else None
        answer = ask(kept.proxy.port, f"/v1/responses/{unkept.id}{path}", body, method=method)
        assert answer.status == 404, path
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert kept.vendors() == []


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("", "POST", 405),
        ("/input_items", "DELETE", 405),
        ("/cancel", "GET", 405),
        ("/other", "GET", 404),
        ("", "HEAD", 200),
    ],
)
def test_other_calls_of_a_kept_answer(filed, path, method, status):
    """Are answered here too, by what is wrong with them."""
    first = create(filed)
    body = b"{}" if method == "POST" else None
    answer = ask(filed.proxy.port, f"/v1/responses/{first.id}{path}", body, method=method)
    assert answer.status == status
    assert filed.vendors() == []


def test_a_vendors_answer_stays_with_the_vendor(kept):
    """An id that a backend issued goes to it, and so does one that nobody knows."""
    made = kept.client.responses.create(model="vendor:model-a", input="x")
    assert made.id == "resp_vendor"
    kept.client.responses.retrieve("resp_vendor")
    kept.client.responses.cancel("resp_vendor")
    kept.client.responses.delete("resp_vendor")
    kept.client.responses.retrieve("resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b")
    assert len(kept.vendors()) == 5


def test_the_answers_of_another_fairlead_stay_with_it(kept, tmp_path):
    """A proxy whose backend is a fairlead asks that for what it keeps, also after a restart."""
    (tmp_path / "front").mkdir()
    behind = [backend("behind", f"http://127.0.0.1:{kept.proxy.port}/v1", protocols=["responses"])]
    made = []
    for _ in range(2):
        with (
            Threaded(tmp_path / "front", backends=behind) as front,
            openai.OpenAI(base_url=f"http://localhost:{front.port}/v1", **OPTIONS) as client,
        ):
            made.append(client.responses.create(model="behind:kept:model-a", input="one"))
            for one in made:
                assert client.responses.retrieve(one.id).output_text == one.output_text
                assert [item.content[0].text for item in client.responses.input_items.list(one.id)] == ["one"]
                following = {"model": "behind:kept:model-a", "input": "two", "previous_response_id": one.id}
                assert client.responses.create(**following).previous_response_id == one.id
    assert len(made) == 2
    assert kept.vendors() == []


@pytest.mark.parametrize("streamed", [False, True])
def test_a_kept_answer_is_not_continued_by_an_unrelated_vendor(kept, streamed):
    """A backend that speaks Responses itself does not know the id: a 400 that says what to send instead."""
    first = create(kept)
    following = {"model": "vendor:model-a", "input": "x", "previous_response_id": first.id, "stream": streamed}
    with pytest.raises(openai.BadRequestError, match="Send the whole conversation") as caught:
        kept.client.responses.create(**following)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
    assert kept.vendors() == []


def test_answers_that_an_earlier_version_kept(filed):
    """They hold less: they are continued and deleted, and asking for the rest is a 404 that says why."""
    first = create(filed)
    filed.stop()
    old = "resp_" + "ab" * 24
    with closing(sqlite3.connect(filed._folder / "home" / "history.db")) as db:
        [[body]] = db.execute("SELECT body FROM kept WHERE id = ?", (first.id,)).fetchall()
        entry = {key: value for key, value in json.loads(body).items() if key in ("previous", "items")}
        db.execute("INSERT INTO kept VALUES (?, ?, 2000000000)", (old, json.dumps(entry).encode()))
        db.commit()
    filed.begin()
    assert create(filed, input="four", previous_response_id=old).output_text
    sent = json.loads(filed.ups["kept"].seen[-1].body)["messages"]
    assert [turn["role"] for turn in sent] == ["system", "user", "assistant", "user", "assistant", "user"]
    for call in (filed.client.responses.retrieve, filed.client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError, match="earlier version"):
            call(old)
    filed.client.responses.delete(old)
    with pytest.raises(openai.NotFoundError, match=r"not found\. fairlead keeps"):
        filed.client.responses.retrieve(old)
    assert filed.vendors() == []


def test_calls_of_kept_answers_are_in_the_history(filed):
    """With their status, and without cost or attempts."""
    first = create(filed)
    answer = ask(filed.proxy.port, f"/v1/responses/{first.id}")
    name = answer.field(b"x-fairlead-request-id").decode()
    token = (filed._folder / "home" / "operator.token").read_bytes().strip()

    def row():
        found = ask(filed.proxy.port, f"/admin/history/{name}", None, (b"Authorization", b"Bearer " + token))
        return found.json()["request"] if found.status == 200 else None

    found = until(row)
    assert (found["status"], found["method"], found["protocol"], found["attempts"]) == (200, "GET", "responses", 0)


def test_an_erased_history_is_forgotten_by_a_running_proxy(filed):
    """`history clear` of another process: the answer is not found, nothing of it goes upstream, and neither the recent
    requests nor the memory of translations keep any of it."""
    first = create(filed)
    runtime = filed.proxy.serving.runtime
    memory = runtime.snapshot.translation_state.memory
    assert until(lambda: runtime.recorder.recent)
    assert runtime.ledger.flush()
    seen = len(filed.ups["kept"].seen)
    done = run_in_home(runtime.home.path, "history", "clear", "--yes")
    assert done.code == 0, done.err
    with pytest.raises(openai.NotFoundError):
        filed.client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError, match="is not kept"):
        create(filed, input="four", previous_response_id=first.id)
    assert len(filed.ups["kept"].seen) == seen
    assert runtime.snapshot.translation_state.memory is not memory
    assert all(entry.path != "/v1/responses" or entry.status != 200 for entry in runtime.recorder.recent)
    second = create(filed)
    assert filed.client.responses.retrieve(second.id).id == second.id
