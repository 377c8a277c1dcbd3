"""Signing happens apart from building: what was unpacked is signed, packed again, and listed by its new bytes."""

import json
import sys

import pytest

PNG = b"\x89PNG"
ELF = b"\x7fELF"


@pytest.fixture
def dist(script, tmp_path):
    """The results of an unsigned build: archive, one file, list."""
    folder = tmp_path / "made" / "fairlead"
    (folder / "_internal").mkdir(parents=True)
    (folder / "fairlead").write_bytes(ELF + b"program")
    (folder / "fairlead").chmod(0o755)
    (folder / "_internal" / "lib.so").write_bytes(ELF + b"library")
    (folder / "_internal" / "picture").write_bytes(PNG)
    dist = tmp_path / "dist"
    dist.mkdir()
    script("archives").pack(folder, dist / "fairlead-1.2.3-macos-arm64-unsigned")
    (dist / "fairlead-macos-arm64-unsigned").write_bytes(ELF + b"all in one")
    names = ("fairlead", "_internal/lib.so", "_internal/picture")
    component = {
        "bom-ref": "own:fairlead@1.2.3",
        "name": "fairlead",
        "components": [{"bom-ref": f"macos-arm64-unsigned/{name}", "name": name, "type": "file"} for name in names],
        "properties": [],
    }
    own = {"version": "1.2.3", "properties": [{"name": "fairlead:platform", "value": "macos-arm64-unsigned"}]}
    listed = {"components": [component], "metadata": {"component": own}}
    (dist / "fairlead-1.2.3-macos-arm64-unsigned.cdx.json").write_text(json.dumps(listed))
    return dist


@pytest.fixture
def signer(tmp_path):
    """A command that signs as a tool would, and notes what it signed."""
    tool = tmp_path / "signer.py"
    tool.write_text(
        "import sys, pathlib\n"
        "path = pathlib.Path(sys.argv[2])\n"
        "path.write_bytes(path.read_bytes() + b'signed')\n"
        "with open(sys.argv[1], 'a') as log: print(path.name, file=log)\n"
    )
    return f"{sys.executable} {tool} {tmp_path / 'log'}"


@pytest.mark.skipif(sys.platform == "win32", reason="quotes and modes are those of POSIX")
def test_libraries_first_then_the_program(script, dist, signer, tmp_path):
    """Each program and library is signed once, nothing else, and the program after what it loads."""
    sign, work = script("sign"), tmp_path / "work"
    sign.open_unsigned(dist, work, keep_file=True)
    assert sign.sign(work / "fairlead", signer) == 2
    assert (tmp_path / "log").read_text().split() == ["lib.so", "fairlead"]


@pytest.mark.skipif(sys.platform == "win32", reason="quotes and modes are those of POSIX")
def test_signed_files_lose_the_mark_and_are_listed_anew(script, dist, signer, tmp_path):
    """Names say no more that it is unsigned, the list has the hashes of the signed bytes, and what runs still runs."""
    sign, work, out = script("sign"), tmp_path / "work", tmp_path / "out"
    sign.open_unsigned(dist, work)
    sign.sign(work, signer)
    names = sorted(path.name for path in sign.close_signed(work, dist, out))
    assert names == ["fairlead-1.2.3-macos-arm64.cdx.json", "fairlead-1.2.3-macos-arm64.tar.xz", "fairlead-macos-arm64"]
    top = script("archives").unpack(out / "fairlead-1.2.3-macos-arm64.tar.xz", tmp_path / "again")
    assert (top / "fairlead").read_bytes().endswith(b"signed")
    assert (top / "fairlead").stat().st_mode & 0o111
    text = (out / "fairlead-1.2.3-macos-arm64.cdx.json").read_text()
    assert "unsigned" not in text
    [component] = json.loads(text)["components"]
    hashes = {file["name"]: file["hashes"][0]["content"] for file in component["components"]}
    assert hashes == {name: script("sbom")._digest(top / name) for name in hashes}


@pytest.mark.skipif(sys.platform == "win32", reason="quotes and modes are those of POSIX")
def test_the_one_file_may_stay_unsigned(script, dist, signer, tmp_path):
    """On macOS it keeps its name and bytes."""
    sign, work, out = script("sign"), tmp_path / "work", tmp_path / "out"
    sign.open_unsigned(dist, work, keep_file=True)
    sign.sign(work, signer)
    sign.close_signed(work, dist, out, keep_file=True)
    kept = out / "fairlead-macos-arm64-unsigned"
    assert kept.read_bytes() == (dist / kept.name).read_bytes()


def test_what_was_not_signed_is_not_called_signed(script, dist, tmp_path):
    """The same bytes as before are refused."""
    sign, work = script("sign"), tmp_path / "work"
    sign.open_unsigned(dist, work)
    with pytest.raises(script("naming").BuildError, match=r"nothing .* was signed"):
        sign.close_signed(work, dist, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.tar.xz"))


def test_a_file_that_signing_added_is_named(script, dist, tmp_path):
    """What is not in the list cannot be shipped."""
    sign, work = script("sign"), tmp_path / "work"
    top = sign.open_unsigned(dist, work)
    (top / "left-behind").write_text("?")
    with pytest.raises(script("naming").BuildError, match="left-behind"):
        sign.close_signed(work, dist, tmp_path / "out")


def test_a_signer_that_fails_ends_it(script, dist, tmp_path):
    """Its failure is an error that names the file."""
    work = tmp_path / "work"
    script("sign").open_unsigned(dist, work)
    with pytest.raises(script("naming").BuildError, match=r"signing lib\.so failed"):
        script("sign").sign(work, f"{sys.executable} -c 'raise SystemExit(3)'".replace("\\", "/"))
