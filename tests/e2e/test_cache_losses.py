"""Why a prompt was not read from a provider's cache: scripted sessions over real sockets, one for each cause.

The upstream says how many tokens its cache gave; the history says what was lost and why. The proxy runs in a thread of
the test, so that the time between two turns is set and not waited for.
"""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys

import msgspec
import pytest

from .processes import Threaded, backend, make_home, until
from .samples import MESSAGES
from .upstream import Upstream, plain, stream
from .wire import ask

MODEL = "claude-sonnet-4-6"
CONFIG = """
[prices."claude-sonnet-4-6"]
input = 3
output = 15
cache_read = 0.3
cache_write = 3.75
[backends.marking]
cache_marks = true
[[routes]]
when = { model = "claude-sonnet-4-6", tokens_over = 7000 }
backend = "one"
set_fields = { top_k = 5 }
[[routes]]
when = { model = "claude-sonnet-4-6" }
backend = "one"
[backends.short]
profile = { cache_minimum = 30000 }
"""
#: A word that stands in every part of a prompt, and in no name.
SECRET = "quibbleword"
PROSE = f"The {SECRET} relay reads each request and forwards it unchanged. " * 40
MARK = {"cache_control": {"type": "ephemeral"}}


def tool(name):
    return {"name": name, "description": PROSE, "input_schema": {"type": "object", "properties": {}}}


def block(text, **more):
    return {"type": "text", "text": text, **more}


def turns(count, last="list"):
    """A conversation as Claude Code sends it: the last message marked, as a list of one block, the others as texts."""
    found = []
    for number in range(count):
        found.append({"role": "user", "content": f"{number} {PROSE}"})
        found.append({"role": "assistant", "content": [block(f"answer {number} {PROSE}")]})
    text = f"{count} {PROSE}"
    found.append({"role": "user", "content": [block(text, **MARK)] if last == "list" else text})
    return found


def messages(count, **changes):
    """A request in Messages. changes: members in place of the usual ones, None for none."""
    body = {
        "model": MODEL,
        "max_tokens": 64,
        "system": [block("You are an agent."), block(PROSE, **MARK)],
        "tools": [tool("Bash"), tool("Edit"), tool("Read")],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": turns(count),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def answered(new, read, written=0):
    """An answer in Messages that says what the cache gave."""
    usage = {"input_tokens": new, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    return plain(
        json.dumps(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [block("Hi")],
                "stop_reason": "end_turn",
                "usage": {**usage, "output_tokens": 5},
            }
        ).encode()
    )


class Stand:
    """A proxy, and the one upstream of all its backends."""

    def __init__(self, folder):
        self.upstream = Upstream(models=(MODEL, "claude-opus-4-8", "model-a", "gpt-5"))
        config = make_home(folder) / "config.toml"
        config.touch(mode=0o600)
        config.write_text(CONFIG)
        names = ("one", "two", "marking", "short")
        self.home = config.parent
        self.proxy = Threaded(folder, backends=[backend(name, self.upstream.root) for name in names])
        self.sessions = 0

    def stop(self):
        self.proxy.__exit__()
        self.upstream.stop()

    @property
    def runtime(self):
        return self.proxy.serving.runtime

    def session(self, *turns, path="/v1/messages", backend="one", idle=0):
        """Send turns (body, answer) of one session; the history's row of the last. idle: seconds before the last."""
        self.sessions += 1
        header = (b"X-Claude-Code-Session-Id", b"session-%d" % self.sessions)
        for number, (body, answer) in enumerate(turns):
            where = body.pop("to", backend)
            if where:
                body["model"] = f"{where}:{body['model']}"
            if idle and number == len(turns) - 1:
                self.proxy.call(lambda: self._age(idle))
            self.upstream.script(answer)
            got = ask(self.proxy.port, path, json.dumps(body).encode(), header)
            assert got.status == 200, got.body
        return self.row(got.field(b"x-fairlead-request-id").decode())

    def _age(self, seconds):
        """Let the last turns of all sessions be older."""
        lines = self.runtime.prompt_sessions._lines
        for key, found in lines.items():
            lines[key] = tuple(msgspec.structs.replace(one, started=one.started - seconds) for one in found)

    def row(self, name):
        """What the history says of a request's cache: reason, tokens, idle seconds, more of the cause, cost."""
        self.runtime.ledger.flush()
        query = (
            "SELECT names.text, cache_lost, cache_idle, cache_text, cache_lost_cost FROM requests "
            "LEFT JOIN names ON names.id = cache_reason WHERE requests.id = ?"
        )

        def found():
            with contextlib.closing(sqlite3.connect(self.home / "history.db")) as db:
                return db.execute(query, (name,)).fetchone()

        return until(found)


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("cache"))
    yield made
    made.stop()


