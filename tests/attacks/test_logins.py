"""Attacks on whose login goes where, on who serves which name, and on where a backend may be moved to."""

import base64
import gzip
import json

import pytest

from ..e2e.processes import Proxy, backend, until
from ..e2e.samples import CHAT, MESSAGES
from ..e2e.upstream import Upstream, plain
from ..e2e.wire import Client, ask, request
from .probe import Probe

CLAUDE = b"sk-ant-oat01-0123456789"
_PARTS = ({"alg": "RS256"}, {"iss": "https://auth.openai.com"})
CHATGPT = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in _PARTS) + b".c2ln"
MESSAGE = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
CHAT_BODY = {"messages": [{"role": "user", "content": "hi"}]}
CLAIMED = ("claude-opus-99", "opus", "gpt-99", "gpt-oss:20b", "claude-local:7b")


def bearer(credential):
    return b"Authorization", b"Bearer " + credential


def body(model, fields, **more):
    return json.dumps({"model": model, **fields, **more}).encode()


class Bench:
    """A proxy before two vendors that take the caller's own login, a stranger with a key, and a server that fails."""

    def __init__(self, folder):
        self.vendors = {"anthropic": Upstream(models=()), "openai": Upstream(models=())}
        self.free = Upstream(models=CLAIMED)
        self.failing = Upstream(models=())
        self.ups = (*self.vendors.values(), self.free, self.failing)
        backends = [
            backend("free", self.free.root, protocols=("messages", "chat"), auth="key", key="k-free-0123456789"),
            backend("failing", self.failing.root, protocols=("chat", "messages")),
            *(
                backend(name, up.root, protocols=spoken, vendor=name, auth="client")
                for (name, up), spoken in zip(self.vendors.items(), (("messages",), ("chat", "responses")), strict=True)
            ),
        ]
        home = folder / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").touch(mode=0o600)
        (home / "config.toml").write_text('default_backend = "anthropic"\n[fallback]\n"to-openai" = ["openai:gpt-5"]\n')
        self.proxy = Proxy(folder, backends=backends)
        self.proxy.settled("free")

    def clear(self):
        for up in self.ups:
            up.clear()
            whole = MESSAGES.whole if up is self.vendors["anthropic"] else CHAT.whole
            up.default = (plain(b"{}", b"500 Oops") if up is self.failing else plain(whole),)

    def stop(self):
        self.proxy.kill()
        for up in self.ups:
            up.stop()

    def sent(self, path, data, *fields, **options):
        return ask(self.proxy.port, path, data, *fields, **options)

    def operate(self, path, method="POST", **fields):
        data = json.dumps(fields).encode() if method == "POST" else None
        return ask(self.proxy.port, path, data, self.proxy.operator(), method=method)

    def nothing_left(self, answer):
        """The request was refused by 401, and no vendor got a thing of it."""
        assert answer.status == 401, answer.body
        assert "authentication_error" in answer.body.decode() or "invalid_api_key" in answer.body.decode()
        assert not any(up.seen for up in self.ups)
        assert CLAUDE not in answer.body
        assert CHATGPT not in answer.body


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("logins"))
    yield bench
    bench.stop()


@pytest.fixture
def bench(shared):
    shared.clear()
    return shared


def _http_1_0(bench):
    data = body("openai:gpt-5", MESSAGE)
    raw = request("/v1/messages", data, bearer(CLAUDE)).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Client(bench.proxy.port) as client:
        client.send(raw)
        answer = client.answer()
    bench.nothing_left(answer)


def _stream(bench):
    bench.nothing_left(
        bench.sent("/v1/responses", body("anthropic:claude-opus-5", {"input": "hi"}, stream=True), bearer(CHATGPT))
    )


def _gzip(bench):
    data = gzip.compress(body("openai:gpt-5", MESSAGE))
    bench.nothing_left(bench.sent("/v1/messages", data, bearer(CLAUDE), (b"Content-Encoding", b"gzip")))


def _basic(bench):
    coded = base64.b64encode(b"me:sk-proj-0123456789")
    answer = bench.sent("/v1/messages", body("anthropic:m", MESSAGE), (b"Authorization", b"Basic " + coded))
    bench.nothing_left(answer)


def _two_headers(bench):
    fields = (bearer(CLAUDE), bearer(b"sk-proj-0123456789"))
    bench.nothing_left(bench.sent("/v1/messages", body("anthropic:m", MESSAGE), *fields))


