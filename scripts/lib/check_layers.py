#!/usr/bin/env python3
"""Checks the rules of the house that a compiler does not: see the tables below.

  layers        includes in allocator/ and runtime/ point down the layers only; runtime/ stands on allocator/,
                never the reverse
  cycles        no file includes itself through others
  system calls  each family of system calls has one home
  core          allocator/ includes no header whose types allocate
  tests         unit tests link the core, never the override
  length        no source file is over 500 lines

Prints one line per finding, `file:line: rule: text`, and exits 1 if there is any, 2 on a wrong argument.
"""

import argparse
import os
import re
import subprocess
import sys

# The directories of allocator/, lowest first: a file may include its own layer and those before it.
LAYERS = ["base", "os", "arena", "pages", "page_heap", "central", "thread_cache", "heap", "fast_path", "api"]

# The same of runtime/, which may include every layer of the allocator but its last, the override.
RUNTIME_LAYERS = ["os", "guard", "mapping", "growable", "prefault", "api", "command"]

# The public headers, allocator/include/prairie/, may be included from this layer on; they include only each other.
PUBLIC_HEADERS = "allocator/include/"
PUBLIC_HEADERS_FROM = "heap"
# Those of the runtime, from its layer `guard` on.
RUNTIME_PUBLIC_HEADERS = "runtime/include/"
RUNTIME_PUBLIC_HEADERS_FROM = "guard"

# Family of calls -> (a function's name or SYS_ constant, the files or directories that may call it).
SYSTEM_CALLS = {
    "mapping": (
        ["mmap", "mmap64", "munmap", "mprotect", "madvise", "process_madvise", "mremap", "mincore", "mlock", "msync"],
        ["allocator/os/", "runtime/os/"],
    ),
    "limits": (
        ["getrlimit", "getrlimit64", "setrlimit", "prlimit", "prlimit64"],
        ["allocator/os/", "allocator/api/limit_override.cc", "runtime/os/"],
    ),
    "machine": (["sysconf", "getauxval", "sysinfo", "getpagesize"], ["allocator/os/", "runtime/os/"]),
    "files": (
        ["open", "openat", "read", "pread", "pwrite", "fopen", "close", "fstat", "fstat64", "stat", "ftruncate", "fallocate",
         "fsync", "fdatasync", "flock", "posix_fadvise", "cachestat"],
        # The methods of the public classes have such names too.
        ["allocator/os/", "runtime/os/", "runtime/include/"],
    ),
    "signals": (["sigaction", "signal", "sigaltstack", "rt_tgsigqueueinfo"], ["runtime/guard/signals.cc"]),
    "waiting": (["futex"], ["allocator/base/spin_lock.cc"]),
    "reports": (["write", "writev", "dprintf", "perror"], ["allocator/base/report.cc"]),
    # malloc_info() prints to a stream that its caller gives; the others are programs.
    "streams": (
        ["printf", "fprintf", "vfprintf", "puts", "fputs"],
        ["allocator/api/libc_override.cc", "allocator/arena/size_class_table.cc", "runtime/command/"],
    ),
    "dying": (["abort", "exit", "_exit", "raise", "kill"], ["allocator/base/report.cc"]),
    "fork": (["pthread_atfork", "fork", "vfork"], ["allocator/heap/", "runtime/os/"]),
}
SYSTEM_CALL_ROOTS = ["allocator/", "runtime/"]

# Headers whose types allocate, throw or lock, and the only places in allocator/ that may include them.
ALLOCATING_HEADERS = set(
    "any condition_variable deque filesystem forward_list fstream functional future iomanip ios iostream istream list"
    " locale map memory memory_resource mutex ostream queue regex semaphore set shared_mutex sstream stack stdexcept"
    " string string_view streambuf syncstream thread unordered_map unordered_set valarray vector".split())
ALLOCATING_HEADERS_ALLOWED = ["allocator/api/", "allocator/include/prairie/prairie.hpp"]

# In these directories no file may mention the text, which names the override.
CORE_ONLY = {
    "tests/allocator/": ['"allocator/api/', "//allocator/api", "//allocator:prairie", "//allocator:libprairie"],
    "runtime/": ['"allocator/api/', "//allocator/api"],
}
# Except for the tests of the override itself.
CORE_ONLY_ALLOWED = ["tests/allocator/api/"]

MAX_LINES = 500
SOURCE_SUFFIXES = (".cc", ".c", ".h", ".hpp", ".py", ".sh", ".bzl", ".bazel", ".bazelrc", ".js", ".lua", ".pl", ".sql")
CODE_SUFFIXES = (".cc", ".c", ".h", ".hpp")
IGNORED = ("dist/", ".cache/", ".git/", "bazel-")

