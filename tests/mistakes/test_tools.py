"""Tools and first steps: what a user does wrong before the first answer."""

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from router.store.home import run_files
from router.store.home.home import Home

from ..cli.terminals import on_terminal
from ..e2e.processes import Proxy, until
from ..e2e.wire import Client, ask, request
from .mistake import Mistake
from .shells import CHAT, MESSAGES, evaluate, run_sdk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sh")

MISTAKES = {
    "A1": Mistake(
        "install as README says, on a system whose Python is externally managed",
        cause="",
        place="",
        command="python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/fairlead demo",
    ),
    "A2": Mistake(
        "run Codex after the lines of `fairlead env`",
        cause="Codex reads none of them",
        place="Codex reads no variable for its base URL",
        command="fairlead env --tool",
    ),
    "A3": Mistake("run Claude Code after the lines of `fairlead env`", cause="", place="", command=""),
    "A4": Mistake(
        "use a login of the tool's own where clients must send a key",
        cause="",
        place="x-fairlead-key",
        command="ANTHROPIC_CUSTOM_HEADERS",
    ),
    "A5": Mistake(
        "start the proxy in a shell whose lines remove the variable of a backend's key",
        cause="which anthropic takes its key from",
        place="$ANTHROPIC_API_KEY",
        command="fairlead backend add anthropic --key-stdin",
    ),
    "A6": Mistake("run a tool in a shell with HTTP_PROXY", cause="", place="", command=""),
    "A7": Mistake(
        "point a tool at a proxy that does not run", cause="no proxy is running", place="", command="fairlead proxy"
    ),
    "A8": Mistake(
        "send no client key", cause="requires a client key", place="x-api-key", command="`fairlead env` prints it"
    ),
    "A9": Mistake(
        "send another key as the client key",
        cause="is another one",
        place="the key in authorization",
        command="`fairlead env` prints the right one",
    ),
    "A10": Mistake("speak TLS to the port", cause="TLS", place="", command="http://"),
    "A11": Mistake("double /v1 in the base URL, or leave it out", cause="", place="", command=""),
    "A12": Mistake(
        "use a wrong path, or that of an API that is not served",
        cause="No endpoint at /v1.",
        place="/v1 (OpenAI)",
        command="Base URL: http://localhost:",
    ),
    "A13": Mistake("GET a path that takes POST", cause="GET", place="/v1/messages", command="send a POST"),
    "A14": Mistake(
        "send broken JSON, another content type, no model or no body",
        cause="Send the body as JSON",
        place='"model"',
        command="content-type: application/json",
    ),
    "A15": Mistake("send more than 64 MiB", cause="over 64 MiB", place="request body", command=""),
    "A16": Mistake(
        "call it from a page in a browser",
        cause="is not allowed",
        place="http://localhost:5173",
        command="fairlead config set cors_origin http://localhost:5173",
    ),
    "A17": Mistake(
        "call it by another host name",
        cause="not served here",
        place="Host header",
        command="fairlead config set allowed_hosts box.lan",
    ),
    "A18": Mistake("send a tag with a space", cause="expected", place="x-fairlead-tag", command=""),
}
BODY = b'{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
KEY = "fl-" + "k" * 40


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """A proxy with the demo that asks for no key."""
    with Proxy(tmp_path_factory.mktemp("open"), "-v") as running:
        yield running


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A proxy with the demo that asks for a key."""
    settings = {"FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_API_KEY": KEY}
    with Proxy(tmp_path_factory.mktemp("keyed"), settings=settings) as running:
        yield running


def told(port, *arguments, **options):
    """The status of an answer, and the message of its error."""
    answer = ask(port, *arguments, **options)
    return answer.status, answer.json()["error"]["message"]


def test_a1():
    """README's first command works where the system's Python takes no packages."""
    readme = Path(__file__).parents[2] / "README.md"
    MISTAKES["A1"].check(*(line for line in readme.read_text().splitlines() if "fairlead demo" in line))


def test_a2(fairlead, tmp_path):
    """The lines say on a terminal that Codex needs others; those make `codex` reach the proxy, with a key too."""
    _, said = on_terminal(fairlead, ["env"], [])
    program = tmp_path / "codex"
    program.write_text('#!/bin/sh\necho "$CODEX_FAIRLEAD_KEY" "$@"\n')
    program.chmod(0o700)
    path = f"{tmp_path}:{os.environ['PATH']}"
    required = {"FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_API_KEY": KEY}
    out, err = evaluate(fairlead, "--tool", "codex", then=["codex", "exec", "hi"], PATH=path, **required)
    assert out.startswith(f"{KEY} -c model_provider=fairlead-session ")
    assert "model_providers.fairlead-session.base_url=http://localhost:3456/v1" in out
    assert "model_providers.fairlead-session.env_key=CODEX_FAIRLEAD_KEY" in out
    assert out.endswith(" exec hi\n")
    MISTAKES["A2"].check(said, err)


def test_a3(fairlead):
    """Claude Code gets a token, which it takes without asking, and no API key; an SDK is answered."""
    fairlead.start("proxy", "--port", "0", FAIRLEAD_REQUIRE_KEY="on")
    environ, err = evaluate(fairlead, ANTHROPIC_API_KEY="sk-ant-own")
    assert environ["ANTHROPIC_AUTH_TOKEN"] == (fairlead.home / "client.key").read_text().strip()
    assert "ANTHROPIC_API_KEY" not in environ
    assert err == ""
    assert run_sdk(MESSAGES, "demo", environ) == "hi\n"


def test_a4(fairlead, provider):
    """The login reaches the backend, and fairlead's key goes beside it in a header, which ends here."""
    root = f"{provider.url}/v1"
    fairlead("backend", "add", "login", "--base-url", root, "--protocols", "messages", "--auth", "client")
    fairlead.start("proxy", "--port", "0", FAIRLEAD_REQUIRE_KEY="on")
    environ, err = evaluate(fairlead, ANTHROPIC_AUTH_TOKEN="sk-good")
    assert environ["ANTHROPIC_AUTH_TOKEN"] == "sk-good"
    assert run_sdk(MESSAGES, "login:model-a", environ) == "Hi\n"
    assert provider.seen[-1] == ("/v1/messages", "sk-good")
    assert not [name for name in provider.fields["/v1/messages"] if name.startswith("x-fairlead")]
    MISTAKES["A4"].check(f"ANTHROPIC_CUSTOM_HEADERS={environ['ANTHROPIC_CUSTOM_HEADERS']}", err)


