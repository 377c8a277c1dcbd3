"""Imports point downwards, each foreign library has its room, and no file or function is too long."""

import ast
import functools
from collections import Counter
from pathlib import Path

import router

ROOT = Path(router.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 60

# Room -> the rooms it may import, from the bottom up; every room may import itself and those of BASE.
BASE = {"errors", "ir", "settings", "backends", "redaction", "router"}
ROOMS = {
    "errors": set(),
    "ir": set(),
    "backends": set(),
    "settings": {"errors", "backends"},
    "redaction": {"settings"},
    "router": {"library"},
    "wire": BASE,
    "policy": BASE | {"wire"},
    "net": BASE | {"wire"},
    "store": BASE | {"wire", "policy"},
    "operator_api": BASE | {"wire", "policy", "net", "store"},
    "demo": BASE | {"wire", "net"},
    "host": BASE | {"net"},
    "login": BASE | {"wire", "net", "store", "host"},
    "telemetry": BASE | {"wire", "policy", "store"},
    "budget": BASE | {"wire", "policy", "store", "operator_api", "host", "telemetry"},
    "upstream": BASE
    | {"wire", "policy", "net", "store", "operator_api", "demo", "host", "login", "telemetry", "budget"},
    "exchange": BASE
    | {"wire", "policy", "net", "store", "operator_api", "demo", "host", "telemetry", "budget", "upstream"},
    "watch": BASE | {"wire", "policy", "net", "store", "telemetry"},
    "setup": BASE | {"store"},
    "admin": BASE
    | {"wire", "policy", "net", "store", "operator_api", "demo", "host", "telemetry", "budget", "upstream", "exchange"}
    | {"watch", "setup"},
}
ROOMS["server"] = ROOMS["admin"] | {"admin"}
ROOMS["conform"] = ROOMS["upstream"] | {"upstream"}
ROOMS["repro"] = BASE | {"wire", "policy", "store"}
ROOMS["replay"] = ROOMS["server"] | {"server", "repro"}
ROOMS["installation"] = BASE | {"wire", "policy", "net", "store", "operator_api", "host"}
ROOMS["service"] = BASE | {"wire", "policy", "net", "store", "operator_api", "host", "installation", "setup"}
ROOMS["mcp"] = BASE | {"wire", "policy", "net", "store", "operator_api"}
ROOMS["library"] = BASE | {"server", "admin", "upstream", "store"}
ROOMS["cli"] = ROOMS["server"] | {
    "server",
    "installation",
    "login",
    "setup",
    "service",
    "mcp",
    "repro",
    "replay",
    "watch",
    "conform",
}
ROOMS["__main__"] = BASE | {"cli"}
ALLOWED = {name: rooms | {name} for name, rooms in ROOMS.items()}
# Sub-room -> the other sub-rooms of its room that it may import; "" is the files beside the sub-rooms.
SUB_ROOMS = {
    "backends/providers": {""},
    "wire/raw": set(),
    "wire/raw/json": {"raw"},
    "wire/paths": {"raw", ""},
    "wire/model_lists": {"raw"},
    "wire/kept_answers": set(),
    "wire/framings": {"raw", "errors", ""},
    "wire/headers": set(),
    "wire/errors": {"raw", "headers"},
    "wire/costs": {"raw", ""},
    "wire/search_engines": {"raw"},
    "wire/conversation": {"raw", ""},
    "wire/tool_context": {"raw", ""},
    "wire/neutral": {"raw", "conversation", ""},
    "wire/neutral/tool_forms": {"raw", "conversation", "neutral", ""},
    "wire/chat": {"raw", "costs", "conversation", "neutral", "errors", ""},
    "wire/chat/answer": {"raw", "conversation", "neutral", "chat", "errors", ""},
    "wire/messages": {"raw", "costs", "conversation", "neutral", "errors", ""},
    "wire/messages/requests": {"raw", "conversation", "neutral", "messages", "errors", ""},
    "wire/responses": {"raw", "costs", "conversation", "neutral", "errors", ""},
    "wire/responses/input": {"raw", "conversation", "neutral", "errors", ""},
    "wire/responses/output": {"raw", "conversation", "neutral", "responses", "errors", ""},
    "wire/gemini": {"raw", "costs", "conversation", "neutral", "errors", "paths", "model_lists", "kept_answers", ""},
    "wire/gemini/requests": {"raw", "conversation", "neutral", "gemini", "errors", ""},
    "wire/gemini/answers": {"raw", "conversation", "neutral", "gemini", "errors", ""},
    "policy/accounts": set(),
    "policy/answer_cache": set(),
    "policy/budget": set(),
    "policy/cache": set(),
    "policy/facts": set(),
    "policy/grants": set(),
    "policy/routing": {"facts"},
    "net/client": {""},
    "net/control": {"", "client"},
    "net/server": {""},
    "settings/declaring": {""},
    "store/home": set(),
    "store/keys": {"home"},
    "store/config": {"home", "keys"},
    "store/database": {"home"},
    "store/history": {"home", "database"},
    "store/history/charts": {"history"},
    "store/captures": {"home"},
    "store/answer_cache": {"home", "database"},
    "store/shared": {"home", "database", "history", ""},
    "store/team": {"home", "keys", "database", "history", "shared", ""},
    "store/team/state": {"home", "keys", "shared", "team", ""},
    "telemetry/otlp": {""},
    "exchange/body": set(),
    "exchange/capture": {""},
    "exchange/upstream_response": {"body"},
    "exchange/grants": {""},
    "exchange/request": {"body", "grants", "upstream_response", ""},
    "exchange/search": {"body", "request", "upstream_response", ""},
    "exchange/client_response": {"body", "request", "upstream_response", "search", ""},
    "exchange/answer_cache": {"body", "client_response", "request", "upstream_response", ""},
    "exchange/failover": {"body", "grants", "request", "upstream_response", ""},
    "conform/forms": {""},
    "conform/probes": {"forms", ""},
    "host/service": {""},
    "server/workers": {""},
    "installation/upgrade": {""},
    "setup/formats": set(),
    "setup/tools": {"formats", ""},
    "setup/agents": {"formats", ""},
    "cli/common": set(),
    "cli/accounts": {"common", "backend"},
    "cli/backend": {"common"},
    "cli/completions": {"common"},
    "cli/completions/tables": {"completions"},
    "cli/config": {"common"},
    "cli/conform": {"common", "backend", "config"},
    "cli/demo": {"common", "env", "repro", ""},
    "cli/doctor": {"common"},
    "cli/doctor/checks": {"common", "completions", "doctor", "service", "setup", "subagent"},
    "cli/env": {"common"},
    "cli/init": {"common", "env", "backend", "setup", "run", ""},
    "cli/inspect": {"common"},
    "cli/keys": {"common", "config"},
    "cli/login": {"common", "backend", "accounts"},
    "cli/mcp": {"common", "config", "doctor", "inspect"},
    "cli/repro": {"common", "inspect"},
    "cli/run": {"common", "env", ""},
    "cli/service": {"common", ""},
    "cli/setup": {"common", "env"},
    "cli/subagent": {"common", "setup"},
    "cli/tui": {"common", "config", "inspect", "watch", ""},
    "cli/tui/panes": {"common", "inspect", "watch", "tui"},
    "cli/upgrade": {"common", "service"},
    "cli/watch": {"common", "inspect"},
}
FOLDER_FILES = 15
# Foreign module -> the rooms that may import it.
HOMES = {
    "h11": {"net"},
    "ssl": {"net"},
    "httpx": {"net"},
    "truststore": {"net"},
    "textual": {"cli"},
    "rich": {"cli"},
    "trio": {
        *("net", "demo", "host", "login", "budget", "upstream", "exchange", "admin", "server", "replay", "conform"),
        "cli",
    },
}
PURE_ROOMS = {"wire", "policy", "backends", "errors", "ir", "settings", "redaction"}
NOT_IN_PURE_ROOMS = {"trio", "os", "time", "logging", "socket", "ssl", "threading", "subprocess", "random", "secrets"}
HEAVY = (
    "trio",
    "httpx",
    "h11",
    "msgspec",
    "router.exchange",
    "router.demo",
    "router.net.control.calls",
    "router.net.server.connection",
    "router.host.event_loop",
)


def room(path):
    """The room a file stands in; files beside the rooms are rooms of their own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "router" if parts == ("__init__",) else parts[0]


@functools.cache
def tree_of(path):
    """The syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imports(path):
    """Every module a file imports, with the line and whether the import stands inside a function or for types only."""
    return list(_iter_imports(path, tree_of(path)))


def _iter_imports(path, tree):
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
    """The room of one of our modules: that of `router.wire.raw.sse` is wire, that of `router.__version__` is router."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else "router"


def test_imports_point_downwards():
    """A room imports only those below it; store and net do not know each other."""
    assert {room(path) for path in FILES} <= set(ALLOWED), "a room is missing in ROOMS"
    wrong = [
        f"{path}:{line} imports {name}"
        for path in FILES
        for name, line, _ in imports(path)
        if name.split(".")[0] == "router" and imported_room(name) not in ALLOWED[room(path)]
    ]
    assert wrong == []


def _wrong_between_sub_rooms(path):
    here = path.relative_to(ROOT).parent.as_posix()
    top = here.split("/")[0]
    if not any(name.startswith(f"{top}/") for name in SUB_ROOMS):
        return  # it has no order of its own
    for name, line, _ in imports(path):
        parts = name.split(".")
        if parts[:2] != ["router", top]:
            continue
        there = parts[2] if (ROOT / top / parts[2]).is_dir() else ""
        if f"{top}/{there}" != here and there not in SUB_ROOMS[here]:
            yield f"{path}:{line} imports {name}"


def test_imports_between_sub_rooms_point_downwards():
    """Within a room, a sub-room imports only the sub-rooms below it."""
    inner = [path for path in FILES if len(path.relative_to(ROOT).parts) > 2]
    assert [wrong for path in inner for wrong in _wrong_between_sub_rooms(path)] == []


def files_imported():
    """File -> the files it imports, late and type-only imports too. The package itself is left out: every import of
    a module loads it, and it imports the library only when `router.running` is asked for."""
    modules = {
        ".".join(("router", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in FILES
    }
    found = {}
    for path in FILES:
        names = {name if name in modules else name.rpartition(".")[0] for name, _, _ in imports(path)}
        found[path] = {modules[name] for name in names - {"router"} if name in modules} - {path}
    return found


def circles(graph):
    """The groups of files that need each other (Tarjan's strongly connected components of more than one)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(sorted(map(str, group)))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_no_files_need_each_other():
    """No circle of imports, type-only ones counted."""
    assert circles(files_imported()) == []
    assert circles({1: {2}, 2: {3}, 3: {1}, 4: {1}}) == [["1", "2", "3"]]


def test_folders_are_small():
    """What a room holds can be seen at a glance."""
    sizes = Counter(path.parent for path in FILES)
    assert {str(folder): size for folder, size in sizes.items() if size > FOLDER_FILES} == {}


def test_each_library_has_its_room():
    """Sockets, TLS and HTTP are net's; what decides and what formats knows no clock, file, task or log."""
    wrong = []
    for path in FILES:
        here = room(path)
        for name, line, _ in imports(path):
            top = name.split(".")[0]
            if here not in HOMES.get(top, {here}) or (here in PURE_ROOMS and top in NOT_IN_PURE_ROOMS):
                wrong.append(f"{path}:{line} imports {top}")
    assert wrong == []


# Loaded by more than one command, or by one that answers without a network. The files of the other commands are
# imported when they are called, so what they need may stand at their top.
SHARED = (
    *("__main__.py", "__init__.py", "parser.py", "group.py", "output.py", "port_owner.py"),
    *("env.py", "commands.py", "proxy.py"),
)


def test_commands_import_heavy_modules_late():
    """Inside functions only: a command pays for no other command's modules."""
    shared = [path for path in FILES if room(path) in ("cli", "__main__") and path.name in SHARED]
    assert len(shared) >= len(SHARED)
    early = [
        f"{path}:{line} imports {name}"
        for path in shared
        for name, line, late in imports(path)
        if not late and any(name == heavy or name.startswith(f"{heavy}.") for heavy in ("trio", "httpx", *HEAVY[4:]))
    ]
    assert early == []


def _too_long(path):
    tree, lines = tree_of(path), len(path.read_text("utf-8").splitlines())
    if lines > FILE_LINES:
        yield f"{path} has {lines} lines"
    if not ast.get_docstring(tree):
        yield f"{path} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name} has {length} lines"


def test_files_and_functions_are_short():
    """A file fits in the head, a function on the screen, and every module says what it is for."""
    assert [wrong for path in FILES for wrong in _too_long(path)] == []


def test_the_walk_sees_imports(tmp_path):
    """It tells rooms, late imports and type-only ones apart; else all of the above would pass for nothing."""
    source = (
        "from router.wire.raw import sse\nimport trio\ndef f():\n    import httpx\nif TYPE_CHECKING:\n    import h11\n"
    )
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
