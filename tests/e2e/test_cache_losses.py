"""Why a prompt was not read from a provider's cache: scripted sessions over real sockets, one for each cause."""

import json

import pytest

from .cache_sessions import (
    FIRST,
    HIT,
    MARK,
    MISS,
    PROSE,
    Stand,
    answered,
    block,
    changed,
    messages,
    rewritten,
    tool,
    turns,
)
from .upstream import plain


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("cache"))
    yield made
    made.stop()


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


def hints(request_class, **more):
    """What Claude Code tells of a request."""
    told = {"request-class": request_class, **more}
    return tuple((b"X-Claude-Code-" + name.encode(), value.encode()) for name, value in told.items())


def codex(kind, window):
    """What Codex tells of a request."""
    return (
        (b"X-Codex-Turn-Metadata", b'{"request_kind":"%b","agent_name":"/root"}' % kind),
        (b"X-Codex-Window-Id", window),
    )


SUMMARY = [{"role": "user", "content": f"A summary. {PROSE}"}]


@pytest.mark.parametrize(
    ("asking", "following"),
    [
        (hints("compaction"), hints("main")),
        (None, hints("main", **{"context-compacted": "auto"})),
        (codex(b"compaction", b"t:0"), codex(b"turn", b"t:0")),
        (None, codex(b"turn", b"t:1")),
    ],
    ids=["the class", "the header behind it", "Codex's kind", "Codex's window"],
)
def test_a_compaction_is_told_by_what_the_client_says(stand, asking, following):
    """Of the request for the summary, which may lack the tools, or of the one behind it."""
    first = codex(b"turn", b"t:0") if b"Codex" in following[0][0] else hints("main")
    session = [(messages(2), FIRST, first)]
    if asking is not None:
        session.append((messages(3, tools=None), answered(10, 0, 20_000), asking))
    found = stand.session(*session, (messages(0, messages=SUMMARY), MISS, following))
    assert (found[0], found[3]) == ("messages", "compaction, message 1 (user)")


def test_what_an_hour_would_have_cost(stand):
    """The writes of the session so far at the price of an hour's, beside what their loss cost: $3 a million, and $3.75
    and $6 to write."""
    *_, lost, longer = stand.session(*changed(), idle=720)
    assert (lost, longer) == (20_000 * 3450, 20_000 * 2250)
    assert stand.session(*changed(), idle=4000)[-1] is None
    assert stand.session(*changed())[-1] is None


def chat_answered(read):
    """An answer in Chat that says what the cache gave."""
    usage = {"prompt_tokens": 20_000, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": read}}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "model-a", "choices": [choice]}
    return plain(json.dumps({**body, "usage": usage}).encode())


def test_the_lifetime_of_a_cache_is_learned(stand):
    """A cache of which nothing is documented kept a prompt for 8 minutes and had lost it after 20: the next that is
    lost after so long has expired, one that is lost sooner has not. The model's facts say what was seen."""

    def ask(read, idle):
        said = [{"role": "user", "content": PROSE}]
        turns = [({"model": "model-a", "messages": said * count}, chat_answered(20_000)) for count in (1, 2)]
        last = {"model": "model-a", "messages": said * 3}, chat_answered(read)
        return stand.session(*turns, last, path="/v1/chat/completions", backend="chatty", idle=idle)[:4:3]

    assert ask(20_000, 480) == (None, None)
    assert ask(0, 1200) == ("evicted", "")
    assert ask(0, 1260) == ("expired", "it was gone after 20 min before, and still there after 8 min")
    facts = stand.runtime.snapshot.facts.find_all("chatty", "model-a").facts
    assert (facts.cache_kept // 60, facts.cache_dropped // 60) == (8, 20)
    assert ask(0, 600) == ("evicted", "")


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
