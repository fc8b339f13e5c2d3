"""What a whole test needs of the limits of its process, as tags that scripts/ulimit-suite reads: see docs/testing.md."""

def needs_memory(size, why):
    """For a test that has `size` (512M, 1G) mapped and writable at once; `why` names what takes it."""
    return [
        "needs_address_space=%s: %s" % (size, why),
        "needs_data=%s: %s" % (size, why),
    ]

def needs_address_space(size, why):
    return ["needs_address_space=%s: %s" % (size, why)]

def needs_data(size, why):
    return ["needs_data=%s: %s" % (size, why)]

def needs_free_hint(why):
    """For a test that cannot be where the cell preloads a library that takes the arena's first address."""
    return ["needs_free_hint: " + why]

def needs_stack(size, why):
    return ["needs_stack=%s: %s" % (size, why)]
