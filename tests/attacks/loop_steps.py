"""Runs `fairlead` with an instrument in its loop, which notes each task step that took long: what the proxy itself did,
without what the processes around it take from the machine.

`python loop_steps.py REPORT proxy …` appends a line of JSON to REPORT for each step over LEAST seconds.
"""

import json
import runpy
import sys
import time

import trio

LEAST = 0.005


class Steps(trio.abc.Instrument):
    """Notes long steps: seconds that passed, seconds of the processor, and where the task then waited."""

    def __init__(self, path):
        self._path = path
        self._began = self._used = 0.0

    def before_task_step(self, task):
        """Remember when the step began."""
        self._began, self._used = time.monotonic(), time.thread_time()

    def after_task_step(self, task):
        """Note a long step."""
        took = time.monotonic() - self._began
        if took > LEAST:
            used = time.thread_time() - self._used
            with open(self._path, "a") as file:
                file.write(json.dumps([took, used, _name(task)]) + "\n")


def _name(task):
    names = []
    coroutine = task.coro
    while coroutine is not None and hasattr(coroutine, "cr_frame"):
        if coroutine.cr_frame is not None:
            names.append(f"{coroutine.__qualname__}:{coroutine.cr_frame.f_lineno}")
        coroutine = coroutine.cr_await
    return " > ".join(names[-4:])


if __name__ == "__main__":
    sys.path.pop(0)  # the other files of this folder are no modules of the program
    report = sys.argv.pop(1)
    run = trio.run

    def run_noting(work, *arguments, instruments=(), **options):
        """trio.run with the instrument."""
        return run(work, *arguments, instruments=[*instruments, Steps(report)], **options)

    trio.run = run_noting
    sys.argv[0] = "fairlead"
    runpy.run_module("router", run_name="__main__", alter_sys=True)
