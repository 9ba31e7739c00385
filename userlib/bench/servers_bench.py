#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""servers_bench.py EXAMPLES OUT GO [-r ROUNDS] [--json FILE] [ROW...]

Servers under the same client, in turns, each started anew for each round: kvd and
redis-server under redis-benchmark; httpd, Go's net/http and nginx under wrk. On one
CPU the server has the first, the client the second; on two both have both. A row is
get:1:2, get with one request at a time on two CPUs; set:16:1; hello:1 is httpd's.

A line for each server: requests a second, ours to it, the 99th percentile in ms,
microseconds of the server's CPU time a request, MiB resident at the end (bench.py says
how). BENCH_REQUESTS is how many redis-benchmark makes, 60000; four times as many where
they come several at a time.
"""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

from bench import Bench, told

TICK = os.sysconf("SC_CLK_TCK")
CONNS = 50
KEYS = 100000
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "60000"))
ROWS = [f"{what}:{depth}:{cpus}" for what in ("get", "set") for depth in (1, 16)
        for cpus in (1, 2)] + ["hello:1", "hello:2"]
# Of requests a second: at least so much of theirs, on one CPU and on two.
GOALS = {"redis-server": (1.0, 1.5), "go": (1.3, 1.3)}
# What once() returns, and whether more is better.
FIGURES = (("requests/s", "1/s", True), ("p99", "ms", False),
           ("CPU time a request", "us", False), ("resident", "MiB", False))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nginx(port, cpus):
    conf = os.path.abspath(os.path.join(args.out, "nginx.conf"))
    with open(conf, "w", encoding="ascii") as f:
        f.write("""daemon off; worker_processes %d; pid %s.pid; error_log /dev/null;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; default_type text/plain;
 server { listen 127.0.0.1:%d; location / { return 200 "Hello, world\\n"; } } }
""" % (cpus, conf, port))
    return ["nginx", "-c", conf]


def command(name, port, cpus):
    if name == "redis-server":
        return [name, "--port", str(port), "--save", "", "--appendonly", "no"]
    if name == "nginx":
        return nginx(port, cpus)
    if name == "go":
        return [args.go.split("=", 1)[1]]
    return [os.path.join(args.examples, name), "-p", str(port)]


class Server:
    """A server on so many CPUs."""

    def __init__(self, name, cpus):
        self.port = free_port()
        env = dict(os.environ, BURROW_PROCS=str(cpus), GOMAXPROCS=str(cpus))
        self.p = subprocess.Popen(
            ["taskset", "-c", "0" if cpus == 1 else "0,1"] +
            command(name, self.port, cpus), env=env,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if name == "go":
            self.port = int(self.p.stdout.readline().split(":")[-1])
        for _ in range(1000):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)
        raise SystemExit("%s does not answer" % name)

    def pids(self):
        kids = "/proc/%d/task/%d/children" % (self.p.pid, self.p.pid)
        with open(kids, encoding="ascii") as f:
            return [self.p.pid] + [int(x) for x in f.read().split()]

    def cpu(self):
        """Seconds, of all its processes."""
        total = 0
        for pid in self.pids():
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                words = f.read().rsplit(")", 1)[1].split()
            total += int(words[11]) + int(words[12])
        return total / TICK

    def mib(self):
        total = 0
        for pid in self.pids():
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        return total / 1024

    def end(self):
        self.p.terminate()
        self.p.wait()


def ask_redis(server, pin, n, what, depth):
    said = subprocess.run(
        pin + ["redis-benchmark", "-p", str(server.port), "-n", str(n), "-c",
               str(CONNS), "-P", str(depth), "-r", str(KEYS), "-d", "64",
               "--csv", "-t", what],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True).stdout
    return [w.strip('"') for w in said.strip().splitlines()[-1].split(",")]


def redis_benchmark(server, pin, what, depth):
    """Most of what is asked for is there."""
    if what == "get":
        ask_redis(server, pin, 2 * KEYS, "set", 16)
    was = server.cpu()
    n = REQUESTS * (4 if int(depth) > 1 else 1)
    words = ask_redis(server, pin, n, what, depth)
    return float(words[1]), float(words[6]), (server.cpu() - was) / n * 1e6


def wrk(server, pin):
    was = server.cpu()
    said = subprocess.run(
        pin + ["wrk", "-t1", "-c%d" % CONNS, "-d1", "--latency",
               "http://127.0.0.1:%d/" % server.port],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    scale = {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    n = int(re.search(r"(\d+) requests in", said).group(1))
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)),
            float(p99.group(1)) * scale, (server.cpu() - was) / n * 1e6)


def once(name, what, depth, cpus):
    server = Server(name, cpus)
    pin = ["taskset", "-c", "1" if cpus == 1 else "0,1"]
    got = wrk(server, pin) if what == "hello" else \
        redis_benchmark(server, pin, what, depth)
    got += (server.mib(),)
    server.end()
    return got


def is_here(name):
    return name in ("kvd", "httpd") or (name == "go" and args.go) or \
        shutil.which(name)


def row(bench, name):
    if name not in ROWS:
        sys.exit(f"{name}: there is no such row; there are {' '.join(ROWS)}")
    what, depth, cpus = name.split(":")[0], name.split(":")[1], int(name[-1])
    names = ["httpd", "go", "nginx"] if what == "hello" else \
        ["kvd", "redis-server"]
    got = bench.turns([n for n in names if is_here(n)],
                      lambda who: once(who, what, depth, cpus))
    goals = {who: goal[cpus - 1] for who, goal in GOALS.items()}
    for i, (figure, unit, more) in enumerate(FIGURES):
        ratios = bench.compare(
            name, unit, {k: [x[i] for x in v] for k, v in got.items()}, figure,
            None if i else goals, more)
        if not i:
            rates = ratios
    for who, values in got.items():
        rate, p99, cpu, mib = (statistics.median(x[i] for x in values)
                               for i in range(4))
        print(f"{name:9} {who:13} {rate:9.0f}/s  p99 {p99:6.2f} ms  "
              f"{cpu:6.2f} us CPU  {mib:6.1f} MiB  " +
              (told(who, rates[who], goals.get(who), True)
               if who in rates else ""), flush=True)


def main():
    bench = Bench(__doc__, positional=("examples", "out", "go"))
    global args
    args = bench.args
    for name in ("redis-server", "go", "nginx"):
        if not is_here(name):
            print(f"# {name} is not here")
    tool = {"hello": "wrk", "get": "redis-benchmark", "set": "redis-benchmark"}
    for name in bench.each(ROWS):
        client = tool.get(name.split(":")[0])
        if client and not shutil.which(client):
            print(f"# {name}: {client} is not here")
        else:
            row(bench, name)


main()
