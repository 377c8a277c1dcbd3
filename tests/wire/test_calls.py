"""The call of each path, and the forms of errors and pings in each protocol."""

import json

import anthropic
import pytest
from openai.types.responses import ResponseErrorEvent, ResponseFailedEvent

from router import errors
from router.wire import calls, protocols
from router.wire.dialect import Verdict, anthropic_kind, openai_kind
from router.wire.raw import sse
from router.wire.raw.json.top_level import peek
from router.wire.tap import Tap

CALLS = {
    "/v1/messages": ("messages", "messages", True),
    "/v1/messages/count_tokens": ("messages", "messages", False),
    "/v1/messages/batches": ("messages", "messages", False),
    "/v1/chat/completions": ("chat", "chat", True),
    "/v1/chat/completions/abc": ("chat", "chat", False),
    "/v1/responses": ("responses", "responses", True),
    "/v1/responses/resp_1/cancel": ("responses", "responses", False),
    "/v1/completions": ("chat", None, True),
    "/v1/embeddings": ("chat", None, True),
    "/v1/files": ("chat", None, False),
    "/v1/audio/speech": ("chat", None, False),
}


@pytest.mark.parametrize("path", CALLS)
def test_a_path_is_a_call(path):
    """Each path has its error form, the protocol its backend must speak, and whether a model answers."""
    call = calls.call(path)
    assert (call.path, call.dialect.name, call.protocol, call.generates) == (path, *CALLS[path])


def test_a_path_both_vendors_have_is_told_apart_by_headers():
    """/v1/files with an anthropic-version is Anthropic's; a path of one protocol stays what it is."""
    assert calls.call("/v1/files", {b"anthropic-version": b""}).protocol == "messages"
    assert calls.call("/v1/chat/completions", {b"anthropic-version": b""}).protocol == "chat"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/v1/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/messages", "/v1/messages"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/responses/resp_1", "/v1/responses/resp_1"),
        ("/models", "/v1/models"),
        ("/models/a/b", "/v1/models/a/b"),
        ("/v1/unheard/of", "/v1/unheard/of"),
        ("/", None),
        ("/v1", None),
        ("/v2/messages", None),
        ("/messagesx", None),
        ("/status", None),
        ("/admin/stop", None),
        ("/api/v1/messages", None),
    ],
)
def test_a_path_has_one_canonical_form(path, wanted):
    """A doubled or missing /v1 is corrected; other paths have no canonical form."""
    assert calls.canonical(path) == wanted


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/v1/files", "/files/a", "/v1//organization"])
def test_the_canonical_form_is_canonical(path):
    """A canonical path stays as it is."""
    once = calls.canonical(path)
    assert calls.canonical(once) == once


@pytest.mark.parametrize(
    "path",
    [
        "/v1/organization/users",
        "/v1/organizations/me",
        "/v1/admin",
        "/v1/projects/p",
        "/v1/api_keys",
        "/v1/apikeys",
        "/v1/keys/1",
        "/v1/auth/key",
        "/v1/users",
        "/v1/billing/usage",
        "/v1/credits",
        "/v1/usage",
        "/v1/dashboard/billing",
        "/v1/Organization/users",
        # Upstreams decode and merge before they route, so these are the same paths to them.
        "/v1/%6frganization/users",
        "/v1//organization/users",
        "/v1/api%5Fkeys",
    ],
)
def test_administration_is_closed(path):
    """Organisation, key and billing paths need passthrough = all, in any spelling."""
    assert calls.is_closed(calls.canonical(path), "GET")
    assert calls.is_closed(calls.canonical(path), "POST")


@pytest.mark.parametrize(
    ("method", "path", "closed"),
    [
        ("POST", "/v1/messages", False),
        ("GET", "/v1/files/f", False),
        ("GET", "/v1/keysmith", False),
        ("GET", "/v1/files/organization", False),
        ("DELETE", "/v1/files/f", True),
        ("DELETE", "/v1/models/m", True),
        ("DELETE", "/v1/responses/resp_1", False),
    ],
)
def test_what_deletes_is_closed_but_for_responses(method, path, closed):
    """DELETE outside responses needs passthrough = all; everything else of the API is open."""
    assert calls.is_closed(path, method) is closed


