"""Sending: what goes upstream, and when it goes to the same account once more."""

import json

import pytest

from router.net.server.cancel_reason import CancelReason
from router.settings.tables import BackendOptions, Edits

from ..playbook import playing
from ..upstreams import Break, Silence, answer, says, streams
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, refuses, response, secret_of, wait

END = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
STREAM = streams(END, USAGE, b"data: [DONE]\n\n")
NO_USAGE = refuses(400, message="unknown field stream_options")
FOREIGN = {"type": "thinking", "thinking": "hm", "signature": "rtr1.abc"}
TURNS = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": [FOREIGN, {"type": "text", "text": "so"}]},
    {"role": "user", "content": "go on"},
]
BAD_SIGNATURE = says(
    400,
    {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "messages.1: Invalid `signature` in `thinking` block"},
    },
)


@pytest.fixture
def asked_for_usage(made):
    """A backend that is asked for the usage of its Chat streams."""
    return made(box("box", "a0", vendor="openai"), settings=in_order())


# A connection that had served before


@pytest.mark.parametrize("end", [Break(), Break(reset=False)])
def test_a_stale_connection_is_replaced_once(one, end):
    """An idle connection that breaks before a byte of an answer is replaced, and the same account is asked."""
    played = playing(one, CHAT, chat(), [end], good(), kept=1)
    assert (played.asked, played.status) == (["a0", "a0"], 200)
    assert played.tries == [("a0", 0, "stale_connection", "retried"), ("a0", 200, "", "")]
    assert (played.pool.given_back, played.pool.dropped) == (1, 1)


def test_a_fresh_connection_that_breaks_is_a_fault(one):
    """The second connection is new: that it breaks is the upstream's fault, though another kept one is at hand."""
    played = playing(one, CHAT, chat(), [Break()], [Break()], good(), kept=2)
    assert (played.asked, played.status) == (["a0", "a0"], 502)


def test_a_connection_that_breaks_within_an_answer_is_not_stale(one):
    """A byte of an answer came: the request was taken."""
    played = playing(one, CHAT, chat(), [b"HTTP/1.1 20", Break()], good(), kept=1)
    assert (played.asked, played.status) == (["a0"], 502)


def test_a_stale_connection_costs_nothing_unsafe(one):
    """A request that is stored may have been carried out before the connection broke off: it is sent once."""
    played = playing(one, RESPONSES, response(store=True), [Break()], good("responses"), kept=1)
    assert (len(played.sent), played.status) == (1, 502)
    assert b"It may have carried the request out" in played.got


# The question for usage


def test_usage_is_asked_for_and_hidden(asked_for_usage):
    """A client that did not ask does not get the usage event; the record has it."""
    played = playing(asked_for_usage, CHAT, chat(stream=True), STREAM)
    assert played.sent[0].json()["stream_options"] == {"include_usage": True}
    assert played.got == END + b"data: [DONE]\n\n"
    assert (played.record.usage.input, played.record.usage.output) == (5, 2)


def test_a_client_that_asks_gets_its_usage(asked_for_usage):
    """The event is the client's own then."""
    played = playing(asked_for_usage, CHAT, chat(stream=True, stream_options={"include_usage": True}), STREAM)
    assert USAGE in played.got


def test_a_backend_that_does_not_take_the_question(asked_for_usage):
    """The request is sent again without it, and no later one is sent with it."""
    played = playing(asked_for_usage, CHAT, chat(stream=True), NO_USAGE, STREAM)
    assert ["stream_options" in one.json() for one in played.sent] == [True, False]
    assert played.status == 200
    assert played.tries[0] == ("a0", 400, "upstream_error", "retried")
    assert "sent again without stream_options" in played.record.notes
    assert asked_for_usage.refuses_usage == {"box"}
    assert USAGE in played.got  # it came unasked: nothing is hidden
    later = playing(asked_for_usage, CHAT, chat(stream=True), STREAM)
    assert "stream_options" not in later.sent[0].json()


@pytest.mark.parametrize("body", [chat(stream=True, stream_options={"include_usage": True}), chat()])
def test_a_complaint_about_the_clients_own_field_is_the_clients(asked_for_usage, body):
    """A field that the client sent itself is not removed."""
    played = playing(asked_for_usage, CHAT, body, NO_USAGE)
    assert (len(played.sent), played.status) == (1, 400)
    assert not asked_for_usage.refuses_usage


def test_another_complaint_is_final(asked_for_usage):
    """A 400 that does not name the field is given as it came."""
    played = playing(asked_for_usage, CHAT, chat(stream=True), refuses(400, message="too long"))
    assert (len(played.sent), played.status, played.json()["error"]["message"]) == (1, 400, "too long")


