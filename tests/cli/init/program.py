"""fairlead with other usual ports of local servers: $TEST_PORTS, a JSON table of names and ports."""

import json
import os
import sys

from router.cli import main
from router.net.control import local_servers

if __name__ == "__main__":
    local_servers.PORTS = json.loads(os.environ.get("TEST_PORTS", "{}"))
    sys.exit(main(sys.argv[1:]))
