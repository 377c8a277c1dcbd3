"""The manual pages tell what the parsers and the settings say, and every reader of manual pages takes them."""

import re
import shutil
import subprocess
import sys

import pytest

from router.cli import COMMANDS
from router.settings import DECLARATIONS
from router.store.config import toml
from router.store.home.home import open_home

from ..packaging_scripts import load_script


@pytest.fixture(scope="module")
def man():
    """packaging/man.py."""
    return load_script("man")


@pytest.mark.skipif(sys.platform == "win32", reason="a default there is another")
def test_pages_are_up_to_date(man):
    """They are what `python packaging/man.py` would write, and there are no others."""
    pages = man.build_pages()
    assert {path.name for path in man.FOLDER.iterdir()} == {*pages}
    for name, text in pages.items():
        assert (man.FOLDER / name).read_text("utf-8") == text, f"run: python packaging/man.py ({name})"


def test_everything_has_its_page(man):
    """Each command has a page and a line in the overview; each setting its entry."""
    for name in COMMANDS:
        assert (man.FOLDER / f"fairlead-{name}.1").exists()
        assert f"fairlead\\-{name}\\fP(1)" in (man.FOLDER / "fairlead.1").read_text("utf-8")
    text = (man.FOLDER / "fairlead-config.5").read_text("utf-8")
    assert [entry.key for entry in DECLARATIONS if f"\\fB{man.escape(entry.key)}\\fP = " not in text] == []


def test_what_roff_takes_for_its_own_is_escaped(man):
    """A text is shown as it is, whatever signs it has."""
    assert man.escape("a-b\\c'd`e~f^g…") == "a\\-b\\ec\\(aqd\\(gae\\(tif\\(hag..."
    assert man._fill(".profile is read") == ["\\&.profile is read"]
    assert man._fill("use `fairlead config set`.") == ["use \\fBfairlead config set\\fP."]


def test_the_date_is_that_of_the_version(man, monkeypatch, tmp_path):
    """Of the entry in CHANGELOG; never the day on which the pages are written."""
    (tmp_path / "packaging").mkdir()
    (tmp_path / "LICENSE").write_text("Copyright (c) 2031 X")
    changes = tmp_path / "packaging" / "CHANGELOG.md"
    monkeypatch.setattr(man, "ROOT", tmp_path)
    changes.write_text(f"## {man.__version__} (unreleased)\n")
    assert man.find_date() == "2031-01-01"
    changes.write_text(f"## {man.__version__} (2032-02-03)\n\n## 0.0.1 (2030-01-01)\n")
    assert man.find_date() == "2032-02-03"


def test_the_example_of_the_settings_is_valid(man, tmp_path):
    """It can be pasted into config.toml."""
    loaded = toml.load_text(open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), man.EXAMPLE, {})
    assert loaded.unknown == ()
    assert loaded.settings.backends["groq"].rpm == 30
    assert loaded.settings.routes[0].when.tokens_over == 150_000


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_no_fault(man):
    """Nothing at all, not even of style."""
    pages = sorted(map(str, man.FOLDER.iterdir()))
    done = subprocess.run(["mandoc", "-Tlint", "-Wall", *pages], capture_output=True, text=True, check=False)
    # It says of each page that it has no page of that name installed to refer to.
    found = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert found == []


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_pages_fit_a_terminal(man):
    """At 80 columns no line is longer, nothing of the markup is left, and no name of a variable is broken."""
    for path in sorted(man.FOLDER.iterdir()):
        environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
        done = subprocess.run(["man", str(path)], capture_output=True, text=True, env=environ, check=True)
        text = re.sub(".\b", "", done.stdout)
        assert done.stderr == ""
        # A command that can be copied stays whole.
        long = [line for line in text.splitlines() if len(line) > 80 and not line.startswith("       fairlead ")]
        assert long == []
        assert "\\f" not in text
        assert "FAIRLEAD_\n" not in text
