#!/usr/bin/env python3
"""Tests scripts/ulimit-suite: its arguments, needs, cells, table, and that vm.overcommit_memory is restored."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

import unittest_cases

LIMITS = os.path.join(unittest_cases.ROOT, "scripts", "lib", "limits")
sys.path.insert(0, LIMITS)

import cells  # noqa: E402
import needs  # noqa: E402
import overcommit  # noqa: E402
import run_cell  # noqa: E402
import suite  # noqa: E402
import table  # noqa: E402
import targets  # noqa: E402
import test_report  # noqa: E402

M = 1 << 20


def cell(name):
    return next(cell for cell in cells.CELLS if cell.name == name)


class Arguments(unittest.TestCase):
    def run_suite(self, *arguments):
        command = [os.path.join(unittest_cases.ROOT, "scripts", "ulimit-suite"), *arguments]
        # Nothing here may get as far as Bazel.
        environment = {**os.environ, "PATH": "/usr/bin:/bin", "PRAIRIE_NO_INSTALL": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def test_wrong_arguments_are_one_line_and_status_2(self):
        for arguments in (["--no-such"], ["--cell", "no-such"], ["--cell"], ["--jobs", "0"], ["--jobs", "many"], [""],
                          ["a", "b"], ["--quick", "--cell", "v-64M"], ["--docs", "--quick"], ["--docs", "--cell", "v-64M"],
                          ["--docs", "hostile"], ["--config=fast"], ["--sum", "/no/such/file"], ["--sum", "/dev/null"]):
            run = self.run_suite(*arguments)
            self.assertEqual((2, "", 1), (run.returncode, run.stdout, run.stderr.count("\n")), (arguments, run.stderr))
            self.assertTrue(run.stderr.startswith("scripts/ulimit-suite: error: "), run.stderr)

    def test_list_and_help(self):
        run = self.run_suite("--list")
        self.assertEqual((0, ""), (run.returncode, run.stderr))
        self.assertEqual([one.name for one in cells.CELLS], [line.split()[0] for line in run.stdout.splitlines()])
        run = self.run_suite("--help")
        self.assertEqual(0, run.returncode)
        self.assertTrue(run.stdout.startswith("Usage: scripts/ulimit-suite"))

    def test_totals_to_add(self):
        with tempfile.NamedTemporaryFile("w", dir=os.environ.get("TEST_TMPDIR")) as file:
            file.write("words\n12 passed, 3 failed, 4 skipped\n")
            file.flush()
            self.assertEqual((12, 3, 4), suite.read_totals(file.name))


class Needs(unittest.TestCase):
    def test_parsed(self):
        need = needs.parse("needs_address_space=512M: g++")
        self.assertEqual(("address_space", 512 * M, "g++", "address space 512M"), (need.what, need.size, need.why, str(need)))
        self.assertEqual("free_hint", needs.parse("needs_free_hint: to sit there").what)
        self.assertIsNone(needs.parse("external"))

    def test_a_need_that_cannot_be_read_is_an_error(self):
        for text in ("needs_address_space=512: why", "needs_address_space=512M", "needs_data=1M: ", "needs_luck: why"):
            self.assertRaises(ValueError, needs.parse, text)

    def test_exceeds(self):
        need = needs.parse("needs_address_space=128M: threads")
        self.assertTrue(needs.exceeds(need, cell("v-64M")))
        self.assertFalse(needs.exceeds(need, cell("v-128M")))
        self.assertFalse(needs.exceeds(need, cell("unlimited")))
        self.assertFalse(needs.exceeds(need, cell("d-32M")))
        self.assertTrue(needs.exceeds(needs.parse("needs_data=128M: threads"), cell("d-32M")))
        self.assertTrue(needs.exceeds(needs.parse("needs_stack=1M: recursion"), cell("s-128K")))
        self.assertFalse(needs.exceeds(needs.parse("needs_stack=1M: recursion"), cell("s-unlimited")))
        self.assertTrue(needs.exceeds(needs.parse("needs_free_hint: why"), cell("hint-taken")))
        self.assertTrue(needs.exceeds(needs.parse("needs_overcommit: why"), cell("overcommit-2")))
        self.assertFalse(needs.exceeds(needs.parse("needs_overcommit: why"), cell("unlimited")))

    def test_a_case_that_skips_counts_only_where_its_need_is_unmet(self):
        case = test_report.Case("a", "skipped", "needs_address_space=128M: threads")
        self.assertEqual(([], 1), (lambda both: (both[0], len(both[1])))(run_cell.sort_out_needs([case], cell("v-64M"))))
        counted, beyond = run_cell.sort_out_needs([case], cell("v-256M"))
        self.assertEqual((["failed"], []), ([one.outcome for one in counted], beyond))
        other = test_report.Case("b", "skipped", "no node")
        self.assertEqual(([other], []), run_cell.sort_out_needs([other], cell("v-64M")))


class Tests(unittest.TestCase):
    def test_parsed_from_bazel(self):
        query = """<query><rule class="cc_test" name="//t:a"><string name="size" value="small"/>
            <list name="tags"><string value="needs_data=64M: why"/></list>
            <dict name="env"><pair><string value="K"/><string value="V"/></pair></dict></rule>
            <rule class="sh_test" name="//t:b"><list name="tags"><string value="not_on_prairie"/></list></rule>
            <rule class="sh_test" name="//t:c"><list name="tags"><string value="manual"/></list></rule></query>"""
        actions = """{"targets": [{"id": 1, "label": "//t:a"}, {"id": 2, "label": "//t:b"}, {"id": 3, "label": "//t:c"}],
            "actions": [{"targetId": 1, "arguments": ["setup", "t/a", "--mode=x"]}, {"targetId": 2, "arguments": ["s", "t/b"]},
            {"targetId": 3, "arguments": ["s", "t/c"]}]}"""
        a, b = targets.parse(query, actions)
        self.assertEqual(("//t:a", ("t/a", "--mode=x"), {"K": "V"}), (a.label, a.arguments, a.environment))
        self.assertEqual((True, True, 1), (a.on_prairie, a.quick, len(a.needs)))
        self.assertEqual((False, "medium", False), (b.on_prairie, b.size, b.quick))


class InACell(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_script(self, script, cell_name, tags=(), size="small"):
        """The TestResult of a test that is `script`, in the cell."""
        runfiles = os.path.join(self.directory, "t", "a.runfiles", "prairie", "t")
        os.makedirs(runfiles, exist_ok=True)
        path = os.path.join(runfiles, "a")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + textwrap.dedent(script))
        os.chmod(path, 0o755)
        test = targets.Test("//t:a", ("t/a", "argument"), {"K": "V"}, size, tags, tuple(map(needs.parse, tags)))
        logs = os.path.join(self.directory, "logs")
        os.makedirs(logs, exist_ok=True)
        return run_cell.run_test(test, cell(cell_name), self.directory, logs, "")

    def outcomes(self, result):
        return [(case.name, case.outcome) for case in result.cases]

    def test_the_limits_are_in_force(self):
        script = """
            [ "$(ulimit -S -v) $K $1 ${PWD##*/}" = "65536 V argument prairie" ] && echo "PASS: v"
            [ "$(ulimit -H -v)" != 65536 ] && echo "PASS: the hard limit is not"
        """
        self.assertEqual([("v", "passed"), ("the hard limit is not", "passed")], self.outcomes(self.run_script(script, "v-64M")))
        for name, option, value in (("d-128M", "-d", "131072"), ("s-128K", "-s", "128"), ("s-unlimited", "-s", "unlimited")):
            result = self.run_script(f'[ "$(ulimit -S {option})" = {value} ] && echo "PASS: {name}"', name)
            self.assertEqual([(name, "passed")], self.outcomes(result))

    def test_no_randomization(self):
        script = 'case $(cat /proc/self/personality) in *40000) echo "PASS: none" ;; *) echo "PASS: some" ;; esac'
        self.assertEqual([("none", "passed")], self.outcomes(self.run_script(script, "no-aslr")))
        self.assertEqual([("some", "passed")], self.outcomes(self.run_script(script, "unlimited")))

    def test_a_failure_keeps_its_log(self):
        result = self.run_script('echo words; exit 3', "unlimited")
        self.assertEqual(1, result.count("failed"))
        with open(result.log, encoding="utf-8") as log:
            self.assertEqual("words\n", log.read())
        self.assertIn("status 3", result.cases[0].detail)
        self.assertEqual("", self.run_script("exit 0", "unlimited").log)

    def test_a_test_that_hangs_is_ended(self):
        patience, run_cell.PATIENCE = run_cell.PATIENCE, 0.01
        self.addCleanup(setattr, run_cell, "PATIENCE", patience)
        result = self.run_script("sleep 1000 & wait", "unlimited")
        self.assertIn("TIMEOUT", result.cases[0].detail)

    def test_a_need_beyond_the_cell_runs_nothing(self):
        tags = ("needs_address_space=128M: threads",)
        result = self.run_script("exit 1", "v-64M", tags)
        self.assertEqual(([], 1), (result.cases, len(result.beyond)))
        self.assertEqual(1, self.run_script("exit 1", "v-128M", tags).count("failed"))

    def test_addresses_are_taken(self):
        """The libraries of the cells do what they are for: in every process, before the program's own code."""
        here = os.path.join(os.getcwd(), "tests", "support")
        for taken, mapped in ((cells.HINT_TAKEN, "f800000000-"), (cells.WINDOW_TAKEN, "f800100000-")):
            library = os.path.join(here, taken.partition(":")[2])
            maps = subprocess.run(["env", f"LD_PRELOAD={library}", "cat", "/proc/self/maps"], capture_output=True, text=True,
                                  check=True).stdout
            self.assertIn("\n" + mapped, "\n" + maps)


