"""Import cost is start-up cost: what each quick command loads."""

import json
import os
import subprocess
import sys

import pytest

from router import __version__

from .patience import PATIENCE

HEAVY = {"trio", "h11", "httpx", "msgspec", "argparse", "ssl", "asyncio", "socket", "json", "logging"}
EXTRA_MODULES = 60

# Runs a command line and prints what it loaded to a descriptor of its own.
PROGRAM = """
import sys
before = set(sys.modules)
sys.argv = ["fairlead", *{arguments!r}]
from router.__main__ import main
code = main()
sys.stdout.flush()
loaded = sorted(set(sys.modules) - before)
import json, os
with open(os.environ["LOADED"], "w") as file:
    json.dump([code, loaded], file)
"""


@pytest.fixture
def ran(tmp_path):
    """Runs a command line: its output, its code, and the modules it loaded beyond a bare interpreter's."""

    def run(*arguments):
        loaded = tmp_path / "loaded.json"
        keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        home = tmp_path / "home"
        environ = {**keep, "LOADED": str(loaded), "HOME": str(tmp_path), "FAIRLEAD_HOME": str(home)}
        program = PROGRAM.format(arguments=list(arguments))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        code, modules = json.loads(loaded.read_text())
        return done.stdout.decode(), code, set(modules)

    return run


def tops(modules):
    """The packages that modules belong to."""
    return {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_loads_nothing(ran, flag):
    """It prints and leaves: the package, its entry, and nothing of the rest."""
    out, code, modules = ran(flag)
    assert (out, code) == (f"fairlead {__version__}\n", 0)
    assert not HEAVY & tops(modules)
    assert {name for name in modules if name.startswith("router")} == {"router", "router.__main__"}
    assert len(modules) < EXTRA_MODULES


def test_the_module_is_the_command():
    """`python -m router --version` is `fairlead --version`."""
    done = subprocess.run(
        [sys.executable, "-m", "router", "--version"], capture_output=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.decode() == f"fairlead {__version__}\n"
    assert done.stdout.decode().split()[1].count(".") == 2


@pytest.mark.parametrize("arguments", [["help"], ["--help"], []])
def test_the_overview_loads_no_command(ran, arguments):
    """Nor any network or parsing library."""
    out, code, modules = ran(*arguments)
    assert "proxy" in out
    assert code == (0 if arguments else 2)
    assert not {"trio", "h11", "httpx", "msgspec", "argparse", "ssl", "asyncio"} & tops(modules)


def test_env_loads_no_network_module(ran):
    """Shells run it at each start."""
    out, code, modules = ran("env")
    assert code == 0
    assert "http://localhost:3456" in out
    assert not {"trio", "h11", "httpx", "ssl", "asyncio", "anyio"} & tops(modules)


def test_listing_backends_loads_no_network_module(ran):
    """Reading a folder needs no sockets."""
    _, code, modules = ran("backend", "list")
    assert code == 0
    assert not {"trio", "httpx", "asyncio"} & tops(modules)


@pytest.mark.parametrize("arguments", [["status"], ["config", "show"], ["usage"], ["log"], ["demo", "--help"]])
def test_no_command_loads_what_draws_the_screen(ran, arguments):
    """Only the full-screen view needs it."""
    _, _, modules = ran(*arguments)
    assert not {"textual", "rich", "pygments", "asyncio"} & tops(modules)
    assert not [name for name in modules if name.startswith("router.cli.tui.") and not name.endswith(".command")]


def test_the_first_frame_waits_for_no_protocol():
    """The full-screen view draws its first frame without what knows the protocols, sends requests, or reads a file."""
    program = "import sys, router.cli.tui.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=PATIENCE)
    modules = set(done.stdout.decode().split())
    assert "textual" in modules
    assert not {"trio", "h11", "httpx", "sqlite3", "tomlkit"} & tops(modules)
    assert not {"router.wire.protocols", "router.policy.routing.table", "router.cli.tui.source"} & modules


def test_the_server_for_agents_starts_light(ran):
    """Every start of an agent waits for it: no parser, no network, none of the forms that its lists are made from."""
    _, code, modules = ran("mcp")
    assert code == 0
    assert not {"trio", "h11", "httpx", "msgspec", "argparse", "ssl", "asyncio", "socket", "logging"} & tops(modules)
    assert {name for name in modules if name.startswith("router.")} == {
        *("router.__main__", "router.cli", "router.errors", "router.cli.mcp", "router.cli.mcp.command"),
        *("router.mcp", "router.mcp.listing", "router.mcp.protocol", "router.mcp.serve", "router.mcp.stdio"),
    }
    assert len(modules) < 90


def test_a_proxy_listens_without_the_cache_of_answers():
    """Nothing of it is loaded before the proxy listens; afterwards all is (server/preload.py)."""
    program = "import sys, router.server.serve; print(*[name for name in sys.modules if 'answer_cache' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout.split() == []


def test_a_proxy_listens_without_what_translates():
    """Before it listens it needs no codec of any protocol."""
    program = "import sys, router.server.serve, router.upstream.configuration; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=PATIENCE)
    modules = done.stdout.decode().split()
    assert "router.wire.protocols" in modules
    assert not [name for name in modules if name.endswith(("decode_stream", "encode_stream", "encode_request"))]


# Serves until it has loaded everything, asks for the page, and prints what was loaded before and after.
PAGE_PROGRAM = """
import json, os, sys, urllib.request
import trio
from router.server.serve import running
from router.settings import Settings
from router.store.home.home import open_home

def page():
    return [name for name in sys.modules if name.startswith(("router.admin.ui", "router.setup", "router.watch"))]

def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.status

async def main():
    home = open_home(os.environ)
    async with running(Settings(port=0, ui=True, require_key="off"), home) as serving:
        await serving.loaded.wait()
        before = page()
        status = await trio.to_thread.run_sync(fetch, serving.url + "/ui/")
        print(json.dumps([before, status, len(page())]))

trio.run(main)
"""


# Serves until it has loaded everything, and prints what is loaded of a team's store and of an export.
TEAM_PROGRAM = """
import os, sys
import trio
from router.server.serve import running
from router.settings import Settings
from router.store.home.home import open_home

async def main():
    async with running(Settings(port=0, require_key="off"), open_home(os.environ)) as serving:
        await serving.loaded.wait()
        parts = ("router.store.team", "valkey", "redis", "router.telemetry.otlp", "router.upstream.export")
        print(*[name for name in sys.modules if name.startswith(parts)])

trio.run(main)
"""


def test_a_proxy_without_a_team_loads_nothing_of_one(tmp_path):
    """Without shared.url neither the store of a team nor the client of its server is loaded, without telemetry.otlp no
    export."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TEAM_PROGRAM],
        env={**keep, "HOME": str(tmp_path), "FAIRLEAD_HOME": str(tmp_path / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout.split() == []


def test_the_page_is_loaded_by_the_first_request_to_it(tmp_path):
    """A proxy whose page nobody opens pays nothing for it."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PAGE_PROGRAM],
        env={**keep, "HOME": str(tmp_path), "FAIRLEAD_HOME": str(tmp_path / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    before, status, after = json.loads(done.stdout)
    assert (before, status) == ([], 200)
    assert after > 5
