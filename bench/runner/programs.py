"""The real programs that are measured, each a class with how to prepare and how to run it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from measure import Measured, RunFailed, digest, end_group, last_line

WORKLOADS = Path(__file__).resolve().parents[1] / "workloads"


class Program:
    """A program that runs and ends. `quick` chooses a smaller input.

    command    with {scale} for the size of the job, {workloads} for the directory of inputs
    scales     the size in a full and in a quick run
    output     the file that it writes and that must be the same on every allocator; stdout if none
    """

    def __init__(
        self, name, command, scales=(1, 1), env=None, prepare=None, stdin=None, output="stdout"
    ):
        self.name, self.template, self.scales, self.env = name, command, scales, env
        self.prepare_directory, self.stdin, self.output = prepare, stdin, output
        self.note = ""

    def missing(self):
        """The name of a program that is not installed, or an empty string."""
        return "" if shutil.which(self.template[0]) else self.template[0]

    def prepare(self, directory, quick):
        """Makes the input in `directory`, once."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.prepare_directory:
            self.prepare_directory(directory, self.scales[quick])

    def measure(self, runner, allocator, warm_mib, directory, quick):
        """Returns the Measured of one run."""
        places = {"scale": self.scales[quick], "workloads": WORKLOADS}
        command = [part.format(**places) for part in self.template]
        stdin = directory / self.stdin if self.stdin else None
        output = directory / self.output
        output.unlink(missing_ok=True)  # what an earlier run wrote is no output of this one
        cost = runner.run(
            command,
            allocator,
            warm_mib,
            cwd=directory,
            env=self.env,
            stdin=stdin,
            stdout=directory / "stdout",
        )
        if not output.is_file():
            raise RunFailed(f"it wrote no {self.output}")
        return Measured(cost, output=digest(output))


class Redis:
    """redis-server under redis-benchmark: the client's time, the rest of the costs the server's."""

    name = "redis"
    note = (
        "redis: Debian's server links libjemalloc, so that without a preload it would run on "
        "jemalloc; its glibc run preloads libc.so.6. Time is that of redis-benchmark, the rest "
        "that of the server."
    )
    requests = (150000, 30000)

    def missing(self):
        if not shutil.which("redis-benchmark"):
            return "redis-benchmark"
        return "" if self.server() else "redis-server"

    @staticmethod
    def server():
        """redis-tools alone has the same file too, under the name redis-check-rdb."""
        return shutil.which("redis-server") or shutil.which("redis-check-rdb")

    def prepare(self, directory, quick):
        directory.mkdir(parents=True, exist_ok=True)
        link = directory / "redis-server"
        if not link.exists():
            link.symlink_to(self.server())

    def measure(self, runner, allocator, warm_mib, directory, quick):
        port = free_port()
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            port,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            directory,
        ]
        command = [directory / "redis-server", *options]
        arguments = runner.arguments(
            command, allocator, warm_mib, stdout=directory / "log", preload="libc.so.6"
        )
        errors = directory / "errors"
        with open(errors, "wb") as stderr:
            server = subprocess.Popen(
                arguments,
                cwd=directory,
                env=runner.environment(),
                stderr=stderr,
                start_new_session=True,
            )
        try:
            wait_for_port(server, port)
            load = [
                "redis-benchmark",
                "-p",
                str(port),
                "-q",
                "-n",
                str(self.requests[quick]),
                "-c",
                "20",
            ]
            load += ["-P", "16", "-d", "256", "-r", "50000", "-t", "set,get,lpush,hset,zadd,mset"]
            before, start = os.times(), time.monotonic()
            client = subprocess.run(
                load, env=runner.environment(), stdout=subprocess.DEVNULL, timeout=120, check=False
            )
            wall, after = time.monotonic() - start, os.times()
            if client.returncode != 0:
                raise RunFailed(f"redis-benchmark ended with {client.returncode}")
            server.send_signal(signal.SIGTERM)
            if server.wait(timeout=30) != 0:
                raise RunFailed(f"redis-server ended with {server.returncode}")
        except (RunFailed, subprocess.TimeoutExpired) as why:
            raise RunFailed(f"{why}; the server said: {last_line(errors.read_bytes())}") from None
        finally:
            if server.poll() is None:
                end_group(server)
        cost = runner.take_cost()
        cost.wall = wall
        helper = (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
        return Measured(cost, helper)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(server, port):
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RunFailed(f"redis-server did not start (status {server.poll()})")


def prepare_sql(directory, scale):
    start = f"CREATE TABLE scale(n); INSERT INTO scale VALUES({scale});\n"
    (directory / "job.sql").write_text(
        start + (WORKLOADS / "inventory.sql").read_text(), encoding="utf-8"
    )


def prepare_text(directory, megabytes):
    make = ["/usr/bin/python3", WORKLOADS / "make_text.py", directory / "text", str(megabytes)]
    subprocess.run(make, check=True)


def prepare_puzzle(directory, lessons):
    make = ["/usr/bin/python3", WORKLOADS / "make_puzzle.py", directory / "puzzle", str(lessons)]
    subprocess.run(make, check=True)


def prepare_repository(directory, commits):
    subprocess.run([WORKLOADS / "make_repository.sh", str(commits)], cwd=directory, check=True)
    # Waiting for the disk is no allocator's business.
    subprocess.run(["git", "config", "core.fsync", "none"], cwd=directory, check=True)


def all_programs():
    python = ["/usr/bin/python3", "{workloads}/python_json_regex.py", "{scale}"]
    # The size of a compilation is in its options: a full run optimizes.
    compile_command = [
        "g++",
        "-std=c++20",
        "-O{scale}",
        "-DHEAVY_COUNT=1",
        "-c",
        "{workloads}/heavy_templates.cc",
    ]
    ghostscript = ["gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dpages={scale}", "-r100"]
    ghostscript += ["-sDEVICE=ppmraw", "-sOutputFile=pages", "--permit-file-read={workloads}/"]
    return [
        Program("python3", python, (14, 4)),
        Program("python3-malloc", python, (14, 4), env={"PYTHONMALLOC": "malloc"}),
        Program("g++", [*compile_command, "-o", "heavy.o"], (2, 0), output="heavy.o"),
        Program(
            "sqlite3",
            ["sqlite3", "-batch", ":memory:"],
            (25, 8),
            prepare=prepare_sql,
            stdin="job.sql",
        ),
        Program("perl", ["perl", "{workloads}/words_and_strings.pl", "{scale}"], (14, 4)),
        Program(
            "git-repack",
            ["git", "repack", "-adfq", "--window=100"],
            (150, 25),
            prepare=prepare_repository,
        ),
        Program(
            "xz-T2",
            ["xz", "-2", "-T2", "--block-size=4MiB", "-k", "-c", "text"],
            (20, 6),
            prepare=prepare_text,
        ),
        Program("node", ["node", "{workloads}/objects.js", "{scale}"], (16, 5)),
        Program("lua", ["lua5.4", "{workloads}/tables.lua", "{scale}"], (28, 8)),
        Program("ruby", ["ruby", "{workloads}/objects.rb", "{scale}"], (28, 8)),
        Program("z3", ["z3", "puzzle"], (24, 8), prepare=prepare_puzzle),
        Program("ghostscript", [*ghostscript, "{workloads}/pages.ps"], (24, 6), output="pages"),
        Redis(),
    ]
