"""`fairlead login` as a process of its own, with a browser that is one too."""

import sys

import pytest

from ...login.issuer import CANARY, CLIENT

_VISIT = """\
import sys, urllib.request
with open({seen!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
urllib.request.urlopen(sys.argv[1], timeout=60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_with_a_real_browser(fairlead, issuer, tmp_path):
    """$BROWSER gets the page, brings the answer back, and has no code or token in its arguments."""
    program, seen = tmp_path / "browser", tmp_path / "seen"
    program.write_text(f"#!{sys.executable}\n{_VISIT.format(seen=str(seen))}")
    program.chmod(0o700)
    place = ("--base-url", f"{issuer.url}/v1", "--protocols", "chat")
    variables = {"BROWSER": str(program), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = fairlead("login", "work", "--issuer", issuer.url, "--client-id", CLIENT, *place, **variables)
    assert done.code == 0, done.err
    assert "key accepted, 1 model" in done.out
    assert seen.read_text().startswith(f"{issuer.url}/authorize?")
    assert CANARY not in seen.read_text() + done.out + done.err
    assert fairlead.backend("work")["accounts"] == [{"alias": "default", "key": "login:work"}]
