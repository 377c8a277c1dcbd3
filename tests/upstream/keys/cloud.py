"""The token endpoints of Google and Azure on loopback: they check what they are sent, as the real ones do."""

import base64
import contextlib
import json
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .service_accounts import EMAIL, make_key

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN = "ya29.cloud-canary-0123456789"


class Cloud(ThreadingHTTPServer):
    """The endpoints. Its switches are attributes; `seen` has method, path, headers and form of each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}"
        self.seen = []
        #: Seconds that its clock is ahead of this machine's.
        self.skew = 0.0
        self.expires_in = 3599
        #: An answer in place of the usual one: status, headers, body.
        self.answer = None
        self.says_google = True
        self.given = 0

    def now(self):
        return time.time() + self.skew


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format, *args):  # noqa: A002
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(self.server.now(), usegmt=True)

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        self._note(form)
        self._answer_usually(lambda: self._grant(form))

    def do_GET(self):
        self._note({})
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.startswith("/computeMetadata/"):
            self._answer_usually(lambda: self._google(query))
        elif url.path in ("/metadata/identity/oauth2/token", "/msi/token"):
            self._answer_usually(lambda: self._azure(query, app=url.path == "/msi/token"))
        else:
            self._send(404, {})

    def _note(self, form):
        self.server.seen.append((self.command, self.path, dict(self.headers), form))

    def _answer_usually(self, answer):
        if self.server.answer is None:
            answer()
        else:
            status, headers, body = self.server.answer
            self._send(status, body, headers)

    def _grant(self, form):
        head, claims, signature = (decode(part) for part in form["assertion"].split("."))
        signed = form["assertion"].rpartition(".")[0].encode()
        claims, now = json.loads(claims), self.server.now()
        try:
            make_key(2048).public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return self._send(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if json.loads(head) != {"typ": "JWT", "alg": "RS256", "kid": "k1"} or claims["iss"] != EMAIL:
            return self._send(400, {"error": "invalid_grant", "error_description": "Not a valid email or user ID."})
        if claims["aud"] != "https://oauth2.googleapis.com/token" or claims["scope"] != SCOPE:
            return self._send(400, {"error": "invalid_scope"})
        if abs(claims["iat"] - now) > 300 or not 0 < claims["exp"] - claims["iat"] <= 3600:
            return self._send(
                400,
                {
                    "error": "invalid_grant",
                    "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
                    "reasonable timeframe. Check your iat and exp values in the JWT claim.",
                },
            )
        return self._give({"expires_in": self.server.expires_in, "token_type": "Bearer"})

    def _google(self, query):
        headers = {"Metadata-Flavor": "Google"} if self.server.says_google else {}
        if self.headers.get("metadata-flavor") != "Google" or query.get("scopes") != SCOPE:
            return self._send(403, {}, headers)
        return self._give({"expires_in": self.server.expires_in, "token_type": "Bearer"}, headers)

    def _azure(self, query, *, app):
        allowed = self.headers.get("x-identity-header") == "app-secret-canary" if app else self.headers.get("metadata")
        if not allowed or query.get("resource") != "https://ai.azure.com":
            return self._send(400, {"error": "invalid_request"})
        return self._give({"expires_on": str(int(self.server.now() + self.server.expires_in)), "token_type": "Bearer"})

    def _give(self, fields, headers=None):
        self.server.given += 1
        self._send(200, {"access_token": f"{TOKEN}-{self.server.given}", **fields}, headers)

    def _send(self, status, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextlib.contextmanager
def running():
    """A cloud that runs."""
    server = Cloud()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
