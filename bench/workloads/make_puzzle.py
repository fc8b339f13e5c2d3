#!/usr/bin/env python3
"""Writes a puzzle for z3 in SMT-LIB: a school's timetable, and a product of bit vectors to factor.

Usage: make_puzzle.py FILE LESSONS    The same puzzle on every run; more LESSONS take longer.
"""

import sys

SLOTS, ROOMS, TEACHERS = 12, 5, 9


def numbers(state=7):
    while True:
        state = (state * 1103515245 + 12345) % 2147483648
        yield state >> 8


def timetable(lessons, draw):
    """Each lesson has a slot and a room; nobody and no room is in two places at once."""
    for i in range(lessons):
        yield f"(declare-const slot{i} Int) (declare-const room{i} Int)"
        yield f"(assert (and (<= 0 slot{i}) (< slot{i} {SLOTS}) (<= 0 room{i}) (< room{i} {ROOMS})))"
    teacher = [next(draw) % TEACHERS for _ in range(lessons)]
    for i in range(lessons):
        for k in range(i):
            if teacher[i] == teacher[k] or next(draw) % 11 == 0:
                yield f"(assert (distinct slot{i} slot{k}))"
            else:
                yield f"(assert (or (distinct slot{i} slot{k}) (distinct room{i} room{k})))"
        if i % 6 == 5:
            yield f"(assert (< (+ slot{i} 1) slot{i - next(draw) % 5 - 1}))"


def factors(bits, product):
    yield f"(declare-const p (_ BitVec {2 * bits})) (declare-const q (_ BitVec {2 * bits}))"
    yield f"(assert (= (bvmul p q) (_ bv{product} {2 * bits})))"
    yield f"(assert (bvult (_ bv1 {2 * bits}) p)) (assert (bvule p q))"
    yield f"(assert (bvult q (_ bv{1 << bits} {2 * bits})))"


def main():
    path, lessons = sys.argv[1], int(sys.argv[2])
    lines = [*timetable(lessons, numbers()), "(check-sat)", "(get-model)", "(reset)"]
    lines += [*factors(16, 40009 * 51199), "(check-sat)", "(get-value (p q))"]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
