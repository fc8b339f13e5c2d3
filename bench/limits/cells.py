"""The tables: cells, the goal row, marks on what falls short."""

from dataclasses import dataclass, field

from report import table_text

MARK = "!"
PRAIRIE = "prairie"


@dataclass(frozen=True)
class Part:
    """One figure. met: whether it reaches its goal; None when it has none, or is another's."""

    text: str
    met: bool | None = None

    def __str__(self):
        return self.text + (MARK if self.met is False else "")


@dataclass
class Table:
    """key: for --only; rows: for each allocator its cells, each a list of Parts."""

    key: str
    title: str
    header: list
    goal: list
    rows: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    def add(self, name, cell):
        self.rows.setdefault(name, []).append(cell if isinstance(cell, list) else [cell])

    def counts(self):
        """How many goals Prairie misses here, and how many there are."""
        parts = [p for cell in self.rows.get(PRAIRIE, []) for p in cell if p.met is not None]
        return sum(not part.met for part in parts), len(parts)

    def text(self):
        lines = [
            [name, *("/".join(map(str, cell)) for cell in cells)]
            for name, cells in self.rows.items()
        ]
        table = table_text(["", *self.header], [*lines, ["**goal**", *self.goal]])
        notes = "\n".join(f"- {note}" for note in self.notes)
        return f"{self.title}\n\n{table}" + (f"\n\n{notes}" if notes else "")


def summary(tables):
    """The last line: what falls short, and of how much."""
    missed, goals = (sum(column) for column in zip(*(table.counts() for table in tables)))
    if not goals:
        return "Prairie was not measured."
    where = ", ".join(f"{table.key} {table.counts()[0]}" for table in tables if table.counts()[0])
    return f"{missed} of {goals} figures of Prairie fall short" + (f": {where}." if where else ".")
