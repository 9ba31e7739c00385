# SPDX-License-Identifier: MIT
"""burrow.py: what the runtime knows, for gdb.

    (gdb) source userlib/gdb/burrow.py
    (gdb) burrow span ADDR [HEAP]	span, class, slot and state of an address

Gs are in burrow_sched.py, which may be there as well.

HEAP is a struct bw_mheap *, without it the heap of the process. Reads memory
alone and calls nothing, so it works on core dumps too; the library needs its
debug information.
"""
import gdb

PAGE_SHIFT = 13
ARENA_SHIFT = 26
ARENA_PAGES = 1 << (ARENA_SHIFT - PAGE_SHIFT)
UMETA_SHIFT = 22
U_OWNER = 3 << 20
NO_WINDOW = 0xff
STASH_SLOTS = 62
STASH_BYTES = 32768
TINY = 0

KINDS = ["noscan", "scan", "conservative", "manual", "stack"]
STATES = ["free", "spare", "owned", "cached", "partial", "full", "away",
          "large"]


def name(names, value):
    return names[value] if value < len(names) else "? (%d)" % value


def word_at(address):
    u64 = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(address).cast(u64).dereference())


def find_span(heap, address):
    """The struct bw_mspan that holds the address, or None and why."""
    off = address - int(heap["map"]["base"])
    if off < 0 or off >= int(heap["map"]["limit"]):
        return None, "in no arena of the heap"
    arena = off >> ARENA_SHIFT
    at = int(heap["map"]["umeta"]) + (arena << UMETA_SHIFT) + U_OWNER
    owner = word_at(at + 8 * ((off >> PAGE_SHIFT) % ARENA_PAGES))
    if not owner:
        return None, "in page %#x of the window, which is in no span" % (
            off >> PAGE_SHIFT)
    span = gdb.lookup_type("struct bw_mspan").pointer()
    return gdb.Value(owner).cast(span).dereference(), None


def process_heap():
    """The heap at the anchor (heap/anchor.h), whichever copy has it."""
    for anchor in ("(struct bw_anchor *)&bw_heap_anchor", "&'anchor.c'::own"):
        try:
            heap = gdb.parse_and_eval(anchor).dereference()["heap"]
            if int(heap):
                return heap
        except gdb.error:
            continue
    raise gdb.GdbError("the process has no heap yet, or no debug information")


def magazine(mag, nr=None):
    nr = int(mag["count"]) if nr is None else nr
    return [int(mag["slot"][i]) for i in range(nr)]


def at_hand(front, cls):
    """What a thread's front has of a class (malloc/front.h)."""
    bin_, slots = front["bin"][cls], []
    if int(bin_["low"]):
        nr = int(bin_["top"] - bin_["low"])
        slots += [int(bin_["low"][i + 1]) for i in range(nr)]
    if int(bin_["spare"]):
        slots += magazine(bin_["spare"])
    return slots


def in_magazine(slot, page):
    """Where malloc has this free slot, or None: it is a block."""
    try:
        cls = int(gdb.parse_and_eval("bw_pages.cls[%d]" % page))
        mag = gdb.parse_and_eval("bw_depot[%d].full" % cls)
    except gdb.error:
        return None
    while int(mag):
        if slot in magazine(mag):
            return "the depot"
        mag = mag["next"]
    before = gdb.selected_thread()
    where = None
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        try:
            if slot in at_hand(gdb.parse_and_eval("bw_front"), cls):
                where = "thread %d" % thread.num
        except gdb.error:
            continue
    before.switch()
    return where


def malloc_state(span, slot, bit_is_set):
    if not bit_is_set:
        return "free"
    where = in_magazine(slot, int(span["ref"]["page"]))
    return "free, in a magazine of " + where if where else "allocated"


def in_array(array, count, slot):
    return any(int(array[i + 1]) == slot for i in range(count))


