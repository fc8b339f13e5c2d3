#!/usr/bin/env python3
"""Tests scripts/lib/check_layers.py: each rule finds what breaks it, at its line, and lets pass what keeps it."""

import os
import subprocess
import sys
import tempfile
import unittest

import unittest_cases
import check_layers


def found(sources):
    """(path, line, rule) of each finding."""
    return [finding[:3] for finding in check_layers.check_sources(sources)]


class Layers(unittest.TestCase):
    def test_down_and_sideways_pass(self):
        self.assertEqual([], found({
            "allocator/arena/a.cc": '#include "allocator/arena/b.h"\n#include "allocator/os/m.h"\n',
            "allocator/arena/b.h": '#include "allocator/base/pages.h"\n',
        }))

    def test_each_layer_rejects_the_next(self):
        for lower, upper in zip(check_layers.LAYERS, check_layers.LAYERS[1:]):
            path = f"allocator/{lower}/x.cc"
            self.assertEqual([(path, 2, "layers")], found({path: f'\n#include "allocator/{upper}/y.h"\n'}))
            path = f"allocator/{upper}/x.cc"
            self.assertEqual([], found({path: f'\n#include "allocator/{lower}/y.h"\n'}))

    def test_unknown_layer(self):
        self.assertEqual([("allocator/misc/x.cc", 1, "layers")], found({"allocator/misc/x.cc": ""}))
        self.assertEqual([("allocator/x.cc", 1, "layers")], found({"allocator/x.cc": ""}))
        self.assertEqual([("allocator/api/x.cc", 1, "layers")],
                         found({"allocator/api/x.cc": '#include "allocator/misc/y.h"\n'}))

    def test_public_headers(self):
        header = "allocator/include/prairie/prairie.h"
        self.assertEqual([], found({"allocator/api/x.cc": '#include "prairie/prairie.h"\n', header: ""}))
        self.assertEqual([], found({"allocator/heap/x.cc": '#include "prairie/prairie.h"\n', header: ""}))
        self.assertEqual([("allocator/central/x.cc", 1, "layers")],
                         found({"allocator/central/x.cc": '#include "prairie/prairie.h"\n', header: ""}))
        self.assertEqual([(header, 1, "layers")], found({header: '#include "allocator/base/pages.h"\n'}))

    def test_runtime_stands_on_the_allocator(self):
        path = "runtime/mapping/x.cc"
        self.assertEqual([], found({path: '#include "allocator/heap/heap.h"\n'}))
        self.assertIn((path, 1, "layers"), found({path: '#include "allocator/api/allocation.h"\n'}))
        self.assertEqual([("allocator/heap/x.cc", 1, "layers")],
                         found({"allocator/heap/x.cc": '#include "runtime/mapping/region.h"\n'}))

    def test_layers_of_the_runtime(self):
        for lower, upper in zip(check_layers.RUNTIME_LAYERS, check_layers.RUNTIME_LAYERS[1:]):
            path = f"runtime/{lower}/x.cc"
            self.assertEqual([(path, 2, "layers")], found({path: f'\n#include "runtime/{upper}/y.h"\n'}))
            path = f"runtime/{upper}/x.cc"
            self.assertEqual([], found({path: f'\n#include "runtime/{lower}/y.h"\n'}))
        self.assertEqual([("runtime/misc/x.cc", 1, "layers")], found({"runtime/misc/x.cc": ""}))
        self.assertEqual([("runtime/x.cc", 1, "layers")], found({"runtime/x.cc": ""}))

    def test_public_headers_of_the_runtime(self):
        header = "runtime/include/prairie/mapping.hpp"
        other = "allocator/include/prairie/prairie.h"
        self.assertEqual([], found({"runtime/guard/x.cc": '#include "prairie/mapping.hpp"\n', header: ""}))
        self.assertEqual([("runtime/os/x.cc", 1, "layers")],
                         found({"runtime/os/x.cc": '#include "prairie/mapping.hpp"\n', header: ""}))
        self.assertEqual([], found({header: '#include "prairie/prairie.h"\n', other: ""}))
        self.assertEqual([(header, 1, "layers")], found({header: '#include "runtime/guard/guard.h"\n'}))
        self.assertEqual([(header, 1, "layers")], found({header: '#include "allocator/base/pages.h"\n'}))

    def test_indented_include(self):
        self.assertEqual([("allocator/os/x.cc", 1, "layers")],
                         found({"allocator/os/x.cc": '#  include "allocator/api/y.h"\n'}))


class Cycles(unittest.TestCase):
    def test_cycle_of_two_and_of_three(self):
        two = {"allocator/os/a.h": '#include "allocator/os/b.h"\n', "allocator/os/b.h": '#include "allocator/os/a.h"\n'}
        self.assertEqual(["cycles"], [rule for _, _, rule in found(two)])
        three = {f"tests/{a}.h": f'#include "tests/{b}.h"\n' for a, b in ("ab", "bc", "ca")}
        (finding,) = check_layers.check_sources(three)
        self.assertEqual("tests/a.h -> tests/b.h -> tests/c.h -> tests/a.h", finding[3])

    def test_file_that_includes_itself(self):
        self.assertEqual([("tests/a.h", 1, "cycles")], found({"tests/a.h": '#include "tests/a.h"\n'}))

    def test_diamond_passes(self):
        self.assertEqual([], found({
            "tests/a.h": '#include "tests/b.h"\n#include "tests/c.h"\n',
            "tests/b.h": '#include "tests/d.h"\n',
            "tests/c.h": '#include "tests/d.h"\n',
            "tests/d.h": "",
        }))


