"""Archives are unpacked into their folder alone. Those for Windows are zip files; those of tar are in test_attacks."""

import os
import stat
import zipfile

import pytest

from router.installation.upgrade.archive import BadArchive, unpack


def make_zip(path, *members):
    """A zip of (name, content, mode)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content, mode in members:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            packed.writestr(entry, content)
    return path


def test_a_zip(tmp_path):
    """Files and folders, as they were packed."""
    archive = make_zip(
        tmp_path / "a.zip", ("fairlead/fairlead.exe", b"12", 0), ("fairlead/_internal/a/b", b"345", 0o644)
    )
    top = unpack(archive, tmp_path / "new", unpacked=5)
    assert top == tmp_path / "new" / "fairlead"
    assert {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()} == {
        "fairlead.exe": b"12",
        "_internal/a/b": b"345",
    }


def test_all_is_on_the_disk(tmp_path, monkeypatch):
    """Every file is written through, several at once; one that cannot be fails the whole."""
    names = [f"fairlead/{number}" for number in range(40)]
    archive = make_zip(tmp_path / "a.zip", *((name, b"1", 0o644) for name in names))
    synced = []

    def note(descriptor):
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    top = unpack(archive, tmp_path / "new", unpacked=40)
    assert sorted(synced) == sorted(path.stat().st_ino for path in top.iterdir())

    def fail(descriptor):
        # One of them, whichever comes as the seventh.
        note(descriptor)
        if len(synced) == 47:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        unpack(archive, tmp_path / "other", unpacked=40)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../outside", b"", 0), "holds the name"),
        (("fairlead/../outside", b"", 0), "holds the name"),
        (("/outside", b"", 0), "holds the name"),
        (("C:/outside", b"", 0), "holds the name"),
        (("fairlead/a:stream", b"", 0), "holds the name"),
        (("fairlead/trailing.", b"", 0), "holds the name"),
        (("other/x", b"", 0), "not in the folder"),
        (("fairlead/link", b"/etc/passwd", stat.S_IFLNK | 0o777), "no plain file"),
        (("fairlead/FAIRLEAD.exe", b"", 0), "twice"),
        (("fairlead/fairlead.exe/x", b"", 0), "below what is no folder"),
        (("fairlead/bomb", b"\0" * 1_000_000, 0), "more than was announced"),
    ],
)
def test_a_zip_that_was_made_to_harm(tmp_path, member, said):
    """Is refused, and nothing is written outside."""
    archive = make_zip(tmp_path / "a.zip", ("fairlead/fairlead.exe", b"12", 0), member)
    with pytest.raises(BadArchive, match=said):
        unpack(archive, tmp_path / "new", unpacked=100_000)
    assert not [*tmp_path.rglob("outside")]


def test_a_zip_that_lies_about_a_size(tmp_path):
    """More comes out than its list says, or less."""
    archive = make_zip(tmp_path / "a.zip", ("fairlead/fairlead.exe", b"\0" * 5000, 0))
    data = bytearray(archive.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    for size in (10, 6000):
        data[at : at + 4] = size.to_bytes(4, "little")
        archive.write_bytes(data)
        with pytest.raises(BadArchive):
            unpack(archive, tmp_path / f"new-{size}", unpacked=10_000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.xz"])
def test_what_is_no_archive(tmp_path, name):
    """Is refused by both readers."""
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(BadArchive, match="cannot be read"):
        unpack(tmp_path / name, tmp_path / "new", unpacked=100)