def test_a5(fairlead, provider):
    """It is told with the lines; a proxy from that shell lacks the key and does not send fairlead's own."""
    root = f"{provider.url}/v1"
    options = ("--base-url", root, "--protocols", "messages", "--key-env", "ANTHROPIC_API_KEY")
    fairlead("backend", "add", "anthropic", *options, ANTHROPIC_API_KEY="sk-good")
    environ, err = evaluate(fairlead, ANTHROPIC_API_KEY="sk-good", FAIRLEAD_REQUIRE_KEY="on")
    fairlead.start("proxy", "--port", "0", **environ)
    [run] = run_files.live(Home(fairlead.home))
    body = BODY.replace(b"demo", b"anthropic:model-a")
    key = (b"x-api-key", environ["ANTHROPIC_AUTH_TOKEN"].encode())
    status, message = told(run.port, "/v1/messages", body, key)
    assert status >= 400
    assert "$ANTHROPIC_API_KEY is not set" in message
    assert not [sent for _, sent in provider.seen if sent and sent != "sk-good"]
    MISTAKES["A5"].check(err)


def test_a6(fairlead):
    """The lines let the tool go past the proxy of the shell; what was past it before stays."""
    fairlead.start("proxy", "--port", "0")
    dead = {"HTTP_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "intranet.example"}
    environ, _ = evaluate(fairlead, **dead)
    assert environ["NO_PROXY"] == environ["no_proxy"] == "intranet.example,localhost,127.0.0.1,::1"
    assert run_sdk(CHAT, "demo", environ) == "hi\n"


def test_a7(fairlead):
    """The lines come with a warning."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    code, out, err = fairlead("env", FAIRLEAD_PORT=port)
    assert code == 0
    assert f"http://localhost:{port}" in out
    MISTAKES["A7"].check(err)


def test_a8(keyed):
    """401 with where the key is."""
    status, message = told(keyed.port, "/v1/messages", BODY)
    assert status == 401
    MISTAKES["A8"].check(message)


def test_a9(keyed):
    """401 that says that another key came, without repeating it."""
    status, message = told(keyed.port, "/v1/messages", BODY, (b"Authorization", b"Bearer sk-proj-1234"))
    assert status == 401
    assert "sk-proj" not in message
    MISTAKES["A9"].check(message)


def test_a10(proxy):
    """The proxy's terminal says that TLS came where plain HTTP is spoken."""
    with Client(proxy.port) as client:
        # The beginning of a ClientHello of TLS 1.0 to 1.3.
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(507))
        until(client.ended)
    assert until(lambda: "TLS" in proxy.log.read_text())
    MISTAKES["A10"].check(proxy.log.read_text())


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/v1/messages", "/messages"])
def test_a11(proxy, path):
    """It works."""
    assert ask(proxy.port, path, BODY).status == 200


