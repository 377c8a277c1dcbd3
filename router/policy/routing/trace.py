"""What `decide` looked at, step by step, for those who ask why."""

from typing import Literal

import msgspec

StepName = Literal["forced", "alias", "shortcut", "prefix", "owner", "rule", "catalog", "family", "default", "none"]

# The text of a rule behind the one that applied, or behind a prefix, which decides before rules.
NOT_LOOKED_AT = "not looked at"


class Step(msgspec.Struct, frozen=True):
    """One step of a decision. took: it had its say. text: what was found, or why it had none. rule: a rule's name."""

    step: StepName
    took: bool
    text: str
    rule: str = ""


Trace = list[Step]
