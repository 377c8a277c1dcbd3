"""What has precedence over a tool's file, and what in it contradicts what setup writes."""

from types import SimpleNamespace

import pytest

from router.setup import edits, state
from router.setup.formats.registry import FORMATS
from router.setup.table import TOOLS
from router.setup.tool import Model, Place, Target

HERE, ELSEWHERE = "http://localhost:3456", "http://elsewhere.test"
#: Those whose main file says where they point.
WITH_FILE = [tool for tool in TOOLS if tool.make_changes is not None]


def fill(tool, place, url):
    """The text of a tool's main file that points to a URL."""
    model = Model("demo")
    path, form = tool.find_main(place)
    changes = tool.make_changes(Target(url, (model,), model, protocol=tool.protocols[0]), place)
    own = next(one for one in changes if one.path == path)
    return edits.apply_changes(FORMATS[form], "", own.changes, "\n")[0]


@pytest.fixture
def world(tmp_path):
    """A user's folder, and a project in it."""
    project = tmp_path / "work" / "deep"
    project.mkdir(parents=True)
    return SimpleNamespace(place=Place({}, tmp_path / "home", "linux"), project=project, root=tmp_path)


@pytest.mark.parametrize("tool", [one for one in WITH_FILE if one.project_files], ids=lambda tool: tool.name)
def test_a_projects_file(world, tool):
    """Each file that a tool reads of a project, in its folder and in those above, is told when it points elsewhere."""
    for name in tool.project_files:
        path = world.project.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill(tool, world.place, ELSEWHERE))
        [line] = state.list_stronger(tool, world.place, HERE, world.project)
        assert (str(path) in line, "belongs to a project" in line, ELSEWHERE in line) == (True, True, True)
        path.write_text(fill(tool, world.place, HERE))
        assert state.list_stronger(tool, world.place, HERE, world.project) == []
        path.unlink()


@pytest.mark.parametrize("tool", [one for one in WITH_FILE if one.managed_files], ids=lambda tool: tool.name)
def test_an_administrators_file(world, tool):
    """It is told when it points elsewhere, also one that cannot be read as the tool would."""
    path = world.root / "managed"
    managed = tool._replace(managed_files={"linux": (str(path),)})
    path.write_text(fill(tool, world.place, ELSEWHERE))
    [line] = state.list_stronger(managed, world.place, HERE, world.project)
    assert ("is your administrator's" in line, ELSEWHERE in line) == (True, True)
    path.write_text("{")
    assert state.list_stronger(managed, world.place, HERE, world.project) == []
    assert {"linux", "darwin"} <= {*tool.managed_files}


@pytest.mark.parametrize("tool", [one for one in WITH_FILE if one.stronger_variables], ids=lambda tool: tool.name)
def test_a_variable(world, tool):
    """One that has precedence is told when it is set, and points elsewhere."""
    for name in tool.stronger_variables:
        place = world.place._replace(environ={name: ELSEWHERE})
        [line] = state.list_stronger(tool, place, HERE, world.project)
        assert f"${name} has precedence" in line
        place = world.place._replace(environ={name: f"{HERE}/v1"})
        assert state.list_stronger(tool, place, HERE, world.project) == []


CONFLICTS = [
    ("claude-code", '{"apiKeyHelper": "x"}', "apiKeyHelper"),
    ("claude-code", '{"env": {"CLAUDE_CODE_USE_VERTEX": "1"}}', "env.CLAUDE_CODE_USE_VERTEX"),
    ("codex", 'profile = "work"\n', "profile"),
]


@pytest.mark.parametrize(("name", "text", "told"), CONFLICTS)
def test_what_contradicts(world, name, text, told):
    """A key beside what is written that leads the tool elsewhere all the same is named."""
    tool = next(one for one in TOOLS if one.name == name)
    path, _ = tool.find_main(world.place)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    [line] = state.list_conflicts(tool, world.place)
    assert f" has {told}. " in line


@pytest.mark.parametrize("tool", WITH_FILE, ids=lambda tool: tool.name)
def test_no_mark_of_fairlead_is_a_key(world, tool):
    """What is written is what the tool knows: aider ends at a key that it does not know."""
    model = Model("demo", window=1000)
    target = Target(HERE, (model,), model, chosen=True, key="flk_x", protocol=tool.protocols[0])
    for change in tool.make_changes(target, world.place):
        steps = [str(step) for one in change.changes for step in one.path]
        assert not [step for step in steps if step.startswith("_")], steps
        if tool.name == "aider" and change.format == "yaml":
            assert {*steps} == {"openai-api-base", "openai-api-key", "model"}
