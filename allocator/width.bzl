"""What is built for which width of addresses."""

# As tags of a target that has no 32-bit form: programs of the distribution, libraries that are installed for 64 bits
# only. --config=i386 leaves them out, and scripts/test says which.
ONLY_64_BITS = ["only-64-bits"]
