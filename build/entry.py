"""The frozen program's first module."""

import os
import sys

from router.__main__ import main

code = main()
if "FAIRLEAD_SHOW_MODULES" in os.environ:
    # For the smoke test: what a command has loaded is what its start costs.
    print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
