"""How each shell sets and removes a variable, adds arguments to a program, and evaluates the output of a command."""

import shlex
from collections.abc import Mapping, Sequence

#: Shell -> the command line that evaluates the lines; COMMAND stands for the command that prints them.
SHELLS: Mapping[str, str] = {
    "sh": 'eval "$(COMMAND)"',
    "bash": 'eval "$(COMMAND)"',
    "zsh": 'eval "$(COMMAND)"',
    "fish": "COMMAND --shell fish | source",
    "powershell": "COMMAND | Out-String | Invoke-Expression",
    "cmd": "for /f \"delims=\" %i in ('COMMAND --shell cmd') do @%i",
}


def format_evaluation(shell: str, command: str) -> str:
    """The command line of a shell that evaluates what the command prints."""
    return SHELLS[shell].replace("COMMAND", command)


def format_assignment(shell: str, name: str, value: str) -> str:
    """One assignment in the syntax of a shell."""
    if shell == "fish":
        return f"set -gx {name} {_quote(shell, value)}"
    if shell == "powershell":
        return f"$env:{name} = {_quote(shell, value)}"
    if shell == "cmd":
        # It has no way to set several lines; the last one is fairlead's own (`variables._add_header`).
        return f'set "{name}={value.rpartition(chr(10))[2]}"'
    return f"export {name}={_quote(shell, value)}"


def format_removal(shell: str, name: str) -> str:
    """The line that removes a variable, which need not be set."""
    if shell == "fish":
        return f"set -e {name}"
    if shell == "powershell":
        return f"$env:{name} = $null"
    if shell == "cmd":
        return f'set "{name}="'
    return f"unset {name}"


def format_wrapper(shell: str, program: str, arguments: Sequence[str]) -> str:
    """The line after which the program is run with these arguments in front of its own."""
    words = " ".join(_quote(shell, word) for word in arguments)
    if shell == "fish":
        return f"function {program}; command {program} {words} $argv; end"
    if shell == "powershell":
        found = f"(Get-Command {program} -CommandType Application | Select-Object -First 1)"
        return f"function {program} {{ & {found} {words} @args }}"
    if shell == "cmd":
        return f"doskey {program}={program} {words} $*"
    return f'{program}() {{ command {program} {words} "$@"; }}'


def _quote(shell: str, value: str) -> str:
    if shell == "fish":
        # In fish only backslash and quote are special between single quotes.
        return "'{}'".format(value.replace("\\", "\\\\").replace("'", "\\'"))
    if shell == "powershell":
        # A line break in the text would be a line of its own for Invoke-Expression.
        return ' + "`n" + '.join("'{}'".format(line.replace("'", "''")) for line in value.split("\n"))
    if shell == "cmd":
        return f'"{value}"' if " " in value else value
    return shlex.quote(value)
