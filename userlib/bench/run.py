#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py OUT: make bench. Has the parts run, one after the other, and reports.

Of the environment:

	ONLY=alloc,map	these parts
	QUICK=1		key rows, three rounds: minutes
	ROW='pairs:64'	rows of the one part that ONLY names; told, not kept
	FRESH=1		what is there already is measured anew

What is measured goes to OUT/bench/results/VERSION[-quick]/PART.jsonl when its part is
done: who interrupts it loses that part alone, and the same command goes on behind it.
VERSION is git's, and what has changed since: another build begins anew. A part that
fails is told with its cause, and its lines up to there are kept; next time it is run
again. OUT/bench/report.html is made of all that is there, and the same is printed.
"""
import hashlib
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time

from bench import version_of
from parts import BY_NAME, PARTS
import report
import results

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LOOK = 0.5		# s between looks at how far a part is


def digest(folders):
    """Of all files there, where no git tells them apart."""
    got = hashlib.sha256()
    for folder in folders:
        for where, subfolders, names in os.walk(folder):
            subfolders.sort()
            for name in sorted(names):
                if not name.endswith(".pyc"):
                    got.update(name.encode())
                    with open(os.path.join(where, name), "rb") as f:
                        got.update(f.read())
    return got.hexdigest()[:12]


def version():
    """Another one for other sources."""
    name = version_of(TOP)
    if not name:
        return "sources-" + digest(
            os.path.join(TOP, folder) for folder in ("userlib", "kmod", "uapi"))
    if name.endswith("-dirty"):
        diff = subprocess.run(["git", "-C", TOP, "diff", "HEAD"], check=True,
                              capture_output=True).stdout
        name += "-" + hashlib.sha256(diff).hexdigest()[:8]
    return name


def versions():
    """Of what is installed, of all that we may be measured beside or built by."""
    names = ["gcc", "libc6"]
    with open(os.path.join(HERE, "packages"), encoding="utf-8") as f:
        for line in f:
            names += line.partition("#")[0].strip().split("|")
    try:
        out = subprocess.run(
            ["dpkg-query", "-W", "-f",
             "${db:Status-Status} ${Package}=${Version}\n", *filter(None, names)],
            capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return [line.split(" ", 1)[1] for line in out.splitlines()
            if line.startswith("installed ")]


def cpu_of_children():
    """Seconds, of those that have ended."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Progress:
    """One line that changes, or, where that is not a terminal, one for each row."""

    def __init__(self, parts, quick):
        self.parts, self.quick = parts, quick
        self.is_tty = sys.stdout.isatty()
        self.said = None
        self.guessed = self.took = 0.0	# of the parts that are done

    def guess(self, part):
        """As much longer than on an idle machine as the parts before."""
        seconds = part.seconds[0 if self.quick else 1]
        return seconds * (self.took / self.guessed if self.guessed else 1)

    def done(self, part, seconds):
        self.guessed += part.seconds[0 if self.quick else 1]
        self.took += seconds

    def tell(self, nr, path, since):
        part = self.parts[nr]
        gone = time.monotonic() - since
        row, at, of = "building", 0, 0
        try:
            with open(path, encoding="utf-8") as f:
                last = f.read().strip().splitlines()[-1]
            at, of, row = last.split(" ", 2)
            at, of = int(at), int(of)
        except (OSError, IndexError, ValueError):
            pass
        left = max(self.guess(part) - gone, 0)
        if at:
            left = gone / at * (of - at)
        left += sum(self.guess(p) for p in self.parts[nr + 1:])
        where = f"row {at + 1} of {of}: " if of else ""
        text = f"[{nr + 1}/{len(self.parts)}] {part.name:9} {where}{row}"
        if self.is_tty:
            print(f"\r{text:58.58} {clock(gone)}, {clock(left)} left \033[K",
                  end="", flush=True)
        elif text != self.said:
            print(f"{text}  ({clock(gone)}, {clock(left)} left)", flush=True)
        self.said = text

    def end(self, text):
        print("\r\033[K" + text if self.is_tty else text, flush=True)


def end_group(child):
    """All that the part has started."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sig)
            child.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def cause_of(log, status):
    """The last thing it said that is no word of make's about it."""
    with open(log, encoding="utf-8", errors="replace") as f:
        lines = [line.strip() for line in f if line.strip()]
    lines = [line for line in lines if not line.startswith("make")]
    return f"status {status}: {lines[-1][:400] if lines else 'it said nothing'}"


