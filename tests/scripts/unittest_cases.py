"""Runs unittest cases so that scripts/test counts each of them: one `PASS:`, `FAIL:` or `SKIPPED:` line a case.

Importing this module also puts scripts/lib of the source tree on the path.
"""

import os
import sys
import unittest

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))


class _Result(unittest.TextTestResult):
    def _print(self, kind, test, why=""):
        name = test.id().partition("__main__.")[2] or test.id()
        print(f"{kind}: {name}" + (f": {why}" if why else ""), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._print("PASS", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._print("FAIL", test, str(err[1]).partition("\n")[0])

    def addError(self, test, err):
        super().addError(test, err)
        self._print("FAIL", test, repr(err[1]).partition("\n")[0])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._print("SKIPPED", test, reason)


def main():
    # verbosity=0: no dots, which would stand before the lines in the log.
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=_Result, stream=sys.stderr, verbosity=0))
