"""Model servers as they answer on loopback, and other programs that hold their ports; scripted, on real sockets."""

import contextlib
import re
import socket
import threading
import time

from .patience import PATIENCE


def find_free_port():
    """A port that no program has, as text: the usual one may be another's on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


#: What each server answers: path -> (status, further header lines, body).
OLLAMA = {
    "/": (200, "", b"Ollama is running"),
    "/api/version": (200, "", b'{"version":"0.13.1"}'),
    "/v1/models": (200, "", b'{"object":"list","data":[{"id":"qwen3:8b","object":"model","owned_by":"library"}]}'),
}
LMSTUDIO = {
    "/api/v1/models": (
        200,
        "",
        b'{"models":[{"type":"llm","publisher":"qwen","key":"qwen/qwen3-8b","loaded_instances":[]}]}',
    )
}
OLD_LMSTUDIO = {
    # It answers unknown paths with 200.
    "/api/v1/models": (200, "", b'{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}'),
    "/api/v0/models": (
        200,
        "",
        b'{"object":"list","data":[{"id":"qwen3-8b","publisher":"qwen","type":"llm","state":"not-loaded"}]}',
    ),
}
LLAMACPP = {
    "/props": (
        200,
        "Server: llama.cpp\r\n",
        b'{"default_generation_settings":{"n_ctx":4096},"total_slots":1,"build_info":"b7000-abc"}',
    )
}
LOADING_LLAMACPP = {
    "/props": (503, "Server: llama.cpp\r\n", b'{"error":{"message":"Loading model","type":"unavailable_error"}}')
}
KEYED_LLAMACPP = {"/props": (401, "Server: llama.cpp\r\n", b'{"error":{"message":"Invalid API Key","code":401}}')}
VLLM = {
    "/version": (200, "Server: uvicorn\r\n", b'{"version":"0.14.0"}'),
    "/v1/models": (
        200,
        "Server: uvicorn\r\n",
        b'{"object":"list","data":[{"id":"Qwen/Qwen3-8B","object":"model","owned_by":"vllm","max_model_len":32768}]}',
    ),
}
#: With --api-key.
KEYED_VLLM = {
    "/version": VLLM["/version"],
    "/v1/models": (401, "Server: uvicorn\r\n", b'{"error":"Unauthorized"}'),
    "/load": (200, "Server: uvicorn\r\n", b'{"server_load":0}'),
}
SERVERS = {"ollama": OLLAMA, "lmstudio": LMSTUDIO, "llamacpp": LLAMACPP, "vllm": VLLM}


#: What they answer to a request for text.
TEXTS = {
    "/v1/messages": (200, "", b'{"type":"message","content":[{"type":"text","text":"Hi"}]}'),
    "/v1/chat/completions": (200, "", b'{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}'),
    "/v1/responses": (200, "", b'{"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}]}'),
}


class Everywhere(dict):
    """One answer for all paths."""

    def __init__(self, status, lines, body):
        super().__init__()
        self._answer = (status, lines, body)

    def get(self, path, default=None):
        return self._answer


#: Programs that hold such a port and are none of these servers.
OTHERS = {
    "a web app": Everywhere(200, "Content-Type: text/html\r\n", b"<!doctype html><title>Ollama is running</title>"),
    "an API with a version": Everywhere(200, "", b'{"version":"1.2.3"}'),
    "an API that lists nothing": Everywhere(200, "", b'{"object":"list","data":[],"models":[]}'),
    "another server of models": {
        "/version": (200, "", b'{"version":"0.5"}'),
        "/v1/models": (200, "", b'{"object":"list","data":[{"id":"m","owned_by":"sglang"}]}'),
    },
    "an API with a version that wants a key": {
        "/version": (200, "Server: uvicorn\r\n", b'{"version":"0.5"}'),
        "/v1/models": (401, "Server: uvicorn\r\n", b'{"error":"Unauthorized"}'),
    },
    "a list of numbers": Everywhere(200, "", b'{"models":[1,2],"data":[null],"default_generation_settings":3}'),
    "no object": Everywhere(200, "", b"[[[[[[1]]]]]]"),
    "nested without end": Everywhere(200, "", b"[" * 100_000),
    "a version of no text": Everywhere(200, "", b'{"version":{"a":1}}'),
    "a login page": Everywhere(302, "Location: http://127.0.0.1:1/login\r\n", b""),
    "a refusal": Everywhere(401, "WWW-Authenticate: Basic\r\n", b'{"error":"Unauthorized"}'),
    "an error": Everywhere(503, "Server: nginx\r\n", b"Service Unavailable"),
}


def serve_answers(answers, seen):
    """A handler of connections that answers by the table; what it was asked is added to `seen`."""

    def handle(connection):
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        head, _, rest = head.partition(b"\r\n\r\n")
        seen.append(head.decode("latin-1"))
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while length and len(rest) < int(length[1]):
            rest += connection.recv(65536)
        path = head.split(b" ")[1].decode()
        unknown = (404, "", b'{"error":"not found"}')
        status, lines, body = answers.get(path) or (TEXTS.get(path, unknown) if head.startswith(b"POST") else unknown)
        size = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
        connection.sendall(f"HTTP/1.1 {status} X\r\n{lines}{size}\r\n".encode() + body)

    return handle


def stay_silent(connection):
    """Accept and never answer."""
    while connection.recv(65536):
        pass


def send_without_end(connection):
    """Begin an answer, and go on for 100 MB."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100_000_000 // 65536):
        connection.sendall(b" " * 65536)


def send_slowly(connection):
    """Begin an answer, and send a byte of it now and then."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def send_endless_head(connection):
    """Send header lines without end."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-A: " + b"a" * 8000 + b"\r\n")


def close_at_once(connection):
    """Close without an answer."""


def speak_tls(connection):
    """Answer as a server with TLS does to a client without."""
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def speak_something(connection):
    """Answer in a protocol that is not HTTP."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
    connection.recv(65536)


RUDE = (
    stay_silent,
    send_without_end,
    send_slowly,
    send_endless_head,
    close_at_once,
    speak_tls,
    speak_something,
)


@contextlib.contextmanager
def listening(handle, address="127.0.0.1", port=0):
    """A listener that has each connection handled in a thread; yields its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    connections = []

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            handle(connection)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake `accept`.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def model_server(name, address="127.0.0.1", answers=None):
    """One of the known servers; yields its port and what it was asked."""
    seen = []
    with listening(serve_answers(SERVERS[name] if answers is None else answers, seen), address) as port:
        yield port, seen
