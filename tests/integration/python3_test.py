#!/usr/bin/python3
"""python3 on Prairie: JSON, regular expressions, threads and process pools.

Each of them also without the small allocator that python3 has of its own.
"""

from harness import Suite, workload

PYTHON = "/usr/bin/python3"


def main():
    suite = Suite()
    # PYTHONMALLOC=malloc sends the small objects, which python3 otherwise keeps to itself, to
    # malloc too.
    for label, env in (("", {}), (" with PYTHONMALLOC=malloc", {"PYTHONMALLOC": "malloc"})):
        suite.compare(
            f"python3 json and regex{label}",
            [PYTHON, workload("python_json_regex.py"), "4"],
            env=env,
            needs=(128, 128, "python3 with a large JSON text"),
        )
        for mode in ("threads", "fork", "spawn"):
            command = [PYTHON, workload("python_concurrent.py"), mode]
            suite.compare(
                f"python3 concurrent, {mode}{label}",
                command,
                env=env,
                needs=(512, 256, "python3 with threads, each with a stack of 8 MiB"),
            )
    suite.compare("python3 exit status", [PYTHON, "-c", "print('x' * 10000)"])
    suite.finish()


if __name__ == "__main__":
    main()