class SystemCalls(unittest.TestCase):
    def call(self, path, text):
        return [(line, rule) for _, line, rule in found({path: text})]

    def test_every_name_of_the_table(self):
        for family, (names, homes) in check_layers.SYSTEM_CALLS.items():
            for name in names:
                for text in (f"x = {name}(1);", f"::{name} (1);", f"std::{name}(1);", f"syscall(SYS_{name}, 1);",
                             f"syscall(__NR_{name});", f"!{name}(1)"):
                    self.assertEqual([(2, "system calls")], self.call("allocator/central/x.cc", "\n" + text), text)
                home = homes[0] + ("x.cc" if homes[0].endswith("/") else "")
                self.assertEqual([], self.call(home, f"{name}(1);"), (family, name))

    def test_what_is_no_call(self):
        for text in ("os_->mmap(1)", "os_.mmap(1)", "FakeOs::mmap(1)", "my_mmap(1)", "mmap_count(1)", "// mmap(1)",
                     '"mmap(1)"', "/* a\n mmap(1) */", "const char kQuote = '\"'; // mmap(1)", "mmap;"):
            self.assertEqual([], self.call("allocator/central/x.cc", text), text)

    def test_line_after_comments_and_digit_separators(self):
        text = "/* one\ntwo */ int x = 1'000'000;\nconst char* s = \"a\\\"b\";\nmunmap(p, n);\n"
        self.assertEqual([(4, "system calls")], self.call("allocator/arena/x.cc", text))

    def test_only_the_library_is_checked(self):
        self.assertEqual([], self.call("tests/hostile/x.cc", "mmap(1);"))
        self.assertEqual([(1, "system calls")], self.call("runtime/mapping/x.cc", "mmap(1);"))


class Core(unittest.TestCase):
    def test_allocating_headers(self):
        for header in ("string", "vector", "iostream", "map", "memory"):
            include = f"#include <{header}>\n"
            self.assertEqual([("allocator/base/x.h", 1, "core")], found({"allocator/base/x.h": include}))
            self.assertEqual([], found({"allocator/api/x.cc": include}))
            self.assertEqual([], found({"allocator/include/prairie/prairie.hpp": include}))
            self.assertEqual([], found({"tests/x.cc": include}))
        self.assertEqual([], found({"allocator/base/x.h": "#include <string.h>\n#include <atomic>\n"}))


class Tests(unittest.TestCase):
    def test_unit_tests_link_the_core(self):
        path = "tests/allocator/os/BUILD.bazel"
        self.assertEqual([(path, 2, "tests")], found({path: 'deps = [\n"//allocator:prairie"]'}))
        self.assertEqual([], found({path: 'deps = ["//allocator/heap"]'}))
        self.assertEqual([], found({"tests/integration/BUILD.bazel": "//allocator:libprairie.so"}))
        self.assertEqual([], found({"tests/allocator/api/x_test.cc": '#include "allocator/api/x.h"'}))


class Length(unittest.TestCase):
    def test_limit(self):
        self.assertEqual([], found({"tests/x.cc": "\n" * 500}))
        self.assertEqual([("tests/x.cc", 501, "length")], found({"tests/x.cc": "\n" * 501}))


class Command(unittest.TestCase):
    SCRIPT = os.path.join(unittest_cases.ROOT, "scripts", "lib", "check_layers.py")

    def run_on(self, sources, *arguments):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as root:
            for path, text in sources.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            # Not as part of whatever git tree the temporary directory may lie in.
            environment = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(root)}
            return subprocess.run([sys.executable, "-B", self.SCRIPT, "--root", root, *arguments],
                                  capture_output=True, text=True, env=environment, check=False)

    def test_clean_tree(self):
        result = self.run_on({"WORKSPACE": "", "allocator/os/x.cc": "mmap(1);\n"})
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)

    def test_findings(self):
        result = self.run_on({"WORKSPACE": "", "allocator/heap/x.cc": "\nmmap(1);\n", "dist/x.cc": "\n" * 900})
        self.assertEqual(1, result.returncode)
        self.assertRegex(result.stdout, r"^allocator/heap/x.cc:2: system calls: mmap .*\n$")

    def test_scripts_without_suffix_are_sources(self):
        result = self.run_on({"WORKSPACE": "", "allocator/os/x.cc": "", "scripts/x": "#!/bin/sh\n" * 501})
        self.assertRegex(result.stdout, "^scripts/x:501: length: ")

    def test_empty_tree_is_no_success(self):
        self.assertEqual(1, self.run_on({"WORKSPACE": ""}).returncode)

    def test_wrong_arguments(self):
        self.assertEqual(2, self.run_on({"allocator/os/x.cc": ""}).returncode)
        self.assertEqual(2, self.run_on({"WORKSPACE": ""}, "--no-such").returncode)


if __name__ == "__main__":
    unittest_cases.main()
