"""Keys: what may be one, and those in variables and files."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.store.keys.own_keys import OwnKeys
from router.store.keys.secrets import at_hand, check_entered, check_key, from_file


def test_key_at_hand():
    """A stored key and one in a variable are returned at once; others must be fetched."""
    assert at_hand("env:MY_KEY", {"MY_KEY": "sk-1\n"}, OwnKeys()).reveal() == "sk-1"
    assert at_hand("sk-2", {}, OwnKeys()).reveal() == "sk-2"
    for text in ("file:/x", 'cmd:["x"]', "keyring:a/b"):
        assert at_hand(text, {}, OwnKeys()) is None


@pytest.mark.parametrize(("environ", "state"), [({}, "not set"), ({"MY_KEY": ""}, "empty")])
def test_missing_variable_is_named(environ, state):
    """A variable that is missing or empty is an error that names it."""
    with pytest.raises(CommandError, match=rf"\$MY_KEY is {state}"):
        at_hand("env:MY_KEY", environ, OwnKeys())


@pytest.mark.parametrize("text", ["file:/a/b", "cmd:pass show x", "keyring:groq", "env:X", "op://vault/x"])
def test_reference_is_no_key(text):
    """A reference where a key is expected is refused, never sent as a key; the options for it are named."""
    with pytest.raises(CommandError, match="is a reference to a key") as refused:
        check_key(text)
    assert "--key-cmd" in refused.value.hint


def test_variable_that_holds_a_reference_is_refused():
    """References do not lead to further ones."""
    with pytest.raises(CommandError, match=r"\$A is a reference"):
        at_hand("env:A", {"A": "env:B", "B": "sk-1"}, OwnKeys())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("sk-secret\nx-evil: 1", "more than one line"),
        ("sk-secret\r\nx", "more than one line"),
        ("sk secret", "space"),
        ("sk-\x00secret", "control character"),
        ("sk-\x1bsecret", "control character"),
        ("sk-sécret", "not ASCII"),
        ("s" * 20000, "longer than"),
    ],
)
def test_bad_key_is_refused_without_showing_it(text, fault):
    """What no header can carry is refused, and the error does not repeat it."""
    with pytest.raises(CommandError, match=fault) as refused:
        check_key(text)
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("text", ["\ufeffsk-1\r\n", " sk-1\n", "\n\ufeff sk-1"])
def test_line_end_and_mark_of_a_pipe_are_dropped(text):
    """The line end of `echo`, and the byte order mark some shells add, are not part of a key."""
    assert check_key(text) == "sk-1"


@given(st.text())
def test_accepted_key_fits_a_header(text):
    """Whatever is accepted as a key is visible ASCII."""
    try:
        key = check_key(text)
    except CommandError:
        return
    assert key
    assert all("!" <= char <= "~" for char in key)


# Files


@pytest.fixture
def key_file(tmp_path):
    """Writes a private key file."""

    def write(content=b"sk-secret-1\n", mode=0o600):
        path = tmp_path / "key"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write


@pytest.mark.parametrize(
    "content", [b"sk-secret-1", b"sk-secret-1\n", b"\xef\xbb\xbfsk-secret-1\r\n", b"  sk-secret-1 \n\n"]
)
def test_key_in_a_file(key_file, content):
    """The one line of the file is the key, whatever an editor put around it."""
    assert from_file(str(key_file(content))).reveal() == "sk-secret-1"


def test_key_in_the_user_s_folder(key_file, monkeypatch):
    """`~` is the user's own folder."""
    path = key_file()
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    assert from_file("~/key").reveal() == "sk-secret-1"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"sk-secret-1\nsk-secret-2\n", "more than one line"),
        (b"sk-secret\x00-1", "control character"),
        ("sk-secret-1".encode("utf-16"), "control character"),
        (b"\xff\xfe\xfd", "not ASCII"),
        (b"s" * 16385, "larger than 16 KiB"),
        (b"s" * (4 << 20), "larger than 16 KiB"),
        (b"env:OTHER", "is a reference"),
    ],
)
def test_bad_content_is_refused_without_showing_it(key_file, content, fault):
    """A file that holds no single key is refused, naming the file and not what is in it."""
    path = key_file(content)
    with pytest.raises(CommandError, match=fault) as refused:
        from_file(str(path))
    assert "key" in str(refused.value)
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_file_others_can_reach_is_refused(key_file, mode):
    """A key that others could read may have been read; the fix is named, nothing is repaired."""
    path = key_file(mode=mode)
    with pytest.raises(CommandError, match=f"mode {mode:04o}") as refused:
        from_file(str(path))
    assert refused.value.hint == f"Close it:   chmod 600 {path}"
    assert path.stat().st_mode & 0o777 == mode


