"""Writes Amazon's event stream as Bedrock does: made of the standard library, knows nothing of the project.

The vendor's own clients decode what it writes (test_clouds.py, test_event_stream.py).
"""

import base64
import json
import struct
from binascii import crc32

KIND = "application/vnd.amazon.eventstream"
# As Bedrock pads its events, so that their length tells nothing of the text.
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def write_value(value):
    """The type and the value of a header: a bool, bytes, a string, or (type, packed bytes) for any other."""
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, bytes):
        return struct.pack(">BH", 6, len(value)) + value
    if isinstance(value, str):
        return struct.pack(">BH", 7, len(value.encode())) + value.encode()
    return bytes((value[0],)) + value[1]


def write_message(headers, payload):
    """One message. headers: pairs of name and value."""
    block = b"".join(bytes((len(name.encode()),)) + name.encode() + write_value(value) for name, value in headers)
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    whole = lengths + struct.pack(">I", crc32(lengths)) + block + payload
    return whole + struct.pack(">I", crc32(whole))


def write_event(event, kind="chunk"):
    """The message of one event of a model, given as JSON's bytes."""
    data = base64.b64encode(event).decode()
    payload = json.dumps({"bytes": data, "p": _PADDING[: len(data) % 62]}, separators=(",", ":")).encode()
    headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    return write_message(headers, payload)


def write_exception(name, **said):
    """The message of an exception in a stream."""
    headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")]
    return write_message(headers, json.dumps(said).encode())


def write_events(stream):
    """The messages for a stream of server-sent events that have one line of data each."""
    lines = [line.removeprefix(b"data:").strip() for line in stream.splitlines() if line.startswith(b"data:")]
    return [write_event(line) for line in lines]
