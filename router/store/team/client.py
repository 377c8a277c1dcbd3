"""Calls of the server of a team: by the official client in threads, with deadlines, behind one breaker.

Rules of this file: a call is answered within its deadline or raises Unreachable; nothing is repeated here, since only
who called knows whether that may be done twice. The client's own retries are off. No message holds the password.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from router.errors import CommandError
from router.settings import Secret
from router.settings.declaring.shared import ServerAddress
from router.store.team.breaker import Breaker

CONNECT_SECONDS = 1.0
COMMAND_SECONDS = 0.25
#: Connections of one process at most: its rounds have one, look-ups in threads the others.
CONNECTIONS = 8
_TEXT = 120


class Unreachable(Exception):
    """The server did not answer in time, is not to be reached, or cannot serve now. Its text is for users."""


class Refused(Exception):
    """The server answered with an error, which will be the same the next time. Its text is for users."""


class Script:
    """A Lua script, which the server knows by its digest once it was sent."""

    __slots__ = ("source",)

    def __init__(self, source: str):
        self.source = source


class TeamClient:
    """The calls of one process, for all threads. say: logs a line for the user; it must not wait."""

    def __init__(
        self,
        address: ServerAddress,
        password: Secret | None,
        say: Callable[[str], None],
        *,
        ca_file: str | None = None,
        breaker: Breaker | None = None,
        deadline: float = COMMAND_SECONDS,
    ):
        self.address = address
        self.breaker = Breaker() if breaker is None else breaker
        self._settings = (password, say, ca_file)
        self._say = say
        self._valkey = import_client()
        pool = self._valkey.ConnectionPool(
            max_connections=CONNECTIONS, **_make_options(self._valkey, address, password, ca_file, deadline)
        )
        self._server = self._valkey.Valkey(connection_pool=pool)
        self._scripts: dict[Script, Any] = {}

    def with_deadline(self, seconds: float) -> "TeamClient":
        """Calls with another deadline, by connections of their own behind the same breaker."""
        password, say, ca_file = self._settings
        return TeamClient(self.address, password, say, ca_file=ca_file, breaker=self.breaker, deadline=seconds)

    def execute(self, *command: str | bytes | int | float) -> Any:
        """The answer to one command; texts in it are bytes. Blocks. Raises Unreachable, Refused."""
        return self._call(lambda: self._server.execute_command(*command))

    def pipeline(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """The answers to commands that are sent at once, without a transaction. Blocks. Raises as `execute`."""

        def call() -> list[Any]:
            pipe = self._server.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return pipe.execute()

        return self._call(call)

    def run(self, script: Script, keys: Sequence[str], values: Sequence[str | bytes | int | float] = ()) -> Any:
        """What a script returns; it is sent once and named by its digest from then on. Blocks. Raises as `execute`."""
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self._server.register_script(script.source)
        return self._call(lambda: known(keys=list(keys), args=list(values)))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
        self._server.connection_pool.disconnect()

    def _call(self, call: Callable[[], Any]) -> Any:
        if not self.breaker.admit():
            raise Unreachable(self.breaker.reason)
        errors = self._valkey.exceptions
        refusals = errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError
        states = errors.BusyLoadingError, errors.ReadOnlyError, errors.OutOfMemoryError, errors.MasterDownError
        where = self.address.shown
        try:
            answer = call()
        except refusals as error:
            raise self._note(f"{where} refuses shared.password or what its user asks: {_clean(error)}") from None
        except states as error:
            raise self._note(f"{where} cannot serve now: {_clean(error)}") from None
        except errors.TimeoutError:
            raise self._note(f"{where} did not answer in time") from None
        except (errors.ConnectionError, OSError) as error:
            raise self._note(f"{where} cannot be reached: {_clean(error)}") from None
        except errors.ResponseError as error:
            self.breaker.succeed()
            raise Refused(f"{where}: {_clean(error)}") from None
        if self.breaker.succeed():
            self._say(f"shared: {self.address.shown} answers again.")
        return answer

    def _note(self, reason: str) -> Unreachable:
        if self.breaker.fail(reason):
            self._say(f"shared: {reason}; the proxy goes on with what it knows, and asks again every second.")
        return Unreachable(reason)


def import_client() -> Any:
    """The client's package. Raises CommandError where it is not installed."""
    try:
        return import_module("valkey")
    except ImportError:
        raise CommandError(
            "shared.url is set, and the client for Valkey is not installed here.",
            "Install it:   pip install 'fairlead[team]'",
        ) from None


def _make_options(
    valkey: Any, address: ServerAddress, password: Secret | None, ca_file: str | None, deadline: float
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "db": address.database,
        "username": address.user or None,
        "password": None if password is None else password.reveal(),
        "socket_timeout": deadline,
        "client_name": "fairlead",
        "protocol": 2,
    }
    if address.path:
        return {**options, "connection_class": valkey.UnixDomainSocketConnection, "path": address.path}
    options |= {
        "host": address.host,
        "port": address.port,
        "socket_connect_timeout": min(CONNECT_SECONDS, 4 * deadline),
        "socket_keepalive": True,
    }
    if not address.tls:
        return options
    return {
        **options,
        "connection_class": valkey.SSLConnection,
        "ssl_check_hostname": True,  # the client's default is not to check it
        "ssl_cert_reqs": "required",
        "ssl_ca_certs": ca_file,  # in addition to those that OpenSSL finds by itself
    }


def _clean(error: BaseException) -> str:
    """The text of an error, on one line."""
    text = str(error).rstrip(". ")
    return "".join(char if char.isprintable() else " " for char in text)[:_TEXT]
