"""All probes, in the order in which they run: cheap groups before dear ones, since a run ends at its budget."""

from collections.abc import Sequence

from router.conform import gemini
from router.conform.probe import Group, Probe
from router.conform.probes import (
    cache,
    inputs,
    limits,
    money,
    output,
    protocols,
    reach,
    roles,
    server_tools,
    stream,
    thinking,
    tools,
)

GROUPS: Sequence[Group] = (
    reach.GROUP,
    protocols.GROUP,
    money.GROUP,
    stream.GROUP,
    roles.GROUP,
    output.GROUP,
    tools.GROUP,
    inputs.GROUP,
    thinking.GROUP,
    cache.GROUP,
    server_tools.GROUP,
    gemini.GROUP,
    limits.GROUP,
)
#: By id, in that order.
PROBES: dict[str, Probe] = {probe.id: probe for group in GROUPS for probe in group.probes}
#: Those that run where none are named.
USUAL: Sequence[Probe] = tuple(probe for probe in PROBES.values() if not probe.dear)
