"""Programs on a Windows console: the arguments that scripts of its command processor would change."""

import pytest

from router.errors import CommandError
from router.host.console_program import check_script_arguments


@pytest.mark.parametrize("word", ['a "b"', "%PATH%", "a\nb", "a\rb", "a&b", "a|b", "a>b", "a^b"])
def test_arguments_that_a_script_would_change(word):
    """A .cmd or .bat file gets no argument that the command processor expands or ends: it is refused, with 126."""
    for path in ("C:\\npm\\codex.cmd", "C:\\x.BAT"):
        with pytest.raises(CommandError, match="would change the argument") as caught:
            check_script_arguments(path, ["exec", word])
        assert caught.value.exit_code == 126
    check_script_arguments("C:\\codex.exe", [word])


def test_other_arguments_pass():
    """Spaces, backslashes and other signs are no obstacle."""
    check_script_arguments("C:\\npm\\codex.cmd", ["exec", "fix the test & more", "C:\\a b\\"])
