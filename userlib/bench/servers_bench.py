#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""servers_bench.py EXAMPLES OUT GO [-r ROUNDS] [-n REQUESTS]

Servers under the same client, in turns, each started anew for each round: kvd and
redis-server under redis-benchmark; httpd, Go's net/http and nginx under wrk. On one
CPU the server has the first, the client the second; on two both have both. A line for
each: requests a second and their ratio to the first server's of the same round, the
99th percentile in ms, microseconds of the server's CPU time a request, and MiB
resident at the end; medians, and the spread of the ratio.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

p = argparse.ArgumentParser()
p.add_argument("examples")
p.add_argument("out")
p.add_argument("go")
p.add_argument("-r", type=int, default=5)
p.add_argument("-n", type=int, default=60000)
a = p.parse_args()

TICK = os.sysconf("SC_CLK_TCK")
CONNS = 50


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nginx(port, cpus):
    conf = os.path.abspath(os.path.join(a.out, "nginx.conf"))
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
        return [a.go.split("=", 1)[1]]
    return [os.path.join(a.examples, name), "-p", str(port)]


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


def redis_benchmark(server, row, pin):
    what, depth = row
    n = a.n * (4 if depth > 1 else 1)
    said = subprocess.run(
        pin + ["redis-benchmark", "-p", str(server.port), "-n", str(n), "-c",
               str(CONNS), "-P", str(depth), "-r", "100000", "-d", "64",
               "--csv", "-t", what],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True).stdout
    words = [w.strip('"') for w in said.strip().splitlines()[-1].split(",")]
    return n, float(words[1]), float(words[6])


def wrk(server, row, pin):
    said = subprocess.run(
        pin + ["wrk", "-t1", "-c%d" % CONNS, "-d1", "--latency",
               "http://127.0.0.1:%d/" % server.port],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    scale = {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    return (int(re.search(r"(\d+) requests in", said).group(1)),
            float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)),
            float(p99.group(1)) * scale)


def once(name, cpus, client, row):
    server = Server(name, cpus)
    pin = ["taskset", "-c", "1" if cpus == 1 else "0,1"]
    was = server.cpu()
    n, rate, p99 = client(server, row, pin)
    cpu = (server.cpu() - was) / n * 1e6
    got = (rate, p99, cpu, server.mib())
    server.end()
    return got


def there(names):
    for name in names:
        if name in ("kvd", "httpd") or (name == "go" and a.go) or \
           shutil.which(name):
            yield name
        else:
            print("# %s is not here" % name)


def compare(title, names, client, row):
    for cpus in (1, 2):
        got = {n: [] for n in names}
        for _ in range(a.r):
            for n in names:
                got[n].append(once(n, cpus, client, row))
        for n in names:
            # how much more the first does than this one
            ratio = sorted(f[0] / x[0] for f, x in zip(got[names[0]], got[n]))
            med = [statistics.median(x[i] for x in got[n]) for i in range(4)]
            print("%-9s %d CPU %-13s %9.0f/s  %5.2f (%.2f to %.2f)  "
                  "p99 %6.2f ms  %6.2f us CPU  %6.1f MiB" %
                  (title, cpus, n, med[0], statistics.median(ratio), ratio[0],
                   ratio[-1], med[1], med[2], med[3]), flush=True)


print("# row, CPUs, server, requests a second, the first server's ratio to it, ...")
stores = list(there(["kvd", "redis-server"]))
if shutil.which("redis-benchmark"):
    for what in ("get", "set"):
        for depth in (1, 16):
            compare("%s:%d" % (what, depth), stores, redis_benchmark,
                    (what, depth))
else:
    print("# redis-benchmark is not here")
if shutil.which("wrk"):
    compare("hello", list(there(["httpd", "go", "nginx"])), wrk, None)
else:
    print("# wrk is not here")
