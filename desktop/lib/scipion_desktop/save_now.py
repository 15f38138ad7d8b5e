""""Save now": asks `sync` for a save and shows what came of it in a small window."""

import datetime
import queue
import threading
import time
import tkinter
from tkinter import ttk
from typing import Any

from .sync_client import SyncError, request

POLL_SECONDS = 0.5
# sync accepts a save before it begins one; this long after, a save that is not to be seen had nothing to do.
BEGIN_SECONDS = 5.0
SAVING = ("saving", "draining", "final-saving")


def save(show: Any) -> str:
    """Starts a save and waits for its end, calling `show` with progress. Answers the sentence that says how it went."""
    before = request("GET", "/v1/status")
    # A save of much data lasts; sync may answer only at its end.
    request("POST", "/v1/save", timeout=None)
    begin_by = time.monotonic() + BEGIN_SECONDS
    has_begun = False
    while True:
        status = request("GET", "/v1/status")
        is_saving = status.get("phase") in SAVING
        has_begun = has_begun or is_saving or status.get("save") != before.get("save")
        if not is_saving and (has_begun or time.monotonic() > begin_by):
            return outcome(before.get("save") or {}, status)
        show(progress(status))
        time.sleep(POLL_SECONDS)


def progress(status: dict[str, Any]) -> str:
    transfer = status.get("project") or {}
    done, total = transfer.get("filesDone"), transfer.get("filesTotal")
    if not isinstance(done, int):
        return "Saving your projects …"
    return f"Saving your projects … {done} of {total} files" if total is not None else f"Saving your projects … {done} files"


def outcome(before: dict[str, Any], status: dict[str, Any]) -> str:
    """What a save led to, from the `save` part of the status before it and the whole status after it."""
    after = status.get("save") or {}
    if after.get("lastError"):
        raise SyncError(str(after["lastError"]))
    if not after.get("lastSavedAt"):
        problems = [str(problem.get("message")) for problem in status.get("problems") or []]
        raise SyncError(" ".join(problems) or "Nothing has been saved yet.")
    when = local_time(str(after["lastSavedAt"]))
    if after.get("generation") == before.get("generation"):
        return f"Nothing has changed since the last save at {when}. Everything is in the project space."
    return f"Saved at {when}. Everything is in the project space."


def local_time(iso: str) -> str:
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).strftime("%H:%M:%S UTC")


def main() -> None:
    window = tkinter.Tk(className="Save now")
    window.title("Save now")
    window.minsize(440, 150)
    frame = ttk.Frame(window, padding=16)
    frame.pack(fill="both", expand=True)
    text = tkinter.StringVar(value="Saving your projects …")
    ttk.Label(frame, textvariable=text, wraplength=400, justify="left").pack(anchor="w", pady=(0, 12))
    bar = ttk.Progressbar(frame, mode="indeterminate")
    bar.pack(fill="x")
    bar.start(15)
    ttk.Button(frame, text="Close", command=window.destroy).pack(anchor="e", pady=(12, 0))

    # Tk belongs to one thread: the worker only puts lines into the queue. (last line?, text)
    lines: queue.Queue[tuple[bool, str]] = queue.Queue()

    def work() -> None:
        try:
            lines.put((True, save(lambda line: lines.put((False, line)))))
        except SyncError as error:
            lines.put((True, f"Not saved: {error} Your work is still on the project volume; automatic saving tries again."))

    def show() -> None:
        while not lines.empty():
            is_last, line = lines.get()
            text.set(line)
            if is_last:
                bar.stop()
                bar.pack_forget()
        window.after(200, show)

    threading.Thread(target=work, daemon=True).start()
    show()
    window.mainloop()
