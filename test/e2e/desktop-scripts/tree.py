"""Prints every entry below the given folder as one JSON object a line, the way the Onedata emulator's tree dump does.

Usage: python3 tree.py FOLDER
"""

import hashlib
import json
import os
import sys

root = sys.argv[1]
for folder, folders, files in os.walk(root):
    for entry in sorted(folders + files):
        path = os.path.join(folder, entry)
        item = {"path": os.path.relpath(path, root)}
        if os.path.islink(path):
            item |= {"type": "SYMLNK", "target": os.readlink(path)}
        elif os.path.isdir(path):
            item |= {"type": "DIR"}
        else:
            with open(path, "rb") as stream:
                item |= {"type": "REG", "size": os.path.getsize(path), "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        print(json.dumps(item))
