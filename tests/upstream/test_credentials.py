"""Keys that are fetched: once for all requests that wait, cached for a while, dropped when refused, never shown."""

import os
import sys

import keyring
import pytest
import trio
from keyring.backend import KeyringBackend
from trio.testing import MockClock

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.settings import Secret
from router.store.keys.own_keys import OwnKeyRefused, OwnKeys
from router.store.keys.references import to_command
from router.upstream.credentials import CACHED_SECONDS, Credentials
from router.upstream.keys.commands import FETCH_SECONDS, quote_error

from .conftest import CANARY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")


def used(use, *, virtual=False, **environ):
    """Run `use(credentials)`; virtual: on a clock that jumps when nothing happens for a while."""
    clock = MockClock(autojump_threshold=1.0) if virtual else None
    hidden = []

    async def main():
        with trio.fail_after(600):
            return await use(Credentials({"PATH": os.environ["PATH"], **environ}, OwnKeys(), hidden.extend))

    result = trio.run(main, clock=clock)
    return result, hidden


def refused(reference, **options):
    """The error for a reference that cannot be resolved."""

    async def use(credentials):
        with pytest.raises(CommandError) as caught:
            await credentials.key(reference)
        return caught.value

    error, hidden = used(use, **options)
    assert hidden == []
    return error


def test_each_kind_is_resolved(program, tmp_path):
    """Literal, variable, file and command give their key; what was fetched is hidden in logs."""
    file = tmp_path / "key"
    file.write_text("sk-from-file\n")
    file.chmod(0o600)
    references = ["sk-literal", "env:MY_KEY", f"file:{file}", program("echo sk-from-command")]

    async def use(credentials):
        return [(await credentials.key(reference)).reveal() for reference in references]

    keys, hidden = used(use, MY_KEY="sk-from-variable")
    assert keys == ["sk-literal", "sk-from-variable", "sk-from-file", "sk-from-command"]
    assert hidden == [Secret("sk-from-file"), Secret("sk-from-command")]


def test_one_run_for_all_who_wait(program):
    """Twenty requests at once are one run of the command."""
    reference = program(f"sleep 0.3; echo {CANARY}")

    async def use(credentials):
        found = []

        async def ask():
            found.append(await credentials.key(reference))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
        return found

    found, _ = used(use)
    assert found == [Secret(CANARY)] * 20
    assert program.runs() == 1


def test_leaving_does_not_end_it_for_others(program):
    """The request that came first may leave: the run goes on for the others."""
    reference = program(f"sleep 0.5; echo {CANARY}")

    async def use(credentials):
        async with trio.open_nursery() as nursery:
            first = trio.CancelScope()

            async def leave():
                with first:
                    await credentials.key(reference)

            nursery.start_soon(leave)
            await trio.sleep(0.1)
            first.cancel()
            return await credentials.key(reference)

    assert used(use)[0] == Secret(CANARY)
    assert program.runs() == 1


def test_kept_for_five_minutes(program):
    """A key is fetched once in five minutes."""
    reference = program("date +%N")

    async def use(credentials):
        first = await credentials.key(reference)
        await trio.sleep(CACHED_SECONDS - 5)
        assert await credentials.key(reference) == first
        await trio.sleep(10)
        assert await credentials.key(reference) != first

    used(use, virtual=True)
    assert program.runs() == 2


def test_refused_key_is_fetched_anew(program):
    """A 401 drops the key it was given for; a late one for a former key does not drop the new."""
    reference = program("date +%N")

    async def use(credentials):
        first = await credentials.key(reference)
        credentials.forget(reference, first)
        second = await credentials.key(reference)
        assert second != first
        # An upstream may still repeat the one that it refused.
        assert credentials.list_fetched([reference]) == [second, first]
        credentials.forget(reference, first)
        assert await credentials.key(reference) == second

    used(use)
    assert program.runs() == 2


def test_own_key_is_not_given_out(program, tmp_path):
    """A command that prints fairlead's own key gives none; once it prints another, that one is used at once."""
    key = tmp_path / "key"
    key.write_text("fl-own\n")
    reference = program(f"cat {key}")

    async def use(credentials):
        credentials.own = OwnKeys((("fairlead's own client key", Secret("fl-own")),))
        with pytest.raises(OwnKeyRefused, match=r"^the key from command .* is fairlead's own client key"):
            await credentials.key(reference)
        key.write_text("sk-good\n")
        return await credentials.key(reference)

    found, _ = used(use)
    assert found.reveal() == "sk-good"


def test_removed_references_are_forgotten(program):
    """After a reload only what is still configured is kept."""
    reference = program(f"echo {CANARY}")

    async def use(credentials):
        await credentials.key(reference)
        credentials.retain_only({reference})
        await credentials.key(reference)
        credentials.retain_only(())
        await credentials.key(reference)

    used(use)
    assert program.runs() == 2


