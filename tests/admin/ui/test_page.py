"""The local page over plain sockets: who is let in, what is told, and what is not."""

import contextlib
import json
import time
from http.client import HTTPConnection

import pytest

from router.admin.ui.page import WATCHERS, find_obstacle
from router.host.access import PAGE_FILES
from router.operator_api import endpoints
from router.settings import Settings

from ...e2e.processes import Proxy, backend, until
from ...e2e.upstream import Upstream, plain
from ...e2e.wire import Client, ask, request
from ...patience import PATIENCE

CODES, SESSION, LIVE = "/admin/ui/codes", "/ui/session", "/ui/api/live"
DATA = ("/ui/api/requests", "/ui/api/requests/-", "/ui/api/usage", LIVE)
PATH = "/v1/chat/completions"
OWN = (b"Sec-Fetch-Site", b"same-origin")
HOSTILE = "<img src=x onerror=alert(1)>\u202e\u2066'\"&`"
CANARY = "cnry-prompt-5521"
KEY = "sk-upstream-canary-5521-0123456789"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """One with the demo alone, and a request in its history."""
    with Proxy(tmp_path_factory.mktemp("page")) as found:
        name = send(found, "demo").field(b"x-fairlead-request-id").decode()
        assert until(lambda: ask(found.port, f"/admin/history/{name}", None, found.operator()).status == 200)
        yield found


def send(proxy, model, text="Hi", *lines):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
    return ask(proxy.port, PATH, body, *lines)


def bearer(secret):
    return b"Authorization", b"Bearer " + secret.encode()


def make_code(proxy):
    answer = ask(proxy.port, CODES, b"{}", proxy.operator())
    assert answer.status == 201, answer.body
    return answer.json()["code"]


def open_tab(proxy):
    """The token of a tab."""
    return ask(proxy.port, SESSION, None, bearer(make_code(proxy)), OWN).json()["token"]


def status_of(proxy, path, *lines, **options):
    with Client(proxy.port) as client:
        client.send(request(path, None, *lines, **options))
        return client.answer(bodiless=True).status


@pytest.fixture
def token(proxy):
    return open_tab(proxy)


@pytest.mark.parametrize("path", DATA)
def test_data_needs_the_token(proxy, token, path):
    """Nothing but a tab's token opens the data: no operator token, no code, no token elsewhere than as a bearer."""
    wrong = {
        "none": (),
        "empty": (bearer(""),),
        "operator": (proxy.operator(),),
        "code": (bearer(make_code(proxy)),),
        "cut": (bearer(token[:-1]),),
        "longer": (bearer(token + "x"),),
        "cookie": ((b"Cookie", f"token={token}".encode()),),
        "other header": ((b"x-api-key", token.encode()), (b"x-fairlead-key", token.encode())),
    }
    assert {name: status_of(proxy, path, OWN, *lines) for name, lines in wrong.items()} == dict.fromkeys(wrong, 401)
    assert status_of(proxy, f"{path}?token={token}", OWN) == 401
    assert status_of(proxy, path, OWN, bearer(token)) == 200


def test_the_token_opens_nothing_else(proxy, token):
    """It is for reading the page's data: no other endpoint takes it, and no client path counts it as a key."""
    for endpoint in endpoints.ENDPOINTS.all:
        path = endpoint.path.format_map({"name": "x", "id": "-", "backend": "x", "alias": "x", "hash": "x"})
        body = b"{}" if endpoint.verb == "POST" else None
        answer = ask(proxy.port, path, body, bearer(token), method=endpoint.verb) if path != LIVE else None
        if endpoint.access == "operator":
            assert answer.status == 401, endpoint.path
        elif endpoint.access == "code":
            assert answer.status == 401


@pytest.mark.parametrize("path", [*DATA, SESSION, "/ui", "/ui/"])
def test_what_other_pages_send_is_refused(proxy, token, path):
    """An origin, of this port too; another site, another port; a name that was made to lead here: 403, whatever the
    token."""
    own = f"http://localhost:{proxy.port}".encode()
    foreign = {
        "origin": ((b"Origin", b"https://evil.example"),),
        "null": ((b"Origin", b"null"),),
        "own origin": ((b"Origin", own), OWN),
        "other port": ((b"Origin", b"http://localhost:1"), (b"Sec-Fetch-Site", b"same-site")),
        "same site": ((b"Sec-Fetch-Site", b"same-site"),),
        "cross site": ((b"Sec-Fetch-Site", b"cross-site"),),
    }
    found = {name: status_of(proxy, path, bearer(token), *lines) for name, lines in foreign.items()}
    assert found == dict.fromkeys(foreign, 403)
    for host in (b"evil.example", b"localhost.evil.example", b"host.docker.internal", b"0.0.0.0", b""):
        assert status_of(proxy, path, bearer(token), OWN, host=host) == 403, host


