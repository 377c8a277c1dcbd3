"""Which turns of a session are compared, whatever form they have: titles between them, large ones, streams."""

import json

import pytest

from .cache_sessions import FIRST, HIT, MISS, MODEL, PROSE, Stand, answered, messages, rewritten, tool, turns
from .samples import MESSAGES
from .upstream import plain, stream
from .wire import ask


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("cache"))
    yield made
    made.stop()


def test_other_requests_of_a_session_are_lines_of_their_own(stand):
    """A title that is asked for between two turns changes nothing for the conversation."""
    title = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": f"Title? {PROSE}"}],
    }
    between = (dict(title), answered(1200, 0))
    assert stand.session((messages(1), FIRST), between, (messages(2), HIT))[0] is None
    found = stand.session((messages(1), FIRST), between, (messages(2, thinking=None), MISS))
    assert (found[0], found[3]) == ("settings", "thinking removed")


def test_an_answer_that_failed_is_no_turn(stand):
    """What comes next is compared to the last turn that was answered."""
    body = messages(2) | {"model": f"one:{MODEL}"}
    stand.upstream.script(plain(b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}', b"400 No"))
    header = (b"X-Claude-Code-Session-Id", b"session-%d" % (stand.sessions + 1))
    assert ask(stand.proxy.port, "/v1/messages", json.dumps(body).encode(), header).status == 400
    assert stand.session((messages(1), FIRST), (messages(2, tools=[tool("Bash")]), MISS))[3] == "Edit removed"


def test_a_client_without_a_session_is_known_by_its_first_message(stand):
    """So scripts are told too that they send no marks."""
    rows = []
    for number in (1, 2):
        conversation = turns(number, last="text")
        conversation[0]["content"] = f"{PROSE} of a script"
        body = messages(number, system=PROSE, messages=conversation) | {"model": f"one:{MODEL}"}
        stand.upstream.script(answered(20_000, 0))
        got = ask(stand.proxy.port, "/v1/messages", json.dumps(body).encode())
        rows.append(stand.row(got.field(b"x-fairlead-request-id").decode())[0])
    assert rows == [None, "unmarked"]


def test_a_large_prompt_is_judged_alike(stand):
    """It is read in a thread, and the history says the same."""
    large = [{"role": "user", "content": PROSE * 600}, *turns(1)[1:]]
    more = [*large[:-1], *turns(2)[2:]]
    assert len(json.dumps(large)) > 1 << 20
    session = [(messages(1, messages=large), FIRST), (messages(2, messages=more, tools=[tool("Bash")]), MISS)]
    found = stand.session(*session)
    assert (found[0], found[3]) == ("tools", "Edit removed")
    session = [(messages(1, messages=large), FIRST), (messages(2, messages=rewritten(more, 1, "other")), MISS)]
    found = stand.session(*session)
    assert (found[0], found[3]) == ("messages", "message 2 (assistant)")


def streamed(new, read):
    """A stream that says at its beginning what the cache gave."""
    usage = b'"usage":{"input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":1}' % (new, read)
    first = MESSAGES.events[0].replace(b'"usage":{"input_tokens":3,"output_tokens":1}', usage)
    assert first != MESSAGES.events[0]
    return stream((first, *MESSAGES.events[1:]))


def test_streams_are_judged_alike(stand):
    """Agents ask for streams."""
    first, second = messages(1, stream=True), messages(2, stream=True, tools=[tool("Bash")])
    found = stand.session((first, streamed(20_000, 0)), (second, streamed(20_500, 0)))
    assert (found[0], found[1], found[3]) == ("tools", 20_000, "Edit removed")
