# SPDX-License-Identifier: MIT
"""burrow_sched.py: the Gs of a program, and what is on their stacks.

    (gdb) source userlib/gdb/burrow_sched.py
    (gdb) burrow gs                 every G: number, name, state
    (gdb) burrow g 7 bt             any command, on the stack of G 7
    (gdb) burrow g 7                from now on frame 1 is the innermost of G 7
    (gdb) burrow g off              and no longer

Reads memory alone and calls nothing, so it works on core dumps too; the library
needs its debug information. A G that is on a thread is looked at there. Of one
that is not, gdb is told (by an unwinder) that its innermost frame called the
innermost frame of the selected thread: frame 0 is the thread's, the G's begin
with 1.
"""
import gdb
import gdb.unwinder

STATES = ["free", "runnable", "running", "parked", "in a call"]
FREE, RUNNABLE, RUNNING, PARKED, BLOCKED = range(5)

# What bw_switch() leaves, from the lowest word on, and what is behind it.
FRAMES = {
    "i386:x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"],
                    "rsp", "rip", 56),
    "aarch64": (["x%d" % i for i in range(19, 30)] + ["pc"], "sp", "pc", 160),
}


def all_gs():
    """Every G that ever was, as struct bw_g values."""
    symbol = gdb.lookup_static_symbol("g_lists")
    if symbol is None:
        raise gdb.GdbError("there is no scheduler in this program, or it has "
                           "no debug information")
    pointer = gdb.lookup_type("struct bw_g").pointer()
    slab = symbol.value()["slab"]
    while int(slab):
        first = int(slab["g"].address)
        for i in range(int(slab["nr"])):
            at = first + i * pointer.target().sizeof
            yield gdb.Value(at).cast(pointer).dereference()
        slab = slab["next"]


def live_gs():
    gs = [g for g in all_gs() if int(g["state"]) != FREE]
    return sorted(gs, key=lambda g: int(g["id"]))


def text_at(pointer):
    try:
        return pointer.string() if int(pointer) else ""
    except gdb.error:
        return "?"


def name_of(function):
    """The function, or as much of its address as can be said."""
    symbol = gdb.execute("info symbol %d" % int(function), to_string=True)
    return symbol.split(" in section")[0].strip() if " in section" in symbol \
        else "%#x" % int(function)


def thread_of(g):
    """The thread that a G is on; None: it is not there."""
    tid = int(g["m"]["rest"]["tid"])
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid or thread.ptid[2] == tid:
            return thread
    return None


def on_thread(g):
    return int(g["state"]) in (RUNNING, BLOCKED) or int(g["bare"])


def line_of(g):
    state, name = int(g["state"]), text_at(g["name"])
    said = "G %d" % int(g["id"])
    if name:
        said += " '%s'" % name
    said += " " + STATES[state] if state < len(STATES) else " ? %d" % state
    if state == PARKED and int(g["reason"]):
        said += " (%s)" % text_at(g["reason"])
    if on_thread(g):
        thread = thread_of(g)
        said += " on thread %s" % (thread.num if thread else "?")
    if not int(g["bare"]):
        return said + ", started with " + name_of(g["fn"])
    return said + ", a thread of its own"


class FrameId:
    """What create_unwind_info() wants to know a frame by."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class OtherStack(gdb.unwinder.Unwinder):
    """The caller of the selected thread's innermost frame is a G's."""

    def __init__(self):
        super().__init__("burrow-g")
        self.frame = None
        self.real = None

    def to(self, g):
        self.off()
        frame = gdb.newest_frame()
        names, sp, pc, _ = FRAMES[frame.architecture().name()]
        self.real = (int(frame.read_register(sp)), int(frame.read_register(pc)))
        self.frame = int(g["sp"])
        gdb.invalidate_cached_frames()

    def off(self):
        if self.frame is not None:
            self.frame = None
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        arch = pending.architecture().name()
        if self.frame is None or arch not in FRAMES:
            return None
        names, sp, pc, size = FRAMES[arch]
        here = pending.read_register(sp), pending.read_register(pc)
        if (int(here[0]), int(here[1])) != self.real:
            return None
        info = pending.create_unwind_info(FrameId(here[0], here[1]))
        memory = gdb.selected_inferior()
        for i, name in enumerate(names):
            word = bytes(memory.read_memory(self.frame + 8 * i, 8))
            self.save(pending, info, name, int.from_bytes(word, "little"))
        self.save(pending, info, sp, self.frame + size)
        return info

    @staticmethod
    def save(pending, info, name, value):
        kind = pending.read_register(name).type
        info.add_saved_register(name, gdb.Value(value).cast(kind))


OTHER = OtherStack()
gdb.unwinder.register_unwinder(None, OTHER, replace=True)
gdb.events.cont.connect(lambda event: OTHER.off())


def without_frame_0(text):
    """A backtrace from frame 1 on."""
    lines = text.splitlines(True)
    first = [i for i, line in enumerate(lines) if line.startswith("#1 ")]
    return "".join(lines[first[0]:]) if first else text


def run_there(g, command):
    """A command with the G's innermost frame selected."""
    if on_thread(g):
        thread, before = thread_of(g), gdb.selected_thread()
        if thread is None:
            raise gdb.GdbError("its thread is not to be found")
        thread.switch()
        try:
            gdb.execute(command)
        finally:
            before.switch()
        return
    OTHER.to(g)
    try:
        gdb.execute("frame 1", to_string=True)
        text = gdb.execute(command, to_string=True)
        if command.split()[0] in ("bt", "backtrace", "where"):
            text = without_frame_0(text)
        gdb.write(text)
    finally:
        OTHER.off()


class Gs(gdb.Command):
    """burrow gs: every G, its name and what it does."""

    def __init__(self):
        super().__init__("burrow gs", gdb.COMMAND_STACK)

    def invoke(self, text, from_tty):
        gs = live_gs()
        for g in gs:
            print(line_of(g))
        print("%d Gs" % len(gs))


class G(gdb.Command):
    """burrow g ID [COMMAND], burrow g off: look at the stack of a G."""

    def __init__(self):
        super().__init__("burrow g", gdb.COMMAND_STACK)

    def invoke(self, text, from_tty):
        words = text.split(None, 1)
        if words == ["off"]:
            OTHER.off()
            return
        if not words or not words[0].isdigit():
            raise gdb.GdbError("burrow g ID [COMMAND], or burrow g off")
        found = [g for g in live_gs() if int(g["id"]) == int(words[0])]
        if not found:
            raise gdb.GdbError("there is no G %s" % words[0])
        if not on_thread(found[0]) and not int(found[0]["stack"]):
            raise gdb.GdbError("G %s has not run yet" % words[0])
        if len(words) == 2:
            run_there(found[0], words[1])
        elif on_thread(found[0]):
            thread = thread_of(found[0])
            if thread is None:
                raise gdb.GdbError("its thread is not to be found")
            thread.switch()
            gdb.execute("frame")
        else:
            OTHER.to(found[0])
            gdb.execute("frame 1")


def prefix():
    """burrow is a word of several scripts: whoever comes first makes it."""
    try:
        gdb.execute("help burrow", to_string=True)
    except gdb.error:
        type("Burrow", (gdb.Command,), {"__doc__": "What burrow knows."})(
            "burrow", gdb.COMMAND_DATA, prefix=True)


prefix()
Gs()
G()
