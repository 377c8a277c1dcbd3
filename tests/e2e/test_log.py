"""What a running proxy writes down: a line a request, JSON in a file, and bodies only when asked for."""

import json

import pytest

from .processes import Proxy
from .samples import PROTOCOLS
from .wire import ask

NAMES = [protocol.name for protocol in PROTOCOLS]
SECRET = "sk-proj-0123456789abcdef0123456789abcdef"


@pytest.fixture
def told(tmp_path):
    """Runs requests through a proxy; gives its JSON log lines and its terminal output."""

    def run(*bodies, verbose="2"):
        log = tmp_path / "access.log"
        with Proxy(tmp_path, "--verbose", verbose, "--log-file", str(log)) as proxy:
            answers = [ask(proxy.port, path, body) for path, body in bodies]
            assert all(answer.whole for answer in answers)
        return [json.loads(line) for line in log.read_text().splitlines()], proxy.log.read_text()

    return run


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=NAMES)
def test_a_line_a_request(told, protocol):
    """Streamed or plain, the file has the same tokens, and says which backend and account served."""
    lines, said = told((protocol.path, protocol.body("demo")), (protocol.path, protocol.body("demo", stream=True)))
    plain, streamed = lines
    assert (plain["stream"], streamed["stream"]) == (False, True)
    assert plain["tokens_in"] == streamed["tokens_in"] > 0
    assert plain["tokens_out"] == streamed["tokens_out"] > 0
    for line in lines:
        assert (line["backend"], line["status"], line["protocol"]) == ("demo", 200, protocol.name)
        assert line["id"] in said
        assert line["first_byte_ms"] <= line["total_ms"]


@pytest.mark.parametrize("stream", [False, True])
def test_bodies_without_keys(told, stream):
    """-vv shows the beginning of what was sent and what came, streams too, with keys blotted out."""
    [protocol] = [protocol for protocol in PROTOCOLS if protocol.name == "messages"]
    body = protocol.body("demo", stream=stream).replace(
        b'{"', b'{"api_key":"hunter2hunter2","note":"%b","' % SECRET.encode(), 1
    )
    _, said = told((protocol.path, body))
    sent, came = (next(line for line in said.splitlines() if line.strip().startswith(arrow)) for arrow in "→←")
    assert '"max_tokens"' in sent
    assert "stop_reason" in came
    assert SECRET not in said
    assert "hunter2" not in said


def test_no_bodies_unless_asked(told):
    """-v shows lines and no word of what was said."""
    [protocol] = [protocol for protocol in PROTOCOLS if protocol.name == "chat"]
    lines, said = told((protocol.path, protocol.body("demo")), verbose="1")
    assert lines[0]["id"] in said
    assert "messages" not in said.replace("/v1/messages", "")


def test_verbose_errors(told):
    """The line of a request that failed says what went wrong, not only the class."""
    [protocol] = [protocol for protocol in PROTOCOLS if protocol.name == "chat"]
    _, said = told((protocol.path, protocol.body("demo-500")), verbose="1")
    assert "upstream_error: " in said