def test_missing_file_is_named(tmp_path):
    """A file that is not there is named."""
    with pytest.raises(CommandError, match="nowhere does not exist"):
        from_file(str(tmp_path / "nowhere"))
    with pytest.raises(CommandError):
        from_file(str(tmp_path / "no" / "folder"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_link_out_of_its_folder_is_refused_with_the_real_name(key_file, tmp_path):
    """The file itself is to be named."""
    path = key_file()
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "link"
    link.symlink_to(path)
    with pytest.raises(CommandError, match="link is a link") as refused:
        from_file(str(link))
    assert str(path) in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_what_is_no_plain_file_is_refused_at_once(tmp_path):
    """A folder, a pipe and a device are refused without waiting for them; no hint removes them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path, pipe, "/dev/zero"):
        with pytest.raises(CommandError, match="is not a plain file") as refused:
            from_file(str(path))
        assert "rm" not in refused.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners")
def test_file_of_somebody_else_is_refused(key_file, monkeypatch):
    """A file that belongs to another user is refused, since that user could change it."""
    path = key_file()
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(CommandError, match="belongs to") as refused:
        from_file(str(path))
    assert "FAIRLEAD_HOME" not in refused.value.hint
    assert refused.value.hint.startswith("Use a file of your own")


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        (" \n", "the key is empty", "--key-stdin < key.txt"),
        ("Bearer sk-1", "begins with Bearer", "Leave out Bearer"),
        ("authorization: bearer sk-1", "begins with Bearer", "Leave out Bearer"),
        ("OPENAI_API_KEY=sk-1", "begins with OPENAI_API_KEY=", "Leave out OPENAI_API_KEY="),
        ("export GROQ_API_KEY='gsk_1'", "begins with GROQ_API_KEY=", "give the key alone"),
        ('"sk-1"', "is in quotes", "Leave out the quotes"),
        ("'sk-1'", "is in quotes", "Leave out the quotes"),
        ("$OPENAI_API_KEY", "is the text $OPENAI_API_KEY", "--key-env OPENAI_API_KEY"),
        ("${OPENAI_API_KEY}", "is the text ${OPENAI_API_KEY}", "--key-env OPENAI_API_KEY"),
        ("$env:OPENAI_API_KEY", "is the text", "--key-env OPENAI_API_KEY"),
        ("%OPENAI_API_KEY%", "is the text", "--key-env OPENAI_API_KEY"),
        ("sk-...", "is a placeholder", "that your provider shows you"),
        ("sk-ant-\N{HORIZONTAL ELLIPSIS}", "is a placeholder", "that your provider shows you"),
        ("<your key>", "is a placeholder", "that your provider shows you"),
        ("your-api-key", "is a placeholder", "that your provider shows you"),
    ],
)
def test_what_is_copied_along_with_a_key(text, fault, hint):
    """What is given in place of a key, or with it, is named with what to leave out."""
    with pytest.raises(CommandError) as refused:
        check_entered(text)
    assert fault in str(refused.value)
    assert hint in refused.value.hint


@pytest.mark.parametrize("key", ["sk-1", "abc=", "$ecret", "a=b", "EMPTY", "xxx", "'", "a'b'", "no-key"])
def test_what_may_be_a_key(key):
    """Keys of servers of one's own may have any form."""
    assert check_entered(f" {key}\n") == key
