"""How a copy was installed is told by its files, and each way has its command."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.installation.detect import OWN, SCRIPT, SCRIPT_WINDOWS, Copy, detect, find_copy

RECEIPT = '{"schema":1,"installer":"install.sh","form":"folder","prefix":"/p","channel":"stable","link":""}'
SITE = "lib/python3.12/site-packages/router"

# What is said of it: files (with their text), program, package, form, system; then kind and command.
CASES = {
    "install.sh": ({"p/receipt.json": RECEIPT}, "p/versions/0.1.0/fairlead", "", "folder", "linux", "receipt", OWN),
    "a receipt of a newer form": (
        {"p/receipt.json": RECEIPT.replace("1", "2", 1)},
        *("p/versions/0.1.0/fairlead", "", "folder", "linux", "folder", SCRIPT),
    ),
    "a damaged receipt": (
        {"p/receipt.json": "{"},
        "p/versions/0.1.0/fairlead",
        "",
        "folder",
        "linux",
        "folder",
        SCRIPT,
    ),
    "a folder beside the versions": (
        {"p/receipt.json": RECEIPT},
        *("p/other/0.1.0/fairlead", "", "folder", "linux", "folder", SCRIPT),
    ),
    "brew": (
        {},
        "opt/homebrew/Cellar/fairlead/0.1.0/libexec/fairlead",
        *("", "folder", "darwin", "brew", "brew upgrade fairlead"),
    ),
    "linuxbrew": (
        {},
        "home/linuxbrew/.linuxbrew/Cellar/fairlead/0.1.0/libexec/fairlead",
        *("", "folder", "linux", "brew", "brew upgrade fairlead"),
    ),
    "brew cask": (
        {},
        "opt/homebrew/Caskroom/fairlead/0.1.0/fairlead/fairlead",
        *("", "folder", "darwin", "brew cask", "brew upgrade --cask fairlead"),
    ),
    "scoop": (
        {"u/scoop/apps/fairlead/0.1.0/install.json": "{}"},
        *("u/scoop/apps/fairlead/0.1.0/fairlead.exe", "", "folder", "win32", "scoop", "scoop update fairlead"),
    ),
    "a folder that only looks like scoop's": (
        {},
        *("u/apps/fairlead/0.1.0/fairlead.exe", "", "folder", "win32", "folder", SCRIPT_WINDOWS),
    ),
    "winget": (
        {},
        "u/AppData/Local/Microsoft/WinGet/Packages/fairlead_x/fairlead/fairlead.exe",
        *("", "folder", "win32", "winget", "winget upgrade --exact --id fairlead.fairlead"),
    ),
    "nix": (
        {},
        *("nix/store/abc-fairlead-0.1.0/bin/fairlead", "", "folder", "linux", "nix", "nix profile upgrade fairlead"),
    ),
    "uv tool": (
        {"t/uv/tools/fairlead/uv-receipt.toml": "", "t/uv/tools/fairlead/pyvenv.cfg": "uv = 0.5\n"},
        *("t/uv/tools/fairlead/bin/python", f"t/uv/tools/fairlead/{SITE}", "", "linux"),
        *("uv tool", "uv tool upgrade fairlead"),
    ),
    "pipx": (
        {"v/pipx/venvs/fairlead/pipx_metadata.json": "{}"},
        *("v/pipx/venvs/fairlead/bin/python", f"v/pipx/venvs/fairlead/{SITE}", "", "linux"),
        *("pipx", "pipx upgrade fairlead"),
    ),
    "an environment of uv": (
        {"v/pyvenv.cfg": "home = /usr/bin\nuv = 0.5.1\n"},
        *("v/bin/python", f"v/{SITE}", "", "linux", "uv", "uv pip install --upgrade fairlead"),
    ),
    "pip": (
        {"v/pyvenv.cfg": "home = /usr/bin\n"},
        *("v/bin/python", f"v/{SITE}", "", "linux", "pip", "ROOT/v/bin/python -m pip install --upgrade fairlead"),
    ),
    "pip in a folder with a space": (
        {},
        *("my v/bin/python", f"my v/{SITE}", "", "linux", "pip"),
        '"ROOT/my v/bin/python" -m pip install --upgrade fairlead',
    ),
    "pip of Debian": (
        {},
        *("usr/bin/python3", "usr/local/lib/python3.12/dist-packages/router", "", "linux", "pip"),
        "ROOT/usr/bin/python3 -m pip install --upgrade fairlead",
    ),
    "deb": (
        {"var/lib/dpkg/info/fairlead.list": "/.\n/usr/lib/fairlead/fairlead\n"},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux", "deb", "sudo apt install ./fairlead_VERSION_ARCH.deb"),
    ),
    "deb of another machine": (
        {"var/lib/dpkg/info/fairlead:arm64.list": "/usr/lib/fairlead/fairlead\n"},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux", "deb", "sudo apt install ./fairlead_VERSION_ARCH.deb"),
    ),
    "a file that dpkg does not know": (
        {"var/lib/dpkg/info/fairlead.list": "/usr/lib/fairlead/fairlead\n"},
        *("opt/fairlead/fairlead", "", "folder", "linux", "folder", SCRIPT),
    ),
    "rpm": (
        {"var/lib/rpm/rpmdb.sqlite": ""},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux"),
        *("rpm", "sudo dnf install ./fairlead-VERSION-1.ARCH.rpm"),
    ),
    "not of rpm in /usr/local": (
        {"var/lib/rpm/rpmdb.sqlite": ""},
        *("usr/local/lib/fairlead/fairlead", "", "folder", "linux", "folder", SCRIPT),
    ),
    "pacman": (
        {"var/lib/pacman/local/fairlead-0.1.0-1/desc": ""},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux", "pacman", "yay -S fairlead"),
    ),
    "pacman, built elsewhere": (
        {"var/lib/pacman/local/fairlead-bin-0.1.0-1/desc": ""},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux", "pacman", "yay -S fairlead-bin"),
    ),
    "docker": (
        {".dockerenv": ""},
        *("usr/lib/fairlead/fairlead", "", "folder", "linux", "container"),
        "docker pull ghcr.io/fairlead/fairlead:latest",
    ),
    "podman": (
        {"run/.containerenv": ""},
        *("opt/fairlead/fairlead", "", "folder", "linux", "container"),
        "docker pull ghcr.io/fairlead/fairlead:latest",
    ),
    "a lost receipt in a container": (
        {".dockerenv": ""},
        *("home/u/.local/share/fairlead/versions/0.1.0/fairlead", "", "folder", "linux", "folder", SCRIPT),
    ),
    "pip in a container": (
        {".dockerenv": ""},
        *("usr/bin/python3", "usr/lib/python3/dist-packages/router", "", "linux", "pip"),
        "ROOT/usr/bin/python3 -m pip install --upgrade fairlead",
    ),
    "one file": ({}, "home/u/bin/fairlead", "", "file", "linux", "file", OWN),
    "one file in a container": ({".dockerenv": ""}, "usr/local/bin/fairlead", "", "file", "linux", "file", OWN),
    "a bare folder": ({}, "opt/fairlead/fairlead", "", "folder", "darwin", "folder", SCRIPT),
    "the sources": ({}, "v/bin/python", "src/fairlead/router", "", "linux", "source", "git pull"),
}


CHOSEN_SCRIPT = f"{SCRIPT} -s -- --version VERSION"
# What installs a chosen version, and, where it is another, what goes back to the one before.
CHOSEN = {
    "install.sh": (OWN,),
    "one file": (OWN,),
    "a bare folder": (CHOSEN_SCRIPT,),
    "a folder that only looks like scoop's": (f"$env:FAIRLEAD_VERSION='VERSION'; {SCRIPT_WINDOWS}",),
    "brew": (f"brew uninstall fairlead && {CHOSEN_SCRIPT}",),
    "brew cask": (f"brew uninstall --cask fairlead && {CHOSEN_SCRIPT}",),
    "nix": ("nix profile install 'nixpkgs/COMMIT#fairlead'", "nix profile rollback"),
    "scoop": ("scoop install fairlead@VERSION", "scoop reset fairlead@VERSION"),
    "winget": (
        "winget uninstall --exact --id fairlead.fairlead, "
        "then winget install --exact --id fairlead.fairlead --version VERSION",
    ),
    "uv tool": ("uv tool install fairlead==VERSION",),
    "pipx": ("pipx install --force fairlead==VERSION",),
    "an environment of uv": ("uv pip install fairlead==VERSION",),
    "pip": ("ROOT/v/bin/python -m pip install fairlead==VERSION",),
    "pip in a folder with a space": ('"ROOT/my v/bin/python" -m pip install fairlead==VERSION',),
    "deb": ("sudo apt install --allow-downgrades ./fairlead_VERSION_ARCH.deb",),
    "rpm": (
        "sudo dnf install ./fairlead-VERSION-1.ARCH.rpm",
        "sudo dnf downgrade ./fairlead-VERSION-1.ARCH.rpm",
    ),
    "pacman, built elsewhere": ("sudo pacman -U ~/.cache/yay/fairlead-bin/fairlead-bin-VERSION-1-ARCH.pkg.*",),
    "docker": ("docker pull ghcr.io/fairlead/fairlead:VERSION",),
    "the sources": ("git checkout vVERSION",),
}


def look(tmp_path, case):
    """How the copy of a case was installed."""
    files, program, package, form, system, *_ = case
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return detect(Copy(tmp_path / program, tmp_path / (package or "x"), form, {}, system, tmp_path))


@pytest.mark.parametrize("case", CHOSEN)
def test_each_way_has_a_command_for_a_chosen_version(tmp_path, case):
    """A version by its number, and the one before: what its manager takes, which is not what upgrades."""
    found = look(tmp_path, CASES[case])
    chosen, before = [text.replace(str(tmp_path), "ROOT") for text in (found.chosen, found.before)]
    assert (chosen, before) == (CHOSEN[case][0], CHOSEN[case][-1])


def test_every_kind_has_a_chosen_version():
    """No way of the first table is missing in the second."""
    assert {case[5] for case in CASES.values()} == {CASES[name][5] for name in CHOSEN}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_way_has_its_command(tmp_path, case):
    """The kind and the command to run."""
    found = look(tmp_path, case)
    kind, command = case[5:]
    assert (found.kind, found.command.replace(str(tmp_path), "ROOT")) == (kind, command)
    assert found.own == (command == OWN)
    assert found.prefix == (tmp_path / "p" if kind == "receipt" else None)


def test_a_container_may_name_itself_by_its_environment(tmp_path):
    """As systemd-nspawn and podman do."""
    copy = Copy(tmp_path / "opt/f/fairlead", tmp_path, "folder", {"container": "podman"}, "linux", tmp_path)
    assert detect(copy).kind == "container"


def test_this_copy():
    """The tests run from the sources or from what pip installed of them, by Python."""
    copy = find_copy({})
    assert (copy.form, copy.program) == ("", Path(sys.executable))
    assert (copy.package / "installation" / "detect.py").is_file()
    assert detect(copy).kind == ("pip" if "site-packages" in copy.package.parts else "source")


@pytest.mark.parametrize(("inner", "form"), [("_internal", "folder"), ("", "folder"), ("../elsewhere/_MEI12", "file")])
def test_the_form_of_a_built_program(tmp_path, monkeypatch, inner, form):
    """One file unpacks itself elsewhere; a link to the program is followed."""
    (tmp_path / "f").mkdir()
    (tmp_path / "elsewhere" / "_MEI12").mkdir(parents=True)
    (tmp_path / "f" / "_internal").mkdir()
    program = tmp_path / "f" / "fairlead"
    program.touch()
    (tmp_path / "link").symlink_to(program)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "f" / inner), raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "link"))
    assert find_copy({})[:3] == (program, find_copy({}).package, form)


def test_it_needs_no_heavy_module():
    """`doctor` and others ask it at no cost."""
    code = "import sys, router.installation.detect; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trio", "httpx", "msgspec", "nacl", "sqlite3"} & {*done.stdout.split()}
