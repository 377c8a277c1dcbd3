"""Keys: what a user does wrong when giving one, and keys that stop working."""

import json
import os
import sys
import threading

import pytest

from ..cli.conftest import Command, Provider
from ..e2e.wire import JSON, ask
from .mistake import Mistake

MISTAKES = {
    "C1": Mistake("pipe a key with line ends and blanks", cause="", place="", command=""),
    "C2": Mistake(
        "pipe two lines",
        cause="has more than one line",
        place="the key on standard input",
        command="expected the key alone",
    ),
    "C3": Mistake("pipe nothing", cause="is empty", place="the key on standard input", command="--key-stdin < key.txt"),
    "C4": Mistake(
        "pipe a line of an .env file",
        cause="begins with GROQ_API_KEY=",
        place="the key on standard input",
        command="Leave out GROQ_API_KEY=: give the key alone.",
    ),
    "C5": Mistake(
        "pipe the value of an Authorization header",
        cause="begins with Bearer",
        place="the key on standard input",
        command="Leave out Bearer",
    ),
    "C6": Mistake(
        "pipe the name of a variable",
        cause="is the text $OPENAI_API_KEY, not the value of that variable",
        place="the key on standard input",
        command="--key-env OPENAI_API_KEY",
    ),
    "C7": Mistake(
        "give OpenAI a key of Anthropic",
        cause="this key begins with sk-ant- as those of Anthropic do",
        place="openai is OpenAI",
        command="fairlead backend add openai --key-stdin",
    ),
    "C8": Mistake(
        "give the key itself, or a $ with the name, to --key-env",
        cause="is not a valid environment variable name",
        place='"$GROQ_API_KEY"',
        command="Give only the name, without $ or =.",
    ),
    "C9": Mistake(
        "give the key in the command line",
        cause="other users can read a command's arguments",
        place="",
        command="--key-stdin",
    ),
    "C10": Mistake(
        "name a variable that the running proxy does not have",
        cause="is not set in the running proxy",
        place="$FOO_KEY",
        command="restart it from a shell that has it",
    ),
    "C11": Mistake(
        "name a variable that is not set",
        cause="is not set in this shell",
        place="$WORK_KEY",
        command="Set the variable where the proxy runs",
    ),
    # The answer of the provider is relayed as it came; the backend stands in a header.
    "C12": Mistake(
        "use a tool with an expired key",
        cause="Your key has expired.",
        place="asked      expired",
        command="fairlead backend add expired --key-stdin",
    ),
    "C13": Mistake(
        "ask why, after an expired key",
        cause="Your key has expired.",
        place="asked      expired",
        command="fairlead backend add expired --key-stdin",
    ),
    "C14": Mistake(
        "name a command that fails",
        cause="failed with exit code 3: no such entry",
        place="the command sh",
        command="fairlead backend test box",
    ),
    "C15": Mistake(
        "write a pipe in --key-cmd",
        cause="has a | for a shell, and none runs",
        place="the command for the key",
        command="sh -c",
    ),
    "C16": Mistake("name a file of somebody else", cause="belongs to", place="", command="Use a file of your own"),
    "C17": Mistake(
        "have a backend with a key pass on the tool's login",
        cause="the stored key was dropped",
        place="requests carry each tool's own login now",
        command="fairlead backend set box --key-stdin",
    ),
    "C18": Mistake(
        "change the base URL of a backend with a key",
        cause="the stored key was dropped",
        place="the base URL changed",
        command="fairlead backend add box --key-stdin",
    ),
    "C19": Mistake("go on when the quota is used up", cause="429 quota", place="poor", command="parked for 10 min"),
    "C20": Mistake(
        "ask from a country that is not served",
        cause="Your country is not supported.",
        place="asked      far",
        command="fairlead accounts add far",
    ),
}

# Other forms of the same mistakes.
FURTHER = {
    "C4": Mistake(
        "pipe a key in quotes",
        cause="is in quotes",
        place="the key on standard input",
        command="Leave out the quotes",
    ),
    "C6": Mistake(
        "pipe what documentation prints in place of a key",
        cause="is a placeholder, not a key",
        place="the key on standard input",
        command="Give the key that your provider shows you",
    ),
}

