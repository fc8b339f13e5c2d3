"""The exact texts of Prairie's error reports, and whether the numbers in each agree."""

import dataclasses
import re

PAGE = 8192
LARGEST_SMALL = 32768
# Where the arena may begin: in 32 bits, and in 64, where the next one is for when somebody sits in the first.
ARENA_HINT_32_BITS = 0x0CC00000
ARENA_HINTS = (ARENA_HINT_32_BITS,) + tuple(0xF800000000 + (step << 40) for step in range(5))
HEX = r"0x[0-9a-f]+"
# "1 page", "2 pages", and never "1 pages".
SPAN = rf"span (?P<span>{HEX}) \((?P<pages>1(?= page\))|(?!1 )\d+(?= pages\))) pages?\)"
ARENA = rf"\(arena (?P<begin>{HEX}) to (?P<end>{HEX})\)"


def size_class(size):
    """The size class of a small request: 16-byte steps to 128, then eight a doubling."""
    if size <= 128:
        return max(16, (size + 15) // 16 * 16)
    step = 1 << ((size - 1).bit_length() - 4)
    return (size + step - 1) // step * step


@dataclasses.dataclass(frozen=True)
class Report:
    """One expected line. `pointer` and `object` are names of lines that the program printed; `size`
    is the size that the program asked for (None: a small object of any class, as for blocks whose
    alignment decides). `freed`: the whole span of a small object has been given back."""

    kind: str
    call: str = "free"
    size: int | None = None
    pointer: str = "p"
    object: str = "o"
    freed: bool = False

    def pattern(self, shown):
        p = f"{shown[self.pointer]:#x}"
        call = f"{self.call}\\({p}\\)"
        small = r"size class (?P<size_class>\d+)"
        if self.size is not None and self.size <= LARGEST_SMALL:
            small = f"size class (?P<size_class>{size_class(self.size)})"
        if self.kind == "double":
            large = f"double free: {call}: large object in {SPAN} is already free"
            freed = "freed " if self.freed else ""
            text = f"double free: {call}: object of {small} in {freed}{SPAN} is already free"
            if self.size is not None and self.size > LARGEST_SMALL:
                text = large
        elif self.kind == "interior":
            o = f"{shown[self.object]:#x}"
            what = f"object {o} of {small}"
            if self.size > LARGEST_SMALL:
                what = f"large object {o}"
            text = rf"interior pointer: {call}: (?P<offset>\d+) bytes into the {what} in {SPAN}"
        elif self.kind in ("foreign", "stack"):
            where = "not" if self.kind == "foreign" else "on the stack of this thread, not"
            text = f"{self.kind} pointer: {call}: {where} from this heap {ARENA}"
        elif self.kind == "wild":
            text = f"wild pointer: {call}: inside the arena, in no live object"
        elif self.kind == "smashed":
            text = (
                f"smashed free list: malloc: object {p} of {small} in {SPAN} "
                "was written after it was freed"
            )
        else:
            raise ValueError(self.kind)
        return f"prairie: {text}"

    def complaint(self, line, shown):
        """None when `line` is this report, else what is wrong with it."""
        pattern = self.pattern(shown)
        match = re.fullmatch(pattern, line)
        if not match:
            return f"{line!r} is not {pattern!r}"
        return self._numbers({k: int(v, 0) for k, v in match.groupdict().items()}, shown)

    def _numbers(self, found, shown):
        pointer = shown[self.pointer]
        start = pointer
        if self.kind == "interior":
            start = shown[self.object]
            if found["offset"] != pointer - start:
                return f"offset {found['offset']}, not {pointer - start}"
        if "span" in found:
            span, pages = found["span"], found["pages"]
            if span % PAGE or pages < 1:
                return f"span {span:#x} of {pages} pages is none"
            if not span <= pointer < span + pages * PAGE:
                return f"span {span:#x} of {pages} pages does not hold {pointer:#x}"
            # Objects lie at multiples of their size from the start of the arena.
            base = max((hint for hint in ARENA_HINTS if hint <= start), default=ARENA_HINTS[0])
            if "size_class" in found and (start - base) % found["size_class"]:
                return f"{start:#x} starts no object of class {found['size_class']}"
            if "size_class" not in found and self.size and pages * PAGE < self.size:
                return f"{pages} pages do not hold {self.size} bytes"
        if "begin" in found:
            begin, end = found["begin"], found["end"]
            # Before anything was allocated a 32-bit arena ends where it begins: it reserves nothing.
            empty = begin == end and begin == ARENA_HINT_32_BITS
            if begin % PAGE or end % PAGE or (begin >= end and not empty):
                return f"arena {begin:#x} to {end:#x} is none"
            if begin <= pointer < end:
                return f"{pointer:#x} is inside the arena {begin:#x} to {end:#x}"
            if begin not in ARENA_HINTS:
                return f"the arena begins at {begin:#x}, where it never does"
        return None
