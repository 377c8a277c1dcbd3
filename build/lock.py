"""Writes the lock files anew: `pip install '.[lock]' && python build/lock.py`.

build/locks/NAME.txt pins every package with its hashes for all systems and Pythons: `runtime` what the program needs,
`test`, `lint` and `build` that and the extra of the same name (`build` that of a team too), `lock` uv alone, which a
release is built by. Addresses of indexes stay out of them.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The built program comes with the client for a team's server.
_EXTRAS = {"runtime": (), "test": ("test",), "lint": ("lint",), "build": ("build", "team")}
LOCKS = {name: [word for extra in extras for word in ("--extra", extra)] for name, extras in _EXTRAS.items()}
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")


def main() -> int:
    """Resolve each set anew; 0 when all were written."""
    folder = ROOT / "build" / "locks"
    folder.mkdir(exist_ok=True)
    for name, extra in LOCKS.items():
        if code := _resolve(folder / f"{name}.txt", ["pyproject.toml", *extra], ""):
            return code
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return _resolve(folder / "lock.txt", ["-"], "\n".join(project["optional-dependencies"]["lock"]))


def _resolve(target: Path, source: list[str], text: str) -> int:
    """Write one lock file; the exit code of uv. text: requirements for the source `-`."""
    # --upgrade: what stands in the file would else be kept, its hashes too, from whichever index they came.
    command = ["uv", "pip", "compile", *source, *OPTIONS, "--upgrade", "--system-certs", "-o", str(target)]
    return subprocess.run(command, cwd=ROOT, input=text, encoding="utf-8", check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
