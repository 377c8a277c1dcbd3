"""Lines and tables as the commands print them, for terminals of any width."""

import io
import os
import sys

import pytest

from router.cli.common.layout import find_width, format_table, wrap, wrap_row

ROWS = [
    ("groq", "https://api.groq.com/openai/v1", "1,960", "key stored"),
    ("ollama", "http://127.0.0.1:11434", "3", ""),
]
HEADER = ("name", "url", "models", "key")


def test_wide():
    """With room for all, a row is a line, and figures stand at the right of their column."""
    assert format_table(ROWS, header=HEADER, right={2}, width=80) == [
        "name     url                              models   key",
        "groq     https://api.groq.com/openai/v1    1,960   key stored",
        "ollama   http://127.0.0.1:11434                3",
    ]


def test_narrow():
    """What does not fit stands below its row, and the header names what stands in columns. A few rows that are too long
    do not keep the others from more columns."""
    assert format_table(ROWS, "  ", header=HEADER, right={2}, width=44) == [
        "  name     url                      models",
        "  groq     https://api.groq.com/openai/v1",
        "    1,960   key stored",
        "  ollama   http://127.0.0.1:11434        3",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("error: the port is taken by x.", 40, ["error: the port is taken by x."]),
        (
            "error: port 3456 is taken by another program of this machine (python, pid 4) that listens.",
            72,
            [
                "error: port 3456 is taken by another program of this machine (python,",
                "       pid 4) that listens.",
            ],
        ),
        (
            "       Use another port:   fairlead proxy --port 3457",
            40,
            ["    Use another port:", "    fairlead proxy --port 3457"],
        ),
        (
            'note: to use these lines:   eval "$(fairlead env --tool codex)"',
            30,
            ["note: to use these lines:", '  eval "$(fairlead env --tool codex)"'],
        ),
        (
            "Set it with `fairlead config set prices.MODEL.input`, or allow it.",
            30,
            ["Set it with", "`fairlead config set prices.MODEL.input`,", "or allow it."],
        ),
        ("guard    day $1.00 of $5.00 (20 %)   month $9.00 of $50.00", 60, None),
        ("x" * 90 + " y", None, ["x" * 90 + " y"]),
        ("", 40, [""]),
    ],
)
def test_lines(text, width, lines):
    """A long line goes on below the text behind its label, further left where the terminal is narrow; commands are
    whole, on a line of their own if need be; a pipe is not broken."""
    assert wrap(text, width) == (lines or [text])


def test_rows():
    """Facts stay whole where they can, and continue below the row's text."""
    row = ("usage    ", "12 requests   3 errors   a fact that is longer than half of a line is broken")
    assert wrap_row(*row, 60) == [
        "usage    12 requests   3 errors   a fact that is longer than",
        "         half of a line is broken",
    ]
    assert wrap_row(*row, 24) == [
        "usage    12 requests",
        "    3 errors   a fact",
        "    that is longer than",
        "    half of a line is",
        "    broken",
    ]


@pytest.mark.parametrize("width", [40, 72, 80, 200])
def test_no_line_is_longer_than_the_terminal(width):
    """Texts are broken between words; a word that is longer than the line stays whole, so that it can be copied."""
    rows = [("groq", "work", "the account was refused and serves again once it has another key " * 3)]
    assert max(map(len, format_table(rows, width=width))) <= width
    assert "x" * 60 in format_table([("a", "x" * 60)], width=width)[-1]


def test_commands_stay_whole():
    """A command is not broken, so that it can be copied; a dash says nothing below its column."""
    said = "Start it from a shell that has the key, or store it: fairlead backend add groq --key-stdin. It is late."
    assert format_table([("groq", "\N{EN DASH}", "x" * 30, said)], width=48) == [
        "groq   \N{EN DASH}   " + "x" * 30,
        "  Start it from a shell that has the key, or",
        "  store it:",
        "  fairlead backend add groq --key-stdin. It is",
        "  late.",
    ]


def test_any_length():
    """Without a width nothing is broken: programs read lines."""
    rows = [("a", "b " * 200 + "c")]
    assert len(format_table(rows)) == 1


def test_width(monkeypatch):
    """$COLUMNS says the width; else the terminal does; a pipe has none."""
    monkeypatch.setenv("COLUMNS", "72")
    assert find_width() == 72
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert find_width() is None
    if sys.platform != "win32":
        master, terminal = os.openpty()
        with os.fdopen(terminal, "w") as stdout, os.fdopen(master, "rb"):
            monkeypatch.setattr(sys, "stdout", stdout)
            assert find_width() is None
