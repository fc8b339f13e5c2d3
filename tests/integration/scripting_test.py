#!/usr/bin/python3
"""perl, node, lua and a shell script that forks 500 times, on Prairie."""

from harness import Suite, workload


def main():
    suite = Suite()
    suite.compare(
        "perl hashes, regex and a growing string",
        ["perl", workload("words_and_strings.pl"), "4"],
        needs=(128, 128, "perl with its growing string"),
    )
    suite.compare(
        "node json, buffers and workers",
        ["node", workload("objects.js"), "4"],
        needs=(4096, 1024, "node, which reserves address space for its code"),
    )
    suite.compare("lua tables and strings", ["lua5.4", workload("tables.lua"), "5"])
    # The subshells that leave by _exit print no summary: the 100 programs and the shell itself do.
    suite.compare(
        "bash script that forks 500 times", ["bash", workload("fork_500.sh")], processes=100
    )
    suite.finish()


if __name__ == "__main__":
    main()
