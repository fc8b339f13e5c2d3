#!/usr/bin/python3
"""Python threads and process pools that allocate; prints the same digests in every mode.

Usage: python_concurrent.py threads|fork|spawn [SCALE]
"""

import concurrent.futures
import hashlib
import json
import multiprocessing
import sys
import threading


def work(seed):
    """Builds and drops a few thousand objects; returns a digest that depends on the seed only."""
    state = seed * 2654435761 % 2**32
    table = {}
    for number in range(6000):
        state = (state * 1103515245 + 12345) % 2**31
        table[f"key{state % 1500}"] = {
            "n": number,
            "text": "x" * (state % 900),
            "list": [state] * 9,
        }
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16]


def run_in_threads(jobs):
    # Raw threads as well as a pool: the raw ones end, and hand their caches back, in the middle.
    results = [None] * len(jobs)

    def store(index):
        results[index] = work(jobs[index])

    half = len(jobs) // 2
    threads = [threading.Thread(target=store, args=(index,)) for index in range(half)]
    for thread in threads:
        thread.start()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results[half:] = pool.map(work, jobs[half:])
    for thread in threads:
        thread.join()
    return results


def run_in_processes(method, jobs):
    context = multiprocessing.get_context(method)
    # A live thread while forking: the child must be able to allocate all the same.
    stop = threading.Event()
    noise = threading.Thread(
        target=lambda: any(len(bytes(5000)) == 0 for _ in iter(stop.is_set, True))
    )
    noise.start()
    try:
        with context.Pool(3, maxtasksperchild=2) as pool:
            return pool.map(work, jobs, chunksize=1)
    finally:
        stop.set()
        noise.join()


def main():
    mode = sys.argv[1]
    jobs = list(range(8 * (int(sys.argv[2]) if len(sys.argv) > 2 else 1)))
    results = run_in_threads(jobs) if mode == "threads" else run_in_processes(mode, jobs)
    for job, result in zip(jobs, results):
        print(job, result)


if __name__ == "__main__":
    main()
