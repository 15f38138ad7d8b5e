"""Does real Scipion work in a project, from inside the desktop container; prints one JSON line.

Usage: scipion3 python work.py PROJECT LABEL
Creates the project where it does not exist, then imports the micrographs of the source space as links.
"""

import json
import os
import sys

from pwem.protocols import ProtImportMicrographs
from pyworkflow.project import Manager

name, label = sys.argv[1:3]
manager = Manager()
project = manager.loadProject(name) if manager.hasProject(name) else manager.createProject(name)
os.chdir(project.path)  # protocols keep their paths relative to the project

protocol = project.newProtocol(
    ProtImportMicrographs,
    filesPath="/mnt/vol-dataset/micrographs",
    filesPattern="*.mrc",
    samplingRate=1.77,
    voltage=300,
    copyFiles=False,
)
protocol.setObjLabel(label)
project.launchProtocol(protocol, wait=True)
print("RESULT " + json.dumps({
    "status": protocol.getStatus(),
    "outputs": {key: len(value) for key, value in protocol.iterOutputAttributes()},
    "error": protocol.getErrorMessage() or None,
}))
