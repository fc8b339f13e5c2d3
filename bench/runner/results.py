"""What a run found, put together: the text with its tables, the plots, the CSV files."""

import datetime

import allocators
import machine
import micro
import report
import verdict
from command import ROOT
from samples import Table

LOOKUP = "span_lookup"


class Results:
    """The samples of a Session as tables, with the rows in their order."""

    def __init__(self, options, session, lookups):
        self.options, self.session, self.lookups = options, session, lookups
        self.names = [allocator.name for allocator in options.selected]
        self.micro_names = allocators.ranked(self.names)
        self.table = Table(session.row_samples)
        measured = {sample.row for sample in session.row_samples}
        self.workloads = [row.name for row in options.workloads if row.name in measured]
        self.programs = [row.name for row in options.programs if row.name in measured]
        self.micro = Table(session.micro_samples)
        self.micro_rows = report.rows_of(session.micro_samples, list(micro.FAMILIES))

    def plot(self, name):
        return f"![{name}](bench_{name}.svg)" if self.options.docs else ""

    def text(self, heading):
        """Everything as Markdown."""
        parts = [heading]
        rows = self.workloads + self.programs
        found = verdict.judge(self.table, rows, self.names)
        if found:
            least = verdict.judge(Table(self.session.row_samples, min), rows, self.names)
            parts += ["### Against the peers", verdict.text(found, least), self.plot("overview")]
        parts += self.set_text("Workloads", "workloads", self.workloads, "ns", 1)
        parts += self.set_text("Programs", "programs", self.programs, "s", 1)
        if any(self.table.figures(row) for row in self.workloads):
            figures = report.figures_table(self.table, self.workloads, self.names)
            title = "### Latency, memory after the peak, cost in large heaps"
            parts += [title, figures, self.plot("service") if "service" in self.workloads else ""]
        means = self.means()
        if self.micro_rows:
            parts += [
                "### Micro benchmarks, by family",
                report.family_table(self.micro, self.micro_rows, self.micro_names, micro.FAMILIES),
                self.plot("micro"),
            ]
            if self.options.only:
                parts.append(
                    report.best_table(self.micro, "ns", self.micro_rows, self.micro_names, "ns")
                )
        if means:
            parts += ["### Geometric means", report.table_text(["", *self.names], means)]
        if self.lookups:
            parts += [
                "### Finding the span of a pointer",
                report.lookup_table(self.lookups),
                self.plot(LOOKUP),
            ]
        parts.append("\n".join(f"- {note}" for note in self.notes()))
        return "\n\n".join(part for part in parts if part)

    def set_text(self, title, name, rows, unit, divisor):
        """The two tables and plots of the workloads or of the programs."""
        if not rows:
            return []
        time = report.best_table(self.table, "time", rows, self.names, unit, divisor)
        memory = report.best_table(self.table, "rss_kib", rows, self.names, "MiB", 1024)
        return [
            f"### {title}: time",
            time,
            self.plot(f"{name}_time"),
            f"### {title}: peak memory",
            memory,
            self.plot(f"{name}_memory"),
        ]

    def means(self):
        lines = []
        rows = [[row] for row in self.workloads + self.programs]
        if rows:
            for metric, title in (
                ("time", "time"),
                ("cpu", "user + system time"),
                ("rss_kib", "peak memory"),
                ("faults", "page faults"),
            ):
                lines += report.mean_rows(self.table, metric, rows, self.names, title)
        groups = report.family_rows(self.micro_rows, micro.FAMILIES).values()
        if groups:
            title = "micro families, time"
            lines += report.mean_rows(self.micro, "ns", groups, self.names, title)
        return lines

    def notes(self):
        session, options = self.session, self.options
        notes = [row.note for row in options.programs if row.note and row.name in self.programs]
        for (row, name), why in session.failures.items():
            notes.append(f"failed: {row} on {name}: {why}")
        if session.unbounded:
            notes.append(f"bump has no figure for: {', '.join(session.unbounded)}")
        notes.append(f"runs that were disturbed, and so repeated once: {len(session.repeats)}")
        if not options.docs:
            notes += [f"repeated: {text}" for text in session.repeats[:8]]
        return notes

    def write_plots(self, directory):
        import plots  # here, since matplotlib is needed for nothing else

        for old in directory.glob("bench_*.svg"):
            old.unlink()  # a plot that this run does not make is not linked either
        for title, name, rows in (
            ("Workloads", "workloads", self.workloads),
            ("Programs", "programs", self.programs),
        ):
            for metric, what in (("time", "time"), ("rss_kib", "memory")):
                if rows:
                    path = directory / f"bench_{name}_{what}.svg"
                    plots.plot_rows(path, self.table, metric, f"{title}, {what}", rows, self.names)
        if self.workloads or self.programs:
            rows = self.workloads + self.programs
            plots.plot_overview(directory / "bench_overview.svg", self.table, rows, self.names)
        if "service" in self.workloads:
            plots.plot_service(directory / "bench_service.svg", self.table, "service", self.names)
        if self.micro_rows:
            families = report.family_rows(self.micro_rows, micro.FAMILIES)
            plots.plot_families(
                directory / "bench_micro.svg", self.micro, families, self.micro_names
            )
        if self.lookups:
            plots.plot_lookups(directory / f"bench_{LOOKUP}.svg", self.lookups)

    def write_csv(self, command):
        """Every sample; returns the directory."""
        options, session = self.options, self.session
        versions = ", ".join(f"{name} {version}" for name, version in machine.versions().items())
        heading = f"{command}; {datetime.date.today()}; {machine.describe()}; {versions}; "
        heading += f"seed {options.seed}"
        directory = ROOT / ("bench/results" if options.docs else ".cache/bench")
        for name, samples in (
            ("workloads", [s for s in session.row_samples if s.row in self.workloads]),
            ("programs", [s for s in session.row_samples if s.row in self.programs]),
            ("micro", session.micro_samples),
        ):
            if samples:
                rows = report.sample_rows(samples)
                report.write_csv(directory / f"{name}.csv", heading, report.SAMPLE_COLUMNS, rows)
        figures = list(report.figure_rows(session.row_samples))
        if figures:
            path = directory / "figures.csv"
            report.write_csv(path, heading, report.FIGURE_COLUMNS, figures)
        if self.lookups:
            rows = ([*key, f"{value:.4g}"] for key, value in self.lookups.items())
            columns = ("structure", "pattern", "chain", "mib", "ns")
            report.write_csv(directory / f"{LOOKUP}.csv", heading, columns, rows)
        return directory