@pytest.mark.parametrize(
    ("path", "has_input", "has_messages", "wanted"),
    [
        ("/v1/chat/completions", True, False, "/v1/responses"),
        ("/v1/chat/completions", True, True, "/v1/chat/completions"),
        ("/v1/chat/completions", False, True, "/v1/chat/completions"),
        ("/v1/chat/completions", False, False, "/v1/chat/completions"),
        ("/v1/embeddings", True, False, "/v1/embeddings"),
    ],
)
def test_a_responses_body_on_the_chat_path_is_a_responses_call(path, has_input, has_messages, wanted):
    """A body with input in place of messages is a Responses request."""
    body = json.dumps({**({"input": "x"} if has_input else {}), **({"messages": []} if has_messages else {})})
    found = calls.by_content(calls.call(path), peek(body.encode()))
    assert found.path == wanted
    assert found.protocol == CALLS[wanted][1]


ANTHROPIC_KINDS = {
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "conflict_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "timeout_error",
    "overloaded_error",
}

# error -> Anthropic type, OpenAI type, OpenAI code
SHAPES = [
    (errors.BadRequest("no"), "invalid_request_error", "invalid_request_error", None),
    (errors.Unauthenticated("no"), "authentication_error", "invalid_request_error", "invalid_api_key"),
    (errors.Forbidden("no"), "permission_error", "invalid_request_error", "permission_denied"),
    (errors.NotFound("no"), "not_found_error", "invalid_request_error", None),
    (errors.UnknownModel("no"), "not_found_error", "invalid_request_error", "model_not_found"),
    (errors.WrongVerb("no", allow="POST"), "invalid_request_error", "invalid_request_error", None),
    (errors.TooLarge("no"), "request_too_large", "invalid_request_error", "request_too_large"),
    (errors.BadGateway("no"), "api_error", "server_error", None),
    (errors.Unavailable("no"), "overloaded_error", "server_error", "overloaded"),
    (errors.UpstreamTimeout("no"), "timeout_error", "server_error", "timeout"),
]


@pytest.mark.parametrize(("error", "kind", "openai_kind", "code"), SHAPES, ids=lambda value: type(value).__name__)
def test_an_error_has_the_shape_of_its_protocol(error, kind, openai_kind, code):
    """Anthropic's form names the request; both OpenAI forms have message, type, param and code."""
    assert json.loads(protocols.MESSAGES.dialect.error_body(error, "req_1")) == {
        "type": "error",
        "error": {"type": kind, "message": "no"},
        "request_id": "req_1",
    }
    for dialect in (protocols.CHAT.dialect, protocols.RESPONSES.dialect, protocols.PLAIN):
        assert json.loads(dialect.error_body(error, "req_1")) == {
            "error": {"message": "no", "type": openai_kind, "param": None, "code": code}
        }


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_a_type_in_both_vocabularies(status):
    """Anthropic's type is one that its API documents; OpenAI's distinguishes a caller's fault from a server's."""
    assert anthropic_kind(status) in ANTHROPIC_KINDS
    assert (anthropic_kind(status) == "api_error") <= (status >= 500)
    special = {402: "insufficient_quota", 429: "rate_limit_error"}
    assert openai_kind(status) == special.get(status, "invalid_request_error" if status < 500 else "server_error")


def sdk_events(dialect, error, tap):
    """The events that end a broken stream, as the SDKs' own reader reads them."""
    return [event for _, event in sse.parse_events(dialect.error_events(error, "req_1", tap))]


def test_a_messages_stream_ends_with_an_error_event():
    """Messages ends with one error event, named by its type, since the SDKs ignore other names."""
    [event] = sdk_events(protocols.MESSAGES.dialect, errors.BadGateway("no"), Tap(protocols.MESSAGES.dialect))
    assert event.name == "error"
    assert json.loads(event.data) == json.loads(protocols.MESSAGES.dialect.error_body(errors.BadGateway("no"), "req_1"))
    anthropic.types.ErrorResponse.model_validate_json(event.data)


