"""Keys that must be fetched: from a file, a command, a keyring, a login or a cloud's credentials; once for all requests
that wait, and cached.

Rules of this file: one fetch at a time for a reference, however many requests wait, and it goes on when they are
cancelled; a key is cached until it ends, or for CACHED_SECONDS where what gives it does not say when that is, or until
an upstream refuses it; one that ends is renewed before, while requests go on with it; what may ask its user for a
password, or an issuer, is left alone for a while when the key that it gave after a refusal is refused too. No message
contains what was fetched or printed.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import trio

from router.backends import Account, Backend
from router.backends.endpoints import find_key_header
from router.errors import CommandError
from router.host.clock import boot_time
from router.login.ended import LoginEnded
from router.login.tokens import Logins, Token
from router.net.client.outbound import DIRECT, Outbound
from router.settings import Secret
from router.store.keys import secrets
from router.store.keys.own_keys import OwnKeyRefused, OwnKeys
from router.store.keys.references import add_region, describe, find_login, parse
from router.store.keys.regions import find_region
from router.upstream.keys.commands import FETCH_SECONDS
from router.upstream.keys.fetched_key import FetchedKey
from router.upstream.keys.sources import Sources

CACHED_SECONDS = 300.0
#: Also of a key that lives longer, so that another one in its place is noticed.
LONGEST_CACHED_SECONDS = 86_400.0
# Also for requests that wait behind others of the same kind.
PATIENCE_SECONDS = 2 * FETCH_SECONDS
#: How long a command, keyring or issuer is left alone after it gave a refused key again: doubled each time up to the
#: longest, as accounts cool.
REST_SECONDS, LONGEST_REST_SECONDS = 60.0, 1800.0
#: When a login is looked at again that has ended, and a key is renewed again whose renewal failed. Its issuer is not
#: asked for one that has ended: the file may be of a new login.
_LOOK_AGAIN_SECONDS = 60.0

# References that may ask their user, or an issuer; reading a file costs nobody anything.
_ASKING = ("cmd:", "keyring:", "login:", "aws:", "google:", "azure:")
# Those of them that are asked over the network: a failure is told for a moment to all who come, without asking again.
_REMOTE = ("google:", "azure:")
FAILED_SECONDS = 5.0


class Credential(NamedTuple):
    """What is known of a backend's key without fetching it."""

    secret: Secret | None
    #: Why the key is not usable, None when it is.
    problem: str | None
    #: The account's name in answers.
    account: str
    #: Where the key is to be fetched, None when there is nothing to fetch.
    reference: str | None = None
    #: It is of a login that its issuer has ended.
    login_ended: bool = False

    def __repr__(self) -> str:
        return f"Credential({self.account})"


def credentials_of(backend: Backend, keys: "Credentials") -> list[Credential]:
    """The credentials of a backend's accounts, one at least, also where requests need no key."""
    if backend.auth == "client":
        return [Credential(None, None, "client")]
    if backend.auth == "none" or not backend.accounts:
        return [Credential(None, None if backend.auth == "none" else "no key is stored.", "none")]
    return [_find_credential(account, keys, backend.root) for account in backend.accounts]


def _find_credential(account: Account, keys: "Credentials", root: str) -> Credential:
    try:
        secret = keys.look_up(account.key)
    except CommandError as error:
        return Credential(None, str(error), account.alias, login_ended=isinstance(error, LoginEnded))
    return Credential(secret, None, account.alias, find_reference(account, root) if secret is None else None)


def find_reference(account: Account, root: str) -> str:
    """What is stored as an account's key, with the AWS region of the backend where the key hangs on it. root: the
    backend's URL."""
    return add_region(account.key, find_region(root))


def auth_header(
    backend: Backend, secret: Secret | None, protocol: str | None = None
) -> tuple[bytes, bytes, bytes] | None:
    """The header that carries a key in a protocol, as its vendor wants it: spelled name, lower-case name, value."""
    if secret is None:
        return None
    name, prefix = find_key_header(backend, protocol)
    spelled = name.encode("ascii")
    return spelled, spelled.lower(), (prefix + secret.reveal()).encode("ascii")


