"""The syntax of each shell."""

import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.env.shells import format_assignment, format_evaluation, format_removal, format_wrapper


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_posix_quoting(value):
    """Any key survives the quoting for POSIX shells."""
    assert shlex.split(format_assignment("sh", "KEY", value)) == ["export", f"KEY={value}"]


@pytest.mark.parametrize(
    ("shell", "text", "removed"),
    [
        ("zsh", "export K='a'\"'\"'b\\c'", "unset K"),
        ("fish", r"set -gx K 'a\'b\\c'", "set -e K"),
        ("powershell", r"$env:K = 'a''b\c'", "$env:K = $null"),
        ("cmd", r'set "K=a' + r"'b\c" + '"', 'set "K="'),
    ],
)
def test_other_shells(shell, text, removed):
    """Each shell gets its own words and quoting."""
    assert format_assignment(shell, "K", r"a'b\c") == text
    assert format_removal(shell, "K") == removed


def test_lines_of_headers():
    """A value of two lines survives the evaluation of single lines; cmd can hold the last one only."""
    assert format_assignment("cmd", "K", "a\nb") == 'set "K=b"'
    assert format_assignment("powershell", "K", "a\nb") == "$env:K = 'a' + \"`n\" + 'b'"


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ("bash", "codex() { command codex -c 'a=b c' \"$@\"; }"),
        ("fish", "function codex; command codex '-c' 'a=b c' $argv; end"),
        (
            "powershell",
            "function codex { & (Get-Command codex -CommandType Application | Select-Object -First 1) "
            "'-c' 'a=b c' @args }",
        ),
        ("cmd", 'doskey codex=codex -c "a=b c" $*'),
    ],
)
def test_arguments(shell, text):
    """A program gets arguments in front of the user's."""
    assert format_wrapper(shell, "codex", ["-c", "a=b c"]) == text


def test_evaluation():
    """How a shell evaluates the lines, with its own flag where the lines are not those of sh."""
    assert format_evaluation("bash", "fairlead env") == 'eval "$(fairlead env)"'
    assert format_evaluation("fish", "fairlead env") == "fairlead env --shell fish | source"


@pytest.mark.skipif(sys.platform == "win32", reason="sh")
def test_sh_takes_the_lines(fairlead):
    """A shell that evaluates the lines has the variables, and no longer those that are removed."""
    _, out, _ = fairlead("env", "--shell", "bash", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_API_KEY="a'b\"c$d`e")
    script = "set -eu\n" + out + 'printf "%s|%s" "$OPENAI_API_KEY" "${ANTHROPIC_API_KEY-none}"'
    done = subprocess.run(
        ["sh", "-c", script], check=False, capture_output=True, text=True, env={"ANTHROPIC_API_KEY": "own"}
    )
    assert done.stdout == "a'b\"c$d`e|none"


@pytest.mark.skipif(sys.platform == "win32", reason="sh")
def test_sh_runs_the_program_with_the_arguments(tmp_path):
    """In a script too, where aliases do not work."""
    program = tmp_path / "codex"
    program.write_text('#!/bin/sh\nprintf "%s," "$@"\n')
    program.chmod(0o700)
    script = format_wrapper("sh", "codex", ["-c", "a=b c"]) + "\ncodex exec 'two words'\n"
    done = subprocess.run(
        ["sh", "-c", script], check=False, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    assert done.stdout == "-c,a=b c,exec,two words,"
