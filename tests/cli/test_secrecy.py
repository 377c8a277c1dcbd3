"""A key stays where it was put: for each kind of source it works, and no output, file or argument holds it."""

import base64
import json
import os
import stat
import sys

import pytest

from .backend.test_commands import add

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")

CANARY = "sk-canary-0123456789abcdef"

# A keyring in a file, for processes of their own.
KEYRING = """
import json, os
from keyring.backend import KeyringBackend

class Shelf(KeyringBackend):
    priority = 1

    def _read(self):
        try:
            with open(os.environ["SHELF"]) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def get_password(self, service, username):
        return self._read().get(f"{service}/{username}")

    def _write(self, entries):
        with open(os.environ["SHELF"], "w") as file:
            json.dump(entries, file)

    def set_password(self, service, username, password):
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service, username):
        entries = self._read()
        del entries[f"{service}/{username}"]
        self._write(entries)
"""


@pytest.fixture
def shelf(fairlead):
    """A keyring for the commands of a test."""
    folder = fairlead.folder / "shelf"
    folder.mkdir()
    (folder / "shelf.py").write_text(KEYRING)
    fairlead.environ |= {
        "PYTHONPATH": os.pathsep.join([str(folder), os.getcwd()]),
        "PYTHON_KEYRING_BACKEND": "shelf.Shelf",
        "SHELF": str(folder / "entries"),
    }
    return folder / "entries"


@pytest.fixture(params=["stdin", "env", "file", "cmd", "keyring"])
def given(request, fairlead, shelf):
    """One way to give the canary: the options, and what else the command gets."""
    private = fairlead.folder / "private"
    private.touch(mode=0o600)
    private.write_text(CANARY + "\n")
    options, stdin = {
        "stdin": (["--key-stdin"], CANARY),
        "env": (["--key-env", "CANARY_KEY"], ""),
        "file": (["--key-file", str(private)], ""),
        "cmd": (["--key-cmd", f"cat {private}"], ""),
        "keyring": (["--keyring", "--key-stdin"], CANARY),
    }[request.param]
    fairlead.environ["CANARY_KEY"] = CANARY
    return request.param, options, stdin


def test_a_key_made_of_aws_credentials_is_nowhere(fairlead, provider):
    """Neither it nor what it is made of and holds: in lists, tests, files, or when the provider repeats it."""
    seen = []
    secret, session = "secret-canary/0123456789+abcdef", "session-canary/0123456789+abcdef=="
    environ = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": session}
    fairlead.environ |= environ

    def answer(path, key):
        seen.append(key)
        url = base64.b64decode((key or "").removeprefix("bedrock-api-key-")).decode()
        return 403, {"error": {"message": f"Incorrect {session} in {url} of {key}", "code": str(key)}}

    provider.answer = answer
    said = [add(fairlead, provider, "--protocols", "chat", "--key-cloud", "aws:bedrock@us-east-1")]
    said += [fairlead(*command) for command in (*LISTS, *TESTS, ("doctor",), ("backend", "test", "office"))]
    made = [key for key in seen if key and key.startswith("bedrock-api-key-")]
    assert made
    text = str(said) + json.dumps(fairlead.backend("office"))
    assert "Incorrect" in text
    for hidden in ("canary", "bedrock-api-key-", "X-Amz-Signature", *made):
        assert hidden not in text
    assert fairlead.backend("office")["accounts"][0]["key"] == "aws:bedrock@us-east-1"
    assert json.loads(said[1].out)["accounts"][0]["source"] == "aws"


LISTS = [
    ("accounts", "list", "--json"),
    ("backend", "list"),
    ("backend", "list", "--json"),
    ("accounts", "list"),
]
TESTS = [("backend", "test", "office", "--json"), ("models", "--json")]


def test_key_works_and_is_nowhere(fairlead, provider, given):
    """Each source gives the key to the provider; no list, test or error shows it."""
    kind, options, stdin = given
    said = [add(fairlead, provider, "--protocols", "chat", *options, stdin=stdin)]
    said += [fairlead("accounts", "add", "office", "work", *options, stdin=stdin)]
    said += [fairlead("backend", "set", "office", *options, stdin=stdin)]
    lists = [fairlead(*command) for command in LISTS]
    said += lists + [fairlead(*command) for command in TESTS]
    assert {key for _, key in provider.seen} <= {CANARY, None}
    assert CANARY in {key for _, key in provider.seen}
    assert "key refused (401" in said[0].out
    assert "canary" not in str(said)
    stored = json.dumps(fairlead.backend("office"))
    assert (CANARY in stored) is (kind == "stdin")
    listed = json.loads(lists[0].out)["accounts"]
    assert [entry["source"] for entry in listed] == ["stored" if kind == "stdin" else kind] * 2


def test_key_that_a_provider_repeats_is_taken_out(fairlead, provider, given):
    """A provider that echoes the key in its error does not make fairlead print it."""
    _, options, stdin = given
    provider.answer = lambda path, key: (401, {"error": {"message": f"Incorrect key {key}", "code": str(key)}})
    said = [add(fairlead, provider, "--protocols", "chat", *options, stdin=stdin)]
    said += [fairlead(*command) for command in TESTS]
    assert "(key)" in said[0].out
    assert "canary" not in str(said)


