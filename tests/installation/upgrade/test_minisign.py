"""Signatures of releases: only what minisign's prehashed form covers with a known key is accepted."""

import base64
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from router.installation.upgrade import minisign

ROOT = Path(__file__).parents[3]


def load_script(name):
    """A script of packaging/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


keys = load_script("minisign_keys")
KEY, OTHER = keys.make_key(), keys.make_key()
DATA = b'{"version": "0.3.0"}\n'
SIGNED = keys.sign(DATA, KEY, comment="fairlead 0.3.0 2026-12-01")
# Of the least memory that libsodium takes: a second less in each test.
CHEAP = {"operations": 32768, "memory": 16 << 20}


def test_a_signature_gives_its_trusted_comment():
    """The key is selected by its id among all that are known."""
    public = [OTHER.public_line, KEY.public_line]
    assert minisign.verify(DATA, SIGNED, public) == "fairlead 0.3.0 2026-12-01"
    assert minisign.verify(DATA, SIGNED.replace(b"\n", b"\r\n"), public) == "fairlead 0.3.0 2026-12-01"


def edit_line(number, change):
    """The signature with one line changed. change: of the decoded bytes of a base64 line."""
    lines = SIGNED.decode().split("\n")
    lines[number] = base64.b64encode(change(base64.b64decode(lines[number]))).decode()
    return "\n".join(lines).encode()


def flip(place):
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (b"", "four lines"),
        (b"\xff", "not a text"),
        (SIGNED[:-40], "length"),
        (SIGNED + SIGNED, "four lines"),
        (SIGNED.replace(b"trusted comment: fairlead 0.3.0", b"trusted comment: fairlead 0.4.0"), "trusted comment"),
        (SIGNED.replace(b"untrusted comment: ", b"comment: "), "four lines"),
        (edit_line(1, lambda data: data[:-1]), "length"),
        (edit_line(1, lambda data: b"Ed" + data[2:]), "prehashed"),
        (edit_line(1, flip(2)), "none of fairlead's"),
        (edit_line(1, flip(10)), "does not fit"),
        (edit_line(1, flip(73)), "does not fit"),
        (edit_line(3, flip(0)), "trusted comment"),
        (edit_line(3, lambda data: data + b"x"), "length"),
        (keys.sign(DATA, OTHER, comment="fairlead 0.3.0 2026-12-01"), "none of fairlead's"),
        (keys.sign(DATA + b" ", KEY, comment="fairlead 0.3.0 2026-12-01"), "does not fit"),
    ],
)
def test_what_is_refused(signature, said):
    """Each part of a signature that is cut, changed or of another key is named."""
    with pytest.raises(minisign.BadSignature, match=said):
        minisign.verify(DATA, signature, [KEY.public_line])


def test_a_known_id_with_another_key_is_refused():
    """The id selects a key and proves nothing."""
    impostor = OTHER._replace(id=KEY.id)
    with pytest.raises(minisign.BadSignature, match="does not fit"):
        minisign.verify(DATA, keys.sign(DATA, impostor, comment=""), [KEY.public_line])


def test_without_keys_nothing_is_accepted():
    """No key, no release."""
    with pytest.raises(minisign.BadSignature, match="none of fairlead's"):
        minisign.verify(DATA, SIGNED, [])


# Ids of their own: the keys are drawn anew in each process, and pytest-xdist compares ids.
@pytest.mark.parametrize(
    "text",
    ["", "RWQ", KEY.public_line[:-4], f"{KEY.public_line}\n{OTHER.public_line}", "Ü"],
    ids=["empty", "start", "cut", "two", "letter"],
)
def test_public_keys_that_cannot_be_read(text):
    """A public key is one line of minisign's."""
    with pytest.raises(ValueError, match="not a public key"):
        minisign.parse_public_key(text)


@pytest.mark.parametrize("password", ["", "a password"])
def test_secret_keys_are_read_as_written(tmp_path, password):
    """With the right password only; the file is the user's own, and never written over."""
    path = tmp_path / "release.key"
    keys.write_key(KEY, path, password, **CHEAP)
    assert keys.read_key(path, password) == KEY
    assert minisign.parse_public_key((tmp_path / "release.key.pub").read_text()).shown == minisign.show_id(KEY.id)
    if password:
        with pytest.raises(keys.KeyProblem, match="password"):
            keys.read_key(path, "another")
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(keys.KeyProblem, match="cannot be written"):
        keys.write_key(OTHER, path, password, **CHEAP)


@pytest.mark.parametrize("text", ["", "one line", "untrusted comment: x\n!!!!", "untrusted comment: x\nAAAA"])
def test_files_that_are_no_keys(tmp_path, text):
    """Each is refused by its name."""
    path = tmp_path / "release.key"
    path.write_text(text)
    with pytest.raises(keys.KeyProblem, match="not a secret key"):
        keys.read_key(path, "")
    with pytest.raises(keys.KeyProblem, match="cannot be read"):
        keys.read_key(tmp_path / "none", "")


@pytest.mark.skipif(shutil.which("minisign") is None, reason="needs minisign")
class TestWithMinisign:
    """Keys and signatures are those of the minisign program, in both directions."""

    def test_minisign_signs_with_our_key(self, tmp_path):
        """And we verify it."""
        path, file = tmp_path / "k", tmp_path / "file"
        file.write_bytes(DATA)
        keys.write_key(KEY, path, "pw", **CHEAP)
        run("-S", "-s", path, "-m", file, "-t", "said here", stdin="pw\n")
        signature = file.with_name("file.minisig").read_bytes()
        assert minisign.verify(DATA, signature, [KEY.public_line]) == "said here"

    def test_minisign_verifies_our_signature(self, tmp_path):
        """And refuses it for other data."""
        file = tmp_path / "file"
        file.write_bytes(DATA)
        file.with_name("file.minisig").write_bytes(SIGNED)
        assert "fairlead 0.3.0 2026-12-01" in run("-V", "-m", file, "-P", KEY.public_line)
        file.write_bytes(DATA + b" ")
        with pytest.raises(subprocess.CalledProcessError):
            run("-V", "-m", file, "-P", KEY.public_line)

    def test_we_sign_with_a_key_of_minisign(self, tmp_path):
        """Its own password derivation is read, with the limits that it chose."""
        run("-G", "-s", tmp_path / "k", "-p", tmp_path / "k.pub", stdin="pw\npw\n")
        file = tmp_path / "file"
        file.write_bytes(DATA)
        key = keys.read_key(tmp_path / "k", "pw")
        file.with_name("file.minisig").write_bytes(keys.sign(DATA, key, comment="ours"))
        assert "ours" in run("-V", "-m", file, "-p", tmp_path / "k.pub")


def run(*words, stdin=""):
    """The output of minisign."""
    done = subprocess.run(
        ["minisign", *map(str, words)], input=stdin, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
