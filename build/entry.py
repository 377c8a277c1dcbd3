"""The frozen program's first module."""

import os
import sys

# PyInstaller's own start says so, which the folder form leaves out (fairlead.spec).
sys.frozen = True  # pyright: ignore[reportAttributeAccessIssue]

from router.__main__ import main  # noqa: E402

code = main()
if "FAIRLEAD_SHOW_MODULES" in os.environ:
    # For the smoke test: what a command has loaded is what its start costs.
    print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
