"""What `decide` looked at, step by step, for `explain`."""

from typing import Literal

import msgspec

StepName = Literal[
    "forced", "alias", "shortcut", "vendor", "prefix", "owner", "rule", "catalog", "family", "default", "bound", "none"
]

# The text of a rule behind the one that applied, or behind a prefix, which decides before rules.
NOT_LOOKED_AT = "not looked at"


class Step(msgspec.Struct, frozen=True):
    """One step of a decision."""

    step: StepName
    #: It decided something.
    took: bool
    #: What was found, or why the step decided nothing.
    text: str
    #: The name of the rule, '' for other steps.
    rule: str = ""


Trace = list[Step]
