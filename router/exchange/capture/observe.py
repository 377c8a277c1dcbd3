"""Begins the capture of a request: its head, and the answer as its connection sends it."""

import hashlib

from router.exchange.context import Arrival
from router.net.query import filter_query
from router.policy.accounts.session_key import name_session


def observe(arrival: Arrival) -> None:
    """Record the head of a request that is captured, and have its connection tell of the answer."""
    capture, request = arrival.capture, arrival.request
    if capture is None:
        return
    path, mark, query = request.target.partition(b"?")
    target = path + (filter_query(query) if mark else b"")
    capture.note_request(request.method.encode("ascii"), target, [(name, value) for _, name, value in request.lines])
    session = name_session(request.fields)
    capture.session = hashlib.sha256(session.encode()).hexdigest()[:16] if session else ""
    arrival.connection.observer = capture
