"""Runs a program before it is switched to: it must say its version, and pass `fairlead demo --once`.

The demo is the check because it loads and does what a proxy needs: it listens on a free port, routes, translates, and
streams through every protocol over sockets, without a key or the network. It runs in a temporary home.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from router.errors import CommandError
from router.host.child_process import CompletedProgram, OutputLimitExceeded, ProgramTimeout

#: The demo takes one second; a machine under load, or one whose scanner reads each file first, takes longer.
VERSION_SECONDS, DEMO_SECONDS = 30.0, 90.0
OUTPUT_LIMIT = 1 << 16
_UNCHANGED = "The installed version was not changed."


class Trial(NamedTuple):
    """How programs are run. run: words, environment, seconds and bytes of output -> what came of it; raises
    CommandError, ProgramTimeout, OutputLimitExceeded."""

    run: Callable[[Sequence[str], Mapping[str, str], float, int], CompletedProgram]
    environ: Mapping[str, str]
    version_seconds: float = VERSION_SECONDS
    demo_seconds: float = DEMO_SECONDS

    def check(self, program: Path, version: str) -> None:
        """Run a program that must be of this version. Raises CommandError."""
        with tempfile.TemporaryDirectory(prefix="fairlead-trial-") as folder:
            # FAIRLEAD_… is not passed on, so that the home is the one in this folder.
            environ = {**self.environ, "HOME": folder, "USERPROFILE": folder}
            done = self._run([str(program), "--version"], environ, self.version_seconds)
            said = done.out.decode("utf-8", "replace").strip()
            if done.code != 0 or said != f"fairlead {version}":
                told = f'it said "{said[:80]}"' if done.code == 0 else _describe_end(done)
                raise CommandError(f"the program of {version} does not tell its version: {told}.", _UNCHANGED)
            done = self._run([str(program), "demo", "--once", "--port", "0"], environ, self.demo_seconds)
            if done.code != 0:
                raise CommandError(f"the program of {version} failed its self-test: {_describe_end(done)}.", _UNCHANGED)

    def _run(self, words: Sequence[str], environ: Mapping[str, str], seconds: float) -> CompletedProgram:
        command = " ".join(["fairlead", *words[1:]])
        try:
            return self.run(words, environ, seconds, OUTPUT_LIMIT)
        except ProgramTimeout:
            raise CommandError(f"the new program did not end `{command}` within {seconds:g} s.", _UNCHANGED) from None
        except OutputLimitExceeded:
            raise CommandError(f"the new program printed without end in `{command}`.", _UNCHANGED) from None
        except CommandError as error:
            raise CommandError(f"the new program does not run here: {error}", _UNCHANGED) from None


def _describe_end(done: CompletedProgram) -> str:
    lines = done.err.decode("utf-8", "replace").strip().splitlines()
    ended = f"signal {-done.code}" if done.code < 0 else f"exit code {done.code}"
    return f"{ended}, {lines[-1][:200]}" if lines else ended
