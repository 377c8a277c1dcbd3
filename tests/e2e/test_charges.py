"""What a provider says that it charged counts in budgets, whatever protocols it and its callers speak."""

import itertools
import json

import pytest

from .budgets import configured
from .processes import Proxy, backend, until
from .samples import PROTOCOLS, RESPONSES
from .traffic import answer_of, events_of
from .upstream import plain, stream
from .wire import ask

COUNTS = {
    "messages": {"input_tokens": 10, "output_tokens": 5},
    "chat": {"prompt_tokens": 10, "completion_tokens": 5},
    "responses": {"input_tokens": 10, "output_tokens": 5},
}
#: What is told beside the counts, and what it comes to in US dollars.
CHARGES = {
    "its key": ({"cost": 0.21, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.2}}, 0.21),
    "own key": ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 0.21),
}


@pytest.mark.parametrize("charge", CHARGES)
@pytest.mark.parametrize("spoken", PROTOCOLS, ids=lambda one: one.name)
def test_a_charge_counts_for_all_callers(tmp_path, up, spoken, charge):
    """A model without a price is counted by what the provider charged, also where models without a price are refused:
    relayed and translated, whole and streamed, with a key of the user's own behind it or not."""
    configured(tmp_path, 'guard.day_usd = 50\nguard.unpriced = "refuse"')
    told, dollars = CHARGES[charge]
    usage = COUNTS[spoken.name] | told
    entry = backend("router", up.root, vendor="openrouter", protocols=[spoken.name])
    said = [{"role": "user", "content": "hi"}]
    with Proxy(tmp_path, "--demo", "off", backends=[entry]) as one:
        for caller, streamed in itertools.product(PROTOCOLS, (False, True)):
            up.script(stream(events_of(spoken, usage)) if streamed else plain(answer_of(spoken, usage)))
            turn = (
                {"max_output_tokens": 9, "input": said} if caller is RESPONSES else {"max_tokens": 9, "messages": said}
            )
            body = turn | {"model": "router:model-x", "stream": streamed}
            assert ask(one.port, caller.path, json.dumps(body).encode()).status == 200
        assert until(lambda: one.status()["guard"]["budgets"][0]["spent"] == pytest.approx(6 * dollars))
        assert one.status()["guard"]["not_counted"] == []


def ask_google(model, tool, *, stream):
    """A request of Google's API that gives the model one of Google's tools: its path, and its body."""
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    said = [{"role": "user", "parts": [{"text": "hi"}]}]
    return f"/v1beta/models/box:{model}:{verb}", json.dumps({"contents": said, "tools": [{tool: {}}]}).encode()


@pytest.mark.parametrize(("model", "searches"), [("gemini-3.5-flash", 2 * 0.014), ("gemini-2.5-flash", 0.035)])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_searches_of_google_are_charged(tmp_path, up, model, searches, streamed):
    """What an answer was grounded in has its price, each query or the answer, for callers of Google's API and of
    Messages; a tool that no answer tells the use of is refused where guard.unpriced is refuse."""
    configured(tmp_path, 'guard.day_usd = 50\nguard.unpriced = "refuse"')
    candidate = {
        "content": {"role": "model", "parts": [{"text": "a"}]},
        "finishReason": "STOP",
        "groundingMetadata": {"webSearchQueries": ["one", "two"]},
    }
    counts = {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
    said = json.dumps({"candidates": [candidate], "usageMetadata": counts, "modelVersion": model}).encode()
    entry = backend("box", up.root.removesuffix("/v1") + "/v1beta", protocols=["gemini"])
    with Proxy(tmp_path, "--demo", "off", backends=[entry]) as one:
        refused = ask(one.port, *ask_google(model, "googleMaps", stream=streamed))
        assert (refused.status, refused.json()["error"]["status"]) == (402, "FAILED_PRECONDITION")
        assert "The cost of the tool google maps" in refused.json()["error"]["message"]
        assert up.seen == []
        turn = {"max_tokens": 9, "stream": streamed, "messages": [{"role": "user", "content": "hi"}]}
        messages = json.dumps({"model": f"box:{model}", **turn}).encode()
        for asked in (ask_google(model, "googleSearch", stream=streamed), ("/v1/messages", messages)):
            up.script(stream([b"data: " + said + b"\r\n\r\n"]) if streamed else plain(said))
            assert ask(one.port, *asked).status == 200
        assert until(lambda: one.status()["guard"]["budgets"][0]["spent"] == pytest.approx(2 * searches))
        assert one.status()["guard"]["not_counted"] == []
