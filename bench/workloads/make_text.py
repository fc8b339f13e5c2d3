#!/usr/bin/python3
"""Writes MEGABYTES of word-like, compressible text to a file; the same bytes on every run.

Usage: make_text.py FILE MEGABYTES
"""

import random
import sys


def main():
    path, megabytes = sys.argv[1], float(sys.argv[2])
    rng = random.Random(7)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 10))) for _ in range(4000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    left = int(megabytes * 1e6)
    with open(path, "w", encoding="ascii") as out:
        while left > 0:
            block = " ".join(rng.choices(words, weights, k=20000))[:left]
            out.write(block)
            left -= len(block)


if __name__ == "__main__":
    main()