def test_source_that_fails_is_told_without_it(fairlead, provider, given):
    """When the source breaks, each command says which and why."""
    kind, options, stdin = given
    add(fairlead, provider, "--protocols", "chat", *options, stdin=stdin)
    private = fairlead.folder / "private"
    if kind == "stdin":
        path = fairlead.home / "backends" / "office.json"
        path.write_text(path.read_text().replace(CANARY, f"{CANARY} {CANARY}"))
    fairlead.environ["CANARY_KEY"] = f"{CANARY} {CANARY}"
    private.write_text(f"{CANARY}\n{CANARY}\n")
    shelf = fairlead.folder / "shelf" / "entries"
    shelf.touch()
    shelf.write_text(json.dumps({"fairlead/office": f"{CANARY}\n{CANARY}"}))
    said = [fairlead("backend", "test", "office"), *(fairlead(*command) for command in TESTS)]
    assert said[0].code == 1
    assert "not tried: " in said[0].out
    assert ("space" in said[0].out) or ("more than one line" in said[0].out)
    assert "canary" not in str(said)


def test_key_is_in_no_argument_of_a_child(fairlead, provider, tmp_path):
    """What runs while a key is fetched sees neither it nor other keys in its arguments."""
    seen = fairlead.folder / "arguments"
    private = fairlead.folder / "private"
    private.write_text(CANARY)
    body = f"ps -eo args >{seen} 2>/dev/null || cat /proc/[0-9]*/cmdline >{seen} 2>/dev/null\ncat {private}"
    program = fairlead.folder / "program"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    add(fairlead, provider, "--protocols", "chat", "--key-cmd", str(program))
    assert seen.stat().st_size
    assert CANARY not in seen.read_text(errors="replace")


def test_keyring_entry_is_made_found_and_left(fairlead, provider, shelf):
    """--keyring puts a piped key there, takes one that is there, and says what stays when the backend goes."""
    arguments = ("--protocols", "chat", "--keyring")
    code, _, err = add(fairlead, provider, *arguments)
    assert code == 1
    assert "the keyring has no entry fairlead/office" in err
    assert "--keyring --key-stdin" in err
    assert not (fairlead.home / "backends").exists()
    code, out, _ = add(fairlead, provider, *arguments, "--key-stdin", stdin="sk-good")
    assert code == 0
    assert "key from keyring fairlead/office" in out
    assert "key accepted" in out
    assert json.loads(shelf.read_text()) == {"fairlead/office": "sk-good"}
    assert fairlead.backend("office")["accounts"] == [{"alias": "default", "key": "keyring:fairlead/office"}]
    assert add(fairlead, provider, *arguments).code == 0
    fairlead("accounts", "add", "office", "work", "--keyring", "--key-stdin", stdin="sk-good")
    fairlead("accounts", "add", "office", "own", "--keyring", "mine/office")
    assert set(json.loads(shelf.read_text())) == {"fairlead/office", "fairlead/office.work"}
    _, out, _ = fairlead("accounts", "remove", "office", "work")
    assert "Its entry in the keyring stays: fairlead/office.work" in out
    _, out, _ = fairlead("backend", "remove", "office")
    assert "Its entry in the keyring stays: fairlead/office\n" in out


def test_machine_without_a_keyring(fairlead, provider):
    """Where none runs, --keyring says so and stores nothing."""
    fairlead.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    code, out, err = add(fairlead, provider, "--protocols", "chat", "--keyring", "--key-stdin", stdin=CANARY)
    assert (code, out) == (1, "")
    assert "no keyring is available" in err
    assert "canary" not in err
    assert not (fairlead.home / "backends").exists()


def test_key_file_rules_are_told(fairlead, provider):
    """A key file that others can read is refused with its fix; the backend is saved and works once it is mended."""
    private = fairlead.folder / "private"
    private.write_text("sk-good")
    private.chmod(0o644)
    code, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-file", str(private))
    assert code == 0
    assert "not tried: ~/private can be read by others (mode 0644)" in out
    assert f"Close it:   chmod 600 {private}" in out
    assert "Try:   fairlead backend test office" in out
    assert stat.S_IMODE(private.stat().st_mode) == 0o644
    private.chmod(0o600)
    assert fairlead("backend", "test", "office").code == 0
    private.unlink()
    assert "(missing)" in fairlead("backend", "list").out


def test_command_runs_once_for_a_test(fairlead, provider):
    """A password manager that asks its user asks once for the whole test of a backend."""
    program = fairlead.folder / "program"
    runs = fairlead.folder / "runs"
    program.write_text(f"#!/bin/sh\necho run >>{runs}\necho sk-good\n")
    program.chmod(0o700)
    add(fairlead, provider, "--key-cmd", str(program))
    assert len(runs.read_text().splitlines()) == 1
    assert fairlead.backend("office")["protocols"] == ["messages", "chat", "responses"]
    assert fairlead("backend", "test", "office").code == 0
    assert len(runs.read_text().splitlines()) == 2
