"""Lines and tables as the commands print them, for terminals of any width."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

import router.cli
from router.cli.common.layout import find_width, format_table, note, print_json, say, wrap, wrap_row

CLI = Path(router.cli.__file__).parent

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


@pytest.mark.parametrize("text", ["a\x1b]0;pwned\x07b", "a\u202eb", "a\x9b31mb", "a\rb", "a\u200bb"])
def test_no_printed_line_has_control_characters(text, capsys):
    """Names of files and processes, and texts of other programs, come to these in many ways: all are escaped here."""
    say(text)
    note(f"error: {text}")
    lines = [*format_table([(text, "x"), ("y", text)], header=("one", "two")), *wrap_row("label   ", text, 80)]
    printed = capsys.readouterr()
    for line in (*lines, *printed.out.splitlines(), *printed.err.splitlines()):
        assert line.isprintable(), repr(line)
        assert "\\" in line or "one" in line


def test_json_is_printed_in_ascii(capsys):
    """With escapes for all else, so that a terminal shows what a program reads."""
    value = {"a\u202e": ["\u2066", "\x7f\x1b\x9b", "\u00fc", "\U0001f469"]}
    print_json(value)
    text = capsys.readouterr().out
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == value


def test_every_command_prints_json_in_ascii():
    """No command encodes what it prints by itself, but for `history export`, whose lines are ASCII too."""
    found = {
        (str(path.relative_to(CLI)), line.strip())
        for path in CLI.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "print(" in line and "json" in line and "print_json(" not in line
    }
    assert found == {
        ("common/layout.py", r'print(json.dumps(value, indent=indent).replace("\x7f", "\\u007f"))'),
        ("history.py", "print(json.dumps(msgspec.to_builtins(row)))"),
    }
