// Package lifetime ends a plugin together with its engine.
package lifetime

import (
	"io"
	"os"
)

// EndWithEngine ends this process once its engine is gone, however that ended, after a last call of end. The engine holds
// the other end of standard input for as long as it lives and writes nothing there. Without this a plugin looks for its
// engine every few minutes, and one that asks a person for something (the Kubernetes provider, about a user without
// credentials) waits for ever: who reads standard input finds it at its end from now on.
func EndWithEngine(end func()) error {
	engine := os.Stdin
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	os.Stdin = nothing
	go func() {
		_, _ = io.Copy(io.Discard, engine)
		end()
		os.Exit(1)
	}()
	return nil
}
