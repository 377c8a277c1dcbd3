"""The tool that the demo calls: one that is harmless, and never one that starts agents."""

import pytest

from router.demo.reply import Tool
from router.demo.script import choose


def chosen(*names, choice=None):
    """The name of the tool that is called."""
    tool = choose([Tool(name=name, schema={}) for name in names], choice)
    return tool and tool.name


STARTERS = (
    *("Agent", "Task", "TaskCreate", "Workflow", "ScheduleWakeup", "CronCreate", "spawn_agent", "SPAWN_AGENT"),
    *("multi_agent_v1", "collaboration.spawn_agent", "mcp__swarm__new_task", "runSubagent", "RemoteTrigger"),
    *("SendMessage", "TeamCreate", "delegate_work", "Skill", "agents-start", "handoff_to_writer"),
)


@pytest.mark.parametrize("name", STARTERS)
def test_no_agent_is_started(name):
    """Whatever its case and namespace, and though the request demands it: the answer is a text, or another tool."""
    assert chosen(name) is None
    assert chosen(name, choice={"type": "tool", "name": name}) is None
    assert chosen(name, choice={"type": "any"}) is None
    assert chosen(name, "get_weather") == "get_weather"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Agent", "Bash", "Edit", "Glob", "Read", "Write"), "Glob"),
        (("Bash", "WebSearch", "NotebookRead"), "NotebookRead"),
        (("exec_command", "apply_patch", "view_image"), "view_image"),
        (("delete_file", "weather"), "weather"),
        (("apply_patch",), "apply_patch"),
        (("get_weather", "read_file"), "get_weather"),
        ((), None),
    ],
)
def test_what_only_reads_comes_first(names, expected):
    """Then what does something else; what changes files or runs commands comes last."""
    assert chosen(*names) == expected


def test_the_request_decides():
    """A tool that it names is called, none where it forbids them."""
    assert chosen("Read", "Bash", choice={"type": "tool", "name": "Bash"}) == "Bash"
    assert chosen("Read", "Bash", choice={"type": "function", "function": {"name": "Bash"}}) == "Bash"
    assert chosen("Read", choice="none") is None
    assert chosen("Read", choice={"type": "tool", "name": "gone"}) == "Read"
