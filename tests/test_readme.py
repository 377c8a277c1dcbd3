"""README tells the same story as the code."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _readme_module():
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "tests" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_up_to_date():
    """The generated tables are what `python tests/readme.py` would write."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert _readme_module().filled(text) == text


def test_every_command_named_exists():
    """Each `fairlead COMMAND --flag` in README's code is taken by the command line."""
    text = (ROOT / "README.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    found = set(re.findall(r"\bfairlead ((?:backend )?[a-z]+)\b", code))
    assert {"proxy", "demo", "env", "models", "backend add"} <= found
    for command in sorted(found):
        words = [sys.executable, "-m", "router", *shlex.split(command), "--help"]
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        assert run.returncode == 0, command


def test_first_screen_has_both_lines():
    """A newcomer sees how to try it and how to test it without scrolling."""
    first = (ROOT / "README.md").read_text("utf-8").splitlines()[:20]
    assert "pip install . && fairlead demo" in first
    assert any(line.startswith("pip install '.[test]' && pytest") for line in first)


def test_bounds_stand_in_readme():
    """Every dependency's lower bound has its reason in README."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (ROOT / "README.md").read_text("utf-8")
    for requirement in project["dependencies"]:
        match = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
        assert match is not None
        assert re.search(rf"^\| {match[1]} \| {re.escape(match[2])} \|", text, re.MULTILINE), requirement
