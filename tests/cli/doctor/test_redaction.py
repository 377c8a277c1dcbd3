"""No secret leaves the command, of whatever kind and wherever a check puts it."""

import json
import os
from pathlib import Path

import pytest
import trio

from router.cli.doctor.redaction import redact
from router.cli.doctor.row import Row
from router.cli.doctor.screen import format_json, format_text
from router.cli.doctor.situation import look_around
from router.settings import Secret
from router.store.home.home import open_home
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

from .conftest import look, needs_modes

# One of each kind, with where it is kept. None has the form of a key that is known by its looks.
STORED = "zq1stored000aaaabbbb"
IN_VARIABLE = "zq2variable000aaaabbb"
OF_COMMAND = "zq3printed000aaaabbbb"
IN_COMMAND = "zq4argument000aaaabbb"
IN_FILE = "zq5infile000aaaabbbbb"
HEADER = "zq6header000aaaabbbbb"
API_KEY = "zq7apikey000aaaabbbbbbbbbbbbbbbbbbbb"
OTHER_TOKEN = "zq8token000aaaabbbbbb"
PASSWORD = "zq9pass000aaaa%21bbb"
ACCESS, REFRESH, CLIENT = "zqaaccess000aaaabbbb", "zqbrefresh000aaaabbb", "zqcclient000aaaabbbb"
KNOWN = [
    *(STORED, IN_VARIABLE, IN_COMMAND, HEADER, API_KEY, OTHER_TOKEN, PASSWORD, "zq9pass000aaaa!bbb"),
    *(ACCESS, REFRESH, CLIENT),
]
LOOKS = ["sk-ant-api03-abcdefghijkl", "gsk_abcdefghijklmnop", "AIzaabcdefghijklmnopqrstu", "Bearer abcdefghijkl"]
FETCHED = [OF_COMMAND, IN_FILE]


@pytest.fixture
def full(fairlead, provider):
    """A home with a secret in each place."""
    folder = fairlead.folder
    (folder / "key").write_text(IN_FILE)
    (folder / "key").chmod(0o600)
    script = folder / "print"
    script.write_text(f"#!/bin/sh\necho {OF_COMMAND}\n")
    script.chmod(0o700)
    base = ("--base-url", f"{provider.url}/v1", "--protocols", "chat")
    for name, arguments in {
        "stored": ["--key-stdin"],
        "variable": ["--key-env", "PLAIN_NAME"],
        "command": ["--key-cmd", f"{script} {IN_COMMAND}"],
        "file": ["--key-file", str(folder / "key")],
        "header": ["--no-key", "--header", f"X-Own-Thing={HEADER}"],
    }.items():
        done = fairlead("backend", "add", name, *base, *arguments, stdin=STORED if name == "stored" else "")
        assert (fairlead.home / "backends" / f"{name}.json").exists(), done
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    tokens = Tokens(ACCESS, REFRESH, 1.0, 60.0, CLIENT)
    login = Login(name="work", issuer="https://id.example", tokens=tokens, client_id="x", token_endpoint="https://x/t")
    logins.save_login(home, login, use_keyring=False)
    config = fairlead.home / "config.toml"
    config.write_text(f'api_key = "{API_KEY}"\n{config.read_text()}')
    fairlead.environ |= {
        "PLAIN_NAME": IN_VARIABLE,
        "SOME_TOKEN": OTHER_TOKEN,
        "HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:1",
        "NO_PROXY": "127.0.0.1",
    }
    return fairlead


def find_secrets(text, secrets):
    """Those that a text holds, plainly or as JSON has them."""
    return [one for one in secrets if one in text or json.dumps(one)[1:-1] in text]


@needs_modes
def test_whatever_a_check_says(full):
    """Every secret in every field of a row, in both forms and at every width."""
    texts = []

    async def main():
        # In one run of trio, as the checks fetch keys.
        there = await look_around(full.environ, Path(full.folder), offline=True, probe=False)
        for backend in there.backends:
            for account in backend.accounts:
                await there.credentials.key(account.key)
        for secret in [*KNOWN, *LOOKS, *FETCHED, home_token(full)]:
            row = Row(f"a.{secret}", "fail", f"it said {secret}.", f"use {secret}: x", subject=secret)
            for text in (format_text([row], None), format_text([row], 60), format_text([row], 24), format_json([row])):
                texts.append((secret, redact(text, there)))

    trio.run(main)
    assert len(texts) == 4 * (len(KNOWN) + len(LOOKS) + len(FETCHED) + 1)
    assert [(secret, text) for secret, text in texts if find_secrets(text, [secret])] == []
    for secret, text in texts:
        if text.startswith("{"):
            assert json.loads(text)["problems"] == 1, secret


def home_token(fairlead):
    """The operator's token."""
    return open_home({"FAIRLEAD_HOME": str(fairlead.home)}).token("operator.token").reveal()


@needs_modes
@pytest.mark.parametrize("arguments", [(), ("--json",), ("--offline",)])
def test_a_whole_run(full, arguments):
    """Of a home with all of them nothing is printed."""
    done = full("doctor", *arguments)
    assert done.out
    everything = [*KNOWN, *FETCHED, home_token(full)]
    assert find_secrets(done.out + done.err, everything) == []


def test_an_upstream_that_repeats_the_key(fairlead, provider, examine):
    """In an error, and in the list of its models."""
    provider.models = [STORED, "model-a"]
    provider.needs_key = False
    add = ("backend", "add", "box", "--base-url", f"{provider.url}/v1", "--protocols", "chat")
    assert fairlead(*add, "--key-stdin", stdin=STORED).code == 0
    assert find_secrets(json.dumps(examine("backend.box").rows), [STORED]) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"it is fl-{'a-Z9_' * 8}abc.", "it is [redacted]."),
        ("http://me:word@proxy.example:3128 refused", "http://proxy.example:3128 refused"),
        ("http://me@proxy.example/", "http://proxy.example/"),
        ("https://x.example/v1?key=abc&b=1 is", "https://x.example/v1 is"),
        ("write to someone@mail.example.org.", "write to [redacted]."),
        ("at 127.0.0.1:3456, is that right?", "at 127.0.0.1:3456, is that right?"),
        ("pip@host is no address", "pip@host is no address"),
    ],
)
def test_addresses(fairlead, text, shown):
    """Hosts stay, since they are needed; logins, queries and persons go."""
    assert redact(text, look(fairlead)) == shown


def test_the_users_own_folder(fairlead, monkeypatch):
    """It has the user's name in it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    situation = look(fairlead)
    assert redact("see /home/somebody/.fairlead", situation) == f"see ~{os.sep}.fairlead"
    assert redact("rm '/home/somebody/a b'", situation) == f"rm ~{os.sep}'a b'"
    monkeypatch.setenv("HOME", "/")
    assert redact("see /etc/hosts", situation) == "see /etc/hosts"


def test_what_cannot_be_searched_is_not_printed(fairlead):
    """A text that is nested too deeply, or larger than what is searched."""
    fairlead.environ["SOME_TOKEN"] = OTHER_TOKEN
    assert redact("x" * (2 << 20), look(fairlead)) == "[redacted]"


def test_secrets_are_no_settings(fairlead):
    """The settings of this test hold one, so that the others count."""
    fairlead.environ["FAIRLEAD_API_KEY"] = API_KEY
    situation = look(fairlead)
    assert isinstance(situation.settings.api_key, Secret)
    assert redact(f"it is {API_KEY}", situation) == "it is [redacted]"
