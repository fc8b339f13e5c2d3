#!/usr/bin/python3
"""git on Prairie: 500 files, commits with fixed dates, log, repack, gc, fsck give the same ids."""

from harness import Suite, need, workload

# The bytes of a pack depend on which thread found which delta, so objects are compared by id and
# size.
SCRIPT = f"""
set -euo pipefail
bash {workload("make_repository.sh")} 25
git log --stat --format='%H %T %an %ad %s' | cat
git repack -adfq --window=30
git branch side HEAD~10 && git merge-base main side
git diff --stat side main
git gc --quiet --aggressive --prune=now
git fsck --full --strict
git cat-file --batch-check --batch-all-objects
git rev-parse HEAD 'HEAD^{{tree}}'
git clone --quiet . copy && git -C copy ls-tree -r HEAD
"""


def main():
    suite = Suite()
    # Some hundred git processes run; 25 commits alone are 50 of them.
    suite.compare(
        "git init, add, commit, log, repack, gc, fsck, clone",
        ["bash", "-c", SCRIPT],
        prepare=lambda directory: need("git"),
        env={"GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"},
        outputs=["dir*/*"],
        timeout=120,
        processes=50,
    )
    suite.finish()


if __name__ == "__main__":
    main()
