"""What probes of tools, inputs, thinking and server tools say of a backend's profile, from what it was seen to do."""

import pytest

from ..benches import Demo, run_against, verdicts
from ..defective import Defective, answering, asking, refusing


def show(application, name, **fields):
    """The verdict of a probe, and the flags that it would change."""
    found = run_against(application, (name,), model="demo-full", free=True, **fields)
    return verdicts(found)[name], {one.flag: one.seen for one in found.card.profile_diff}


def is_strict(asked):
    return any(tool.get("function", {}).get("strict") for tool in asked.body.get("tools", []))


def has_bare_call(asked):
    """True for a call that comes back without its reasoning."""
    return any("tool_calls" in turn and "reasoning_content" not in turn for turn in asked.turns)


def put_into_tags(asked, document):
    for choice in document.get("choices", []):
        thought = choice["message"].pop("reasoning_content", None)
        if thought:
            choice["message"]["content"] = f"<think>{thought}</think>{choice['message']['content']}"


REFUSED = {
    "tools.required": (lambda asked: asked.body.get("tool_choice") == "required", {"forced_choice": False}),
    "tools.named": (lambda asked: isinstance(asked.body.get("tool_choice"), dict), {"named_choice": False}),
    "tools.parallel": (lambda asked: "parallel_tool_calls" in asked.body, {"parallel_tools": False}),
    "tools.strict": (is_strict, {"strict_tools": False}),
    "input.image_url": (lambda asked: "https:" in str(asked.body), {"remote_images": False}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_switched_off(name):
    """The flag by which fairlead leaves it out from then on."""
    wrong, flags = REFUSED[name]
    assert show(Defective(refusing(wrong)), name) == ("no", flags)


def test_what_a_refusal_does_not_tell():
    """A backend that refuses all tools says nothing of strict ones, nor of their names."""
    no_tools = Defective(refusing(lambda asked: "tools" in asked.body))
    assert show(no_tools, "tools.strict") == ("no", {})
    assert show(no_tools, "tools.long_name") == ("no", {})


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("tools.image_result", {"tool_images": True}),
        ("tools.long_name", {"name_limit": 87}),
        ("input.pdf", {"files": True}),
        ("thinking.efforts", {"reasoning": "reasoning_effort"}),
        ("server_tools.compaction", {"compacts": True}),
    ],
)
def test_what_works_is_switched_on(name, flags):
    """A backend of which nothing is known is taken for one that has little."""
    assert show(Demo(word_delay=0), name) == ("yes", flags)


def test_ids_of_one_form():
    """A backend that takes nine letters and digits only."""
    narrow = Defective(refusing(lambda asked: any("-" in str(turn.get("tool_call_id")) for turn in asked.turns)))
    assert show(narrow, "tools.ids") == ("partly", {"id_form": "mistral9"})


def test_efforts():
    """Those that are taken stay, and nothing is said where any text is taken."""
    some = Defective(refusing(lambda asked: asked.body.get("reasoning_effort") in ("none", "max")))
    verdict, flags = show(some, "thinking.efforts")
    assert (verdict, flags["efforts"]) == ("partly", ["minimal", "low", "medium", "high", "xhigh"])
    deaf = Defective(asking(lambda asked: asked.body.pop("reasoning_effort", None)))
    assert show(deaf, "thinking.efforts") == ("partly", {})


def test_reasoning_that_must_come_back():
    """A backend that refuses a call without its reasoning."""
    strict = Defective(refusing(has_bare_call))
    assert show(strict, "thinking.replay") == ("yes", {"replay": "reasoning_content"})


def test_reasoning_in_tags():
    """Reasoning that stands in the text is found there."""
    tagged = Defective(answering(put_into_tags))
    assert show(tagged, "thinking.returned") == ("yes", {"think_tags": True})


def test_search_in_chat():
    """A backend of Chat alone shows by its citations that it searched."""
    backend = {"protocols": ("chat",)}
    assert show(Demo(word_delay=0), "server_tools.web_search", backend=backend) == ("yes", {"web_search": True})
