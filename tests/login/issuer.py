"""An issuer on loopback that can be made to fail, to dawdle and to lie; it is the backend that takes its tokens too."""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, quote, unquote_plus

CLIENT, SECRET = "my-client", "cs-canary/0123456789+abcdef"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
#: Begins all tokens and codes that it gives out: none of them may be found where it does not belong.
CANARY = "login-canary-of-these-tests"


def make_token(kind):
    return f"{CANARY}-{kind}-{secrets.token_hex(12)}"


class Issuer(ThreadingHTTPServer):
    """The issuer. Its switches are attributes; `asked` has the forms of the token endpoint, `seen` all requests."""

    daemon_threads = True

    def __init__(self, *, ends=3600):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.RLock()
        self.seen, self.asked, self.revoked = [], [], []
        self.codes, self.devices, self.families = {}, {}, {}
        self.lifetime = ends
        #: Answers before the device is approved, each one of the codes of RFC 8628 3.5.
        self.device_answers = []
        self.device = {"interval": 5, "expires_in": 900}
        #: Errors are told with 200, as GitHub does.
        self.errors_with_200 = False
        #: Statuses of the token endpoint before it works; 0 closes the connection.
        self.failing = []
        #: Seconds that the token endpoint takes.
        self.delay = 0.0
        #: A new refresh token each time, and the old one ends its family when it comes again.
        self.rotates = True
        self.gives_refresh = True
        #: Replace or remove (None) fields of its documents.
        self.metadata, self.grant, self.answer = {}, {}, {}
        #: The whole body in place of an answer, by path.
        self.bodies = {}
        #: Where a path redirects to.
        self.redirects = {}
        self.skew = 0.0
        #: Only RFC 8414's place has the document.
        self.has_openid = True
        self.secret = None
        self.denies = False
        #: A description that repeats what it was sent.
        self.repeats = False
        self.revocation_status = 200
        #: The tokens that its backend takes; those of no family are not.
        self.refuses_tokens = False

    @property
    def live(self):
        """The access tokens that are good now."""
        return {token for family in self.families.values() if family["live"] for token in family["access"]}

    def start_family(self):
        """A token as after a login; what its user got."""
        name = secrets.token_hex(4)
        self.families[name] = {"live": True, "access": [], "refresh": None, "old": set()}
        return self.give(name)

    def give(self, name):
        family = self.families[name]
        access = make_token("access")
        # The tokens before stay good until they end, as those of most issuers.
        family["access"].append(access)
        if family["refresh"] is None or self.rotates:
            if family["refresh"] is not None:
                family["old"].add(family["refresh"])
            family["refresh"] = make_token("refresh")
        told = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.gives_refresh:
            told["refresh_token"] = family["refresh"]
        return merge(told, self.grant)

    def describe(self):
        own = self.url
        document = {
            "issuer": own,
            "authorization_endpoint": f"{own}/authorize",
            "token_endpoint": f"{own}/token",
            "device_authorization_endpoint": f"{own}/device",
            "revocation_endpoint": f"{own}/revoke",
            "code_challenge_methods_supported": ["plain", "S256"],
        }
        return merge(document, self.metadata)

    def count(self, grant):
        """How often the token endpoint was asked for a kind of grant."""
        with self.lock:
            return sum(form.get("grant_type") == grant for form, _ in self.asked)


