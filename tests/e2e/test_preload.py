"""A proxy needs nothing of its installation once it says so: an upgrade or a removal under it costs no request."""

import gzip
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import brotli
import pytest

from router.operator_api import endpoints
from router.store.home.processes import find_birth

from .processes import BINARY, PATIENCE, Proxy, add_backend, until
from .samples import PROTOCOLS
from .upstream import plain
from .wire import JSON, Client, ask, request

# A frame that holds `{}`.
ZSTD = bytes.fromhex("28b52ffd20021100007b7d")

# Notes which modules are loaded when `loaded` is set, and writes those that came later to a file at the end.
PROGRAM = """
import json, sys
from router.__main__ import main
from router.server import preload
known = set()
async def watched(report, loaded, trust, preload=preload.preload):
    await preload(report, loaded, trust)
    known.update(sys.modules)
from router.server import serve
serve.preload = watched
code = main()
late = sorted(set(sys.modules) - known)
with open({path!r}, "w") as file:
    json.dump(late, file)
sys.exit(code)
"""


def use(proxy, faulty):
    """All that may make a proxy load something: every protocol, codings, refusals, catalogs, TLS, DNS, reloads."""
    faulty.secure.clear()
    faulty.secure.default = (plain(b'{"id":"1"}'),)
    for protocol in PROTOCOLS:
        for stream in (False, True):
            assert ask(proxy.port, protocol.path, protocol.body("demo", stream=stream)).status in (200, 400)
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hi"}]}).encode()
    for coding, packed in ((b"gzip", gzip.compress(body)), (b"br", brotli.compress(body)), (b"zstd", ZSTD)):
        answer = ask(proxy.port, "/v1/chat/completions", packed, JSON, (b"Content-Encoding", coding))
        assert answer.status == (400 if packed is ZSTD else 200)
    large = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "x" * (2 << 20)}]}).encode()
    assert ask(proxy.port, "/v1/chat/completions", large, JSON).status == 200
    for path in ("/nothing", "/v1/nothing", "/v1/models/nothing", "/health", "/livez"):
        ask(proxy.port, path)
    for broken in (b"x", b'{"model":"nobody-knows","messages":[]}', b'{"model":NaN,"a":1}', b""):
        assert ask(proxy.port, "/v1/chat/completions", broken, JSON).status in (400, 404, 200)
    # Before there are backends whose model lists are waited for.
    visit(proxy)
    for entry in faulty.backends():
        add_backend(proxy.home, entry)
    settings = proxy.home / "config.toml"
    settings.touch(mode=0o600)
    settings.write_text('[models.demo.cache]\nttl = "1m"\n')
    assert ask(proxy.port, "/admin/reload", b"{}", JSON, proxy.operator()).status == 200
    administer(proxy)
    kept = json.dumps({"model": "demo", "temperature": 0, "messages": [{"role": "user", "content": "hi"}]}).encode()
    answers = [ask(proxy.port, "/v1/chat/completions", kept, JSON).field(b"x-fairlead-cache") for _ in range(2)]
    assert answers == [b"miss", b"hit; age=0"]
    proxy.settled("secure")
    assert until(lambda: all(e["problem"] for e in proxy.status()["backends"] if e["name"] in ("refused", "nowhere")))
    for name in ("secure", "untrusted", "misnamed", "refused", "nowhere"):
        body = json.dumps({"model": f"{name}:m", "messages": [{"role": "user", "content": "hi"}]}).encode()
        answer = ask(proxy.port, "/v1/chat/completions", body, JSON)
        assert answer.status == (200 if name == "secure" else 502), (name, answer.body)


#: Endpoint -> a body that it takes, and the status of its answer where that is not the usual one.
BODIES = {
    endpoints.EXPLAIN: (b'{"model":"demo"}', 200),
    endpoints.MODELS: (b'{"models":["demo","demo:demo"]}', 200),
    endpoints.RESTART: (b"{}", 409),  # it runs in the foreground
    endpoints.ADD_ACCOUNT: (b'{"backend":"nobody","alias":"x","key":"sk-x"}', 404),
    endpoints.REMOVE_ACCOUNT: (None, 404),
    endpoints.ADD_BACKEND: (b'{"name":"x"}', 400),
    endpoints.CHANGE_BACKEND: (b'{"enabled":true}', 404),
    endpoints.REMOVE_BACKEND: (None, 404),
    endpoints.ADD_KEY: (b'{"name":"visitor"}', 201),
    endpoints.CHANGE_KEY: (b'{"options":{}}', 404),
    endpoints.ROTATE_KEY: (b"{}", 404),
    endpoints.REVOKE_KEY: (None, 404),
    endpoints.MAKE_CHILD_KEY: (json.dumps({"pid": os.getpid(), "pid_started": find_birth(os.getpid())}).encode(), 201),
    endpoints.RENEW_CHILD_KEY: (None, 404),
    endpoints.REVOKE_CHILD_KEY: (None, 404),
}


