#!/usr/bin/python3
"""Prairie inside what plays a processor or a malloc of its own: valgrind and qemu-user."""

from harness import Failure, Suite, compare_runs, last_lines

JOB = [
    "/usr/bin/python3",
    "-S",
    "-c",
    "import threading\n"
    "text = {i: str(i) * (i % 50) for i in range(5000)}\n"
    "threads = [threading.Thread(target=lambda: [bytes(i) for i in range(500)]) for _ in range(3)]\n"
    "[thread.start() for thread in threads], [thread.join() for thread in threads]\n"
    "print(sum(map(len, text.values())), len(bytearray(30 << 20)))\n",
]


def under_qemu(suite):
    """qemu itself stays on the C library's malloc: -E sets the variables of the program alone."""
    variables = ["-E", f"LD_PRELOAD={suite.library}", "-E", "PRAIRIE_OPTIONS=stats=1"]

    def run(options):
        command = ["qemu-x86_64", *options, *JOB]
        return suite.run(command, False, None, (), None, b"", 200, "summary")

    plain, prairie = run([]), run(variables)
    if plain.status != 0:
        raise Failure(f"without Prairie it ended with {plain.status}: {last_lines(plain.stderr)}")
    compare_runs(plain, prairie, ())
    if prairie.on_prairie != 1:
        raise Failure("the program was not on Prairie")
    # Elsewhere it reserves a larger range in one piece, for which qemu keeps tables.
    if "arena at 0xf800000000, reserved 4 GiB" not in prairie.stderr:
        raise Failure(f"the arena is not where it wanted to be: {prairie.stderr}")


def main():
    suite = Suite()
    suite.compare("valgrind --tool=none", ["valgrind", "-q", "--tool=none", *JOB], timeout=200)
    # Its malloc takes the place of every other, this one too, which is loaded and idle.
    suite.compare("valgrind memcheck", ["valgrind", "-q", *JOB], timeout=200)
    suite.case("qemu-user", lambda: under_qemu(suite))
    suite.finish()


if __name__ == "__main__":
    main()