REFUSALS = {
    "sk-expired": (401, {"error": {"message": "Your key has expired.", "code": "invalid_api_key"}}),
    "sk-poor": (429, {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}),
    "sk-far": (403, {"error": {"message": "Your country is not supported.", "code": "unsupported_country"}}),
}


class Picky(Provider):
    """A provider that shows its list to all, and refuses the keys in REFUSALS."""

    def answer(self, path, key):
        if path != "/v1/models" and key in REFUSALS:
            return REFUSALS[key]
        return super().answer(path, "sk-good")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A running proxy whose backends are named for what is wrong with their keys: the commands, and its port."""
    command = Command(tmp_path_factory.mktemp("served"))
    with Picky() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for name in ("expired", "poor", "far"):
            address = ("--base-url", server.url, "--protocols", "chat")
            command("backend", "add", name, *address, "--key-stdin", stdin=f"sk-{name}")
        command.start("proxy", "--port", "0")
        [run] = (command.home / "run").glob("*.json")
        yield command, json.loads(run.read_text())["port"], server
        command.close()
        server.shutdown()
        thread.join()


def add(fairlead, provider, *options, name="box", **how):
    """`backend add` for the provider; all that it prints."""
    done = fairlead("backend", "add", name, "--base-url", provider.url, "--protocols", "chat", *options, **how)
    return done.code, done.out + done.err


def refuse(fairlead, provider, mistake, *options, **how):
    """`backend add` that saves nothing, and says what the table asks for."""
    code, said = add(fairlead, provider, *options, **how)
    assert code in (1, 2)
    assert not (fairlead.home / "backends").exists()
    mistake.check(said)


def tell(served, name):
    """A request by a tool: the status, and the text and headers of the answer."""
    body = json.dumps({"model": f"{name}:model-a", "messages": [{"role": "user", "content": "hi"}]}).encode()
    answer = ask(served[1], "/v1/chat/completions", body, kind=JSON)
    return answer.status, f"{answer.body.decode()}\n{answer.lines}"


def test_c1(fairlead, provider):
    """White space around a key is no part of it."""
    code, said = add(fairlead, provider, "--key-stdin", stdin="\ufeff  sk-good\r\n\n")
    assert (code, "key accepted" in said) == (0, True)


def test_c2(fairlead, provider):
    """Two lines are no key."""
    refuse(fairlead, provider, MISTAKES["C2"], "--key-stdin", stdin="sk-good\nsk-better\n")


def test_c3(fairlead, provider):
    """Nothing on standard input, or none at all: the way to give a key is shown."""
    refuse(fairlead, provider, MISTAKES["C3"], "--key-stdin", stdin="\n")


def test_c4(fairlead, provider):
    """What a line of an .env file has beside the key is named, and the key is not stored with it."""
    refuse(fairlead, provider, MISTAKES["C4"], "--key-stdin", stdin="GROQ_API_KEY=sk-good\n")
    refuse(fairlead, provider, FURTHER["C4"], "--key-stdin", stdin='"sk-good"\n')


def test_c5(fairlead, provider):
    """Bearer is no part of a key."""
    refuse(fairlead, provider, MISTAKES["C5"], "--key-stdin", stdin="Bearer sk-good\n")


def test_c6(fairlead, provider):
    """What stands for a key is not stored as one."""
    refuse(fairlead, provider, MISTAKES["C6"], "--key-stdin", stdin="$OPENAI_API_KEY\n")
    refuse(fairlead, provider, FURTHER["C6"], "--key-stdin", stdin="sk-...\n")


@pytest.mark.parametrize("source", ["stdin", "variable"])
def test_c7(fairlead, provider, source):
    """A key that looks like another provider's is stored as asked, with a warning that names both."""
    key = "sk-ant-api03-0123456789"
    how = {"stdin": key} if source == "stdin" else {"OPENAI_API_KEY": key}
    option = ("--key-stdin",) if source == "stdin" else ("--key-env", "OPENAI_API_KEY")
    _, said = add(fairlead, provider, *option, name="openai", **how)
    MISTAKES["C7"].check(said)
    assert key not in said
    _, said = add(fairlead, provider, "--key-stdin", name="box", stdin=key)
    assert "begins with" not in said


def test_c8(fairlead, provider):
    """--key-env takes a name."""
    refuse(fairlead, provider, MISTAKES["C8"], "--key-env", "$GROQ_API_KEY")


