"""What is inside a program is told: every file's owner, every owner's licence text, in a list that fits its schema."""

import json
import re
import shutil
import sys

import pytest

HASH = "a" * 64


@pytest.fixture
def frozen(script, tmp_path):
    """A folder as PyInstaller leaves it, of files that real packages and this Python own."""
    folder = tmp_path / "fairlead"
    for name in (
        "fairlead",
        "_internal/base_library.zip",
        "_internal/libz.so.1",
        "_internal/router/__init__.pyc",
        "_internal/h11/_connection.pyc",
        "_internal/json/decoder.pyc",
        "_internal/python3.11/lib-dynload/_bz2.cpython-311-x86_64-linux-gnu.so",
        "_internal/certifi/cacert.pem",
        "_internal/h11-0.16.0.dist-info/METADATA",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    # As the build: of all native libraries, since which of them a Python has built in is for each another matter.
    natives = [native.name for native in script("components").NATIVES]
    for name in ("certifi", "cpython", "h11", "pyinstaller", "fairlead", *natives):
        text = folder / "_internal" / "licenses" / name / "LICENSE.txt"
        text.parent.mkdir(parents=True)
        text.write_text("as it is")
    pytest.importorskip("PyInstaller")
    return folder


def owners(found):
    return {part.name: part for part in found}


def test_every_file_has_its_owner(script, frozen):
    """Modules, data, libraries and metadata belong to the package, library or interpreter that they came from."""
    found = owners(script("components").components(frozen, []))
    assert sorted(found["h11"].files) == [
        "_internal/h11-0.16.0.dist-info/METADATA",
        "_internal/h11/_connection.pyc",
        "_internal/licenses/h11/LICENSE.txt",
    ]
    assert "_internal/json/decoder.pyc" in found["cpython"].files
    assert "_internal/base_library.zip" in found["cpython"].files
    assert "_internal/router/__init__.pyc" in found["fairlead"].files
    assert "fairlead" in found["pyinstaller"].files
    assert "_internal/libz.so.1" in found["zlib"].files
    assert found["cpython"].version == sys.version.split()[0]


def test_a_library_without_a_file_of_its_own_is_listed(script, frozen):
    """Bundled with the module that uses it, bzip2 is inside although no file of it is there; libsodium is not."""
    found = owners(script("components").components(frozen, []))
    assert "bzip2" in found
    assert "libsodium" not in found


@pytest.mark.parametrize(
    "stranger", ["_internal/libunknown.so.1", "_internal/strange/module.pyc", "_internal/data.bin"]
)
def test_a_file_without_owner_fails(script, frozen, stranger):
    """What no package owns is named, and nothing is listed."""
    path = frozen / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"?")
    with pytest.raises(script("naming").BuildError, match=stranger.replace(".", r"\.")):
        script("components").components(frozen, [])


def test_a_module_inside_the_program_has_its_owner(script, frozen):
    """Where modules are no files, their names are looked at; one without an owner fails."""
    found = owners(script("components").components(frozen, ["tomlkit.api", "json.tool", "router.ir"]))
    assert found["tomlkit"].modules == ["tomlkit.api"]
    assert found["cpython"].modules == ["json.tool"]
    with pytest.raises(script("naming").BuildError, match="nobody"):
        script("components").components(frozen, ["nobody.knows"])


def test_licences_of_what_is_inside(script, frozen):
    """Texts of what is not inside go; a component without a text, or with an empty one, fails by name."""
    names = [part.name for part in script("components").components(frozen, [])]
    texts = frozen / "_internal" / "licenses"
    script("licenses").settle_licenses(frozen, names)
    assert sorted(path.name for path in texts.iterdir()) == sorted(names)
    (texts / "h11" / "LICENSE.txt").write_bytes(b"")
    with pytest.raises(script("naming").BuildError, match="h11"):
        script("licenses").settle_licenses(frozen, names)


def test_extras_count(script):
    """What an extra of a dependency brings is inside too: socksio comes by httpx[socks]."""
    assert {"socksio", "h11", "trio"} <= script("licenses").bundled("fairlead")


def test_every_native_library_has_a_text(script):
    """For each library that may be inside the repository has its licence text."""
    texts = {path.stem for path in script("licenses").TEXTS.glob("*.txt")}
    assert {native.name for native in script("components").NATIVES} == texts