class _Fetch:
    """One fetch and its result."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.secret: Secret | None = None
        #: What the key was made of or holds.
        self.parts: tuple[Secret, ...] = ()
        self.problem = CommandError("fetching it was interrupted.")
        #: Until when its failure is told again, on the clock that runs on during sleep.
        self.failed_until = 0.0
        #: It was begun because the key before was refused.
        self.anew = False
        #: Its own key was refused as well.
        self.refused = False
        #: When a key that tells of no end is too old, on trio's clock.
        self.until = math.inf
        #: When the key ends, and when it is to be renewed, on the clock that runs on during sleep.
        self.ends = self.due = math.inf

    def usable(self, now: float) -> bool:
        """True while it runs, and while its key is fresh. now: on the clock that runs on during sleep."""
        if not self.done.is_set():
            return True
        if self.secret is None:
            return now < self.failed_until
        return trio.current_time() < self.until and now < self.ends

    def fill(self, token: Token, now: float) -> None:
        """Take the token of a login. now: as for `usable`."""
        self.ends, self.due = now + token.ends_in, now + token.due_in
        self.secret = token.secret

    def fill_fetched(self, key: FetchedKey, now: float) -> None:
        """Take a key that was fetched. now: as for `usable`."""
        if key.ends_in is None:
            self.until = trio.current_time() + CACHED_SECONDS
        else:
            from router.login.refresh import find_due

            life = min(key.ends_in, LONGEST_CACHED_SECONDS)
            self.ends, self.due = now + life, now + life - find_due(life)
        self.parts, self.secret = key.parts, key.secret


class _Rest:
    """How often in a row a reference gave a refused key anew, and until when it is left alone."""

    __slots__ = ("times", "until")

    def __init__(self) -> None:
        self.times = 0
        self.until = 0.0

    def begin(self, now: float) -> None:
        """Begin the next rest."""
        self.until = now + min(LONGEST_REST_SECONDS, REST_SECONDS * 2.0 ** min(self.times, 10))
        self.times += 1


class Credentials:
    """The keys of one proxy, or of one command. own: fairlead's own secrets, which are never given out; a reload
    replaces them. hide: called with each key before it is given out. clock: seconds, on a clock that runs on while the
    machine sleeps. logins: those of the home, None where there are none. outbound: how token endpoints are reached.
    on_login: called with the error when a login turns out to have ended, and with None when one that had is there
    again."""

    def __init__(
        self,
        environ: Mapping[str, str],
        own: OwnKeys,
        hide: Callable[[Iterable[Secret]], None] = lambda _: None,
        clock: Callable[[], float] = boot_time,
        logins: Logins | None = None,
        outbound: Callable[[], Outbound] = lambda: DIRECT,
    ):
        self.own = own
        self.on_login: Callable[[CommandError | None], None] = lambda _: None
        self._logins = logins
        #: The logins that accounts use, as references; those that have ended, and when to look at these again.
        self._login_references = frozenset[str]()
        self._ended: dict[str, LoginEnded] = {}
        self._ended_due = math.inf
        self._clock = clock
        #: Of the references whose key was refused and none accepted since.
        self._rests: dict[str, _Rest] = {}
        self._environ = environ
        self._hide = hide
        self._fetches: dict[str, _Fetch] = {}
        # The last key of each reference that an upstream refused.
        self._refused: dict[str, Secret] = {}
        self._sources = Sources(environ, outbound)

    def look_up(self, text: str) -> Secret | None:
        """The key that an account's `key` is or refers to, None when it must be fetched. Raises CommandError."""
        ended = self._ended.get(text)
        if ended is not None:
            raise LoginEnded(str(ended), ended.hint)
        return secrets.at_hand(text, self._environ, self.own)

    async def key(self, text: str) -> Secret:
        """The key that an account's `key` is or refers to; waits while it is fetched. Raises CommandError."""
        secret = self.look_up(text)
        if secret is not None:
            return secret
        fetch = self._fetches.get(text)
        if fetch is None or not (fetch.usable(self._clock()) or self._rests_with(text, fetch)):
            fetch = self._begin(text)
        else:
            self._renew_soon(text, fetch)
        with trio.move_on_after(PATIENCE_SECONDS):
            await fetch.done.wait()
        if fetch.secret is not None:
            try:
                return self.own.check(fetch.secret, f"the {describe(text, {})}")
            except OwnKeyRefused:
                self._fetches.pop(text, None)
                raise
        if not fetch.done.is_set():
            raise CommandError("too many keys are being fetched.")
        # A new one each time: an exception raised twice collects both histories.
        raise type(fetch.problem)(str(fetch.problem), fetch.problem.hint)

    def _begin(self, text: str) -> _Fetch:
        fetch = self._fetches[text] = _Fetch()
        fetch.anew = text in self._rests
        # In a task of its own: other requests wait for it too.
        trio.lowlevel.spawn_system_task(self._run, text, fetch)
        return fetch

    def list_fetched(self, texts: Collection[str]) -> list[Secret]:
        """The keys that were fetched from these references, as far as they are still cached, and the last one of each
        that was refused: an upstream may repeat that too."""
        found = [fetch for text in texts if (fetch := self._fetches.get(text)) is not None]
        cached = [secret for fetch in found if fetch.secret is not None for secret in (fetch.secret, *fetch.parts)]
        return cached + [self._refused[text] for text in texts if text in self._refused]

    def _rests_with(self, text: str, fetch: _Fetch) -> bool:
        """True while the reference is left alone, so that an old key stays in use."""
        return fetch.secret is not None and self._clock() < min(self.rests_until(text), fetch.ends)

    def forget(self, text: str, refused: Secret) -> bool:
        """Forget a key that an upstream refused, so that the next request fetches anew. A newer key stays. Returns True
        when the key stays since the command, keyring or issuer that gave it is left alone."""
        fetch = self._fetches.get(text)
        if fetch is None or fetch.secret != refused:
            return False
        self._refused[text] = refused
        if not text.startswith(_ASKING):
            del self._fetches[text]
            return False
        rest = self._rests.setdefault(text, _Rest())
        now = self._clock()
        if fetch.anew and not fetch.refused:
            fetch.refused = True
            rest.begin(now)
        if now < rest.until:
            return True
        del self._fetches[text]
        return False

    def accept(self, text: str, accepted: Secret) -> None:
        """Note that an upstream accepted a key: when it is refused later, it is fetched anew at once."""
        if text in self._rests:
            fetch = self._fetches.get(text)
            if fetch is not None and fetch.secret == accepted:
                del self._rests[text]
                fetch.anew = fetch.refused = False

    def rests_until(self, text: str) -> float:
        """Until when, on the clock, a reference is left alone; 0.0 when it never was."""
        rest = self._rests.get(text)
        return rest.until if rest is not None else 0.0

    def wake(self) -> None:
        """Fetch anew at the next refusal, whatever was refused before: the user may have changed what gives the key."""
        for text in (*self._rests, *(text for text, fetch in self._fetches.items() if fetch.failed_until)):
            self._fetches.pop(text, None)
        self._rests.clear()
        self._ended.clear()
        if self._logins is not None:
            self._logins.forget_pauses()
        for text in self._login_references & self._fetches.keys():
            # It is read again: the user may have logged in anew, or another process renewed it.
            self._fetches[text].due = -math.inf

    def forget_all(self) -> None:
        """Forget all keys, since they may have ended during a sleep. Those of logins are had anew by `renew_due`."""
        self._fetches.clear()
        self._rests.clear()
        self._refused.clear()

    def renew_due(self) -> None:
        """Begin to renew the tokens of logins that are due, and to fetch those that are not there; returns at once.
        Requests go on with a valid one meanwhile."""
        now = self._clock()
        for text in self._login_references - self._ended.keys():
            fetch = self._fetches.get(text)
            if fetch is None:
                self._begin(text)
            else:
                self._renew_soon(text, fetch)
        if self._ended_due <= now:
            self._ended_due = now + _LOOK_AGAIN_SECONDS
            for text in self._ended:
                trio.lowlevel.spawn_system_task(self._look_again, text)

    def _renew_soon(self, text: str, fetch: _Fetch) -> None:
        """Begin to renew a key that is due, once; returns at once."""
        if fetch.secret is not None and fetch.due <= self._clock():
            fetch.due = math.inf
            trio.lowlevel.spawn_system_task(self._renew, text, fetch)

    async def _renew(self, text: str, fetch: _Fetch) -> None:
        """Put a renewed token in the place of one that is in use."""
        try:
            renewed = await self._fetch_renewed(text)
        except LoginEnded as error:
            self._note_ended(text, error)
        except Exception:
            # Why is told to the request that needs it, once the token in use has ended.
            fetch.due = self._clock() + _LOOK_AGAIN_SECONDS
        else:
            if self._fetches.get(text) is fetch:
                self._fetches[text] = renewed

    async def _look_again(self, text: str) -> None:
        """See whether the user has logged in anew where a login had ended."""
        with contextlib.suppress(Exception):
            renewed = await self._fetch_renewed(text)
            if self._ended.pop(text, None) is not None:
                self._fetches[text] = renewed
                self.on_login(None)

    async def _fetch_renewed(self, text: str) -> _Fetch:
        renewed = _Fetch()
        if find_login(text):
            assert self._logins is not None
            token = await self._logins.fetch(find_login(text), self._refused.get(text), renew=True)
            self._hide([token.secret])
            renewed.fill(token, self._clock())
        else:
            await self._fetch_key(text, renewed)
        renewed.anew = text in self._rests
        renewed.done.set()
        return renewed

    def _note_ended(self, text: str, error: LoginEnded) -> None:
        self._ended[text] = error
        self._ended_due = self._clock() + _LOOK_AGAIN_SECONDS
        self._fetches.pop(text, None)
        self.on_login(error)

    def retain_only(self, texts: Collection[str]) -> None:
        """Forget the keys of all other references."""
        self._login_references = frozenset(text for text in texts if find_login(text))
        self._fetches = {text: fetch for text, fetch in self._fetches.items() if text in texts}
        self._rests = {text: rest for text, rest in self._rests.items() if text in texts}
        self._refused = {text: secret for text, secret in self._refused.items() if text in texts}

    async def _run(self, text: str, fetch: _Fetch) -> None:
        try:
            await (self._fetch_token if find_login(text) else self._fetch_key)(text, fetch)
        except CommandError as error:
            fetch.problem = error
            if text.startswith(_REMOTE):
                fetch.failed_until = self._clock() + FAILED_SECONDS
            if isinstance(error, LoginEnded):
                self._note_ended(text, error)
        except Exception as error:
            fetch.problem = CommandError(f"fetching it failed ({type(error).__name__}).")
        finally:
            fetch.done.set()

    async def _fetch_token(self, text: str, fetch: _Fetch) -> None:
        if self._logins is None:
            raise CommandError("no logins can be read here.")
        token = await self._logins.fetch(find_login(text), self._refused.get(text))
        self._hide([token.secret])
        fetch.fill(token, self._clock())

    async def _fetch_key(self, text: str, fetch: _Fetch) -> None:
        reference = parse(text)
        if reference is None:
            raise CommandError("it is not a reference to a key.")
        key = await self._sources.fetch(reference)
        self._hide([key.secret, *key.parts])
        fetch.fill_fetched(key, self._clock())
