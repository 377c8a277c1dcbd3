"""The workflows have no right that they do not name, and run nothing but what the repository's own table pins."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = "a" * 40
GOOD = f"""
permissions: {{}}
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@{PIN} # v1
        with:
          persist-credentials: false
      - run: echo "$TAG"
        env:
          TAG: ${{{{ github.ref_name }}}}
"""


def check(script, tmp_path, text, known=None):
    path = tmp_path / "some.yml"
    path.write_text(text)
    known = {"actions/checkout": PIN} if known is None else known
    return list(script("check_workflows").problems(path, known))


def test_the_workflows_are_in_order(script):
    """Pins, permissions, times and scripts of all workflows here; no row of the table is left over."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "build" / "check_workflows.py")],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_good_one_has_no_finding(script, tmp_path):
    """Each rule lets a workflow pass that keeps it."""
    assert check(script, tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f"checkout@{PIN}", "checkout@v7", "pinned to v7"),
        (f"checkout@{PIN}", "checkout", "pinned to nothing"),
        ("actions/checkout", "else/checkout", r"actions\.md says nothing"),
        ("permissions: {}\n", "", "begins with permissions"),
        ("    permissions:\n      contents: read\n", "", "does not say its permissions"),
        ("    timeout-minutes: 5\n", "", "how long"),
        ("persist-credentials: false", "fetch-depth: 1", "credential"),
        ('echo "$TAG"', "echo ${{ github.event.issue.title }}", "expands a value"),
        ('echo "$TAG"', "echo ${{ inputs.name }}", "expands a value"),
        ("    steps:", "    container: alpine:3\n    steps:", "pinned to nothing"),
    ],
)
def test_each_rule_is_kept(script, tmp_path, old, new, told):
    """What breaks a rule is told."""
    assert old in GOOD
    found = check(script, tmp_path, GOOD.replace(old, new))
    assert len(found) == 1
    assert re.search(told, found[0])


@pytest.mark.parametrize(("action", "fine"), [("docker/login-action", False), ("sigstore/cosign-installer", True)])
def test_an_identity_is_for_signers(script, tmp_path, action, fine):
    """A job that can get an identity runs no action of others, except for what signs."""
    rights = GOOD.replace("contents: read", "id-token: write")
    text = rights.replace("    steps:\n", f"    steps:\n      - uses: {action}@{PIN}\n")
    found = check(script, tmp_path, text, {"actions/checkout": PIN, action: PIN})
    assert found == [] if fine else "has an identity and runs docker/login-action" in found[0]


CALLED = "on:\n  workflow_call:\n    secrets:\n      KEY:\n        required: false\n"


@pytest.mark.parametrize(
    ("secrets", "fine"), [("secrets:\n      KEY: x", True), ("secrets: inherit", False), ("with: {}", False)]
)
def test_secrets_of_a_called_workflow_are_named(script, tmp_path, secrets, fine):
    """An environment's secret reaches a called workflow only where its caller names it."""
    (tmp_path / "called.yml").write_text(CALLED)
    call = "  two:\n    permissions: {}\n    uses: ./.github/workflows/called.yml\n    "
    found = check(script, tmp_path, f"{GOOD}{call}{secrets}\n")
    assert found == [] if fine else "without naming its secrets" in found[0]


def test_a_release_keeps_no_cache(script, tmp_path):
    """A cache of another run does not reach what is released."""
    path = tmp_path / "release.yml"
    path.write_text(GOOD.replace("persist-credentials: false", "persist-credentials: false\n          cache: pip"))
    assert "uses a cache" in next(script("check_workflows").problems(path, {"actions/checkout": PIN}))


def test_scripts_are_clean():
    """shellcheck finds nothing in the scripts of the workflows."""
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    scripts = sorted((ROOT / ".github" / "scripts").glob("*.sh"))
    assert scripts
    done = subprocess.run(
        ["shellcheck", *map(str, scripts)], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.stdout == ""


@pytest.mark.slow
def test_other_tools_find_nothing():
    """zizmor and, where it is, actionlint have no finding."""
    environ = {**os.environ}
    if not os.environ.get("FAIRLEAD_ACTIONLINT") and shutil.which("actionlint") is None:
        environ["FAIRLEAD_ACTIONLINT"] = "off"
    done = subprocess.run(
        [sys.executable, str(ROOT / "build" / "check_workflows.py"), "--tools"],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        env=environ,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
