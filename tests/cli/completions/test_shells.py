"""Real bash, zsh and fish on a terminal: what a TAB makes of a line."""

import json
import shutil
import subprocess
import sys

import pytest

from router.cli.completions.scripts import SCRIPTS

from .homes import write_history, write_home

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="these shells and terminals are not there"),
]
if sys.platform != "win32":
    from .shells import SHELLS, Terminal, make_environ

# What is typed, and the line after a TAB. `:` and `=` break words in bash, `:` parts descriptions in zsh.
LINES = [
    ("fairlead back", "fairlead backend "),
    ("fairlead backend set g", "fairlead backend set groq "),
    ("fairlead explain groq:", "fairlead explain groq:llama-3.3-70b-versatile "),
    ("fairlead explain groq:ll", "fairlead explain groq:llama-3.3-70b-versatile "),
    ("fairlead env --shell=z", "fairlead env --shell=zsh "),
    ("fairlead accounts remove groq w", "fairlead accounts remove groq work "),
    ("fairlead usage --b", "fairlead usage --by "),
    ("fairlead config set timeouts.id", "fairlead config set timeouts.idle "),
    ("fairlead config set backends.off", "fairlead config set backends.office."),
    ("fairlead why req", "fairlead why req_0000000000000000000b "),
    ("fairlead config export ho", "fairlead config export home/"),
    ("fairlead proxy --log-file=ho", "fairlead proxy --log-file=home/"),
    ("fairlead explain Sl", "fairlead explain Slow\\ One "),
    ('fairlead explain "Slow O', 'fairlead explain "Slow One" '),
    ("fairlead explain 'Slow O", "fairlead explain 'Slow One' "),
    ("fairlead bogus x", "fairlead bogus x"),
    ("echo a; fairlead backend set g", "echo a; fairlead backend set groq "),
]
# Names that a shell or a terminal could take for something else; each has its own beginning.
HOSTILE = [
    "ha b",
    "hb$(touch pwned)",
    "hc`touch pwned`",
    "hd;touch pwned",
    "he&touch pwned",
    "hf|touch pwned",
    "hg*",
    "hh'quote",
    'hi"quote',
    "hj\\back",
    "hk:colon:",
    "hl=${HOME}",
    "hm!!",
    "hn~#%{}[]()<>?",
    "hw\\:x",
    "hp\u00fcn\u00ef\u00e7\u00f6de",
]
CONTROL = [
    f"q9{rest}" for rest in ("a\x1b]0;title\x07", "b\nline", "c\ttab", "d\u202egnp", "e\x9b31m", "f\x00", "g" * 300)
]


def find(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    return shell


@pytest.fixture(params=["bash", "zsh", "fish"])
def terminal(request, tmp_path):
    """Each shell with completion loaded, in a folder that has the home."""
    shell = find(request.param)
    home = write_home(tmp_path / "home")
    write_history(home)
    terminal = Terminal(shell, make_environ(tmp_path, home.path))
    yield terminal
    terminal.close()


@pytest.fixture(params=["bash", "zsh", "fish"])
def hostile(request, tmp_path):
    """Shell, terminal, folder: with aliases of hostile names."""
    shell = find(request.param)
    aliases = "".join(f"{json.dumps(name)} = {json.dumps(name)}\n" for name in [*HOSTILE, *CONTROL, "-q9"])
    home = write_home(tmp_path / "home", f"demo = false\n[aliases]\n{aliases}")
    environ = make_environ(tmp_path, home.path)
    terminal = Terminal(shell, environ)
    yield shell, terminal, tmp_path, environ
    terminal.close()


def test_lines(terminal):
    """The rest of the word is put in, with the signs that the shell reads as its own escaped, and a space after it
    where the word is whole."""
    found = [(typed, terminal.complete(typed)[0]) for typed, _ in LINES]
    assert found == LINES


def test_a_list(terminal):
    """Two TABs show all that may stand there."""
    _, shown = terminal.complete("fairlead history ", tabs=2)
    assert "export" in shown
    assert "clear" in shown


@pytest.mark.parametrize("part", range(4))
def test_hostile_names_are_one_word(hostile, part):
    """A name arrives in the command as it is in the file, and nothing of it is run."""
    shell, terminal, folder, environ = hostile
    for name in HOSTILE[part::4]:
        line, _ = terminal.complete(f"fairlead explain {name[:2]}")
        words = line.removeprefix("fairlead explain ")
        program = {"bash": ["bash", "--norc", "-c"], "zsh": ["zsh", "-f", "-c"], "fish": ["fish", "--no-config", "-c"]}
        done = subprocess.run(
            [*program[shell], f"printf '%s\\n' {words}"],
            capture_output=True,
            text=True,
            env=environ,
            cwd=folder,
            check=True,
        )
        assert done.stdout.rstrip("\n") == name, (name, line)
    assert not (folder / "pwned").exists()


def test_names_with_control_characters_are_not_offered(hostile):
    """They would reach the terminal, and what is left of them without would be another name."""
    _, terminal, _, _ = hostile
    line, shown = terminal.complete("fairlead explain q9", tabs=2)
    assert line == "fairlead explain q9"
    assert "title" not in shown
    assert "gnp" not in shown
    line, _ = terminal.complete("fairlead explain -q")
    assert line == "fairlead explain -q"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid(shell):
    """The shell itself finds no fault."""
    done = subprocess.run([find(shell), "-n"], input=SCRIPTS[shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_of_macos_is_enough():
    """bash 3.2 has none of these."""
    later = ("mapfile", "readarray", "declare -A", "local -n", "${var^", "[-1]", "&>>", "|&", "compgen -V")
    assert [word for word in later if word in SCRIPTS["bash"]] == []
    # It knows no compopt: without it the script goes on.
    assert all("2>/dev/null" in line for line in SCRIPTS["bash"].splitlines() if "compopt " in line and "#" not in line)


def test_bash_with_strict_options(tmp_path):
    """`set -u` and an `IFS` of the user's do no harm, and a `fairlead` that cannot be run is silent."""
    home = write_home(tmp_path / "home")
    program = """
        set -u; IFS=a; eval "$(fairlead completions bash)"
        COMP_LINE="fairlead backend set " COMP_POINT=21 COMP_WORDS=(fairlead backend set "") COMP_CWORD=3
        _fairlead; printf '<%s>' "${COMPREPLY[@]}"
        PATH=/nowhere; _fairlead; echo "${#COMPREPLY[@]}"
    """
    done = subprocess.run(
        [find("bash"), "--norc", "-c", program],
        capture_output=True,
        text=True,
        env=make_environ(tmp_path, home.path),
        check=True,
    )
    assert (done.stdout, done.stderr) == ("<groq><office>0\n", "")


def test_every_shell_is_driven():
    """None of those that can be had here is left out."""
    assert {*SHELLS} == {*SCRIPTS} - {"powershell"}