_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
_COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def list_files(root):
    """The source files below root, relative to it: what git knows or would add, or else all."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = []
        for directory, directories, names in os.walk(root):
            directories[:] = [d for d in directories if not (d + "/").startswith(IGNORED)]
            listed += [os.path.relpath(os.path.join(directory, name), root) for name in names]
    return sorted(f for f in set(listed)
                  if f and not f.startswith(IGNORED) and os.path.isfile(os.path.join(root, f)))


def _blank(text):
    """Comments and literals replaced by as many newlines as they had."""
    # A quote between digits separates them (1'000'000): it opens no literal.
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text)
    return _COMMENT_OR_LITERAL.sub(lambda m: "\n" * m.group().count("\n") or " ", text)


def _line_of(text, position):
    return text.count("\n", 0, position) + 1


def _starts_with_any(path, prefixes):
    return any(path.startswith(prefix) for prefix in prefixes)


def layer_of(path, tree="allocator"):
    """The layer of a file in allocator/ (or runtime/), `include` for a public header, None for anything else."""
    if path.startswith(f"{tree}/include/"):
        return "include"
    parts = path.split("/")
    return parts[1] if parts[0] == tree and len(parts) > 2 else None


def _includes(text):
    """(line, header, is_system) of each #include."""
    for match in _INCLUDE.finditer(text):
        yield _line_of(text, match.start(1 if match.group(1) else 2)), match.group(1) or match.group(2), bool(match.group(2))


def _resolve(header, sources=()):
    """The file that an #include of our own names, relative to the root."""
    if not header.startswith("prairie/"):
        return header
    return RUNTIME_PUBLIC_HEADERS + header if RUNTIME_PUBLIC_HEADERS + header in sources else PUBLIC_HEADERS + header


def check_layers(sources):
    """Includes of allocator/ point down only."""
    for path, text in sources.items():
        layer = layer_of(path)
        in_allocator = path.startswith("allocator/") and path.endswith(CODE_SUFFIXES)
        if in_allocator and layer not in LAYERS + ["include"]:
            yield path, 1, "layers", f"lies in no layer; the layers are {' < '.join(LAYERS)}"
            continue
        for line, header, _ in _includes(text):
            target = _resolve(header, sources)
            if in_allocator and target.startswith(("runtime/", "tests/", "bench/")):
                yield path, line, "layers", f"allocator/ must not include {header}"
            target_layer = layer_of(target)
            if not in_allocator or target_layer is None:
                continue
            if layer == "include" and target_layer != "include":
                yield path, line, "layers", f"a public header must not include {header}"
            elif target_layer == "include" and layer != "include":
                if LAYERS.index(layer) < LAYERS.index(PUBLIC_HEADERS_FROM):
                    yield path, line, "layers", f"{layer} is below {PUBLIC_HEADERS_FROM}, where public headers begin"
            elif layer != "include" and target_layer not in LAYERS:
                yield path, line, "layers", f"{header} lies in no layer"
            elif layer != "include" and LAYERS.index(target_layer) > LAYERS.index(layer):
                yield path, line, "layers", f"{layer} must not include {header}: {target_layer} is above it"


def check_runtime_layers(sources):
    """Includes of runtime/ point down only, and reach the allocator where they may."""
    for path, text in sources.items():
        if not path.startswith("runtime/") or not path.endswith(CODE_SUFFIXES):
            continue
        layer = layer_of(path, "runtime")
        if layer not in RUNTIME_LAYERS + ["include"]:
            yield path, 1, "layers", f"lies in no layer; the layers are {' < '.join(RUNTIME_LAYERS)}"
            continue
        for line, header, _ in _includes(text):
            target = _resolve(header, sources)
            below, own = layer_of(target), layer_of(target, "runtime")
            if target.startswith(("tests/", "bench/")):
                yield path, line, "layers", f"runtime/ must not include {header}"
            elif below is not None and below not in LAYERS[:-1] + ["include"]:
                yield path, line, "layers", f"runtime/ must not include {header}"
            elif layer == "include" and (own or below or "include") != "include":
                yield path, line, "layers", f"a public header must not include {header}"
            elif layer == "include" or own is None:
                continue
            elif own == "include":
                if RUNTIME_LAYERS.index(layer) < RUNTIME_LAYERS.index(RUNTIME_PUBLIC_HEADERS_FROM):
                    yield path, line, "layers", (
                        f"{layer} is below {RUNTIME_PUBLIC_HEADERS_FROM}, where public headers begin")
            elif own not in RUNTIME_LAYERS:
                yield path, line, "layers", f"{header} lies in no layer"
            elif RUNTIME_LAYERS.index(own) > RUNTIME_LAYERS.index(layer):
                yield path, line, "layers", f"{layer} must not include {header}: {own} is above it"


