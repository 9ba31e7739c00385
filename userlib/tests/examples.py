#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples.py BUILD [httpd|kvd]: what the examples print; httpd and kvd, each reply.

Prints TAP. The servers run as they are built, and under the address and the thread
sanitizer. wrk, redis-cli and redis-benchmark are used where they are installed. One
server by its name is tried as it is built, and nothing else.
"""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

build = sys.argv[1]
only = sys.argv[2] if len(sys.argv) > 2 else None
nr, bad = 0, 0
LONG = 120

# Program and arguments, what it prints.
PRINTS = [
    ("pipeline", "the sum of n * n + 1 up to 100 is 338450\n"),
    ("sieve 12", "2 3 5 7 11 13 17 19 23 29 31 37\n"),
    ("timeouts", "asked: the answer is 42\nnobody answers: timed out\n"
     "somebody gave up: cancelled\ntick 1\ntick 2\ntick 3\n"
     "nothing at once: nothing\n"),
    ("workers", "0 1 7 2 5 8 16 3 19 6 14 9 9 17 17 4 12 20 20 7\n"
     "all well: yes; with a bad one: Input/output error\n"),
    ("connpool_demo", "100 users: all served, never more than 3 open: true\n"
     "one more, while all are in use: Connection timed out\n"
     "kept open: 2\nopen when those were too old: 1\n"),
    ("lru", "2 makes room\n3 makes room\n1: 1\n2: -1\n3: -1\n4: 16\n5: 25\n"),
    ("ring 50 20", None),
    ("fanin 5 3", "3 receivers got 2502500\n"),
    ("trees 10", None),
    ("hello", None),
]


def tell(sentence, problem="", skip=None):
    global nr, bad
    nr += 1
    if problem:
        bad += 1
        for line in str(problem).splitlines()[:20]:
            print("#", line)
    print("%sok %d - %s%s" % ("not " if problem else "", nr, sentence,
                              " # SKIP " + skip if skip else ""))
    sys.stdout.flush()


def prints(command, want):
    r = subprocess.run([os.path.join(build, "examples", command.split()[0])]
                       + command.split()[1:], stdout=subprocess.PIPE,
                       timeout=LONG, text=True, check=False)
    problem = "" if not r.returncode else "status %d" % r.returncode
    # fanin may say before that it is still waiting
    if want is not None and not r.stdout.endswith(want):
        problem += " it printed:\n" + r.stdout
    tell("%s prints what it says" % command.split()[0], problem)


class Server:
    """A server, and what it said on standard error when it was ended."""

    def __init__(self, path):
        self.p = subprocess.Popen([path, "-p", "0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split(":")[-1])

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), LONG)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def end(self):
        early = self.p.poll()
        self.p.terminate()
        said = self.p.communicate(timeout=LONG)[1]
        if early is not None:
            return "it had ended: %s %s" % (early, said)
        return said


def read_exactly(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(min(65536, n - len(got)))
        if not more:
            break
        got += more
    return got


def read_all(s):
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


def request(*words):
    out = b"*%d\r\n" % len(words)
    for w in words:
        w = w if isinstance(w, bytes) else str(w).encode()
        out += b"$%d\r\n%s\r\n" % (len(w), w)
    return out


def bulk(value):
    if value is None:
        return b"$-1\r\n"
    value = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(value), value)


OK = b"+OK\r\n"
NOT_INT = b"-ERR value is not an integer or out of range\r\n"
SYNTAX = b"-ERR syntax error\r\n"


def wrong(name):
    return b"-ERR wrong number of arguments for '%s' command\r\n" % name


# Request, reply; the next sees what the one before did.
KVD = [
    (request("FLUSHALL"), OK),
    (request("PING"), b"+PONG\r\n"),
    (request("ping", "hi"), bulk("hi")),
    (request("PING", 1, 2), wrong(b"ping")),
    (request("ECHO", b"\0\r\n\xff"), bulk(b"\0\r\n\xff")),
    (b"PING\r\n", b"+PONG\r\n"),
    (b"\r\n  \r\nPING\n", b"+PONG\r\n"),
    (b"SET i \"a b\\n\\x41\" \r\n", OK),
    (b"get 'i'\r\n", bulk("a b\nA")),
    (request(), b""),
    (b"*-1\r\n", b""),
    (request("DEL", "i"), b":1\r\n"),
    (request("GET", "k"), bulk(None)),
    (request("SET", "k", "v"), OK),
    (request("GET", "k"), bulk("v")),
    (request("SET", "k", ""), OK),
    (request("GET", "k"), bulk("")),
    (request("SET", "k", "w", "NX"), bulk(None)),
    (request("SET", "new", "w", "XX"), bulk(None)),
    (request("SET", "new", "w", "NX"), OK),
    (request("SET", "new", "x", "xx"), OK),
    (request("GET", "new"), bulk("x")),
    (request("SET", "new", "x", "NX", "XX"), SYNTAX),
    (request("SET", "new", "x", "EX"), SYNTAX),
    (request("SET", "new", "x", "EX", 5, "PX", 5), SYNTAX),
    (request("SET", "new", "x", "what"), SYNTAX),
    (request("SET", "new", "x", "EX", "five"), NOT_INT),
    (request("SET", "new", "x", "EX", 0),
     b"-ERR invalid expire time in 'set' command\r\n"),
    (request("SET", "new", "x", "PX", -1),
     b"-ERR invalid expire time in 'set' command\r\n"),
    (request("SET", "new", "x", "EX", 9223372036854775807),
     b"-ERR invalid expire time in 'set' command\r\n"),
    (request("TTL", "new"), b":-1\r\n"),
    (request("TTL", "none"), b":-2\r\n"),
    (request("SET", "new", "x", "EX", 20000), OK),
    (request("TTL", "new"), b":20000\r\n"),
    (request("SET", "new", "y", "KEEPTTL"), OK),
    (request("TTL", "new"), b":20000\r\n"),
    (request("SET", "new", "y"), OK),
    (request("TTL", "new"), b":-1\r\n"),
    (request("EXPIRE", "new", 50000), b":1\r\n"),
    (request("TTL", "new"), b":50000\r\n"),
    (request("EXPIRE", "none", 500), b":0\r\n"),
    (request("EXPIRE", "new", "soon"), NOT_INT),
    (request("EXPIRE", "new", -1), b":1\r\n"),
    (request("EXISTS", "new", "k", "k"), b":2\r\n"),
    (request("INCR", "n"), b":1\r\n"),
    (request("INCRBY", "n", -12), b":-11\r\n"),
    (request("DECR", "n"), b":-12\r\n"),
    (request("GET", "n"), bulk("-12")),
    (request("INCR", "k"), NOT_INT),
    (request("SET", "n", "9223372036854775807"), OK),
    (request("INCR", "n"),
     b"-ERR increment or decrement would overflow\r\n"),
    (request("SET", "n", " 1"), OK),
    (request("INCR", "n"), NOT_INT),
    (request("SET", "n", "-9223372036854775808"), OK),
    (request("INCRBY", "n", 1), b":-9223372036854775807\r\n"),
    (request("MSET", "a", 1, "b", 2, "a", 3), OK),
    (request("MSET", "a", 1, "b"), wrong(b"mset")),
    (request("MGET", "a", "none", "b"),
     b"*3\r\n" + bulk(3) + bulk(None) + bulk(2)),
    (request("DBSIZE"), b":4\r\n"),
    (request("DEL", "a", "b", "none", "a"), b":2\r\n"),
    (request("DBSIZE"), b":2\r\n"),
    (request("GET"), wrong(b"get")),
    (request("GET", 1, 2), wrong(b"get")),
    (request("Nope", "a\r\n", "b"),
     b"-ERR unknown command 'Nope', with args beginning with: "
     b"'a  ' 'b' \r\n"),
    (request("COMMAND", "DOCS"), b"*0\r\n"),
    (request("CONFIG", "GET", "save"), b"*2\r\n" + bulk("save") + bulk("")),
    (request("CONFIG", "SET", "save"),
     b"-ERR only CONFIG GET with one name is known\r\n"),
    (request("SELECT", 0), OK),
    (request("SELECT", 1), b"-ERR DB index is out of range\r\n"),
    (request("FLUSHALL"), OK),
    (request("DBSIZE"), b":0\r\n"),
]

# What ends a connection, after an error.
KVD_BAD = [
    (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1\r\nPING\r\n", b"-ERR Protocol error: expected '$', got 'P'\r\n"),
    (b"*1\r\n$-1\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*1\r\n$9999999999\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"SET a \"b\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    (b"SET a \"b\"c\r\n",
     b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    (b"x" * 70000, b"-ERR Protocol error: too big inline request\r\n"),
    (request("PING") + b"*x\r\n" + request("PING"),
     b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"),
    (request("QUIT") + request("PING"), OK),
]


def settle(replies):
    """A second or so may pass between a request and the next."""
    return re.sub(rb":(199[5-9]\d|20000)\r", b":20000\r",
                  re.sub(rb":(499[5-9]\d|50000)\r", b":50000\r", replies))


def kvd_table(server, pieces):
    """All of the table in one stream, in pieces: one, each request, each byte."""
    problem = ""
    s = server.connect()
    if pieces == "requests":
        for ask, want in KVD:
            s.sendall(ask)
            got = settle(read_exactly(s, len(want)))
            if got != want:
                problem += "%r: %r\n" % (ask, got)
        return problem
    stream = b"".join(ask for ask, _ in KVD)
    want = b"".join(reply for _, reply in KVD)
    if pieces == "one":
        s.sendall(stream)
    else:
        for i in range(len(stream)):
            s.sendall(stream[i:i + 1])
    got = settle(read_exactly(s, len(want)))
    if got != want:
        problem = "not the replies of the table: %r" % got
    return problem


def kvd_bad(server):
    problem = ""
    for ask, want in KVD_BAD:
        s = server.connect()
        try:
            s.sendall(ask)
        except OSError:
            # it does not read all of it; what it says is there
            pass
        got = read_all(s)
        if got != want:
            problem += "%r: %r\n" % (ask[:40], got)
    return problem


def kvd_random_one(server, me, rounds, together, problems):
    """Pipelines of random requests about keys of one's own, and one of all."""
    r = random.Random(me)
    model = {}
    s = server.connect()
    for _ in range(rounds):
        ask, want = b"", b""
        for _ in range(r.randrange(1, 40)):
            key = "%d:%d" % (me, r.randrange(50))
            what = r.randrange(6)
            if what == 0:
                value = r.randbytes(r.choice((0, 1, 30, 3000)))
                ask += request("SET", key, value)
                want += OK
                model[key] = value
            elif what == 1:
                ask += request("GET", key)
                want += bulk(model.get(key))
            elif what == 2:
                ask += request("DEL", key)
                want += b":%d\r\n" % (model.pop(key, None) is not None)
            elif what == 3:
                ask += request("MSET", key, me, key + "x", "y")
                want += OK
                model[key] = b"%d" % me
                model[key + "x"] = b"y"
            elif what == 4:
                ask += request("MGET", key, key + "x")
                want += b"*2\r\n" + bulk(model.get(key)) + \
                    bulk(model.get(key + "x"))
            else:
                ask += request("SET", "n%d" % me, "1") + \
                    request("INCR", "n%d" % me)
                want += OK + b":2\r\n"
        cut = r.randrange(len(ask))
        s.sendall(ask[:cut])
        s.sendall(ask[cut:])
        if read_exactly(s, len(want)) != want:
            problems.append("client %d: a reply is not what it should be" % me)
            together.abort()
            return
    # all of them at the same time, on the same key
    together.wait(LONG)
    for _ in range(rounds):
        s.sendall(request("INCR", "all") * 200)
        got = b""
        while got.count(b"\n") < 200:
            more = s.recv(65536)
            if not more:
                problems.append("client %d: it was cut off" % me)
                return
            got += more


