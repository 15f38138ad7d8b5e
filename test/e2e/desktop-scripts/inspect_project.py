"""Says what Scipion and SQLite see of a project; prints one JSON line.

Usage: scipion3 python inspect_project.py PROJECT
`runs`: label → status; `databases`: relative path → result of `PRAGMA integrity_check`; `links`: relative path → target.
"""

import json
import os
import sqlite3
import sys

from pyworkflow.project import Manager

name = sys.argv[1]
manager = Manager()
projects = [info.getName() for info in manager.listProjects()]
project = manager.loadProject(name)
runs = {run.getObjLabel(): run.getStatus() for run in project.getRuns()}

databases, links = {}, {}
for folder, folders, files in os.walk(project.path):
    for entry in files + folders:
        path = os.path.join(folder, entry)
        relative = os.path.relpath(path, project.path)
        if os.path.islink(path):
            links[relative] = os.readlink(path)
        elif entry.endswith((".sqlite", ".db")):
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            databases[relative] = connection.execute("PRAGMA integrity_check").fetchone()[0]
            connection.close()
print("RESULT " + json.dumps({"projects": projects, "runs": runs, "databases": databases, "links": links}))
