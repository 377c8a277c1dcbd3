"""The folders in which a library looks for others before the system's own (DT_RUNPATH and DT_RPATH of ELF).

An interpreter that was built with a folder of its builder in there would take libraries from that folder of the user's
machine, whoever may write there. Entries relative to the library itself ($ORIGIN) move with it and stay.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

# 64 bits, least significant byte first: x86-64 and ARM64.
_ELF64 = b"\x7fELF\x02\x01"
_LOAD, _DYNAMIC = 1, 2
_END, _STRINGS, _RPATH, _RUNPATH = 0, 5, 15, 29
_ENTRY = struct.Struct("<qQ")


def find_foreign(files: Iterable[Path]) -> list[str]:
    """The name and search path of each library that looks in a folder of its builder."""
    return [f"{path.name} ({text})" for path in files for _, text in _find(path.read_bytes())]


def copy_without_foreign(path: Path, folder: Path) -> Path:
    """A copy of a library without such a search path, in a folder by itself; the library itself where it has none."""
    data = bytearray(path.read_bytes())
    found = list(_find(data))
    if not found:
        return path
    # From the last, as what follows an entry moves into its place.
    for place, _ in reversed(found):
        _remove(data, place)
    copied = folder / path.name
    copied.write_bytes(data)
    copied.chmod(path.stat().st_mode)
    return copied


def _find(data: bytes | bytearray) -> Iterator[tuple[int, str]]:
    """Where each entry with such a path is in the dynamic section, and the path."""
    if data[: len(_ELF64)] != _ELF64:
        return
    headers = list(_iter_headers(data))
    for kind, offset, _, size in headers:
        if kind == _DYNAMIC:
            entries = list(_iter_entries(data, offset, size))
            texts = next((value for _, tag, value in entries if tag == _STRINGS), 0)
            for place, tag, value in entries:
                if tag in (_RPATH, _RUNPATH):
                    text = _read_text(data, _locate(headers, texts) + value)
                    if any(not part.startswith(("$ORIGIN", "${ORIGIN}")) for part in text.split(":")):
                        yield place, text


def _iter_headers(data: bytes | bytearray) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset in the file, address and size of each segment."""
    [start] = struct.unpack_from("<Q", data, 32)
    each, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, start + number * each)
        yield kind, offset, address, size


def _iter_entries(data: bytes | bytearray, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    for place in range(offset, offset + size, _ENTRY.size):
        tag, value = _ENTRY.unpack_from(data, place)
        if tag == _END:
            return
        yield place, tag, value


def _locate(headers: Iterable[tuple[int, int, int, int]], address: int) -> int:
    """Where in the file an address is."""
    return next(
        offset + address - begin
        for kind, offset, begin, size in headers
        if kind == _LOAD and begin <= address < begin + size
    )


def _read_text(data: bytes | bytearray, place: int) -> str:
    return data[place : data.index(0, place)].decode(errors="replace")


def _remove(data: bytearray, place: int) -> None:
    """Take an entry out of the dynamic section: those behind it move up, up to the one that ends it."""
    while True:
        tag, _ = _ENTRY.unpack_from(data, place)
        if tag == _END:
            return
        data[place : place + _ENTRY.size] = data[place + _ENTRY.size : place + 2 * _ENTRY.size]
        place += _ENTRY.size
