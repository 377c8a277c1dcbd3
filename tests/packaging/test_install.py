"""install.sh, run by the shells that are here, against a release host on loopback."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from router.installation.project import REPOSITORY
from router.installation.receipt import read_receipt

from .fake_release import ReleaseHost, have, make_key, make_release, sign
from .installs import SCRIPT, User, farm

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}

pytestmark = pytest.mark.skipif(not have("sh", "curl", "xz", "tar"), reason="needs sh, curl, xz and tar")


@pytest.mark.parametrize("shell", SHELLS)
def test_install_by_each_shell(user: User, shell: str):
    """Each shell installs the newest release into version folders, with a link that runs it and a receipt."""
    if not have(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not here")
    done = user.install(shell=SHELLS[shell])
    assert done.returncode == 0, done.stderr
    assert user.version() == "fairlead 0.3.0"
    assert os.readlink(user.prefix / "current") == "versions/0.3.0"
    assert os.readlink(user.program) == str(user.prefix / "current/fairlead")
    receipt = read_receipt(user.prefix)
    assert receipt is not None
    assert (receipt.installer, receipt.form) == ("install.sh", "folder")
    assert (receipt.prefix, receipt.link) == (str(user.prefix), str(user.program))
    assert "hash         ok" in done.stdout
    assert "export PATH=" in done.stdout
    assert user.left_over() == []


def test_install_again_downloads_nothing(user: User, host: ReleaseHost):
    """What is installed already is left as it is, unless --force asks for it again."""
    user.install()
    host.asked.clear()
    assert "is installed already" in user.install().stdout
    assert host.asked == ["/releases/latest/download/release.json"]
    assert user.install("--force").returncode == 0
    assert user.version() == "fairlead 0.3.0"
    assert user.left_over() == []


def test_install_versions_side_by_side(user: User, host: ReleaseHost, tmp_path: Path):
    """A version that is asked for is installed beside the others, newer or older, and becomes the current one."""
    make_release(tmp_path / "0.2.0", "0.2.0", expires="2020-01-01")
    host.folders["0.2.0"] = tmp_path / "0.2.0"
    user.install()
    assert user.install("--version", "v0.2.0").returncode == 0
    assert user.version() == "fairlead 0.2.0"
    assert user.install(FAIRLEAD_VERSION="0.3.0").returncode == 0
    assert user.version() == "fairlead 0.3.0"
    assert sorted(path.name for path in (user.prefix / "versions").iterdir()) == ["0.2.0", "0.3.0"]


def test_install_one_file(user: User):
    """The form `file` is one program in the folder of programs, and its receipt says so."""
    assert user.install("--form", "file").returncode == 0
    assert user.program.is_file()
    assert not user.program.is_symlink()
    assert user.version() == "fairlead 0.3.0"
    assert json.loads((user.prefix / "receipt.json").read_text())["form"] == "file"
    assert "already" in user.install("--form", "file").stdout
    assert user.left_over() == []
    assert user.install("--uninstall").returncode == 0
    assert user.files() == set()


def test_uninstall_removes_what_was_installed(user: User):
    """--uninstall leaves the home as it was: with the settings, and with what others put beside the program."""
    for name in (".fairlead/config.toml", ".local/bin/other", ".local/share/fairlead/versions/notes/mine.txt"):
        path = user.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    before = user.files()
    user.install()
    assert user.files() > before
    for name in ("versions/.gone-0.1.0-9", "versions/.part-9", "programs/0123456789ab/versions/0.1.0"):
        # Of `fairlead upgrade`: what was killed, and what is kept of a program in one file.
        (user.prefix / name).mkdir(parents=True)
        (user.prefix / name / "fairlead").touch()
    (user.prefix / "upgrade.lock").touch()
    done = user.install("--uninstall")
    assert done.returncode == 0, done.stderr
    assert user.files() == before
    assert "~/.fairlead" in done.stdout
    again = user.install("--uninstall")
    assert (again.returncode, again.stdout) == (1, "")


def test_options_name_other_places(user: User, tmp_path: Path):
    """--prefix, --bin and XDG_DATA_HOME say where the files go; a relative XDG_DATA_HOME is ignored."""
    assert user.install("--prefix", str(tmp_path / "p p"), "--bin", str(tmp_path / "b")).returncode == 0
    assert (tmp_path / "b/fairlead").resolve() == tmp_path / "p p/versions/0.3.0/fairlead"
    assert user.install(XDG_DATA_HOME=str(tmp_path / "data"), FAIRLEAD_VERSION="0.3.0").returncode == 0
    assert (tmp_path / "data/fairlead/receipt.json").is_file()
    assert user.install("--uninstall", XDG_DATA_HOME=str(tmp_path / "data")).returncode == 0
    assert user.install(XDG_DATA_HOME="data").returncode == 0
    assert (user.prefix / "receipt.json").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--nonsense"], "unknown option --nonsense"),
        (["--version"], "needs a value"),
        (["--version", "latest"], "such as 0.3.0"),
        (["--version", "../../x"], "such as 0.3.0"),
        (["--form", "zip"], "folder or file"),
        (["--sha256", "abc"], "64 hexadecimal digits"),
        (["--prefix", "relative"], "not an absolute path"),
    ],
)
def test_wrong_usage(user: User, host: ReleaseHost, options: list[str], said: str):
    """A mistake in the options ends with code 2 before anything is asked for or written."""
    done = user.install(*options)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert host.asked == []
    assert user.files() == set()


def test_cut_script_does_nothing(user: User, host: ReleaseHost):
    """A script that was cut off anywhere writes nothing and asks for nothing."""
    text = SCRIPT.read_bytes()
    user.script = user.tools / "cut.sh"
    for at in range(200, len(text) - len(b'main "$@"\n'), len(text) // 40):
        user.script.write_bytes(text[:at])
        user.install()
    assert host.asked == []
    assert user.files() == set()


@pytest.mark.parametrize("address", ["http://example.com/releases", "ftp://127.0.0.1/x", "file:///tmp", "127.0.0.1:80"])
def test_addresses_without_tls(user: User, address: str):
    """Releases come by https; plain http is for the own machine."""
    done = user.install(FAIRLEAD_RELEASES_URL=address)
    assert (done.returncode, "must begin with https://" in done.stderr) == (1, True)


def test_foreign_program_stays(user: User, host: ReleaseHost):
    """A fairlead in the folder of programs that something else put there is not replaced."""
    user.program.parent.mkdir(parents=True)
    user.program.write_text("theirs")
    done = user.install()
    assert (done.returncode, "this script did not make it" in done.stderr) == (1, True)
    assert user.program.read_text() == "theirs"
    assert host.asked == []


def test_other_copies_are_named(user: User):
    """A copy of a package manager on PATH is named with the command that removes it, and which one the shell runs."""
    cellar = user.tools / "Cellar/fairlead/0.1.0/bin"
    cellar.mkdir(parents=True)
    (cellar / "fairlead").write_text("#!/bin/sh\n")
    (cellar / "fairlead").chmod(0o755)
    (user.tools / "fairlead").symlink_to(cellar / "fairlead")
    done = user.install(PATH=f"{user.environ['PATH']}:{user.program.parent}")
    assert done.returncode == 0
    assert "brew uninstall fairlead" in done.stdout
    assert f"your shell runs {user.tools / 'fairlead'}" in done.stdout


def test_a_link_past_the_current_version_is_named(user: User):
    """A link into a version's folder, or that folder on PATH, goes on to start that version: it is named with the
    command that mends it, and one that leads by `current` is not."""
    assert user.install().returncode == 0
    version = (user.prefix / "current").resolve()
    places = {name: user.home / name for name in ("past", "by", "far", "relative")}
    for place in places.values():
        place.mkdir()
    (places["past"] / "fairlead").symlink_to(version / "fairlead")
    (places["by"] / "fairlead").symlink_to(user.prefix / "current/fairlead")
    (places["far"] / "fairlead").symlink_to(user.program)
    (places["relative"] / "fairlead").symlink_to("../.local/share/fairlead/current/fairlead")
    done = user.install(PATH=":".join(map(str, (*places.values(), version, user.environ["PATH"]))))
    assert done.returncode == 0
    notes = [line.partition(" whatever ")[0] for line in done.stdout.splitlines() if "leads past" in line]
    assert notes == [f"note: {place}/fairlead starts {version.name}" for place in (places["past"], version)]
    [mend] = [line.partition(":   ")[2] for line in done.stdout.splitlines() if "Link it anew" in line]
    subprocess.run(["sh", "-c", mend], check=True)
    assert (places["past"] / "fairlead").readlink() == user.prefix / "current/fairlead"


def test_musl_is_told_from_glibc(user: User, host: ReleaseHost):
    """A musl system gets the musl program, and a clear refusal where there is none."""
    user.add_tool("getconf", '[ "$1" != LONG_BIT ] || { echo 64; exit 0; }; exit 1')
    user.add_tool("ldd", "echo 'musl libc (x86_64)' >&2; exit 1")
    user.add_tool("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac")
    assert user.install().returncode == 0
    assert host.asked[-1].endswith("/fairlead-0.3.0-linux-x86_64-musl.tar.xz")
    user.add_tool("uname", "case $1 in -s) echo Linux ;; -m) echo aarch64 ;; esac")
    done = user.install("--force")
    assert (done.returncode, "one for glibc does not run here" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [("Linux", "riscv64", "no fairlead for linux on riscv64"), ("FreeBSD", "amd64", "no fairlead for FreeBSD"),
     ("MINGW64_NT-10.0", "x86_64", "install.ps1")],
)  # fmt: skip
def test_other_systems_are_refused(user: User, host: ReleaseHost, system: str, machine: str, said: str):
    """A system without a program is told so, with the way that is left."""
    user.add_tool("uname", f"case $1 in -s) echo {system} ;; -m) echo {machine} ;; esac")
    done = user.install()
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert host.asked == []


def test_macos_gets_its_own_program(user: User, host: ReleaseHost):
    """On macOS under Rosetta the ARM program is taken, and a build without a Developer ID is named as such."""
    user.add_tool("uname", "case $1 in -s) echo Darwin ;; -m) echo x86_64 ;; esac")
    user.add_tool("sysctl", "echo 1")
    done = user.install()
    assert done.returncode == 0, done.stderr
    assert host.asked[-1].endswith("/fairlead-0.3.0-macos-arm64-unsigned.tar.xz")
    assert "no Developer ID signature" in done.stdout


@pytest.mark.skipif(not have("wget"), reason="needs wget")
def test_wget_in_the_place_of_curl(user: User, host: ReleaseHost):
    """GNU wget does where curl is missing, and follows redirects within the host only."""
    few = farm(user, "curl")
    moved = host.folders["0.3.0"] / "release.json"
    host.replaced["/releases/latest/download/release.json"] = (302, {"location": f"{host.url}/moved"}, b"")
    host.replaced["/releases/moved"] = (200, {}, moved.read_bytes())
    done = user.install(PATH=few)
    assert done.returncode == 0, done.stderr
    assert user.version() == "fairlead 0.3.0"
    host.replaced["/releases/latest/download/release.json"] = (302, {"location": "http://localhost:9/x"}, b"")
    done = user.install(PATH=few)
    assert (done.returncode, "not where releases are" in done.stderr) == (1, True), done.stderr


def test_tools_that_are_missing_are_named(user: User):
    """Without a downloader, a hash program, or xz, the error names what to install; without xz also --form file."""
    for number, (without, said) in enumerate(
        [
            (("curl", "wget"), "neither curl nor wget"),
            (("sha256sum",), "nothing is installed unchecked"),
            (("xz", "unxz"), "--form file"),
        ]
    ):
        few = Path(farm(user, *without))
        done = user.install(PATH=str(few))
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
        few.rename(user.tools / f"few-{number}")
    assert user.files() == set()
    assert user.left_over() == []


@pytest.mark.skipif(not have("minisign"), reason="needs minisign")
def test_signature_is_checked(user: User, host: ReleaseHost, tmp_path: Path):
    """With keys in the script: either of two is taken; another one, no signature and a changed release are refused."""
    first, second, other = (make_key(tmp_path / name) for name in ("first", "second", "other"))
    folder = host.folders["0.3.0"]
    user.script = tmp_path / "install.sh"
    user.script.write_text(
        SCRIPT.read_text().replace("public_keys=''", f"public_keys='{first.public} {second.public}'")
    )
    for key in (first, second):
        sign(folder / "release.json", key, "fairlead 0.3.0 2026-12-01")
        done = user.install("--force", "--require-signature")
        assert (done.returncode, "signature    ok" in done.stdout) == (0, True), done.stderr
    good = (folder / "release.json").read_bytes()
    (folder / "release.json").write_bytes(good.replace(b"2026-12-01", b"2026-12-02"))
    assert "signature of release.json is wrong" in user.install("--force").stderr
    (folder / "release.json").write_bytes(good)
    sign(folder / "release.json", other, "fairlead 0.3.0 2026-12-01")
    assert "signature of release.json is wrong" in user.install("--force").stderr
    (folder / "release.json.minisig").unlink()
    assert "has no signature" in user.install("--force").stderr
    user.script = SCRIPT
    assert "--require-signature" in user.install("--force", "--require-signature").stderr
    assert user.version() == "fairlead 0.3.0"


def test_attestation_by_gh(user: User, host: ReleaseHost):
    """gh is asked for an attestation of the release workflow and of this tag; what it refuses is not installed."""
    user.add_tool(
        "gh", f'echo "$@" >"{user.tools}/asked"; [ ! -e "{user.tools}/refuse" ] || {{ echo no match >&2; exit 1; }}'
    )
    done = user.install("--require-attestation", GH_TOKEN="t")
    assert (done.returncode, "attestation  ok: by gh" in done.stdout) == (0, True), done.stderr
    asked = (user.tools / "asked").read_text()
    assert f"--repo {REPOSITORY} --signer-workflow {REPOSITORY}/.github/workflows/build.yml" in asked
    assert "--source-ref refs/tags/v0.3.0 --deny-self-hosted-runners" in asked
    (user.tools / "refuse").touch()
    done = user.install("--force", GH_TOKEN="t")
    assert (done.returncode, "no valid attestation" in done.stderr, "no match" in done.stderr) == (1, True, True)
    assert user.version() == "fairlead 0.3.0"
    assert user.left_over() == []


def test_attestation_by_cosign(user: User, host: ReleaseHost):
    """cosign gets the bundle and the identity of the workflow at this tag; without a bundle nothing is installed."""
    user.add_tool("cosign", f'echo "$@" >"{user.tools}/asked"; grep -q good "$4"')
    bundle = next(host.folders["0.3.0"].glob("fairlead-0.3.0-linux-*64.tar.xz")).parent
    assert "no bundle for cosign" in user.install().stderr
    for file in list(bundle.glob("*.tar.xz")):
        (bundle / f"{file.name}.sigstore.json").write_text("good")
    done = user.install("--require-attestation")
    assert (done.returncode, "attestation  ok: by cosign" in done.stdout) == (0, True), done.stderr
    identity = f"https://github.com/{REPOSITORY}/.github/workflows/build.yml@refs/tags/v0.3.0"
    assert f"--certificate-identity {identity} " in (user.tools / "asked").read_text()


def test_attestation_that_is_required(user: User, host: ReleaseHost):
    """--require-attestation without gh or cosign, or with a gh that is not logged in, fails and installs nothing."""
    done = user.install("--require-attestation")
    assert (done.returncode, "neither gh nor cosign is here" in done.stderr) == (1, True), done.stderr
    user.add_tool("gh", "exit 1")
    done = user.install("--require-attestation")
    assert (done.returncode, "gh is not logged in" in done.stderr) == (1, True), done.stderr
    assert user.files() == set()
    assert user.install().returncode == 0
