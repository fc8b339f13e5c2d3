"""The workloads of bench/workloads/: rows of programs that do nothing but allocate."""

from measure import Measured, RunFailed

SEED = 1


class Workload:
    """One row: a workload with a number of threads, and its --work in a full and in a quick run.

    label     what follows the workload's name in the row's name
    extra     more arguments, for a full and for a quick run
    default   False for a row that only runs when it is named

    Its time is what it says itself, nanoseconds for each operation: without the start of the
    process, and without the pauses of those that rest. The checksum must be the same everywhere.
    """

    note = ""

    def __init__(self, program, threads, work, label="", extra=((), ()), default=True):
        self.name, self.program = program + label, program
        self.threads, self.work, self.extra, self.default = threads, work, extra, default

    @property
    def target(self):
        return f"//bench/workloads:{self.program}"

    def missing(self):
        return ""

    def prepare(self, directory, quick):
        directory.mkdir(parents=True, exist_ok=True)

    def measure(self, runner, allocator, warm_mib, directory, quick):
        command = [runner.scratch / "bin" / self.program, "--threads", self.threads]
        command += ["--seed", SEED, "--work", self.work[quick], *self.extra[quick]]
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
    settle = (("--settle", 10), ("--settle", 1))  # seconds
    return [
        Workload("cfrac", 1, (700, 200)),
        Workload("espresso", 1, (600, 150)),
        Workload("alloc_test", 1, (250, 60)),
        Workload("glibc_simple", 1, (400, 150)),
        Workload("glibc_thread", 2, (800, 200)),
        Workload("sh6bench", 1, (200, 60)),
        *on_few_and_many("sh8bench", (150, 40)),
        *on_few_and_many("larson", (200, 50)),
        *on_few_and_many("xmalloc", (40000, 10000)),
        *on_few_and_many("mstress", (100, 30)),
        *on_few_and_many("rptest", (100, 30)),
        Workload("mleak", 2, (3000, 800)),
        Workload("cache_scratch", 2, (200000, 80000)),
        Workload("cache_thrash", 2, (200000, 80000)),
        Workload("malloc_large", 1, (90, 30)),
        Workload("realloc_growth", 1, (80, 25)),
        Workload("size_shift", 1, (4, 2)),
        Workload("large_heap", 1, (1000, 200)),
        Workload("large_heap", 1, (10000, 10000), label="-10gb", default=False),
        Workload("service", 2, (150, 40), extra=settle),
    ]


def on_few_and_many(program, work):
    return [Workload(program, threads, work, label=f"-{threads}") for threads in (2, 8)]