class Table(unittest.TestCase):
    def results(self):
        test = targets.Test("//tests/t:a", ("t/a",), {}, "small", (), ())
        need = needs.parse("needs_address_space=128M: threads")
        cases = [test_report.Case("x", "passed"), test_report.Case("y", "skipped", "no node")]
        return [
            run_cell.CellResult(cell("v-64M"), [run_cell.TestResult(test, cases, [("z", need)])]),
            run_cell.CellResult(cell("overcommit-2"), not_had="not root"),
        ]

    def test_plain(self):
        text = "\n".join(table.plain(self.results()))
        self.assertRegex(text, r"v-64M +ulimit -v 65536 +1 +0 +1 +1\n")
        self.assertIn("overcommit-2 cannot be had here: not root", text)
        self.assertIn("address space 128M: threads: //tests/t:a (1 case)", text)
        self.assertIn("//tests/t:a y: no node (v-64M)", text)

    def test_markdown_between_the_markers(self):
        text = table.markdown(self.results(), "a machine")
        self.assertIn("| v-64M | ulimit -v 65536 | 1 | 0 | 1 | 1 |", text)
        self.assertIn("| address space 128M | threads | `t:a` (1 case) |", text)
        page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
        self.assertEqual(f"before\n{text}\nafter\n", table.put_between_markers(page, text))
        for wrong in ("no markers", table.END + table.BEGIN, page + page):
            self.assertRaises(ValueError, table.put_between_markers, wrong, text)

    def test_a_cell_that_cannot_be_had_is_one_skip(self):
        self.assertEqual((1, 2), (self.results()[1].count("skipped"), sum(r.count("skipped") for r in self.results())))

    def test_the_docs_have_the_markers(self):
        with open(suite.DOCS, encoding="utf-8") as file:
            table.put_between_markers(file.read(), "")


