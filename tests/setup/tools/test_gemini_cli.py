"""Gemini CLI: what its settings get beside the variables, and what hides these."""

import pytest

from router.setup.formats.json_edit import JSONC
from router.setup.state import list_stronger
from router.setup.tool import Model, Place
from router.setup.tools.gemini_cli import OWN_MODELS, find_settings

from .test_golden import URL, Machine

SETTINGS = '{\n  // mine\n  "security": {"auth": {"selectedType": "oauth-personal"}},\n  "ui": {"theme": "Dark"}\n}\n'


def test_settings_of_the_users(tmp_path):
    """The login is replaced and comes back to the byte; comments and all else stay."""
    machine = Machine(tmp_path, "gemini")
    path = find_settings(machine.place)[0]
    path.parent.mkdir()
    path.write_text(SETTINGS)
    machine.set_up()
    assert "// mine" in path.read_text()
    assert JSONC.parse(path.read_text()) == {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "ui": {"theme": "Dark"},
        "model": {"name": "fast"},
    }
    machine.undo()
    assert machine.list_files() == {".gemini/settings.json": SETTINGS.encode()}


@pytest.mark.parametrize(
    ("models", "chosen", "expected"),
    [
        ([Model("fast")], False, "fast"),
        ([Model("fast"), Model(OWN_MODELS[1])], False, None),
        ([Model("fast"), Model(OWN_MODELS[1])], True, "fast"),
    ],
)
def test_the_model(tmp_path, models, chosen, expected):
    """Its own choice of a model stays where one of Google's names is served and no other is asked for."""
    machine = Machine(tmp_path, "gemini")
    machine.set_up(models=tuple(models), model=models[0], chosen=chosen)
    settings = JSONC.parse(find_settings(machine.place)[0].read_text())
    assert settings.get("model", {}).get("name") == expected


def test_its_folder_by_the_variable(tmp_path):
    """GEMINI_CLI_HOME names what the folder is in."""
    place = Place({"GEMINI_CLI_HOME": str(tmp_path)}, tmp_path / "other", "linux")
    assert find_settings(place)[0] == tmp_path / ".gemini" / "settings.json"


def test_a_nearer_file_hides_the_users(tmp_path):
    """It reads one such file alone: the nearest that is there counts, also where it says nothing; one beyond that does
    not."""
    machine = Machine(tmp_path, "gemini")
    machine.set_up()
    work = machine.place.home / "work" / "deep"
    work.mkdir(parents=True)
    stronger = lambda: list_stronger(machine.tool, machine.place, URL, work)  # noqa: E731
    assert stronger() == []
    (work.parent / ".env").write_text("FOO=1\n")
    [line] = stronger()
    assert (str(work.parent / ".env") in line, "names no URL" in line) == (True, True)
    (work / ".env").write_text(f"GOOGLE_GEMINI_BASE_URL={URL}\n")
    assert stronger() == []
    (work / ".env").write_text("GOOGLE_GEMINI_BASE_URL=https://elsewhere.test\n")
    [line] = stronger()
    assert "there Gemini CLI uses https://elsewhere.test" in line


def test_variables_of_the_shell(tmp_path):
    """A key or a URL of the shell's comes before the file; the word that counts for no key does not."""
    machine = Machine(tmp_path, "gemini")
    machine.set_up()
    folder = machine.place.home
    ours = machine.place._replace(environ={"GEMINI_API_KEY": "fairlead", "GOOGLE_GEMINI_BASE_URL": URL})
    assert list_stronger(machine.tool, ours, URL, folder) == []
    theirs = machine.place._replace(environ={"GEMINI_API_KEY": "AIza-x"})
    [line] = list_stronger(machine.tool, theirs, URL, folder)
    assert "$GEMINI_API_KEY has precedence" in line
