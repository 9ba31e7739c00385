// SPDX-License-Identifier: MIT
// map_bench.go: Go's maps, as map_bench.h says.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func keyOf(i uint64) uint64 {
	i = (i + 1) * 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return i ^ i>>31
}

func words(n, first int, order bool) []uint64 {
	w := make([]uint64, n)
	for i := range w {
		w[i] = keyOf(uint64(first + i))
	}
	for i := uint64(n); order && i > 1; i-- {
		k := keyOf(^i) % i
		w[i-1], w[k] = w[k], w[i-1]
	}
	return w
}

func texts(w []uint64) []string {
	t := make([]string, len(w))
	var b strings.Builder
	b.Grow(len(w) * 24)
	for _, x := range w {
		fmt.Fprintf(&b, "%016x%s%s", x, "-abcdef"[:x%8],
			"........"[:8-x%8])
	}
	all := b.String()
	for i, x := range w {
		t[i] = all[i*24 : i*24+16+int(x%8)]
	}
	return t
}

func clock(id uintptr) float64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id,
		uintptr(unsafe.Pointer(&ts)), 0)
	return float64(ts.Nano())
}

func cpu() float64 { return clock(2) }

var sum uint64

func run[K comparable](in, look, other []K) {
	var ns [5]float64
	n, rounds := len(in), 1
	if n < 300000 {
		rounds = 300000/n + 1
	}
	step := func(which, want int, fn func() int) {
		t := cpu()
		got := fn()
		ns[which] += cpu() - t
		if got != want {
			panic(got)
		}
	}
	for r := 0; r < rounds; r++ {
		m := make(map[K]uint64)
		step(0, n, func() int {
			for i, k := range in {
				m[k] = uint64(i)
			}
			return len(m)
		})
		find := func(keys []K) int {
			got := 0
			for _, k := range keys {
				if _, ok := m[k]; ok {
					got++
				}
			}
			return got
		}
		step(1, n, func() int { return find(look) })
		step(2, 0, func() int { return find(other) })
		step(3, n, func() int {
			got := 0
			for _, v := range m {
				sum += v
				got++
			}
			return got
		})
		step(4, 0, func() int {
			for _, k := range look {
				delete(m, k)
			}
			return len(m)
		})
	}
	for i, name := range []string{"insert", "hit", "miss", "iterate",
		"delete"} {
		fmt.Printf("%s %.2f\n", name, ns[i]/float64(rounds*n))
	}
}

func appendOnce(n int) float64 {
	var s []uint64
	t := cpu()
	for i := 0; i < n; i++ {
		s = append(s, uint64(i))
	}
	return (cpu() - t) / float64(len(s))
}

func worst(name string, in []uint64, floor bool, now func() float64) {
	m := make(map[uint64]uint64)
	slowest := make([]float64, 64)
	was := now()
	for i, k := range in {
		if floor {
			sum += k
		} else {
			m[k] = uint64(i)
		}
		t := now()
		if t-was > slowest[63] {
			at := 63
			for ; at > 0 && slowest[at-1] < t-was; at-- {
				slowest[at] = slowest[at-1]
			}
			slowest[at] = t - was
		}
		was = t
	}
	fmt.Printf("%s %.0f\n", name, slowest[0])
	if len(in)/1000000 < 64 {
		fmt.Printf("%s-1e-6 %.0f\n", name, slowest[len(in)/1000000])
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	n, _ := strconv.Atoi(os.Args[2])
	if os.Args[1] == "append" {
		appendOnce(n)
		fmt.Printf("append %.2f\n", appendOnce(n))
		return
	}
	in, look, other := words(n, 0, false), words(n, 0, true),
		words(n, n, false)
	switch os.Args[1] {
	case "worst":
		start := time.Now()
		mono := func() float64 {
			return float64(time.Since(start).Nanoseconds())
		}
		worst("clock", in, false, mono)
		worst("clock-floor", in, true, mono)
		runtime.LockOSThread()
		own := func() float64 { return clock(3) }
		worst("cpu", in, false, own)
		worst("cpu-floor", in, true, own)
	case "u64":
		run(in, look, other)
	default:
		run(texts(in), texts(look), texts(other))
	}
}
