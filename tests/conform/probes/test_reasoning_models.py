"""Models that reason: a limit of few tokens must not end their answers before they begin."""

from ..benches import run_against, verdicts
from ..defective import Defective, refuse

GROUPS = ("protocols", "roles", "output", "tools")


def reasoning(least, seen):
    """A demo that spends its limit on reasoning, but for the effort `least`; it refuses lower ones."""

    async def run(asked, send):
        effort = asked.body.get("reasoning_effort")
        if not asked.is_chat or asked.body.get("messages") == []:
            return await send(asked)
        seen.append(effort)
        if effort == "none" != least:
            return refuse("reasoning_effort: none is not supported.")
        asked.body.pop("reasoning_effort", None)
        if effort != least:
            asked.body.pop("tools", None)
            asked.body["reasoning_effort"] = "high"
            asked.body["max_tokens"] = 1
            asked.body.pop("max_completion_tokens", None)
        return await send(asked)

    return Defective(run)


def test_the_least_effort_that_helps_is_used():
    """It is found once, all probes ask so, and a row tells it."""
    seen = []
    found = run_against(reasoning("minimal", seen), GROUPS, model="demo-full", free=True)
    assert {name: word for name, word in verdicts(found).items() if word != "yes"} == {}
    assert seen[:3] == [None, "none", "minimal"]
    assert set(seen[3:]) == {"minimal"}
    [row] = [row for row in found.rows if row.id == "protocols.chat"]
    assert '{"reasoning_effort":"minimal"}' in row.evidence


def test_a_model_that_always_reasons_is_unknown():
    """What it would answer was not seen, and nobody says that it was: no row says no."""
    seen = []
    found = run_against(reasoning("never", seen), ("roles.prefill", "output.json_schema"), model="demo-full", free=True)
    assert {row.verdict for row in found.rows} == {"unknown"}
    assert all("tokens were used up" in row.evidence for row in found.rows)
    assert seen[:4] == [None, "none", "minimal", "low"]
