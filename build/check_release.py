"""Says whether a tag may become a release: `python build/check_release.py --tag vX.Y.Z --repository OWNER/NAME`.

The tag is the version of the sources; packaging/CHANGELOG.md has a dated entry for it; the program has the two public
keys that `fairlead upgrade` checks releases with; and the repository is the one that the program looks for releases in.
Prints what is wrong, all of it, and exits 1; else the entry of CHANGELOG, which becomes the release's notes. Needs
nothing but Python's standard library.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

from naming import ROOT, BuildError, version

KEYS = 2
# A public key of minisign: two letters of the algorithm, eight bytes of its number, 32 of the key, in Base64.
KEY = re.compile(r"RW[A-Za-z0-9+/]{54}")


def main() -> int:
    """0 when the tag may be released."""
    parser = argparse.ArgumentParser(description="Check a tag before it is released.")
    parser.add_argument("--tag", required=True)
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    wrong = problems(options.root, options.tag, options.repository)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        return 1
    print(entry_of((options.root / "packaging" / "CHANGELOG.md").read_text("utf-8"), options.tag.removeprefix("v"))[1])
    return 0


def problems(root: Path, tag: str, repository: str) -> list[str]:
    """Everything that forbids the release; empty when nothing does."""
    wrong: list[str] = []
    number = tag.removeprefix("v")
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        wrong.append(f"the tag {tag} is not of the form vMAJOR.MINOR.PATCH")
    if version(root) != number:
        wrong.append(f"the tag is {tag}, router/__init__.py says {version(root)}")
    try:
        dated, text = entry_of((root / "packaging" / "CHANGELOG.md").read_text("utf-8"), number)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", dated):
            wrong.append(f"packaging/CHANGELOG.md dates {number} as {dated or 'nothing'}; write YYYY-MM-DD")
        if not text:
            wrong.append(f"packaging/CHANGELOG.md says nothing of {number}")
    except BuildError as error:
        wrong.append(str(error))
    installation = root / "router" / "installation"
    home = constant(installation / "project.py", "REPOSITORY")
    if home != repository:
        wrong.append(f"this is {repository}, releases are looked for in {home} (router/installation/project.py)")
    keys = constant(installation / "upgrade" / "release_keys.py", "PUBLIC_KEYS")
    valid = {key for key in keys if KEY.fullmatch(key)} if isinstance(keys, tuple) else set[str]()
    if len(valid) != KEYS or len(keys) != KEYS:
        wrong.append(f"router/installation/upgrade/release_keys.py has {len(valid)} different public keys, not {KEYS}")
    return wrong


def entry_of(changelog: str, number: str) -> tuple[str, str]:
    """The date and text of a version's entry: `## X.Y.Z (date)`. BuildError when there is none."""
    found = re.search(
        rf"^## \[?{re.escape(number)}\]?(?: \(([^)]*)\)| - (\S+))?[ ]*$(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if found is None:
        raise BuildError(f"packaging/CHANGELOG.md has no entry for {number}")
    return found[1] or found[2] or "", found[3].strip()


def constant(path: Path, name: str) -> tuple[str, ...] | str:
    """A text, or a tuple of texts, that a module of ours is assigned; read, not run. Empty when it is not there."""
    for node in ast.parse(path.read_text("utf-8")).body if path.exists() else ():
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is not None and any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = ast.literal_eval(value)
            return found if isinstance(found, str) else tuple(map(str, found))
    return ()


if __name__ == "__main__":
    sys.exit(main())
