"""fairlead with other usual ports of local servers: $TEST_PORTS, a JSON table of names and ports. In a session of its
own a terminal becomes the one whose Ctrl-C counts."""

import contextlib
import fcntl
import json
import os
import sys
import termios

from router.cli import main
from router.net.control import local_servers

if __name__ == "__main__":
    with contextlib.suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    local_servers.PORTS = json.loads(os.environ.get("TEST_PORTS", "{}"))
    sys.exit(main(sys.argv[1:]))
