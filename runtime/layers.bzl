"""The layers of the runtime library, from the bottom up."""

LAYERS = [
    "os",
    "guard",
    "mapping",
    "growable",
    "prefault",
    "api",
    "command",
]

# Unlike the allocator it may use the standard library; hidden symbols, since it is linked into programs.
COPTS = ["-fvisibility=hidden"]

def runtime_layer(name, **kwargs):
    """The library of the layer in this package.

    Args:
      name: the name of the layer and of its folder.
      **kwargs: srcs, hdrs, deps and so on, as for cc_library. A dep without "//" or ":" is a layer.
    """
    above = LAYERS[LAYERS.index(name) + 1:]
    deps = [d if "/" in d or ":" in d else "//runtime/" + d for d in kwargs.pop("deps", [])]
    native.cc_library(
        name = name,
        copts = COPTS,
        linkstatic = True,
        # Files and reservations of many gigabytes: what a 32-bit program could map of them is not worth it.
        tags = ["only-64-bits"],
        deps = deps,
        visibility = ["//runtime/%s:__pkg__" % layer for layer in above] + [
            "//runtime:__pkg__",
            "//tests:__subpackages__",
            "//bench:__subpackages__",
        ],
        **kwargs
    )
