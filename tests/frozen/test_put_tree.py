"""put-tree.sh writes a folder into a repository in one commit, and may be run again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A `gh api` whose repository is a JSON file: branches, and commits with the files of their trees.
GH = f"""#!{sys.executable}
import base64, hashlib, json, os, sys
from pathlib import Path
state = Path(os.environ["STATE"])
has = json.loads(state.read_text())
words = sys.argv[2:]
place = next(word for word in words if word.startswith("repos/")).removeprefix("repos/us/tap").strip("/")
fields = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--field")
body = json.load(sys.stdin) if "--input" in words else {{}}
name = place.rpartition("heads/")[2]
def key(value):
    return hashlib.sha1(json.dumps(value, sort_keys=True).encode()).hexdigest()
if place == "":
    print("main")
elif place.startswith("git/ref/heads/"):
    if name not in has["branches"]: sys.exit("HTTP 404")
    print(has["branches"][name])
elif place == "git/blobs":
    text = base64.b64decode(body["content"]).decode()
    has["blobs"][key(text)] = text
    print(key(text))
elif place == "git/trees":
    files = {{**has["trees"][has["commits"][body["base_tree"]]], **{{one["path"]: one["sha"] for one in body["tree"]}}}}
    has["trees"][key(files)] = files
    print(key(files))
elif place == "git/commits":
    has["commits"][key(body)] = body["tree"]
    print(key(body))
elif place.startswith("git/commits/"):
    print(has["commits"][place.removeprefix("git/commits/")])
elif "PATCH" in words:
    if name != "main" and fields.get("force") != "true": sys.exit("HTTP 422")
    has["branches"][name] = fields["sha"]
elif place == "git/refs":
    name = fields["ref"].removeprefix("refs/heads/")
    if name in has["branches"]: sys.exit("HTTP 422: Reference already exists")
    has["branches"][name] = fields["sha"]
state.write_text(json.dumps(has))
"""


@pytest.fixture
def put(tmp_path):
    """put(branch…): run the script; the state of the repository after it."""
    if sys.platform == "win32" or shutil.which("jq") is None:
        pytest.skip("needs a POSIX shell and jq")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    folder = tmp_path / "a folder" / "Formula"
    folder.mkdir(parents=True)
    (folder / "x.rb").write_text("class X\n")
    state = tmp_path / "state"
    empty = {"branches": {"main": "first"}, "commits": {"first": "none"}, "trees": {"none": {"old": "1"}}, "blobs": {}}
    state.write_text(json.dumps(empty))

    def run(*branch):
        environ = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "STATE": str(state)}
        command = ["bash", str(ROOT / ".github/scripts/put-tree.sh"), "us/tap", str(folder.parent), "A $(date) title"]
        done = subprocess.run([*command, *branch], env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(state.read_text())

    return run


def files(has, branch):
    """The files of a branch: place -> text."""
    tree = has["trees"][has["commits"][has["branches"][branch]]]
    return {name: has["blobs"].get(blob, blob) for name, blob in tree.items()}


def test_the_files_join_those_that_are_there(put):
    """One commit on the default branch, with what was there before."""
    assert files(put(), "main") == {"old": "1", "Formula/x.rb": "class X\n"}


def test_again_nothing_is_written(put):
    """A second run leaves the branch at the first one's commit."""
    assert put()["branches"] == put()["branches"]


def test_a_branch_is_made_and_made_anew(put):
    """A branch that an earlier run left is no reason to fail; the default branch stays."""
    put("next")
    has = put("next")
    assert files(has, "next") == {"old": "1", "Formula/x.rb": "class X\n"}
    assert has["branches"]["main"] == "first"
