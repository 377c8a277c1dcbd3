"""Writes what was planned: copies first, then the record, then the files; all of them or none."""

import datetime
from collections.abc import Sequence

from router.setup.files import check_writable, read_config, remove_config, write_config
from router.setup.plan import FilePlan, list_changes
from router.setup.record import SetupRecord, back_up, read_record, remove_record, write_record
from router.store.home.home import Home


def apply_plans(home: Home, tool: str, plans: Sequence[FilePlan], record: SetupRecord | None) -> None:
    """Write the files. record: of what is left of fairlead's in them, None for nothing. Raises NotWritable,
    CommandError; the files are as before then."""
    changed = list_changes(plans)
    for plan in changed:
        check_writable(plan.file)
    # Two runs may be within one second.
    stamp = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
    for number, plan in enumerate(changed):
        if plan.file.data is not None:
            # Two files may have one name.
            back_up(home, tool, f"{stamp}-{number}" if number else stamp, plan.file.real.name, plan.file.data)
    previous = read_record(home, tool)
    if record is not None:
        # Before the files: a record of what is not there does no harm, files without a record could not be undone.
        write_record(home, record)
    done: list[FilePlan] = []
    try:
        for plan in changed:
            _write(plan)
            done.append(plan)
    except BaseException:
        for plan in reversed(done):
            _restore(plan)
        if record is not None:
            _restore_record(home, tool, previous)
        raise
    if record is None:
        remove_record(home, tool)


def _write(plan: FilePlan) -> None:
    if plan.after is None:
        remove_config(plan.file, plan.folders)
    else:
        write_config(plan.file, plan.file.encode(plan.after), plan.mode)


def _restore(plan: FilePlan) -> None:
    file = read_config(plan.file.path)
    if plan.file.data is None:
        remove_config(file, ())
    else:
        write_config(file, plan.file.data, plan.file.mode)


def _restore_record(home: Home, tool: str, previous: SetupRecord | None) -> None:
    if previous is not None:
        write_record(home, previous)
    else:
        remove_record(home, tool)
