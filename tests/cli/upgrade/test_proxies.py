"""What is said of running proxies where another program does the upgrade."""

import os

from router.cli.upgrade.proxies import describe_restarts
from router.store.home import run_files
from router.store.home.home import open_home


def test_what_restarts_each(tmp_path):
    """Each with the command of what started it, and those that run an older version are told apart; one that serves a
    single program ends with it."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    modes = [("user unit", "fairlead.service"), ("system unit", "llm.service"), ("detached", ""), ("foreground", "")]
    for number, (mode, unit) in enumerate([*modes, ("tied", "")]):
        port = 3456 + number
        url = f"http://localhost:{port}"
        run = run_files.Run(pid=os.getpid(), url=url, port=port, version="0.1.0", started=number, mode=mode, unit=unit)
        run_files.write(home, run)
    commands = {
        3456: "fairlead service restart",
        3457: "sudo systemctl restart llm",
        3458: "fairlead restart",
        3459: "fairlead stop --port 3459, then fairlead proxy",
    }
    assert sorted(describe_restarts(home, "0.1.0")) == [
        f"Then restart the proxy on :{port}:   {command}" for port, command in commands.items()
    ]
    assert sorted(describe_restarts(home, "0.2.0")) == [
        f"The proxy on :{port} still runs 0.1.0. Restart it:   {command}" for port, command in commands.items()
    ]
