"""Google's SDKs of other languages and generations, and Vercel's, against a proxy, over backends of each protocol.

They are used where they are installed: FAIRLEAD_GEMINI_SDKS names folders, apart as in PATH, each with one of them: in
its node_modules, or as an environment of Python.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ..e2e.processes import Proxy, backend
from ..e2e.test_sdk_gemini import OTHERS, SPOKEN, echo, named
from ..providers.gemini import KEY, GeminiUpstream

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent / "gemini"
FOLDERS = [Path(name) for name in os.environ.get("FAIRLEAD_GEMINI_SDKS", "").split(os.pathsep) if name]
SECONDS = 120


def command(folder):
    """What runs the SDK of a folder, with the file beside it that the SDK is found from; None for none."""
    for package, script in (("@google/genai", "google_genai.mjs"), ("@ai-sdk/google", "ai_sdk.mjs")):
        if (folder / "node_modules" / package).is_dir():
            return ["node"], HERE / script
    if (folder / "bin" / "python").exists():
        return [str(folder / "bin" / "python")], HERE / "google_genai_1.py"
    return None


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Proxy(tmp_path_factory.mktemp("demo")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, demo):
    """A proxy with one backend for each protocol, and the fake of Google's."""
    root = f"http://127.0.0.1:{demo.port}/v1"
    with GeminiUpstream(echo) as up:
        backends = [
            backend("gemini", up.root, protocols=["gemini"], auth="key", key=KEY),
            *(backend(name, root, protocols=[name]) | {"added": 1} for name in OTHERS),
        ]
        settings = {"FAIRLEAD_DEMO": "off", "FAIRLEAD_DEFAULT_BACKEND": "gemini"}
        with Proxy(tmp_path_factory.mktemp("sdks"), backends=backends, settings=settings) as running:
            running.settled(*SPOKEN)
            running.up = up
            yield running
        assert not up.broken


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("folder", FOLDERS or [None], ids=lambda folder: folder.name if folder else "none")
def test_an_sdk(tmp_path, proxy, folder, spoken):
    """Answers, streams, rounds with tools and conversations come through; limits and broken streams are raised."""
    if folder is None:
        pytest.skip("FAIRLEAD_GEMINI_SDKS names no SDK")
    program, script = command(folder)
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    # JavaScript finds packages from where the file stands.
    placed = tmp_path / script.name
    shutil.copy2(script, placed)
    if (folder / "node_modules").is_dir():
        (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    proxy.up.refused.clear()
    names = [named(spoken, kind) for kind in ("", "-tools", "-429", "-cut")]
    url = f"http://127.0.0.1:{proxy.port}"
    done = subprocess.run(
        [*program, str(placed), url, *names], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    found = {one.pop("step"): one for one in map(json.loads, done.stdout.splitlines())}
    assert found, done.stderr
    returned = "The tool returned: sunny in Turin"
    for step, expected in {
        "whole": "one two three",
        "stream": "one two three",
        "calling": returned,
        "calling in a stream": returned,
        "chat": returned,
        "chat in a stream": returned,
        "count": True,
        "list": True,
    }.items():
        assert found.pop(step, {"got": expected}) == {"got": expected}, (step, done.stderr)
    assert found.pop("limited")["status"] == 429
    assert "raised" in found.pop("cut stream")
    assert found == {}
    assert [str(error) for _, error in proxy.up.refused if error.code == 400] == []