def test_a_listed_origin_gets_no_page(tmp_path):
    """cors_origin is for APIs: such a page can neither load the local page nor ask for its data."""
    listed = b"https://app.example"
    with Proxy(tmp_path, settings={"FAIRLEAD_CORS_ORIGIN": listed.decode()}) as proxy:
        token = open_tab(proxy)
        for path in (*DATA, SESSION, "/ui", "/ui/"):
            answer = ask(proxy.port, path, None, bearer(token), (b"Origin", listed))
            assert answer.status == 403, path


@pytest.mark.parametrize("path", [*DATA, SESSION, "/ui", "/ui/", "/ui/files/x/main.js"])
@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_is_only_read(proxy, token, path, verb):
    """No verb but GET and HEAD is served."""
    answer = ask(proxy.port, path, b"{}", bearer(token), method=verb)
    assert (answer.status, answer.field(b"allow")) == (405, b"GET, HEAD")


def test_a_code_is_for_operators(proxy):
    """Only who has the operator token makes codes; a page of any origin can't, nor a form."""
    assert ask(proxy.port, CODES, b"{}").status == 401
    assert ask(proxy.port, CODES, b"{}", proxy.operator(), (b"Origin", b"http://localhost:1")).status == 403
    assert ask(proxy.port, CODES, b"a=b", proxy.operator(), kind=(b"Content-Type", b"text/plain")).status == 415


def test_a_code_used_by_another_tab(proxy):
    """The second one is refused with what to do, and the first has no access any more."""
    code = make_code(proxy)
    token = ask(proxy.port, SESSION, None, bearer(code)).json()["token"]
    assert status_of(proxy, DATA[0], bearer(token)) == 200
    again = ask(proxy.port, SESSION, None, bearer(code))
    assert again.status == 401
    assert "fairlead ui" in again.json()["error"]["message"]
    assert status_of(proxy, DATA[0], bearer(token)) == 401


def test_a_token_ends_with_the_proxy(tmp_path):
    """A proxy that starts on the same home and port knows no token of the one before."""
    with Proxy(tmp_path) as first:
        token, port = open_tab(first), first.port
    with Proxy(tmp_path, "--port", str(port)) as second:
        assert status_of(second, DATA[0], bearer(token)) == 401
        assert status_of(second, DATA[0], bearer(open_tab(second))) == 200


