"""What an agent finishes by itself, it finishes through the proxy, whatever the backend speaks and however it fails.

The agents and the mock upstream are used where they are installed (see agents.py and kit.py). Each round asks for one
call of a tool. A run that does not pass straight to the mock says nothing about the proxy, and is skipped.

A selection runs by default, in about twenty minutes; FAIRLEAD_CLIENT_RUNS=all runs every agent under every fault with
one account and with two, which takes hours.
"""

import contextlib
import os

import pytest

from . import kit
from .agents import AGENTS, find, run

pytestmark = pytest.mark.slow
RUNS = [(name, wire) for name, agent in AGENTS.items() for wire in agent.wires]
#: The backend that speaks only what the agent does not.
FOREIGN = {"messages": "chat-only", "chat": "messages-only", "responses": "messages-only", "gemini": "messages-only"}
FAULTS = (
    "err-429-x1-ra1",
    "err-500-x1",
    "err-529-x1",
    "drop-before-headers-x1",
    "drop-mid-stream-x1",
    "sse-error-first-x1",
    "sse-error-x1",
    "stall-headers-x1",
    "stall-mid-stream-x1",
)
#: Agents that take any error behind a first text as final; directly, a cut overtakes the text in front of it, and the
#: mock sends Gemini CLI the whole answer at once.
CUT_ONLY = {"cline", "gemini-cli"}
TWO = ("sk-first-0123456789", "sk-second-0123456789")
EVERY = os.environ.get("FAIRLEAD_CLIENT_RUNS") == "all"
_direct = {}


def select(names, values, chosen):
    """Parameters of which only the chosen ones run by default. values: tuples. chosen: (*tuple) -> bool."""
    rest = pytest.mark.skipif(not EVERY, reason="runs with FAIRLEAD_CLIENT_RUNS=all")
    marked = [pytest.param(*value, marks=() if chosen(*value) else rest) for value in values]
    return pytest.mark.parametrize(names, marked)


@pytest.fixture(autouse=True)
def _installed():
    if not (kit.KIT / "mock_upstream.py").exists():
        pytest.skip("needs the client kit")


def finished(name, ran):
    """True when the mock's answer came, and that a tool had answered; aider calls none."""
    return kit.ANSWER in ran.said and (name == "aider" or kit.ROUND in ran.said)


def passes_directly(folder, name, wire, directives="", seconds=120):
    """Whether the agent finishes without a proxy; asked once for each."""
    key = (name, wire, directives)
    if key not in _direct:
        (folder / "direct").mkdir()
        with kit.Mock(folder / "direct-mock", directives, stall=6) as mock:
            _direct[key] = finished(name, run(name, folder / "direct", mock.root, wire, seconds=seconds))
    return _direct[key]


@contextlib.contextmanager
def through(folder, name, wire, backend, directives="", *, alternative=False, seconds=120, **options):
    """Run the agent through a proxy, after a run without: its result, and the mocks."""
    if find(AGENTS[name].program) is None:
        pytest.skip(f"{name} is not installed")
    if not passes_directly(folder, name, wire, "" if alternative else directives, seconds):
        pytest.skip("it does not pass directly")
    with passed_on(
        folder, name, wire, backend, directives, alternative=alternative, seconds=seconds, **options
    ) as all_:
        yield all_


@contextlib.contextmanager
def passed_on(folder, name, wire, backend, directives="", *, alternative=False, seconds=120, **options):
    """The same without asking whether the agent passes directly."""
    if find(AGENTS[name].program) is None:
        pytest.skip(f"{name} is not installed")
    (folder / "proxy").mkdir()
    with contextlib.ExitStack() as stack:
        mocks = [stack.enter_context(kit.Mock(folder / "mock", directives, stall=60))]
        if alternative:
            mocks.append(stack.enter_context(kit.Mock(folder / "alternative")))
        proxy = stack.enter_context(
            kit.proxied(folder / "proxy", *mocks, protocols=kit.BACKENDS[backend], **options),
        )
        ran = run(name, folder, f"http://127.0.0.1:{proxy.port}", wire, seconds=seconds)
        said = proxy.said()
        assert "Traceback" not in said, said
        yield ran, mocks


def assert_finished(name, ran, mocks):
    """The agent finished its work; says what it said and how each mock answered."""
    assert finished(name, ran), ([mock.asked() for mock in mocks], ran.said[-2000:])


@pytest.mark.parametrize("backend", kit.BACKENDS)
@pytest.mark.parametrize(("name", "wire"), RUNS)
def test_a_round_with_a_tool(tmp_path, name, wire, backend):
    """The agent's tool runs, and its result reaches the model."""
    with through(tmp_path, name, wire, backend) as (ran, mocks):
        assert_finished(name, ran, mocks)


