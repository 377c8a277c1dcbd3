"""What backends are asked for beside their catalogs, and what becomes of the answers."""

import json
import threading

import pytest
import trio
from trio.testing import MockClock

from router.net.control import calls
from router.net.control.calls import ControlError, fetch_catalog, fetch_document
from router.policy.facts.catalogs import read_entry
from router.upstream import catalogs
from router.upstream.catalogs import REFRESH_SECONDS, RETRY_SECONDS
from router.upstream.facts.documents import OLLAMA_MODELS, read_documents

from ...net.peers import KEY, backend, scripted
from ..runtimes import backend as configured


def reply(document):
    return 200, {}, json.dumps(document).encode()


def read(peer, vendor, names, owner=""):
    """What the documents of a backend say, asked on a real socket."""
    target = backend(peer.root, vendor)

    async def ask(path, read, **options):
        return await fetch_document(target, KEY, path, read, **options)

    return trio.run(read_documents, target, names, owner, ask)


PROVIDERS = {
    "gemini": (
        "/v1beta/models?pageSize=1000",
        {"models": [{"name": "models/a", "inputTokenLimit": 8192}]},
        "max_input",
        "x-goog-api-key",
    ),
    "xai": ("/v1/language-models", {"models": [{"id": "a", "max_prompt_length": 8192}]}, "max_input", "authorization"),
    "fireworks": (
        "/v1/accounts/fireworks/models?pageSize=200",
        {"models": [{"name": "a", "contextLength": 8192}]},
        "window",
        "authorization",
    ),
    "cerebras": (
        "/v1/models?format=openrouter",
        {"data": [{"id": "a", "context_length": 8192}]},
        "window",
        "authorization",
    ),
}


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_a_provider_with_a_second_list(vendor):
    """It is asked with the key in its header; models that its catalog does not have are left out."""
    path, document, fact, header = PROVIDERS[vendor]
    with scripted() as peer:
        peer.answers[path] = reply(document)
        assert getattr(read(peer, vendor, ["a", "b"])["a"].facts, fact) == 8192
        assert read(peer, vendor, ["b"]) == {}
        assert KEY.reveal() in peer.seen[0][2][header]
        other = {"authorization", "x-goog-api-key"} - {header}
        assert not other & peer.seen[0][2].keys()


def test_others_are_asked_nothing():
    """Neither a gateway nor a server of an unknown kind; one whose catalog names its kind is."""
    with scripted() as peer:
        assert read(peer, "openai", ["a"]) == read(peer, "", ["a"], owner="somebody") == {}
        assert peer.seen == []
        peer.answers["/props"] = reply({"default_generation_settings": {"n_ctx": 4096}})
        assert read(peer, "", ["a"], owner="llamacpp")["a"].allocated == 4096
        assert read(peer, "llamacpp", ["a", "b"]) == {}


def test_lm_studio_before_its_newer_api():
    """The older document is asked where the newer is not there."""
    with scripted() as peer:
        peer.answers["/api/v1/models"] = reply({"error": "Unexpected endpoint or method. (GET /api/v1/models)"})
        peer.answers["/api/v0/models"] = reply({"data": [{"id": "a", "loaded_context_length": 4096}]})
        assert read(peer, "lmstudio", ["a"])["a"].allocated == 4096


def test_ollama_is_asked_for_a_bounded_number_of_models():
    """The loaded ones first."""
    names = [f"m{place}" for place in range(OLLAMA_MODELS * 2)]
    with scripted() as peer:
        peer.answers["/api/ps"] = reply({"models": [{"name": names[-1], "context_length": 4096}]})
        peer.answers["/api/show"] = reply({"model_info": {"llama.context_length": 8192}})
        found = read(peer, "ollama", names)
        shown = [json.loads(body)["model"] for _, path, _, body in peer.seen if path == "/api/show"]
    assert shown == [names[-1], *names[: OLLAMA_MODELS - 1]]
    assert (found[names[-1]].allocated, found[names[0]].allocated) == (4096, None)


def test_a_catalog_of_100_000_models():
    """A bounded number of names is taken, with what is said of them; no more entries are read."""
    entries = [{"id": f"m{place}", "context_length": 8192} for place in range(100_000)]
    count = 0

    def count_entries(entry):
        nonlocal count
        count += 1
        return read_entry(entry)

    with scripted() as peer:
        peer.answers["/v1/models"] = reply({"data": entries})
        found = trio.run(lambda: fetch_catalog(backend(peer.root), KEY, read_entry=count_entries, timeout=60))
    assert len(found.names) == len(found.entries) == count == calls.MODELS
    assert found.entries["m0"].facts.window == 8192