def visit(proxy):
    """Each endpoint of the operator's table but the one that ends the proxy; `administer` has the good calls of those
    that change backends."""
    for endpoint in endpoints.ENDPOINTS.all:
        # The local page is loaded by the first request to it.
        if endpoint in (endpoints.STOP, endpoints.STREAM) or endpoint.page:
            continue
        path = endpoint.path.format(backend="nobody", alias="x", name="nobody", id=endpoints.LATEST)
        body, status = BODIES.get(endpoint, (b"{}" if endpoint.verb == "POST" else None, endpoint.status))
        for query in ("", *(f"?{parameter.name}=1" for parameter in endpoint.query)):
            answer = ask(proxy.port, path + query, body, JSON, proxy.operator(), method=endpoint.verb)
            assert answer is not None, endpoint.path
            # A value of the query need not be one that it takes.
            assert answer.status == status or (query and answer.status < 500), (endpoint.path, query, answer)
    with Client(proxy.port) as client:
        client.send(request(endpoints.STREAM.path, None, proxy.operator()))
        client.read_until(b"event: request")


def administer(proxy):
    """Each call of the operator's API, good and bad."""
    path, new = "/admin/backends", b'{"name":"new","base_url":"http://127.0.0.1:9","protocols":["chat"],"key":"sk-x"}'
    assert ask(proxy.port, path, new, proxy.operator()).status == 201
    assert ask(proxy.port, path, new, proxy.operator()).status == 409
    assert ask(proxy.port, path, b"{", proxy.operator()).status == 400
    account = b'{"backend":"new","alias":"x","key":"sk-x"}'
    assert ask(proxy.port, "/admin/accounts", account, proxy.operator()).status == 201
    assert ask(proxy.port, "/accounts", None, proxy.operator()).status == 200
    assert ask(proxy.port, "/admin/accounts/new/x", None, proxy.operator(), method="DELETE").status == 200
    assert ask(proxy.port, f"{path}/new", b'{"enabled":false}', proxy.operator()).status == 200
    assert ask(proxy.port, f"{path}/new", None, proxy.operator(), method="DELETE").status == 200


def end(proxy):
    """The last endpoint of the table; the proxy ends in good order."""
    answer = ask(proxy.port, endpoints.STOP.path, b"{}", JSON, proxy.operator())
    assert answer.status == endpoints.STOP.status
    assert proxy.process.wait(PATIENCE) == 0, proxy.said()


def start(folder, faulty, **options):
    # No backend yet: reading its catalog would load by chance what the list is to name.
    return Proxy(folder, settings={"SSL_CERT_FILE": str(faulty.roots)}, **options)


def test_nothing_is_imported_after_loading(tmp_path, faulty):
    """Once `loaded` is said, no use of the proxy imports a module: the list in preload.py is complete."""
    path = tmp_path / "late.json"
    command = (sys.executable, "-W", "error", "-c", PROGRAM.format(path=str(path)))
    with start(tmp_path, faulty, command=command) as proxy:
        proxy.loaded()
        use(proxy, faulty)
        end(proxy)
    assert json.loads(path.read_text()) == []


@pytest.mark.skipif(BINARY is None, reason="FAIRLEAD_BINARY names no built program")
def test_its_files_are_gone(tmp_path, faulty):
    """A built proxy whose files were deleted answers at every endpoint, reloads, reads catalogs over TLS and stops."""
    with start(tmp_path, faulty) as proxy:
        assert not (tmp_path / "program").exists()
        use(proxy, faulty)
        end(proxy)


@pytest.mark.slow
def test_a_question_outlasts_a_catalog_that_is_being_read(tmp_path, faulty):
    """It is answered after ten seconds, also where one more silent backend comes meanwhile."""
    *_, silent = faulty.backends()
    with start(tmp_path, faulty) as proxy, ThreadPoolExecutor(1) as pool:
        for name in ("silent", "as_silent"):
            add_backend(proxy.home, {**silent, "name": name})
            assert ask(proxy.port, "/admin/reload", b"{}", JSON, proxy.operator()).status == 200
            if name == "silent":
                asked = pool.submit(
                    ask, proxy.port, endpoints.EXPLAIN.path, b'{"model":"demo"}', JSON, proxy.operator()
                )
                time.sleep(2)
        assert asked.result().status == 200
