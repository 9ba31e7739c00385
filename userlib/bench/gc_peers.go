// SPDX-License-Identifier: MIT

// gc_peers, as in gc_peers.c, for Go.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"time"
)

type tree struct{ left, right *tree }

type node struct {
	left, right *node
	number      [6]int
}

const (
	batch   = 32
	request = 1000
	ring    = 1 << 16
)

var arg1, arg2 int

func bad(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func cpuMs() float64 {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e6
}

func bottomUp(depth int) *tree {
	t := new(tree)
	if depth > 0 {
		t.left = bottomUp(depth - 1)
		t.right = bottomUp(depth - 1)
	}
	return t
}

func topDown(t *tree, depth int) {
	if depth == 0 {
		return
	}
	t.left, t.right = new(tree), new(tree)
	topDown(t.left, depth-1)
	topDown(t.right, depth-1)
}

func count(t *tree) int {
	if t.left == nil {
		return 1
	}
	return 1 + count(t.left) + count(t.right)
}

func runTrees() {
	most := arg1
	kept := bottomUp(most)
	nodes := 2<<most - 1
	for depth := 4; depth <= most; depth += 4 {
		n, got := 1<<(most-depth+4), 0
		for range n {
			got += count(bottomUp(depth))
		}
		if got != n*(2<<depth-1) {
			bad("a tree is not as it was made")
		}
		nodes += got
	}
	if count(kept) != 2<<most-1 {
		bad("the tree that stays is not as it was made")
	}
	fmt.Println("nodes", nodes)
}

func runGcbench() {
	count(bottomUp(18))
	kept := new(tree)
	topDown(kept, 16)
	array := make([]float64, 500000)
	for i := range 250000 {
		array[i] = 1 / float64(i+1)
	}
	for depth := 4; depth <= 16; depth += 2 {
		n := 2 * (2<<18 - 1) / (2<<depth - 1)
		for range n {
			t := new(tree)
			topDown(t, depth)
			if count(t) != 2<<depth-1 {
				bad("a tree is not as it was made")
			}
		}
		for range n {
			if count(bottomUp(depth)) != 2<<depth-1 {
				bad("a tree is not as it was made")
			}
		}
	}
	if count(kept) != 2<<16-1 || array[1000] != 1.0/1001 {
		bad("what stays is not as it was made")
	}
}

func runMap() {
	nr := 1 << arg1
	size, steps, in := 4*nr, 20*nr, 0
	mask := size - 1
	slot := make([]*node, size)
	seed := uint64(1)
	for range steps {
		seed = seed*6364136223846793005 + 1442695040888963407
		key := 1 + int(seed>>33%uint64(2*nr))
		at := int(uint64(key)*0x9e3779b97f4a7c15>>20) & mask
		e := slot[at]
		for e != nil && e.number[0] != key {
			at = (at + 1) & mask
			e = slot[at]
		}
		switch {
		case e == nil:
			e = new(node)
			e.number[0] = key
			slot[at] = e
			in++
		case e.number[1] != 0:
			e.number[1] = 0
			in++
		default:
			e = new(node)
			e.number[0] = key
			e.number[1] = 1
			slot[at] = e
			in--
		}
	}
	for _, e := range slot {
		if e != nil && e.number[1] == 0 {
			in--
		}
	}
	if in != 0 {
		bad("the table has lost keys")
	}
	fmt.Println("steps", steps)
}

func runChurn() {
	nr := 1 << arg1
	steps := 8 * nr
	seed := uint64(1)
	next := func() uint64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return 1 + seed>>33%uint64(2*nr)
	}
	m := make(map[uint64]*node)
	for i := range nr + steps {
		key := next()
		for m[key] != nil {
			key = next()
		}
		e := new(node)
		e.number[0] = int(key)
		m[key] = e
		if i < nr {
			continue
		}
		for e = nil; e == nil; e = m[key] {
			key = next()
		}
		if e.number[0] != int(key) {
			bad("a key has another's object")
		}
		delete(m, key)
	}
	if len(m) != nr {
		bad("the map has lost keys")
	}
	fmt.Println("steps", steps)
}

func grow(depth int) *node {
	t := new(node)
	t.number[0] = depth
	if depth > 0 {
		t.left = grow(depth - 1)
		t.right = grow(depth - 1)
	}
	return t
}

