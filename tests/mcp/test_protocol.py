"""Messages of both eras: what is a request, by which revision it is made, and how each answer looks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mcp.protocol import (
    SESSION_VERSIONS,
    STATELESS_VERSIONS,
    Freshness,
    ProtocolError,
    Request,
    choose_version,
    encode,
    format_error,
    format_result,
    parse,
)

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: "2026-07-28", CAPABILITIES: {}}
# A line -> the code it is refused with, and the id that the refusal has.
REFUSED = {
    b"\xff\xfe": (-32700, None),
    b"{": (-32700, None),
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":NaN}': (-32700, None),
    b"[" * 100_000: (-32700, None),
    b"1" * 5_000: (-32700, None),
    b"[]": (-32600, None),
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]': (-32600, None),
    b'"ping"': (-32600, None),
    b"null": (-32600, None),
    b"{}": (-32600, None),
    b'{"jsonrpc":"1.0","id":"a","method":"ping"}': (-32600, "a"),
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}': (-32600, None),
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}': (-32600, None),
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}': (-32600, None),
    b'{"jsonrpc":"2.0","id":{},"method":"ping"}': (-32600, None),
    b'{"jsonrpc":"2.0","id":2}': (-32600, 2),
    b'{"jsonrpc":"2.0","id":3,"method":7}': (-32600, 3),
    b'{"jsonrpc":"2.0","id":4,"method":"ping","params":[]}': (-32602, 4),
    b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"_meta":1}}': (-32602, 5),
    b'{"jsonrpc":"2.0","id":6,"method":"server/discover"}': (-32602, 6),
    b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"%s":1}}}' % VERSION.encode(): (-32602, 7),
    b'{"jsonrpc":"2.0","id":8,"method":"ping","params":{"_meta":{"%s":"2026-07-28"}}}' % VERSION.encode(): (-32602, 8),
    b'{"jsonrpc":"2.0","id":9,"method":"ping","params":{"_meta":{"%s":"1900-01-01"}}}' % VERSION.encode(): (-32022, 9),
}


@pytest.mark.parametrize("line", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_request_is_refused(line):
    """Each with its code, and with the id where there is one."""
    with pytest.raises(ProtocolError) as caught:
        parse(line)
    assert (caught.value.code, caught.value.id) == REFUSED[line]


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}',
    ],
)
def test_what_gets_no_answer_is_passed_over(line):
    """Responses, since nothing is ever asked of a client; and notifications that cannot be read."""
    assert parse(line) is None


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "_meta"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_line_is_read_or_refused(line):
    """Nothing else is raised, whatever comes; and what tells of it can be sent."""
    refused = None
    try:
        parse(line)
    except ProtocolError as error:
        refused = error
    if refused is not None:
        assert json.loads(encode(format_error(refused)))["error"]["code"] == refused.code


def test_a_request_says_its_era_itself():
    """With a revision in its `_meta` it is stateless, without one it is of a session; no request before it counts."""
    modern = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode())
    legacy = parse(b'{"jsonrpc":"2.0","id":"x","method":"tools/list"}')
    assert (modern.stateless, legacy.stateless) == (True, False)
    assert legacy == Request("x", "tools/list", {})


def test_an_unknown_revision_is_told_the_known_ones():
    """So that the client can choose one."""
    meta = {**META, VERSION: "1900-01-01"}
    with pytest.raises(ProtocolError) as caught:
        parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).encode())
    data = format_error(caught.value)["error"]["data"]
    assert data["requested"] == "1900-01-01"
    assert set(data["supported"]) == {*STATELESS_VERSIONS, *SESSION_VERSIONS}
    assert data["supported"][0] == "2026-07-28"


@pytest.mark.parametrize(
    ("asked", "chosen"), [*((one, one) for one in SESSION_VERSIONS), ("2026-07-28", "2025-11-25"), ("x", "2025-11-25")]
)
def test_a_session_gets_the_revision_it_asks_for(asked, chosen):
    """Else the newest that has sessions."""
    assert choose_version({"protocolVersion": asked}, 1) == chosen


def test_a_session_without_a_revision_is_refused():
    """It would have to be guessed."""
    with pytest.raises(ProtocolError) as caught:
        choose_version({}, 1)
    assert caught.value.code == -32602


def test_only_stateless_results_say_how_long_they_are_fresh():
    """Older clients do not know these fields."""
    modern = format_result(Request(1, "x", {}, stateless=True), {"tools": []}, Freshness(5, "public"))["result"]
    legacy = format_result(Request(1, "x", {}), {"tools": []}, Freshness(5, "public"))["result"]
    assert legacy == {"tools": []}
    assert modern.pop("_meta")["io.modelcontextprotocol/serverInfo"]["name"] == "fairlead"
    assert modern == {"resultType": "complete", "tools": [], "ttlMs": 5, "cacheScope": "public"}


@given(st.text(), st.text())
def test_a_message_is_one_line(name, text):
    """Whatever it holds: lone surrogates, line ends of every kind."""
    line = encode({"id": name, "result": {"text": text}})
    assert line.count(b"\n") == 1
    assert len(line.decode("ascii").splitlines()) == 1
    assert json.loads(line) == {"id": name, "result": {"text": text}}
