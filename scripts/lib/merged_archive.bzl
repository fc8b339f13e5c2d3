"""A rule that turns cc_libraries, with all that they depend on, into one static archive for use outside Bazel."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _archives_of(library):
    archives = []
    for linker_input in library[CcInfo].linking_context.linker_inputs.to_list():
        for library_to_link in linker_input.libraries:
            archive = library_to_link.pic_static_library or library_to_link.static_library
            if archive:
                archives.append(archive)
    return archives

def _merged_archive_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    merged = []
    objects = []
    for library in ctx.attr.libraries:
        archives = [archive for archive in _archives_of(library) if archive not in merged]
        merged.extend(archives)
        linked = ctx.actions.declare_file("%s_%s.o" % (ctx.label.name, library.label.name))
        objects.append(linked)
        arguments = ctx.actions.args()
        arguments.add_all(ctx.attr.linker_flags + ["-r", "-o", linked, "--whole-archive"])
        arguments.add_all(archives)
        ctx.actions.run(
            executable = toolchain.ld_executable,
            arguments = [arguments],
            inputs = depset(archives, transitive = [toolchain.all_files]),
            outputs = [linked],
            mnemonic = "MergeObjects",
        )
        if ctx.attr.local_symbols:
            private = ctx.actions.declare_file("%s_%s.private.o" % (ctx.label.name, library.label.name))
            arguments = ctx.actions.args()
            arguments.add("--wildcard")
            arguments.add_all(ctx.attr.local_symbols, format_each = "--localize-symbol=%s")
            arguments.add_all([linked, private])
            ctx.actions.run(
                executable = toolchain.objcopy_executable,
                arguments = [arguments],
                inputs = depset([linked], transitive = [toolchain.all_files]),
                outputs = [private],
                mnemonic = "HideSymbols",
            )
            objects[-1] = private
    ctx.actions.run(
        executable = toolchain.ar_executable,
        arguments = ["rcsD", ctx.outputs.archive.path] + [linked.path for linked in objects],
        inputs = depset(objects, transitive = [toolchain.all_files]),
        outputs = [ctx.outputs.archive],
        mnemonic = "ArchiveObject",
    )

merged_archive = rule(
    implementation = _merged_archive_impl,
    doc = """Writes lib<name>.a with one object for each library: what it has beyond the libraries before it.

As few objects as can be, because a linker takes a static archive's objects one by one: a program must get either all of
the allocator's functions or none, never its malloc with the C library's calloc. And not fewer: operator new, in an
object of its own, needs the C++ runtime, which a C program has not.
""",
    attrs = {
        "linker_flags": attr.string_list(),
        "local_symbols": attr.string_list(doc = """Patterns of symbols for the archive's own use, which another archive in
the same program may also define. One object for each library, so only those that the others do not need."""),
        "libraries": attr.label_list(mandatory = True, providers = [CcInfo]),
        "_cc_toolchain": attr.label(default = Label("@bazel_tools//tools/cpp:current_cc_toolchain")),
    },
    outputs = {"archive": "lib%{name}.a"},
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
