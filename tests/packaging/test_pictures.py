"""The pictures of README, and the script that draws them from a proxy with the demo."""

import getpass
import importlib.util
import os
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ..packaging_scripts import load_script

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging" / "pictures"
NAMES = ("page-dark.png", "page-light.png", "terminal.svg")
CHROMIUM = Path(os.environ.get("FAIRLEAD_CHROMIUM", "/usr/bin/chromium"))
MOST = 150 * 1024


def check_terminal(path):
    """It is a picture with the requests of the demo, and loads nothing from elsewhere."""
    text = path.read_text("utf-8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    for shown in ("demo-full", "demo-slow", "demo-529", "[2&#160;Requests]", "answering", "budget"):
        assert shown in text, shown
    # The only address is the name of the format.
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in text
    assert "@import" not in text
    assert 0 < path.stat().st_size < MOST


def check_page(path):
    """It is a PNG as wide as the window, of a size that README can have."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width == 1200
    assert height > 600
    # Not only one colour.
    assert 20 * 1024 < len(data) < MOST


def test_readme_shows_them():
    """README has each picture of the folder, with a text in its place, by a path within the repository."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert sorted(path.name for path in FOLDER.iterdir()) == [*NAMES]
    assert set(re.findall(r"packaging/pictures/([\w.-]+)", text)) == {*NAMES}
    assert re.search(r"!\[[^\]]{20,}\]\(packaging/pictures/terminal\.svg\)", text)
    assert re.search(r"<img alt=\"[^\"]{20,}\" src=\"packaging/pictures/page-light\.png\">", text)


def test_what_is_in_the_repository():
    """Each is small and whole, and the terminal's names neither this machine's folders nor its user."""
    check_terminal(FOLDER / "terminal.svg")
    for name in ("page-light.png", "page-dark.png"):
        check_page(FOLDER / name)
    text = (FOLDER / "terminal.svg").read_text("utf-8")
    assert not re.search(r"/(home|root|tmp|Users|var|work)\b", text)


def test_it_needs_no_browser_for_the_terminal(tmp_path):
    """The script sends the demo's requests to a proxy of its own and draws the terminal program."""
    script = load_script("pictures")
    [written] = script.write_pictures(tmp_path / "pictures", page=False)
    check_terminal(written)
    text = written.read_text("utf-8")
    assert str(tmp_path) not in text
    assert f"/{getpass.getuser()}" not in text


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
@pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="there is no playwright")
# Of the browser's driver, when it ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_all_of_them(tmp_path):
    """The script draws all three, the page in both colour schemes."""
    written = load_script("pictures").write_pictures(tmp_path / "pictures")
    assert sorted(path.name for path in written) == [*NAMES]
    check_terminal(tmp_path / "pictures" / "terminal.svg")
    for name in ("page-light.png", "page-dark.png"):
        check_page(tmp_path / "pictures" / name)