def check_cycles(sources):
    """No cycle in the graph of includes."""
    graph = {path: [(line, _resolve(header, sources)) for line, header, _ in _includes(text)] for path, text in sources.items()}
    done = set()
    for start in graph:
        # Depth first, without recursion: the stack holds (file, its remaining includes).
        on_path, stack = [start], [(start, iter(graph[start]))]
        while stack:
            path, rest = stack[-1]
            edge = next((e for e in rest if e[1] in graph and e[1] not in done), None)
            if edge is None:
                done.add(path)
                on_path.pop()
                stack.pop()
            elif edge[1] in on_path:
                cycle = on_path[on_path.index(edge[1]):] + [edge[1]]
                yield path, edge[0], "cycles", " -> ".join(cycle)
            else:
                on_path.append(edge[1])
                stack.append((edge[1], iter(graph[edge[1]])))


def check_system_calls(sources):
    """Each family of system calls has one home."""
    for family, (names, homes) in SYSTEM_CALLS.items():
        alternatives = "|".join(names)
        # A call of the function itself (f(...) or ::f(...), but no member and no name of another scope), or its number.
        call = re.compile(
            rf"(?:(?<![\w.>:])|(?<![\w>]::)(?<=::))({alternatives})\s*\(|\b(?:SYS_|__NR_)({alternatives})\b")
        for path, text in sources.items():
            if not path.endswith(CODE_SUFFIXES) or not path.startswith(tuple(SYSTEM_CALL_ROOTS)):
                continue
            if _starts_with_any(path, homes):
                continue
            code = _blank(text).replace("std::", "::")
            for match in call.finditer(code):
                name = match.group(1) or match.group(2)
                yield path, _line_of(code, match.start()), "system calls", (
                    f"{name} ({family}) has its home in {' and '.join(homes)}")


def check_core(sources):
    """allocator/ includes nothing that allocates."""
    for path, text in sources.items():
        if not path.startswith("allocator/") or _starts_with_any(path, ALLOCATING_HEADERS_ALLOWED):
            continue
        for line, header, is_system in _includes(text):
            if is_system and header in ALLOCATING_HEADERS:
                yield path, line, "core", f"<{header}> allocates, throws or locks"


def check_tests(sources):
    """Unit tests and the runtime do not touch the override."""
    for path, text in sources.items():
        for directory, names in CORE_ONLY.items():
            if not path.startswith(directory) or _starts_with_any(path, CORE_ONLY_ALLOWED):
                continue
            for name in names:
                if name in text:
                    yield path, _line_of(text, text.index(name)), "tests", f"links the override ({name})"


def check_length(sources):
    """No source file is too long."""
    for path, text in sources.items():
        lines = len(text.splitlines())
        if lines > MAX_LINES:
            yield path, lines, "length", f"{lines} lines, the limit is {MAX_LINES}"


CHECKS = [check_layers, check_runtime_layers, check_cycles, check_system_calls, check_core, check_tests, check_length]


def check_sources(sources):
    """All findings, sorted. sources: the text of each file by its path from the root."""
    return sorted({finding for check in CHECKS for finding in check(sources)})


def read_sources(root):
    """The text of every source file below root, by path."""
    sources = {}
    for path in list_files(root):
        with open(os.path.join(root, path), "rb") as file:
            content = file.read()
        if path.endswith(SOURCE_SUFFIXES) or content.startswith(b"#!"):
            sources[path] = content.decode("utf-8", errors="replace")
    return sources


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default_root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser.add_argument("--root", default=default_root, help="the source tree (default: the one of this script)")
    arguments = parser.parse_args()
    if not os.path.isfile(os.path.join(arguments.root, "WORKSPACE")):
        parser.error(f"no source tree at {arguments.root}: it has no WORKSPACE")

    sources = read_sources(arguments.root)
    findings = check_sources(sources)
    for path, line, rule, text in findings:
        print(f"{path}:{line}: {rule}: {text}")
    if not any(path.startswith("allocator/") for path in sources):
        print(f"{arguments.root}: found no sources of allocator/")
        return 1
    if not findings:
        print(f"{len(sources)} files: layers, cycles, system calls and lengths are as they should be")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
