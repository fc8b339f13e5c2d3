"""What the results depend on: the machine and the versions of everything that was run."""

import os
import platform
import re
import subprocess
from pathlib import Path


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"


def memory_kib(field):
    match = re.search(rf"^{field}:\s+(\d+) kB", read("/proc/meminfo"), re.MULTILINE)
    return int(match[1]) if match else 0


def available_mib():
    return memory_kib("MemAvailable") // 1024


def processor():
    match = re.search(r"^model name\s*:\s*(.*)", read("/proc/cpuinfo"), re.MULTILINE)
    return match[1] if match else platform.machine()


def huge_pages():
    """The setting in brackets of the file that lists all of them."""
    text = read("/sys/kernel/mm/transparent_hugepage/enabled")
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else text


def package_version(package):
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 and done.stdout else None


def versions():
    """Versions of the peers and of the programs, from Debian's package database."""
    packages = {
        "glibc": "libc6",
        "jemalloc": "libjemalloc2",
        "mimalloc": "libmimalloc2.0",
        "gperftools": "libtcmalloc-minimal4",
        "oneTBB": "libtbbmalloc2",
        "python3": "python3",
        "g++": "g++-12",
        "sqlite3": "sqlite3",
        "perl": "perl",
        "git": "git",
        "xz": "xz-utils",
        "node": "nodejs",
        "lua": "lua5.4",
        "ruby": "ruby3.1",
        "z3": "z3",
        "ghostscript": "ghostscript",
        "redis": "redis-tools",
    }
    found = {name: package_version(package) for name, package in packages.items()}
    return {name: version for name, version in found.items() if version}


def describe():
    """One line on the machine."""
    return (
        f"Linux {platform.release().partition('-')[0]}, {os.cpu_count()} x {processor()}, "
        f"{memory_kib('MemTotal') / 1024 / 1024:.0f} GiB, THP {huge_pages()}"
    )
