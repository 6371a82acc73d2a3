// echo.go - echo.c in Go with net/http/fcgi: polls, and has several threads
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/fcgi"
	"os"
	"time"
)

func main() {
	err := fcgi.Serve(nil, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "pid: %d\n\n", os.Getpid())
			w.(http.Flusher).Flush()
			time.Sleep(2 * time.Millisecond)
			w.Write(body)
		}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
