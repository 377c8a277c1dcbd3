"""The accept loops of a proxy that stops or has handed its port over."""

import socket
import sys

import pytest
import trio
import trio.testing

from router.net.descriptors import Reserve
from router.net.server.listen import hold_port
from router.server.accepting import AcceptLoops


@pytest.mark.skipif(sys.platform != "linux", reason="only there shutdown ends what another process holds")
@pytest.mark.parametrize("handed_over", [False, True])
def test_a_port_that_another_process_holds(handed_over):
    """The loader of the single-file form holds what its program was handed: a stop frees the port all the same. After
    a restart it stays the next process's."""

    async def serve(stream):
        await stream.aclose()

    async def main():
        listeners = hold_port("localhost", 0)
        held = [listener.dup() for listener in listeners]
        place = listeners[0].getsockname()
        reserve = Reserve()
        async with trio.open_nursery() as nursery:
            loops = AcceptLoops(listeners, reserve)
            nursery.start_soon(loops.run, nursery, serve)
            await trio.testing.wait_all_tasks_blocked()
            await loops.stop(handed_over=handed_over)
            with socket.socket() as client:
                assert (client.connect_ex(place) == 0) == handed_over
        reserve.close()
        for one in held:
            one.close()

    trio.run(main)
