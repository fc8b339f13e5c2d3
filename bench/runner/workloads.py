"""The workloads of bench/workloads/: rows of programs that do nothing but allocate."""

from measure import Measured, RunFailed

SEED = 1


class Workload:
    """One row: a workload with a number of threads, and how much it does in a full and a quick run.

    Its time is what it says itself, nanoseconds for each operation: without the start of the
    process, and without the pauses of those that rest. The checksum must be the same everywhere.
    """

    note = ""

    def __init__(self, name, threads, work):
        self.name = name if threads is None else f"{name}-{threads}"
        self.program, self.threads, self.work = name, threads or 1, work

    @property
    def target(self):
        return f"//bench/workloads:{self.program}"

    def missing(self):
        return ""

    def prepare(self, directory, quick):
        directory.mkdir(parents=True, exist_ok=True)

    def measure(self, runner, allocator, warm_mib, directory, quick):
        command = [runner.scratch / "bin" / self.program, "--threads", self.threads]
        command += ["--seed", SEED, "--work", self.work[quick]]
        out = directory / "stdout"
        cost = runner.run(command, allocator, warm_mib, cwd=directory, stdout=out)
        return read(out.read_text(encoding="utf-8"), cost)


def read(text, cost):
    """What a workload printed; raises RunFailed if that is not what all of them print."""
    lines = text.strip().splitlines() or [""]
    words = lines[-1].split()
    if len(words) != 6 or words[::2] != ["ops/s", "peak_rss_mib", "checksum"]:
        raise RunFailed(f"its last line is not 'ops/s N peak_rss_mib N checksum N': '{lines[-1]}'")
    figures = {}
    try:
        rate = float(words[1])
        for line in lines[:-1]:
            if line.startswith("figure "):
                _, name, value, unit = line.split()
                figures[name, unit] = float(value)
    except ValueError as why:
        raise RunFailed(f"a line that cannot be read: {why}") from None
    if not rate > 0:
        raise RunFailed(f"no operations: '{lines[-1]}'")
    return Measured(cost, output=words[5], ns=1e9 / rate, figures=figures)


def all_workloads():
    """Rows in the order of the tables; those that run on few and on many threads have two."""
    return [
        Workload("cfrac", None, (1, 1)),
    ]
