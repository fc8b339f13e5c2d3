"""Stand-in for rules_cc: hands on the rules that are built into Bazel.

Debian's rules_cc needs a newer Bazel than Debian's Bazel 4.2.3, and Bazel's own packages load this file.
Delete it, and point WORKSPACE at the packaged rules_cc, once the two fit together again.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
objc_import = native.objc_import
objc_library = native.objc_library
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
