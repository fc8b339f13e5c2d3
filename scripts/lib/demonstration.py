"""The programs that scripts/run demonstrates with: `job`, ordinary work, and `mistake`, a double free."""

import ctypes
import json
import sys
import threading
import time


def job():
    """Makes and drops a few million objects, and checks the results."""
    start = time.monotonic()

    words = {f"word-{i}": [i, i * 0.5, "x" * (i % 50)] for i in range(100_000)}
    print(f"   dictionary   {len(words):,} entries")

    text = json.dumps(words)
    assert json.loads(text) == words
    print(f"   JSON         {len(text):,} bytes, read back and equal")

    lines = text.replace("],", "],\n").split("\n")
    assert "\n".join(sorted(lines)).count("\n") == len(lines) - 1
    print(f"   strings      {len(lines):,} lines split, sorted and joined")

    sums = []

    def count(n):
        sums.append(sum(len(str(i)) for i in range(n)))

    threads = [threading.Thread(target=count, args=(50_000,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [238_890] * 4
    print(f"   threads      {len(threads)}, {sum(sums):,} digits counted")

    addresses = [id(words), id(text), id(lines), id(next(iter(words)))]
    print("   addresses    " + ", ".join(f"{a:#x}" for a in addresses))
    print(f"   time         {time.monotonic() - start:.2f} s")


def mistake():
    """Frees a block twice, through the C library's own names."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    block = libc.malloc(100)
    libc.free(block)
    libc.free(block)


if __name__ == "__main__":
    {"job": job, "mistake": mistake}[sys.argv[1]]()
