"""The table of what became of each cell, for the terminal and for docs/limits.md."""

BEGIN = "<!-- ulimit-suite:begin -->"
END = "<!-- ulimit-suite:end -->"

_HEADINGS = ("cell", "what", "passed", "failed", "skipped", "needs more")


def _row(result):
    if result.not_had:
        return (result.cell.name, result.cell.text, "-", "-", "1", "-")
    counts = [str(result.count(outcome)) for outcome in ("passed", "failed", "skipped")]
    return (result.cell.name, result.cell.text, *counts, str(len(result.beyond)))


def beyond_by_need(results):
    """[(the need, why, [what needs it])]: everything that was not in some cell for want of something.

    Cases are counted for each test: `//t:a (2 cases)`. Needs of the same size and reason are one."""
    found = {}
    for result in results:
        for label, name, need in result.beyond:
            whats, tests = found.setdefault((need.size or 0, need.why), (set(), {}))
            whats.add(need)
            tests.setdefault(label, set()).add(name)
    lines = []
    for (_, why), (whats, tests) in sorted(found.items()):
        who = []
        for label, names in sorted(tests.items()):
            cases = len(names - {""})
            who.append(label if not cases else f"{label} ({cases} case{'s' if cases > 1 else ''})")
        lines.append((" and ".join(str(need) for need in sorted(whats, key=lambda need: need.what)), why, who))
    return lines


def plain(results):
    """The lines for a terminal."""
    rows = [_HEADINGS] + [_row(result) for result in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    for row in rows:
        left = [row[i].ljust(widths[i]) for i in range(2)]
        right = [row[i].rjust(widths[i]) for i in range(2, len(row))]
        yield "  ".join(left + right)
    for result in results:
        if result.not_had:
            yield f"{result.cell.name} cannot be had here: {result.not_had}"
    if needed := beyond_by_need(results):
        yield ""
        yield "Not in the cells that have less than they need:"
        for need, why, who in needed:
            yield f"  {need}: {why}: {', '.join(who)}"
    skips = {}
    for result in results:
        for test in result.tests:
            for case in test.cases:
                if case.outcome == "skipped":
                    key = (test.test.label, case.name, case.detail)
                    skips.setdefault(key, []).append(result.cell.name)
    if skips:
        yield ""
        yield "Skipped:"
        for (label, name, why), where in skips.items():
            yield f"  {label} {name}: {why} ({', '.join(where)})"


def _target_name(text):
    label, space, count = text.removeprefix("//tests/").partition(" ")
    return f"`{label}`{space}{count}"


def markdown(results, where):
    """The text between the markers of docs/limits.md; `where` says on what machine."""
    lines = [BEGIN, "", f"Written by `scripts/ulimit-suite --docs`; {where}.", ""]
    lines.append("| " + " | ".join(_HEADINGS) + " |")
    lines.append("|---|---|---:|---:|---:|---:|")
    for result in results:
        name, text, *counts = _row(result)
        lines.append("| " + " | ".join([name, f"{text}", *counts]) + " |")
    for result in results:
        if result.not_had:
            lines += ["", f"{result.cell.name} could not be had: {result.not_had}."]
    if needed := beyond_by_need(results):
        lines += ["", "*Needs more* counts what is not in a cell because it declares a need that the cell does not meet:", ""]
        lines += ["| needs | why | who |", "|---|---|---|"]
        for need, why, who in needed:
            lines.append(f"| {need} | {why} | {', '.join(map(_target_name, who))} |")
    return "\n".join(lines + ["", END])


def put_between_markers(text, table):
    """`text` with what stands between the markers replaced. ValueError unless each is there once, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"it must have one line '{BEGIN}' and behind it one '{END}'")
    before, _, rest = text.partition(BEGIN)
    return before + table + rest.partition(END)[2]