def test_a12(proxy):
    """404 with both base URLs; the API that a path belongs to is named where it is not served."""
    host = f"localhost:{proxy.port}".encode()
    status, message = told(proxy.port, "/v1", host=host)
    assert status == 404
    for path, api in {
        "/api/chat": "Ollama",
        "/api/tags": "Ollama",
        "/openai/deployments/x/chat/completions": "Azure OpenAI",
        "/model/x/invoke": "Amazon Bedrock",
    }.items():
        status, other = told(proxy.port, path, b"{}", host=host)
        assert status == 404
        assert other.startswith(f"{path} is {api}'s API, which fairlead does not serve.")
        assert other.endswith(f"base URL http://localhost:{proxy.port}/v1.")
    MISTAKES["A12"].check(message)


def test_a13(proxy):
    """405 with the verb to use."""
    status, message = told(proxy.port, "/v1/messages")
    assert status == 405
    MISTAKES["A13"].check(message)


def test_a14(proxy):
    """400 or 415 with the place, the header or the field."""
    broken = told(proxy.port, "/v1/messages", b'{"model": "demo", "messages": [}')
    kind = told(proxy.port, "/v1/messages", BODY, kind=(b"Content-Type", b"text/plain"))
    missing = told(proxy.port, "/v1/messages", b'{"messages":[]}')
    empty = told(proxy.port, "/v1/messages", b"")
    assert [status for status, _ in (broken, kind, missing, empty)] == [400, 415, 400, 400]
    assert re.search(r"byte \d+|position \d+|column \d+", broken[1]), broken
    MISTAKES["A14"].check(*(message for _, message in (broken, kind, missing, empty)))


def test_a15(proxy):
    """413 with the bound, before the body is read."""
    with Client(proxy.port) as client:
        head = request("/v1/messages", None, (b"Content-Type", b"application/json"), method="POST")
        client.send(head.replace(b"\r\n\r\n", b"\r\nContent-Length: 70000000\r\n\r\n"))
        answer = client.answer()
    assert answer.status == 413
    MISTAKES["A15"].check(answer.json()["error"]["message"])


def test_a16(proxy):
    """403 with the command that allows the page's origin."""
    status, message = told(proxy.port, "/v1/messages", BODY, (b"Origin", b"http://localhost:5173"))
    assert status == 403
    MISTAKES["A16"].check(message)


def test_a17(proxy):
    """403 with the command that allows the name."""
    status, message = told(proxy.port, "/v1/messages", BODY, host=b"box.lan:3456")
    assert status == 403
    MISTAKES["A17"].check(message)


def test_a18(proxy):
    """400 with what a tag is."""
    status, message = told(proxy.port, "/v1/messages", BODY, (b"x-fairlead-tag", b"two words"))
    assert status == 400
    MISTAKES["A18"].check(message)


def test_all_numbers_are_here():
    """Every mistake of the group has its text and its test."""
    assert [*MISTAKES] == [f"A{number}" for number in range(1, 19)]
    assert all(f"test_{name.lower()}" in globals() for name in MISTAKES)
    assert json.dumps(MISTAKES)
