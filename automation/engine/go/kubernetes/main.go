// The Kubernetes provider, built from its Go module. Its schema comes from the same module: the build copies it here.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

// The version that the program's SDK asks for (-ldflags -X main.version=…).
var version string

func main() { provider.Serve("kubernetes", version, schema, nil) }