class Overcommit(unittest.TestCase):
    """With a file of our own in the place of /proc/sys/vm/overcommit_memory."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "overcommit_memory")
        with open(self.path, "w", encoding="ascii") as file:
            file.write("0\n")

    def value(self):
        with open(self.path, encoding="ascii") as file:
            return file.read().strip()

    def test_restored_at_the_end_and_after_an_exception(self):
        with overcommit.setting(1, self.path):
            self.assertEqual("1", self.value())
        self.assertEqual("0", self.value())
        with self.assertRaises(ZeroDivisionError), overcommit.setting(1, self.path):
            _ = 1 // 0
        self.assertEqual("0", self.value())

    def test_restored_when_the_process_is_killed(self):
        program = ("import sys, time; sys.path.insert(0, sys.argv[1]); import overcommit\n"
                   "with overcommit.setting(1, sys.argv[2]): print('set', flush=True); time.sleep(1000)")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            child = subprocess.Popen([sys.executable, "-B", "-c", program, LIMITS, self.path], stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
            self.assertEqual(b"set\n", child.stdout.readline())
            self.assertEqual("1", self.value())
            child.send_signal(number)
            child.wait()
            # The guard holds the other end of the child's stdout no more when it is through.
            child.stdout.read()
            child.stdout.close()
            for _ in range(1000):
                if self.value() == "0":
                    break
                subprocess.run(["sleep", "0.01"], check=True)
            self.assertEqual("0", self.value(), number)

    def test_left_alone_where_it_is_so_already(self):
        with overcommit.setting(0, self.path):
            os.unlink(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_says_why_it_cannot_be_had(self):
        with self.assertRaisesRegex(overcommit.Refused, "cannot be read"), overcommit.setting(1, self.path + "x"):
            pass
        headroom, overcommit.HEADROOM_MIB = overcommit.HEADROOM_MIB, 1 << 40
        self.addCleanup(setattr, overcommit, "HEADROOM_MIB", headroom)
        with self.assertRaisesRegex(overcommit.Refused, "could commit only"), overcommit.setting(2, self.path):
            pass
        self.assertEqual("0", self.value())


if __name__ == "__main__":
    unittest_cases.main()
