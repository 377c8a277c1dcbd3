"""What an agent finishes on a backend of its own protocol, it finishes on one that speaks Google's API alone, and which
refuses calls whose signature does not come back.

Agents are used where they are installed (see agents.py). The backend is a fake on loopback.
"""

import itertools

import pytest

from router.wire.gemini.names import get

from ..e2e.processes import Proxy, backend
from ..providers.gemini import ANSWER, KEY, GeminiUpstream, run_a_command
from .agents import AGENTS, find, run

pytestmark = pytest.mark.slow
#: Those whose rounds a selection of tests has; aider calls no tools.
RUNS = [(name, wire) for name, agent in AGENTS.items() for wire in agent.wires if name != "aider"]
#: A model that refuses calls without their signature, and one that takes them.
MODELS = ("gemini-3.8-flash", "gemini-2.5-flash")


def through(folder, name, wire, model):
    """Run the agent through a proxy in front of the fake: what it said, and the fake."""
    if find(AGENTS[name].program) is None:
        pytest.skip(f"{name} is not installed")
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "only", "FAIRLEAD_DEMO": "off"}
    with GeminiUpstream(run_a_command) as up:
        entry = backend("only", up.root, protocols=["gemini"], auth="key", key=KEY)
        (folder / "proxy").mkdir()
        with Proxy(folder / "proxy", backends=[entry], settings=settings) as proxy:
            ran = run(name, folder, f"http://127.0.0.1:{proxy.port}", wire, model=model)
            said = proxy.said()
    assert "Traceback" not in said, said
    assert not up.broken
    return ran, up


def calls_in(body):
    """The parts of a request that hold a call."""
    parts = itertools.chain.from_iterable(get(content, "parts") or [] for content in get(body, "contents"))
    return [part for part in parts if get(part, "functionCall")]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "wire"), RUNS)
def test_a_round_with_a_tool(tmp_path, name, wire, model):
    """The tool runs, its result reaches the model, nothing is refused, and the model gets its own signature back."""
    ran, up = through(tmp_path, name, wire, model)
    assert f"{ANSWER} (tool:" in ran.said, ([str(error) for _, error in up.refused], ran.said[-2000:])
    assert [str(error) for _, error in up.refused] == []
    answered = [body for body in up.bodies() if calls_in(body)]
    assert answered
    for body in answered:
        [call] = calls_in(body)
        assert get(call, "thoughtSignature") in up.signer.issued
