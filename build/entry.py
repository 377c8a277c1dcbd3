"""The frozen program's first module."""

import marshal
import os
import sys
from importlib.machinery import ModuleSpec, SourcelessFileLoader
from types import CodeType

# PyInstaller's own start says so, which the folder form leaves out (fairlead.spec).
sys.frozen = True  # pyright: ignore[reportAttributeAccessIssue]

if sys.platform != "win32":
    FOLDER = os.path.dirname(os.path.abspath(__file__))

    class Modules(SourcelessFileLoader):
        """Finds and loads modules from the one file that bytecode.py describes: no folder is searched, no file opened.
        A module says of itself that it is the file that it was, beside which its package's data is."""

        file: int
        #: Where the code begins, in bytes.
        start: int
        index: dict[str, tuple[int, int, bool]]

        @classmethod
        def open(cls, path: str) -> None:
            """Let all imports look here first; the file stays open, so that it may be replaced meanwhile."""
            cls.file = os.open(path, os.O_RDONLY)
            # Not where a standard stream belongs, of which one may be closed: a log may be put there later.
            while cls.file < 3:
                cls.file = os.dup(cls.file)
            length = int.from_bytes(os.pread(cls.file, 8, 0), "little")
            cls.start = 8 + length
            cls.index = marshal.loads(os.pread(cls.file, length, 8))
            # Behind the modules that are built in and frozen.
            sys.meta_path.insert(2, cls)

        @classmethod
        def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            """What Python asks of a finder; None for what is not inside."""
            if name not in cls.index:
                return None
            _, length, package = cls.index[name]
            folder = f"{FOLDER}/{name.replace('.', '/')}"
            place = f"{folder}/__init__.pyc" if package else f"{folder}.pyc"
            # That of a namespace, which has no code, is nowhere and has no loader.
            spec = ModuleSpec(name, cls(name, place) if length else None, origin=place if length else None)
            spec.has_location = length > 0
            spec.submodule_search_locations = [folder] if package else None
            return spec

        def get_code(self, fullname: str) -> CodeType:
            """The module's code."""
            at, length, _ = self.index[fullname]
            return marshal.loads(os.pread(self.file, length, self.start + at))

    # The form of one file has its modules in PyInstaller's archive.
    if os.path.exists(f"{FOLDER}/modules.bin"):
        Modules.open(f"{FOLDER}/modules.bin")

from router.__main__ import main  # noqa: E402

code = main()
if "FAIRLEAD_SHOW_MODULES" in os.environ:
    # For the smoke test: what a command has loaded is what its start costs.
    print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
