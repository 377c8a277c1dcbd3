"""Plays of the deb, the rpm and the container image, each in a fresh root file system."""

import json
import re
import shutil

from rehearsal.installing import need
from rehearsal.plays import NotHere, Play, expect
from rehearsal.roots import ENVIRON, Root, make_root, run_plain
from rehearsal.stage import Stage
from rehearsal.users import NOBODY, is_root
from rehearsal.versions import NEW

PROGRAM = "/usr/bin/fairlead"
FILES = (
    PROGRAM,
    "/usr/lib/fairlead/fairlead",
    "/usr/share/man/man1/fairlead.1.gz",
    "/usr/share/bash-completion/completions/fairlead",
    "/usr/share/fish/vendor_completions.d/fairlead.fish",
    "/usr/lib/systemd/user/fairlead.service",
)
_NOBODY = f"{NOBODY}:{NOBODY}"


def play_deb(stage: Stage) -> None:
    """the deb is installed by dpkg in a fresh root, its files are whole, an ordinary user runs it, and it is removed"""
    need("dpkg-deb", "dpkg")
    with make_root(stage.cache, stage.folder) as root:
        machine = root.said("dpkg", "--print-architecture").strip()
        name = f"fairlead_{NEW}_{machine}.deb"
        shutil.copy(stage.write_channels("deb") / "release" / name, root.path / name)
        root.said("dpkg", "--install", f"/{name}")
        _check_installed(root)
        expect(root.said("dpkg", "--verify", "fairlead") == "", "dpkg --verify finds changed files")
        _check_command(root, f"fairlead_.*{re.escape('.deb')}")
        _check_command(root, f"Go back.*--allow-downgrades.*{re.escape('.deb')}", "--rollback")
        root.said("dpkg", "--remove", "fairlead")
        _check_removed(root)


def play_rpm(stage: Stage) -> None:
    """the rpm is installed by rpm in a fresh root, its files are whole, an ordinary user runs it, and it is removed"""
    need("rpm", "rpmbuild")
    with make_root(stage.cache, stage.folder) as root:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[root.said("dpkg", "--print-architecture").strip()]
        [package] = (stage.write_channels("rpm") / "release").glob(f"*.{machine}.rpm")
        # Of a Debian root, rpm knows no package: its C library is there, and nothing says so.
        _rpm(root, "--install", "--nodeps", str(package))
        _check_installed(root)
        told = _rpm(root, "--verify", "--nodeps", "fairlead")
        expect(told == "", f"rpm --verify finds changed files: {told}")
        needed = _rpm(root, "--query", "--requires", "fairlead")
        expect("libc.so.6" in needed or "glibc" in needed, f"it does not say which C library it needs: {needed}")
        _check_command(root, r"fairlead-.*\.rpm")
        _check_command(root, r"Go back.*dnf downgrade.*\.rpm", "--rollback")
        _rpm(root, "--erase", "fairlead")
        _check_removed(root)


def play_container(stage: Stage) -> None:
    """the container's files run by chroot as the image's user, read-only but for /data, until its health check holds"""
    if is_root() and run_plain("unshare", "--mount", "true", **ENVIRON).returncode != 0:
        raise NotHere("the right to mount")
    with make_root(stage.cache, stage.folder) as root:
        context = stage.write_channels("container")
        recipe = (context / "container" / "Containerfile").read_text("utf-8")
        machine = root.said("dpkg", "--print-architecture").strip()
        user = _find(recipe, r"^USER (\S+)$")
        health = json.loads(_find(recipe, r"^HEALTHCHECK .*CMD (\[.*\])$"))
        program = json.loads(_find(recipe, r"^ENTRYPOINT (\[.*\])$"))
        command = json.loads(_find(recipe, r"^CMD (\[.*\])$"))
        shutil.copytree(context / "container" / machine / "fairlead", root.path / "opt" / "fairlead", symlinks=True)
        (root.path / "data").mkdir(mode=0o700)
        number = int(user.partition(":")[0])
        shutil.chown(root.path / "data", number, number)
        environ = dict(re.findall(r"(FAIRLEAD_[A-Z_]+)=(\S+)", _find(recipe, r"(?s)^ENV (.*?)\n[A-Z]+ ")))
        environ |= {"FAIRLEAD_PORT": "0", "FAIRLEAD_API_KEY": "a-key-of-the-rehearsal-1234567890", "HOME": "/"}
        _play_container(root, user, [*program, *command], health, environ)


