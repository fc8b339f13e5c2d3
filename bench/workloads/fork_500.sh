#!/bin/bash
# A shell script that forks 500 times: command substitutions, pipelines, background jobs, programs.
set -euo pipefail

sum=0
for ((i = 0; i < 200; i++)); do   # 200 subshells
  part=$(words=("${BASH_VERSION%%.*}" alpha beta "$i"); echo "${#words[@]}$i")
  sum=$((sum + part))
done
echo "substitutions $sum"

lines=0
for ((i = 0; i < 50; i++)); do    # 100: both sides of each pipeline
  lines=$((lines + $(printf '%s\n' a b c d "$i" | wc -l)))
done
echo "pipelines $lines"

for ((i = 0; i < 100; i++)); do   # 100 background jobs
  (text=$(printf '%*s' "$((i * 10))" ''); exit $((${#text} % 7))) &
  wait "$!" && failed=0 || failed=$?
  sum=$((sum + failed))
done
echo "background $sum"

for ((i = 0; i < 100; i++)); do   # 100 programs
  /bin/true
done
echo "programs done"
