"""One line a message on standard output, where `kubectl logs` finds it."""

import datetime


def log(message: str) -> None:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{now} desktop: {message}", flush=True)
