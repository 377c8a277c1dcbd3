"""README tells the same story as the code."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _reference_module():
    spec = importlib.util.spec_from_file_location("reference_tables", ROOT / "tests" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_up_to_date():
    """The generated tables are what `python tests/reference.py` would write."""
    reference = _reference_module()
    for page in reference.PAGES:
        text = (ROOT / page).read_text("utf-8")
        assert reference.filled(page, text) == text, page


def test_readme_is_short():
    """It is read in one sitting."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250


def test_every_link_leads_somewhere():
    """Pages that README and the reference pages link to exist, and so do the sections."""
    for page in (ROOT / "README.md", *sorted((ROOT / "packaging" / "reference").glob("*.md"))):
        text = page.read_text("utf-8")
        headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in text.splitlines()}
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, section = target.partition("#")
            assert not file or (page.parent / file).exists(), f"{page.name}: {target}"
            assert file or section in headings, f"{page.name}: {target}"


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


def test_the_two_commands_for_a_fresh_machine():
    """How to try it and how to test it stand as the first line of code of their sections."""
    text = (ROOT / "README.md").read_text("utf-8")
    first = {
        title: re.search(r"```sh\n(.*)", rest)[1]
        for title, rest in re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", text, re.M)
        if "```sh" in rest
    }
    assert first["Install"] == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/fairlead demo"
    assert first["Contributing"].startswith(
        "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest"
    )


def test_bounds_have_their_reasons():
    """Every dependency's lower bound has its reason in the table of dependencies."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (ROOT / "packaging" / "reference" / "dependencies.md").read_text("utf-8")
    for requirement in project["dependencies"]:
        match = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
        assert match is not None
        assert re.search(rf"^\| {match[1]} \| {re.escape(match[2])} \|", text, re.MULTILINE), requirement
