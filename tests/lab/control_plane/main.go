// Copyright: meshlab.envoy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A control plane for Envoy from go-control-plane: ADS, with whole states (SotW) and differences (delta).
//
// It serves one of several snapshots to all Envoys. A snapshot NAME is the file NAME.yaml of a folder: a list of resources, each with
// its @type. POST /NAME at the HTTP port selects a snapshot, and GET /metrics returns what was sent, accepted and rejected.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

// Every Envoy gets the same snapshot.
const node = "all"

type sameForAll struct{}

func (sameForAll) ID(*core.Node) string { return node }

// counters are the numbers of the metrics page, by name and labels, and the answers of Envoy to the current snapshot.
type counters struct {
	sync.Mutex
	values  map[string]int
	current string
	answers map[string]int
}

func (c *counters) begin(name string) {
	c.Lock()
	defer c.Unlock()
	c.current, c.answers = name, map[string]int{}
}

func (c *counters) answer(answer, url string) {
	c.add(1, "xds_"+answer+"_total", url)
	c.Lock()
	defer c.Unlock()
	c.answers[answer]++
}

func (c *counters) add(number int, name, url string) {
	kind := url[strings.LastIndex(url, ".")+1:]
	c.Lock()
	defer c.Unlock()
	c.values[fmt.Sprintf("%s{type=%q}", name, kind)] += number
}

func (c *counters) page(started time.Time) string {
	c.Lock()
	defer c.Unlock()
	lines := []string{fmt.Sprintf("process_start_time_seconds %.3f", float64(started.UnixMilli())/1000)}
	for name, value := range c.values {
		lines = append(lines, fmt.Sprintf("%s %d", name, value))
	}
	for answer, number := range c.answers {
		lines = append(lines, fmt.Sprintf("xds_answers{snapshot=%q,answer=%q} %d", c.current, answer, number))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

// callbacks count the messages of delta xDS. A request with a nonce answers a response: with error details it rejects it.
func (c *counters) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		StreamDeltaRequestFunc: func(_ int64, request *discovery.DeltaDiscoveryRequest) error {
			switch {
			case request.GetErrorDetail() != nil:
				log.Printf("rejected: %s", request.GetErrorDetail().GetMessage())
				c.answer("rejected", request.GetTypeUrl())
			case request.GetResponseNonce() != "":
				c.answer("accepted", request.GetTypeUrl())
			}
			return nil
		},
		StreamDeltaResponseFunc: func(_ int64, _ *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
			c.add(1, "xds_responses_total", response.GetTypeUrl())
			c.add(len(response.GetResources()), "xds_resources_total", response.GetTypeUrl())
		},
	}
}

// read returns the snapshot of a file.
func read(path, version string) (*cache.Snapshot, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []map[string]any
	if err := yaml.Unmarshal(text, &entries); err != nil {
		return nil, err
	}
	resources := map[resource.Type][]types.Resource{}
	for _, entry := range entries {
		document, err := yaml.Marshal(entry)
		if err != nil {
			return nil, err
		}
		if document, err = yaml.YAMLToJSON(document); err != nil {
			return nil, err
		}
		var packed anypb.Any
		if err := protojson.Unmarshal(document, &packed); err != nil {
			return nil, err
		}
		message, err := packed.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		resources[packed.GetTypeUrl()] = append(resources[packed.GetTypeUrl()], message)
	}
	return cache.NewSnapshot(version, resources)
}

func main() {
	grpcAddress := flag.String("grpc", "127.0.0.1:18000", "address of the gRPC port")
	httpAddress := flag.String("http", "127.0.0.1:18001", "address of the HTTP port")
	folder := flag.String("snapshots", ".", "folder of the snapshots")
	first := flag.String("first", "", "snapshot to begin with")
	flag.Parse()
	started, snapshots, counted := time.Now(), cache.NewSnapshotCache(true, sameForAll{}, nil), &counters{values: map[string]int{}}
	version := 0
	var lock sync.Mutex
	choose := func(name string) error {
		lock.Lock()
		defer lock.Unlock()
		version++
		name = filepath.Base(name)
		snapshot, err := read(filepath.Join(*folder, name+".yaml"), fmt.Sprint(version))
		if err != nil {
			return err
		}
		counted.begin(name)
		return snapshots.SetSnapshot(context.Background(), node, snapshot)
	}
	if err := choose(*first); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *grpcAddress)
	if err != nil {
		log.Fatal(err)
	}
	service := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(service, server.NewServer(context.Background(), snapshots, counted.callbacks()))
	go func() { log.Fatal(service.Serve(listener)) }()
	log.Fatal(http.ListenAndServe(*httpAddress, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			fmt.Fprint(writer, counted.page(started))
			return
		}
		if err := choose(request.URL.Path); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(writer, "sent")
	})))
}