func weigh(t *node) int {
	if t.left == nil {
		return 1
	}
	return 1 + weigh(t.left) + weigh(t.right)
}

func depthOf(mib int) int {
	depth := 0
	for (2<<depth)*64 < mib<<20 {
		depth++
	}
	return depth
}

func runLive(rests bool) {
	kept := grow(depthOf(arg1))
	slots := make([]*node, ring)
	batches := arg2 / batch
	took := make([]uint32, batches)
	cpu, from := cpuMs(), time.Now()
	last, rested := from, time.Duration(0)
	for i := range batches {
		for k := range batch {
			n := new(node)
			n.number[0] = i
			slots[(i*batch+k)%ring] = n
		}
		now := time.Now()
		took[i] = uint32(now.Sub(last))
		last = now
		if rests && i*batch%request < batch {
			time.Sleep(500 * time.Microsecond)
			last = time.Now()
			rested += last.Sub(now)
		}
	}
	cpu = cpuMs() - cpu
	if weigh(kept) != 2<<depthOf(arg1)-1 {
		bad("the tree that stays is not as it was made")
	}
	short, long := 0, 0
	for _, ns := range took {
		if ns > 200000 {
			short++
		}
		if ns > 2000000 {
			long++
		}
	}
	ran := (last.Sub(from) - rested).Seconds()
	fmt.Printf("over-0.2ms/s %.1f\n", float64(short)/ran)
	fmt.Printf("over-2ms/s %.1f\n", float64(long)/ran)
	sort.Slice(took, func(a, b int) bool { return took[a] > took[b] })
	fmt.Printf("million/s %.2f\n", float64(arg2)*1e3/float64(last.Sub(from)-rested))
	fmt.Printf("cpu-ns/object %.1f\n", cpu*1e6/float64(arg2))
	fmt.Printf("longest-us %.0f\n", float64(took[0])/1e3)
	fmt.Printf("p99.9999-us %.0f\n", float64(took[arg2/1000000])/1e3)
	fmt.Printf("p99.9-us %.1f\n", float64(took[batches/1000])/1e3)
	leaveTail(took)
}

// As gc_peers.c has it; the longest comes first.
func leaveTail(took []uint32) {
	path := os.Getenv("BENCH_TAIL")
	if path == "" {
		return
	}
	var text []byte
	i := len(took) - 1
	for upTo := 16.0; i >= 0; upTo *= 1.189207115 {
		n := 0
		for ; i >= 0 && float64(took[i]) <= upTo; i-- {
			n++
		}
		if n > 0 {
			text = fmt.Appendf(text, "%.0f %d\n", upTo, n)
		}
	}
	if os.WriteFile(path, text, 0o644) != nil {
		bad("no file for the tail")
	}
}

func rssKiB() int {
	text, _ := os.ReadFile("/proc/self/statm")
	var all, here int
	fmt.Sscan(string(text), &all, &here)
	return here * os.Getpagesize() / 1024
}

var dropped *node

var sink *node

func runDrop() {
	dropped = grow(depthOf(arg1))
	had := rssKiB()
	dropped = nil
	from, ms := time.Now(), 0.0
	runtime.GC()
	for rssKiB() > had/2 && ms < 10000 {
		for range 1000 {
			sink = new(node)
		}
		time.Sleep(5 * time.Millisecond)
		ms = float64(time.Since(from)) / 1e6
	}
	fmt.Printf("drop-ms %.0f\n", ms)
}

func main() {
	from := time.Now()
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	if len(os.Args) > 2 {
		arg1, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 3 {
		arg2, _ = strconv.Atoi(os.Args[3])
	}
	switch os.Args[1] {
	case "trees":
		runTrees()
	case "gcbench":
		runGcbench()
	case "map":
		runMap()
	case "churn":
		runChurn()
	case "live", "requests":
		runLive(os.Args[1] == "requests")
	case "drop":
		runDrop()
	default:
		os.Exit(2)
	}
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	fmt.Printf("wall %.1f\ncpu %.1f\nrss %d\n",
		float64(time.Since(from))/1e6, cpuMs(), ru.Maxrss/1024)
}
