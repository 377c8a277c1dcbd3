"""config.toml: what cannot be read is refused with its place, and a change leaves all else as it was."""

import os
import subprocess
import sys
import tomllib

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from router.errors import CommandError
from router.store.config import toml
from router.store.config.toml import Change, changed

from ...patience import PATIENCE
from ...settings.documents import documents

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")


def put(home, data):
    home.write("config.toml", data.encode() if isinstance(data, str) else data)


def test_no_file_is_no_file(home):
    """A home without one has the defaults."""
    assert toml.read(home) is None
    assert toml.load(home, {}).settings == toml.resolve({}, {}).settings


def test_all_four_sources_meet(home):
    """What a reload calls reads the file anew each time, below the environment and flags."""
    put(home, "port = 1\nverbose = 1\ndemo = false\n[timeouts]\nidle = 5\n")
    loaded = toml.load(home, {"FAIRLEAD_VERBOSE": "2", "FAIRLEAD_DEMO": "on"}, {"demo": "off"})
    assert (loaded.settings.port, loaded.settings.verbose, loaded.settings.demo) == (1, 2, False)
    assert {key: loaded.sources[key].text for key in ("host", "port", "verbose", "demo", "timeouts.idle")} == {
        "host": "default",
        "port": "config.toml, line 1",
        "verbose": "$FAIRLEAD_VERBOSE",
        "demo": "--demo",
        "timeouts.idle": "config.toml, line 5",
    }
    put(home, "port = 2\n")
    assert toml.load(home, {}).settings.port == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"port = \n", "line 1, column 8: invalid TOML (invalid value)."),
        (b"a = 1\nport 5\n", "line 2, column 6: invalid TOML (expected '=' after a key in a key/value pair)."),
        (b"a = 1\na = 2\n", "line 2, column 6: invalid TOML (cannot overwrite a value)."),
        (b"[t]\n[t]\n", "line 2, column 3: invalid TOML (cannot declare ('t',) twice)."),
        (b"a = 'x\n", "invalid TOML"),
        (b"a = [1,\n", "line 1: invalid TOML (invalid value at the end of the file)."),
        (b"a = 1\n\nb = '\0'\n", "line 3, column 6: invalid TOML (found invalid character '\\x00')."),
        (b"a = 1\nb = \xff\n", "line 2: not UTF-8."),
        ("port = 1\n".encode("utf-16"), "line 1: not UTF-8."),
        (b"a = " + b"[" * 5000, "line 1: brackets are nested over 64 deep."),
        (b"a = " + b"9" * 5000, "line 1: a number has over 4,000 digits."),
        (b"port = 1\r\nport = 2\r\n", "line 2, column 9: invalid TOML"),
        (b"a = 1 \r b = 2", "invalid TOML"),
    ],
)
def test_broken_text_is_refused_with_its_place(home, data, said):
    """By file, line and column; never with a traceback, never read as an empty file."""
    put(home, data)
    with pytest.raises(CommandError) as caught:
        toml.load(home, {})
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(home.at("config.toml")))


def test_byte_order_mark_is_no_key(home):
    """An editor's mark is read over, and stays when the file is saved."""
    put(home, b"\xef\xbb\xbfport = 1\n")
    assert toml.load(home, {}).settings.port == 1
    toml.change(home, [Change(("verbose",), 2)])
    assert home.read("config.toml") == b"\xef\xbb\xbfport = 1\nverbose = 2\n"


def test_large_file_is_refused(home):
    """At 1 MiB it is read, above it is not."""
    put(home, b"# " + b"x" * ((1 << 20) - 3) + b"\n")
    assert toml.load(home, {}).unknown == ()
    put(home, b"# " + b"x" * (1 << 20) + b"\n")
    with pytest.raises(CommandError, match="larger than 1 MiB"):
        toml.load(home, {})


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_others_can_read_is_refused(home, mode):
    """For reading and for a change, with the command that closes it."""
    put(home, "port = 1\n")
    home.at("config.toml").chmod(mode)
    for act in (lambda: toml.read(home), lambda: toml.change(home, [Change(("port",), 2)])):
        with pytest.raises(CommandError, match="can be read by others") as caught:
            act()
        assert caught.value.hint.startswith("Close it:   chmod 600")
    assert home.at("config.toml").read_text() == "port = 1\n"


@posix
def test_link_is_refused(home, tmp_path):
    """A link in its place is not followed, for reading or a change."""
    target = tmp_path / "elsewhere.toml"
    target.write_text("port = 1\n")
    target.chmod(0o600)
    home.at("config.toml").symlink_to(target)
    for act in (lambda: toml.read(home), lambda: toml.change(home, [Change(("port",), 2)])):
        with pytest.raises(CommandError, match="is a link"):
            act()
    assert target.read_text() == "port = 1\n"


@posix
def test_saved_file_is_private(home):
    """Mode 0600, whatever the umask."""
    old = os.umask(0)
    try:
        toml.change(home, [Change(("port",), 1)])
    finally:
        os.umask(old)
    assert home.at("config.toml").stat().st_mode & 0o777 == 0o600