def test_a_large_catalog_is_read_beside_the_loop(made, monkeypatch):
    """Over a real socket: its entries, and what they say together with a further document, are looked at in threads, so
    that requests go on meanwhile."""
    threads = {}

    def watched(name, work):
        def watch(*args, **options):
            threads.setdefault(name, set()).add(threading.current_thread())
            return work(*args, **options)

        return watch

    for name in ("read_entry", "join_listed", "update_facts"):
        monkeypatch.setattr(catalogs, name, watched(name, getattr(catalogs, name)))
    entries = [{"id": f"m{place}"} for place in range(100_000)]
    props = {"default_generation_settings": {"n_ctx": 4096}}

    async def main(runtime):
        async with trio.open_nursery() as nursery:
            await nursery.start(runtime.refresh_catalogs)
            await runtime.catalogs.read_again("box", 60)
            assert runtime.catalogs.facts["box"].said
            nursery.cancel_scope.cancel()

    with scripted() as peer:
        peer.answers["/v1/models"] = reply({"data": entries})
        peer.answers["/props"] = reply(props)
        runtime = made(configured("box", root=peer.root, vendor="llamacpp"))
        trio.run(main, runtime)
    assert threads.keys() == {"read_entry", "join_listed", "update_facts"}
    assert threading.main_thread() not in set().union(*threads.values())


def kept(runtime, use):
    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(runtime.refresh_catalogs)
            await use()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.fixture
def server(monkeypatch):
    """An Ollama server as the test scripts it: path -> document, or the words of a failure."""
    said = {"/models": {"m": {"owned_by": "library"}}, "/api/ps": {}, "/api/show": {}}

    def find(path):
        if isinstance(said[path], str):
            raise ControlError(said[path])
        return said[path]

    async def list_models(backend, key, *, read_entry, outbound):
        found = {name: read_entry(entry) for name, entry in find("/models").items()}
        return calls.Listing(list(found), found)

    async def ask(backend, key, path, read, *, body=None, key_header="", outbound):
        await trio.sleep(0.1)
        return read(find(path))

    monkeypatch.setattr(calls, "fetch_catalog", list_models)
    monkeypatch.setattr(calls, "fetch_document", ask)
    return said


def test_what_a_server_says_is_kept_and_oddities_are_told_once(made, server):
    """A server that fails, says what cannot be, or changes its mind each hour: the last good word holds, and the log
    has one line of each kind."""
    runtime = made(configured("box", vendor="ollama", key="", auth="none"))
    lines = []
    runtime.catalogs._say = lines.append

    async def hour():
        await trio.sleep(REFRESH_SECONDS + RETRY_SECONDS + 2)

    def window():
        return runtime.snapshot.facts.find("box", "m").facts.window

    async def use():
        server["/models"] = {"m": {"context_length": 8192}}
        server["/api/ps"] = {"models": [{"name": "m", "context_length": 4096}]}
        await runtime.catalogs.wait_complete()
        await runtime.catalogs.wait_facts(5)
        assert window() == 4096
        server["/api/ps"] = "it is down"
        await hour()
        assert window() == 4096
        server["/api/ps"] = {}
        for listed in (2**63, 2048, 2**63, 1024, 512):
            server["/models"] = {"m": {"context_length": listed}}
            await hour()
        assert window() == 512

    kept(runtime, use)
    assert lines == [
        "warning: the model list of box says of m what cannot be (context_length): it is not used",
        "the model list of box gives m a window of 2,048 tokens now, before 8,192",
    ]


def test_a_server_is_asked_again_once_it_has_answered_with_an_unknown_model(made, server):
    """Within seconds, and not at each answer once it is known."""
    runtime = made(configured("box", vendor="ollama", key="", auth="none"))

    async def use():
        await runtime.catalogs.wait_complete()
        await runtime.catalogs.wait_facts(5)
        assert runtime.snapshot.facts.is_unloaded("box", "m")
        server["/api/ps"] = {"models": [{"name": "m", "context_length": 4096}]}
        runtime.catalogs.note_served("box")
        await trio.sleep(5)
        assert not runtime.snapshot.facts.is_unloaded("box", "m")

    kept(runtime, use)


def test_a_server_that_never_says_what_it_has_allocated(made, server, monkeypatch):
    """It is asked ever more rarely, however often it answers."""
    runtime = made(configured("box", vendor="ollama", key="", auth="none"))
    asked = []
    listed = calls.fetch_catalog

    async def count(backend, key, **options):
        asked.append(trio.current_time())
        return await listed(backend, key, **options)

    monkeypatch.setattr(calls, "fetch_catalog", count)

    async def use():
        await runtime.catalogs.wait_complete()
        for _ in range(1800):
            runtime.catalogs.note_served("box")
            await trio.sleep(1)

    kept(runtime, use)
    assert 8 <= len(asked) <= 14
