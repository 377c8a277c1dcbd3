"""Writes the lock files anew: `pip install '.[lock]' && python build/lock.py`.

build/locks/NAME.txt pins every package with its hashes for all systems and Pythons: `runtime` what the program needs,
`test` and `build` that and the extra of the same name. Addresses of indexes stay out of them.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {"runtime": (), "test": ("--extra", "test"), "build": ("--extra", "build")}
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")


def main() -> int:
    """Resolve each set anew; 0 when all were written."""
    folder = ROOT / "build" / "locks"
    folder.mkdir(exist_ok=True)
    for name, extra in LOCKS.items():
        # --upgrade: what stands in the file would else be kept, its hashes too, from whichever index they came.
        command = ["uv", "pip", "compile", "pyproject.toml", *extra, *OPTIONS, "--upgrade", "--system-certs"]
        done = subprocess.run([*command, "-o", str(folder / f"{name}.txt")], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
