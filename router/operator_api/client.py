"""The client that commands use to call a running proxy, typed by the table of endpoints.

Rules of this file: the operator token is never sent. A listener proves first that it knows it; then each request is
signed with it, for this listener and once, and an answer counts only with a signature of its own
(`net.control.signatures`). URLs hold an address, since a name may lead to another listener at each call.
"""

import hmac
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from router.net.control.refusals import read_refusal
from router.net.control.request import Answer as Response
from router.net.control.request import ControlError, clean, send
from router.net.control.signatures import (
    ANSWER_HEADER,
    NONCE_HEADER,
    PROCESS_HEADER,
    PROOF_HEADER,
    Place,
    compute_older_proof,
    compute_proof,
    sign_answer,
    sign_call,
)
from router.net.loopback import list_literal_urls
from router.operator_api import endpoints
from router.operator_api.accounts import AccountList
from router.operator_api.endpoint import Answer, Body, Endpoint
from router.operator_api.explain import Explanation, Question
from router.operator_api.guard import Resumed
from router.operator_api.history import HistoryRequest
from router.operator_api.models import MODELS_LIMIT, ModelQuestion, ModelReport
from router.operator_api.status import Reloaded, Restarted, Status, Stopping
from router.settings import Secret

CALL_SECONDS = 15.0
# Characters: what a proxy of this home says ends with what to do about it.
_REASON_LIMIT = 600


class RunningProxy:
    """A proxy of this home that has proved to know the operator token; each call raises ControlError. url: with an
    address, the one that the proof is for. process: the name that came with the proof."""

    def __init__(self, url: str, token: Secret, process: str):
        self.url = url
        self._token = token
        self._process = process

    async def fetch_status(self) -> Status:
        """Fetch everything it reports about itself."""
        return await self.call(endpoints.STATUS)

    async def reload(self) -> Reloaded:
        """Make it read the home's files again; returns what came of it."""
        return await self.call(endpoints.RELOAD)

    async def explain(self, question: Question) -> Explanation:
        """Ask what would happen to a request."""
        return await self.call(endpoints.EXPLAIN, question)

    async def report_models(self, names: Sequence[str]) -> list[ModelReport]:
        """Ask what it knows of these models, those left out that no backend serves."""
        found: list[ModelReport] = []
        for at in range(0, len(names), MODELS_LIMIT):
            question = ModelQuestion(models=list(names[at : at + MODELS_LIMIT]))
            found += (await self.call(endpoints.MODELS, question)).models
        return found

    async def resume(self) -> Resumed:
        """End the halts of its home."""
        return await self.call(endpoints.RESUME)

    async def fetch_accounts(self) -> AccountList:
        """Fetch its accounts and their state."""
        return await self.call(endpoints.ACCOUNTS)

    async def fetch_latest_request(self) -> HistoryRequest:
        """Fetch the request that ended last, once it is in the history."""
        return await self.call(endpoints.REQUEST, id=endpoints.LATEST)

    async def stop(self) -> float:
        """Make it stop, after it has drained; the seconds that this may take."""
        response = await self._send(endpoints.STOP)
        try:
            return msgspec.json.decode(response.body, type=Stopping).within
        except msgspec.MsgspecError:
            # Of an older version, which gives its answers 10 s.
            return 10.0

    async def restart(self) -> Restarted:
        """Make it start its program again and hand the port to it; it goes on to serve when that fails."""
        return await self.call(endpoints.RESTART)

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
        content = None
        if endpoint.verb == "POST":
            content = b"{}" if body is None else msgspec.json.encode(body)
        target = endpoint.url_path(names or {})
        place, sent = _find_place(self.url), content or b""
        call = sign_call(self._token, place, self._process, endpoint.verb, target.encode(), sent)
        headers = {"authorization": call.format(), "content-type": "application/json"}
        response = await send(endpoint.verb, self.url + target, headers, content, CALL_SECONDS)
        expected = sign_answer(self._token, call.signature, response.status, response.body)
        if not hmac.compare_digest(response.headers.get(ANSWER_HEADER, "").encode(), expected.encode()):
            raise ControlError(
                f"the answer of {place.address}:{place.port} (status {response.status}) is not signed by the proxy of "
                "this home, which may have ended since. Run the command again.",
                status=response.status,
                code="not_signed",
            )
        if not 200 <= response.status < 300:
            raise read_refusal(response, self.url, self._token, limit=_REASON_LIMIT)
        return response


class Proof(NamedTuple):
    """What a listener showed of itself."""

    #: True when it knows the token, False when it does not, None when none answers.
    known: bool | None
    #: The random name of its process, which requests are signed for; "" without proof.
    process: str = ""
    #: True when it gave the proof of an older version. It may be one of this home, or one who asked it.
    older: bool = False


async def ask_proof(url: str, token: Secret, *, timeout: float = 3.0) -> Proof:
    """Ask a listener to prove that it knows the token, which is not sent. url: with an address, not a name."""
    nonce = secrets.token_hex(16)
    try:
        response = await send("GET", url + endpoints.LIVEZ.path, {NONCE_HEADER: nonce}, None, timeout)
    except ControlError as error:
        return Proof(False if error.code == "not_http" else None)
    given = response.headers.get(PROOF_HEADER, "").encode()
    process = response.headers.get(PROCESS_HEADER, "")
    if hmac.compare_digest(given, compute_proof(token, _find_place(url), process, nonce.encode(), None)):
        return Proof(True, process)
    return Proof(False, older=hmac.compare_digest(given, compute_older_proof(token, nonce.encode())))


async def verify_listener(url: str, token: Secret, *, timeout: float = 3.0) -> bool | None:
    """As `Proof.known`. url: with an address or with `localhost`, where any listener of the two counts."""
    for literal in list_literal_urls(url):
        proof = await ask_proof(literal, token, timeout=timeout)
        if proof.known is not None:
            return proof.known
    return None


def _find_place(url: str) -> Place:
    place = urlsplit(url)
    return Place(place.hostname or "", place.port or 80)
