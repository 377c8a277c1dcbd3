"""The list of what is inside a built program, as CycloneDX 1.6 in JSON.

  python build/sbom.py merge -o FILE PART...    one list for a release from those of its builds
  python build/sbom.py rehash PART FOLDER       new hashes of the files after they were signed
  python build/sbom.py check FILE...            each against the schema, strictly

`build.py --sbom` writes a part: `fairlead-VERSION-SYSTEM-MACHINE.cdx.json`. Each component is a locked package, with
its hashes from the lock, or CPython, a native library, fairlead itself; its files are components of type `file` below
it. The same program gives the same bytes. `merge` and `rehash` need nothing but Python's standard library.
"""

import argparse
import hashlib
import importlib
import json
import re
import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bytecode
from archives import STAMP
from naming import ROOT, BuildError, megabytes, place, version

if TYPE_CHECKING:
    from components import Component

NAMESPACE = uuid.UUID("6f6c1a53-5f0a-5d57-9a6b-1c1d7f0c7a11")
OWN, PLATFORM = "fairlead", "fairlead:platform"
Json = dict[str, Any]


def main() -> int:
    """Run one of the commands; 0 when all is well."""
    options = _parser().parse_args()
    try:
        if options.command == "merge":
            text = write(merge([_read(path) for path in options.parts]))
            Path(options.output).write_text(text, "utf-8", newline="\n")
        elif options.command == "rehash":
            rehash(Path(options.part), Path(options.folder))
        else:
            for path in options.files:
                check(Path(path).read_text("utf-8"))
                print(f"{path} is valid")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Lists of what is inside a program.")
    commands = parser.add_subparsers(dest="command", required=True)
    merging = commands.add_parser("merge", help="one list for a release")
    merging.add_argument("-o", "--output", required=True)
    merging.add_argument("parts", nargs="+")
    hashing = commands.add_parser("rehash", help="new hashes of a part's files")
    hashing.add_argument("part")
    hashing.add_argument("folder")
    checking = commands.add_parser("check", help="against the schema")
    checking.add_argument("files", nargs="+")
    return parser


def describe(folder: Path, found: list["Component"], *, signed: bool = False) -> str:
    """The list for a frozen folder whose components are known; checked against the schema."""
    system = place(signed=signed)
    locked = read_lock(ROOT / "build" / "locks" / "build.txt")
    parts = [_listed(component, locked, folder, system) for component in found]
    own = {
        "bom-ref": OWN,
        "name": "fairlead",
        "properties": [{"name": PLATFORM, "value": system}],
        "purl": f"pkg:generic/fairlead@{version()}",
        "type": "application",
        "version": version(),
    }
    text = write(_document(own, parts))
    check(text)
    return text


def _document(own: Json, parts: list[Json]) -> Json:
    """The whole list, with a serial number that its content decides."""
    refs = sorted(str(part["bom-ref"]) for part in parts)
    listed: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "components": sorted(parts, key=lambda part: str(part["bom-ref"])),
        "dependencies": [{"ref": own["bom-ref"], "dependsOn": refs}, *({"ref": ref} for ref in refs)],
        "metadata": {"component": own, "timestamp": datetime.fromtimestamp(STAMP, UTC).isoformat()},
        "specVersion": "1.6",
        "version": 1,
    }
    return _numbered(listed)


def _numbered(listed: Json) -> Json:
    content = json.dumps({name: value for name, value in listed.items() if name != "serialNumber"}, sort_keys=True)
    return {**listed, "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}"}


def _listed(component: "Component", locked: dict[str, tuple[str, list[str]]], folder: Path, system: str) -> Json:
    number, hashes = locked.get(component.name, ("", []))
    if component.kind == "pypi" and number != component.version:
        told = f"the lock says {number}" if number else "the lock does not name it"
        raise BuildError(f"{component.name} {component.version} is inside, {told}: install build/locks/build.txt")
    at = f"@{component.version}" if component.version else ""
    properties = {"fairlead:version-from": component.source or "nowhere: the library does not tell it"}
    if component.modules:
        properties[f"fairlead:modules-inside-program:{system}"] = " ".join(component.modules)
    if not component.modules and all("/licenses/" in name for name in component.files):
        properties[f"fairlead:linked-into-others:{system}"] = "it has no file of its own"
    listed: Json = {
        "bom-ref": f"{component.kind}:{component.name}{at}",
        "components": [
            {
                "bom-ref": f"{system}/{name}",
                "hashes": [{"alg": "SHA-256", "content": _digest(folder / name)}],
                "name": name,
                "type": "file",
            }
            for name in component.files
        ],
        "hashes": [{"alg": "SHA-256", "content": value} for value in hashes],
        "licenses": [_license(component.spdx)] if component.spdx else [],
        "name": component.name,
        "properties": [{"name": name, "value": value} for name, value in sorted(properties.items())],
        "purl": f"pkg:{'pypi' if component.kind == 'pypi' else 'generic'}/{component.name}{at}",
        "type": "library",
        "version": component.version,
    }
    return {name: value for name, value in listed.items() if value}


