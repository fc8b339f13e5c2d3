"""The layers of the allocator: one library for each, which only those above it may use."""

# From the bottom up. A layer may include what stands before it; Bazel enforces it by visibility.
LAYERS = [
    "base",
    "os",
    "arena",
    "pages",
    "page_heap",
    "central",
    "thread_cache",
    "heap",
    "fast_path",
    "api",
]

# No exceptions and no type information: nothing here throws. Hidden symbols: calls within the library
# go straight, and only the entry points are exported. No stack protector on the fast path; the
# arrays on the stack are those of Report, which checks its bounds.
COPTS = [
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-fvisibility=hidden",
    "-fno-stack-protector",
]

def layer(name, **kwargs):
    """The library of the layer in this package.

    Args:
      name: the name of the layer and of its folder.
      **kwargs: srcs, hdrs, deps and so on, as for cc_library. A dep without "//" is a layer.
    """
    above = LAYERS[LAYERS.index(name) + 1:]
    deps = [d if "/" in d or ":" in d else "//allocator/" + d for d in kwargs.pop("deps", [])]
    native.cc_library(
        name = name,
        copts = COPTS + kwargs.pop("copts", []),
        linkstatic = True,
        deps = deps,
        visibility = ["//allocator/%s:__pkg__" % layer for layer in above] + [
            "//allocator:__pkg__",
            "//tests:__subpackages__",
            "//bench:__subpackages__",
        ] + (["//runtime:__subpackages__"] if name == "base" else []),
        **kwargs
    )
