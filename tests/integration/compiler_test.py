#!/usr/bin/python3
"""g++ on Prairie: a heavy template file gives the same object file, byte for byte."""

from harness import Suite, workload


def main():
    suite = Suite()
    source = workload("heavy_templates.cc")
    command = ["g++", "-std=c++20", "-DHEAVY_COUNT=1", "-c", source, "-o", "heavy.o"]
    # Three processes at least: the driver, the compiler proper, the assembler.
    for options in (["-O2"], ["-O0", "-g"]):
        name = f"g++ {' '.join(options)} of heavy templates"
        suite.compare(name, command + options, outputs=["heavy.o"], timeout=120, processes=3)
    suite.finish()


if __name__ == "__main__":
    main()
