// sorted: a WAGI handler in Go that sorts the lines of a body. Go's runtime makes it the largest
// module here; fmt and net/http would double it.
package main

import (
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	slices.Sort(lines)
	os.Stdout.WriteString("Content-Type: text/plain\n\n" + strings.Join(lines, "\n") + "\n")
}
