"""Where a tool's own file would lead it elsewhere: what is put over it, and what is refused."""

import json

import pytest
import yaml

from router.cli.run.config_files import _parse
from router.errors import CommandError, UsageError
from tests.cli.run.test_programs import KEY, URL, home, plan_for

__all__ = ["home"]
ELSEWHERE = {"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.test", "ANTHROPIC_API_KEY": "sk-x", "EDITOR": "vi"}}


@pytest.mark.parametrize("place", [".claude/settings.json", ".claude/settings.local.json"])
def test_claude_settings_that_lead_elsewhere(monkeypatch, home, tmp_path, place):
    """Variables of Claude Code's settings come before its environment: a private file comes before those, with only
    what they set."""
    (tmp_path / ".claude").mkdir()
    (tmp_path / place).write_text(json.dumps(ELSEWHERE))
    plan = plan_for(monkeypatch, ["claude", "-p", "x"], (), {**home, "ANTHROPIC_API_KEY": "sk-y"})
    assert plan.words == ["claude", "--settings", "{settings.json}", "-p", "x"]
    assert json.loads(plan.files["settings.json"]) == {"env": {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_API_KEY": ""}}
    given = plan_for(monkeypatch, ["claude", "--settings", "mine.json"], (), home)
    assert given.words == ["claude", "--settings", "mine.json"]
    assert not given.files


def test_claude_settings_that_lead_nowhere_else(monkeypatch, home, tmp_path):
    """Settings without such variables, and a file that Claude Code drops as not valid, need nothing."""
    (tmp_path / ".claude").mkdir()
    for text in ('{"model": "opus"}', '{"env": {"ANTHROPIC_BASE_URL": "x",}}', "[]", '{"env": 3}'):
        (tmp_path / ".claude/settings.json").write_text(text)
        assert plan_for(monkeypatch, ["claude"], (), home).words == ["claude"]


def test_claude_settings_of_another_folder(monkeypatch, home, tmp_path):
    """CLAUDE_CONFIG_DIR is where Claude Code looks."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c/settings.json").write_text(json.dumps(ELSEWHERE))
    plan = plan_for(monkeypatch, ["claude"], (), {**home, "CLAUDE_CONFIG_DIR": str(tmp_path / "c")})
    assert "--settings" in plan.words


def test_opencode(monkeypatch, home):
    """opencode's variable has the user's own value with the base URLs, a provider with the models, and the model."""
    own = {"provider": {"openai": {"options": {"timeout": 5, "baseURL": "x"}}, "mine": {}}, "theme": "dark"}
    text = "// mine\n" + json.dumps(own)
    environ = {**home, "OPENCODE_CONFIG_CONTENT": text}
    plan = plan_for(monkeypatch, ["opencode"], ["--model", "m"], environ, models=["fast", "demo"])
    found = json.loads(plan.changes["OPENCODE_CONFIG_CONTENT"])
    assert found["theme"] == "dark"
    assert found["provider"]["mine"] == {}
    assert found["provider"]["openai"]["options"] == {"timeout": 5, "baseURL": f"{URL}/v1", "apiKey": KEY}
    assert found["provider"]["anthropic"]["options"]["baseURL"] == f"{URL}/v1"
    assert [*found["provider"]["fairlead"]["models"]] == ["m", "fast", "demo"]
    assert found["model"] == "fairlead/m"


def test_opencode_gets_no_more_models_than_a_variable_can_have(monkeypatch, home):
    """A long list is cut, and the model that was asked for stays."""
    names = [f"vendor/model-{number:0100}" for number in range(5000)]
    plan = plan_for(monkeypatch, ["opencode"], ["--model", "m"], home, models=names)
    content = plan.changes["OPENCODE_CONFIG_CONTENT"]
    assert len(content) < 30_000
    assert "m" in json.loads(content)["provider"]["fairlead"]["models"]


def test_a_broken_variable_is_told_with_its_place(monkeypatch, home):
    """What is not valid is named with line and column, and nothing is started."""
    with pytest.raises(CommandError, match=r"\$OPENCODE_CONFIG_CONTENT line 2, column 3: expected a name"):
        plan_for(monkeypatch, ["opencode"], (), {**home, "OPENCODE_CONFIG_CONTENT": '{"a": 1,\n  x}'})


def test_continue(monkeypatch, home, tmp_path):
    """Continue gets the user's file with one model in front, in a private file."""
    (tmp_path / ".continue").mkdir()
    (tmp_path / ".continue/config.yaml").write_text("name: mine\nrules: [a]\nmodels:\n  - {name: other, model: x}\n")
    plan = plan_for(monkeypatch, ["cn", "-p", "x"], ["--model", "m"], home)
    assert plan.words == ["cn", "--config", "{config.yaml}", "-p", "x"]
    found = yaml.safe_load(plan.files["config.yaml"])
    assert (found["name"], found["rules"]) == ("mine", ["a"])
    assert [model["model"] for model in found["models"]] == ["m", "x"]
    assert (found["models"][0]["apiBase"], found["models"][0]["apiKey"]) == (f"{URL}/v1", KEY)


def test_continue_without_a_file_and_with_a_broken_one(monkeypatch, home, tmp_path):
    """Without a file one is made up; a broken one is told with line and column."""
    found = yaml.safe_load(plan_for(monkeypatch, ["cn"], (), home).files["config.yaml"])
    assert found["schema"] == "v1"
    assert found["models"][0]["model"] == "demo"
    (tmp_path / ".continue").mkdir()
    (tmp_path / ".continue/config.yaml").write_text("models:\n  - {name: [\n")
    with pytest.raises(CommandError, match=r"config.yaml line 3, column 1"):
        plan_for(monkeypatch, ["cn"], (), home)


def test_qwen_settings(monkeypatch, home, tmp_path):
    """Providers of Qwen Code's settings come before everything: the user is told; its own model stays."""
    (tmp_path / ".qwen").mkdir()
    path = tmp_path / ".qwen/settings.json"
    path.write_text(
        '{"modelProviders": {"openai": [{"baseUrl": "https://elsewhere.test"}]}, /* x */ "model": {"name": "m"},}'
    )
    plan = plan_for(monkeypatch, ["qwen"], (), home)
    assert any("modelProviders" in line for line in plan.notes)
    assert "OPENAI_MODEL" not in plan.changes
    path.write_text(json.dumps({"modelProviders": {"openai": [{"baseUrl": f"{URL}/v1"}]}}))
    assert not any("modelProviders" in line for line in plan_for(monkeypatch, ["qwen"], (), home).notes)


def pi_file(url):
    return {"providers": {"fairlead": {"baseUrl": url}}}


def cline_file(url):
    return {"lastUsedProvider": "x", "providers": {"x": {"settings": {"baseUrl": url}}}}


@pytest.mark.parametrize(
    ("tool", "place", "fill"),
    [("pi", ".pi/agent/models.json", pi_file), ("cline", ".cline/data/settings/providers.json", cline_file)],
)
def test_tools_that_read_their_own_file_only(monkeypatch, home, tmp_path, tool, place, fill):
    """pi and Cline are refused with the command that helps, unless their file leads here already, by any name of this
    machine. Then their own key counts: the user is told, and a budget, which it would not hold to, is refused."""
    with pytest.raises(UsageError, match="reads no variable for its base URL") as caught:
        plan_for(monkeypatch, [tool], (), home)
    assert f"fairlead setup {tool}" in caught.value.hint
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(fill("https://elsewhere.test")))
    with pytest.raises(UsageError):
        plan_for(monkeypatch, [tool], (), home)
    for url in (URL, f"{URL}/v1", "http://127.0.0.1:3456", "http://[::1]:3456/v1"):
        path.write_text(json.dumps(fill(url)))
        plan = plan_for(monkeypatch, [tool], (), home)
        assert (plan.words, "sends the key of its own file" in plan.notes[-1]) == ([tool], True)
    for option in (["--budget", "2"], ["--tag", "x"]):
        with pytest.raises(CommandError, match="not the one of this run") as refused:
            plan_for(monkeypatch, [tool], option, home)
        assert f"fairlead keys set tool-{tool}" in refused.value.hint
    path.write_text('{"providers": ')
    with pytest.raises(CommandError, match=r"is not valid|line 1"):
        plan_for(monkeypatch, [tool], (), home)


def test_folders_that_clines_variables_name(monkeypatch, home, tmp_path):
    """CLINE_DATA_DIR comes before CLINE_DIR, for run as for setup."""
    for folder, url in (("d/settings", URL), ("c/data/settings", "https://elsewhere.test")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "providers.json").write_text(json.dumps(cline_file(url)))
    named = {**home, "CLINE_DIR": str(tmp_path / "c")}
    with pytest.raises(UsageError):
        plan_for(monkeypatch, ["cline"], (), named)
    assert plan_for(monkeypatch, ["cline"], (), {**named, "CLINE_DATA_DIR": str(tmp_path / "d")}).keeps_key


def test_llm(monkeypatch, home, tmp_path):
    """A model that setup registered is asked for by its name there, with the key of that file, so that a budget is
    refused; another one by its own name, which llm may not know. Models of the user's own choice are left alone."""
    environ = {**home, "LLM_USER_PATH": str(tmp_path)}
    plan = plan_for(monkeypatch, ["llm", "hi"], ["--model", "m", "--budget", "2"], environ)
    assert (plan.words, plan.keeps_key) == (["llm", "-m", "m", "hi"], False)
    assert "fairlead setup llm" in plan.notes[0]
    for url, registered in (("https://elsewhere.test", False), (f"{URL}/v1", True)):
        (tmp_path / "extra-openai-models.yaml").write_text(f"- {{model_id: fairlead/m, api_base: '{url}'}}\n")
        plan = plan_for(monkeypatch, ["llm", "hi"], ["--model", "m"], environ)
        assert (plan.words[2], plan.keeps_key) == ("fairlead/m" if registered else "m", registered)
    with pytest.raises(CommandError, match="not the one of this run"):
        plan_for(monkeypatch, ["llm", "-m", "fairlead/m", "hi"], ["--budget", "2"], environ)
    assert not plan_for(monkeypatch, ["llm", "-m", "gpt-5", "hi"], ["--budget", "2"], environ).keeps_key
    (tmp_path / "default_model.txt").write_text("fairlead/m\n")
    assert plan_for(monkeypatch, ["llm", "hi"], (), environ).keeps_key


def test_a_port_that_only_begins_alike_is_another(monkeypatch, home, tmp_path):
    """localhost:34567 is not localhost:3456."""
    (tmp_path / ".pi/agent").mkdir(parents=True)
    (tmp_path / ".pi/agent/models.json").write_text(json.dumps(pi_file(f"{URL}7/v1")))
    with pytest.raises(UsageError):
        plan_for(monkeypatch, ["pi"], (), home)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "//x", /* , */ "b": [1, 2,],}', {"a": "//x", "b": [1, 2]}),
        ('\ufeff{"a": "\\"/*", // "b": 1\n}', {"a": '"/*'}),
        ("{}", {}),
    ],
)
def test_json_with_comments(text, found):
    """Comments and trailing commas are passed over, inside of strings they are text."""
    assert _parse(text, "x.json") == found


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1,,}', '{"a": "x', "/*", "{,}", "[" * 5000])
def test_json_that_is_not_valid(text):
    """Everything else is an error of the text, however it is broken."""
    with pytest.raises(CommandError, match=r"x\.json"):
        _parse(text, "x.json")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {"security": {"auth": {"selectedType": "gemini-api-key"}}}),
        (
            '{"security": {"auth": {"selectedType": "oauth-personal"}, "folderTrust": {}}} // mine',
            {"security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {}}},
        ),
    ],
)
def test_gemini_settings_without_a_key(monkeypatch, home, tmp_path, text, expected):
    """Settings that do not choose a key are not changed: a private copy does, and it is said what that costs."""
    folder = tmp_path / ".gemini"
    folder.mkdir()
    if text is not None:
        (folder / "settings.json").write_text(text)
    plan = plan_for(monkeypatch, ["gemini", "-p", "x"], ["--model", "m"], home)
    assert (plan.folder.name, plan.folder.own) == (".gemini", folder)
    assert json.loads(plan.folder.files["settings.json"]) == expected
    assert (plan.changes["GEMINI_CLI_HOME"], plan.changes["GEMINI_MODEL"]) == (plan.folder.word, "m")
    assert plan.words == ["gemini", "-p", "x"]
    assert "fairlead setup gemini" in "".join(plan.notes)


def test_gemini_settings_with_a_key(monkeypatch, home, tmp_path):
    """Settings that choose a key need nothing; a project's file that chooses another login is told of."""
    chosen = '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'
    for folder in (tmp_path, tmp_path / "work", tmp_path / "elsewhere"):
        (folder / ".gemini").mkdir(parents=True)
        (folder / ".gemini/settings.json").write_text(chosen)
    plan = plan_for(monkeypatch, ["gemini"], (), home)
    assert (plan.folder, plan.notes, plan.changes["GOOGLE_GEMINI_BASE_URL"]) == (None, [], URL)
    assert "GEMINI_CLI_HOME" not in plan.changes
    (tmp_path / ".gemini/settings.json").write_text("{}")
    moved = plan_for(monkeypatch, ["gemini"], (), {**home, "GEMINI_CLI_HOME": str(tmp_path / "elsewhere")})
    assert moved.folder is None
    (tmp_path / "work/.gemini/settings.json").write_text(chosen.replace("gemini-api-key", "vertex-ai"))
    (tmp_path / ".gemini/settings.json").write_text(chosen)
    monkeypatch.chdir(tmp_path / "work")
    [note] = plan_for(monkeypatch, ["gemini"], (), home).notes
    assert "chooses the login vertex-ai" in note


def test_gemini_settings_that_are_not_valid(monkeypatch, home, tmp_path):
    """They are named with the line, and nothing is started with settings that would lack the user's."""
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini/settings.json").write_text('{"a": }')
    with pytest.raises(CommandError, match=r"settings\.json line 1"):
        plan_for(monkeypatch, ["gemini"], (), home)
