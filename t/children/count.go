// count.go - count.c in Go with net/http/fcgi: polls, and has several threads
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/fcgi"
	"os"
)

func main() {
	err := fcgi.Serve(nil, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "bytes: %d\n", n)
		}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
