"""What the fuzz targets share: counts, seeds, and how valid input is spoilt and cut.

Every case has a random source of its own, made from its number: one that failed is run again alone, whatever the
count.
"""

import random

import pytest

#: The normal suite runs some thousand cases of each target, `-m slow` a million.
MILLION = pytest.param(10**6, marks=pytest.mark.slow)
#: How far a long run is, is printed after so many cases.
TOLD = 100_000
_INTERESTING = (b"\0", b"\xff", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b":", b";", b",", b'"', b"\\")


def cases(target, count):
    """A random source for each case of a target. count: how many."""
    for number in range(count):
        yield random.Random(f"{target} {number}")
        if not (number + 1) % TOLD:
            print(f"{target}: {number + 1} cases", flush=True)


def spoilt(chance, data, words=()):
    """Data with up to five random edits; `words` are what the format is made of."""
    out = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        at = chance.randrange(len(out) + 1)
        end = min(len(out), at + chance.choice((0, 1, 1, 2, 8, 40)))
        kind = chance.randrange(5)
        if kind == 0:
            del out[at:end]
        elif kind == 1:
            out[at:at] = chance.choice((*words, *_INTERESTING))
        elif kind == 2:
            out[at:end] = chance.choice((*words, *_INTERESTING))
        elif kind == 3:
            out[at:at] = out[at:end] * chance.choice((1, 2, 30))
        elif at < len(out):
            out[at] = chance.randrange(256)
    return bytes(out)


def cut(chance, data, *, by_byte=True):
    """The data in pieces: whole, byte by byte where that is wanted, or cut anywhere."""
    kind = chance.randrange(4)
    if kind == 0 or not data:
        return [data] if data else []
    if kind == 1 and by_byte and len(data) < 400:
        return [data[at : at + 1] for at in range(len(data))]
    borders = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 6)))
    return [data[start:end] for start, end in zip([0, *borders], [*borders, len(data)], strict=True) if start < end]
