"""The device flow (RFC 8628): the user types a code at the issuer's page, on any device, while its answer is polled."""

from collections.abc import Callable
from typing import NamedTuple

import trio

from router.login.calls import (
    Client,
    Grant,
    IssuerError,
    Send,
    make_refusal,
    post_form,
    read_grant,
    read_object,
    read_seconds,
)
from router.login.metadata import Metadata, is_secure, require_endpoint
from router.net.control.request import clean

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
#: Seconds between two questions where the issuer does not say, and what each `slow_down` adds for good (3.5).
INTERVAL, SLOWER = 5.0, 5.0
#: Bounds of what an issuer may ask for.
LONGEST_INTERVAL, LONGEST_WAIT = 300.0, 1800.0
_ENDS = {
    "access_denied": "the login was refused at the issuer's page.",
    "expired_token": "the code was not used in time.",
}


class DeviceCode(NamedTuple):
    """What the user is to do."""

    code: str
    user_code: str
    page: str
    #: The page with the code in it, '' where the issuer has none.
    whole_page: str
    #: Seconds.
    lifetime: float
    interval: float

    def __repr__(self) -> str:
        return f"DeviceCode({self.page})"

    @property
    def spoken(self) -> str:
        """The code in groups of four where it is written without any, for those who read it aloud or type it."""
        text = self.user_code
        if len(text) < 8 or len(text) % 4 or not text.isalnum():
            return text
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


async def begin(ask: Send, found: Metadata, client: Client, *, scope: str = "", audience: str = "") -> DeviceCode:
    """Ask for a code. Raises IssuerError."""
    url = found.device_authorization_endpoint
    if not url:
        raise IssuerError(f"{clean(found.issuer)} has no device flow.", "Log in with the browser:   --browser")
    form = {
        "client_id": client.id,
        **({"scope": scope} if scope else {}),
        **({"audience": audience} if audience else {}),
    }
    answer = await post_form(ask, url, form, client)
    refusal = make_refusal(answer, url, (client.secret,))
    if refusal is not None:
        raise refusal
    data = read_object(answer) or {}
    code, user_code, page = (data.get(name) for name in ("device_code", "user_code", "verification_uri"))
    # Google calls it so.
    page = page if page is not None else data.get("verification_url")
    if not (isinstance(code, str) and isinstance(user_code, str) and isinstance(page, str) and code and user_code):
        raise IssuerError(f"{clean(found.issuer)} gave no code for a device.")
    whole = data.get("verification_uri_complete")
    whole = whole if isinstance(whole, str) else ""
    if not is_secure(page, found.issuer) or (whole and not is_secure(whole, found.issuer)):
        raise IssuerError(f"{clean(found.issuer)} names {clean(page)} as its page, which is not a URL with https://.")
    lifetime = min(read_seconds(data.get("expires_in")) or LONGEST_WAIT, LONGEST_WAIT)
    interval = min(read_seconds(data.get("interval")) or INTERVAL, LONGEST_INTERVAL)
    return DeviceCode(code, clean(user_code, 40), page, whole, lifetime, interval)


async def poll(
    ask: Send, found: Metadata, client: Client, device: DeviceCode, note: Callable[[str], None] = lambda text: None
) -> Grant:
    """Ask until the user has done it. note: gets what goes wrong meanwhile and may pass. Raises IssuerError."""
    url = require_endpoint(found, "token_endpoint")
    form = {"grant_type": GRANT_TYPE, "device_code": device.code}
    hide = (device.code, client.secret)
    interval, end = device.interval, trio.current_time() + device.lifetime
    while trio.current_time() + interval < end:
        await trio.sleep(interval)
        try:
            answer = await post_form(ask, url, form, client, hide=hide)
            refusal = make_refusal(answer, url, hide)
        except IssuerError as error:
            refusal = error
        else:
            if refusal is None:
                return read_grant(answer, url)
        if refusal.code == "authorization_pending":
            continue
        if refusal.code == "slow_down":
            interval = min(interval + SLOWER, LONGEST_INTERVAL)
        elif refusal.passing:
            # 3.5: exponential back-off where no answer came.
            interval = min(interval * 2, LONGEST_INTERVAL)
            note(f"note: {refusal} Asked again in {interval:g} s.")
        else:
            known = _ENDS.get(refusal.code)
            raise IssuerError(known, code=refusal.code) if known else refusal
    raise IssuerError(_ENDS["expired_token"], code="expired_token")
