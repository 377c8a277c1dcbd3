"""Serves an application on a free port of 127.0.0.1, as the demo's upstreams are served."""

import trio

from router.net.server.connection import Application, Connection
from router.net.server.limits import Limits
from router.net.server.listen import accept, open_listeners
from router.net.stream import SocketStream


async def serve_on_loopback(application: Application, *, task_status: trio.TaskStatus[str]) -> None:
    """Listen and serve until cancelled.

    Reports the base URL, such as http://127.0.0.1:50123. Raises OSError when no port can be bound.
    """
    limits = Limits()

    async def serve_stream(stream: SocketStream) -> None:
        await Connection(stream, application, limits).serve()

    [listener] = open_listeners("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        task_status.started(f"http://127.0.0.1:{listener.getsockname()[1]}")
        await accept(listener, nursery, serve_stream)
