"""A file of variables: what every manager reads alike, and nobody else can read."""

import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.host.service.env_file import read_env_file


@pytest.fixture
def write(tmp_path):
    """Writes the file, for its user alone."""

    def write(text):
        path = tmp_path / "keys.env"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o600)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("# said\n; said too\n\n  A=1  \r\n", {"A": "1"}),
        ("A='x y'\nB=\"x y\"\nC=\n", {"A": "x y", "B": "x y", "C": ""}),
        ("A=a=b#c;d\n", {"A": "a=b#c;d"}),
        ("A=sk-$x`y`\n", {"A": "sk-$x`y`"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("", {}),
    ],
)
def test_what_is_read(write, text, found):
    """Lines of NAME=value, quotes around the whole, comments."""
    assert read_env_file(write(text)) == found


LINES = (
    *("export A=sk-1", "A = sk-1", "1A=sk-1", "A=sk-1\\", "A='sk-1'b", 'A="$sk-1"', 'A="sk-1\\"b"', "A=b'sk-1"),
    *("just sk-1", "A=\x1bsk-1"),
)


@pytest.mark.parametrize("line", LINES)
def test_what_is_read_differently(write, line):
    """A line that some manager would read otherwise is an error with its number, and without its value."""
    path = write(f"# first\n{line}\n")
    with pytest.raises(CommandError, match="line 2") as raised:
        read_env_file(path)
    assert "sk-1" not in f"{raised.value}{raised.value.hint}"


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("A=1") and path.chmod(0o640), "chmod 600"),
        (lambda path: path.write_text("A=1") and path.chmod(0o602), "chmod 600"),
        (lambda path: path.mkdir(), "plain file|directory"),
        (os.mkfifo, "plain file"),
        (lambda path: path.write_bytes(b"A=\xff") and path.chmod(0o600), "UTF-8"),
        (lambda path: path.write_bytes(b"A=" + b"x" * (1 << 20)) and path.chmod(0o600), "1 MiB"),
        (lambda path: None, "cannot be read"),
    ],
    ids=["group", "others", "folder", "fifo", "bytes", "large", "none"],
)
def test_files_that_are_refused(tmp_path, make, said):
    """One that others can read, or that is none; a FIFO is not waited for."""
    make(tmp_path / "keys")
    with pytest.raises(CommandError) as raised:
        read_env_file(tmp_path / "keys")
    assert re.search(said, f"{raised.value} {raised.value.hint}")


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=20)))
def test_values_come_back(tmp_path_factory, values):
    """What can be written in single quotes is read as it was."""
    plain = {name: value for name, value in values.items() if value.isprintable() and not set("'\\") & set(value)}
    path = tmp_path_factory.mktemp("env") / "keys"
    path.write_text("".join(f"{name}='{value}'\n" for name, value in plain.items()), encoding="utf-8")
    path.chmod(0o600)
    assert read_env_file(path) == plain
