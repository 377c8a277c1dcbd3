"""How a card is shown."""

import argparse

import msgspec

from router.cli.common.layout import print_json
from router.conform.run import Result


def print_card(result: Result, options: argparse.Namespace) -> None:
    """Print the rows of a run."""
    if options.json:
        print_json(msgspec.to_builtins(result.card))
        return
    for row in result.rows:
        print(f"  {row.verdict:<8} {row.id:<26} {row.evidence}")
