"""The end of a log file, and what comes."""

import contextlib
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.service.log_file import follow, read_end


def test_the_last_lines(tmp_path):
    """Also from the file before, where the new one has too few."""
    (tmp_path / "log.1").write_text("a\nb\nc\n")
    (tmp_path / "log").write_text("d\ne\n")
    path = tmp_path / "log"
    assert read_end(path, 4) == ["b", "c", "d", "e"]
    assert read_end(path, 1) == ["e"]
    assert read_end(path, 0) == []
    assert read_end(path, 100) == ["a", "b", "c", "d", "e"]
    assert read_end(tmp_path / "none", 3) == []


@given(st.lists(st.text("ab\u00e4", max_size=40_000), max_size=6), st.integers(1, 8))
def test_any_lines(tmp_path_factory, lines, number):
    """Longer than what is read at once, too."""
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert read_end(path, number) == lines[-number:]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file is not renamed there")
def test_what_comes(tmp_path):
    """Nothing of before; what is added, also after the log was set aside, removed and emptied."""
    path = tmp_path / "log"
    path.write_text("old\n")
    acts = iter(
        [
            lambda: append("one\n"),
            lambda: (append("two\n"), os.rename(path, tmp_path / "log.1"), path.write_text("three\n")),
            path.unlink,
            lambda: path.write_text("four\n"),
            lambda: os.truncate(path, 0),
            lambda: append("5\n"),
        ]
    )

    def append(text):
        with path.open("a") as file:
            file.write(text)

    def act(_):
        do = next(acts, None)
        if do is None:
            raise KeyboardInterrupt
        do()

    told = []
    with contextlib.suppress(KeyboardInterrupt):
        for text in follow(path, sleep=act):
            told.append(text)
    assert "".join(told) == "one\ntwo\nthree\nfour\n5\n"


def test_a_log_that_is_not_there_yet(tmp_path):
    """It is read from its beginning once it is."""
    path = tmp_path / "log"
    steps = iter([lambda: None, lambda: path.write_text("first\n")])
    texts = follow(path, sleep=lambda _: next(steps)())
    assert next(texts) == "first\n"