def test_c9(fairlead, provider):
    """It works, with a warning."""
    code, said = add(fairlead, provider, "--key", "sk-good")
    assert (code, "key accepted" in said) == (0, True)
    MISTAKES["C9"].check(said)


def test_c10(served):
    """Each command that speaks of the key says that the running proxy lacks it, and so does the answer to a tool."""
    fairlead, _, provider = served
    _, said = add(fairlead, provider, "--key-env", "FOO_KEY", name="foo", FOO_KEY="sk-good")
    MISTAKES["C10"].check(said)
    for command in (("backend", "list"), ("backend", "test", "foo"), ("accounts", "list")):
        done = fairlead(*command, FOO_KEY="sk-good")
        MISTAKES["C10"].check(done.out, done.err)
        assert "(set" not in done.out
    listed = fairlead("accounts", "list", "foo").out
    assert "100 %" not in listed
    status, answer = tell(served, "foo")
    assert (status, "$FOO_KEY is not set" in answer) == (401, True)
    assert "Start the proxy from a shell that has the provider's key" in answer
    _, said = add(fairlead, provider, "--key-env", "PATH", name="path")
    assert "warning" not in said


def test_c11(fairlead, provider):
    """A variable that is not set in this shell is saved for the proxy's; the account is not said to serve."""
    add(fairlead, provider, "--key-stdin", stdin="sk-good")
    done = fairlead("accounts", "add", "box", "work", "--key-env", "WORK_KEY")
    assert done.code == 0
    MISTAKES["C11"].check(done.out, done.err)
    assert "in use" not in done.out
    assert "key from $WORK_KEY (not set in this shell)" in done.out


def test_c12(served):
    """The provider's own text reaches the tool, and the answer names the backend."""
    status, answer = tell(served, "expired")
    assert status == 401
    MISTAKES["C12"].check(answer, served[0]("why", "-").out)


def test_c13(served):
    """Afterwards `why` has the provider's words, the backend that refused the key, and how to give another."""
    fairlead = served[0]
    tell(served, "expired")
    MISTAKES["C13"].check(fairlead("why", "-").out)
    assert fairlead("backend", "test", "expired").code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sh")
def test_c14(fairlead, provider):
    """A command that fails is quoted; the backend is saved, as the command may work later."""
    code, said = add(fairlead, provider, "--key-cmd", 'sh -c "echo no such entry >&2; exit 3"')
    assert code == 0
    MISTAKES["C14"].check(said)
    _, said = add(fairlead, provider, "--key-cmd", "no-such-program")
    assert "no-such-program" in said


def test_c15(fairlead, provider):
    """No shell runs the command, and that is said with the way to have one."""
    refuse(fairlead, provider, MISTAKES["C15"], "--key-cmd", "pass openai | head -1")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners")
def test_c16(fairlead, provider, tmp_path):
    """Nobody is told to take over the system's files."""
    path = "/etc/passwd"
    if os.getuid() == 0:
        path = str(tmp_path / "key")
        (tmp_path / "key").touch(mode=0o600)
        os.chown(path, 65534, 65534)
    _, said = add(fairlead, provider, "--key-file", path)
    MISTAKES["C16"].check(said)
    assert path in said
    assert "chown" not in said
    assert "sudo" not in said


def test_c17(fairlead, provider):
    """A key is not deleted without a word."""
    add(fairlead, provider, "--key-stdin", stdin="sk-good")
    code, said = add(fairlead, provider, "--auth", "client")
    assert (code, fairlead.backend("box")["accounts"]) == (0, [])
    MISTAKES["C17"].check(said)


def test_c18(fairlead, provider):
    """A key is for the place that it was given for."""
    add(fairlead, provider, "--key-stdin", stdin="sk-good")
    done = fairlead("backend", "set", "box", "--base-url", f"{provider.url}/team")
    MISTAKES["C18"].check(done.out, done.err)


def test_c19(served):
    """The provider's text reaches the tool; the list says until when the account is left out."""
    status, answer = tell(served, "poor")
    assert (status, "You exceeded your current quota." in answer) == (429, True)
    MISTAKES["C19"].check(served[0]("accounts", "list", "poor").out)


def test_c20(served):
    """The provider's text reaches the tool, and the answer names the backend."""
    status, answer = tell(served, "far")
    assert status == 403
    MISTAKES["C20"].check(answer, served[0]("why", "-").out)
