// SPDX-License-Identifier: MIT
// lang_bench.go: Go's rows of bench-lang, as lang_bench.c has them.
//
//	lang_bench ROW PS
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	total = 300000
	few   = 30000
)

var start = time.Now()

var oneP bool

func now() float64 {
	if !oneP {
		return float64(time.Since(start).Nanoseconds())
	}
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func buffer(int) float64 {
	t := now()
	a := make(chan int, 128)
	for i := 0; i < total/64; i++ {
		for k := 0; k < 64; k++ {
			a <- k
		}
		for k := 0; k < 64; k++ {
			<-a
		}
	}
	return (now() - t) / float64(total/64*64)
}

func ping(int) float64 {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v
		}
	}()
	t := now()
	for i := 0; i < total; i++ {
		a <- i
		<-b
	}
	t = (now() - t) / total / 2
	close(a)
	return t
}

func through(capacity, pairs int) float64 {
	a := make(chan int, capacity)
	done := make(chan int)
	t := now()
	for i := 0; i < pairs; i++ {
		go func() {
			for i := 0; i < total/pairs; i++ {
				a <- i
			}
		}()
		go func() {
			for i := 0; i < total/pairs; i++ {
				<-a
			}
			done <- 0
		}()
	}
	for i := 0; i < pairs; i++ {
		<-done
	}
	return (now() - t) / total
}

func spsc(n int) float64 { return through(n, 1) }
func mpmc(n int) float64 { return through(n, 4) }

var c [64]chan int

func try(int) float64 {
	for i := range c {
		c[i] = make(chan int)
	}
	t := now()
	for i := 0; i < total; i++ {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		default:
		}
	}
	return (now() - t) / total
}

func choose(n int) {
	if n == 4 {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		}
		return
	}
	select {
	case <-c[0]:
	case <-c[1]:
	case <-c[2]:
	case <-c[3]:
	case <-c[4]:
	case <-c[5]:
	case <-c[6]:
	case <-c[7]:
	case <-c[8]:
	case <-c[9]:
	case <-c[10]:
	case <-c[11]:
	case <-c[12]:
	case <-c[13]:
	case <-c[14]:
	case <-c[15]:
	case <-c[16]:
	case <-c[17]:
	case <-c[18]:
	case <-c[19]:
	case <-c[20]:
	case <-c[21]:
	case <-c[22]:
	case <-c[23]:
	case <-c[24]:
	case <-c[25]:
	case <-c[26]:
	case <-c[27]:
	case <-c[28]:
	case <-c[29]:
	case <-c[30]:
	case <-c[31]:
	case <-c[32]:
	case <-c[33]:
	case <-c[34]:
	case <-c[35]:
	case <-c[36]:
	case <-c[37]:
	case <-c[38]:
	case <-c[39]:
	case <-c[40]:
	case <-c[41]:
	case <-c[42]:
	case <-c[43]:
	case <-c[44]:
	case <-c[45]:
	case <-c[46]:
	case <-c[47]:
	case <-c[48]:
	case <-c[49]:
	case <-c[50]:
	case <-c[51]:
	case <-c[52]:
	case <-c[53]:
	case <-c[54]:
	case <-c[55]:
	case <-c[56]:
	case <-c[57]:
	case <-c[58]:
	case <-c[59]:
	case <-c[60]:
	case <-c[61]:
	case <-c[62]:
	case <-c[63]:
	}
}

func ready(n int) float64 {
	for i := range c {
		c[i] = make(chan int)
		close(c[i])
	}
	t := now()
	for i := 0; i < total; i++ {
		choose(n)
	}
	return (now() - t) / total
}

func wait(n int) float64 {
	done := make(chan int, 1)
	for i := range c {
		c[i] = make(chan int)
	}
	go func() {
		for i := 0; i < few; i++ {
			c[i%n] <- i
		}
		done <- 0
	}()
	t := now()
	for i := 0; i < few; i++ {
		choose(n)
	}
	t = (now() - t) / few
	<-done
	return t
}

func lock(int) float64 {
	var m sync.Mutex
	t := now()
	for i := 0; i < total; i++ {
		m.Lock()
		m.Unlock()
	}
	return (now() - t) / total
}

var worked int

func work() {
	x := worked
	for i := 0; i < 20; i++ {
		x = x*5 + i
	}
	worked = x
}

func fight(int) float64 {
	var m sync.Mutex
	var g sync.WaitGroup
	t := now()
	for i := 0; i < 4; i++ {
		g.Add(1)
		go func() {
			for i := 0; i < total/4; i++ {
				m.Lock()
				work()
				m.Unlock()
			}
			g.Done()
		}()
	}
	g.Wait()
	return (now() - t) / total
}

func group(int) float64 {
	var g sync.WaitGroup
	t := now()
	for i := 0; i < 1000; i++ {
		g.Add(100)
		for k := 0; k < 100; k++ {
			go g.Done()
		}
		g.Wait()
	}
	return (now() - t) / 100000
}

func main() {
	rows := map[string]struct {
		fn func(int) float64
		n  int
	}{
		"buffer": {buffer, 0}, "ping": {ping, 0},
		"spsc0": {spsc, 0}, "spsc1": {spsc, 1}, "spsc128": {spsc, 128},
		"mpmc0": {mpmc, 0}, "mpmc1": {mpmc, 1}, "mpmc128": {mpmc, 128},
		"try4": {try, 4}, "ready4": {ready, 4}, "ready64": {ready, 64},
		"wait4": {wait, 4}, "wait64": {wait, 64},
		"lock": {lock, 0}, "fight": {fight, 0}, "group": {group, 0},
	}
	procs, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(procs)
	oneP = procs == 1
	r, ok := rows[os.Args[1]]
	if !ok {
		os.Exit(77)
	}
	r.fn(r.n)
	fmt.Printf("%.1f\n", r.fn(r.n))
}
