"""One file for all modules of a frozen folder, which its start (entry.py) reads in place of a file for each.

`_internal/modules.bin`: the length of the index (8 bytes, the lowest first), the index by `marshal`, then the code of
one module after the other. The index maps a module's dotted name to where its code starts behind the index, the code's
length, both in bytes, and whether it is a package. A package of a namespace has no code, and a length of 0.
"""

import itertools
import marshal
import subprocess
import sys
from pathlib import Path

NAME = "modules.bin"
HEADER = 16
# Later forms of marshal write what depends on the references that an object happens to have.
FORM = 2


def bundle(folder: Path) -> None:
    """Move the compiled modules of a frozen folder into its one file, in place of what stands there already. Those that
    are loaded before entry.py can read it stay files."""
    inside = folder / "_internal"
    codes = read(folder)
    early = _loaded_before()
    for path in sorted(inside.rglob("*.pyc")):
        parts = path.relative_to(inside).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        if name in early:
            continue
        codes[name] = path.read_bytes()[HEADER:], package
        path.unlink()
        for above in path.parents:
            if above == inside or any(above.iterdir()):
                break
            above.rmdir()
    index: dict[str, tuple[int, int, bool]] = {}
    start = 0
    for name, (code, package) in sorted(codes.items()):
        index[name] = start, len(code), package
        start += len(code)
    for name in codes:
        for above in itertools.accumulate(name.split(".")[:-1], "{}.{}".format):
            index.setdefault(above, (0, 0, True))
    head = marshal.dumps(dict(sorted(index.items())), FORM)
    (inside / NAME).write_bytes(
        len(head).to_bytes(8, "little") + head + b"".join(codes[name][0] for name in sorted(codes))
    )


def _loaded_before() -> set[str]:
    """The modules that this Python loads for its own start and for what entry.py imports."""
    command = "import sys, os, types, importlib.machinery; print(*sys.modules)"
    options = ("-I", "-S", "-X", "utf8=1", "-X", "frozen_modules=off")
    done = subprocess.run([sys.executable, *options, "-c", command], capture_output=True, encoding="ascii", check=True)
    return set(done.stdout.split())


def read(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """The code of each module in a folder's one file, and whether it is a package; empty without such a file."""
    path = folder / "_internal" / NAME
    if not path.is_file():
        return {}
    content = path.read_bytes()
    base = 8 + int.from_bytes(content[:8], "little")
    index = marshal.loads(content[8:base])
    return {
        name: (content[base + at : base + at + length], package)
        for name, (at, length, package) in index.items()
        if length
    }
