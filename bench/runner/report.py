"""What is printed and written: CSV files, Markdown tables, the section of docs/benchmarks.md."""

import csv
import re
import sys

from allocators import peers_of, ranked
from samples import base_of, geometric_mean

SAMPLE_COLUMNS = (
    "row",
    "allocator",
    "turn",
    "wall",
    "cpu",
    "rss_kib",
    "faults",
    "ns",
    "disturbed",
)


def write_csv(path, heading, columns, rows):
    """Line 1 says which command made the file, and on which machine; line 2 names the columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(f"# {heading}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


FIGURE_COLUMNS = ("row", "allocator", "turn", "figure", "value", "unit", "disturbed")


def figure_rows(samples):
    for s in samples:
        for (name, unit), value in s.figures.items():
            yield [s.row, s.allocator, s.turn, name, f"{value:.6g}", unit, s.disturbed]


def sample_rows(samples):
    for sample in samples:
        values = (getattr(sample, column) for column in SAMPLE_COLUMNS)
        yield [f"{v:.6g}" if isinstance(v, float) else ("" if v is None else v) for v in values]


def table_text(header, rows):
    """A Markdown table whose columns are padded, so that it reads well in a terminal too."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row):
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    rule = (
        "|"
        + "|".join(("-" * (w + 2)) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths))
        + "|"
    )
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def shown(value, style=None):
    """Two decimals, or three where two would say too little, unless a style is given."""
    if value is None:
        return "-"
    return (style or ("{:.2f}" if value >= 0.1 else "{:.3f}")).format(value)


def best_table(table, metric, rows, names, unit, divisor=1.0):
    """The best peer of each row and its median, then every allocator's ratio to it.

    The best of a row is bold, Prairie included; the reference never is. "–": no figure.
    """
    lines = []
    for row in rows:
        best_peer = table.best(metric, row, peers_of(names))
        holders = [n for n in peers_of(names) if table.value(metric, row, n) == best_peer]
        value = f"{holders[0]} {shown(best_peer / divisor)} {unit}" if best_peer else "-"
        best = table.best(metric, row, ranked(names))
        cells = []
        for name in names:
            median = table.value(metric, row, name)
            cell = shown(median / best_peer) if median and best_peer else "–"
            cells.append(f"**{cell}**" if name in ranked(names) and median == best else cell)
        spreads = [table.spread(metric, row, name) for name in ranked(names)]
        widest = max((spread for spread in spreads if spread is not None), default=None)
        lines.append([row, value, *cells, shown(widest, "{:.0%}")])
    means = best_means(table, metric, rows, names)
    lines.append(["geometric mean", "", *map(shown, means), ""])
    return table_text(["", "best peer", *names, "spread"], lines)


def best_means(table, metric, rows, names):
    """Each allocator's geometric mean ratio to the rows' best peers, over the rows that it has."""
    peers = peers_of(names)
    return [
        geometric_mean([table.ratio_to_best(metric, row, name, peers) for row in rows])
        for name in names
    ]


# The hours of the service are for its plot and the CSV file.
UNTABLED = re.compile(r"rss_day_|rss_start|busy_seconds")


def figures_table(table, rows, names):
    """What workloads print beside their speed, as medians."""
    lines = []
    for row in rows:
        for name, unit in table.figures(row):
            if UNTABLED.match(name):
                continue
            medians = [table.value((name, unit), row, n) for n in names]
            best = table.best((name, unit), row, ranked(names))
            cells = [shown(value, "{:.4g}") for value in medians]
            pairs = zip(names, medians, cells)
            if "live" not in name:  # what lives is the workload's doing
                cells = [
                    f"**{c}**" if v is not None and v == best and n in ranked(names) else c
                    for n, v, c in pairs
                ]
            lines.append([f"{row}: {name}, {unit}", *cells])
    return table_text(["", *names], lines)


def mean_rows(table, metric, groups, names, title):
    """Two lines of geometric means, over those rows that every allocator but the reference has.

    groups: lists of rows. Each group counts once, as the geometric mean of its rows.
    """
    complete = [
        [row for row in group if all(table.value(metric, row, n) for n in ranked(names))]
        for group in groups
    ]

    def means(ratio):
        return [
            geometric_mean(
                [geometric_mean([ratio(row, name) for row in group]) for group in complete]
            )
            for name in names
        ]

    base = base_of(names)
    to_base = means(lambda row, name: table.ratio(metric, row, name, base))
    peers = peers_of(names)
    to_best = means(lambda row, name: table.ratio_to_best(metric, row, name, peers))
    return [
        [f"{title}, to {base}", *map(shown, to_base)],
        [f"{title}, to each row's best peer", *map(shown, to_best)],
    ]


def family_rows(rows, families):
    """Maps each family to its rows of malloc_benchmark."""
    grouped = {family: [row for row in rows if row.split("/")[0] == family] for family in families}
    return {family: members for family, members in grouped.items() if members}


def family_table(table, rows, names, families):
    """Geometric means of each family: nanoseconds for the base, ratios to it for the others."""
    base = base_of(names)
    others = [name for name in names if name != base]
    lines = []
    for family, members in family_rows(rows, families).items():
        nanoseconds = geometric_mean([table.value("ns", row, base) for row in members])
        ratios = [1.0 if nanoseconds else None] + [
            geometric_mean([table.ratio("ns", row, name, base) for row in members])
            for name in others
        ]
        lowest = min((ratio for ratio in ratios if ratio), default=None)
        texts = [shown(nanoseconds, "{:.1f}"), *map(shown, ratios[1:])]
        bold = [f"**{t}**" if ratio == lowest and ratio else t for t, ratio in zip(texts, ratios)]
        lines.append([family, *bold])
    return table_text(["", f"{base}, ns", *others], lines)


def lookup_table(lookups):
    """Nanoseconds for one lookup, a column for each heap size."""
    sizes = sorted({key[3] for key in lookups})
    kinds = list(dict.fromkeys(key[:3] for key in lookups))
    lines = []
    for pattern, chain in dict.fromkeys(kind[1:] for kind in kinds):
        for structure in dict.fromkeys(kind[0] for kind in kinds):
            cells = [
                shown(lookups.get((structure, pattern, chain, size)), "{:.1f}") for size in sizes
            ]
            lines.append([f"{pattern}, {chain}: {structure}", *cells])
    names = [f"{size} MiB" if size < 1024 else f"{size // 1024} GiB" for size in sizes]
    return table_text(["ns", *names], lines)


def rows_of(samples, order):
    """The rows that have samples, in the order of the programs or families in `order`."""
    found = dict.fromkeys(sample.row for sample in samples)
    return sorted(found, key=lambda row: order.index(row.split("/")[0]))


def markers(path, name):
    """The two lines that a document must hold, once each, in this order; ValueError if not."""
    begin, end = (f"<!-- {name}:{mark} -->" for mark in ("begin", "end"))
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{path} must contain {begin} and {end}, once each")
    return begin, end


def check_section(path, name="bench"):
    """Exits with a message unless the document has its markers."""
    try:
        markers(path, name)
    except ValueError as error:
        sys.exit(f"{name}: {error}")


def replace_section(path, text, name="bench"):
    """Puts `text` between the markers of a document."""
    begin, end = markers(path, name)
    old = path.read_text(encoding="utf-8")
    before, after = old.split(begin)[0], old.split(end)[1]
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")
