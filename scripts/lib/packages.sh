# The Debian 12 packages that the commands in scripts/ need: one list per purpose, nowhere else.
# Sourced by the commands; sets arrays and does nothing.
# shellcheck shell=bash

# shellcheck disable=SC2034  # the arrays are used by whoever sources this file

# Building libprairie.so: Bazel 4.2.3 with what it would otherwise download, and the compiler.
packages_build=(bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto g++)

# Building the unit tests and the benchmarks, and counting results. Asio for the tests of prefault; Boost and LMDB are
# what the benchmarks of mapped files compare with.
packages_test_build=(libasio-dev libbenchmark-dev libboost-dev libboost-iostreams-dev libgmock-dev libgtest-dev
  liblmdb-dev python3)

# The real programs that the integration tests run.
# redis-tools without redis-server: that package starts a service, and the server is the same file as redis-check-rdb.
packages_test_programs=(git lua5.4 nodejs perl qemu-user redis-tools sqlite3 tar valgrind xz-utils)

# The demonstration of scripts/run.
packages_demonstration=(python3)

# The second compiler (--config=clang).
packages_clang=(clang)

# 32-bit programs (--config=i386).
packages_i386=(g++-multilib)

# scripts/lint.
packages_lint=(clang-format clang-tidy python3)

# The allocators that the benchmarks compare with, the programs that only they run, and their plots.
packages_bench=(ghostscript libjemalloc2 libmimalloc2.0 libtbbmalloc2 libtcmalloc-minimal4 python3-matplotlib ruby z3)

# scripts/limits-matrix: the programs that it starts under limits, and what counts mapping calls.
packages_limits=(perl python3 sqlite3 strace)
