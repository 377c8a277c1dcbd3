"""The text of rows, at every width."""

import json

from router.cli.doctor.row import Row
from router.cli.doctor.screen import format_json, format_text

ROWS = [
    Row("build", "ok", "fairlead 0.1.0, built program, linux x86_64"),
    Row("proxy", "info", "none is running; `fairlead proxy` starts it"),
    Row(
        "backend.groq.key",
        "fail",
        "reached in 84 ms, key refused (401 invalid_api_key)",
        "Store the provider's key: fairlead backend add groq --key-stdin",
        subject="groq",
    ),
    Row("env", "warn", "OPENAI_BASE_URL is http://localhost:3456; its tools need http://localhost:3456/v1", "one\ntwo"),
]
WIDE = """\
ok     build              fairlead 0.1.0, built program, linux x86_64
info   proxy              none is running; `fairlead proxy` starts it
fail   backend.groq.key   reached in 84 ms, key refused (401 invalid_api_key)
                          -> Store the provider's key: fairlead backend add groq --key-stdin
warn   env                OPENAI_BASE_URL is http://localhost:3456; its tools need http://localhost:3456/v1
                          -> one
                          -> two

1 problem, 1 warning
Paste this whole text into a report: it holds no keys."""
MIDDLE = """\
ok     build              fairlead 0.1.0, built program, linux x86_64
info   proxy              none is running; `fairlead proxy` starts it
fail   backend.groq.key   reached in 84 ms, key refused (401
                          invalid_api_key)
                          -> Store the provider's key:
                          fairlead backend add groq --key-stdin
warn   env                OPENAI_BASE_URL is http://localhost:3456; its
                          tools need http://localhost:3456/v1
                          -> one
                          -> two

1 problem, 1 warning
Paste this whole text into a report: it holds no keys."""


def test_a_pipe_has_a_line_for_each():
    """Lines that programs and people can search."""
    assert format_text(ROWS, None) == WIDE


def test_a_terminal_has_columns():
    """A text goes on below itself, and commands stay whole."""
    assert format_text(ROWS, 72) == MIDDLE
    assert max(map(len, format_text(ROWS, 44).splitlines()[:-1])) <= 44


def test_what_stands_in_no_row():
    """Without rows there is nothing wrong."""
    assert format_text([], 80).startswith("\nNo problems.\n")


def test_it_is_ascii():
    """Control characters and others cannot act on a terminal, in either form."""
    rows = [Row("x", "ok", "a\x1b[2Jb\x7f\u202e\N{SNOWMAN}")]
    assert format_json(rows).isascii()
    assert "\x7f" not in format_json(rows)
    assert json.loads(format_json(rows))["rows"][0]["text"] == rows[0].text
    assert "\x1b" not in format_text(rows, 80)
    assert "\u202e" not in format_text(rows, 80)
