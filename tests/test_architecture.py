"""Imports point downwards, each foreign library has its room, and no file or function is too long."""

import ast
from pathlib import Path

import pytest

import router

ROOT = Path(router.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 60

# Room -> the rooms it may import (docs: "Rooms"); demo stands below proxy, which offers its models.
BASE = {"errors", "ir", "settings", "router"}
ALLOWED = {
    "errors": set(),
    "ir": set(),
    "settings": {"errors", "settings"},
    "router": {"library"},
    "library": BASE | {"proxy", "store"},
    "wire": BASE | {"wire"},
    "backends": BASE | {"backends"},
    "policy": BASE | {"policy", "wire", "backends"},
    "store": BASE | {"store", "policy", "wire", "backends"},
    "net": BASE | {"net", "policy", "wire", "backends"},
    "demo": BASE | {"demo", "net", "wire"},
    "proxy": BASE | {"proxy", "demo", "net", "store", "policy", "wire", "backends"},
    "cli": BASE | {"cli", "proxy", "demo", "net", "store", "policy", "wire", "backends"},
    "__main__": BASE | {"cli"},
}
# Foreign module -> the rooms that may import it.
HOMES = {
    "h11": {"net"},
    "ssl": {"net"},
    "httpx": {"net"},
    "truststore": {"net"},
    "trio": {"net", "demo", "proxy", "cli"},
}
NOT_IN_PURE_ROOMS = {"trio", "os", "time", "logging", "socket", "ssl", "threading", "subprocess", "random", "secrets"}
HEAVY = (
    "trio",
    "httpx",
    "h11",
    "msgspec",
    "router.proxy",
    "router.demo",
    "router.net.control.calls",
    "router.net.server.connection",
)


def room(path):
    """The room a file stands in; files beside the rooms are rooms of their own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "router" if parts == ("__init__",) else parts[0]


def imports(path):
    """Every module a file imports, with the line and whether the import stands inside a function or for types only."""
    tree = ast.parse(path.read_text("utf-8"))
    late = set()
    for node in ast.walk(tree):
        types_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if types_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            late.update(id(inner) for inner in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in late
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module.startswith("router") else [module]
            for name in names:
                yield name, node.lineno, id(node) in late


def imported_room(name):
    """The room of a module of ours: `router.wire.raw.sse` and `router.wire` are wire, `router.__version__` is router."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else "router"


def ids(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_point_downwards(path):
    """A room imports only those below it; store and net do not know each other."""
    here = room(path)
    assert here in ALLOWED, f"{here} is no room of design.md"
    wrong = [
        f"{path}:{line} imports {name}"
        for name, line, _ in imports(path)
        if name.split(".")[0] == "router" and imported_room(name) not in ALLOWED[here]
    ]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_each_library_has_its_room(path):
    """Sockets, TLS and HTTP are net's; what decides and what formats knows no clock, file, task or log."""
    here = room(path)
    for name, line, _ in imports(path):
        top = name.split(".")[0]
        assert here in HOMES.get(top, {here}), f"{path}:{line} imports {top}"
        assert here not in ("wire", "policy", "backends", "errors", "ir", "settings") or top not in NOT_IN_PURE_ROOMS, (
            f"{path}:{line} imports {top}"
        )


# Loaded by more than one command, or by one that answers without a network. The files of the other commands are
# imported when they are called, so what they need may stand at their top.
SHARED = ("__main__.py", "__init__.py", "parser.py", "group.py", "text.py", "env.py", "backend.py", "proxy.py")


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) in ("cli", "__main__") and path.name in SHARED], ids=ids
)
def test_commands_import_heavy_modules_late(path):
    """Inside functions only: a command pays for no other command's modules."""
    early = [
        f"{path}:{line} imports {name}"
        for name, line, late in imports(path)
        if not late and any(name == heavy or name.startswith(f"{heavy}.") for heavy in ("trio", "httpx", *HEAVY[4:]))
    ]
    assert early == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_files_and_functions_are_short(path):
    """A file fits in the head, a function on the screen, and every module says what it is for."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES, f"{path} has {len(text.splitlines())} lines"
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_the_walk_sees_imports(tmp_path):
    """It tells rooms, late imports and type-only ones apart; else all of the above would pass for nothing."""
    source = "from router.wire import sse\nimport trio\ndef f():\n    import httpx\nif TYPE_CHECKING:\n    import h11\n"
    path = tmp_path / "sample.py"
    path.write_text(source)
    assert list(imports(path)) == [
        ("router.wire.raw.sse", 1, False),
        ("trio", 2, False),
        ("httpx", 4, True),
        ("h11", 6, True),
    ]
    assert [imported_room(name) for name in ("router.wire.raw.sse", "router.__version__", "router")] == [
        "wire",
        "router",
        "router",
    ]
    assert room(ROOT / "wire" / "sse.py") == "wire"
    assert len(FILES) > 50