def test_the_page_and_its_files(proxy):
    """The page has no data and is not kept; its files are kept for ever, under a name that no other content has; both
    may be used by nobody else, and HEAD is served."""
    page = ask(proxy.port, "/ui/", None, (b"Sec-Fetch-Site", b"none"))
    assert page.status == 200
    assert page.body == ask(proxy.port, "/ui").body
    fields = {name.decode().lower(): value.decode() for name, value in page.lines}
    assert fields["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "sandbox" not in fields["content-security-policy"]
    assert fields["cache-control"] == "no-store"
    for name, value in {"referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}.items():
        assert fields[name] == value
    for name in ("opener", "resource"):
        assert fields[f"cross-origin-{name}-policy"] == "same-origin"
    assert fields["cross-origin-embedder-policy"] == "require-corp"
    assert not [name for name in fields if name.startswith(("access-control-", "set-cookie"))]
    path = page.body.decode().partition('src="')[2].partition('"')[0]
    assert path.startswith(PAGE_FILES)
    assert endpoints.PAGE_FILE.path.startswith(PAGE_FILES)
    # As browsers ask for modules.
    own = (b"Origin", f"http://localhost:{proxy.port}".encode())
    script = ask(proxy.port, path, None, own, OWN, host=f"localhost:{proxy.port}".encode())
    assert (script.status, script.field(b"content-type")) == (200, b"text/javascript; charset=utf-8")
    assert b"immutable" in script.field(b"cache-control")
    assert script.field(b"cross-origin-resource-policy") == b"same-origin"
    assert ask(proxy.port, path, None, method="HEAD").field(b"content-length") == b"%d" % len(script.body)
    for wrong in (f"{path}x", "/ui/files/0000000000000000/main.js", path.replace("main.js", "page.html")):
        assert ask(proxy.port, wrong).status == 404
    for origin in (b"http://localhost:1", b"https://evil.example", b"null"):
        assert ask(proxy.port, path, None, (b"Origin", origin), OWN).status == 403
    assert ask(proxy.port, path, None, own, (b"Sec-Fetch-Site", b"same-site"), host=own[1][7:]).status == 403


def test_requests_by_a_filter(proxy, token):
    """The filter of the commands, read by the proxy: what it fits, and what is wrong with it."""
    send(proxy, "demo-500")
    name = send(proxy, "demo").field(b"x-fairlead-request-id").decode()
    until(lambda: ask(proxy.port, f"/admin/history/{name}", None, proxy.operator()).status == 200)

    def models(text):
        return {
            one["model"] for one in ask(proxy.port, f"{DATA[0]}?filter={text}", None, bearer(token)).json()["requests"]
        }

    assert models("status:error") == {"demo-500"}
    assert models("!model:demo-500") == {"demo"}
    assert models("nothing-has-this") == set()
    wrong = ask(proxy.port, f"{DATA[0]}?filter=modle:x", None, bearer(token))
    assert wrong.status == 400
    assert "the nearest is model" in wrong.json()["error"]["message"]
    assert ask(proxy.port, f"{LIVE}?filter=modle:x", None, bearer(token)).status == 400
    assert ask(proxy.port, f"{DATA[0]}?before=req_nobody", None, bearer(token)).json()["requests"] == []


def test_one_request_in_words(proxy, token):
    """Its attempts, and the lines of `fairlead why`; 404 for one that there is not."""
    name = send(proxy, "demo-500").field(b"x-fairlead-request-id").decode()
    found = ask(proxy.port, f"{DATA[0]}/{name}", None, bearer(token)).json()
    assert found["request"]["tries"][0]["status"] == 500
    labels = [fact["label"] for fact in found["why"]]
    assert labels[0] == ""
    assert {"time", "asked", "error"} <= {*labels}
    assert ask(proxy.port, f"{DATA[0]}/req_nobody", None, bearer(token)).status == 404


@pytest.mark.parametrize("by", ["model", "account", "client", "tag", "key"])
@pytest.mark.parametrize("step", ["hour", "day"])
def test_sums_over_time(proxy, token, by, step):
    """The steps add up to the total of the window."""
    found = ask(proxy.port, f"/ui/api/usage?since=24h&by={by}&step={step}", None, bearer(token)).json()
    assert sum(one["total"]["requests"] for one in found["steps"]) == found["total"]["requests"] > 0
    assert all(one["start"] <= found["until"] for one in found["steps"])


@pytest.mark.parametrize("query", ["since=x", "by=prompt", "step=week", "since=90d&step=hour"])
def test_sums_of_nothing(proxy, token, query):
    """What cannot be summed is refused with what is expected."""
    assert ask(proxy.port, f"/ui/api/usage?{query}", None, bearer(token)).status == 400


class Watched:
    """The stream of a tab."""

    def __init__(self, proxy, token, query=""):
        self._connection = HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
        self._connection.request("GET", LIVE + query, headers={"Authorization": f"Bearer {token}"})
        self.answer = self._connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def find(self, name, fits=lambda data: True, seen=None):
        """The next event of this name that fits. seen: gets the data of those before it."""
        kind, end = "", time.monotonic() + PATIENCE
        while (line := self.answer.readline()) and time.monotonic() < end:
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                data = json.loads(line[6:])
                if kind == name and fits(data):
                    return data
                if seen is not None:
                    seen.append(data)
        raise AssertionError(f"no event {name} came")


def test_a_stream_tells_what_runs_and_what_ends(proxy, token):
    """The state first; a request is told while it runs, within a second, and when it has ended, if the filter fits."""
    with Watched(proxy, token, "?filter=model:demo-slow") as tab:
        assert tab.answer.status == 200
        assert tab.find("state")["state"]["health"] == "ok"
        client = Client(proxy.port)
        body = {"model": "demo-slow", "stream": True, "messages": [{"role": "user", "content": "a b c d"}]}
        began = time.monotonic()
        client.send(request(PATH, json.dumps(body).encode()))
        running = tab.find("running", lambda data: data["running_count"])["running"]
        assert time.monotonic() - began < 1 + PATIENCE / 10
        assert running[0]["model"] == "demo-slow"
        send(proxy, "demo")
        client.answer()
        # That nothing runs is told by the same look as what has ended, or by one before it.
        seen = []
        [ended] = tab.find("ended", seen=seen)["ended"]
        assert (ended["model"], ended["status"]) == ("demo-slow", 200)
        if not any(data["running"] == [] for data in seen):
            assert tab.find("running", lambda data: not data["running_count"])["running"] == []
        client.sock.close()


def test_a_stream_ends_with_its_access(tmp_path):
    """A tab whose code was used again is told nothing more, and the stream of one ends with the proxy."""
    with Proxy(tmp_path) as proxy:
        code = make_code(proxy)
        token = ask(proxy.port, SESSION, None, bearer(code)).json()["token"]
        with Watched(proxy, token) as tab:
            tab.find("state")
            ask(proxy.port, SESSION, None, bearer(code))
            assert tab.answer.read() is not None
        with Watched(proxy, open_tab(proxy)) as tab:
            tab.find("state")
            began = time.monotonic()
            assert proxy.stop() == 0
            assert time.monotonic() - began < PATIENCE / 2
            tab.answer.read()


def test_tabs_that_watch_are_counted(proxy, token):
    """One more than the bound is told to come later; those that leave make place."""
    with contextlib.ExitStack() as stack:
        for _ in range(WATCHERS):
            stack.enter_context(Watched(proxy, token)).find("state")
        refused = ask(proxy.port, LIVE, None, bearer(token))
        assert (refused.status, refused.field(b"retry-after")) == (503, b"10")
    assert until(lambda: status_of(proxy, LIVE, bearer(token)) == 200)


def test_hostile_names(tmp_path):
    """Names and texts of callers and upstreams come with all their markup, as texts, and with nothing that reorders
    them or acts on a terminal."""
    up = Upstream(models=("m", HOSTILE))
    error = json.dumps({"error": {"message": f"{HOSTILE}\x1b[2J" + "x" * 100_000, "type": HOSTILE}}).encode()
    up.default = (plain(error, status=b"500 Oh"),)
    try:
        with Proxy(tmp_path, backends=[backend("box", up.root)]) as proxy:
            proxy.settled("box")
            send(proxy, HOSTILE, "Hi", (b"x-fairlead-tag", b"<b>tag</b>"), (b"user-agent", b"<script>"))
            send(proxy, f"box:{HOSTILE}")
            token = open_tab(proxy)
            for path in DATA[:3]:
                said = ask(proxy.port, path, None, bearer(token))
                assert said.status == 200
                text = json.dumps(said.json(), ensure_ascii=False)
                assert "\u202e" not in text
                assert "\u2066" not in text
                assert "\x1b" not in text
                assert len(said.body) < 200_000
            assert "<img src=x onerror=alert(1)>\\\\u202e" in json.dumps(
                ask(proxy.port, DATA[0], None, bearer(token)).json(), ensure_ascii=False
            )
    finally:
        up.stop()


def test_no_secret_and_no_prompt(tmp_path):
    """No payload holds a key, a token, a path of the machine, or a text of a request or an answer."""
    up = Upstream(models=("m",))
    answer = {"id": "1", "choices": [{"message": {"role": "assistant", "content": CANARY}, "finish_reason": "stop"}]}
    up.default = (plain(json.dumps(answer).encode()),)
    try:
        entry = backend("box", up.root, vendor="openai", auth="key", key=KEY)
        with Proxy(tmp_path, backends=[entry]) as proxy:
            proxy.settled("box")
            assert CANARY.encode() in send(proxy, "m", CANARY).body
            token = open_tab(proxy)
            said = [ask(proxy.port, path, None, bearer(token)).body for path in DATA[:3]]
            with Watched(proxy, token) as tab:
                said.append(json.dumps(tab.find("state")).encode())
            operator = proxy.operator()[1].removeprefix(b"Bearer ")
            for secret in (
                CANARY.encode(),
                KEY.encode(),
                operator,
                token.encode(),
                str(tmp_path).encode(),
                up.root.encode(),
            ):
                assert not [text for text in said if secret in text], secret
    finally:
        up.stop()


@pytest.mark.parametrize(
    ("host", "ui", "contained", "said"),
    [
        ("localhost", None, False, ""),
        ("127.0.0.1", None, False, ""),
        ("::1", True, True, ""),
        ("localhost", True, True, ""),
        ("localhost", None, True, "container"),
        ("localhost", False, False, "ui = off"),
        ("0.0.0.0", True, False, "0.0.0.0"),
        ("192.168.1.5", None, True, "192.168.1.5"),
    ],
)
def test_where_it_is_served(host, ui, contained, said):
    """On loopback, unless it is switched off or the proxy is in a container; never where others reach it."""
    assert said in (found := find_obstacle(Settings(host=host, ui=ui), contained=contained))
    assert bool(found) == bool(said)


def test_switched_off(tmp_path):
    """The page is not there, its data neither, and who asks for a code is told why; switched on again, it is."""
    with Proxy(tmp_path, settings={"FAIRLEAD_UI": "off"}) as proxy:
        for path in ("/ui", "/ui/", SESSION, *DATA):
            assert status_of(proxy, path) == 404, path
        refused = ask(proxy.port, CODES, b"{}", proxy.operator())
        assert refused.status == 409
        assert "fairlead config set ui on" in refused.json()["error"]["message"]
