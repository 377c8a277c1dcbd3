"""The pipe: lines of bounded length, messages in one piece, and an end that nobody reads."""

import io
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mcp.stdio import Output, iter_lines


@given(st.lists(st.binary(max_size=12).map(lambda part: part.replace(b"\n", b"")), max_size=8), st.booleans())
def test_lines_come_as_they_are_and_long_ones_are_told(parts, ended):
    """A line of up to the limit comes whole, a longer one is one None, and the next line is not lost."""
    data = b"\n".join(parts) + (b"\n" if ended else b"")
    expected = [None if len(one.rstrip(b"\n")) > 5 else one for one in io.BytesIO(data)]
    assert list(iter_lines(io.BytesIO(data), 5)) == expected


def test_a_message_larger_than_the_pipe_arrives_whole():
    """The writer waits for the reader, from any thread."""
    reading, writing = os.pipe()
    output = Output(writing)
    messages = [{"id": number, "result": {"text": "x" * 200_000}} for number in range(4)]
    threads = [threading.Thread(target=output.write, args=(one,)) for one in messages]
    for thread in threads:
        thread.start()
    with os.fdopen(reading, "rb") as file:
        lines = [file.readline() for _ in messages]
    for thread in threads:
        thread.join()
    os.close(writing)
    assert {len(line) for line in lines} == {200_000 + len(b'{"id":0,"result":{"text":""}}\n')}
    assert all(line.startswith(b'{"id":') for line in lines)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there is no poll")
def test_an_end_that_nobody_reads_is_noticed():
    """Before something is written to it, and afterwards: then nothing is tried again."""
    reading, writing = os.pipe()
    output = Output(writing)
    assert output.is_read()
    os.close(reading)
    assert not output.is_read()
    assert output.open
    output.write({"id": 1})
    assert not output.open
    output.write({"id": 2})
    os.close(writing)