def in_shelf(cache, spanclass, slot):
    """Is it in an array that is full (heap/shelf.c)? All have as many slots."""
    if spanclass >= cache["shelf"].type.range()[1] + 1:
        return False
    array = cache["shelf"][spanclass]["first"]
    while int(array):
        most = int(cache["stash"][spanclass]["size"])
        most = min(max(STASH_BYTES // most, 2), STASH_SLOTS)
        if in_array(array, most - most // 4, slot):
            return True
        array = array[STASH_SLOTS + 1].cast(array.type)
    return False


def stash_with(heap, span, slot):
    """Where the slot is in an mcache (heap/mcache.h), or None."""
    cache = heap["gc"]["caches"]
    spanclass = int(span["spanclass"])
    while int(cache):
        stash = cache["stash"][spanclass]
        if in_array(stash["low"], int(stash["top"] - stash["low"]), slot):
            return "in a stash of the mcache %#x" % int(cache)
        if in_shelf(cache, spanclass, slot):
            return "on a shelf of the mcache %#x" % int(cache)
        cache = cache["next"]
    return None


def slot_state(heap, span, index):
    """What stashes and bits say of a slot (M7, M8 of mcache.h, O1, O2 of mspan.h)."""
    word, bit = index // 64, 1 << index % 64
    window = int(span["window"]) & NO_WINDOW
    slot = int(span["base"]) + index * int(span["elem_size"])
    where = stash_with(heap, span, slot)
    if where:
        return "free, " + where
    if window == word:
        free = int(span["free_bits"]) & bit
        return "free, in the window" if free else "allocated, in the window"
    taken = int(span["alloc"][word]) & bit
    if int(span["state"]) == STATES.index("owned"):
        return malloc_state(span, slot, taken)
    if not taken:
        return "free"
    if int(span["freed"][word]) & bit:
        return "freed by another thread, not yet folded in"
    return "allocated"


def describe(heap, span, address):
    base, size = int(span["base"]), int(span["elem_size"])
    state, off = int(span["state"]), address - base
    yield "span   %#x, page %#x, %d pages, generation %d" % (
        base, int(span["ref"]["page"]), int(span["npages"]),
        int(span["ref"]["gen"]))
    yield "state  %s%s" % (name(STATES, state),
                           ", by the mcache %#x" % int(span["cache"])
                           if int(span["cache"]) else "")
    tiny = int(span["spanclass"]) == TINY and state != STATES.index("large")
    yield "class  %d: %d slots of %d bytes, %s%s%s" % (
        int(span["cls"]), int(span["nelems"]), size,
        name(KINDS, int(span["kind"])),
        ", blocks of tiny objects" if tiny and int(span["cls"]) else "",
        ", needs zeroing" if span["needzero"] else "")
    index = off // size if off >= 0 else -1
    if index < 0 or index >= int(span["nelems"]):
        yield "slot   none: between the slots and the ends of the span"
        return
    yield "slot   %d at %#x, byte %d of it: %s" % (
        index, base + index * size, off % size, slot_state(heap, span, index))


class BurrowSpan(gdb.Command):
    """burrow span ADDR [HEAP]: span, class, slot and state of an address."""

    def __init__(self):
        super().__init__("burrow span", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        args = gdb.string_to_argv(text)
        if len(args) not in (1, 2):
            raise gdb.GdbError("burrow span ADDR [HEAP]")
        address = int(gdb.parse_and_eval(args[0]).cast(
            gdb.lookup_type("unsigned long")))
        heap = gdb.parse_and_eval(args[1]) if len(args) > 1 else process_heap()
        span, why = find_span(heap.dereference(), address)
        if span is None:
            print("%#x is %s" % (address, why))
            return
        for line in describe(heap, span, address):
            print(line)


def prefix():
    """burrow is a word of several scripts: whoever comes first makes it."""
    try:
        gdb.execute("help burrow", to_string=True)
    except gdb.error:
        gdb.Command("burrow", gdb.COMMAND_DATA, prefix=True)


prefix()
BurrowSpan()
