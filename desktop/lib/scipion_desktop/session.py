"""The session: waits for the data, runs display, window manager and Scipion, and stops them all when told to.

`ready` appears: stale runs are marked aborted, then the desktop starts. `ready` goes (a drain): every process of
the session ends, and after the last one `vnc.sock` goes too, so whoever saves knows that nothing writes any more;
then it waits for `ready` again. SIGTERM: the same, then exit, within five seconds.
"""

import os
import secrets
import signal
import subprocess
import time

from . import activity, home, paths, processes, queues
from .log import log

# Together under the five seconds in which the container promises to be gone.
TERM_SECONDS = 2.0
KILL_SECONDS = 1.5
DISPLAY_TERM_SECONDS = 0.5
DISPLAY_KILL_SECONDS = 0.5

STALE_RUNS_SECONDS = 300
DISPLAY_START_SECONDS = 30
RESTART_PAUSE_SECONDS = 2
STEP_SECONDS = 0.2

GEOMETRY = os.environ.get("SCIPION_DESKTOP_GEOMETRY", "1600x900")


class SessionOver(Exception):
    """The desktop has to stop: `ready` is gone or the container is stopping."""


class Session:
    def __init__(self) -> None:
        self.stopping = False
        self.display: subprocess.Popen | None = None
        self.window_manager: subprocess.Popen | None = None
        self.helpers: list[subprocess.Popen] = []

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)
        processes.adopt_orphans()
        paths.RUNTIME_DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.prepare()
        queues.prepare()
        os.chdir(paths.HOME)
        activity.report_for_ever()
        while not self.stopping:
            log(f"waiting for the data ({paths.READY})")
            try:
                while not paths.READY.exists():
                    self.step(needs_ready=False)
                self.run_desktop()
            except SessionOver as reason:
                log(str(reason))
            self.end_session()
        return 0

    def stop(self, number: int, _frame: object) -> None:
        self.stopping = True
        log(f"{signal.Signals(number).name}: stopping")

    def children(self) -> list[subprocess.Popen]:
        return [child for child in (self.display, self.window_manager, *self.helpers) if child is not None]

    def step(self, needs_ready: bool = True) -> None:
        """A short wait. Raises SessionOver when there is nothing to wait for any more."""
        if self.stopping:
            raise SessionOver("the container stops")
        if needs_ready and not paths.READY.exists():
            raise SessionOver(f"{paths.READY} is gone: stopping the desktop")
        self.beat()
        processes.reap(self.children())
        self.helpers = [child for child in self.helpers if child.returncode is None]
        time.sleep(STEP_SECONDS)

    def beat(self) -> None:
        try:
            paths.HEARTBEAT.touch()
        except OSError as error:
            # Ending the session over this would end the user's running protocols.
            log(f"no heartbeat: {error}")

    def run_desktop(self) -> None:
        """Runs until SessionOver. A display or window manager that ends is started again; running protocols go on."""
        self.abort_stale_runs()
        while True:
            self.start_display()
            self.start_window_manager()
            self.start_scipion()
            while self.display and self.display.returncode is None:
                self.step()
                if self.window_manager and self.window_manager.returncode is not None:
                    log(f"window manager ended ({self.window_manager.returncode}); starting it again")
                    self.pause(RESTART_PAUSE_SECONDS)
                    self.start_window_manager()
            code = self.display.returncode if self.display else None
            log(f"display ended ({code}); starting display, window manager and Scipion again")
            self.pause(RESTART_PAUSE_SECONDS)

    def pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()

    def abort_stale_runs(self) -> None:
        """Before Scipion sees the projects: what a dead container left "running" is marked aborted."""
        child = subprocess.Popen(["/usr/local/bin/abort-stale-runs"], stdin=subprocess.DEVNULL)
        self.helpers.append(child)
        deadline = time.monotonic() + STALE_RUNS_SECONDS
        while child.returncode is None:
            self.step()
            if time.monotonic() > deadline:
                log(f"marking stale runs took more than {STALE_RUNS_SECONDS} s; Scipion starts without it")
                child.kill()
                child.wait()
        if child.returncode != 0:
            log(f"marking stale runs ended with {child.returncode}; runs may show as running that are not")

    def start_display(self) -> None:
        """Xvnc on a Unix socket and nothing else: no TCP, no abstract socket, which the whole pod would share."""
        paths.X_SOCKET_DIRECTORY.mkdir(mode=0o1777, exist_ok=True)
        # Left by a container before this one: /tmp outlives it, and its process numbers come again.
        for path in (paths.X_SOCKET_DIRECTORY / "X1", paths.X_SOCKET_DIRECTORY.parent / ".X1-lock", paths.VNC_SOCKET):
            path.unlink(missing_ok=True)
        write_x_authority()
        self.display = subprocess.Popen(
            ["Xvnc", ":1", "-auth", str(paths.X_AUTHORITY), "-desktop", "Scipion"]
            + ["-geometry", GEOMETRY, "-depth", "24", "-AcceptSetDesktopSize", "-AlwaysShared"]
            # What the page offers as the largest clipboard (sidecar/web/src/clipboard.ts); a longer one would be lost silently.
            + ["-MaxCutText", str(8 * 1024 * 1024)]
            + ["-rfbport", "-1", "-rfbunixpath", str(paths.VNC_SOCKET), "-rfbunixmode", "0600"]
            + ["-nolisten", "tcp", "-nolisten", "local", "-SecurityTypes", "None", "-s", "0"]
            # All clients come through one socket and so count as one host: never shut it out because of probes.
            + ["-BlacklistThreshold", "1000000000", "-Log", "*:stderr:0"],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + DISPLAY_START_SECONDS
        while not (paths.VNC_SOCKET.exists() and (paths.X_SOCKET_DIRECTORY / "X1").exists()):
            self.step()
            if self.display.returncode is not None:
                return
            if time.monotonic() > deadline:
                log(f"Xvnc has not opened {paths.VNC_SOCKET} in {DISPLAY_START_SECONDS} s; starting it again")
                self.display.kill()
                self.display.wait()
                return
        log(f"display is up on {paths.VNC_SOCKET}")
        for helper in ("free-key-codes", "relay-clipboard"):
            self.helpers.append(subprocess.Popen([f"/usr/local/bin/{helper}"], stdin=subprocess.DEVNULL))

    def start_window_manager(self) -> None:
        kind = paths.DESKTOP_KIND.read_text().strip()
        command = ["dbus-run-session", "--", "xfce4-session"] if kind == "xfce" else ["jwm"]
        self.window_manager = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def start_scipion(self) -> None:
        self.helpers.append(subprocess.Popen(["/usr/local/bin/open-scipion"], stdin=subprocess.DEVNULL))

    def end_session(self) -> None:
        """Ends every process of the session, the display last, and then removes its socket."""
        display = [self.display.pid] if self.display and self.display.poll() is None else []
        left = processes.end(self.children(), display, self.beat, TERM_SECONDS, KILL_SECONDS)
        left |= processes.end(self.children(), [], self.beat, DISPLAY_TERM_SECONDS, DISPLAY_KILL_SECONDS)
        self.display = self.window_manager = None
        self.helpers = []
        if left:
            log(f"still running after SIGKILL, so {paths.VNC_SOCKET} stays: process {', '.join(map(str, sorted(left)))}")
            return
        paths.VNC_SOCKET.unlink(missing_ok=True)
        log("the desktop is stopped, nothing of it runs any more")


def write_x_authority() -> None:
    """A fresh cookie for display :1, through standard input so that it is in no process's arguments."""
    paths.X_AUTHORITY.unlink(missing_ok=True)
    os.close(os.open(paths.X_AUTHORITY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    subprocess.run(
        ["xauth", "-q", "-f", str(paths.X_AUTHORITY), "source", "-"],
        input=f"add :1 . {secrets.token_hex(16)}\n",
        text=True,
        check=True,
    )