TEXT = """# mine
port = 4000   # since May

[timeouts]  # all
idle = "2m"
# the end
[future]
thing = {a = 1, b = [1,
  2]}

[[routes]]
name = "one"
model = "x"
"""


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ([Change(("port",), 1)], "port = 4000   # since May", "port = 1   # since May"),
        ([Change(("timeouts", "idle"), "9s")], 'idle = "2m"', 'idle = "9s"'),
        ([Change(("timeouts", "total"), "9s")], "# the end\n", '# the end\ntotal = "9s"\n'),
        ([Change(("port",), None)], "port = 4000   # since May\n", ""),
        ([Change(("verbose",), 2)], "# since May\n", "# since May\nverbose = 2\n"),
        ([Change(("routes",), [{"name": "one", "model": "x"}, {"model": "y"}])], 'model = "x"\n', None),
    ],
)
def test_change_touches_its_key_alone(changes, before, after):
    """Comments, order, blank lines and unknown keys stay as they are."""
    result = changed(TEXT, changes, "config.toml")
    if after is None:
        assert result.startswith(TEXT)
        assert tomllib.loads(result)["routes"] == changes[0].value
    else:
        assert result == TEXT.replace(before, after)


@pytest.mark.parametrize(
    ("text", "changes", "result"),
    [
        ("", [Change(("timeouts", "idle"), "2m")], '[timeouts]\nidle = "2m"\n'),
        ("", [Change(("aliases", "gpt-4.1"), "a:b")], '[aliases]\n"gpt-4.1" = "a:b"\n'),
        ("", [Change(("backends", "g", "timeouts", "idle"), 3)], "[backends.g.timeouts]\nidle = 3\n"),
        ("timeouts = {idle = 1}\n", [Change(("timeouts", "total"), 3)], "timeouts = {idle = 1,total = 3}\n"),
        ("timeouts.idle = 1\n", [Change(("timeouts", "total"), 3)], "timeouts.idle = 1\ntimeouts.total = 3\n"),
        ("[timeouts]\nidle = 1\n\n[x]\n", [Change(("timeouts", "idle"), None)], "[x]\n"),
        ("[backends.g.timeouts]\nidle = 1\n", [Change(("backends", "g", "timeouts", "idle"), None)], ""),
        ("a = 1\r\n# c\r\n", [Change(("b",), 2)], "a = 1\r\n# c\r\nb = 2\r\n"),
    ],
)
def test_forms_of_a_change(text, changes, result):
    """New tables, tables of each form, empty tables that go, and the line ends of the file."""
    assert changed(text, changes, "config.toml") == result


KEYS = st.sampled_from(
    [
        Change(("timeouts", "idle"), "7s"),
        Change(("port",), 7),
        Change(("aliases", "a b.c"), "x:y"),
        Change(("backends", "groq", "timeouts", "idle"), "7s"),
        Change(("backends", "groq", "set_headers"), {"x-a": "b"}),
        Change(("routes",), [{"name": "r", "when": {"tools": True}, "model": "m"}]),
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(documents(), KEYS, st.booleans())
def test_everything_survives_a_save(document, change, windows):
    """Whatever stands in the file: afterwards it holds what it held and the change, and every line of it is there in
    its order. A form that cannot be changed so is refused."""
    text = document.text.replace("\n", "\r\n") if windows else document.text
    try:
        result = changed(text, [change], "config.toml")
    except CommandError as refused:
        hint = refused.hint
    else:
        hint = ""
    if hint:
        assert "config edit" in hint
        assume(False)
    tree, node = tomllib.loads(document.text), tomllib.loads(result)
    for key in change.path[:-1]:
        node = node[key]
    assert node[change.path[-1]] == change.value
    wanted = dict(tree)
    assert {key: value for key, value in tomllib.loads(result).items() if key != change.path[0]} == wanted
    # Blanks inside a header's brackets are all that may go.
    lines = iter(_dense(result))
    for line in _dense(text):
        assert line in lines, line
    # And taken out again, what was there is left.
    back = changed(result, [Change(change.path, None)], "config.toml")
    assert tomllib.loads(back) == tree


def _dense(text):
    return ["".join(line.split()) for line in text.split("\n")]


def test_invalid_change_is_not_saved(home):
    """The whole result is checked as it would be loaded, the rest of the file too."""
    put(home, 'port = 1\n[aliases]\na = "x"\n')
    for changes in ([Change(("port",), "x")], [Change(("aliases", "x"), "a")], [Change(("timeouts",), 3)]):
        with pytest.raises(CommandError, match="nothing was saved: "):
            toml.change(home, changes)
    assert home.read("config.toml") == b'port = 1\n[aliases]\na = "x"\n'


def test_broken_file_is_not_changed(home):
    """A file that cannot be read is not changed: its owner must mend it."""
    for text in (b"port = \n", b"port = 'x'\n", b"timeouts = 3\n"):
        put(home, text)
        with pytest.raises(CommandError):
            toml.change(home, [Change(("timeouts", "idle"), "2m")])
        assert home.read("config.toml") == text


PROGRAM = """
import sys
from router.store.config import toml
from router.store.home.home import open_home
home = open_home({"FAIRLEAD_HOME": sys.argv[1]})
for number in range(8):
    toml.change(home, [toml.Change(("aliases", f"{sys.argv[2]}-{number}"), "a:b")])
"""


def test_four_processes_lose_nothing(home):
    """Each reads what the others have written."""
    put(home, "# all\n[aliases]\n")
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", PROGRAM, str(home.path), name]) for name in "abcd"
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    aliases = toml.load(home, {}).settings.aliases
    assert set(aliases) == {f"{name}-{number}" for name in "abcd" for number in range(8)}
    assert home.read("config.toml").startswith(b"# all\n[aliases]\n")
    assert [name for name in os.listdir(home.path) if name.startswith(".config")] == []


def test_reading_loads_no_writer():
    """tomlkit costs every start what only a save needs."""
    program = (
        "import sys; from router.store.config import toml; toml.parse('a = 1\\nb.c = [1]', 'x'); "
        "assert 'tomlkit' not in sys.modules and 'yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)
