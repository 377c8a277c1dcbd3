"""The commands of service managers as scripts on PATH: they record how they were called and act out a manager.

Installed under their names by conftest.py; $FAKE_MANAGER is the folder with `state.json` and `calls`. What they start
is a process that only sleeps, with the run file of a proxy.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_MANAGER"])
STATE = FOLDER / "state.json"
state = json.loads(STATE.read_text())
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with (FOLDER / "calls").open("a") as file:
    file.write(json.dumps([name, *words]) + "\n")


def end(code=0, out="", err=""):
    STATE.write_text(json.dumps(state))
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(code)


def start(mode, unit, log=""):
    """Start what serves, unless it is to fail."""
    # Late, as most calls only look.
    import socket
    import subprocess

    kill()
    if state.get("fails"):
        state["exit"] = 78
        return False
    process = subprocess.Popen(
        ["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    state["pid"], state["exit"], state["starts"] = process.pid, 0, state.get("starts", 0) + 1
    run = {
        "pid": process.pid,
        "url": "http://localhost:3456",
        "port": 3456,
        "version": state.get("serves", "0.1.0"),
        "started": time.time(),
        "machine": socket.gethostname(),
        "mode": mode,
        "unit": unit,
        "log": log,
    }
    folder = Path(state["home"]) / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "3456.json").touch(mode=0o600)
    (folder / "3456.json").write_text(json.dumps(run))
    return True


def kill():
    if state.get("pid"):
        os.kill(state["pid"], signal.SIGKILL)
    state["pid"] = 0


def is_running():
    if not state.get("pid"):
        return False
    try:
        os.kill(state["pid"], 0)
    except ProcessLookupError:
        state["pid"] = 0
        return False
    return True


def systemctl(word, *rest):
    if state.get("bus") == "missing":
        end(1, err="Failed to connect to bus: No medium found\n")
    unit = Path(state.get("units", ""), "fairlead.service")
    if word == "show-environment":
        end(out="".join(f"{one}=x\n" for one in ["LANG", *state.get("variables", [])]))
    if word == "show" and rest[0].startswith("--property"):
        end(out="Version=252\n")
    if word == "show":
        package = state.get("package", "")
        place = str(unit) if state.get("loaded") else package
        lines = {
            "LoadState": "loaded" if place else "not-found",
            "FragmentPath": state.get("fragment", place),
            "DropInPaths": state.get("drop_ins", ""),
            "UnitFileState": "enabled" if state.get("enabled") else "disabled",
            "ActiveState": "active" if is_running() else "failed" if state.get("exit") else "inactive",
            "MainPID": state.get("pid", 0),
            "NRestarts": state.get("restarts", 0),
            "Result": "exit-code" if state.get("exit") else "success",
            "ExecMainCode": 1 if state.get("exit") else 0,
            "ExecMainStatus": state.get("exit", 0),
            "ActiveEnterTimestampMonotonic": 1,
        }
        end(out="".join(f"{key}={value}\n" for key, value in lines.items()))
    if word == "daemon-reload":
        state["loaded"] = unit.is_file()
    if word == "enable":
        state["enabled"] = True
    if word == "restart" and not start("user unit", "fairlead.service", state.get("log", "")):
        end(1, err="Job for fairlead.service failed.\nSee systemctl status.\n")
    if word == "disable":
        kill()
        state["enabled"] = False
    end()


def loginctl(*_):
    end(out=f"Linger={state['linger']}\n") if "linger" in state else end(1, err="Failed to get user\n")


def journalctl(*words):
    if not state.get("journal"):
        end(1, err="No journal files were opened due to insufficient permissions.\n")
    number = next((int(word.partition("=")[2]) for word in words if word.startswith("--lines=")), 1)
    end(out="".join(f"{line}\n" for line in state["journal"][-number:]))


def launchctl(word, *rest):
    target = rest[0] if rest else ""
    if word == "print" and target.count("/") == 1:
        end(0 if target.startswith(tuple(state.get("domains", ["gui"]))) else 112, err="Could not find domain\n")
    if word == "print-disabled":
        end(out=f'disabled services = {{\n\t"dev.fairlead.proxy" => {state.get("disabled", "enabled")}\n}}\n')
    if word == "enable":
        state["disabled"] = "enabled"
    elif word == "print":
        if not state.get("loaded"):
            end(113, err='Could not find service "dev.fairlead.proxy"\n')
        lines = ["state = running", f"pid = {state['pid']}"] if is_running() else ["state = not running"]
        lines += [f"runs = {state.get('starts', 0)}", f"last exit code = {state.get('exit', 0)}: reason"]
        end(
            out=f"{target} = {{\n" + "".join(f"\t{line}\n" for line in lines) + "\tsub = {\n\t\tstate = other\n\t}\n}\n"
        )
    elif word == "bootout":
        kill()
        if not state.get("loaded"):
            end(3, err="Boot-out failed: 3: No such process\n")
        state["loaded"] = False
    elif word == "bootstrap":
        if state.get("busy", 0) > 0:
            state["busy"] -= 1
            end(5, err="Bootstrap failed: 5: Input/output error\n")
        if not os.path.isfile(rest[1]):
            end(2, err="Bootstrap failed: 2: No such file or directory\n")
        state["loaded"] = True
        start("launch agent", "dev.fairlead.proxy", state.get("log", ""))
    elif word == "kill":
        kill()
    elif word == "kickstart":
        start("launch agent", "dev.fairlead.proxy", state.get("log", ""))
    end()


def schtasks(word, *rest):
    options = dict(zip(rest[::2], rest[1::2], strict=False))
    task = state.get("task")
    if word == "/Query" and "/TN" not in rest:
        end(out='"\\Other","N/A","Bereit"\n')
    if word == "/Create":
        data = Path(options["/XML"]).read_bytes()
        if not data.startswith(b"\xff\xfe"):
            end(1, err="FEHLER: Das XML ist ung\u00fcltig.\n")
        state["task"] = data.decode("utf-16").replace("\r\n", "\n")
        end()
    if task is None:
        end(1, err="FEHLER: Das System kann die angegebene Datei nicht finden.\n")
    if word == "/Query" and "/XML" in rest:
        STATE.write_text(json.dumps(state))
        sys.stdout.buffer.write(b"\xff\xfe" + task.encode("utf-16-le"))
        sys.exit(0)
    if word == "/Query":
        result = 267009 if is_running() else state.get("exit", 267011)
        end(out=f'"PC","\\fairlead","N/A","Wird ausgef\u00fchrt","Interaktiv","1.1.","{result}","u","x"\n')
    if word == "/Run":
        start("task", "fairlead", state.get("log", ""))
    if word == "/End":
        kill()
    if word == "/Delete":
        del state["task"]
    end()


given = [word for word in words if word not in ("--user", "--no-pager")] if name == "systemctl" else words
globals()[name](*given)
