#!/usr/bin/python3
"""redis-server on Prairie under redis-benchmark, on loopback: the same data set as without Prairie.

Debian's redis-server links libjemalloc, so the run without a preload is jemalloc's; the preload
takes its malloc all the same. The server gets a free port and a directory of its own, keeps
nothing, and is ended by its process id.
"""

import os
import socket
import subprocess
import time

from harness import SUMMARY, Failure, Run, Suite, compare_runs, last_lines, need, redis_server

BENCHMARK_TESTS = "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset"


class Server:
    """A redis-server process; use it in a `with` statement."""

    def __init__(self, executable, directory, env):
        directory.mkdir()
        self.port = free_port()
        self.log = open(directory / "log", "w+b")
        # DEBUG DIGEST (a hash of the whole data set) must be allowed by name since redis 7.
        options = ["--save", "", "--appendonly", "no", "--enable-debug-command", "local"]
        self.process = subprocess.Popen(
            [
                executable,
                "--bind",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--dir",
                str(directory),
                *options,
            ],
            env=env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def connect(self):
        """Returns a socket once the server listens; raises Failure if it never does."""
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=30)
            except OSError:
                time.sleep(0.05)
        raise Failure(
            f"the server did not start (status {self.process.poll()}): {last_lines(self.text())}"
        )

    def stop(self):
        """Asks the server to end; stores its exit status."""
        self.process.terminate()
        try:
            self.status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            raise Failure("the server did not end within 30 s of SIGTERM") from None

    def text(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def encode(*words):
    """A command in the protocol of redis."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(
        b"$%d\r\n%s\r\n" % (len(part), part) for part in parts
    )


def commands():
    """A fixed data set: strings of many sizes, lists, hashes, sets, sorted sets; some deleted."""
    yield encode("FLUSHALL")
    for i in range(6000):
        yield encode("SET", f"string:{i % 2000}", b"v" * (i * 31 % 5000))
        yield encode("APPEND", f"grown:{i % 50}", "x" * 100)
        yield encode("RPUSH", f"list:{i % 40}", f"element {i}")
        yield encode("HSET", f"hash:{i % 60}", f"field{i}", "h" * (i % 120))
        yield encode("SADD", f"set:{i % 30}", f"member{i * 7919 % 4001}")
        yield encode("ZADD", f"zset:{i % 30}", i * 7 % 1000, f"m{i}")
        if i % 5 == 0:
            yield encode("DEL", f"string:{i * 3 % 2000}")
        if i % 50 == 0:
            yield encode("LTRIM", f"list:{i % 40}", 10, -1)
    yield encode("SET", "large", b"L" * 5000000)
    yield encode("LRANGE", "list:7", 0, -1)
    yield encode("HLEN", "hash:9")
    yield encode("ZRANGE", "zset:3", 0, 50)
    yield encode("DBSIZE")
    yield encode("DEBUG", "DIGEST")
    yield encode("ECHO", "end of the answers")


def exchange(connection):
    """Sends the commands, a batch at a time, and returns all answers as one string of bytes."""
    answers, batch, expected = [], [], 0
    stream = connection.makefile("rb")
    for command in commands():
        batch.append(command)
        expected += 1
        if expected % 500 == 0:
            connection.sendall(b"".join(batch))
            batch = []
            answers += [read_answer(stream) for _ in range(500)]
    connection.sendall(b"".join(batch))
    answers += [read_answer(stream) for _ in range(expected % 500)]
    return b"".join(answers)


def read_answer(stream):
    line = stream.readline()
    if not line:
        raise Failure("the server closed the connection")
    if line[:1] == b"*":
        return line + b"".join(read_answer(stream) for _ in range(int(line[1:])))
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return line + stream.read(int(line[1:]) + 2)
    return line


def run_server(suite, on_prairie):
    """Loads, benchmarks and ends one server; returns its Run, whose stdout is what it answered."""
    need("redis-benchmark")
    executable = redis_server(suite.root)
    env = suite.environment(on_prairie)
    with Server(executable, suite.root / f"redis{int(on_prairie)}", env) as server:
        with server.connect() as connection:
            if on_prairie:
                check_maps(server.process.pid, suite.library)
            load = [
                "redis-benchmark",
                "-p",
                str(server.port),
                "-q",
                "-n",
                "12000",
                "-c",
                "20",
                "-P",
                "8",
            ]
            load += ["-d", "300", "-r", "10000", "-t", BENCHMARK_TESTS]
            client = subprocess.run(load, env=env, capture_output=True, timeout=120, check=False)
            if client.returncode != 0:
                said = last_lines(client.stderr.decode(errors="replace"))
                raise Failure(f"redis-benchmark ended with {client.returncode}: {said}")
            answers = exchange(connection)
        server.stop()
        text = server.text()
    shown = len(SUMMARY.findall(text)) and len(
        SUMMARY.findall(client.stderr.decode(errors="replace"))
    )
    return Run(server.status, answers, text, {}, shown)


def check_maps(pid, library):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        if os.path.basename(library) not in maps.read():
            raise Failure("the library is not mapped in the server")


def main():
    suite = Suite()

    def check():
        plain = run_server(suite, False)
        if b"end of the answers" not in plain.stdout or plain.status != 0:
            raise Failure(
                f"the run without Prairie failed: {plain.stdout[-100:]!r}, status {plain.status}"
            )
        prairie = run_server(suite, True)
        compare_runs(plain, prairie, ())
        if not prairie.on_prairie:
            raise Failure("server or client printed no summary at exit")

    suite.case("redis-server under redis-benchmark", check)
    suite.finish()


if __name__ == "__main__":
    main()
