"""One side of a running proxy for the attacks on who is who on loopback: what it proves, and what is signed for it."""

import contextlib
import os
import socket
import threading

import trio

from router.net.control.signatures import Place, SignedCall, compute_call, hash_body, sign_call
from router.operator_api.client import ask_proof
from router.settings import Secret

from ..e2e.wire import Client, request
from ..patience import PATIENCE


class Side:
    """One side of a running proxy: its place, its process and its token."""

    def __init__(self, proxy):
        self.proxy, self.port = proxy, proxy.port
        self.place = Place("127.0.0.1", proxy.port)
        self.token = Secret(proxy.operator()[1].removeprefix(b"Bearer ").decode())
        proof = trio.run(ask_proof, f"http://127.0.0.1:{proxy.port}", self.token)
        assert proof.known
        self.process = proof.process

    def sign(self, method="GET", target="/status", body=b"", **changed):
        options = {"token": self.token, "place": self.place, "process": self.process, **changed}
        return sign_call(options["token"], options["place"], options["process"], method, target.encode(), body)

    def at(self, moment):
        """A request that was signed at another time."""
        call = SignedCall(moment, os.urandom(16).hex(), hash_body(b""), "")
        signature = compute_call(self.token, self.place, self.process, "GET", b"/status", call)
        return call._replace(signature=signature)

    def send(self, call, method="GET", target="/status", body=None, host="127.0.0.1"):
        value = call if isinstance(call, bytes) else call.format().encode()
        with Client(self.port, host) as client:
            client.send(request(target, body, (b"Authorization", value), method=method))
            return client.answer(bodiless=method == "HEAD")

    def status(self, *arguments, **options):
        return self.send(*arguments, **options).status

    def prove(self, nonce, *fields, host="127.0.0.1"):
        with Client(self.port, host) as client:
            client.send(request("/livez", None, (b"x-fairlead-nonce", nonce), *fields))
            return client.answer()


@contextlib.contextmanager
def between(side, change, times=1):
    """A relay for some connections that changes the answers; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for _ in range(times):
                with listener.accept()[0] as client, socket.create_connection(side.place, 5) as real:
                    head, blank, body = client.recv(65536).partition(b"\r\n\r\n")
                    head = head.replace(b"Connection: keep-alive", b"Connection: close")
                    real.sendall(head + blank + body)
                    data = b""
                    while piece := real.recv(65536):
                        data += piece
                    client.sendall(change(data))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE)
