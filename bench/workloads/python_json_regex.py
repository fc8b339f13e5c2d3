#!/usr/bin/python3
"""A python3 job of many small objects: JSON both ways, regular expressions, sorting, counting.

Usage: python_json_regex.py [SCALE]    SCALE 10 (the default) takes a second. Prints digests only.
"""

import collections
import hashlib
import json
import random
import re
import sys


def make_records(count, rng):
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 11))) for _ in range(500)]
    return [
        {
            "id": number,
            "name": " ".join(rng.choices(words, k=3)),
            "tags": rng.sample(words, 5),
            "price": round(rng.random() * 1000, 2),
            "nested": {"level": [number, {"deep": [rng.choice(words)] * 3}], "ok": number % 3 == 0},
        }
        for number in range(count)
    ]


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def main():
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rng = random.Random(20240229)
    records = make_records(1000 * scale, rng)

    text = ""
    for _ in range(3):
        text = json.dumps(records, indent=1)
        records = json.loads(text)
    print("json", len(text), digest(text))

    names = re.findall(r'"name": "(\w+) (\w+) (\w+)"', text)
    swapped = re.sub(
        r"(\w+) (\w+)", lambda match: match[2] + "_" + match[1], text[: 150000 * scale]
    )
    prices = re.findall(r"\b\d+\.\d{2}\b", text)
    print("regex", len(names), digest(names), digest(swapped), len(prices))

    counts = collections.Counter(tag for record in records for tag in record["tags"])
    ordered = sorted(records, key=lambda record: (record["price"], record["id"]))
    by_name = {record["name"]: [str(record["id"]) * 3 for _ in range(4)] for record in ordered}
    print("objects", digest(counts.most_common(20)), digest(ordered[::97]), len(by_name))

    grown = []
    for number in range(30000 * scale):
        grown.append(bytearray(number % 700))
        if number % 3 == 0:
            grown[number // 2] = None
    print("bytes", sum(len(block) for block in grown if block is not None))


if __name__ == "__main__":
    main()
