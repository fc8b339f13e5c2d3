#!/usr/bin/python3
"""xz with two threads, and tar, on Prairie: the same archives, and the same files out of them."""

import subprocess

from harness import Suite, need, workload

TAR_FIXED = ["--sort=name", "--mtime=2024-01-01", "--owner=0", "--group=0", "--numeric-owner"]


def make_text(directory, megabytes=12):
    subprocess.run(
        ["/usr/bin/python3", workload("make_text.py"), directory / "text", str(megabytes)],
        check=True,
    )


def make_compressed(directory):
    need("xz")
    make_text(directory)
    subprocess.run(["xz", "-0", "-T2", "--block-size=3MiB", "text"], cwd=directory, check=True)


def make_tree(directory):
    for number in range(400):
        path = directory / "tree" / f"d{number % 20}" / ("long name " * (number % 9) + str(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number % 256]) * (number * 37 % 20000))
        path.with_name(path.name + ".link").symlink_to(path.name)


def make_archive(directory):
    make_tree(directory)
    subprocess.run(["tar", "cf", "a.tar", *TAR_FIXED, "tree"], cwd=directory, check=True)
    (directory / "tree").rename(directory / "original")


def main():
    suite = Suite()

    def compare(name, command, prepare, output):
        suite.compare(name, command, prepare=prepare, outputs=[output], proof="bindings")

    # Blocks of 3 MiB make the two threads take turns; without them 12 MB is one block and one
    # thread.
    compare(
        "xz -T2 compresses",
        ["xz", "-1", "-T2", "--block-size=3MiB", "--keep", "text"],
        make_text,
        "text.xz",
    )
    compare("xz -T2 decompresses", ["xz", "-d", "-T2", "text.xz"], make_compressed, "text")
    compare("tar creates", ["tar", "cf", "a.tar", *TAR_FIXED, "tree"], make_tree, "a.tar")
    compare("tar extracts", ["tar", "xvf", "a.tar"], make_archive, "tree/**/*")
    suite.finish()


if __name__ == "__main__":
    main()
