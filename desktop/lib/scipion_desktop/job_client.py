"""`scipion-job submit|status|cancel`: between Scipion and the broker of the jobs, over its Unix socket (HTTP, JSON).

What Scipion makes of the answers decides how this speaks. It takes an empty answer about a job for its end, and a run
that has not written its own end is then failed for good: so in doubt the answer is "running". Of a step it never learns
the exit code but by the one of the submission: so a step is waited for.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import sys
import time
from typing import Any

from . import paths
from .unix_http import UnixConnection

ANSWER_SECONDS = 60
# A broker that is started again is back within a minute; one that is not is told, and nothing was begun.
PATIENCE_SECONDS = 180
RETRY_SECONDS = 2
WAIT_SECONDS = 25

# Of the display and this container; a job has neither.
NOT_SENT = re.compile(
    r"DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|DBUS_.*|SESSION_MANAGER|WINDOWID|HOSTNAME|KUBERNETES_.*|PWD|OLDPWD|SHLVL|_|SCIPION_HOSTS|SCIPION_JOB_CLASSES"
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER = re.compile(r"[1-9]\d{14}")


class JobError(Exception):
    """A refusal, in a sentence for the log of the run."""


class Unanswered(Exception):
    """No answer, or none that says anything: it may have been done."""


def ask_once(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = UnixConnection(str(paths.JOBS_SOCKET), ANSWER_SECONDS)
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, body=text, headers={"content-type": "application/json"} if text else {})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unanswered(f"the broker of the jobs does not answer ({paths.JOBS_SOCKET}: {error})") from error
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise Unanswered("the broker of the jobs answered something else than expected")
    if response.status in (429, 500, 502, 503, 504):
        raise Unanswered(str(answer.get("message")))
    if response.status >= 400:
        raise JobError(str(answer.get("message")))
    return answer


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Until there is an answer: a request carries an id of its own, so that twice is once."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask_once(method, path, body)
        except Unanswered as error:
            if time.monotonic() > until:
                raise JobError(f"No answer for {PATIENCE_SECONDS} s: {error}") from error
        time.sleep(RETRY_SECONDS)


def environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if NAME.fullmatch(name) and not NOT_SENT.fullmatch(name) and is_text(value)
    }


def is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def in_project(path: str) -> str:
    """Absolute, as the pod of the job finds it; the home has a link to the projects."""
    return os.path.realpath(path)


def first_class() -> str:
    """What a dialog means in which none was chosen."""
    classes = json.loads(os.environ.get("SCIPION_JOB_CLASSES", "[]"))
    return str(classes[0]["name"]) if classes else ""


def submit(given: argparse.Namespace) -> int:
    is_step = given.steps == "Y"
    request: dict[str, Any] = {
        "clientId": secrets.token_hex(16),
        "class": given.job_class or first_class(),
        "name": re.sub(r"[^\w. -]", "_", given.name, flags=re.ASCII)[:100] or "job",
        "command": {"script": in_project(given.script)},
        "folder": in_project("."),
        "environment": environment(),
        "isHeld": is_step,
    }
    if given.logs:
        request["output"] = in_project(f"{given.logs}.out")
        request["errors"] = in_project(f"{given.logs}.err")
    for key, value, factor in (("cpus", given.cpus, 1), ("memoryMebibytes", given.memory, 1), ("seconds", given.hours, 3600)):
        if value:
            request[key] = value * factor
    job = ask("POST", "/v1/jobs", request)
    number = str(job["id"])
    if not is_step:
        print(number, flush=True)
        return 0
    return wait(number)


def wait(number: str) -> int:
    """The exit code of the job, and its number where that is 0: Scipion fails the step otherwise."""

    def cancel_and_end(_number: int, _frame: object) -> None:
        try:
            ask_once("POST", f"/v1/jobs/{number}/cancel")
        except (JobError, Unanswered):
            # The broker cancels it later, when nobody has waited for a while.
            pass
        sys.exit(1)

    for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(which, cancel_and_end)
    while True:
        try:
            job = ask_once("GET", f"/v1/jobs/{number}/wait?seconds={WAIT_SECONDS}")
        except Unanswered:
            # It runs whether the broker answers or not; there is nothing better to do than to ask again.
            time.sleep(RETRY_SECONDS)
            continue
        if job["state"] == "lost":
            raise JobError(f"The job {number} is lost: {job['reason']}")
        if job["state"] != "ended":
            continue
        code = job.get("exitCode")
        if code == 0:
            print(number, flush=True)
            return 0
        print(f"The job {number} failed. {job['reason']}", file=sys.stderr, flush=True)
        return code if isinstance(code, int) and 0 < code < 256 else 1


def status(given: argparse.Namespace) -> int:
    """A line that begins with "ended" or "lost" where that is certain, and with something else in doubt; never nothing."""
    try:
        number = checked(given.number)
        job = ask_once("GET", f"/v1/jobs/{number}")
    except Unanswered as error:
        print(f"running, as far as is known: {one_line(str(error))}", flush=True)
        return 0
    except JobError as error:
        print(f"lost: {one_line(str(error))}", flush=True)
        return 0
    print(f"{job['state']} {one_line(str(job.get('reason', '')))}".rstrip(), flush=True)
    return 0


def is_over(number: str) -> bool:
    """Only where that is certain."""
    try:
        return ask_once("GET", f"/v1/jobs/{checked(number)}")["state"] in ("ended", "lost")
    except Unanswered:
        # Where there is no broker any more, nobody knows of a job either.
        return os.environ.get("SCIPION_JOB_CLASSES") is None
    except JobError:
        return True


def count_active() -> int:
    """Jobs that have not ended. Raises where that is not known."""
    if os.environ.get("SCIPION_JOB_CLASSES") is None:
        return 0
    return sum(job["state"] in ("pending", "running") for job in ask_once("GET", "/v1/jobs")["jobs"])


def cancel(given: argparse.Namespace) -> int:
    job = ask("POST", f"/v1/jobs/{checked(given.number)}/cancel")
    print(f"{job['state']} {one_line(str(job.get('reason', '')))}".rstrip(), flush=True)
    return 0


def checked(number: str) -> str:
    if NUMBER.fullmatch(number):
        return number
    raise JobError(f"{number!r} is no number of a job of this instance: 15 digits are expected.")


def one_line(text: str) -> str:
    return " ".join(text.split())


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scipion-job", description="Jobs in the cluster.")
    commands = parser.add_subparsers(required=True)
    submitting = commands.add_parser("submit", help="run a script as a job; prints its number")
    submitting.add_argument("--class", dest="job_class", required=True, help="one of the site's classes; empty: the first")
    submitting.add_argument("--name", default="job", help="for people")
    submitting.add_argument("--steps", choices=("Y", "N"), default="N", help="Y: wait, and end with the exit code of the job")
    submitting.add_argument("--logs", help="output goes to LOGS.out and LOGS.err in the project")
    submitting.add_argument("--cpus", type=int, help="fewer than the class gives")
    submitting.add_argument("--memory", type=int, help="MiB, less than the class gives")
    submitting.add_argument("--hours", type=int, help="fewer than the class gives")
    submitting.add_argument("script", type=pathlib.PurePath)
    submitting.set_defaults(run=submit)
    for name, run, text in (("status", status, "what becomes of a job"), ("cancel", cancel, "end a job")):
        command = commands.add_parser(name, help=text)
        command.add_argument("number")
        command.set_defaults(run=run)
    return parser


def main(argv: list[str]) -> int:
    given = arguments().parse_args(argv)
    try:
        return given.run(given)
    except JobError as error:
        print(f"scipion-job: {error}", file=sys.stderr, flush=True)
        return 1