@pytest.fixture
def listed(script, frozen, monkeypatch):
    """The list for the small folder, with a lock that fits the packages here."""
    pytest.importorskip("cyclonedx")
    sbom, parts = script("sbom"), script("components").components(frozen, [])
    lock = {part.name: (part.version, [HASH]) for part in parts if part.kind == "pypi"}
    monkeypatch.setattr(sbom, "read_lock", lambda _path: lock)
    return lambda: sbom.describe(frozen, script("components").components(frozen, []))


def test_the_list_fits_its_schema_and_is_the_same_again(script, listed):
    """Twice the same bytes, valid CycloneDX 1.6, with each package's version, address, hash of the lock and licence."""
    text = listed()
    assert text == listed()
    script("sbom").check(text)
    [h11] = [part for part in json.loads(text)["components"] if part["name"] == "h11"]
    assert (h11["purl"], h11["hashes"][0]["content"]) == (f"pkg:pypi/h11@{h11['version']}", HASH)
    assert h11["licenses"] == [{"expression": "MIT"}]
    assert all(len(file["hashes"][0]["content"]) == 64 for file in h11["components"])


def test_a_list_that_does_not_fit_is_refused(script):
    """A document of another form is no list."""
    pytest.importorskip("cyclonedx")
    with pytest.raises(script("naming").BuildError, match="schema"):
        script("sbom").check('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}]}')


def test_a_package_of_another_version_than_the_lock_fails(script, frozen, monkeypatch):
    """The list is of locked packages: another version inside is named with the lock's."""
    parts = script("components").components(frozen, [])
    lock = {part.name: ("0.0.1", [HASH]) for part in parts}
    monkeypatch.setattr(script("sbom"), "read_lock", lambda _path: lock)
    with pytest.raises(script("naming").BuildError, match="the lock says 0\\.0\\.1"):
        script("sbom").describe(frozen, parts)


def test_the_lock_is_read_whole(script):
    """Each entry of the lock has its version and its hashes, whatever system it is for."""
    path = script("sbom").ROOT / "build" / "locks" / "build.txt"
    found = script("sbom").read_lock(path)
    assert len(found) == len(re.findall(r"^\S+==", path.read_text("utf-8"), re.MULTILINE))
    assert all(hashes for _, hashes in found.values())


def test_lists_of_two_systems_become_one(script, listed):
    """A package that both have stands once, with the files of both; the result fits the schema."""
    sbom = script("sbom")
    one = json.loads(listed())
    two = json.loads(json.dumps(one).replace(sbom.place(), "windows-arm64"))
    merged = sbom.merge([one, two])
    sbom.check(sbom.write(merged))
    assert [part["name"] for part in merged["components"]] == [part["name"] for part in one["components"]]
    [certifi] = [part for part in merged["components"] if part["name"] == "certifi"]
    assert len(certifi["components"]) == 4
    assert sbom.write(sbom.merge([two, one])) == sbom.write(merged)


def test_lists_of_two_versions_are_not_merged(script, listed):
    """They are lists of two releases."""
    one = json.loads(listed())
    two = json.loads(json.dumps(one))
    two["metadata"]["component"]["version"] = "9.9.9"
    with pytest.raises(script("naming").BuildError, match="different versions"):
        script("sbom").merge([one, two])


def test_two_lists_of_one_system_are_not_merged(script, listed):
    """Each system's files stand once."""
    one = json.loads(listed())
    with pytest.raises(script("naming").BuildError, match="of one system"):
        script("sbom").merge([one, one])


def test_sizes_are_of_what_lies_there(script, frozen):
    """A line for each component, the largest first."""
    (frozen / "_internal" / "libz.so.1").write_bytes(bytes(2 << 20))
    found = script("components").components(frozen, [])
    lines = script("sbom").sizes(frozen, found)
    assert lines[0].split()[:3] == ["2.0", "MB", "zlib"]
    assert sorted(line.split()[2] for line in lines) == sorted(part.name for part in found)


@pytest.mark.parametrize(
    ("content", "strange"),
    [(b"\x7fELF\0GLIBC_2.2.5\0", True), (b"\x7fELF\0libc.so.6\0", True), (b"\x7fELF\0libc.musl-x86_64.so.1\0", False)],
)
def test_what_is_made_for_glibc_is_seen(script, tmp_path, content, strange):
    """A library that names glibc's symbols or its file is no part of a build for musl."""
    (tmp_path / "lib.so").write_bytes(content)
    assert script("binaries").of_glibc([tmp_path / "lib.so"]) == (["lib.so"] if strange else [])


