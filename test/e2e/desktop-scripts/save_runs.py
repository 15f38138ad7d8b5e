"""Puts runs into a project that wait for their "Execute", as a template does; prints one JSON line.

Usage: scipion3 python save_runs.py PROJECT LABEL …
Each imports the micrographs of the source space as links. One whose label begins with "watch" goes on looking for
new files until it is told that there will be no more. The answer says where each run has its files.
"""

import json
import os
import sys

from pwem.protocols import ProtImportMicrographs
from pyworkflow.project import Manager

name, *labels = sys.argv[1:]
project = Manager().createProject(name)
os.chdir(project.path)  # protocols keep their paths relative to the project

places = {}
for label in labels:
    protocol = project.newProtocol(
        ProtImportMicrographs,
        filesPath="/mnt/vol-dataset/micrographs",
        filesPattern="*.mrc",
        samplingRate=1.77,
        voltage=300,
        copyFiles=False,
        dataStreaming=label.startswith("watch"),
        fileTimeout="0",
    )
    protocol.setObjLabel(label)
    project.saveProtocol(protocol)
    places[label] = os.path.join(project.path, protocol.getWorkingDir())
print("RESULT " + json.dumps(places))
