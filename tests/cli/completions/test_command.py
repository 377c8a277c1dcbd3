"""`fairlead completions`: the script on standard output, or in the file where the shell looks."""

import os
import sys

import pytest

from router.cli.completions.command import find_file
from router.cli.completions.scripts import SCRIPTS
from router.errors import CommandError

FILES = {
    "bash": ".local/share/bash-completion/completions/fairlead",
    "zsh": ".local/share/zsh/site-functions/_fairlead",
    "fish": ".config/fish/completions/fairlead.fish",
}


@pytest.mark.parametrize("shell", [*SCRIPTS])
def test_prints_the_script(fairlead, shell):
    """Alone, so that it can be evaluated; the home is not made."""
    done = fairlead("completions", shell)
    assert (done.code, done.out, done.err) == (0, SCRIPTS[shell], "")
    assert not fairlead.home.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="paths are others there")
@pytest.mark.parametrize("shell", [*FILES])
def test_install_and_undo(fairlead, shell):
    """The file is whole, its place is named, and --uninstall takes it away again."""
    path = fairlead.folder / FILES[shell]
    done = fairlead("completions", shell, "--install")
    assert done.code == 0
    assert done.out.splitlines()[0] == str(path)
    assert f"fairlead completions {shell} --uninstall" in done.err
    assert path.read_text() == SCRIPTS[shell]
    path.write_text(SCRIPTS[shell] + "# of an older version\n")
    assert fairlead("completions", shell, "--install").code == 0
    assert path.read_text() == SCRIPTS[shell]
    assert fairlead("completions", shell, "--uninstall").out == f"Removed {path}.\n"
    assert not path.exists()
    assert fairlead("completions", shell, "--uninstall").out == f"There is no {path}.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="paths are others there")
def test_a_file_of_the_user_stays(fairlead):
    """What fairlead did not write, it neither replaces nor removes."""
    path = fairlead.folder / FILES["fish"]
    path.parent.mkdir(parents=True)
    path.write_text("complete -c fairlead\n")
    for option in ("--install", "--uninstall"):
        done = fairlead("completions", "fish", option)
        assert done.code == 1
        assert "not written by fairlead" in done.err
    assert path.read_text() == "complete -c fairlead\n"


def test_powershell_has_no_such_file(fairlead):
    """The error has the line to add."""
    done = fairlead("completions", "powershell", "--install")
    assert done.code == 1
    assert "fairlead completions powershell | Out-String | Invoke-Expression" in done.err


def test_wrong_use(fairlead):
    """A shell that is not known, none at all, and both options are refused."""
    assert fairlead("completions").code == 2
    assert fairlead("completions", "tcsh").code == 2
    assert fairlead("completions", "fish", "--install", "--uninstall").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="paths are others there")
def test_folders_that_variables_name():
    """Absolute ones are used; a relative one is no folder."""
    environ = {"XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c"}
    assert str(find_file("bash", environ)) == "/d/bash-completion/completions/fairlead"
    assert str(find_file("zsh", environ)) == "/d/zsh/site-functions/_fairlead"
    assert str(find_file("fish", environ)) == "/c/fish/completions/fairlead.fish"
    assert str(find_file("bash", {"BASH_COMPLETION_USER_DIR": "/b"})) == "/b/completions/fairlead"
    assert str(find_file("fish", {"XDG_CONFIG_HOME": "c"})) == os.path.expanduser(
        "~/.config/fish/completions/fairlead.fish"
    )
    with pytest.raises(CommandError):
        find_file("powershell", {})
