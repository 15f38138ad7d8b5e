"""Runs the one command of a job, in the folder and environment of who submitted it, and says at its end what it took.

The request comes as a file that the cluster makes of an annotation of this pod. Nothing here is trusted with more than
the user has: the pod has the volumes of the desktop and nothing else.
"""

import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
from typing import Any

from . import home
from .log import log

REQUEST = pathlib.Path("/etc/scipion/job/request.json")
# The kubelet hands it on, to 4096 bytes.
LAST_WORDS = pathlib.Path("/dev/termination-log")

# As a shell says it.
CANNOT_RUN = 126
NOT_FOUND = 127
BY_SIGNAL = 128

# Below what the pod has between the signal and its end (GRACE_SECONDS in components/manifests/job.ts).
LAST_SECONDS = 25
STEP_SECONDS = 0.1


def main(request: pathlib.Path = REQUEST, last_words: pathlib.Path = LAST_WORDS) -> int:
    try:
        asked = json.loads(request.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log(f"job: the request {request} cannot be read: {error}")
        return CANNOT_RUN
    home.prepare()
    code = run(asked)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Kibibytes on Linux; of the largest process.
    taken = {"cpuSeconds": round(usage.ru_utime + usage.ru_stime, 2), "maxMemoryBytes": usage.ru_maxrss * 1024}
    log(f"job: ended with {code}, {taken['cpuSeconds']} s of CPU, {taken['maxMemoryBytes'] // 2**20} MiB in its largest process")
    try:
        last_words.write_text(json.dumps(taken))
    except OSError as error:
        log(f"job: what it took cannot be told: {error}")
    return code


def run(asked: dict[str, Any]) -> int:
    command = asked["command"]
    argv = command["argv"] if "argv" in command else ["/bin/sh", command["script"]]
    output = errors = None
    try:
        # Before the folder is entered: what cannot be written is said where it is looked for.
        output = open(asked["output"], "ab") if "output" in asked else None
        errors = open(asked["errors"], "ab") if "errors" in asked else output
        # PATH of the request decides which program is meant, as in the desktop.
        child = subprocess.Popen(
            argv,
            cwd=asked["folder"],
            env={**os.environ, **asked["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            # A group of its own: a shell passes no signal on to what it has started.
            start_new_session=True,
        )
    except OSError as error:
        sentence = f"The job cannot start {argv[0]!r} in {asked['folder']}: {error}"
        log(f"job: {sentence}")
        tell(errors, sentence)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda which, _frame: end(child.pid, which, told))
    code = child.wait()
    if told:
        wait_for_others(child.pid)
    return code if code >= 0 else BY_SIGNAL - code


def end(group: int, number: int, told: list[int]) -> None:
    log(f"job: {signal.Signals(number).name}: told to end")
    told.append(number)
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def wait_for_others(group: int) -> None:
    """Whoever was told to end may still write its last words, which end with the pod."""
    until = time.monotonic() + LAST_SECONDS
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(STEP_SECONDS)


def tell(errors: Any, sentence: str) -> None:
    if errors is not None:
        errors.write(f"{sentence}\n".encode())
        errors.flush()


if __name__ == "__main__":
    sys.exit(main(*(pathlib.Path(each) for each in sys.argv[1:])))
