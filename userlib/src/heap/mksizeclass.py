#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mksizeclass.py: writes sizeclass.c, the table of size classes.

    mksizeclass.py > sizeclass.c

Sizes are 8, 16 and multiples of 16 up to 1024, then of 128 up to 32 KiB, for
that is how the two-level table finds them. The powers of two are all there.
Between them classes are as few as keep the waste under a bound, and the bound
is the lowest for which 67 are enough.

The waste of a class is what a span of it cannot give to the objects that fit it
worst: those one step larger than the class below. It counts the tail of the span
too. A size is first rounded up to 16, which is alignment and not waste.
"""

PAGE = 8192
SMALL = 1024
LARGEST = 32768
NR = 68
MOST_OBJECTS = 1024


def fewest_objects(size):
    """A span should pay for the trip to get it."""
    return 16 if size <= 1024 else 8 if size <= 8192 else 2


def pages_of(size):
    """The span: the shortest with enough objects that wastes least of its
    tail; longer ones must earn it."""
    best = None
    for pages in range(1, 17):
        objects = pages * PAGE // size
        if objects > MOST_OBJECTS or objects < fewest_objects(size):
            continue
        tail = 1 - objects * size / (pages * PAGE)
        if best is None or tail < best[0] - 0.015:
            best = (tail, pages)
    return best[1]


def waste(below, size):
    pages = pages_of(size)
    return 1 - (pages * PAGE // size) * (below + 16) / (pages * PAGE)


def candidates(after, last):
    size = after
    while size < last:
        size += 16 if size < SMALL else 128
        yield size


def ladder(bound):
    """Fewest classes with no more waste than that, or None."""
    sizes = [8, 16]
    power = 32
    while power <= LARGEST:
        while sizes[-1] < power:
            fits = [c for c in candidates(sizes[-1], power)
                    if waste(sizes[-1], c) <= bound]
            if not fits:
                return None
            sizes.append(fits[-1])
        power *= 2
    return sizes


def choose():
    for tenths in range(10, 126):
        sizes = ladder(tenths / 1000)
        if sizes and len(sizes) <= NR - 1:
            break
    else:
        raise SystemExit("no ladder under 12.5 %")
    # What is left over halves the worst steps.
    while len(sizes) < NR - 1:
        worst = []
        for i in range(2, len(sizes)):
            for c in candidates(sizes[i - 1], sizes[i] - 1):
                if c < sizes[i]:
                    worst.append((max(waste(sizes[i - 1], c),
                                      waste(c, sizes[i])) -
                                  waste(sizes[i - 1], sizes[i]), i, c))
        sizes.insert(min(worst)[1], min(worst)[2])
    return sizes


def table(values, per_line):
    for at in range(0, len(values), per_line):
        print("\t" + ", ".join(str(v) for v in values[at:at + per_line]) + ",")


def main():
    sizes = choose()
    print("// SPDX-License-Identifier: MIT")
    print("/* sizeclass: written by mksizeclass.py; see sizeclass.h */")
    print('#include "sizeclass.h"\n')
    print("/* class\tsize\tpages\tobjects\twaste at most */")
    print("const struct bw_sizeclass bw_sizeclass[BURROW_NR_CLASSES] = {")
    below = 0
    for i, size in enumerate(sizes):
        pages = pages_of(size)
        objects = pages * PAGE // size
        if size > 16:
            note = "%4.1f%%" % (100 * waste(below, size))
        else:
            note = "    -"
        print("\t[%d] = { %d, %d, %d, %dU },\t/* %s */" %
              (i + 1, size, objects, pages, (2**32 + size - 1) // size, note))
        below = size
    print("};\n")

    def cls(n):
        return next(i + 1 for i, s in enumerate(sizes) if s >= n)

    small = [cls(max(8 * i, 1)) for i in range(SMALL // 8 + 1)]
    large = [cls(SMALL + 128 * i) for i in range((LARGEST - SMALL) // 128 + 1)]
    print("const u8 bw_class_by8[BW_SMALL_MAX / 8 + 1] = {")
    table(small, 16)
    print("};\n")
    print("const u8 bw_class_by128[(BW_OBJECT_MAX - BW_SMALL_MAX) / 128 + 1] = {")
    table(large, 16)
    print("};")


main()
