// SPDX-License-Identifier: MIT
// sched_peers.go: Go's rows of bench-sched-peers, as sched_peers.c has them.
//
//	sched_peers ROW PS [HOW MANY ARE PARKED]
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	workers  = 100
	million  = 1000000
	starts   = 200000
	sortLen  = 2000000
	sortCut  = 16384
	fibN     = 34
	fibCut   = 18
	phase    = 60 * time.Millisecond
	tickEach = time.Millisecond
)

var parked = 300000

var start = time.Now()

func now() float64 { return float64(time.Since(start).Nanoseconds()) }

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func many(n, atOnce int) float64 {
	var wg sync.WaitGroup
	t := now()
	for i := 0; i < n; i += atOnce {
		wg.Add(atOnce)
		for k := 0; k < atOnce; k++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
	return (now() - t) / float64(n)
}

func create() float64 {
	many(10000, 1000)
	return many(200000, 1000)
}

func join() float64 {
	many(1000, 1)
	return many(200000, 1)
}

func yield() float64 {
	const n = 250000
	var wg sync.WaitGroup
	t := now()
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			for i := 0; i < n; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return (now() - t) / (4 * n)
}

func pingN(n int, locked bool) float64 {
	var wg sync.WaitGroup
	a, b := make(chan int), make(chan int)
	play := func(in, out chan int, first bool) {
		if locked {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		if first {
			out <- 0
		}
		for i := 0; i < n; i++ {
			<-in
			if !first || i < n-1 {
				out <- i
			}
		}
		wg.Done()
	}
	wg.Add(2)
	t := now()
	go play(a, b, true)
	go play(b, a, false)
	wg.Wait()
	return (now() - t) / float64(2*n)
}

func ping() float64        { return pingN(300000, false) }
func pingThreads() float64 { return pingN(5000, true) }

func fan() float64 {
	const n = 3000
	var wg sync.WaitGroup
	in := make([]chan int, workers)
	for i := range in {
		in[i] = make(chan int, 1)
		go func() {
			for range in[i] {
				wg.Done()
			}
		}()
	}
	t := now()
	for i := 0; i < n; i++ {
		wg.Add(workers)
		for _, c := range in {
			c <- i
		}
		wg.Wait()
	}
	return (now() - t) / (n * workers)
}

func skynetNode(up chan int, nr, size int) {
	if size == 1 {
		up <- nr
		return
	}
	c := make(chan int)
	sum := 0
	for i := 0; i < 10; i++ {
		go skynetNode(c, nr+i*size/10, size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-c
	}
	up <- sum
}

func skynetOf(n int) float64 {
	c := make(chan int)
	t := now()
	go skynetNode(c, 0, n)
	if <-c != n*(n-1)/2 {
		os.Exit(1)
	}
	return (now() - t) / (float64(n) * 10 / 9)
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func fibMany(n int) int {
	if n < fibCut {
		return fib(n)
	}
	c := make(chan int, 1)
	go func() { c <- fibMany(n - 1) }()
	sum := fibMany(n - 2)
	return sum + <-c
}

func doFib() float64 {
	t := now()
	a := fib(fibN)
	serial := now() - t
	t = now()
	if fibMany(fibN) != a {
		os.Exit(1)
	}
	return serial / (now() - t)
}

func fill(a []int32) {
	x := uint64(88172645463325252)
	for i := range a {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		a[i] = int32(x >> 33)
	}
}

func partition(a []int32) int {
	pivot := a[len(a)/2]
	i, j := 0, len(a)-1
	for {
		for a[i] < pivot {
			i++
		}
		for a[j] > pivot {
			j--
		}
		if i >= j {
			if j+1 < len(a) {
				return j + 1
			}
			return j
		}
		a[i], a[j] = a[j], a[i]
		i++
		j--
	}
}

func sortAll(a []int32) {
	for len(a) > 1 {
		cut := partition(a)
		sortAll(a[cut:])
		a = a[:cut]
	}
}

func sortMany(a []int32, wg *sync.WaitGroup) {
	for len(a) > sortCut {
		cut := partition(a)
		other := a[cut:]
		a = a[:cut]
		wg.Add(1)
		go sortMany(other, wg)
	}
	sortAll(a)
	wg.Done()
}

func doSort() float64 {
	var wg sync.WaitGroup
	a := make([]int32, sortLen)
	fill(a)
	t := now()
	sortAll(a)
	serial := now() - t
	fill(a)
	t = now()
	wg.Add(1)
	go sortMany(a, &wg)
	wg.Wait()
	t = now() - t
	if !slices.IsSorted(a) {
		os.Exit(1)
	}
	return serial / t
}

func memory() (sum float64) {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f", &kib); n == 1 {
			sum += kib * 1024
		} else if n, _ := fmt.Sscanf(line, "VmPTE: %f", &kib); n == 1 {
			sum += kib * 1024
		}
	}
	return sum
}

// What grows with each of so many that wait.
func each(n int, what func() float64) float64 {
	var wg sync.WaitGroup
	c := make(chan int)
	before := what()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			wg.Done()
			<-c
		}()
	}
	wg.Wait()
	return (what() - before) / float64(n)
}

