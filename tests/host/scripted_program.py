"""A program for tests of what starts programs: it writes what it was started with, does what it is told, and writes
each signal that it gets."""

import json
import os
import resource
import signal
import sys
import termios
import time
import tty
import urllib.error
import urllib.request

_SIGNALS = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGPIPE", "SIGXFSZ", "SIGWINCH")


def describe():
    """What this process was started with."""
    return {
        "argv": sys.argv[1:],
        "environ": dict(os.environ),
        "pid": os.getpid(),
        "parent": os.getppid(),
        "group": os.getpgrp(),
        "folder": os.getcwd(),
        # Of the interpreter before it changed them: what was ignored is so for every program.
        "ignored": _read_ignored(),
        "blocked": sorted(signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        "terminal": os.isatty(0),
        "foreground": os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp(),
        "size": list(os.get_terminal_size(0)) if os.isatty(0) else None,
    }


def _read_ignored():
    with open("/proc/self/status") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("SigIgn:"))
    return sorted(name for name in _SIGNALS if mask >> (getattr(signal, name) - 1) & 1)


def ask(url, key, model):
    """The status of a request to an OpenAI Chat endpoint, and the code of the error, if any."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello to you"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", body, headers)) as answer:
            return [answer.status, ""]
    except urllib.error.HTTPError as error:
        return [error.code, json.loads(error.read())["error"].get("code") or ""]


def main():
    out, order, *rest = sys.argv[1:]

    def say(*words):
        with open(out, "a") as file:
            file.write(json.dumps(words) + "\n")

    if order == "record":
        say("started", describe())
    elif order == "exit":
        sys.exit(int(rest[0]))
    elif order == "die":
        if int(rest[0]) != signal.SIGKILL:
            signal.signal(int(rest[0]), signal.SIG_DFL)
        os.kill(os.getpid(), int(rest[0]))
    elif order == "raw":
        tty.setraw(0)
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "leave-raw":
        tty.setraw(0, termios.TCSANOW)
    elif order == "ask":
        for _ in range(int(rest[0])):
            say("status", *ask(os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"], rest[1]))
    elif order == "wait":
        # Signals are written, and end it only where it is told to: a program that ignores them.
        ends = {getattr(signal, name) for name in rest}

        def note(number, frame):
            say("signal", signal.Signals(number).name, *(list(os.get_terminal_size(0)) if os.isatty(0) else []))
            if number in ends:
                os._exit(5)

        for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGCONT", "SIGWINCH", "SIGUSR1"):
            signal.signal(getattr(signal, name), note)
        say("started", describe())
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