def merge(document, changes):
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def handle_one(self, method):
        server = self.server
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        path, _, query = self.path.partition("?")
        with server.lock:
            server.seen.append((method, self.path, body, {name.lower(): value for name, value in self.headers.items()}))
        if path in server.redirects:
            self.send(302, b"", {"location": server.redirects[path]})
        elif path in server.bodies:
            self.send(200, server.bodies[path])
        else:
            found = getattr(self, f"on_{path.strip('/').replace('/', '_').replace('.', '').replace('-', '_')}", None)
            form = dict(parse_qsl(body)) if method == "POST" else parse_qs(query)
            if found is None:
                self.tell(404, {"error": {"message": "nothing here"}})
            else:
                found(form)

    def tell(self, status, answer):
        """Answer in JSON."""
        status = 200 if self.server.errors_with_200 and status == 400 else status
        self.send(status, json.dumps(answer).encode())

    def send(self, status, body, headers=()):
        self.send_response_only(status)
        self.send_header("date", formatdate(time.time() + self.server.skew, usegmt=True))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def fail(self, code, form=None):
        """An error of RFC 6749 5.2."""
        said = f"because of {json.dumps(form)}" if self.server.repeats else "because"
        self.tell(400, {"error": code, "error_description": said})

    def on_well_known_openid_configuration(self, form):
        if self.server.has_openid:
            self.tell(200, self.server.describe())
        else:
            self.tell(404, {})

    def on_well_known_oauth_authorization_server(self, form):
        self.tell(200, self.server.describe())

    def on_authorize(self, form):
        """Consent at once, as a user with one click."""
        server = self.server
        told = {name: values[0] for name, values in form.items()}
        code = make_token("code")
        with server.lock:
            server.codes[code] = told
        back = {"error": "access_denied"} if server.denies else {"code": code}
        back = merge({**back, "state": told["state"]}, server.answer)
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in back.items())
        self.send(302, b"", {"location": f"{told['redirect_uri']}?{query}"})

    def on_device(self, form):
        server = self.server
        code = make_token("device")
        with server.lock:
            server.devices[code] = list(server.device_answers)
        told = {"device_code": code, "user_code": "WDJBMJHT", "verification_uri": f"{server.url}/activate"}
        self.tell(200, merge(told, server.device))

    def on_token(self, form):
        server = self.server
        with server.lock:
            server.asked.append((form, {name.lower(): value for name, value in self.headers.items()}))
            failure = server.failing.pop(0) if server.failing else None
        time.sleep(server.delay)
        if failure == 0:
            self.close_connection = True
            return
        if failure is not None:
            self.tell(failure, {"message": "try later"} if failure != 400 else {"error": "unauthorized_client"})
            return
        if not self.knows_client(form):
            self.tell(401, {"error": "invalid_client"})
            return
        with server.lock:
            getattr(self, f"grant_{form['grant_type'].rpartition(':')[2]}")(form)

    def knows_client(self, form):
        if self.server.secret is None:
            return form.get("client_id") == CLIENT
        basic = self.headers.get("authorization", "").removeprefix("Basic ")
        name, _, secret = base64.b64decode(basic).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.server.secret)

    def grant_authorization_code(self, form):
        told = self.server.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = told and told["code_challenge"] == challenge and told["redirect_uri"] == form["redirect_uri"]
        if not same:
            self.fail("invalid_grant", form)
        else:
            self.tell(200, self.server.start_family())

    def grant_device_code(self, form):
        answers = self.server.devices.get(form["device_code"])
        if answers is None:
            self.fail("invalid_grant", form)
        elif answers:
            self.fail(answers.pop(0), form)
        else:
            self.tell(200, self.server.start_family())

    def grant_refresh_token(self, form):
        token = form["refresh_token"]
        for name, family in self.server.families.items():
            if token in family["old"]:
                family["live"] = False
            if family["live"] and token == family["refresh"]:
                self.tell(200, self.server.give(name))
                return
        self.fail("invalid_grant", form)

    def on_revoke(self, form):
        server = self.server
        with server.lock:
            server.revoked.append(form)
            for family in server.families.values():
                if form["token"] == family["refresh"] or form["token"] in family["access"]:
                    family["live"] = False
        self.tell(server.revocation_status, {})

    # The backend

    def answer_if_live(self, answer):
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if self.server.refuses_tokens or token not in self.server.live:
            self.tell(401, {"error": {"message": "Incorrect key", "code": "invalid_api_key"}})
        else:
            self.tell(200, answer)

    def on_v1_models(self, form):
        self.answer_if_live({"object": "list", "data": [{"id": "model-a"}]})

    def on_v1_chat_completions(self, form):
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        self.answer_if_live({"id": "c1", "object": "chat.completion", "model": "model-a", "choices": [choice]})

    def log_message(self, *args):
        """Nothing."""


@contextlib.contextmanager
def running(**options):
    """An issuer that answers while the body runs."""
    with Issuer(**options) as issuer:
        thread = threading.Thread(target=issuer.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            issuer.shutdown()
            thread.join()