func wake() float64 {
	var seen atomic.Int32
	var seenAt float64
	v := make([]float64, 100)
	c := make(chan int, 1)
	go func() {
		for range c {
			seenAt = now()
			seen.Store(1)
		}
	}()
	for i := range v {
		time.Sleep(100 * time.Microsecond)
		for end := now() + 1e6; now() < end; {
		}
		t := now()
		c <- 1
		for seen.Load() == 0 {
		}
		seen.Store(0)
		v[i] = seenAt - t
	}
	return median(v)
}

func chunk(x uint64) uint64 {
	for i := 0; i < 50000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// syscall.Read of a descriptor that blocks, which the runtime's poller has not.
func blocks(stop *atomic.Bool, wg *sync.WaitGroup) {
	each := syscall.NsecToTimespec(int64(tickEach))
	its := [2]syscall.Timespec{each, each}
	fd, _, e := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, 1, 0, 0)
	if e != 0 {
		panic(e)
	}
	_, _, e = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0,
		uintptr(unsafe.Pointer(&its)), 0, 0, 0)
	if e != 0 {
		panic(e)
	}
	var buf [8]byte
	for !stop.Load() {
		syscall.Read(int(fd), buf[:])
	}
	syscall.Close(int(fd))
	wg.Done()
}

func rate(k int) float64 {
	var stop atomic.Bool
	var wg sync.WaitGroup
	var done atomic.Int64
	wg.Add(k + 2)
	for i := 0; i < k; i++ {
		go blocks(&stop, &wg)
	}
	t := now()
	for i := 0; i < 2; i++ {
		go func() {
			for x := uint64(1); !stop.Load(); {
				x = chunk(x)
				if x != 0 {
					done.Add(1)
				}
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	time.Sleep(phase)
	r := float64(done.Load()) / (now() - t)
	stop.Store(true)
	wg.Wait()
	return r
}

func kept(k int) float64 {
	with, without := 0.0, 0.0
	for i := 0; i < 3; i++ {
		without += rate(0)
		with += rate(k)
	}
	return 100 * with / without
}

func timer() float64 {
	v := make([]float64, 200)
	c := make(chan float64, 1)
	for i := range v {
		at := now() + 100000
		time.AfterFunc(100*time.Microsecond, func() { c <- now() })
		v[i] = <-c - at
	}
	return median(v)
}

// A start and a stop, long before its time.
func timerStart() float64 {
	timer := time.AfterFunc(time.Hour, func() {})
	timer.Stop()
	t := now()
	for i := 0; i < starts; i++ {
		timer.Reset(time.Hour)
		if !timer.Stop() {
			os.Exit(1)
		}
	}
	return (now() - t) / starts
}

func loop() float64 {
	v := make([]float64, 5)
	for i := range v {
		var seen atomic.Int32
		var seenAt float64
		time.Sleep(time.Millisecond)
		t := now()
		go func() {
			seenAt = now()
			seen.Store(1)
		}()
		for seen.Load() == 0 {
		}
		v[i] = seenAt - t
	}
	return median(v)
}

func cpuNow() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// CPU time of the process in a second in which everybody waits.
func idle() float64 {
	time.Sleep(10 * time.Millisecond)
	t := cpuNow()
	time.Sleep(time.Second)
	return (cpuNow() - t) / 1000
}

var rows = map[string]func() float64{
	"create": create, "join": join, "yield": yield, "ping": ping,
	"ping-threads": pingThreads, "fan": fan, "fib": doFib,
	"skynet":    func() float64 { return skynetOf(100000) },
	"skynet-1M": func() float64 { return skynetOf(1000000) },
	"sort": doSort, "wake": wake, "timer": timer, "timer-start": timerStart,
	"loop": loop, "idle": idle,
	"parked":        func() float64 { return each(parked, now) },
	"parked-bytes":  func() float64 { return each(parked, memory) },
	"million":       func() float64 { return each(million, now) },
	"million-cpu":   func() float64 { return each(million, cpuNow) },
	"million-bytes": func() float64 { return each(million, memory) },
	"block4":  func() float64 { return kept(4) },
	"block16": func() float64 { return kept(16) },
}

func main() {
	if len(os.Args) < 3 || rows[os.Args[1]] == nil {
		os.Exit(77)
	}
	n, _ := strconv.Atoi(os.Args[2])
	if len(os.Args) > 3 {
		parked, _ = strconv.Atoi(os.Args[3])
	}
	runtime.GOMAXPROCS(n)
	fmt.Printf("%.3f\n", rows[os.Args[1]]())
}
