"""Writes to files through memory maps, as numpy.memmap and mrcfile do. `python3 mapped-writer.py FILE [SEED]`

With a seed it writes without end. Else it takes lines `OFFSET BYTE` and answers each one.
"""

import mmap
import random
import sys
import time

path = sys.argv[1]
with open(path, "r+b") as file:
    pages = mmap.mmap(file.fileno(), 0)
print("ready", flush=True)
if len(sys.argv) > 2:
    drawn = random.Random(int(sys.argv[2]))
    while True:
        for _ in range(drawn.randrange(1, 40)):
            at = drawn.randrange(len(pages) - 8)
            pages[at : at + 8] = drawn.randbytes(8)
        time.sleep(drawn.random() * 0.02)
for line in sys.stdin:
    offset, byte = line.split()
    pages[int(offset)] = int(byte)
    print("done", flush=True)