def test_a_chat_stream_ends_with_an_error_chunk():
    """Chat ends with one chunk that has the error and nothing that looks like a good end."""
    [event] = sdk_events(protocols.CHAT.dialect, errors.BadGateway("no"), Tap(protocols.CHAT.dialect))
    assert event.name == ""
    assert json.loads(event.data) == {"error": {"message": "no", "type": "server_error", "param": None, "code": None}}


@pytest.mark.parametrize(
    ("error", "code"),
    [(errors.BadGateway("no"), "server_error"), (errors.UpstreamTimeout("no"), "server_error")],
    ids=["broken", "timeout"],
)
def test_a_responses_stream_ends_with_error_and_failed(error, code):
    """Both events of Responses continue the numbering, have the stream's id, and fit OpenAI's own types."""
    tap = Tap(protocols.RESPONSES.dialect)
    announced = {"id": "resp_7", "created_at": 5, "model": "m"}
    created = {"type": "response.created", "sequence_number": 0, "response": announced}
    frame = sse.frame(json.dumps(created).encode(), "response.created")
    tap.judge(sse.parse_event(frame.strip()))
    tap.read(frame + sse.frame(b'{"type":"x","sequence_number":41}', "x"))
    first, second = sdk_events(protocols.RESPONSES.dialect, error, tap)
    assert (first.name, second.name) == ("error", "response.failed")
    said = ResponseErrorEvent.model_validate_json(first.data)
    assert (said.sequence_number, said.message, said.code) == (42, "no", code)
    assert json.loads(first.data)["error"] == {"type": "server_error", "code": code, "message": "no", "param": None}
    failed = ResponseFailedEvent.model_validate_json(second.data)
    assert failed.sequence_number == 43
    assert (failed.response.id, failed.response.status, failed.response.model) == ("resp_7", "failed", "m")
    assert (failed.response.error.code, failed.response.error.message) == (code, "no")


def test_a_responses_stream_that_never_began_still_ends_whole():
    """Without an id of the upstream the request's is used, and numbers begin at 0."""
    first, second = sdk_events(protocols.RESPONSES.dialect, errors.BadGateway("no"), Tap(protocols.RESPONSES.dialect))
    assert json.loads(first.data)["sequence_number"] == 0
    failed = ResponseFailedEvent.model_validate_json(second.data)
    assert (failed.sequence_number, failed.response.id) == (1, "resp_1")


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    "dialect",
    [protocols.MESSAGES.dialect, protocols.CHAT.dialect, protocols.RESPONSES.dialect, protocols.PLAIN],
    ids=lambda value: type(value).__name__,
)
def test_a_ping_is_whole_and_means_nothing(dialect, begun):
    """A ping stands between events, is not content, ends nothing, and is an event only where clients know it."""
    ping = dialect.ping(begun)
    assert sse.find_last_border(ping, 0) == len(ping)
    events = [event for _, event in sse.parse_events(ping) if event.data]
    if dialect is protocols.MESSAGES.dialect:
        assert [event.name for event in events] == ["ping"]
        assert json.loads(events[0].data) == {"type": "ping"}
    elif dialect is protocols.RESPONSES.dialect and begun:
        assert [json.loads(event.data) for event in events] == [{"type": "keepalive"}]
    else:
        assert events == []
        assert ping.startswith(b":")
    for event in events:
        data = json.loads(event.data)
        assert dialect.judge(event, data) is Verdict.HOLD
        assert dialect.ending(event, data) is None


def test_the_dialects_have_their_names():
    """Dialects have the names that settings and backend files use."""
    assert {name: entry.dialect.name for name, entry in protocols.BY_NAME.items()} == {
        "messages": "messages",
        "chat": "chat",
        "responses": "responses",
        "gemini": "gemini",
    }