FIRST, HIT, MISS = answered(10, 0, 20_000), answered(10, 20_000, 500), answered(10, 0, 20_500)


def changed(**changes):
    """Two turns, of which the second lacks what the first left in the cache."""
    return [(messages(1), FIRST), (messages(2, **changes), MISS)]


def rewritten(conversation, at, content):
    """A conversation with other content in one message."""
    return [*conversation[:at], {**conversation[at], "content": content}, *conversation[at + 1 :]]


def many_blocks():
    """A second turn with more blocks than are looked back over."""
    more = [block(f"{number}") for number in range(25)]
    return [
        *turns(1, last="text"),
        {"role": "assistant", "content": more},
        {"role": "user", "content": turns(2)[-1]["content"]},
    ]


#: The cause, more of it, and the turns with their backend.
CAUSES = {
    "another backend": (
        "account",
        "one/none had the turn before, headroom",
        [(messages(1), FIRST), ({"to": "two"} | messages(2), MISS)],
        {},
    ),
    "another model": ("settings", "model changed", changed(model="claude-opus-4-8"), {}),
    "thinking": ("settings", "thinking changed", changed(thinking={"type": "enabled", "budget_tokens": 2048}), {}),
    "a choice of tools": ("settings", "tool_choice added", changed(tool_choice={"type": "any"}), {}),
    "a tool added": (
        "tools",
        "mcp__github added",
        changed(tools=[tool("Bash"), tool("mcp__github"), tool("Edit"), tool("Read")]),
        {},
    ),
    "a tool removed": ("tools", "Edit removed", changed(tools=[tool("Bash"), tool("Read")]), {}),
    "tools in another order": ("tools", "Edit moved", changed(tools=[tool("Edit"), tool("Bash"), tool("Read")]), {}),
    "the system prompt": (
        "system",
        "block 1 of 2",
        changed(system=[block("It is another day."), block(PROSE, **MARK)]),
        {},
    ),
    "a message": ("messages", "message 3 (user)", changed(messages=rewritten(turns(2), 2, "other")), {}),
    "a compaction": (
        "messages",
        "message 1 (user)",
        [(messages(3), FIRST), (messages(0, messages=[{"role": "user", "content": PROSE}]), MISS)],
        {},
    ),
    "idle": ("expired", "at least 5 min", changed(), {"idle": 720}),
    "too short": ("minimum", "20,010 of 30,000 tokens", changed(), {"backend": "short"}),
    "no marks": (
        "unmarked",
        "",
        [
            (messages(number, system=PROSE, messages=turns(number, last="text")), answered(20_000, 0))
            for number in (1, 2)
        ],
        {},
    ),
    "too many blocks": ("lookback", "26 blocks behind it, and 20 are looked at", changed(messages=many_blocks()), {}),
    "another edit": ("edits", "", [(messages(1), FIRST), (messages(4), MISS)], {"backend": ""}),
    "evicted": ("evicted", "", changed(), {}),
}


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause(stand, name):
    """A session made for a cause gives that cause, with the tokens, their price and the time since the turn before."""
    reason, text, session, how = CAUSES[name]
    found = stand.session(*[(dict(body), answer) for body, answer in session], **how)
    assert found[0] == reason
    assert found[3] == text
    assert found[1] >= 20_000
    assert found[2] >= how.get("idle", 0)
    assert (found[4] or 0) > 0 or name == "another model"


def test_a_session_that_goes_well_lost_nothing(stand):
    """Marks that move, and the message that is a text once its mark is gone, are no loss."""
    assert stand.session((messages(1), FIRST), (messages(2), HIT))[0] is None
    third = answered(10, 20_500, 400)
    assert stand.session((messages(1), FIRST), (messages(2), HIT), (messages(3), third))[0] is None


