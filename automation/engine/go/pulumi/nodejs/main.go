// The host of Node.js programs where the vendor's own is not to be had: starts the runner of the SDK that is installed
// beside the program, with the node on PATH. It installs nothing and generates nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"scipion/automation/engine/pulumi/lifetime"
)

// The SDK's exit code for a program that has said itself what is wrong.
const exitAfterMessage = 32

// How often the host looks whether its engine is still there; an interval of 0 would spin.
const healthInterval = time.Minute

var version string

type host struct {
	rpc.UnimplementedLanguageRuntimeServer
	engine  string
	stop    func()
	program atomic.Pointer[os.Process]
}

func (h *host) Handshake(_ context.Context, r *rpc.LanguageHandshakeRequest) (*rpc.LanguageHandshakeResponse, error) {
	h.engine = r.EngineAddress
	return &rpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: version}, nil
}

// The SDK names its providers as it registers resources; nothing needs to be known before.
func (h *host) GetRequiredPackages(context.Context, *rpc.GetRequiredPackagesRequest) (*rpc.GetRequiredPackagesResponse, error) {
	return &rpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) GetRequiredPlugins(context.Context, *rpc.GetRequiredPluginsRequest) (*rpc.GetRequiredPluginsResponse, error) {
	return &rpc.GetRequiredPluginsResponse{}, nil
}

func (h *host) About(context.Context, *rpc.AboutRequest) (*rpc.AboutResponse, error) {
	return &rpc.AboutResponse{}, nil
}

func (h *host) InstallDependencies(*rpc.InstallDependenciesRequest, rpc.LanguageRuntime_InstallDependenciesServer) error {
	return nil
}

// A host that does not end at once is waited for at each command.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	go h.stop()
	return &emptypb.Empty{}, nil
}

// runner finds a command of the SDK as Node.js does: in this folder or one above.
func runner(directory, command string) (string, error) {
	for at := directory; ; at = filepath.Dir(at) {
		found := filepath.Join(at, "node_modules", "@pulumi", "pulumi", "cmd", command)
		if _, err := os.Stat(found); err == nil {
			return found, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("@pulumi/pulumi was not found from %s; run `npm ci` there", directory)
		}
	}
}

func (h *host) Run(ctx context.Context, r *rpc.RunRequest) (*rpc.RunResponse, error) {
	run, err := runner(r.Info.ProgramDirectory, "run")
	if err != nil {
		return &rpc.RunResponse{Error: err.Error()}, nil
	}
	options := r.Info.GetOptions().GetFields()
	args := append(strings.Fields(options["nodeargs"].GetStringValue()), run,
		"--monitor", r.MonitorAddress, "--engine", h.engine, "--organization", r.Organization, "--project", r.Project,
		"--root-directory", r.Info.RootDirectory, "--stack", r.Stack, "--pwd", r.Pwd, "--parallel", strconv.Itoa(int(r.Parallel)))
	if r.DryRun {
		args = append(args, "--dry-run")
	}
	config, err := json.Marshal(r.Config)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(r.ConfigSecretKeys)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", append(append(args, r.Info.EntryPoint), r.Args...)...)
	cmd.Dir = r.Pwd
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys))
	if typescript, ok := options["typescript"]; ok {
		cmd.Env = append(cmd.Env, fmt.Sprintf("PULUMI_NODEJS_TYPESCRIPT=%v", typescript.GetBoolValue()))
	}
	if err = cmd.Start(); err == nil {
		h.program.Store(cmd.Process)
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &rpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == exitAfterMessage:
		return &rpc.RunResponse{Bail: true}, nil
	default:
		return &rpc.RunResponse{Error: "the program ended with " + err.Error()}, nil
	}
}

// endProgram: a program whose engine is gone may wait in a hook, and never hears of it.
func (h *host) endProgram() {
	if program := h.program.Load(); program != nil {
		_ = program.Kill()
	}
}

// lines passes what a plugin writes on to the engine, which reads the plugin's port there.
type lines func([]byte) error

func (send lines) Write(part []byte) (int, error) { return len(part), send(part) }

// RunPlugin runs a policy pack that is a folder with a program; other kinds of plugin are programs of their own here.
func (h *host) RunPlugin(r *rpc.RunPluginRequest, stream rpc.LanguageRuntime_RunPluginServer) error {
	if r.Kind != "analyzer" {
		return fmt.Errorf("found a plugin of kind %q, expected a policy pack", r.Kind)
	}
	run, err := runner(r.Info.ProgramDirectory, "run-policy-pack")
	if err != nil {
		return err
	}
	var one sync.Mutex // a stream takes one message at a time
	to := func(message func([]byte) *rpc.RunPluginResponse) lines {
		return func(part []byte) error {
			one.Lock()
			defer one.Unlock()
			return stream.Send(message(part))
		}
	}
	cmd := exec.CommandContext(stream.Context(), "node", append(append([]string{run}, r.Args...), r.Info.ProgramDirectory)...)
	cmd.Dir, cmd.Env = r.Info.ProgramDirectory, append(os.Environ(), r.Env...)
	cmd.Stdout = to(func(part []byte) *rpc.RunPluginResponse {
		return &rpc.RunPluginResponse{Output: &rpc.RunPluginResponse_Stdout{Stdout: part}}
	})
	cmd.Stderr = to(func(part []byte) *rpc.RunPluginResponse {
		return &rpc.RunPluginResponse{Output: &rpc.RunPluginResponse_Stderr{Stderr: part}}
	})
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return err
	}
	code := int32(cmd.ProcessState.ExitCode())
	return stream.Send(&rpc.RunPluginResponse{Output: &rpc.RunPluginResponse_Exitcode{Exitcode: code}})
}

// engineAddress is the one argument that is no flag.
func engineAddress() string {
	for _, argument := range os.Args[1:] {
		if !strings.HasPrefix(argument, "-") {
			return argument
		}
	}
	return ""
}

func serve() error {
	signal.Ignore(syscall.SIGINT) // a terminal tells it to everybody; the engine decides
	cancel := make(chan bool)
	stop := sync.OnceFunc(func() { close(cancel) })
	engine := engineAddress()
	if engine != "" {
		ctx, end := context.WithCancel(context.Background())
		go func() { <-ctx.Done(); stop() }()
		if err := rpcutil.Healthcheck(ctx, engine, healthInterval, end); err != nil {
			return err
		}
	}
	runtime := &host{engine: engine, stop: stop}
	if err := lifetime.EndWithEngine(runtime.endProgram); err != nil {
		return err
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(s *grpc.Server) error {
			rpc.RegisterLanguageRuntimeServer(s, runtime)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
