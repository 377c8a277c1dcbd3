"""Where clients reach the proxy: both loopback addresses, the name localhost, containers and WSL."""

import platform
import socket
from pathlib import Path

import trio

from router.cli.common.port_owner import find_free_port_after, find_port_owner
from router.cli.doctor.row import Row
from router.cli.doctor.situation import FoundProxy, Situation
from router.net.client.outbound import is_loopback
from router.net.loopback import LOCALHOST, has_address, make_literal_url
from router.operator_api.client import ask_proof

_ID = "proxy.port"


async def check_port(situation: Situation) -> list[Row]:
    """Whether the proxy holds its port on both loopback addresses: clients try them in an order of their own, and who
    holds the other one gets their keys and prompts."""
    serving = situation.serving
    if serving is None:
        return await _check_free(situation)
    rows: list[Row] = []
    if not is_loopback(situation.settings.host) or situation.home is None:
        return []
    token = situation.home.token("operator.token")
    held: list[str] = []
    for address in LOCALHOST:
        if not has_address(address):
            continue
        proof = await ask_proof(make_literal_url(address, serving.run.port), token)
        if proof.known:
            held.append(address)
        elif proof.known is False or await _is_taken(address, serving.run.port):
            rows.append(await _explain_stranger(address, serving))
    return rows or [Row(_ID, "ok", f"it holds port {serving.run.port} on {' and '.join(held)}")]


async def _explain_stranger(address: str, serving: FoundProxy) -> Row:
    port = serving.run.port
    owner = await trio.to_thread.run_sync(lambda: find_port_owner(port, but=serving.run.pid))
    who = f"another program ({owner})" if owner else "another program"
    text = f"{who} answers on {address} port {port}: clients that resolve localhost to it send it their prompts"
    free = find_free_port_after(port) or 0
    return Row(_ID, "fail", text, f"End it, or use another port: fairlead proxy --port {free}")


async def _check_free(situation: Situation) -> list[Row]:
    """Without a proxy: whether one could have the port."""
    port = situation.settings.port
    if not port or any(found.run.port == port for found in situation.proxies):
        return []
    for address in LOCALHOST:
        if not has_address(address) or not await _is_taken(address, port):
            continue
        # Any token: a fairlead of another home does not know it either, and answers in HTTP all the same.
        owner = await trio.to_thread.run_sync(find_port_owner, port)
        text = f"port {port} is taken by another program{f' ({owner})' if owner else ''} on {address}"
        free = find_free_port_after(port) or 0
        return [Row(_ID, "warn", text, f"End it, or use another port: fairlead proxy --port {free}")]
    return []


async def _is_taken(address: str, port: int) -> bool:
    with trio.move_on_after(1.0):
        try:
            stream = await trio.open_tcp_stream(address, port)
        except OSError:
            return False
        await stream.aclose()
        return True
    return False


def check_localhost(situation: Situation) -> list[Row]:
    """Whether the name localhost means this machine."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)}
    except OSError as error:
        fix = "Add the line: echo '127.0.0.1 localhost' | sudo tee -a /etc/hosts"
        return [Row("proxy.localhost", "fail", f"localhost cannot be resolved: {error.strerror or error}", fix)]
    strange = sorted(address for address in found if not is_loopback(address))
    if strange:
        text = f"localhost resolves to {', '.join(strange)}, which is not this machine"
        return [Row("proxy.localhost", "fail", text, "Correct its line: sudo nano /etc/hosts")]
    text = f"localhost is {' and '.join(sorted(found))}"
    return [Row("proxy.localhost", "ok", text)]


def check_reach(situation: Situation) -> list[Row]:
    """What reaches the proxy where localhost means more than one machine."""
    return judge_reach(situation, Path("/"), platform.release())


def judge_reach(situation: Situation, root: Path, release: str) -> list[Row]:
    """The same. root: of the file system. release: of the kernel."""
    rows: list[Row] = []
    contained = (root / ".dockerenv").exists() or (root / "run/.containerenv").exists()
    if contained or situation.environ.get("container"):
        text = "this is a container: its localhost is its own. A proxy on the host is reached at host.docker.internal"
        rows.append(Row("proxy.reach", "info", text))
    if "microsoft" in release.lower():
        text = (
            "this is WSL: programs of Windows reach this proxy where Windows forwards its localhost; Windows' own "
            "localhost is reached from here only with networkingMode=mirrored in .wslconfig"
        )
        rows.append(Row("proxy.reach", "info", text))
    return rows