def _play_container(root: Root, user: str, command: list[str], health: list[str], environ: dict[str, str]) -> None:
    """Run the image's command on a read-only root, and its health check beside it until that holds."""
    script = """set -e
mount --bind "$1" "$1"; mount --bind "$1/data" "$1/data"; mount -o remount,ro,bind "$1"
root=$1 user=$2 count=$3; shift 3
health= ; i=0
while [ $i -lt "$count" ]; do health="$health $1"; shift; i=$((i+1)); done
chroot --userspec="$user" "$root" "$@" >"$root/data/log" 2>&1 & pid=$!
! chroot --userspec="$user" "$root" sh -c 'touch /tmp/x 2>/dev/null' || { echo 'its root can be written'; exit 1; }
for i in $(seq 100); do
  chroot --userspec="$user" "$root" $health && break
  kill -0 $pid 2>/dev/null || { echo 'it ended:'; cat "$root/data/log"; exit 1; }
  [ $i -lt 100 ] || { echo 'its health check never held'; cat "$root/data/log"; kill $pid; exit 1; }
  sleep 0.2
done
kill -TERM $pid; wait $pid && echo 'ended in order'
"""
    inside = ["unshare", "--mount", "sh", "-c", script, "sh", str(root.path), user, str(len(health)), *health, *command]
    done = run_plain(*inside, **{**ENVIRON, **environ})
    expect(done.returncode == 0 and done.stdout.endswith("ended in order\n"), f"{done.stdout}{done.stderr}")
    expect(f'"version":"{NEW}"' in done.stdout.replace('": "', '":"'), f"the health check says: {done.stdout}")


def _check_installed(root: Root) -> None:
    missing = [name for name in FILES if not (root.path / name.lstrip("/")).exists()]
    expect(not missing, f"missing: {', '.join(missing)}")
    said = root.said(PROGRAM, "--version", user=_NOBODY, HOME="/tmp")
    expect(said == f"fairlead {NEW}\n", f"`fairlead --version` says {said!r}")
    demo = root.said(PROGRAM, "demo", "--once", user=_NOBODY, HOME="/tmp", FAIRLEAD_HOME="/tmp/home")
    expect("chat" in demo, demo)


def _check_command(root: Root, pattern: str, *options: str) -> None:
    """`fairlead upgrade` leaves the package to its manager, names the command and ends with 0."""
    done = root.run(PROGRAM, "upgrade", *options, user=_NOBODY, HOME="/tmp", FAIRLEAD_HOME="/tmp/home")
    said = f"{done.stdout}{done.stderr}"
    expect(
        done.returncode == 0 and re.search(pattern, said),
        f"`fairlead upgrade {' '.join(options)}` ended with {done.returncode}: {said}",
    )


def _check_removed(root: Root) -> None:
    left = [name for name in (*FILES, "/usr/lib/fairlead") if (root.path / name.lstrip("/")).exists()]
    expect(not left, f"left behind: {', '.join(left)}")


def _rpm(root: Root, *arguments: str) -> str:
    done = run_plain("rpm", "--root", str(root.path), "--dbpath", "/var/lib/rpm", *arguments, **ENVIRON)
    expect(done.returncode == 0, f"rpm {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    expect(found, f"the Containerfile has no /{pattern}/")
    assert found is not None
    return found[1]


PLAYS: tuple[Play, ...] = (play_deb, play_rpm, play_container)
