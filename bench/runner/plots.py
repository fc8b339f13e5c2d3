"""The plots of docs/: SVG without dates or random ids, so that only new figures change them."""

import math

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)
from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: E402

from allocators import OWN, REFERENCE, peers_of, ranked  # noqa: E402
from samples import base_of, geometric_mean  # noqa: E402

# Colours that people with colour-blindness tell apart (Okabe and Ito); Prairie has the strong one.
COLOURS = {
    "prairie": "#d55e00",
    "glibc": "#999999",
    "jemalloc": "#0072b2",
    "mimalloc": "#009e73",
    "gperftools": "#e69f00",
    "oneTBB": "#cc79a7",
    "bump": "#222222",
}
MORE_COLOURS = ["#56b4e9", "#7b5ea7", "#b8a800", "#8c564b", "#004d40", "#6b8e23", "#b03060"]
LEGEND_COLUMNS = 7
STRUCTURES = {
    "ClassBytes": "#d55e00",
    "FlatSpans": "#e69f00",
    "TwoLevelTree": "#0072b2",
    "ThreeLevelTree": "#009e73",
    "NoLookup": "#999999",
}
LABELS = {
    "ClassBytes": "class bytes (flat)",
    "FlatSpans": "spans (flat)",
    "TwoLevelTree": "two-level tree",
    "ThreeLevelTree": "three-level tree",
    "NoLookup": "loop alone",
}

plt.rcParams.update(
    {
        "svg.hashsalt": "prairie",
        "svg.fonttype": "none",
        "font.size": 10,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "legend.frameon": False,
    }
)


def colours(names):
    more = iter(MORE_COLOURS * 4)
    return {name: COLOURS.get(name) or next(more) for name in names}


def save(figure, path):
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    # Matplotlib leaves blanks at the ends of lines.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def legend_above(axes, names, palette):
    """The names between the title and the plot."""
    handles = [plt.Line2D([], [], marker="s", linestyle="", color=palette[name]) for name in names]
    place = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "borderaxespad": 0.2}
    style = {"fontsize": 9, "handletextpad": 0.2, "columnspacing": 1.2}
    axes.legend(handles, names, ncols=min(len(names), LEGEND_COLUMNS), **place, **style)


def legend_height(names):
    """Points between the title and the plot."""
    return 10 + 14 * math.ceil(len(names) / LEGEND_COLUMNS)


