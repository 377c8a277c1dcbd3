"""`fairlead backend`: adding, listing, testing and removing, against a provider on loopback."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from router.store.home.home import open_home

from ...patience import PATIENCE


def add(fairlead, provider, *arguments, name="office", **options):
    return fairlead("backend", "add", name, "--base-url", provider.url, *arguments, **options)


def words(text):
    return " ".join(text.split())


def test_add_with_a_good_key(fairlead, provider):
    """Adding asks the provider and says that the key was accepted, how many models there are, and one to try."""
    code, out, err = add(fairlead, provider, "--protocols", "chat,messages", "--key-stdin", stdin="sk-good\n")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first == f"office   {provider.url}/v1   messages, chat   key stored"
    assert re.fullmatch(r"  reached in (\d+ ms|\d\.\d s), key accepted, 2 models   e\.g\. office:model-a", second)


def test_key_is_kept_to_its_file(fairlead, provider):
    """The key stands in a file of mode 0600 and nowhere in any output."""
    outputs = [add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")]
    outputs += [
        fairlead("backend", "list"),
        fairlead("backend", "list", "--json"),
        fairlead("backend", "test", "office"),
    ]
    path = fairlead.home / "backends" / "office.json"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fairlead.backend("office")["accounts"] == [{"alias": "default", "key": "sk-good"}]
    assert "sk-good" not in str(outputs)
    assert json.loads(outputs[2].out)["backends"][0]["credentials"] == "key stored"


def test_add_with_a_refused_key_saves_and_says_so(fairlead, provider):
    """A refused key is said with status and code; the backend is saved, and the fix named."""
    code, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-bad")
    assert code == 1
    assert "key refused (401 invalid_api_key)" in out
    assert out.endswith(
        "Saved, but requests to it will fail. Give another key:   fairlead backend add office --key-stdin\n"
    )
    assert fairlead.backend("office")["root"] == f"{provider.url}/v1"


def test_add_by_variable(fairlead, provider):
    """A key named by its variable is stored as a reference, resolved for the check, and shown as set or not."""
    arguments = ("--protocols", "chat", "--key-env", "OFFICE_KEY")
    _, out, _ = add(fairlead, provider, *arguments, OFFICE_KEY="sk-good")
    assert "key from $OFFICE_KEY (set in this shell)" in out
    assert "key accepted" in out
    code, out, _ = add(fairlead, provider, *arguments)
    assert code == 0
    assert "key from $OFFICE_KEY (not set in this shell)" in out
    assert "not tried: $OFFICE_KEY is not set" in out
    assert fairlead.backend("office")["accounts"] == [{"alias": "default", "key": "env:OFFICE_KEY"}]


def test_open_list_does_not_prove_a_key(fairlead, provider):
    """A provider that shows its list to anyone has not accepted the key, and fairlead does not say so."""
    provider.closed = False
    _, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-bad")
    assert "key accepted" not in out
    assert "the key was not tested. Test it:   fairlead backend test office" in out


def test_provider_without_a_list(fairlead, provider):
    """Where there is no model list, a tiny request tells whether the key is taken."""
    provider.models = None
    _, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    assert "key accepted, no model list; name its models as office:MODEL" in out
    _, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-bad")
    assert "key refused (401)" in out
    provider.serves = set()
    _, out, _ = add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    assert f"{provider.url}/v1 has no model list and no chat" in out
    assert "Is its path right? Change the address:   fairlead backend set office --base-url URL" in out


def test_unreachable_provider_is_saved(fairlead, provider):
    """A server that is not up yet is saved, with what was seen and how to try again."""
    provider.server_close()
    code, out, _ = add(fairlead, provider, "--protocols", "chat", "--no-key")
    assert code == 0
    assert "refused the connection" in out
    assert "Try again:   fairlead backend test office" in out


def test_protocols_are_found_out(fairlead, provider):
    """Without --protocols each is tried, and those that answer are kept."""
    provider.needs_key = False
    provider.serves = {"/v1/messages", "/v1/chat/completions"}
    code, out, _ = add(fairlead, provider, "--no-key")
    assert code == 0
    assert fairlead.backend("office")["protocols"] == ["messages", "chat"]
    assert "messages, chat   no key" in out
    provider.serves = set()
    code, _, err = add(fairlead, provider, "--no-key", name="other")
    assert code == 1
    assert "answered none of messages, chat, responses" in err
    assert "--protocols chat" in err


def test_own_login(fairlead, provider):
    """--auth client stores no key, and a provider that asks for one is as it should be."""
    code, out, _ = add(fairlead, provider, "--protocols", "messages", "--auth", "client")
    assert code == 0
    assert "each tool's own login" in out
    assert fairlead.backend("office")["auth"] == "client"
    assert fairlead.backend("office")["accounts"] == []


def test_changed_url_drops_the_key(fairlead, provider):
    """A key belongs to the place it was given for: another base URL does not get it."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    again = ("backend", "add", "office", "--protocols", "chat,responses")
    assert fairlead(*again).code == 0
    assert fairlead.backend("office")["accounts"] == [{"alias": "default", "key": "sk-good"}]
    added = fairlead.backend("office")["added"]
    code, _, err = fairlead(*again, "--base-url", provider.url + "/other/v1")
    assert code == 1
    assert "office needs a key" in err
    code, _, err = fairlead(*again, "--base-url", provider.url + "/other/v1", "--no-key")
    assert code == 0
    assert "the stored key was dropped" in err
    stored = fairlead.backend("office")
    assert (stored["accounts"], stored["auth"], stored["added"]) == ([], "none", added)


