"""Checks the workflows: `python build/check_workflows.py [--tools]`.

Always: each action and image stands in .github/actions.md with its commit or digest, each workflow begins with no
permission, each job says its own and how long it may take, no text from outside is expanded within a script, a job
with an identity uses GitHub's own actions and the signers' (SIGNERS), a release keeps no cache, and who calls a
workflow names its secrets.
--tools also runs shellcheck on the scripts, zizmor (in the extra `lint`) and, when it is on the PATH, actionlint.
Prints each finding; exits 1 when there is one. A missing tool is a finding; $FAIRLEAD_ACTIONLINT names actionlint where
it stands elsewhere, and `off` leaves it out.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from naming import ROOT

FOLDER = ROOT / ".github"
# Values that a person outside may choose: within `run:` they would be read as commands.
OUTSIDE = re.compile(
    r"\$\{\{[^}]*\b(github\.(event|head_ref|ref_name|actor|ref)|inputs|matrix|steps|needs|vars|secrets)\b"
)

# Of others, what signs or publishes itself, and so cannot be without the identity.
SIGNERS = {
    "azure/artifact-signing-action",
    "ossf/scorecard-action",
    "pypa/gh-action-pypi-publish",
    "sigstore/cosign-installer",
}
OURS = ("actions", "github", ".")
#: In what a release is made of, where a cache would bring bytes of another run.
RELEASE = ("build.yml", "release.yml")


def main() -> int:
    """Check them all; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description="Check the workflows.")
    parser.add_argument("--tools", action="store_true", help="run shellcheck, zizmor and actionlint too")
    options = parser.parse_args()
    paths = workflows(FOLDER)
    found = [line for path in paths for line in problems(path, table(FOLDER / "actions.md"))]
    found += unused(paths, table(FOLDER / "actions.md"))
    if options.tools:
        found += [*run_shellcheck(), *run_zizmor(), *run_actionlint(paths)]
    for line in found:
        print(line)
    return 1 if found else 0


def workflows(folder: Path) -> list[Path]:
    """The workflows, and the actions of this repository."""
    return sorted([*(folder / "workflows").glob("*.yml"), *(folder / "actions").glob("*/action.yml")])


def table(path: Path) -> dict[str, str]:
    """Action or image -> its commit or digest, of the tables of a page."""
    rows = re.findall(r"^\| ([\w./-]+) \| ((?:sha256:)?[0-9a-f]{40,64}) \|", path.read_text("utf-8"), re.MULTILINE)
    return {name.lower(): pin for name, pin in rows}


def pins(text: str) -> Iterator[tuple[str, str]]:
    """Every action and image that a workflow names, with what it is pinned to; those of this repository left out."""
    for name, pin in re.findall(r"^\s*(?:- )?uses: ([^@\s]+)(?:@(\S+))?", text, re.MULTILINE):
        if not name.startswith("./"):
            # A part of a repository (codeql-action/init) has the repository's commit.
            yield "/".join(name.split("/")[:2]).lower(), pin
    for name, pin in re.findall(r"^\s*(?:container|image): ([^@\s$]+)(?:@(\S+))?$", text, re.MULTILINE):
        yield name.lower(), pin


def problems(path: Path, known: dict[str, str]) -> Iterator[str]:
    """What is wrong in one file."""
    import yaml

    text = path.read_text("utf-8")
    where = path.relative_to(FOLDER.parent).as_posix() if FOLDER in path.parents else path.name
    for name, pin in pins(text):
        if known.get(name) != pin:
            listed = known.get(name, "nothing")
            yield f"{where}: {name} is pinned to {pin or 'nothing'}, .github/actions.md says {listed}"
    parsed: Any = yaml.safe_load(text)
    jobs: dict[str, Any] = parsed.get("jobs", {"action": parsed.get("runs", {})})
    if "jobs" in parsed and parsed.get("permissions") != {}:
        yield f"{where}: begins with permissions; write `permissions: {{}}` and let each job say its own"
    for name, job in jobs.items():
        if "jobs" in parsed and "permissions" not in job:
            yield f"{where}: job {name} does not say its permissions"
        if "jobs" in parsed and "timeout-minutes" not in job and "uses" not in job:
            yield f"{where}: job {name} does not say how long it may take"
        yield from (f"{where}: job {name} {told}" for told in _rights(path, job))
        for step in job.get("steps", []):
            if "checkout@" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") is not False:
                yield f"{where}: job {name} leaves the checkout's credential on the disk"
            if OUTSIDE.search(step.get("run", "")):
                yield f"{where}: job {name} expands a value within a script; hand it over by env"


def _rights(path: Path, job: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the identity, the cache and the secrets of a job."""
    import yaml

    used = [step["uses"].partition("@")[0] for step in job.get("steps", []) if "uses" in step]
    if job.get("permissions", {}).get("id-token") == "write":
        for action in used:
            if action.partition("/")[0] not in OURS and action not in SIGNERS:
                yield f"has an identity and runs {action}"
    cached = any("cache" in step.get("with", {}) for step in job.get("steps", []))
    if path.name in RELEASE and (cached or "actions/cache" in used):
        yield "uses a cache in a release"
    called = str(job.get("uses", ""))
    if called.startswith("./"):
        # A job of the called workflow gets the secrets of its environment only if the caller named them.
        asked: Any = yaml.safe_load((path.parent / Path(called).name).read_text("utf-8"))
        # YAML reads the key `on` as true.
        secrets = set((asked.get(True) or asked["on"])["workflow_call"].get("secrets", {}))
        given = job.get("secrets", {})
        if given == "inherit" or secrets - set(given):
            yield f"calls {called} without naming its secrets: {', '.join(sorted(secrets - set(given)))}"


def unused(paths: list[Path], known: dict[str, str]) -> list[str]:
    """Rows of the table that nothing uses."""
    used = {name for path in paths for name, _ in pins(path.read_text("utf-8"))}
    return [f".github/actions.md: {name} is used nowhere" for name in sorted(known.keys() - used)]


def run_shellcheck() -> list[str]:
    """Findings in the scripts of the workflows."""
    return _run("shellcheck", [], sorted((FOLDER / "scripts").glob("*.sh")))


def run_zizmor() -> list[str]:
    """Findings of zizmor, which asks nobody."""
    beside = Path(sys.executable).with_name("zizmor")
    program = str(beside) if beside.exists() else "zizmor"
    return _run(program, ["--offline", "--no-progress", "--color=never"], [FOLDER])


def run_actionlint(paths: list[Path]) -> list[str]:
    """Findings of actionlint, which also checks the scripts within the workflows by shellcheck."""
    program = os.environ.get("FAIRLEAD_ACTIONLINT", "actionlint")
    return [] if program == "off" else _run(program, ["-no-color"], [p for p in paths if p.parent.name == "workflows"])


def _run(program: str, options: list[str], paths: list[Path]) -> list[str]:
    if shutil.which(program) is None:
        return [f"{program} is not installed"]
    done = subprocess.run(
        [program, *options, *map(str, paths)], capture_output=True, encoding="utf-8", check=False, cwd=ROOT
    )
    return [] if done.returncode == 0 else [done.stdout.strip() or done.stderr.strip()]


if __name__ == "__main__":
    sys.exit(main())
