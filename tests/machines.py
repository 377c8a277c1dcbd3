"""Machines that a test simulates: network namespaces of Linux, of which one is joined to each other by a link of its
own, as a server's that can be cut off from them.

A process has a machine's network when it was started by its command, and a thread after `enter`; a socket keeps the
network that it was made in. Files, processes and the clock are those of the machine that the test runs on.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
import sys
import threading

import pytest

_NEW_NETWORK = 0x40000000
_numbers = itertools.count()


class Here:
    """The machine and the network that the test runs in."""

    #: What runs a command there, before the command.
    command = ()

    def enter(self):
        """Have this thread use its network from here on."""

    def run(self, function, *arguments):
        """What a function returns there."""
        return function(*arguments)


HERE = Here()


class Machine:
    """A simulated one, with nothing but a loopback yet."""

    def __init__(self, name):
        self.name = name
        self.command = ("ip", "netns", "exec", name)
        _configure("netns", "add", name)
        self._file = os.open(f"/run/netns/{name}", os.O_RDONLY)
        _configure("-n", name, "link", "set", "dev", "lo", "up")

    def enter(self):
        """Have this thread use its network from here on."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(self._file, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")

    def run(self, function, *arguments):
        """What a function returns there, in a thread that ends with it."""
        found = []

        def work():
            try:
                self.enter()
                found.append((function(*arguments), None))
            except BaseException as error:
                found.append((None, error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        [(result, error)] = found
        if error is not None:
            raise error
        return result

    def remove(self):
        """End it; its processes have ended."""
        os.close(self._file)
        _configure("netns", "delete", self.name)


class Network:
    """A server's machine and others, which reach it and nothing else. Skips the test where there can be none."""

    def __init__(self, count):
        names = [f"fairlead-{os.getpid()}-{next(_numbers)}" for _ in range(count + 1)]
        #: The server's address for each of the others.
        self.addresses = [f"10.99.{number}.1" for number in range(count)]
        with contextlib.ExitStack() as made:
            try:
                self.server, *self.machines = [_make(name, made) for name in names]
                for number, machine in enumerate(self.machines):
                    self._join(machine, number)
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                pytest.skip(f"no networks can be simulated here: {said.strip()}")
            self._made = made.pop_all()

    def _join(self, machine, number):
        link, server = f"to{number}", self.server
        ends = ("type", "veth", "peer", "name", "eth0", "netns", machine.name)
        _configure("link", "add", link, "netns", server.name, *ends)
        for name, device, address in ((server.name, link, 1), (machine.name, "eth0", 2)):
            _configure("-n", name, "address", "add", f"10.99.{number}.{address}/24", "dev", device)
            _configure("-n", name, "link", "set", "dev", device, "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._made.close()

    def cut(self, number):
        """Pull a machine's cable out of the server's: what is sent is lost, and neither side is told."""
        _configure("-n", self.server.name, "link", "set", "dev", f"to{number}", "down")

    def mend(self, number):
        """Plug it in again."""
        _configure("-n", self.server.name, "link", "set", "dev", f"to{number}", "up")


def _make(name, made):
    machine = Machine(name)
    made.callback(machine.remove)
    return machine


def _configure(*arguments):
    program = shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if sys.platform != "linux" or program is None:
        raise OSError("iproute2 is not installed" if sys.platform == "linux" else "they are Linux's")
    subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
