"""The programs whose smallest limit is looked for, and what it means that one works."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

SQL = """\
create table numbers(n integer primary key, square integer, name text);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 5000)
  insert into numbers select n, n * n, 'number ' || n from c;
create index names on numbers(name);
select count(*), sum(square), max(name) from numbers where n % 7 = 3;
"""
PERL = 'my %h; $h{"key $_"} = "value $_" for 1 .. 15000; print scalar(keys %h), $h{"key 77"};'
PYTHON = "print('hello')"
PYTHON_BYTES = "b = [bytes(1000) for _ in range(100_000)]; print(sum(map(len, b)))"


@dataclass(frozen=True)
class Job:
    """A program. It works when status, output and `artifact` are those of a run without a limit.

    probe      the first word of the command is a program of this directory
    artifact   the name of a file that the program must write
    """

    name: str
    command: tuple
    probe: bool = False
    artifact: str | None = None

    def words(self, binaries):
        first, *rest = self.command
        return [str(binaries / first) if self.probe else first, *rest]


JOBS = [
    Job("python3, print", ("/usr/bin/python3", "-c", PYTHON)),
    Job("python3, 100 MB of bytes", ("/usr/bin/python3", "-c", PYTHON_BYTES)),
    Job("sqlite3", ("/usr/bin/sqlite3", ":memory:", SQL)),
    Job("perl", ("/usr/bin/perl", "-e", PERL)),
    Job("g++ -c", ("/usr/bin/g++", "-c", str(HERE / "compiled.cc"), "-o", "o"), artifact="o"),
    Job("4 threads", ("threads", "4", "64"), probe=True),
    Job("64 threads, 64 KiB stacks", ("threads", "64", "64"), probe=True),
    Job("64 threads, 8 MiB stacks", ("threads", "64", "8192"), probe=True),
]


class Checker:
    """Says whether a job works under an allocator and a limit."""

    def __init__(self, launcher, binaries):
        self.launcher, self.binaries, self.references = launcher, binaries, {}

    def _run(self, job, allocator, limit):
        """Status, output and artifact."""
        artifact = self.launcher.scratch / job.artifact if job.artifact else None
        if artifact:
            artifact.unlink(missing_ok=True)
        outcome = self.launcher.run(job.words(self.binaries), allocator, limit)
        written = artifact.read_bytes() if artifact and artifact.is_file() else None
        return outcome, (outcome.status, outcome.stdout, written)

    def prepare(self, job, plain):
        """Runs the job without limit and preload; returns why that fails, or an empty string."""
        outcome, result = self._run(job, plain, None)
        self.references[job.name] = result
        if not outcome.ok:
            return outcome.why()
        if not outcome.stdout and not result[2]:
            return "it writes nothing"
        return ""

    def works(self, job, allocator, limit):
        return self._run(job, allocator, limit)[1] == self.references[job.name]
