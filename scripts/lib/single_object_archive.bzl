"""A rule that turns a cc_library, with all that it depends on, into one static archive for use outside Bazel."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _single_object_archive_impl(ctx):
    archives = []
    for linker_input in ctx.attr.library[CcInfo].linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            archive = library.pic_static_library or library.static_library
            if archive:
                archives.append(archive)

    toolchain = find_cpp_toolchain(ctx)
    linked = ctx.actions.declare_file(ctx.label.name + "_objects.o")
    arguments = ctx.actions.args()
    arguments.add_all(["-r", "-o", linked, "--whole-archive"])
    arguments.add_all(archives)
    ctx.actions.run(
        executable = toolchain.ld_executable,
        arguments = [arguments],
        inputs = depset(archives, transitive = [toolchain.all_files]),
        outputs = [linked],
        mnemonic = "MergeObjects",
    )
    ctx.actions.run(
        executable = toolchain.ar_executable,
        arguments = ["rcsD", ctx.outputs.archive.path, linked.path],
        inputs = depset([linked], transitive = [toolchain.all_files]),
        outputs = [ctx.outputs.archive],
        mnemonic = "ArchiveObject",
    )

single_object_archive = rule(
    implementation = _single_object_archive_impl,
    doc = """Writes lib<name>.a with one object in it.

One object, because a linker takes a static archive's objects one by one: a program must get either all of the
allocator's functions or none, never its malloc with the C library's calloc.
""",
    attrs = {
        "library": attr.label(mandatory = True, providers = [CcInfo]),
        "_cc_toolchain": attr.label(default = Label("@bazel_tools//tools/cpp:current_cc_toolchain")),
    },
    outputs = {"archive": "lib%{name}.a"},
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
