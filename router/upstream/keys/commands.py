"""Keys that a command prints. No message here contains what it printed."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from router.errors import CommandError
from router.host.child_process import CompletedProgram, OutputLimitExceeded, ProgramTimeout, run_program

if TYPE_CHECKING:
    from router.upstream.keys.aws_credentials import AwsCredentials
    from router.upstream.keys.fetched_key import FetchedKey

FETCH_SECONDS = 30.0
OUTPUT_LIMIT = 65536

_QUOTED = 160
# Redacted in errors: `password=…`, and words that look like keys: long and mixed, or very long. Paths stay.
_NAMED = re.compile(r"((?:key|token|secret|pass\w{0,40}|bearer)\s*[=:]\s*|bearer\s+)\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"'`:;,()<>\[\]{}|]{16,}")
_LONG = 24


async def run_command(
    words: tuple[str, ...], environ: Mapping[str, str], now: Callable[[], float]
) -> "FetchedKey | AwsCredentials":
    """The key, or the AWS credentials, that a command prints. now: seconds since 1970. Raises CommandError."""
    from router.upstream.keys.printed import read_printed

    name = f"the command {words[0]}"
    try:
        ended = await run_program(words, environ, seconds=FETCH_SECONDS, limit=OUTPUT_LIMIT)
    except ProgramTimeout:
        raise CommandError(f"{name} did not end within {FETCH_SECONDS:g} s and was killed.") from None
    except OutputLimitExceeded:
        raise CommandError(f"{name} printed more than {OUTPUT_LIMIT // 1024} KiB; expected the key alone.") from None
    if ended.code:
        how = f"failed with exit code {ended.code}" if ended.code > 0 else f"was ended by signal {-ended.code}"
        quoted = quote_error(ended)
        raise CommandError(f"{name} {how}{f': {quoted}' if quoted else '.'}")
    return read_printed(ended.out.decode("utf-8", "replace"), f"what {name} prints", now())


def quote_error(ended: CompletedProgram) -> str:
    """The last line of a failed command's standard error, for a message: short, printable, keys redacted."""
    lines = [line for line in ended.err.decode("utf-8", "replace").splitlines() if line.strip()]
    text = "".join(char if char.isprintable() else " " for char in lines[-1]) if lines else ""
    for word in ended.out.decode("utf-8", "replace").split():
        text = text.replace(word, "[redacted]") if len(word) > 3 else text
    text = _WORD.sub(_redact, _NAMED.sub(r"\1[redacted]", text)).strip()
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def _redact(match: re.Match[str]) -> str:
    word = match[0]
    if word.startswith(("/", "~", "./")):
        return word
    mixed = any(char.isdigit() for char in word) or (word != word.lower() and word != word.upper())
    return "[redacted]" if mixed or len(word) >= _LONG else word