@pytest.mark.parametrize(
    "second",
    [
        messages(2),
        messages(2, messages=turns(2, last="text")),
        messages(2, system=[block("You are an agent.", **MARK), block(PROSE)]),
        messages(2, tools=[tool("Bash"), tool("Edit"), {**tool("Read"), **MARK}]),
    ],
    ids=["as ever", "the last as a text", "a mark on another block", "a mark on a tool"],
)
def test_marks_that_move_are_no_change(stand, second):
    """What is lost for another reason is not explained by them: nothing in the prompt has changed."""
    assert stand.session((messages(1), FIRST), (second, MISS))[0] == "evicted"


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


def chat(count, **changes):
    """A request in Chat, with the system prompt as the first message."""
    conversation = [{"role": "system", "content": PROSE}]
    for number in range(count):
        conversation.append({"role": "user", "content": f"{number} {PROSE}"})
        conversation.append({"role": "assistant", "content": f"answer {number} {PROSE}"})
    conversation.append({"role": "user", "content": f"{count} {PROSE}"})
    functions = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("read", "write")]
    return {"model": "gpt-5", "messages": conversation, "tools": functions, **changes}


def chat_answered(new, read):
    usage = {"prompt_tokens": new + read, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": read}}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    return plain(json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode())


CHAT_CAUSES = {
    "nothing": (None, None, {}, 19_000),
    "tools": ("tools", "read removed", {"tools": chat(1)["tools"][1:]}, 0),
    "effort": ("settings", "reasoning_effort added", {"reasoning_effort": "low"}, 0),
    "system": (
        "system",
        "message 1",
        {"messages": [{"role": "system", "content": "other"}, *chat(2)["messages"][1:]]},
        0,
    ),
    "message": ("messages", "message 3 (assistant)", {"messages": rewritten(chat(2)["messages"], 2, "other")}, 0),
    "evicted": ("evicted", "", {}, 0),
}


@pytest.mark.parametrize("name", CHAT_CAUSES)
def test_sessions_in_chat(stand, name):
    """The system prompt is the first message there, and the cache is said in OpenAI's words."""
    reason, text, changes, read = CHAT_CAUSES[name]
    second = chat_answered(20_500 - read, read)
    turns = ((chat(1), chat_answered(20_000, 0)), (chat(2, **changes), second))
    found = stand.session(*turns, path="/v1/chat/completions")
    assert (found[0], found[3]) == (reason, text)


def codex(count, **changes):
    """A request in Responses as Codex sends it."""
    items = []
    for number in range(count):
        content = [{"type": "input_text", "text": f"{number} {PROSE}"}]
        items.append({"type": "message", "role": "user", "content": content})
        items.append({"type": "reasoning", "summary": [], "encrypted_content": PROSE})
        items.append({"type": "function_call", "name": "shell", "arguments": "{}", "call_id": f"call_{number}"})
        items.append({"type": "function_call_output", "call_id": f"call_{number}", "output": PROSE})
    tools = [{"type": "function", "name": name, "parameters": {}} for name in ("shell", "apply_patch")]
    fixed = {"model": "gpt-5", "instructions": PROSE, "tools": tools, "store": False, "prompt_cache_key": "thread"}
    return {**fixed, "input": items, **changes}


def codex_answered(new, read):
    usage = {"input_tokens": new + read, "output_tokens": 5, "input_tokens_details": {"cached_tokens": read}}
    content = [{"type": "output_text", "text": "Hi", "annotations": []}]
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": [item], "usage": usage}
    return plain(json.dumps(whole).encode())


def without(conversation, at):
    """A conversation that lacks an item."""
    return [*conversation[:at], *conversation[at + 1 :]]


CODEX_CAUSES = {
    "nothing": (None, None, {}, 19_000),
    "tools": ("tools", "apply_patch removed", {"tools": codex(1)["tools"][:1]}, 0),
    "instructions": ("system", "block 1 of 1", {"instructions": "other"}, 0),
    "effort": ("settings", "reasoning added", {"reasoning": {"effort": "low"}}, 0),
    "cache key": ("settings", "prompt_cache_key changed", {"prompt_cache_key": "another"}, 0),
    "item": ("messages", "message 2 (function_call)", {"input": without(codex(2)["input"], 1)}, 0),
    "evicted": ("evicted", "", {}, 0),
}


@pytest.mark.parametrize("name", CODEX_CAUSES)
def test_sessions_of_codex(stand, name):
    """Items without marks, instructions beside them, and a key for the cache."""
    reason, text, changes, read = CODEX_CAUSES[name]
    second = codex_answered(20_500 - read, read)
    turns = ((codex(1), codex_answered(20_000, 0)), (codex(2, **changes), second))
    found = stand.session(*turns, path="/v1/responses")
    assert (found[0], found[3]) == (reason, text)


def test_a_request_that_continues_a_stored_answer_is_not_judged(stand):
    """It holds the new part of its conversation only."""
    first = (codex(1), codex_answered(20_000, 0))
    second = (codex(1, previous_response_id="resp_1"), codex_answered(20_500, 0))
    assert stand.session(first, second, path="/v1/responses")[0] is None


def test_an_upstream_that_tells_nothing_of_its_cache_is_not_judged(stand):
    """No count is no loss."""
    usage = {"prompt_tokens": 20_000, "completion_tokens": 5}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    silent = plain(json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode())
    found = stand.session((chat(1), silent), (chat(2, tools=None), silent), path="/v1/chat/completions")
    assert found[0] is None


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


def test_marks_are_added_where_that_was_asked_for(stand):
    """A request without marks gets one for the whole of it; all else stays, and it is said. One with marks is as it
    was."""
    plainly = messages(1, system=PROSE, messages=turns(1, last="text"))
    stand.session((dict(plainly), answered(20_000, 0, 500)), backend="marking")
    sent = stand.upstream.seen[-1].body
    whole = json.dumps(plainly).encode()
    assert sent == b'{"cache_control":{"type":"ephemeral"},' + whole[1:]
    stand.session((messages(1), FIRST), backend="marking")
    assert stand.upstream.seen[-1].body == json.dumps(messages(1)).encode()
    stand.session((dict(plainly), FIRST))
    assert stand.upstream.seen[-1].body == whole


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


def command(stand, *words):
    """What a command prints on this home."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "router", *words],
        check=False,
        capture_output=True,
        env={**keep, "FAIRLEAD_HOME": str(stand.home), "HOME": str(stand.home.parent)},
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_operators_are_told(stand):
    """`why` says what was lost, `usage` sums it by cause, and the metrics count it."""
    found = stand.session((messages(1), FIRST), (messages(2, tools=[tool("Bash"), tool("Read")]), MISS), idle=180)
    assert found[0] == "tools"
    said = command(stand, "why", "-")
    line = re.search(r"cache +0 of 20,510 tokens read, ([\d,]+) lost \(\$0\.0\d+\): (.+)", said)
    assert line is not None, said
    assert line[2] == "the tool list changed (Edit removed); 3 min since the turn before"
    assert "the tool list changed:" in command(stand, "usage")
    summary = json.loads(command(stand, "usage", "--json"))
    losses = {one["name"]: one for one in summary["cache_losses"]}
    assert losses["tools"]["cache_lost"] >= 20_000
    assert losses["tools"]["cache_lost_usd"] > 0
    assert summary["total"]["cache_lost"] == sum(one["cache_lost"] for one in losses.values())
    token = (stand.home / "operator.token").read_bytes().strip()
    text = ask(stand.proxy.port, "/metrics", None, (b"Authorization", b"Bearer " + token)).body
    counted = re.search(rb'fairlead_cache_lost_tokens_total{reason="tools"} ([0-9.]+)', text)
    assert counted is not None
    assert float(counted[1]) >= 20_000


def test_no_word_of_a_prompt_is_stored(stand):
    """Not in history.db, nor in what is kept of a session in memory."""
    stand.session((messages(1), FIRST), (messages(2, system=f"{SECRET} {SECRET}"), MISS))
    stand.runtime.ledger.flush()
    files = [path for path in stand.home.rglob("*") if path.is_file()]
    assert any(path.name == "history.db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in repr(stand.runtime.prompt_sessions._lines)