def test_known_name_needs_no_url(fairlead, provider):
    """A known name brings URL and protocols; a server of one's own moves it with --base-url alone."""
    provider.needs_key = False
    code, out, _ = fairlead("backend", "add", "Ollama", "--base-url", provider.url)
    assert code == 0
    assert out.startswith(f"ollama   {provider.url}/v1   messages, chat, responses   no key\n")
    assert fairlead.backend("ollama")["vendor"] == "ollama"


def test_key_on_the_command_line_is_warned_about(fairlead, provider):
    """--key works, and says why --key-stdin is better."""
    code, out, err = add(fairlead, provider, "--protocols", "chat", "--key", "sk-good")
    assert code == 0
    assert "other users can read" in err
    assert "--key-stdin" in err
    assert "sk-good" not in out + err


PUBLIC = ("--base-url", "http://api.example.com")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "text"),
    [
        (["groqq"], "", 1, "Did you mean groq? Known: openai, anthropic"),
        (["claude"], "", 1, "Did you mean anthropic?"),
        (["z.ai"], "", 1, "Did you mean zai?"),
        (["Kimi"], "", 1, "Did you mean moonshot?"),
        (["qwen"], "", 1, "Did you mean alibaba?"),
        (["google"], "", 1, "Did you mean gemini?"),
        (["groq"], "", 1, "error: groq needs a key."),
        (["groq", "--key-file", "key.txt"], "", 1, "expected an absolute one"),
        (["groq", "--key-cmd", "pass show groq | head -1"], "", 1, "has a | for a shell, and none runs"),
        (["groq", "--key-cmd", ""], "", 1, "the command for the key is empty"),
        (["groq", "--keyring", "groq"], "", 1, "expected SERVICE/USER"),
        (["--keyring", "groq"], "", 2, "NAME"),
        (["groq", "--key-stdin"], "op://vault/secret", 1, "is a reference to a key, not a key"),
        (["groq", "--key-cmd", "a", "--key-stdin"], "", 2, "cannot be used together"),
        (["groq", "--profile", "x"], "", 2, "has no option --profile"),
        (["groq", "--key-stdin"], "", 1, "the key on standard input is empty"),
        (["groq", "--key-stdin"], "sk-secret\nsecond", 1, "the key on standard input has more than one line"),
        (["groq", "--key-stdin"], "sk-\x07secret", 1, "a control character"),
        (["groq", "--key", "sk secret"], "", 1, "the key given with --key has a space"),
        (["groq", "--key-env", "$KEY"], "", 1, '"$KEY" is not a valid environment variable name'),
        (["groq", "--key-env", "A", "--no-key"], "", 2, "--key-env and --no-key cannot be used together"),
        (["groq", "--auth", "magic"], "", 2, "expected client"),
        (["groq", "--protocols", "smoke", "--no-key"], "", 2, "expected some of messages,chat,responses"),
        (["demo", "--no-key"], "", 1, "built-in demo backend"),
        (["a/b", "--no-key"], "", 1, "cannot be a backend's name"),
        (["x", "--base-url", "x.example", "--no-key"], "", 1, "--base-url does not begin with https://"),
        (["x", "--base-url", "https://u:sk-secret@x.example", "--no-key"], "", 1, "a key is given apart from the URL"),
        (["x", *PUBLIC, "--no-key"], "", 1, "api.example.com is a public address"),
        (["x", *PUBLIC, "--no-key"], "", 1, "--insecure-http"),
        (["x"], "", 1, "--base-url URL --protocols chat"),
    ],
)
def test_bad_input(fairlead, capfd, arguments, stdin, code, text):
    """What cannot be a backend is refused before anything is sent or saved, with what was expected."""
    done = fairlead("backend", "add", *arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert words(text) in words(done.err)
    assert "Traceback" not in done.err
    assert "secret" not in done.err
    assert not (fairlead.home / "backends").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
def test_key_is_asked_without_echo(fairlead, provider):
    """On a terminal the key is asked for, and what is typed does not appear."""
    import pty

    controller, terminal = pty.openpty()
    line = [
        sys.executable,
        "-m",
        "router",
        "backend",
        "add",
        "office",
        "--base-url",
        provider.url,
        "--protocols",
        "chat",
    ]
    process = subprocess.Popen(
        line, stdin=terminal, stdout=terminal, stderr=terminal, env=fairlead.environ, start_new_session=True
    )
    os.close(terminal)
    screen = read_until(controller, b"empty for none): ")
    os.write(controller, b"sk-good\n")
    screen += read_until(controller, b"models")
    assert process.wait(PATIENCE) == 0
    os.close(controller)
    assert b"Key for office (not shown" in screen
    assert b"key accepted" in screen
    assert b"sk-good" not in screen


def read_until(descriptor, mark):
    screen = b""
    while mark not in screen:
        screen += os.read(descriptor, 4096)
    return screen


def test_list_is_empty_at_first(fairlead):
    """An empty list names the command that fills it."""
    assert fairlead("backend", "list") == (
        0,
        "No backends. Add one:   fairlead backend add anthropic --key-stdin\n",
        "",
    )


def test_list_goes_on_beside_a_malformed_file(fairlead, provider):
    """A file that cannot be read is named on stderr with its place; the others are listed; exit code 1."""
    add(fairlead, provider, "--protocols", "chat", "--no-key")
    open_home(fairlead.environ).write("backends/bad.json", b'{"schema": 1,\n "name": }')
    code, out, err = fairlead("backend", "list")
    assert code == 1
    assert out.splitlines()[1:] == [f"office    {provider.url}/v1   chat     no key"]
    assert err.startswith("error: ~/home/backends/bad.json, line 2, column 10: invalid JSON.\n")
    assert "fairlead backend remove bad" in err
    code, out, _ = fairlead("backend", "list", "--json")
    assert [problem["backend"] for problem in json.loads(out)["problems"]] == ["bad"]
    assert fairlead("backend", "remove", "bad") == (0, "Removed bad.\n", "")


def test_names_of_vendors_can_be_taken(fairlead, provider):
    """What is no preset may be the name of a backend of one's own."""
    assert add(fairlead, provider, "--protocols", "chat", "--no-key", name="claude").code == 0
    assert fairlead.backend("claude")["vendor"] == ""


def test_remove(fairlead, provider):
    """Removing takes backend and key away; an unknown name is met with the nearest one."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    code, _, err = fairlead("backend", "remove", "offfice")
    assert code == 1
    assert "Did you mean office? Configured: office." in err
    assert fairlead("backend", "remove", "office") == (0, "Removed office.\n", "")
    assert list((fairlead.home / "backends").iterdir()) == []
    assert "none is configured" in fairlead("backend", "remove", "office").err


def test_test_says_what_works(fairlead, provider):
    """A test sends one tiny request per protocol, says what each answered, and fails when one does not work."""
    add(fairlead, provider, "--protocols", "messages,chat", "--key-stdin", stdin="sk-good")
    code, out, err = fairlead("backend", "test", "office")
    assert (code, err) == (0, "")
    assert "  asked model-a:\n" in out
    assert [line.split()[:2] for line in out.splitlines()[3:]] == [["messages", "ok"], ["chat", "ok"]]
    assert '"Hi"' in out
    provider.serves.remove("/v1/messages")
    code, out, _ = fairlead("backend", "test", "office", "--json")
    result = json.loads(out)
    assert code == 1
    assert (result["ok"], result["reached"], result["model"]) == (False, True, "model-a")
    assert [(trial["protocol"], trial["ok"], trial["status"]) for trial in result["protocols"]] == [
        ("messages", False, 404),
        ("chat", True, None),
    ]


def test_test_of_what_does_not_answer(fairlead, provider):
    """A test of a backend with a refused key sends no further request and exits 1; an unknown one is named."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-bad")
    provider.seen.clear()
    code, out, _ = fairlead("backend", "test", "office")
    assert code == 1
    assert "key refused" in out
    assert provider.seen == [("/v1/models", "sk-bad")]
    assert fairlead("backend", "test", "nobody").code == 1


