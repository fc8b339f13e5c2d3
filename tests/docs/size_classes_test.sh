#!/usr/bin/env bash
# docs/size_classes.md is what the generator prints. $1: the generator, $2: the document.
set -euo pipefail
if diff <("$1") "$2"; then
  echo "PASS: docs/size_classes.md"
else
  echo "FAIL: docs/size_classes.md: run: bazel run //allocator/arena:size_class_table > docs/size_classes.md"
  exit 1
fi