def test_failure_is_not_kept(program, tmp_path):
    """What failed is tried again by the next request: the user may have unlocked the store meanwhile."""
    reference = program(f"test -e {tmp_path}/open && echo {CANARY}")

    async def use(credentials):
        with pytest.raises(CommandError, match="exit code 1"):
            await credentials.key(reference)
        (tmp_path / "open").touch()
        return await credentials.key(reference)

    assert used(use)[0] == Secret(CANARY)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 1", "failed with exit code 1."),
        ("echo gone >&2; exit 2", "failed with exit code 2: gone"),
        (f"echo {CANARY}; exit 3", "failed with exit code 3."),
        (f"echo {CANARY}; echo 'bad {CANARY}' >&2; exit 4", "failed with exit code 4: bad [redacted]"),
        (f"echo 'token: {CANARY}' >&2; exit 5", "failed with exit code 5: token: [redacted]"),
        (r"printf 'first\n\033[31mred\033[0m\n\n' >&2; exit 6", "failed with exit code 6: [31mred [0m"),
        ("kill -9 $$", "was ended by signal 9"),
        ("true", "is empty"),
        (f"echo {CANARY}; echo {CANARY}", "has more than one line"),
        (f"echo '{CANARY} x'", "has a space"),
        (f"printf '{CANARY}\\0'", "a control character"),
        ("head -c 100000 /dev/zero | tr '\\0' x", "printed more than 64 KiB"),
        ("head -c 20000 /dev/zero | tr '\\0' x", "is longer than 16384 characters"),
        ("echo file:/etc/passwd", "is a reference"),
    ],
)
def test_failing_command_is_told_without_its_output(program, body, said):
    """The error names the command and how it ended; of its output at most a line that holds no key."""
    error = refused(program(body))
    assert said in str(error)
    assert "program" in str(error)
    assert str(error).isprintable()
    assert "canary" not in f"{error} {error.hint} {error!r}"


def test_command_that_hangs_is_ended_after_its_time(program):
    """After 30 s it is killed, and all requests that wait get an error."""
    reference = program("sleep 600 & sleep 600")

    async def use(credentials):
        began = trio.current_time()
        with pytest.raises(CommandError, match="did not end within 30 s and was killed"):
            await credentials.key(reference)
        return trio.current_time() - began

    waited, _ = used(use, virtual=True)
    assert FETCH_SECONDS <= waited < FETCH_SECONDS + 5


def test_hanging_commands_do_not_stop_others(program, tmp_path):
    """Four at once have their limit; a file is read beside them, and a fifth waits its turn and no longer."""
    file = tmp_path / "key"
    file.write_text(CANARY)
    file.chmod(0o600)
    program("sleep 600")

    async def use(credentials):
        ended = []

        async def ask(number):
            with pytest.raises(CommandError):
                await credentials.key(to_command(f"{tmp_path}/program {number}"))
            ended.append(trio.current_time() - began)

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(ask, number)
            await trio.sleep(1)
            assert await credentials.key(f"file:{file}") == Secret(CANARY)
            assert trio.current_time() - began < FETCH_SECONDS
        return ended

    ended, _ = used(use, virtual=True)
    assert [round(seconds / FETCH_SECONDS) for seconds in sorted(ended)] == [1, 1, 1, 1, 2]


class Slow(KeyringBackend):
    """A keyring whose user does not answer until the test says so."""

    priority = 1

    def __init__(self, event):
        super().__init__()
        self._event = event

    def get_password(self, service, username):
        trio.from_thread.run(self._event.wait)
        return CANARY if username == "me" else None

    def set_password(self, service, username, password):
        raise AssertionError

    def delete_password(self, service, username):
        raise AssertionError


@pytest.fixture
def slow():
    """A keyring that waits."""
    before = keyring.get_keyring()
    event = trio.Event()
    keyring.set_keyring(Slow(event))
    yield event
    keyring.set_keyring(before)


def test_keyring_is_asked_in_a_thread(slow):
    """A keyring that waits for its user delays nothing else; a missing entry is named."""

    async def use(credentials):
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def answer():
                await trio.sleep(0.1)
                slow.set()

            assert await credentials.key("keyring:svc/me") == Secret(CANARY)
        with pytest.raises(CommandError, match="no entry svc/you") as caught:
            await credentials.key("keyring:svc/you")
        assert "keyring set svc you" in caught.value.hint

    used(use)


def test_unanswered_keyring_is_given_up(slow):
    """After 30 s the request is answered; the dialog stays the only one."""

    async def use(credentials):
        with pytest.raises(CommandError, match="the keyring did not answer within 30 s"):
            await credentials.key("keyring:svc/me")
        slow.set()

    used(use, virtual=True)


def test_unforeseen_failure_is_told(monkeypatch):
    """An unexpected exception becomes an error that names its type, and does not end the proxy."""

    def broken(path):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("router.store.keys.secrets.from_file", broken)
    error = refused("file:/x")
    assert str(error) == "fetching it failed (ZeroDivisionError)."


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("gpg: decryption failed: No secret key", "gpg: decryption failed: No secret key"),
        ("cat: /home/me/keys/openai-2026.txt: No such file", "cat: /home/me/keys/openai-2026.txt: No such file"),
        ("password=hunter2", "password=[redacted]"),
        ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
        ("got ghp_16C7e42F292c6912E7710c838347Ae178B4a", "got [redacted]"),
        ("got abcdefghijklmnopqrstuvwxyz", "got [redacted]"),
        ("the vault is sealed, unauthenticated", "the vault is sealed, unauthenticated"),
        ("x " * 200, ("x " * 80)[:159] + "…"),
    ],
)
def test_line_of_a_failed_command_holds_no_key(line, shown):
    """Sentences and paths stay readable; what could be a key is taken out before the line is cut."""
    assert quote_error(CompletedProgram(1, b"", line.encode())) == shown


@pytest.mark.parametrize("err", [b"", b"\n\n", b"\xff\xfe\n", b"a" * 65536, "\u202eevil\u2066".encode()])
def test_any_error_output_is_one_plain_line(err):
    """Output of a program is shown without control characters and cut to a line."""
    text = quote_error(CompletedProgram(1, b"", err))
    assert len(text) <= 160
    assert text.isprintable()
