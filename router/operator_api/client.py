"""The client that commands use to call a running proxy, typed by the table of endpoints."""

import hmac
import secrets
from typing import Any

import msgspec

from router.net.control.calls import read_refusal
from router.net.control.request import Answer as Response
from router.net.control.request import ControlError, clean, send
from router.operator_api import endpoints
from router.operator_api.accounts import AccountList
from router.operator_api.endpoint import Answer, Body, Endpoint
from router.operator_api.explain import Explanation, Question
from router.operator_api.guard import Resumed
from router.operator_api.history import HistoryRequest
from router.operator_api.status import Reloaded, Status
from router.settings import Secret

CALL_SECONDS = 15.0


class RunningProxy:
    """A proxy of this home that has proved to know the operator token; each call raises ControlError."""

    def __init__(self, url: str, token: Secret):
        self.url = url
        self._token = token

    async def fetch_status(self) -> Status:
        """Fetch everything it reports about itself."""
        return await self.call(endpoints.STATUS)

    async def reload(self) -> Reloaded:
        """Make it read the home's files again; returns what came of it."""
        return await self.call(endpoints.RELOAD)

    async def explain(self, question: Question) -> Explanation:
        """Ask what would happen to a request."""
        return await self.call(endpoints.EXPLAIN, question)

    async def resume(self) -> Resumed:
        """End the halts of its home."""
        return await self.call(endpoints.RESUME)

    async def fetch_accounts(self) -> AccountList:
        """Fetch its accounts and their state."""
        return await self.call(endpoints.ACCOUNTS)

    async def fetch_latest_request(self) -> HistoryRequest:
        """Fetch the request that ended last, once it is in the history."""
        return await self.call(endpoints.REQUEST, id=endpoints.LATEST)

    async def stop(self) -> None:
        """Make it stop: it closes its listener and drains first."""
        await self._send(endpoints.STOP)

    async def call(self, endpoint: Endpoint[Body, Answer], body: Body | None = None, **names: str) -> Answer:
        """Call an endpoint. names: values for the names in its path."""
        response = await self._send(endpoint, body, names)
        try:
            return msgspec.json.decode(response.body, type=endpoint.answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ControlError(
                f"{self.url}{endpoint.path} has another form than expected: {clean(str(error))}"
            ) from None

    async def _send(
        self, endpoint: Endpoint[Any, Any], body: object = None, names: dict[str, str] | None = None
    ) -> Response:
        headers = {"authorization": f"Bearer {self._token.reveal()}", "content-type": "application/json"}
        content = None
        if endpoint.verb == "POST":
            content = b"{}" if body is None else msgspec.json.encode(body)
        url = self.url + endpoint.url_path(names or {})
        response = await send(endpoint.verb, url, headers, content, CALL_SECONDS)
        if not 200 <= response.status < 300:
            raise read_refusal(response, self.url, self._token)
        return response


async def verify_listener(url: str, token: Secret, *, timeout: float = 3.0) -> bool | None:
    """True when the listener knows the token, which is not sent; False when it does not; None when none answers."""
    nonce = secrets.token_hex(16)
    try:
        response = await send("GET", url + endpoints.LIVEZ.path, {"x-fairlead-nonce": nonce}, None, timeout)
    except ControlError as error:
        return False if error.code == "not_http" else None
    expected = hmac.new(token.reveal().encode(), nonce.encode(), "sha256").hexdigest()
    return hmac.compare_digest(response.headers.get("x-fairlead-proof", ""), expected)
