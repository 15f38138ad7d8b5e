"""Where things are in the pod; the same as sidecar/contract/paths.ts, which the other containers read."""

import os
import pathlib

RUN_DIRECTORY = pathlib.Path("/run/scipion")
READY = RUN_DIRECTORY / "ready"
VNC_SOCKET = RUN_DIRECTORY / "vnc.sock"
SYNC_SOCKET = RUN_DIRECTORY / "sync.sock"
JOBS_SOCKET = RUN_DIRECTORY / "jobs.sock"

SOURCE_VOLUME = pathlib.Path("/mnt/vol-dataset")
PROJECT_VOLUME = pathlib.Path("/mnt/vol-project")

SETTINGS = pathlib.Path("/etc/scipion-desktop")
HOME_SKELETON = SETTINGS / "home"
DESKTOP_KIND = SETTINGS / "desktop"

HOME = pathlib.Path(os.environ.get("HOME", "/home/scipion"))
RUNTIME_DIRECTORY = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp/scipion-desktop"))
X_AUTHORITY = RUNTIME_DIRECTORY / "Xauthority"
HOSTS = RUNTIME_DIRECTORY / "hosts.conf"
HEARTBEAT = RUNTIME_DIRECTORY / "heartbeat"
X_SOCKET_DIRECTORY = pathlib.Path("/tmp/.X11-unix")