def test_a_build_for_musl_refuses_glibc(script, building, tmp_path, monkeypatch):
    """The gate names the file; without one it says musl."""
    monkeypatch.setattr(building, "musl", lambda: True)
    (tmp_path / "good.so").write_bytes(b"\x7fELF\0libc.musl-x86_64.so.1\0")
    assert building.check_libc([tmp_path / "good.so"], "2.28") == "needs musl"
    (tmp_path / "bad.so").write_bytes(b"\x7fELF\0GLIBC_2.17\0")
    with pytest.raises(building.BuildError, match=r"bad\.so"):
        building.check_libc([tmp_path / "good.so", tmp_path / "bad.so"], "2.28")


def test_too_new_a_glibc_is_named_with_the_file(building, tmp_path, monkeypatch):
    """The gate of a release says which file asks for more."""
    monkeypatch.setattr(building, "musl", lambda: False)
    (tmp_path / "new.so").write_bytes(b"\x7fELF\0GLIBC_2.34\0")
    (tmp_path / "old.so").write_bytes(b"\x7fELF\0GLIBC_2.17\0")
    assert building.check_libc([tmp_path / "old.so"], "2.28").endswith("2.17 or newer")
    with pytest.raises(building.BuildError, match=r"2\.34; 2\.28 .*: new\.so$"):
        building.check_libc([tmp_path / "old.so", tmp_path / "new.so"], "2.28")


@pytest.mark.parametrize(
    ("system", "machine", "soabi", "signed", "name"),
    [
        ("linux", "x86_64", "cpython-314-x86_64-linux-gnu", False, "linux-x86_64"),
        ("linux", "aarch64", "cpython-314-aarch64-linux-musl", False, "linux-arm64-musl"),
        ("darwin", "arm64", "cpython-314-darwin", False, "macos-arm64-unsigned"),
        ("darwin", "x86_64", "cpython-314-darwin", True, "macos-x86_64"),
        ("win32", "AMD64", None, False, "windows-x86_64-unsigned"),
        ("win32", "ARM64", None, True, "windows-arm64"),
    ],
)
def test_names_say_system_library_and_signature(script, monkeypatch, system, machine, soabi, signed, name):
    """musl and unsigned stand in the name; Linux programs carry no signature of their own."""
    naming = script("naming")
    monkeypatch.setattr(naming.sys, "platform", system)
    monkeypatch.setattr(naming.platform, "machine", lambda: machine)
    monkeypatch.setattr(naming.sysconfig, "get_config_var", lambda key: soabi if key == "SOABI" else None)
    assert naming.place(signed=signed) == name
    assert naming.one_file(signed=signed) == f"fairlead-{name}{'.exe' if system == 'win32' else ''}"


def test_copies_of_sources_compare(script, tmp_path):
    """Equal folders are equal; the first file that differs is named, also within an archive."""
    rebuild, archives = script("rebuild"), script("archives")
    for side in ("one", "two"):
        (tmp_path / side / "src" / "sub").mkdir(parents=True)
        (tmp_path / side / "src" / "a").write_bytes(b"same")
        (tmp_path / side / "src" / "sub" / "b").write_bytes(b"text of one")
        (tmp_path / side / "out").mkdir()
        archives.pack(tmp_path / side / "src", tmp_path / side / "out" / "made")
    assert rebuild.compare(tmp_path / "one" / "out", tmp_path / "two" / "out") == "1 files are equal"
    (tmp_path / "two" / "src" / "sub" / "b").write_bytes(b"text of two")
    archives.pack(tmp_path / "two" / "src", tmp_path / "two" / "out" / "made")
    with pytest.raises(script("naming").BuildError, match=r"made\.\S+ differs: sub/b differs: .* at byte 8"):
        rebuild.compare(tmp_path / "one" / "out", tmp_path / "two" / "out")
    shutil.copy(tmp_path / "one" / "src" / "a", tmp_path / "one" / "out" / "more")
    with pytest.raises(script("naming").BuildError, match="more is only in"):
        rebuild.compare(tmp_path / "one" / "out", tmp_path / "two" / "out")
