"""Files of tools: read and replaced through links, with their mode, and never over somebody else's change."""

import os
import stat
import sys

import pytest

from router.errors import CommandError
from router.setup.files import NotWritable, check_writable, read_config, remove_config, write_config
from router.setup.formats.document import SIZE_LIMIT

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")


def test_new_file_and_its_folders(tmp_path):
    """Private, in folders that are made; removed again with those that are empty."""
    path = tmp_path / "a" / "b" / "c.json"
    write_config(read_config(path), b"{}", 0o600)
    assert path.read_bytes() == b"{}"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "a" / "other").touch()
    remove_config(read_config(path), [tmp_path / "a", tmp_path / "a" / "b"])
    assert sorted(os.listdir(tmp_path / "a")) == ["other"]


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_mode_and_link_stay(tmp_path, mode):
    """The link stays a link, its target is replaced and keeps its mode; no temporary file is left."""
    target = tmp_path / "dotfiles" / "real.json"
    target.parent.mkdir()
    target.write_text("{}")
    target.chmod(mode)
    link = tmp_path / "settings.json"
    link.symlink_to("dotfiles/real.json")
    file = read_config(link)
    write_config(file, b"[]", file.mode)
    assert link.is_symlink()
    assert target.read_bytes() == b"[]"
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert os.listdir(target.parent) == ["real.json"]


@pytest.mark.parametrize("now", [b"{ }", None])
def test_change_in_the_meantime(tmp_path, now):
    """A file that another program changed or removed since it was read is left as it is."""
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    file = read_config(path)
    path.unlink() if now is None else path.write_bytes(now)
    with pytest.raises(CommandError, match="in the meantime"):
        write_config(file, b"[]", 0o600)
    assert (path.read_bytes() if path.exists() else None) == now
    with pytest.raises(CommandError, match="in the meantime"):
        remove_config(file, [])
    assert [one for one in os.listdir(tmp_path) if one != "x.json"] == []


def test_file_that_appears_in_the_meantime(tmp_path):
    """One that another program made since is not replaced either."""
    path = tmp_path / "x.json"
    file = read_config(path)
    path.write_bytes(b"theirs")
    with pytest.raises(CommandError, match="in the meantime"):
        write_config(file, b"ours", 0o600)
    assert path.read_bytes() == b"theirs"


@POSIX
def test_link_that_leads_elsewhere_in_the_meantime(tmp_path):
    """Neither its old target nor its new one is touched."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "link"
    link.symlink_to("a")
    file = read_config(link)
    link.unlink()
    link.symlink_to("b")
    with pytest.raises(CommandError, match="in the meantime"):
        write_config(file, b"ours", 0o600)
    assert (tmp_path / "a").read_text() == "a"
    assert (tmp_path / "b").read_text() == "b"


def test_hard_link(tmp_path):
    """It would be parted from its other name."""
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    os.link(path, tmp_path / "y.json")
    with pytest.raises(NotWritable, match="hard link"):
        check_writable(read_config(path))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only(tmp_path):
    """A file or a folder that may not be written is not replaced."""
    folder = tmp_path / "f"
    folder.mkdir()
    path = folder / "x.json"
    path.write_bytes(b"{}")
    path.chmod(0o400)
    with pytest.raises(NotWritable, match="read-only"):
        check_writable(read_config(path))
    path.chmod(0o600)
    folder.chmod(0o500)
    try:
        with pytest.raises(NotWritable, match="read-only"):
            check_writable(read_config(path))
    finally:
        folder.chmod(0o700)


def test_rename_that_fails(tmp_path, monkeypatch):
    """As on a file system that is read-only: told as such, and nothing is left behind."""
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    file = read_config(path)

    def fail(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(NotWritable, match="Read-only file system"):
        write_config(file, b"[]", 0o600)
    assert os.listdir(tmp_path) == ["x.json"]


def test_what_is_no_text(tmp_path):
    """Too large, not UTF-8, a folder, a pipe, a file in the place of a folder: an error that names it."""
    cases = {"large": "larger than 1 MiB", "utf16": "line 2: the text is not UTF-8", "folder": "not a plain file"}
    (tmp_path / "large").write_bytes(b" " * (SIZE_LIMIT + 1))
    (tmp_path / "utf16").write_bytes(b"\n\xff\xfe{\0}\0")
    (tmp_path / "folder").mkdir()
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        cases |= {"pipe": "not a plain file", "utf16/x": "not a folder"}
    for name, said in cases.items():
        with pytest.raises(CommandError, match=said):
            read_config(tmp_path / name)
    (tmp_path / "fits").write_bytes(b" " * SIZE_LIMIT)
    assert read_config(tmp_path / "fits").data is not None


@pytest.mark.parametrize(("data", "newline"), [(b"a\r\nb\r\n", "\r\n"), (b"a\nb\r\nc\n", "\n"), (b"", "\n")])
def test_line_ends(tmp_path, data, newline):
    """Those that most lines have; a byte order mark stays."""
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbf" + data)
    file = read_config(path)
    assert file.newline == newline
    assert file.text == data.decode()
    assert file.encode(file.text) == path.read_bytes()
