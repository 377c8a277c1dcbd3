"""Entry of the `fairlead` command: answers `--version` before anything heavy is imported."""

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from router import __version__

        try:
            print(f"fairlead {__version__}", flush=True)
        except OSError:
            pass  # said below, as for any other command
        else:
            return 0
    from router.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