def test_a_translated_stream_is_sent_again_without_the_question(made):
    """A translated request follows the same rule."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, MESSAGES, message(stream=True), NO_USAGE, STREAM)
    assert ["stream_options" in one.json() for one in played.sent] == [True, False]
    assert (played.status, runtime.refuses_usage) == (200, {"box"})
    assert [one[3] for one in played.tries] == ["retried", ""]


# Reasoning of another upstream


def test_foreign_thinking_is_left_out(one):
    """An upstream that does not take the reasoning for its own gets the request without it."""
    played = playing(one, MESSAGES, message(messages=TURNS), BAD_SIGNATURE, good("messages"))
    assert [b"thinking" in sent.body for sent in played.sent] == [True, False]
    assert [sent.json()["model"] for sent in played.sent] == ["m", "m"]
    assert played.status == 200
    assert played.tries[0] == ("a0", 400, "upstream_error", "retried")
    assert "sent again without earlier thinking" in played.record.notes


def test_foreign_thinking_is_left_out_once(one):
    """The same complaint again is final, though there is more that could be left out."""
    own = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}]}
    turns = [TURNS[0], own, *TURNS]
    played = playing(one, MESSAGES, message(messages=turns), BAD_SIGNATURE, BAD_SIGNATURE)
    assert (len(played.sent), played.status) == (2, 400)


def test_foreign_searches_are_told_as_text(one):
    """An upstream that cannot read the results of another one's search gets them as text; its own stay as they are."""
    page = {"type": "web_search_result", "url": "https://a.com", "title": "A", "encrypted_content": ""}
    blocks = []
    for name, sealed in (("s1", ""), ("s2", "own")):
        blocks.append({"type": "server_tool_use", "id": name, "name": "web_search", "input": {"query": "q"}})
        found = [{**page, "encrypted_content": sealed}]
        blocks.append({"type": "web_search_tool_result", "tool_use_id": name, "content": found})
    turns = [TURNS[0], {"role": "assistant", "content": blocks}, {"role": "user", "content": "x"}]
    complaint = refuses(400, message="Invalid `encrypted_content` in `web_search_result` block")
    played = playing(one, MESSAGES, message(messages=turns), complaint, good("messages"))
    first, second = (sent.json()["messages"][1]["content"] for sent in played.sent)
    assert first == blocks
    assert [block["type"] for block in second] == ["text", "text", "server_tool_use", "web_search_tool_result"]
    assert "https://a.com" in second[1]["text"]
    assert second[2:] == blocks[2:]
    assert "sent again with earlier searches as text" in played.record.notes
    played = playing(one, MESSAGES, message(messages=turns[:1]), complaint)
    assert (len(played.sent), played.status) == (1, 400)


def test_nothing_to_leave_out(one):
    """A complaint about reasoning that is not there is given as it came."""
    played = playing(one, MESSAGES, message(), BAD_SIGNATURE)
    assert (len(played.sent), played.status) == (1, 400)
    assert len(played.tries) == 1


def test_a_chat_request_has_no_thinking_to_leave_out(one):
    """The rule is of the Messages protocol, whatever a Chat request holds."""
    played = playing(one, CHAT, chat(messages=TURNS), BAD_SIGNATURE)
    assert (len(played.sent), played.status) == (1, 400)


def test_a_translated_request_forgets_its_thinking(made):
    """A caller of another protocol gets the same second try."""
    runtime = made(box("box", "a0", protocols=("messages",)), settings=in_order())
    said = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "so", "reasoning_content": "hm"},
        {"role": "user", "content": "go on"},
    ]
    played = playing(runtime, CHAT, chat(messages=said), BAD_SIGNATURE, good("messages"))
    assert (len(played.sent), played.status) == (2, 200)
    assert [one[3] for one in played.tries] == ["retried", ""]


# The head that goes upstream


def test_what_goes_upstream(one):
    """The upstream's own host and key; nothing that frames a connection or is a credential of the caller."""
    fields = [
        ("authorization", "Bearer sk-the-callers"),
        ("x-api-key", "sk-the-callers"),
        ("cookie", "a=b"),
        ("connection", "x-own, keep-alive"),
        ("x-own", "1"),
        ("x-other", "2"),
        ("openai-organization", "org-of-the-caller"),
        ("accept-encoding", "br"),
        ("user-agent", "tool/1"),
    ]
    sent = playing(one, CHAT, chat(), good(), fields=fields).sent[0]
    assert sent.fields == {
        b"host": b"box.example",
        b"authorization": b"Bearer " + secret_of("a0").encode(),
        b"x-other": b"2",
        b"accept-encoding": b"identity",
        b"user-agent": b"tool/1",
        b"content-type": b"application/json",
        b"content-length": b"%d" % len(sent.body),
    }


def test_configured_headers_and_fields(made):
    """The headers that a backend's table sets are sent, and their names are noted."""
    edits = Edits(set_headers={"x-set": "1"}, remove_headers=("x-other",), set_fields={"user": "me"})
    settings = in_order(backends={"box": BackendOptions(edits=edits)})
    played = playing(made(box("box", "a0"), settings=settings), CHAT, chat(), good(), fields=[("x-other", "2")])
    assert played.sent[0].fields[b"x-set"] == b"1"
    assert b"x-other" not in played.sent[0].fields
    assert played.sent[0].json()["user"] == "me"
    assert {"field user set"} <= set(played.record.notes)
    assert any("x-set" in note for note in played.record.notes)


