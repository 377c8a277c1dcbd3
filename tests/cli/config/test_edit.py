"""`fairlead config edit`: a copy in the user's editor, which takes the file's place only when it is valid."""

import os
import shlex
import stat
import sys

import pytest

from router.store.home.home import open_home

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the editor here is a POSIX command line")

TEXT = "# mine\nport = 4000\n"


def write(fairlead, text):
    """The config file of the fixture's home."""
    open_home(fairlead.environ).write("config.toml", text.encode())


def content(fairlead):
    """The config file's text."""
    return (fairlead.home / "config.toml").read_text()


def editor(program):
    """$EDITOR that runs a Python program on the file, `path`."""
    return shlex.join([sys.executable, "-c", f"import sys, pathlib; path = pathlib.Path(sys.argv[1]); {program}"])


def append(text):
    return editor(f"path.write_text(path.read_text() + {text!r})")


def copies(fairlead):
    return [name for name in os.listdir(fairlead.home) if name.startswith("config.edit")]


def test_valid_text_is_saved(fairlead):
    """The editor sees the file's text in a private file; what it saves takes the file's place, mode 0600."""
    write(fairlead, TEXT)
    look = editor(
        "assert path.read_text() == '# mine\\nport = 4000\\n'; assert path.stat().st_mode & 0o77 == 0; "
        "path.write_text('port = 4001  # new\\n')"
    )
    code, out, err = fairlead("config", "edit", EDITOR=look)
    assert (code, out, err) == (0, "Saved ~/home/config.toml.\n", "")
    assert content(fairlead) == "port = 4001  # new\n"
    assert stat.S_IMODE((fairlead.home / "config.toml").stat().st_mode) == 0o600
    assert copies(fairlead) == []


def test_visual_comes_first(fairlead):
    """As for other programs."""
    code, _, _ = fairlead("config", "edit", VISUAL=append("port = 1\n"), EDITOR="false")
    assert code == 0
    assert content(fairlead).endswith("port = 1\n")


def test_first_file_begins_with_a_word_of_help(fairlead):
    """And is not made when nothing is written."""
    assert fairlead("config", "edit", EDITOR="true") == (0, "Nothing was changed.\n", "")
    assert not (fairlead.home / "config.toml").exists()
    assert copies(fairlead) == []
    assert fairlead("config", "edit", EDITOR=append("port = 1\n")).code == 0
    assert content(fairlead).startswith("# fairlead's settings.")


def test_editor_with_a_mode_of_its_own(fairlead):
    """Editors that replace the file do so with the umask's mode; the saved file is private all the same."""
    program = "path.unlink(); path.write_text('port = 1\\n'); path.chmod(0o644)"
    assert fairlead("config", "edit", EDITOR=editor(program)).code == 0
    assert stat.S_IMODE((fairlead.home / "config.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize("named", ["nano", "/usr/bin/vim.basic -u NONE", ""])
def test_without_a_terminal_no_editor_waits_for_keys(fairlead, named):
    """One that is used in a terminal alone is not started where nobody can type, such as in a script or an agent."""
    usual = fairlead.folder / "bin"
    usual.mkdir()
    (usual / "nano").write_text("#!/bin/sh\ntouch started\n")
    (usual / "nano").chmod(0o755)
    code, out, err = fairlead("config", "edit", EDITOR=named, VISUAL="", PATH=str(usual))
    assert (code, out) == (1, "")
    assert "needs a terminal, and standard input is none" in err
    assert "fairlead config set KEY VALUE" in err
    assert copies(fairlead) == []


@pytest.mark.parametrize("added", ["prot", "port = 1\n", 'verbose = "9"\n', "\x00\n"])
def test_invalid_text_is_kept_beside(fairlead, added):
    """What is wrong is said, nothing is saved, and the text is not lost: its place is named."""
    write(fairlead, TEXT)
    program = f"path.write_text(path.read_text() + {added!r})"
    code, out, err = fairlead("config", "edit", EDITOR=editor(program))
    assert (code, out) == (1, "")
    [copy] = copies(fairlead)
    assert f"error: ~/home/{copy}, line 3" in err
    assert "nothing was saved." in err
    assert f"mv {fairlead.home / copy} {fairlead.home / 'config.toml'}" in err
    assert content(fairlead) == TEXT
    assert (fairlead.home / copy).read_text() == TEXT + added
    assert stat.S_IMODE((fairlead.home / copy).stat().st_mode) == 0o600


def test_broken_file_can_be_mended(fairlead):
    """The command that errors name must work on the file they are about."""
    write(fairlead, "port = \n")
    assert fairlead("config", "show").code == 1
    assert fairlead("config", "edit", EDITOR=editor("path.write_text('port = 1\\n')")).code == 0
    assert content(fairlead) == "port = 1\n"


def test_unknown_keys_are_told(fairlead):
    """They are saved: a newer fairlead may know them."""
    code, _, err = fairlead("config", "edit", EDITOR=append("prot = 1\n"))
    assert code == 0
    assert "unknown key prot; did you mean port?" in err
    assert "prot = 1" in content(fairlead)


def test_change_by_another_process_is_not_overwritten(fairlead):
    """A `config set` while the editor is open."""
    write(fairlead, TEXT)
    other = str(fairlead.home / "config.toml")
    program = f"path.write_text('port = 1\\n'); pathlib.Path({other!r}).write_text('port = 2\\n')"
    code, _, err = fairlead("config", "edit", EDITOR=editor(program))
    assert code == 1
    assert "was changed meanwhile" in err
    assert content(fairlead) == "port = 2\n"
    assert len(copies(fairlead)) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/nowhere/editor", "/nowhere/editor cannot be started"),
        ("'unclosed", "$EDITOR is not a valid command line"),
        ("false", "false ended with code 1; nothing was changed."),
    ],
)
def test_editor_that_does_not_work(fairlead, name, said):
    """It is said, and leaves nothing behind."""
    write(fairlead, TEXT)
    code, out, err = fairlead("config", "edit", EDITOR=name)
    assert (code, out) == (1, "")
    assert said in err
    assert copies(fairlead) == []
    assert content(fairlead) == TEXT


def test_on_a_terminal_it_is_offered_again(fairlead):
    """y opens the editor on the same text once more; n keeps it."""
    from ..terminals import on_terminal

    write(fairlead, TEXT)
    program = (
        "text = path.read_text(); "
        "path.write_text(text.replace('bad', '1') if 'bad' in text else text + 'verbose = bad\\n')"
    )
    code, said = on_terminal(fairlead, ["config", "edit"], ["y"], EDITOR=editor(program))
    assert "line 3, column 11: invalid TOML" in said
    assert "Edit it again? [Y/n]" in said
    assert (code, content(fairlead)) == (0, TEXT + "verbose = 1\n")
    code, said = on_terminal(fairlead, ["config", "edit"], ["n"], EDITOR=append("port = 1\n"))
    assert code == 1
    assert "Your text is kept." in said
    assert len(copies(fairlead)) == 1
