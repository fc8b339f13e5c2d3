#!/bin/bash
# Makes a git repository in the current directory: 500 files, then a number of commits that change
# some. Names, contents and dates are fixed, so that every object id is the same on every run.
# Usage: make_repository.sh COMMITS
set -euo pipefail
commits=${1:?usage: make_repository.sh COMMITS}
[[ -z $(ls -A) ]] || { echo "make_repository.sh: $PWD is not empty" >&2; exit 2; }

export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org

git init --quiet --initial-branch=main .
git config gc.auto 0
git config pack.threads 2

for ((i = 0; i < 500; i++)); do
  ((i % 25 != 0)) || mkdir -p "dir$((i / 25))"
  file="dir$((i / 25))/file$i.txt"
  for ((j = 0; j < 40; j++)); do
    echo "line $j of file $i: $((i * j * 7919 % 100003))"
  done > "$file"
done

for ((n = 0; n < commits; n++)); do
  for ((k = 0; k < 12; k++)); do
    i=$(((n * 37 + k * 41) % 500))
    echo "commit $n changes file $i $((n * i % 977))" >> "dir$((i / 25))/file$i.txt"
  done
  git add .
  date="$((1700000000 + n * 60)) +0000"
  GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date git commit --quiet -m "commit $n"
done
