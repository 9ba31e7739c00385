// SPDX-License-Identifier: MIT

// alloc_bench, as in alloc_bench.c, for Go: objects of words that may be
// pointers; what is dropped its collector finds. There is one way to drop a bulk.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const ringLen = 20000

var (
	sink unsafe.Pointer
	ring [ringLen]unsafe.Pointer
)

func cpuNs() float64 {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano() + ru.Stime.Nano())
}

func peakKiB() int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, found := strings.CutPrefix(s.Text(), "VmHWM:"); found {
			kib, _ := strconv.Atoi(strings.Fields(v)[0])
			return kib
		}
	}
	return 0
}

func run[T any](row string, nr int) {
	if row == "pairs" {
		for range nr {
			sink = unsafe.Pointer(new(T))
		}
		return
	}
	i := 0
	for range nr {
		p := unsafe.Pointer(new(T))
		*(*byte)(p) = 0
		ring[i] = p
		if i++; i == ringLen {
			i = 0
			if row != "ring" {
				clear(ring[:])
			}
		}
	}
}

type w = unsafe.Pointer

var rows = map[int]func(string, int){
	8: run[[1]w], 16: run[[2]w], 32: run[[4]w], 48: run[[6]w],
	64: run[[8]w], 128: run[[16]w], 256: run[[32]w], 512: run[[64]w],
	1024: run[[128]w], 4096: run[[512]w], 8192: run[[1024]w],
	32768: run[[4096]w],
}

func main() {
	if len(os.Args) < 3 {
		os.Exit(1)
	}
	n, _ := strconv.Atoi(os.Args[2])
	fn := rows[n]
	if fn == nil {
		os.Exit(1)
	}
	nr := 4000000
	if n > 1024 {
		nr = nr * 1024 / n
	}
	from := cpuNs()
	fn(os.Args[1], nr)
	fmt.Printf("%.3f %d\n", (cpuNs()-from)/float64(nr), peakKiB())
}
