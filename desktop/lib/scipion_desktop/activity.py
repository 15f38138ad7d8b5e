"""Tells `sync` what the desktop computes, so that one that is at work is not taken for one that nobody uses.

A run of a protocol is a process of Scipion's runner, also while it waits for data; anything else shows by the
processor that it takes. A job in the cluster is a run, wherever it is computed. What cannot be told is not known to sync, which then takes it for used.
"""

import threading
import time
from collections.abc import Callable

from . import job_client, processes
from .log import log
from .sync_client import SyncError, request

# The same as sidecar/contract/activity.ts.
REPORT_SECONDS = 15
# pyworkflow/apps: what Scipion starts for a run, for one of several machines, and for a schedule of runs.
RUNNERS = ("pw_protocol_run.py", "pw_protocol_mpirun.py", "pw_schedule_run.py")


class Usage:
    """What the session's processes have used between two looks."""

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self.at: float | None = None

    def look(self, members: Callable[[], set[int]] = processes.session_members) -> dict[str, object] | None:
        """None at the first look, which has nothing to compare with."""
        now = time.monotonic()
        pids = members()
        seconds = {pid: used for pid in pids if (used := processes.cpu_seconds(pid)) is not None}
        # What has begun since is counted from its beginning; what has ended is not, but for what was seen of it.
        spent = sum(max(0.0, used - self.seconds.get(pid, 0.0)) for pid, used in seconds.items())
        before, self.seconds, self.at = self.at, seconds, now
        if before is None:
            return None
        return {
            "from": "desktop",
            "protocols": sum(is_run(processes.arguments(pid)) for pid in pids) + job_client.count_active(),
            "cpus": round(spent / max(now - before, 0.001), 2),
        }


def is_run(arguments: list[str]) -> bool:
    return any(argument.endswith(RUNNERS) for argument in arguments[:4])


def report_for_ever() -> None:
    """In a thread of its own: sync may be slow to answer, and the session must not wait for it."""
    threading.Thread(target=run, name="activity", daemon=True).start()


def run() -> None:
    usage = Usage()
    told = ""
    while True:
        try:
            found = usage.look()
            if found is not None:
                request("POST", "/v1/activity", content=found)
            told = ""
        except (OSError, SyncError, ValueError, job_client.JobError, job_client.Unanswered) as error:
            if str(error) != told:
                log(f"sync is not told what is computed here: {error}")
            told = str(error)
        time.sleep(REPORT_SECONDS)