def kvd_random(server, rounds):
    problems = []
    together = threading.Barrier(4)
    s = server.connect()
    s.sendall(request("FLUSHALL"))
    read_exactly(s, len(OK))
    threads = [threading.Thread(target=kvd_random_one,
                                args=(server, i, rounds, together, problems))
               for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    s.sendall(request("GET", "all"))
    want = bulk(4 * 200 * rounds)
    if not problems and read_exactly(s, len(want)) != want:
        problems.append("increments were lost")
    return "\n".join(problems)


def kvd_expiry(server):
    """Met or not, a key goes when its time has come."""
    s = server.connect()
    s.sendall(request("FLUSHALL") + request("SET", "met", "x", "PX", 40))
    read_exactly(s, 10)
    for i in range(1000):
        s.sendall(request("SET", "k%d" % i, "x", "PX", 30))
    s.sendall(request("SET", "late", "x") + request("EXPIRE", "late", 1))
    read_exactly(s, 5009)
    until = time.time() + LONG
    while time.time() < until:
        s.sendall(request("GET", "met"))
        if s.recv(100) == bulk(None):
            break
    while time.time() < until:
        s.sendall(request("DBSIZE"))
        if s.recv(100) == b":0\r\n":
            return ""
        time.sleep(0.05)
    return "keys are still there"


def kvd_large(server):
    value = random.Random(1).randbytes(3000000)
    s = server.connect()
    ask = request("SET", "large", value) + request("GET", "large")
    for i in range(0, len(ask), 100001):
        s.sendall(ask[i:i + 100001])
    want = OK + bulk(value)
    return "" if read_exactly(s, len(want)) == want else "it is another"


def tool(sentence, command, is_good):
    if not shutil.which(command[0]):
        tell(sentence, skip="%s is not installed" % command[0])
        return
    r = subprocess.run(command, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=LONG, text=True,
                       check=False)
    tell(sentence, "" if not r.returncode and is_good(r.stdout) else r.stdout)


def try_kvd(path, flavour, rounds):
    server = Server(path)
    for pieces in ("requests", "one", "bytes"):
        tell("kvd answers as the table says, in pieces: %s%s" %
             (pieces, flavour), kvd_table(server, pieces))
    tell("what is no request ends a connection%s" % flavour, kvd_bad(server))
    tell("each reply of pipelines is what it should be%s" % flavour,
         kvd_random(server, rounds))
    tell("a key is gone when its time has come%s" % flavour,
         kvd_expiry(server))
    tell("a large value comes back%s" % flavour, kvd_large(server))
    if not flavour:
        port = str(server.port)
        tool("redis-cli is content", ["redis-cli", "-p", port, "set", "a", "1"],
             lambda said: said.strip() == "OK")
        tool("redis-benchmark is content",
             ["redis-benchmark", "-p", port, "-n", "5000", "-c", "20", "-P",
              "4", "-q", "-r", "1000", "-t", "ping,set,get,incr,mset"],
             lambda said: "rror" not in said and "WARN" not in said)
    tell("kvd says nothing and goes on until it is ended%s" % flavour,
         server.end())


HELLO = b"Hello, world\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

# Request, status, whether the connection goes on.
HTTPD = [
    (GET, 200, True),
    (b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", 200, True),
    (b"GET /?q HTTP/1.1\r\nhost:x\r\nX-Any: thing\r\n\r\n", 200, True),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345", 200,
     True),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" +
     b"x" * 20000, 200, True),
    (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, False),
    (b"GET / HTTP/1.0\r\n\r\n", 200, False),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, True),
    (b"GET / HTTP/1.1\r\n\r\n", 400, False),
    (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, False),
    (b"GET /\r\n\r\n", 400, False),
    (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, False),
    (b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, False),
    (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, False),
    (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, False),
    (b"GET / HTTP/1.1\r\nHost: x\r\nbad name: y\r\n\r\n", 400, False),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400, False),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
     b"Content-Length: 6\r\n\r\n", 400, False),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413,
     False),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501,
     False),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 8192, 431, False),
    (b"what is this\n", 400, False),
    (b"\0\1\2\r\n\r\n", 400, False),
]


