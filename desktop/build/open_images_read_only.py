"""Makes Scipion's image viewer open MRC files for reading only.

As released it maps them 'r+': on a read-only volume that fails ("Permission denied", no thumbnails), and on a
writable one looking at an image rewrites its header and changes its modification time. Run by the venv's Python
while the image is built; ends with an error when the line is not found exactly once, so that a new release of
scipion-em cannot lose the change unnoticed.
"""

import compileall
import importlib.util
import pathlib
import sys

FOUND = "mrcfile.mmap(fileName, mode='r+', permissive=True)"
WANTED = "mrcfile.mmap(fileName, mode='r', permissive=True)"


def main() -> None:
    # find_spec of the top package only: importing pwem itself writes folders and configuration.
    package = importlib.util.find_spec("pwem")
    if package is None or package.origin is None:
        sys.exit("open images read-only: package pwem is not installed in this Python")
    path = pathlib.Path(package.origin).parent / "emlib" / "image" / "image_readers.py"
    text = path.read_text(encoding="utf-8")
    count = text.count(FOUND)
    if count != 1:
        sys.exit(
            f"open images read-only: {path}: found {count} times, expected once: {FOUND}\n"
            "Look how this release opens MRC files and adapt desktop/build/open_images_read_only.py."
        )
    path.write_text(text.replace(FOUND, WANTED), encoding="utf-8")
    if not compileall.compile_file(str(path), quiet=1, force=True):
        sys.exit(f"open images read-only: {path} does not compile after the change")


main()
