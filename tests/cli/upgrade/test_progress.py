"""The progress of a download: one line of a terminal, nothing in a pipe."""

import pytest

from router.cli.upgrade.progress import Progress, format_megabytes


@pytest.mark.parametrize(("size", "text"), [(0, "0.0 kB"), (99_999, "100.0 kB"), (11_200_000, "11.2 MB")])
def test_sizes(size, text):
    """As people write them."""
    assert format_megabytes(size) == text


def test_a_terminal_sees_it_grow(capsys):
    """Each state over the one before; at the end the line is gone."""
    progress = Progress(shown=True)
    progress.begin(1_000_000)
    progress.add(500_000)
    progress.add(500_000)
    progress.tell("downloaded")
    progress.tell("sha256")
    progress.end()
    out, err = capsys.readouterr()
    states = [state.rstrip() for state in err.split("\r")]
    assert out == ""
    assert states == [
        "",
        "  downloading [#####.....] 0.5 MB",
        "  downloading [##########] 1.0 MB",
        "  trying the new version …",
        "",
        "",
    ]


def test_a_pipe_sees_nothing(capsys):
    """Nor does one who asked for JSON."""
    progress = Progress(shown=False)
    progress.begin(10)
    progress.add(10)
    progress.tell("sha256")
    progress.end()
    assert capsys.readouterr() == ("", "")
