"""Makes the classes of jobs of the site the queues that Scipion offers (`hosts.conf`)."""

import json
import os
import pathlib
from typing import Any

from . import paths
from .log import log

VARIABLE = "SCIPION_JOB_CLASSES"

# %_( is how pyworkflow wants a variable written. A `check` that cannot even start is no empty answer.
TEMPLATE = """[localhost]
PARALLEL_COMMAND = mpirun --oversubscribe -np %_(JOB_NODES)d %_(COMMAND)s
NAME = CLUSTER
MANDATORY = 0
SUBMIT_COMMAND = /usr/local/bin/scipion-job submit --class "%_(JOB_QUEUE)s" --name "%_(JOB_NAME)s" --steps "%_(QUEUE_FOR_JOBS)s" --cpus "%_(JOB_CPUS)s" --memory "%_(JOB_MEMORY)s" --hours "%_(JOB_TIME)s" --logs "%_(JOB_LOGS)s" "%_(JOB_SCRIPT)s"
SUBMIT_TEMPLATE = #!/bin/sh
    %_(JOB_COMMAND)s
CANCEL_COMMAND = /usr/local/bin/scipion-job cancel %_(JOB_ID)s
CHECK_COMMAND = /usr/local/bin/scipion-job status %_(JOB_ID)s || echo "running, as far as is known"
JOB_DONE_REGEX = ^(ended|lost)
QUEUES = {queues}
QUEUES_DEFAULT = {default}
"""


def hosts(classes: list[dict[str, Any]]) -> str:
    """What `hosts.conf` says for these classes, with the limits of each beside what can be changed."""
    queues = json.dumps({each["name"]: fields(each) for each in classes})
    # Of a dialog in which no class was chosen: Scipion offers them in the order of the alphabet, and chooses none.
    default = json.dumps({name: value for name, value, *_ in fields(classes[0])})
    return TEMPLATE.replace("{queues}", queues).replace("{default}", default)


def fields(job_class: dict[str, Any]) -> list[list[str]]:
    cpus, hours = str(job_class["cpus"]), str(job_class["hours"])
    memory = str(mebibytes(job_class["memory"]))
    about = job_class.get("description")
    words = f"{about}. " if about else ""
    return [
        ["JOB_CPUS", cpus, f"CPUs (at most {cpus})", f"{words}Threads times MPI of the protocol should not be more."],
        ["JOB_MEMORY", memory, f"Memory, MiB (at most {memory})", "A job that takes more is ended."],
        ["JOB_TIME", hours, f"Hours (at most {hours})", "A job that takes longer is ended."],
        ["QUEUE_FOR_JOBS", "N", "Submit each step by itself? (Y/N)", "N: the whole protocol is one job. Y: each of its programs is one."],
    ]


def mebibytes(size: str) -> int:
    return int(size[:-2]) * {"Mi": 1, "Gi": 2**10, "Ti": 2**20}[size[-2:]]


def prepare(target: pathlib.Path = paths.HOSTS) -> None:
    """Writes the file and has Scipion read it. Without classes the one of the image stays, which has no queue."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return
    try:
        target.write_text(hosts(json.loads(text)), encoding="utf-8")
    except (OSError, ValueError, LookupError, TypeError) as error:
        log(f"Scipion offers no queue: {VARIABLE} cannot be used: {error!r}")
        return
    os.environ["SCIPION_HOSTS"] = str(target)
