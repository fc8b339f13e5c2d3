#!/usr/bin/python3
"""sqlite3 on Prairie: inserts, joins, indices, updates and a vacuum, in memory and in a file."""

from pathlib import Path

from harness import Suite, workload


def main():
    suite = Suite()
    job = (
        b"CREATE TABLE scale(n); INSERT INTO scale VALUES(4);\n"
        + Path(workload("inventory.sql")).read_bytes()
    )
    suite.compare("sqlite3 in memory", ["sqlite3", "-batch", "-bail", ":memory:"], stdin=job)
    suite.compare(
        "sqlite3 in a file", ["sqlite3", "-batch", "-bail", "job.db"], stdin=job, outputs=["job.db"]
    )
    suite.finish()


if __name__ == "__main__":
    main()