def plot_rows(path, table, metric, title, rows, names):
    """A point for each row and allocator: the ratio to the row's best peer, logarithmic."""
    widest = 8.0  # what is beyond stands at the edge
    palette = colours(names)
    peers = peers_of(names)
    labels = [*rows, "geometric mean"]
    figure, axes = plt.subplots(figsize=(9, 0.3 * len(labels) + 1.4))
    for name in sorted(names, key=lambda name: (name == OWN, name != REFERENCE)):
        ratios = [table.ratio_to_best(metric, row, name, peers) for row in rows]
        style = {"s": 64 if name == OWN else 34, "zorder": 4 if name == OWN else 3}
        style |= {"marker": "|" if name == REFERENCE else "o", "color": palette[name]}
        for position, ratio in enumerate([*ratios, geometric_mean(ratios)]):
            if ratio:
                axes.scatter(min(ratio, widest), position, alpha=0.9, **style)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.axhline(len(rows) - 0.5, color="#cccccc", linewidth=0.8)
    axes.set_xscale("log")
    low = max(0.1, min(0.7, axes.get_xlim()[0]))
    axes.set_xlim(low, widest * 1.05)
    ticks = [tick for tick in (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 8) if tick >= low]
    axes.set_xticks(ticks, [f"≥ {tick:g}" if tick == widest else f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(True, color="#e5e5e5")
    axes.set_xlabel("ratio to the row's best peer (lower is better)")
    axes.set_title(title, loc="left", fontsize=11, pad=legend_height(names))
    legend_above(axes, names, palette)
    save(figure, path)


def plot_service(path, table, row, names):
    """Resident memory of the service, hour by hour, and after its rest."""
    palette = colours(names)
    figure, axes = plt.subplots(figsize=(9, 3.8))
    hours = [figure for figure in table.figures(row) if figure[0].startswith("rss_day_")]
    for name in ranked(names):
        points = [table.value(hour, row, name) for hour in hours]
        if None in points:
            continue
        style = {"color": palette[name], "linewidth": 2.4 if name == OWN else 1.4}
        axes.plot(range(1, len(hours) + 1), points, **style)
        settled = table.value(("settled_rss", "MiB"), row, name)
        axes.scatter(len(hours) + 3, settled, color=palette[name], s=40, zorder=3)
    live = [table.value(("settled_live", "MiB"), row, name) for name in names]
    if any(live):
        axes.axhline(next(filter(None, live)), color="#555555", linewidth=1, linestyle="--")
    ticks = [*range(6, len(hours) + 1, 6), len(hours) + 3]
    axes.set_xticks(ticks, [*map(str, ticks[:-1]), "rested"])
    axes.set_ylim(0, None)
    axes.grid(True, color="#e5e5e5")
    axes.set_xlabel("hour (dashed: the live data at the end)")
    axes.set_ylabel("resident memory, MiB")
    axes.set_title("service", loc="left", fontsize=11, pad=legend_height(ranked(names)))
    legend_above(axes, ranked(names), palette)
    save(figure, path)


def plot_overview(path, table, rows, names):
    """Each allocator's time and peak memory over all rows, to the rows' best peers."""
    palette = colours(names)
    peers = peers_of(names)
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    for name in ranked(names):
        time, memory = (
            geometric_mean([table.ratio_to_best(metric, row, name, peers) for row in rows])
            for metric in ("time", "rss_kib")
        )
        if not time or not memory:
            continue
        axes.scatter(time, memory, s=90 if name == OWN else 50, color=palette[name], zorder=3)
        place = {"textcoords": "offset points", "xytext": (6, 4), "fontsize": 9}
        axes.annotate(name, (time, memory), color="#333333", **place)
    axes.margins(0.15)
    axes.grid(True, color="#e5e5e5")
    axes.set_xlabel("time, geometric mean of the ratio to the row's best peer")
    axes.set_ylabel("peak memory, likewise")
    title = "All workloads and programs (best at the bottom left)"
    axes.set_title(title, loc="left", fontsize=11)
    save(figure, path)


def plot_families(path, table, families, names):
    """A point for each family and allocator, on a logarithmic axis: the families differ by far."""
    base = base_of(names)
    others = [name for name in names if name != base]
    palette = colours(names)
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(families) + 1.2))
    for position, rows in enumerate(families.values()):
        for name in reversed(others):
            ratio = geometric_mean([table.ratio("ns", row, name, base) for row in rows])
            if ratio:
                size = 64 if name == others[0] else 40
                axes.scatter(ratio, position, s=size, color=palette[name], zorder=3, alpha=0.9)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.set_yticks(range(len(families)), list(families))
    axes.invert_yaxis()
    axes.grid(True, color="#e5e5e5")
    axes.set_xlabel(f"ratio to {base}, geometric mean of the family (lower is better)")
    axes.set_title("Micro benchmarks, time", loc="left", fontsize=11, pad=legend_height(others))
    legend_above(axes, others, palette)
    save(figure, path)


def plot_lookups(path, lookups):
    """Four panels: random and local addresses, dependent and independent lookups."""
    figure, panels = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True, sharey="row")
    sizes = sorted({key[3] for key in lookups})
    for row, chain in zip(panels, ("dependent", "independent")):
        for axes, pattern in zip(row, ("random", "local")):
            for structure, colour in STRUCTURES.items():
                points = [lookups[structure, pattern, chain, size] for size in sizes]
                axes.plot(
                    sizes,
                    points,
                    marker="o",
                    markersize=3.5,
                    linewidth=1.6,
                    color=colour,
                    label=LABELS[structure],
                    linestyle="--" if structure == "NoLookup" else "-",
                )
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(sizes, [f"{s} MiB" if s < 1024 else f"{s // 1024} GiB" for s in sizes])
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ticks = [1, 2, 5, 10, 20, 50, 100, 200]
            axes.set_yticks([tick for tick in ticks if tick <= 2 * axes.get_ylim()[1]])
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.grid(True, color="#e5e5e5")
            axes.set_title(f"{pattern} addresses, {chain} lookups", fontsize=10, loc="left")
    for axes in panels[:, 0]:
        axes.set_ylabel("ns for each lookup")
    for axes in panels[1]:
        axes.set_xlabel("heap")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, ncols=5, loc="lower left", bbox_to_anchor=(0.06, 0.97), fontsize=9
    )
    figure.tight_layout()
    save(figure, path)
