// A callee that speaks HTTP/1.1 and HTTP/2 without TLS on port 8080.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// How many callers of /held have gone before there was an answer.
var gone atomic.Int64

func main() {
	routes := http.NewServeMux()
	routes.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	routes.HandleFunc("/echo", echo)
	routes.HandleFunc("/bytes", sendBytes)
	routes.HandleFunc("/digest", digest)
	routes.HandleFunc("/events", events)
	routes.HandleFunc("/held", held)
	routes.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, gone.Load()) })
	server := &http.Server{Addr: ":8080", Handler: routes, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}

// echo answers with the body while it still comes, and with its trailers.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Count")
	w.Header().Set("X-Method", r.Method)
	control := http.NewResponseController(w)
	control.EnableFullDuplex()
	w.WriteHeader(http.StatusOK)
	control.Flush()
	count, buffer := 0, make([]byte, 16<<10)
	for {
		n, err := r.Body.Read(buffer)
		count += n
		w.Write(buffer[:n])
		control.Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set("X-Count", strconv.Itoa(count))
	for name, values := range r.Trailer {
		w.Header().Set(http.TrailerPrefix+"Back-"+name, values[0])
	}
}

// sendBytes answers with ?n= bytes, each the lower half of its place.
func sendBytes(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	block := make([]byte, 1<<16)
	for i := range block {
		block[i] = byte(i)
	}
	for n > 0 {
		size := min(n, len(block))
		if _, err := w.Write(block[:size]); err != nil {
			return
		}
		n -= size
	}
}

// digest answers with the length and the SHA-256 of what it is sent.
func digest(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	fmt.Fprintf(w, "%d %x %v", n, hash.Sum(nil), err)
}

// events sends three server-sent events; the next one when the last has had time to arrive.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// held answers nothing until its caller has gone.
func held(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	gone.Add(1)
}
