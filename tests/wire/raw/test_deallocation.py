"""What was decoded of large JSON is freed entry by entry, whatever becomes of the work on it."""

import sys

import pytest

from router.wire.raw.json import deallocation, large_json
from router.wire.raw.json.deallocation import free_in_steps

COUNT = 5_000
#: Lists in a list, and members of an object: each longer than a window.
NESTED = b'{"a": [[%b], [%b]], "b": {%b}}' % (
    b",".join([b'"value"'] * COUNT),
    b",".join([b'"value"'] * COUNT),
    b",".join(b'"%d": "value"' % at for at in range(COUNT)),
)


class Value:
    """A value that notes which function its last reference was dropped in."""

    freed: list[str]

    def __del__(self):
        Value.freed.append(sys._getframe(1).f_code.co_name)


def decode_part(data):
    """A part of JSON whose texts are values that note how they end."""
    found = large_json.decode(data)
    if isinstance(found, list):
        return [Value() for _ in found]
    return {name: Value() if value == "value" else value for name, value in found.items()}


def decode():
    return large_json.decode(NESTED, decode_part=decode_part)


@pytest.fixture(autouse=True)
def freed():
    """The functions in which values were freed."""
    Value.freed = []
    return Value.freed


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(large_json, "_WINDOW", 512)


def use():
    decode()


def read():
    return len(decode())


def refuse():
    assert decode()
    raise ValueError


def refuse_again():
    try:
        refuse()
    except ValueError:
        raise KeyError from None


@pytest.mark.parametrize("work", [use, read, refuse, refuse_again])
def test_each_value_is_freed_by_itself(freed, work):
    """When the work has ended: no call frees a whole list, also where an error tells where it came from."""
    caught = None
    try:
        free_in_steps(work)
    except (KeyError, ValueError) as error:
        caught = error
    assert (caught is None) == (work in (use, read))
    assert (len(freed), {*freed}) == (3 * COUNT, {"_free"})


def test_what_the_result_holds_stays():
    """It belongs to the one who asked."""
    found = free_in_steps(decode)
    assert [len(one) for one in found["a"]] == [COUNT, COUNT]
    assert len(found["b"]) == COUNT
    assert all(isinstance(one, Value) for one in found["b"].values())


def test_outside_such_work_nothing_is_held(freed):
    """What is decoded then is freed with its last reference."""
    decode()
    assert "_free" not in freed
    deallocation.note([])
