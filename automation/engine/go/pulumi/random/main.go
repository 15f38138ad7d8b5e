// Those resources of the random provider that the program uses, where the vendor's own is not to be had: drawn once from
// the system's generator and kept. States go from one to the other: types, inputs and outputs are the same.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/pulumi/pulumi/pkg/v3/resource/provider"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"scipion/automation/engine/pulumi/lifetime"
)

// Marks of the protocol for secret values.
const (
	signatureKey = "4dabf18193072939515e22adb298388d"
	secretMark   = "1b47061264138c4ac30d75fd1eb44270"
)

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	special = "!@#$%&*()-_=+[]{}<>:?"
)

var version string

type fields = map[string]*structpb.Value

type server struct {
	rpc.UnimplementedResourceProviderServer
}

func secret(text string) *structpb.Value {
	return structpb.NewStructValue(&structpb.Struct{Fields: fields{
		signatureKey: structpb.NewStringValue(secretMark), "value": structpb.NewStringValue(text),
	}})
}

// plain takes the mark of a secret away.
func plain(value *structpb.Value) *structpb.Value {
	if inner := value.GetStructValue(); inner.GetFields()[signatureKey].GetStringValue() == secretMark {
		return inner.GetFields()["value"]
	}
	return value
}

// typeOf reads the type from a URN: its third part, after the types of the parents.
func typeOf(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return urn
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}

// lengthKeys are the types that are known here, each with the input that says how much is drawn.
var lengthKeys = map[string]string{
	"random:index/randomPassword:RandomPassword": "length",
	"random:index/randomBytes:RandomBytes":       "length",
	"random:index/randomId:RandomId":             "byteLength",
}

// onlyDefault are the inputs of a password that would change what is drawn in a way this provider does not know.
var onlyDefault = []string{"minLower", "minUpper", "minNumeric", "minSpecial", "overrideSpecial"}

func (server) Check(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	key, ok := lengthKeys[typeOf(r.Urn)]
	if !ok {
		return nil, status.Errorf(codes.Unimplemented,
			"%s is not part of this build of the random provider; use the vendor's (a Pulumi CLI on PATH)", typeOf(r.Urn))
	}
	inputs := r.News.GetFields()
	failures := []*rpc.CheckFailure{}
	if n := plain(inputs[key]); n == nil {
		failures = append(failures, &rpc.CheckFailure{Property: key, Reason: "it is missing"})
	} else if _, isNumber := n.Kind.(*structpb.Value_NumberValue); isNumber && n.GetNumberValue() < 1 {
		failures = append(failures, &rpc.CheckFailure{Property: key, Reason: "expected a whole number above 0"})
	}
	for _, key := range onlyDefault {
		if inputs[key] != nil {
			failures = append(failures, &rpc.CheckFailure{Property: key, Reason: "this build of the provider does not know it"})
		}
	}
	return &rpc.CheckResponse{Inputs: r.News, Failures: failures}, nil
}

// Diff: whatever changes is drawn again, as with the vendor's provider. A missing switch is on.
func (server) Diff(_ context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	changed := []string{}
	before, after := r.OldInputs.GetFields(), r.News.GetFields()
	seen := fields{}
	for _, side := range []fields{before, after} {
		for key := range side {
			seen[key] = nil
		}
	}
	for key := range seen {
		if !strings.HasPrefix(key, "__") && !isDefault(key, before[key], after[key]) && !proto.Equal(plain(before[key]), plain(after[key])) {
			changed = append(changed, key)
		}
	}
	if len(changed) == 0 {
		return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}, nil
	}
	return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_SOME, Replaces: changed, Diffs: changed}, nil
}

// isDefault: the vendor's provider writes defaults into the inputs that it keeps.
func isDefault(key string, before, after *structpb.Value) bool {
	given := before
	if given == nil {
		given = after
	} else if after != nil {
		return false
	}
	switch key {
	case "lower", "upper", "special", "numeric", "number":
		return plain(given).GetBoolValue()
	case "minLower", "minUpper", "minNumeric", "minSpecial":
		return plain(given).GetNumberValue() == 0
	}
	return false
}

func (server) Create(_ context.Context, r *rpc.CreateRequest) (*rpc.CreateResponse, error) {
	inputs := r.Properties.GetFields()
	out := fields{}
	for key, value := range inputs {
		out[key] = value
	}
	if r.Preview {
		return &rpc.CreateResponse{Properties: &structpb.Struct{Fields: out}}, nil
	}
	kind := typeOf(r.Urn)
	length := int(plain(inputs[lengthKeys[kind]]).GetNumberValue())
	id := "none"
	switch kind {
	case "random:index/randomPassword:RandomPassword":
		text, err := password(inputs, length)
		if err != nil {
			return nil, err
		}
		out["result"] = secret(text)
	case "random:index/randomBytes:RandomBytes":
		b := draw(length)
		out["base64"], out["hex"] = secret(base64.StdEncoding.EncodeToString(b)), secret(hex.EncodeToString(b))
	case "random:index/randomId:RandomId":
		b := draw(length)
		id = base64.RawURLEncoding.EncodeToString(b)
		out["b64Url"] = structpb.NewStringValue(id)
		out["b64Std"] = structpb.NewStringValue(base64.StdEncoding.EncodeToString(b))
		out["dec"] = structpb.NewStringValue(new(big.Int).SetBytes(b).String())
		out["hex"] = structpb.NewStringValue(hex.EncodeToString(b))
	}
	return &rpc.CreateResponse{Id: id, Properties: &structpb.Struct{Fields: out}}, nil
}

func draw(length int) []byte {
	b := make([]byte, length)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return b
}

func password(inputs fields, length int) (string, error) {
	isOn := func(key string) bool { return inputs[key] == nil || plain(inputs[key]).GetBoolValue() }
	letters := ""
	for key, class := range map[string]string{"lower": lower, "upper": upper, "special": special} {
		if isOn(key) {
			letters += class
		}
	}
	if isOn("numeric") && isOn("number") {
		letters += digits
	}
	if letters == "" {
		return "", status.Error(codes.InvalidArgument, "a password needs at least one class of characters")
	}
	var text strings.Builder
	for range length {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", err
		}
		text.WriteByte(letters[n.Int64()])
	}
	return text.String(), nil
}

func (server) Read(_ context.Context, r *rpc.ReadRequest) (*rpc.ReadResponse, error) {
	return &rpc.ReadResponse{Id: r.Id, Properties: r.Properties, Inputs: r.Inputs}, nil
}

func (server) Delete(context.Context, *rpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (server) CheckConfig(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.News}, nil
}

func (server) DiffConfig(context.Context, *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}, nil
}

func (server) Configure(context.Context, *rpc.ConfigureRequest) (*rpc.ConfigureResponse, error) {
	return &rpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

func (server) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: version}, nil
}

func (server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func main() {
	err := lifetime.EndWithEngine(func() {})
	if err == nil {
		err = provider.Main("random", func(*provider.HostClient) (rpc.ResourceProviderServer, error) {
			return server{}, nil
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
