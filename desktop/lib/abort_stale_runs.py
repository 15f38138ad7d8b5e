"""Marks runs as aborted that a dead container left active, in all projects, without signalling any process.

Scipion takes a run for alive while a process with its recorded number exists. In a new container that number soon
belongs to something else, so the run would show as running for ever, and stopping it would hit that process.
Runs in Scipion's Python, before any Scipion window. A project that cannot be read is named and left as it is.
Interactive runs wait for the user, not for a process; they stay. So do runs that are a job in the cluster, which goes on
without this container.
"""

import sys

from pyworkflow.project import Manager
from pyworkflow.protocol.constants import ACTIVE_STATUS
from scipion_desktop.job_client import is_over


def abort_stale_runs(project) -> int:
    """Marks in the project's and in each run's own database; returns how many runs it marked."""
    count = 0
    for run in project.getRuns(refresh=True, checkPids=False):
        if run.getStatus() not in ACTIVE_STATUS or run.isInteractive():
            continue
        if run.useQueueForProtocol() and any(not is_over(str(number)) for number in run.getJobIds()):
            continue
        found = run.getStatus()
        run.setAborted()
        run.setPid(0)
        run.setMapper(project.createMapper(run.getDbPath()))
        run._store()
        run.getMapper().close()
        project._storeProtocol(run)
        count += 1
        print(f"project {project.getShortName()}: run {run.getObjId()} was left {found}, marked aborted", flush=True)
    return count


def main() -> int:
    manager = Manager()
    for entry in manager.listProjects():
        name = entry.getName()
        try:
            abort_stale_runs(manager.loadProject(name))
        except Exception as error:
            print(f"project {name}: stale runs not looked for, left as it is: {error}", file=sys.stderr, flush=True)
    return 0


sys.exit(main())
