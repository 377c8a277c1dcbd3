"""Fetches the key that a reference stands for: from a file, a command, the keyring, or a cloud's own credentials.

Each kind has a limit of its own, so that a keyring that waits for its user does not delay commands. What the clouds
need is imported for the first of their keys: most homes have none.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import trio

from router.errors import CommandError
from router.net.client.outbound import DIRECT, Outbound
from router.settings import Secret
from router.store.keys import keyring, secrets
from router.store.keys.references import Kind, Reference
from router.upstream.keys.commands import FETCH_SECONDS, run_command
from router.upstream.keys.fetched_key import FetchedKey

if TYPE_CHECKING:
    from router.upstream.keys.aws_credentials import AwsCredentials

_AT_ONCE: dict[Kind, int] = {"file": 4, "cmd": 4, "keyring": 1, "aws": 4, "google": 4, "azure": 4}

_T = TypeVar("_T")


class Sources:
    """Where the keys of one proxy, or of one command, are fetched from. outbound: how a token endpoint is reached. now:
    seconds since 1970, by this machine's clock."""

    def __init__(
        self,
        environ: Mapping[str, str],
        outbound: Callable[[], Outbound] = lambda: DIRECT,
        now: Callable[[], float] = time.time,
    ):
        self._environ = environ
        self._outbound = outbound
        self._now = now
        self._limits = {kind: trio.CapacityLimiter(number) for kind, number in _AT_ONCE.items()}

    async def fetch(self, reference: Reference) -> FetchedKey:
        """The key of a reference of any of these kinds. Raises CommandError."""
        words, limit = reference.words, self._limits[reference.kind]
        if reference.kind == "cmd":
            async with limit:
                return await self._run(words, reference.region)
        if reference.kind == "file":
            return FetchedKey(
                await _run_in_thread(lambda: secrets.from_file(words[0]), limit, f"the key file {words[0]}")
            )
        if reference.kind == "keyring":
            service, user = words
            return FetchedKey(await _run_in_thread(lambda: _look_up_entry(service, user), limit, "the keyring"))
        async with limit:
            if reference.kind == "aws":
                return await self._make_bedrock_key(words[1], reference.region)
            with trio.move_on_after(FETCH_SECONDS):
                return await self._ask_cloud(reference)
        raise CommandError(f"the token did not come within {FETCH_SECONDS:g} s.")

    async def _run(self, words: tuple[str, ...], region: str) -> FetchedKey:
        """What a command prints; a Bedrock key made from it where it prints credentials of AWS."""
        name = f"the command {words[0]}"
        printed = await run_command(words, self._environ, self._now)
        if isinstance(printed, FetchedKey):
            return printed
        if not region:
            raise CommandError(
                f"{name} prints credentials of AWS, of which a key is made for Bedrock alone: the backend's URL names "
                "no region of it."
            )
        return self._sign(printed, region)

    async def _make_bedrock_key(self, profile: str, region: str) -> FetchedKey:
        from router.upstream.keys.aws_credentials import Process, find_credentials

        if not region:
            raise CommandError(
                "the backend's URL names no AWS region, and a Bedrock key is for one.",
                f"Name it:   --key-cloud aws:bedrock{f'/{profile}' if profile else ''}@REGION",
            )
        found = await _run_in_thread(
            lambda: find_credentials(profile, self._environ), self._limits["file"], "the AWS configuration"
        )
        if not isinstance(found, Process):
            return self._sign(found, region)
        printed = await run_command(found.words, self._environ, self._now)
        if isinstance(printed, FetchedKey):
            raise CommandError(
                f"the credential_process of the AWS profile {found.profile} prints no credentials of AWS."
            )
        return self._sign(printed, region)

    def _sign(self, credentials: "AwsCredentials", region: str) -> FetchedKey:
        from router.upstream.keys.bedrock_key import make_key

        return make_key(credentials, region, self._now())

    async def _ask_cloud(self, reference: Reference) -> FetchedKey:
        if reference.kind == "azure":
            from router.upstream.keys import azure

            return await azure.fetch_token(reference.words[1], self._environ, self._now())
        from router.upstream.keys import google

        return await google.fetch_token(reference.words[0], self._environ, self._outbound(), self._now())


def _look_up_entry(service: str, user: str) -> Secret:
    secret = keyring.look_up(service, user)
    if secret is None:
        raise CommandError(f"the keyring has no entry {service}/{user}.", f"Add it:   keyring set {service} {user}")
    return secret


async def _run_in_thread(function: Callable[[], _T], limit: trio.CapacityLimiter, what: str) -> _T:
    with trio.move_on_after(FETCH_SECONDS):
        # A thread that hangs (a dead mount, an unanswered dialog) is abandoned, and keeps its place in the limit.
        return await trio.to_thread.run_sync(function, limiter=limit, abandon_on_cancel=True)
    raise CommandError(f"{what} did not answer within {FETCH_SECONDS:g} s.")