FULL = """
import resource, signal, sys
from router.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
@pytest.mark.parametrize(
    "command", [["backend", "add", "new"], ["backend", "set", "office"], ["accounts", "add", "office", "more"]]
)
def test_what_cannot_be_saved(fairlead, provider, command):
    """Where the disk is full the error is all that is said: nothing reads as if it had been saved."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    place = ["--base-url", provider.url, "--protocols", "chat"] if command[0] == "backend" else []
    line = [sys.executable, "-c", FULL, *command, *place, "--key", "sk-good"]
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=fairlead.environ, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "cannot be written" in done.stderr
    assert command[0] == "accounts" or f"{command[2]} was not saved" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptor to close")
@pytest.mark.parametrize("options", [["--key-stdin"], []])
def test_closed_input(fairlead, options):
    """A closed standard input is an empty one."""
    line = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "router", "backend", "add", "groq", *options]
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=fairlead.environ, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the key on standard input is empty" in done.stderr or "groq needs a key" in done.stderr


def test_near_names_alone_are_suggested(fairlead, provider):
    """A name that has little in common with the only one is not said to be meant."""
    add(fairlead, provider, "--protocols", "chat", "--no-key", name="openai")
    done = fairlead("backend", "test", "nope")
    assert words(done.err) == "error: there is no backend named nope. Configured: openai."
    assert "Did you mean openai?" in fairlead("backend", "test", "opnai").err


@pytest.mark.parametrize("command", [["backend", "disable"], ["backend", "remove"], ["backend", "test"]])
def test_demo_has_a_setting(fairlead, command):
    """The demo is no stored backend; the setting that turns it off is named."""
    done = fairlead(*command, "demo")
    assert done.code == 1
    assert "fairlead config set demo off" in done.err


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lists_fit_the_terminal(fairlead, provider, columns):
    """No line of the lists is longer than the terminal is wide, unless a URL alone is."""
    for name in ("office", "a-backend-of-some-length"):
        add(fairlead, provider, "--protocols", "messages,chat,responses", "--key-env", "A_KEY_OF_THE_OFFICE", name=name)
    for command in (("backend", "list"), ("accounts", "list")):
        lines = fairlead(*command, COLUMNS=str(columns)).out.splitlines()
        assert lines[0].startswith("backend")
        assert all(len(line) <= columns or provider.url in line for line in lines), lines
        assert len(lines) == 3 or columns < 200