@select(
    ("name", "wire", "fault", "keys"),
    [(name, wire, fault, keys) for name, wire in RUNS for fault in FAULTS for keys in ((), TWO)],
    lambda name, wire, fault, keys: (fault, bool(keys)) in {("drop-mid-stream-x1", False), ("err-529-x1", True)},
)
def test_a_fault_that_passes(tmp_path, name, wire, fault, keys):
    """One fault of a backend of another protocol does not end the agent's work, with one account and with two."""
    if name in CUT_ONLY and fault == "drop-mid-stream-x1":
        pytest.skip("it takes any error behind a first text as final")
    with through(tmp_path, name, wire, FOREIGN[wire], fault, keys=keys) as (ran, mocks):
        assert_finished(name, ran, mocks)


@select(("name", "wire"), RUNS, lambda name, wire: name in {"claude-code", "codex", "pi"})
def test_one_account_of_two_is_exhausted(tmp_path, name, wire):
    """The other account does the work."""
    with through(tmp_path, name, wire, FOREIGN[wire], keys=("sk-err-429-ra30", TWO[1])) as (ran, mocks):
        assert_finished(name, ran, mocks)


@select(
    ("fault", "backend", "keys"),
    [
        (fault, backend, keys)
        for fault in ("err-529-x6", "drop-before-headers-x6", "err-429-x5-ra20")
        for backend in ("chat-only", "messages-only")
        for keys in ((), TWO)
    ],
    lambda fault, backend, keys: fault != "err-429-x5-ra20" and backend == "chat-only" and keys,
)
def test_patience_is_not_taken_away(tmp_path, fault, backend, keys):
    """Faults that Claude Code outlasts by itself it outlasts here, and a second account makes it no weaker."""
    with through(tmp_path, "claude-code", "messages", backend, fault, keys=keys, seconds=240) as (ran, mocks):
        assert_finished("claude-code", ran, mocks)


@select(
    ("name", "wire", "backend", "fault"),
    [
        (name, wire, backend, fault)
        for name, wire in (("codex", "responses"), ("claude-code", "messages"), ("pi", "chat"))
        for backend in ("all", "messages-only", "chat-only")
        for fault in ("err-500", "err-529", "drop-before-headers")
    ],
    lambda name, wire, backend, fault: name == "codex" and backend != "chat-only" and fault == "err-500",
)
def test_a_broken_backend_has_a_fallback(tmp_path, name, wire, backend, fault):
    """A backend that never answers leaves the work to its fallback, though the agent declares a hosted search."""
    options = {"alternative": True, "fallback": ["vice:gpt-4o"]}
    with through(tmp_path, name, wire, backend, fault, **options) as (ran, mocks):
        assert_finished(name, ran, mocks)
        assert mocks[1].asked()


@pytest.mark.parametrize("backend", ["messages-only", "responses-only"])
@pytest.mark.parametrize("name", ["pi", "qwen", "opencode", "cline"])
def test_reasoning_goes_back_signed(tmp_path, name, backend):
    """Thoughts before a call come back with what proves them, though a Chat client knows only their text."""
    with through(tmp_path, name, "chat", backend, "think") as (ran, mocks):
        assert_finished(name, ran, mocks)
        asked = mocks[0].bodies()
    answered = [body for body in asked if "tool_result" in str(body) or "function_call_output" in str(body)]
    assert answered
    for body in answered:
        assert _thoughts(body), body
    if name == "pi" and backend == "messages-only":
        # It asks for thoughts, and goes on asking while the tool's result is answered.
        assert [body["thinking"]["type"] for body in asked] == ["enabled"] * len(asked)


def _thoughts(body):
    """The proofs of thoughts in a Messages or Responses request."""
    items = body.get("input") or [block for message in body["messages"] for block in message["content"]]
    proofs = [item.get("signature") or item.get("encrypted_content") for item in items if isinstance(item, dict)]
    return [proof for proof in proofs if proof]


@pytest.mark.parametrize("backend", ["messages-only", "chat-only"])
def test_a_refusal_is_an_answer(tmp_path, backend):
    """Codex asks once, shows the refusal, and ends well; no attempt is repeated."""
    with passed_on(tmp_path, "codex", "responses", backend, "refusal") as (ran, mocks):
        assert ran.code == 0, ran.said[-2000:]
        assert "I cannot." in ran.said
        assert len(mocks[0].asked()) == 1
