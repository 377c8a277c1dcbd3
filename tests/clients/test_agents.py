"""What an agent finishes by itself, it finishes through the proxy, whatever the backend speaks and however it fails.

The agents and the mock upstream are used where they are installed (see agents.py and kit.py). Each round asks for one
call of a tool. A run that does not pass straight to the mock says nothing about the proxy, and is skipped.
"""

import contextlib

import pytest

from . import kit
from .agents import AGENTS, find, run

pytestmark = pytest.mark.slow
RUNS = [(name, wire) for name, agent in AGENTS.items() for wire in agent.wires]
#: The backend that speaks only what the agent does not.
FOREIGN = {"messages": "chat-only", "chat": "messages-only", "responses": "messages-only"}
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
#: Agents that recover from nothing but a bare cut of the connection, and take an error event as final.
CUT_ONLY = {("continue", "messages"), ("cline", "chat"), ("cline", "messages")}
TWO = ("sk-first-0123456789", "sk-second-0123456789")
_direct = {}


@pytest.fixture(autouse=True)
def _installed():
    if not (kit.KIT / "mock_upstream.py").exists():
        pytest.skip("needs the client kit")


def finished(name, ran):
    """True when the mock's answer came, and that a tool had answered; aider calls none."""
    return kit.ANSWER in ran.said and (name == "aider" or kit.ROUND in ran.said)


def passes_directly(folder, name, wire, directives=""):
    """Whether the agent finishes without a proxy; asked once for each."""
    key = (name, wire, directives)
    if key not in _direct:
        (folder / "direct").mkdir()
        with kit.Mock(folder / "direct-mock", directives, stall=6) as mock:
            _direct[key] = finished(name, run(name, folder / "direct", mock.root, wire))
    return _direct[key]


def through(folder, name, wire, backend, directives="", *, alternative=False, **options):
    """Run the agent through a proxy: its result, and the number of requests that each mock got."""
    if find(AGENTS[name].program) is None:
        pytest.skip(f"{name} is not installed")
    if not passes_directly(folder, name, wire, "" if alternative else directives):
        pytest.skip("it does not pass directly")
    (folder / "proxy").mkdir()
    with contextlib.ExitStack() as stack:
        mocks = [stack.enter_context(kit.Mock(folder / "mock", directives, stall=60))]
        if alternative:
            mocks.append(stack.enter_context(kit.Mock(folder / "alternative")))
        proxy = stack.enter_context(
            kit.proxied(folder / "proxy", *mocks, protocols=kit.BACKENDS[backend], **options),
        )
        ran = run(name, folder, f"http://127.0.0.1:{proxy.port}", wire)
        said = proxy.said()
        counts = [len(mock.asked()) for mock in mocks]
    assert "Traceback" not in said, said
    return ran, counts


@pytest.mark.parametrize("backend", kit.BACKENDS)
@pytest.mark.parametrize(("name", "wire"), RUNS)
def test_a_round_with_a_tool(tmp_path, name, wire, backend):
    """The agent's tool runs, and its result reaches the model."""
    ran, _ = through(tmp_path, name, wire, backend)
    assert finished(name, ran), ran.said[-2000:]


@pytest.mark.parametrize("keys", [(), TWO], ids=["one account", "two accounts"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("name", "wire"), RUNS)
def test_a_fault_that_passes(tmp_path, name, wire, fault, keys):
    """One fault of a backend of another protocol does not end the agent's work, with one account and with two."""
    if (name, wire) in CUT_ONLY and fault == "drop-mid-stream-x1":
        pytest.skip("it takes any error event as final")
    ran, counts = through(tmp_path, name, wire, FOREIGN[wire], fault, keys=keys)
    assert finished(name, ran), (counts, ran.said[-2000:])


@pytest.mark.parametrize(("name", "wire"), RUNS)
def test_one_account_of_two_is_exhausted(tmp_path, name, wire):
    """The other account does the work."""
    ran, counts = through(tmp_path, name, wire, FOREIGN[wire], keys=("sk-err-429-ra30", TWO[1]))
    assert finished(name, ran), (counts, ran.said[-2000:])


@pytest.mark.parametrize("keys", [(), TWO], ids=["one account", "two accounts"])
@pytest.mark.parametrize("fault", ["err-529-x6", "drop-before-headers-x6"])
def test_patience_is_not_taken_away(tmp_path, fault, keys):
    """Six faults that Claude Code outlasts by itself it outlasts here, and a second account makes it no weaker."""
    ran, counts = through(tmp_path, "claude-code", "messages", "chat-only", fault, keys=keys)
    assert finished("claude-code", ran), (counts, ran.said[-2000:])


@pytest.mark.parametrize("backend", ["all", "messages-only", "chat-only"])
@pytest.mark.parametrize("fault", ["err-500", "err-529", "drop-before-headers"])
@pytest.mark.parametrize(("name", "wire"), [("codex", "responses"), ("claude-code", "messages"), ("pi", "chat")])
def test_a_broken_backend_has_a_fallback(tmp_path, name, wire, backend, fault):
    """A backend that never answers leaves the work to its fallback, though the agent declares a hosted search."""
    ran, counts = through(tmp_path, name, wire, backend, fault, alternative=True, fallback=["vice:gpt-4o"])
    assert finished(name, ran), (counts, ran.said[-2000:])
    assert counts[1]
