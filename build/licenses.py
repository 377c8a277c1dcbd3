"""The licence texts of all that is inside a program: collected before it is frozen, checked against it afterwards."""

import re
import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

from naming import ROOT, BuildError

#: The extras that a built program comes with.
EXTRAS = frozenset({"team"})
TEXTS = ROOT / "build" / "license-texts"
# Of whatever name, each of these words in a file's name says that it is a licence's text.
WORDS = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)


def collect_licenses(target: Path) -> None:
    """Copy the texts of all that may be bundled into `target`, a folder for each component."""
    for name in sorted({*bundled("fairlead", EXTRAS), "pyinstaller"}):
        found = metadata.distribution(name)
        for path in found.files or ():
            if WORDS.search(path.name) and path.suffix not in (".py", ".pyc"):
                _copy(Path(str(found.locate_file(path))), target / name / path.name)
    for text in sorted(TEXTS.glob("*.txt")):
        _copy(text, target / text.stem / "LICENSE.txt")
    library = Path(sysconfig.get_path("stdlib"))
    # Beside the library, or on Windows beside the folder that it is in.
    for place in (library.parent, library):
        if (place / "LICENSE.txt").exists():
            _copy(place / "LICENSE.txt", target / "cpython" / "LICENSE.txt")


def bundled(name: str, extras: frozenset[str] = frozenset()) -> frozenset[str]:
    """A distribution and all it needs to run here, by canonical name; extras: which of its extras count."""
    found: set[str] = set()
    _add_needed(name, extras, found)
    return frozenset(found)


def _add_needed(name: str, extras: frozenset[str], found: set[str]) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found.add(name)
    for needed in map(Requirement, metadata.requires(name) or ()):
        other = canonicalize_name(needed.name)
        wanted = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
        if wanted and (other not in found or needed.extras):
            _add_needed(other, frozenset(needed.extras), found)


def settle_licenses(folder: Path, names: list[str]) -> None:
    """Leave in a frozen folder the texts of these components alone; BuildError when one has none."""
    texts = folder / "_internal" / "licenses"
    for path in texts.iterdir():
        if path.name not in names:
            shutil.rmtree(path)
    missing = [name for name in names if not any(path.stat().st_size for path in (texts / name).glob("*"))]
    if missing:
        raise BuildError(f"no licence text for {', '.join(missing)}; put it into build/license-texts/NAME.txt")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