def test_the_callers_own_credential(made):
    """Where each caller sends its own key, that is passed on; fairlead's own key never is."""
    runtime = made(box("box", auth="client"), settings=in_order())
    fields = [("authorization", "Bearer sk-the-callers"), ("x-api-key", "sk-of-fairlead")]
    sent = playing(runtime, CHAT, chat(), good(), fields=fields, own_keys=[b"sk-of-fairlead"]).sent[0]
    assert sent.fields[b"authorization"] == b"Bearer sk-the-callers"
    assert b"x-api-key" not in sent.fields


@pytest.mark.parametrize(
    ("method", "path", "body", "target", "length"),
    [
        ("POST", CHAT, chat(), "/v1/chat/completions", True),
        ("POST", f"{CHAT}?a=1&key=sk-x&b=2", chat(), "/v1/chat/completions?a=1&b=2", True),
        ("POST", f"{CHAT}?", chat(), "/v1/chat/completions?", True),
        ("POST", "/v1/files/f/cancel", b"", "/v1/files/f/cancel", True),
        ("GET", "/v1/files/f", b"", "/v1/files/f", False),
        ("HEAD", "/v1/files/f", b"", "/v1/files/f", False),
        ("DELETE", "/v1/files/f", b"", "/v1/files/f", False),
    ],
)
def test_the_request_line(made, method, path, body, target, length):
    """The path under the backend's root with the query, less credentials; a length where there may be a body."""
    runtime = made(box("box", "a0"), settings=in_order(default_backend="box"))
    sent = playing(runtime, path, body, answer(200), method=method).sent[0]
    assert (sent.method, sent.target) == (method, target)
    assert (b"content-length" in sent.fields) is length


def test_a_body_that_came_coded_goes_decoded(made):
    """The content coding is removed, with its header."""
    import gzip

    runtime = made(box("box", "a0"), settings=in_order())
    body = gzip.compress(json.dumps(chat()).encode())
    sent = playing(runtime, CHAT, body, good(), fields=[("content-encoding", "gzip")]).sent[0]
    assert sent.json() == chat(model="m")
    assert b"content-encoding" not in sent.fields


# Limits


@pytest.mark.parametrize(
    ("stream", "unreachable", "script", "reason", "seconds", "says_so"),
    [
        (False, [Silence(99)], good(), CancelReason.CONNECT, 10, "could not be reached within 10 s"),
        (True, [Silence(99)], good(), CancelReason.CONNECT, 10, "could not be reached within 10 s"),
        (False, [], [Silence(9999)], CancelReason.TOTAL, 1800, "did not finish its answer within 1800 s"),
    ],
)
def test_the_last_attempt_ends_the_exchange(one, stream, unreachable, script, reason, seconds, says_so):
    """Where no other account may follow, a limit cuts the exchange: the client is told which one."""
    played = playing(one, CHAT, chat(stream=stream), script, unreachable=unreachable)
    assert (played.cut, played.status, played.record.total) == (reason, 504, seconds)
    assert says_so in played.json()["error"]["message"]
    assert played.record.error == reason.name.lower()


def test_each_attempt_has_its_own_limit_for_the_head(made):
    """timeouts.first_byte counts from where the attempt began, within timeouts.total."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(timeouts_first_byte=150.0))
    played = playing(runtime, CHAT, chat(stream=True), [Silence(999)], [Silence(999)])
    assert (played.asked, played.record.total) == (["a0", "a1"], 300)
    runtime = made(box("box", "a0"), settings=in_order(timeouts_first_byte=150.0, timeouts_total=100.0))
    played = playing(runtime, CHAT, chat(stream=True), [Silence(999)])
    assert (played.cut, played.record.total) == (CancelReason.TOTAL, 100)


def test_the_limit_of_the_head_ends_with_it(made):
    """The time limit of the head does not count for a slow body of an error."""
    runtime = made(box("box", "a0", "a1", vendor="openai"), settings=in_order(timeouts_first_byte=10.0))
    script = [NO_USAGE[0][:-9], Silence(15), NO_USAGE[0][-9:]]
    played = playing(runtime, CHAT, chat(stream=True), script, STREAM)
    assert (played.asked, played.status, played.record.total) == (["a0", "a0"], 200, 15)


def test_what_was_used_up_counts_for_a_whole_answer(made):
    """The limit of a whole answer is what is left of the request's total."""
    runtime = made(box("box", "a0"), settings=in_order(timeouts_total=100.0))
    played = playing(runtime, CHAT, chat(), refuses(429, wait(4)), [Silence(999)])
    assert (played.asked, played.cut, played.record.total) == (["a0", "a0"], CancelReason.TOTAL, 100)
