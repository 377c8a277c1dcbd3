"""`fairlead setup` with the real tools: the check gets an answer of the demo, and undo leaves the file's bytes.

Each is used where it is installed: on PATH, or in a folder that FAIRLEAD_CLIENT_TOOLS names (several with the system's
separator)."""

import json
import os
import shutil

import pytest

from router.setup.table import BY_NAME
from router.setup.tool import Place

from ..cli.conftest import Command
from ..setup.tools.documents import POPULATED

pytestmark = pytest.mark.slow
TOOLS = [tool.name for tool in BY_NAME.values() if tool.check and tool.name in POPULATED]
# What the tools themselves would write into a file that lacks it.
COMPLETE = {
    "qwen": '{\n  // mine\n  "ui": {"hideTips": true},\n  "$version": 4\n}\n',
    "cline": None,
    "codex": '# mine\nmodel = "gpt-5" # the best\n\n[history]\npersistence = "save-all"\n',
    "opencode": '{\n  // mine\n  "$schema": "https://opencode.ai/config.json",\n  "model": "anthropic/claude-x",\n}\n',
    "pi": '{\n  // mine\n  "providers": {},\n}\n',
}


@pytest.fixture
def fairlead(tmp_path):
    """Commands on a fresh home, with the tools on PATH."""
    command = Command(tmp_path)
    folders = os.environ.get("FAIRLEAD_CLIENT_TOOLS", "")
    command.environ["PATH"] = os.pathsep.join(filter(None, (folders, os.environ.get("PATH", ""))))
    command.patience = 120
    yield command
    command.close()


@pytest.mark.parametrize("require_key", ["off", "on"])
@pytest.mark.parametrize("name", dict.fromkeys(TOOLS))
def test_real_tool(fairlead, name, require_key):
    """With and without a key that clients must send."""
    tool = BY_NAME[name]
    if shutil.which(tool.program, path=fairlead.environ["PATH"]) is None:
        pytest.skip(f"{tool.program} is not installed")
    fairlead.environ["FAIRLEAD_REQUIRE_KEY"] = require_key
    fairlead.start("proxy", "--port", "0")
    path, _ = tool.find_main(Place({}, fairlead.folder, "linux"))
    before = COMPLETE.get(name, POPULATED[name])
    if before is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before.encode())
    done = fairlead("setup", name, "--yes")
    assert done.code == 0, done
    done = fairlead("setup", name, "--check", "--json")
    assert done.code == 0, done
    found = json.loads(done.out)
    assert [one["status"] for one in found["requests"]][:1] == [200]
    done = fairlead("setup", name, "--undo", "--yes")
    assert done.code == 0, done
    assert (path.read_bytes() if path.exists() else None) == (None if before is None else before.encode())
