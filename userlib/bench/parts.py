# SPDX-License-Identifier: MIT
"""parts: what make bench consists of. Each is a target of make that measures."""


class Part:
    """
    @target, @variable: make @target @variable='WORDS...' has it measured; the words
    are options and rows.
    @says: what it is, in a sentence.
    @quick: rows of QUICK=1; @options: more words, (of QUICK, of a whole run).
    @seconds: how long it takes on an idle machine, (QUICK, whole): a first guess.
    """

    def __init__(self, name, target, variable, says, quick, seconds,
                 rounds=(3, 7), options=("", "")):
        self.name, self.target, self.variable = name, target, variable
        self.says, self.quick, self.seconds = says, quick.split(), seconds
        self.rounds, self.options = rounds, options

    def words(self, path, quick, rows):
        """What the script is given; its lines go to @path."""
        which = 0 if quick else 1
        words = ["-r", str(self.rounds[which]), "--json", path]
        words += self.options[which].split()
        return words + (rows or (self.quick if quick else []))


PARTS = [
    Part("alloc", "bench-alloc", "BENCH_ALLOC",
         "bw_alloc() and bw_free(), and objects that are left to the collector, "
         "beside Go's new, bdwgc and mimalloc.",
         "pairs:64 ring:64 bulk-order:64 bulk-random:64", (24, 270)),
    Part("malloc", "bench-malloc", "BENCH_MALLOC",
         "malloc() and free() of a preloaded libburrow-malloc beside glibc, "
         "mimalloc, jemalloc and tcmalloc.",
         "pairs:64 mixed:1024 calloc:4096 bulk-random:64 churn:1024 handover:64 "
         "larson:500", (10, 110)),
    Part("gc", "bench-gc-peers", "BENCH_GC",
         "Whole programs of a collector beside Go and bdwgc. hybrid is burrow "
         "that marks while the program runs; floor has no collector.",
         "trees:16 gcbench map:16 live:256:5000000", (20, 900)),
    Part("sched", "bench-sched-peers", "BENCH_SCHED",
         "Gs beside goroutines, fibers of boost.fiber and threads.",
         "create:1 yield:1 ping:1 fan:2 skynet:2 wake:2 timer-start:1",
         (12, 400)),
    Part("lang", "bench-lang", "BENCH_LANG",
         "Channels, select and locks beside Go's.",
         "buffer:1 ping:1 spsc128:1 mpmc1:2 try4:1 ready4:1 wait4:1 lock:1 "
         "fight:2 group:1", (10, 170)),
    Part("map", "bench-map", "BENCH_MAP",
         "Maps and slices beside Go's, boost's, absl's and the C++ library's.",
         "u64:1000 u64:1000000 string:1000", (12, 85)),
    Part("time", "bench-time", "BENCH_TIME",
         "What timers and stops of the world cost, and how late they are.",
         "time:2 stop:2", (9, 28)),
    Part("net", "bench-net", "BENCH_NET",
         "Echo servers with many connections beside a bare epoll loop and Go.",
         "100:1 1000:2", (20, 115)),
    Part("curves", "bench-curves", "BENCH_CURVES",
         "Cost against heap size and number of Gs, memory over time, and how long "
         "what is seldom takes. hybrid is burrow that marks while the program runs.",
         "heap:16 heap:128 gs:1000 gs:100000 memory:16 tail:128", (21, 400)),
    Part("servers", "bench-servers", "BENCH_SERVERS",
         "kvd beside redis-server, httpd beside Go's net/http and nginx, with the "
         "client on the same machine.",
         "get:16:2 set:1:1 hello:1 hello:2", (43, 140)),
    Part("programs", "bench-programs", "BENCH_PROGRAMS",
         "Whole programs: a compiler and SQLite with a malloc preloaded, "
         "binary-trees, kvd and httpd.",
         "sqlite compile", (24, 130)),
    Part("vm", "bench-vm", "BENCH_VM",
         "Kernel mode beside user mode, and the module's calls beside mainline's, "
         "in emulated guests: instructions, and ratios where there are two CPUs.",
         "", (20, 370)),
]

BY_NAME = {part.name: part for part in PARTS}