class Run:
    """The arguments, and where all goes."""

    def __init__(self, out):
        env = os.environ
        self.out, self.quick = out, env.get("QUICK", "") not in ("", "0")
        self.fresh = env.get("FRESH", "") not in ("", "0")
        self.rows = env.get("ROW", "").split()
        only = env.get("ONLY", "").replace(",", " ").split()
        for name in only:
            if name not in BY_NAME:
                sys.exit(f"bench: there is no part '{name}': ONLY= takes "
                         f"{', '.join(BY_NAME)}")
        self.parts = [p for p in PARTS if not only or p.name in only]
        if self.rows and len(self.parts) != 1:
            sys.exit("bench: ROW= wants ONLY= with one part")
        self.bench = os.path.join(os.path.abspath(out), "bench")
        name = version() + ("-quick" if self.quick else "")
        if self.rows:
            name = "rows"
        self.folder = os.path.join(self.bench, "results", name)
        os.makedirs(self.folder, exist_ok=True)

    def path(self, part, suffix=".jsonl"):
        return os.path.join(self.folder, part.name + suffix)

    def command(self, part):
        words = ["make", "bench", f"ONLY={part.name}"]
        words += ["QUICK=1"] if self.quick else []
        words += [f"ROW={' '.join(self.rows)}"] if self.rows else []
        return shlex.join(words)

    def start(self, part, partial, log):
        """The script of a part, in a group of its own."""
        words = part.words(partial, self.quick, self.rows)
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MAKELEVEL", "ONLY", "ROW", "O")}
        env.update(BENCH_PROGRESS=self.path(part, ".progress"),
                   QUICK="1" if self.quick else "")
        return subprocess.Popen(
            [os.environ.get("MAKE", "make"), "--no-print-directory", "-s",
             "-C", TOP, f"O={self.out}", part.target,
             f"{part.variable}={shlex.join(words)}"],
            env=env, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True)

    def one(self, nr, progress):
        """None, or why it is not whole."""
        part = self.parts[nr]
        partial, log = self.path(part, ".partial"), self.path(part, ".log")
        for path in (partial, self.path(part, ".progress")):
            if os.path.exists(path):
                os.unlink(path)
        since, cpu = time.monotonic(), cpu_of_children()
        with open(log, "w", encoding="utf-8") as f:
            child = self.start(part, partial, f)
            try:
                while child.poll() is None:
                    progress.tell(nr, self.path(part, ".progress"), since)
                    try:
                        child.wait(LOOK)
                    except subprocess.TimeoutExpired:
                        pass
            finally:
                end_group(child)
        seconds = time.monotonic() - since
        end = {"part": part.name, "command": self.command(part),
               "quick": self.quick, "seconds": round(seconds, 1),
               "cpu-seconds": round(cpu_of_children() - cpu, 1),
               "packages": versions(), "load": list(os.getloadavg()), "whole": not child.returncode}
        if child.returncode:
            end["cause"] = cause_of(log, child.returncode)
        with open(partial, "a", encoding="utf-8") as f:
            f.write(json.dumps(end) + "\n")
        os.replace(partial, self.path(part))
        progress.done(part, seconds)
        return end.get("cause")

    def all(self):
        """Parts that failed."""
        progress = Progress(self.parts, self.quick)
        failed = []
        for nr, part in enumerate(self.parts):
            name = f"[{nr + 1}/{len(self.parts)}] {part.name:9} "
            if not self.fresh and not self.rows and \
               results.is_whole(self.path(part)):
                progress.end(name + "is there already (FRESH=1 measures anew)")
                continue
            since = time.monotonic()
            cause = self.one(nr, progress)
            took = clock(time.monotonic() - since)
            progress.end(name + (f"FAILED after {took}: {cause}" if cause
                                 else f"done in {took}"))
            if cause:
                failed.append(part)
                print(f"      all of it: {self.path(part, '.log')}")
        return failed


def install_peers():
    """What is missing and cannot be had is left out, and was said."""
    subprocess.run([os.path.join(TOP, "selftests/scripts/deps.sh"),
                    os.path.join(HERE, "packages")], check=False)


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run(sys.argv[1])
    try:
        install_peers()
        failed = run.all()
    except KeyboardInterrupt:
        print("\nbench: interrupted; finished parts are kept, and the same "
              "command goes on with the next", file=sys.stderr)
        sys.exit(130)
    if run.rows:
        parts = [results.read_part(run.path(run.parts[0]))]
        print(report.text(parts), end="")
    else:
        report.write(run.folder, os.path.join(run.bench, "report.html"))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