def _license(told: str) -> Json:
    words = re.split(r" (?:AND|OR|WITH) |[()]", told)
    known = all(re.fullmatch(r"[A-Za-z0-9.+-]*", word) for word in words)
    return {"expression": told} if known else {"license": {"name": told}}


def read_lock(path: Path) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and the SHA-256 of each file of it that the lock takes."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    entries = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ;.*?)?((?: +--hash=sha256:[0-9a-f]{64})+) *$", text, re.MULTILINE)
    return {name: (number, sorted(re.findall(r"[0-9a-f]{64}", hashes))) for name, number, hashes in entries}


def merge(parts: list[Json]) -> Json:
    """One list of several builds' lists: a component that is in more of them stands once, with the files of all."""
    owns: list[Json] = [part["metadata"]["component"] for part in parts]
    if len({own["version"] for own in owns}) != 1:
        raise BuildError("these lists are of different versions")
    systems: list[str] = [
        str(entry["value"]) for own in owns for entry in own["properties"] if entry["name"] == PLATFORM
    ]
    if len(set(systems)) != len(systems):
        raise BuildError(f"two of these lists are of one system: {', '.join(sorted(systems))}")
    merged: dict[str, Json] = {}
    for part in parts:
        for component in part["components"]:
            known = merged.setdefault(component["bom-ref"], {**component, "components": [], "properties": []})
            known["components"] += component.get("components", [])
            known["properties"] += [entry for entry in component["properties"] if entry not in known["properties"]]
    for component in merged.values():
        component["components"].sort(key=_ref)
        component["properties"].sort(key=_entry)
        if not component["components"]:
            del component["components"]
    properties: list[Json] = sorted((entry for own in owns for entry in own["properties"]), key=_entry)
    return _document({**owns[0], "properties": properties}, list(merged.values()))


def _ref(part: Json) -> str:
    return str(part["bom-ref"])


def _entry(entry: Json) -> tuple[str, str]:
    return str(entry["name"]), str(entry["value"])


def rehash(part: Path, folder: Path) -> None:
    """Write the hashes of a part's files anew, from the folder that was signed, and drop `-unsigned` from its place.

    Raises BuildError when signing has added a file.
    """
    listed = _read(part)
    known: set[str] = set()
    for component in listed["components"]:
        for file in component.get("components", []):
            file["hashes"] = [{"alg": "SHA-256", "content": _digest(folder / file["name"])}]
            known.add(str(file["name"]))
    added = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - known
    if added:
        raise BuildError(f"signing added {', '.join(sorted(added))}")
    [system] = (entry["value"] for entry in listed["metadata"]["component"]["properties"] if entry["name"] == PLATFORM)
    text = json.dumps(listed).replace(str(system), str(system).removesuffix("-unsigned"))
    part.write_text(write(_numbered(json.loads(text))), "utf-8", newline="\n")


def check(text: str) -> None:
    """Raise BuildError unless this is a CycloneDX 1.6 document, strictly."""
    try:
        # By name: its types are not readable for a checker.
        schema: Any = importlib.import_module("cyclonedx.schema")
        validation: Any = importlib.import_module("cyclonedx.validation.json")
    except ImportError:
        raise BuildError("the check needs what this brings:   pip install '.[build]'") from None
    error = validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise BuildError(f"the list of components does not fit its schema: {str(error)[:500]}")


def sizes(folder: Path, found: Iterable["Component"]) -> list[str]:
    """A line for each component, the largest first: its bytes on disk, before packing, and its files."""
    inside = bytecode.read(folder)
    one = f"_internal/{bytecode.NAME}"
    rows = [
        (
            sum((folder / name).stat().st_size for name in part.files if name != one)
            + sum(len(inside[name][0]) for name in part.modules if name in inside),
            part,
        )
        for part in found
    ]
    ordered = sorted(rows, key=lambda row: (-row[0], row[1].name))
    return [f"{megabytes(size):>9}   {part.name} {part.version}   {len(part.files)} files" for size, part in ordered]


def write(listed: Json) -> str:
    """The text of a list: names in order, so that the same content is the same text."""
    return json.dumps(listed, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _read(path: str | Path) -> Json:
    return json.loads(Path(path).read_text("utf-8"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
