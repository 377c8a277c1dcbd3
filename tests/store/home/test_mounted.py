"""Secrets and configuration that were mounted: links of root's, in the form that Kubernetes gives them."""

import os
import sys
from pathlib import Path

import pytest

from router.errors import CommandError
from router.store.home.home import Home, open_home
from router.store.home.mounted import Unsafe, open_mounted
from router.store.home.permissions import read_secret

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")

KEY = b"sk-mounted"


class Mount:
    """A folder as Kubernetes mounts a Secret: `NAME -> ..data/NAME`, and `..data -> ..1`."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(mode=0o755)
        self._number = 0
        self.put(key=KEY)

    def put(self, mode=0o400, **files):
        """Put these files in the place of all others, at one moment."""
        self._number += 1
        real = self.folder / f"..{self._number}"
        real.mkdir(mode=0o755)
        for name, data in files.items():
            path = real / name.replace("__", ".")
            path.write_bytes(data)
            path.chmod(mode)
            link = self.folder / path.name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / path.name)
        (self.folder / "..new").symlink_to(real.name)
        os.replace(self.folder / "..new", self.folder / "..data")

    @property
    def key(self):
        return self.folder / "key"

    @property
    def real(self):
        return Path(os.path.realpath(self.key))


@pytest.fixture
def mount(tmp_path):
    return Mount(tmp_path / "mount")


def read(path):
    with os.fdopen(open_mounted(path), "rb") as file:
        return file.read()


def test_a_mounted_secret_is_read(mount):
    """Also after it was changed, and where the folder has the mode of a volume in memory."""
    assert read(mount.key) == KEY
    assert read_secret(mount.key, 4096) == KEY
    mount.put(key=b"sk-next")
    assert read(mount.key) == b"sk-next"
    mount.folder.chmod(0o1777)
    assert read(mount.key) == b"sk-next"


def test_what_is_missing_is_missing(mount):
    """A file that is not there, and a link into nothing, are no file."""
    assert read_secret(mount.folder / "nothing", 4096) is None
    mount.real.unlink()
    assert read_secret(mount.key, 4096) is None


@pytest.mark.parametrize("mode", [0o444, 0o404, 0o460, 0o420, 0o450])
def test_what_others_read_or_change_is_refused(mount, mode):
    """Only the group may read beside the owner, and nobody may write but the owner."""
    mount.put(mode, key=KEY)
    with pytest.raises(CommandError, match=r"key can be read by others \(mode 0\d+\); mount it with 0440 or less\."):
        read_secret(mount.key, 4096)


@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="needs root for files of root")
@pytest.mark.parametrize("mode", [0o440, 0o400, 0o640, 0o600])
def test_the_group_reads_what_is_root_s(mount, mode):
    """A process that is no root reads the files by their group."""
    mount.put(mode, key=KEY)
    assert read_secret(mount.key, 4096) == KEY


@pytest.mark.parametrize("folder", ["mount", "mount/..1"])
def test_a_folder_that_others_write_in_is_refused(mount, folder):
    """Any folder on the way: the named one, and that of the real file."""
    (mount.folder.parent / folder).chmod(0o777)
    with pytest.raises(CommandError, match=r"key can be changed by other users: they can write in .* \(mode 0777\)\."):
        read_secret(mount.key, 4096)


@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["key", "..data", "..1", "..1/key", "."])
def test_what_is_another_user_s_is_refused(mount, name):
    """The links too: whose they are can lead them elsewhere."""
    os.chown(mount.folder / name, 12345, -1, follow_symlinks=False)
    with pytest.raises(CommandError, match=r"key can be changed by another user: .* belongs to user 12345"):
        read_secret(mount.key, 4096)


def test_a_link_out_of_its_folder_is_refused(mount, tmp_path):
    """Whatever it leads to, also by way of links of links; the real path is named."""
    outside = tmp_path / "outside"
    outside.write_bytes(KEY)
    outside.chmod(0o400)
    for number, target in enumerate(("../outside", str(outside), "..data/../../outside")):
        link = mount.folder / f"link{number}"
        link.symlink_to(target)
        with pytest.raises(CommandError, match="is a link that leads out of its folder") as refused:
            read_secret(link, 4096)
        assert str(outside) in str(refused.value)


def test_no_link_leads_round(mount):
    """A circle of links, and what is no file, end at once."""
    (mount.folder / "a").symlink_to("b")
    (mount.folder / "b").symlink_to("a")
    with pytest.raises(CommandError, match="is a link that leads round in a circle"):
        read_secret(mount.folder / "a", 4096)
    os.mkfifo(mount.folder / "pipe", 0o400)
    (mount.folder / "to-pipe").symlink_to("pipe")
    with pytest.raises(CommandError, match="to-pipe is not a plain file"):
        read_secret(mount.folder / "to-pipe", 4096)
    with pytest.raises(Unsafe):
        open_mounted(mount.folder / "to-pipe")


def test_a_parent_may_be_a_link_of_root_s(mount, tmp_path):
    """As /var/run is: who can change it is root or this user."""
    (tmp_path / "run").symlink_to(mount.folder)
    assert read_secret(tmp_path / "run" / "key", 4096) == KEY


def test_a_configuration_that_is_only_read(tmp_path):
    """config.toml and backends come from the folder, all else from the home; what would change them is refused."""
    folder = Mount(tmp_path / "config")
    folder.put(config__toml=b"port = 1\n")
    backends = Mount(tmp_path / "config" / "backends")
    backends.put(box__json=b"{}")
    environ = {"FAIRLEAD_HOME": str(tmp_path / "home"), "FAIRLEAD_CONFIG_DIR": str(tmp_path / "config")}
    home = open_home(environ)
    assert home.read("config.toml") == b"port = 1\n"
    assert home.names("backends", ".json") == ["box"]
    assert home.read("backends/box.json") == b"{}"
    assert home.read("backends/none.json") is None
    home.write("client.key", b"x")
    assert (tmp_path / "home" / "client.key").read_bytes() == b"x"
    for change in (lambda: home.write("config.toml", b""), lambda: home.remove("backends/box.json")):
        with pytest.raises(CommandError, match="is in a configuration folder that fairlead only reads"):
            change()
    assert home.token("operator.token").reveal().startswith("fl-")
    assert Home(tmp_path / "home").read("config.toml") is None


@pytest.mark.parametrize(("named", "said"), [("relative", "expected an absolute path"), ("/no/such", "does not exist")])
def test_a_configuration_that_is_not_there(tmp_path, named, said):
    """A path that depends on the working directory, or a folder that is not mounted, is no empty configuration."""
    with pytest.raises(CommandError, match=said):
        open_home({"FAIRLEAD_HOME": str(tmp_path / "home"), "FAIRLEAD_CONFIG_DIR": named})
