package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

func main() {
	runtime.GOMAXPROCS(4)
	// goroutine preemption: loops without calls
	stop := make([]int, 4)
	for i := range stop {
		go func() {
			for {
				stop[i]++
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.URL.Path) })
	go http.Serve(l, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 10; j++ {
				r, err := http.Get(fmt.Sprintf("http://%s/%d/%d", l.Addr(), i, j))
				if err != nil {
					panic(err)
				}
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if string(b) == fmt.Sprintf("hello /%d/%d", i, j) {
					mu.Lock()
					n++
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	fmt.Println("done", n)
}
