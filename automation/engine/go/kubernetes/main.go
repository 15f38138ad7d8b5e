// The Kubernetes provider, built from its Go module. Its schema comes from the same module: the build copies it here, and
// the package lifetime from beside it.
package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"scipion/automation/engine/kubernetes/lifetime"
)

//go:embed schema.json
var schema []byte

// The version that the program's SDK asks for (-ldflags -X main.version=…).
var version string

func main() {
	if err := lifetime.EndWithEngine(func() {}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	provider.Serve("kubernetes", version, schema, nil)
}
