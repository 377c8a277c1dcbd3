"""The files of the page: what they may not hold, that they fit together, and their size."""

import gzip
import re
from pathlib import Path

import pytest

import router.admin.ui
from router.admin.ui.files import PAGE_HEADERS, PageFiles, read_page_files

FOLDER = Path(router.admin.ui.__file__).parent / "static"
FILES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.iterdir())}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
#: What makes markup or a script of a text, keeps more than the tab does, or reaches another origin.
BANNED = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "setHTML", "srcdoc"),
    *("createContextualFragment", "eval(", "new Function", "javascript:", "onclick", "onerror", "onload"),
    *("localStorage", "document.cookie", "indexedDB", "serviceWorker", "caches.", "WebSocket", "EventSource"),
    *("XMLHttpRequest", "sendBeacon", "postMessage", "import(", "window.open", "createPolicy", "setAttributeNS"),
)


@pytest.mark.parametrize("word", BANNED)
def test_texts_stay_texts(word):
    """No file uses what could turn a hostile name into markup or a script, or keep or send anything elsewhere."""
    assert [name for name, text in FILES.items() if word in text] == []


def test_the_lint_would_see_it():
    """Each banned word is found where it stands; else the test above would pass for nothing."""
    sample = "node.innerHTML = name; localStorage.x = 1"
    assert [word for word in BANNED if word in sample] == ["innerHTML", "localStorage"]


def test_attributes_are_named_by_the_code():
    """Attributes with an address are set in the page alone, so that no text becomes one."""
    for text in SCRIPTS.values():
        assert not re.search(r"\b(?:href|src|action|style)\s*[:=]", text)


def test_no_other_origin():
    """No file names one, but for the namespace of SVG."""
    found = {url for text in FILES.values() for url in re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text)}
    assert found <= {"http://www.w3.org/2000/svg"}


def test_they_fit_together():
    """What a module imports is there and exports it; what the scripts look up by id is in the page, once."""
    for name, text in SCRIPTS.items():
        for names, module in re.findall(r'import (.+?) from "\./(.+?)"', text):
            assert module in SCRIPTS, (name, module)
            for one in re.findall(r"\w+", names) if names.startswith("{") else ():
                assert re.search(rf"export (?:async )?(?:const|function|class) {one}\b", SCRIPTS[module]), (name, one)
    ids = re.findall(r'id="([\w-]+)"', FILES["page.html"])
    assert len(ids) == len({*ids})
    asked = {one for text in SCRIPTS.values() for one in re.findall(r'\bfind\("([\w-]+)"\)', text)}
    assert asked <= {*ids}
    assert len(asked) > 30


def test_they_are_small():
    """All of it is at most 80 KB when compressed."""
    assert sum(len(gzip.compress(text.encode())) for text in FILES.values()) <= 80_000


def test_names_change_with_the_content():
    """A browser may keep a file for ever, as another content has another name."""
    one = PageFiles({"page.html": b"{hash}", "a.js": b"1"})
    assert one.page.decode() == one.hash
    assert one.find(one.hash, "a.js").body == b"1"
    assert one.find(one.hash, "page.html") is None
    assert one.find("0" * 16, "a.js") is None
    assert {PageFiles({"page.html": b"", name: body}).hash for name, body in (("a.js", b"2"), ("b.js", b"1"))} & {
        one.hash
    } == set()


def test_the_page_names_its_files():
    """All that it loads is under its hash, and there."""
    files = read_page_files()
    named = re.findall(rb'"/ui/files/(\w+)/([\w.]+)"', files.page)
    assert len(named) >= 3
    assert all(files.find(folder.decode(), name.decode()) for folder, name in named)
    assert b"{hash}" not in files.page
    assert not re.search(rb"<script(?![^>]*\bsrc=)|\son\w+=|style=", files.page)


def test_what_the_page_may_do():
    """Its own files and its own origin, nothing else; no frame, no form, no text that becomes a script."""
    policy = dict(PAGE_HEADERS)[b"content-security-policy"].decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "connect-src", "img-src"), "'self'"),
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors", "trusted-types"), "'none'"),
        "require-trusted-types-for": "'script'",
    }