def _scheme(bench):
    answer = bench.sent(
        "/v1/messages", body("anthropic:m", MESSAGE), (b"aUTHORIZATION", b'bEaReR  "sk-svcacct-0123456789"')
    )
    bench.nothing_left(answer)


def _multipart(bench):
    parts = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai:whisper-1\r\n--b--\r\n'
    kind = (b"Content-Type", b"multipart/form-data; boundary=b")
    bench.nothing_left(bench.sent("/v1/audio/transcriptions", parts, bearer(CLAUDE), kind=kind))


def _bare_path(bench):
    answer = bench.sent("/messages/count_tokens?beta=true", body("openai:gpt-5", MESSAGE), bearer(CLAUDE))
    bench.nothing_left(answer)


def _doubled_path(bench):
    bench.nothing_left(bench.sent("/v1/v1/messages", body("openai:gpt-5", MESSAGE), (b"x-api-key", CLAUDE)))


def _stray_body(bench):
    data = body("anthropic:claude-opus-5", {"input": "hi"})
    bench.nothing_left(bench.sent("/v1/chat/completions", data, bearer(CHATGPT)))


def _batches(bench):
    fields = (bearer(CHATGPT), (b"anthropic-version", b"2023-06-01"))
    bench.nothing_left(bench.sent("/v1/messages/batches", None, *fields, method="GET"))


def _beside_our_key(bench):
    fields = (bearer(CLAUDE), (b"x-fairlead-key", b"fairlead"), (b"x-api-key", b"fairlead"))
    bench.nothing_left(bench.sent("/v1/chat/completions", body("openai:gpt-5", CHAT_BODY), *fields))


def _chain(bench):
    answer = bench.sent("/v1/chat/completions", body("failing:to-openai", CHAT_BODY), bearer(CLAUDE))
    assert answer.status >= 500
    assert bench.vendors["openai"].seen == []
    answer = bench.sent("/v1/chat/completions", body("failing:to-openai", CHAT_BODY), bearer(b"sk-proj-0123456789"))
    assert answer.status == 200
    assert bench.vendors["openai"].seen[0].field(b"authorization") == b"Bearer sk-proj-0123456789"


def _claimed(bench, model, protocol=MESSAGES, fields=MESSAGE, login=CLAUDE):
    answer = bench.sent(protocol.path, body(model, fields), bearer(login))
    return answer.field(b"x-fairlead-backend") or answer.body, bench.free.seen


def _claimed_new(bench):
    assert _claimed(bench, "claude-opus-99[1M]") == (b"anthropic", [])


def _claimed_shortcut(bench):
    who, seen = _claimed(bench, "OPUS[1m]")
    assert (who, seen) == (b"anthropic", [])
    assert json.loads(bench.vendors["anthropic"].seen[0].body)["model"] == "claude-opus-5"


def _claimed_weights(bench):
    assert _claimed(bench, "gpt-oss:20b", CHAT, CHAT_BODY)[0] == b"free"
    assert all(CLAUDE not in value for seen in bench.free.seen for _, value in seen.lines)


def _listed(bench):
    answer = bench.sent("/v1/models", None, method="GET")
    names = {entry["id"] for entry in answer.json()["data"]}
    assert {"free:claude-opus-99", "free:opus", "gpt-oss:20b"} <= names
    assert not {"claude-opus-99", "opus"} & names


def _other_host(bench):
    names = {"name": "mine", "protocols": ["messages"], "auth": "client"}
    answer = bench.operate("/admin/backends", base_url="https://evil.example", **names)
    assert (answer.status, "own login" in answer.body.decode()) == (403, True)
    assert bench.operate("/admin/backends/free", method="DELETE").status == 200
    answer = bench.operate("/admin/backends", **{**names, "name": "free"}, base_url=bench.free.root)
    assert answer.status == 403
    again = {"name": "free", "protocols": ["messages", "chat"], "key": "k-free-0123456789"}
    assert bench.operate("/admin/backends", base_url=bench.free.root, **again).status == 201
    bench.proxy.settled("free")


def _there_and_back(bench):
    root = bench.vendors["openai"].root
    try:
        assert bench.operate("/admin/backends/openai", base_url=bench.free.root).json()["dropped"] == ["client"]
        assert bench.operate("/admin/backends/openai", base_url=root).status == 200
        answer = bench.sent("/v1/chat/completions", body("openai:gpt-5", CHAT_BODY), bearer(CHATGPT))
        bench.nothing_left(answer)
    finally:
        entry = backend("openai", root, protocols=("chat", "responses"), vendor="openai", auth="client")
        path = bench.proxy.home / "backends" / "openai.json"
        path.write_text(json.dumps(entry))
        assert bench.operate("/admin/reload").status == 200