def http_reply(s, head):
    """Status and body of one reply; None: there is none."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = s.recv(1)
        if not more:
            return None
        got += more
    fields = dict(line.split(": ", 1)
                  for line in got.decode().split("\r\n")[1:] if line)
    body = b"" if head else read_exactly(s, int(fields["Content-Length"]))
    return int(got.split()[1]), body


def httpd_table(server, bytewise):
    problem = ""
    for ask, status, goes_on in HTTPD:
        s = server.connect()
        for i in range(0, len(ask), 1 if bytewise else len(ask)):
            try:
                s.sendall(ask[i:i + (1 if bytewise else len(ask))])
            except OSError:
                break
        got = http_reply(s, ask.startswith(b"HEAD"))
        good = got and got[0] == status and \
            (status != 200 or ask.startswith(b"HEAD") or got[1] == HELLO)
        if good and goes_on:
            s.sendall(GET)
            good = http_reply(s, False) == (200, HELLO)
        elif good:
            good = read_all(s) == b""
        if not good:
            problem += "%r: %r\n" % (ask[:60], got)
    return problem


def httpd_linger(server):
    """
    More than it reads at once is there when it has answered and ends: what is
    closed with something unread is reset, and the reply may be gone with it.
    """
    s = server.connect()
    s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
              + b"x" * 50000)
    got = http_reply(s, False)
    if not got or got[0] != 413:
        return "it said %r" % (got,)
    try:
        return "" if s.recv(1) == b"" else "it goes on"
    except ConnectionResetError:
        return "the connection was reset behind the reply"


def httpd_pipeline(server):
    post = HTTPD[3][0]
    s = server.connect()
    ask = (GET + post) * 300
    cut = len(ask) // 2 + 7
    s.sendall(ask[:cut])
    s.sendall(ask[cut:] + HTTPD[5][0])
    for i in range(601):
        if http_reply(s, False) != (200, HELLO):
            return "reply %d is wrong" % i
    return "" if read_all(s) == b"" else "it goes on"


def try_httpd(path, flavour):
    server = Server(path)
    tell("httpd answers as the table says%s" % flavour,
         httpd_table(server, False))
    if not flavour:
        tell("httpd answers as the table says, byte by byte",
             httpd_table(server, True))
    tell("hundreds of requests behind each other are answered%s" % flavour,
         httpd_pipeline(server))
    tell("who sends on after an error gets it and a proper end%s" % flavour,
         httpd_linger(server))
    if not flavour:
        tool("wrk is content", ["wrk", "-t1", "-c30", "-d1", "--timeout", "60",
                                "http://127.0.0.1:%d/" % server.port],
             lambda said: "Requests/sec" in said and "Non-2xx" not in said
             and "Socket errors" not in said)
    tell("httpd says nothing and goes on until it is ended%s" % flavour,
         server.end())


FLAVOURS = [("examples", "", 60), ("asan", " (asan)", 15), ("tsan", " (tsan)", 15)]

if not only:
    for args in PRINTS:
        prints(*args)
for folder, name, how_often in FLAVOURS[:1] if only else FLAVOURS:
    if only in (None, "kvd"):
        try_kvd(os.path.join(build, folder, "kvd"), name, how_often)
    if only in (None, "httpd"):
        try_httpd(os.path.join(build, folder, "httpd"), name)
print("1..%d" % nr)
sys.exit(bad != 0)
