"""Limits of the process: set in a process of its own, and not handed on to its children."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")

BEGIN = """
import json, os, resource, subprocess, sys
from router.host.limits import apply_limits, make_child_options
"""
SHOW = "print(json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)))"


def shown(program, **options):
    """What a program prints, as JSON."""
    command = [sys.executable, "-c", BEGIN + program]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a limit below the hard one")
def test_descriptors_are_raised_to_what_the_system_allows():
    """A stream takes two of them."""
    found = shown(f"resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))\napply_limits()\n{SHOW}")
    assert found == [200, 200]


def test_no_core_files():
    """They would hold keys."""
    assert shown("apply_limits()\nprint(json.dumps(resource.getrlimit(resource.RLIMIT_CORE)))") == [0, 0]


def test_a_child_has_the_limits_of_before():
    """Programs that close every possible descriptor at their start would take minutes."""
    child = f"import json, resource; {SHOW}"
    program = f"""
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
apply_limits()
sys.exit(subprocess.run([sys.executable, "-c", {child!r}], **make_child_options()).returncode)
"""
    assert shown(program) == [64, 200]


def test_without_a_change_a_child_needs_no_options():
    """Where the limit was as high as it may be, nothing is set for children."""
    assert (
        shown("resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\nprint(json.dumps(make_child_options()))") == {}
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_standard_stream_is_filled(number):
    """Otherwise the next file gets its number, and output for the terminal is written into it."""
    program = f"""
out = os.dup(1)
os.close({number})
apply_limits()
os.write(out, json.dumps([os.fstat({number}).st_rdev == os.stat(os.devnull).st_rdev, os.dup(0) > 2]).encode())
"""
    assert shown(program, stdin=subprocess.DEVNULL) == [True, True]