def _by_hand(bench):
    path = bench.proxy.home / "backends" / "cloud.json"
    path.touch(mode=0o600)
    try:
        path.write_text(json.dumps(backend("cloud", "https://169.254.169.254/latest/v1")))
        assert bench.operate("/admin/reload").status == 200
        said = until(lambda: [text for text in bench.proxy.status()["problems"] if "link-local" in text])
        assert "insecure_http is not set" in said[0]
        assert bench.sent("/v1/messages", body("cloud:m", MESSAGE)).status == 404
    finally:
        path.unlink()
        bench.operate("/admin/reload")


def _metadata_fields(bench):
    fields = ((b"Metadata-Flavor", b"Google"), (b"X-AWS-EC2-Metadata-Token", b"t"), (b"METADATA", b"true"))
    assert bench.sent(CHAT.path, body("free:m", CHAT_BODY), *fields).status == 200
    assert not any(b"metadata" in name.lower() for name, _ in bench.free.seen[0].lines)


def _explain(bench):
    question = {"model": "anthropic:claude-opus-5", "protocol": "chat"}
    answer = bench.operate("/admin/explain", **question)
    assert (answer.status, answer.json()["status"]) == (200, 401)
    assert "own login" in answer.json()["error"]


REFUSED = "401, and no upstream gets anything"
PROBES = {
    "login over HTTP/1.0": Probe("Claude login, HTTP/1.0, a model of OpenAI", REFUSED),
    "login on a stream": Probe("ChatGPT login, stream in Responses, a model of Anthropic", REFUSED),
    "login with a gzip body": Probe("Claude login, body in gzip, a model of OpenAI", REFUSED),
    "key coded for Basic": Probe("OpenAI key inside Basic credentials to Anthropic", REFUSED),
    "two credentials in one name": Probe("Authorization twice, one of them another vendor's", REFUSED),
    "odd scheme and quotes": Probe("bEaReR in capitals, the OpenAI key in quotes, to Anthropic", REFUSED),
    "login with an upload": Probe("Claude login, multipart upload, a model of OpenAI", REFUSED),
    "count without /v1": Probe("Claude login, /messages/count_tokens, a model of OpenAI", REFUSED),
    "doubled prefix": Probe("Claude key in x-api-key, /v1/v1/messages, a model of OpenAI", REFUSED),
    "body of another protocol": Probe("ChatGPT login, Responses body on the Chat path, Anthropic", REFUSED),
    "batches by a header": Probe("ChatGPT login, anthropic-version, GET of message batches", REFUSED),
    "login beside fairlead's key": Probe("Claude login with fairlead's key in two headers", REFUSED),
    "login along a chain": Probe("500, then a fallback to a vendor of another login", "the hop is passed over"),
    "claim of a new name": Probe("a stranger lists claude-opus-99", "the vendor's backend is asked"),
    "claim of a shortcut": Probe("a stranger lists a model called opus", "the vendor's newest is asked"),
    "claim of open weights": Probe("a stranger lists gpt-oss:20b beside OpenAI", "it serves, without the login"),
    "claims in the list": Probe("GET /v1/models with claims of a stranger", "claims are listed behind its prefix"),
    "login for a new host": Probe("API: remove, then add with auth client at another URL", "403"),
    "URL there and back": Probe("API: base_url away and back again", "the login stays dropped"),
    "metadata by hand": Probe("a backend file with a link-local URL, reload", "not used, named as a problem"),
    "metadata fields": Probe("Metadata-Flavor and its like in a request", "taken out"),
    "explain without a login": Probe("explain of a translated request to a login", "says the 401"),
}
RUNS = dict(
    zip(
        PROBES,
        (
            *(_http_1_0, _stream, _gzip, _basic, _two_headers, _scheme, _multipart, _bare_path, _doubled_path),
            *(_stray_body, _batches, _beside_our_key, _chain, _claimed_new, _claimed_shortcut, _claimed_weights),
            *(_listed, _other_host, _there_and_back, _by_hand, _metadata_fields, _explain),
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("name", PROBES)
def test_attack(bench, name):
    """Each probe gives what the table says."""
    RUNS[name](bench)
