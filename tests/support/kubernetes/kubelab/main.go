// kubelab: a Kubernetes control plane in one process, for tests.
//
// etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones, unmodified; the one node is
// pretended (node.go): no container runs. State lies under -dir; started there again, it goes on from it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
)

func main() {
	dir := flag.String("dir", "", "folder for state; kubeconfig is written there")
	port := flag.Int("port", 0, "port of the API server, on the loopback interface")
	clientCA := flag.String("client-ca", "", "file with authorities of client certificates (none)")
	flag.Parse()
	// Absolute, because the components read a relative name as relative to whatever names it.
	lab := lab{root: must(filepath.Abs(*dir)), port: *port, clientCA: *clientCA}
	ok(os.MkdirAll(lab.at("certs"), 0o700))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	lab.run(ctx, time.Now())
}

type lab struct {
	root     string
	port     int
	clientCA string
}

func (l lab) at(name string) string { return filepath.Join(l.root, name) }

// run says "ready" on stdout when pods can be scheduled, and ends the process when ctx ends.
func (l lab) run(ctx context.Context, begun time.Time) {
	store := startEtcd(l.at("etcd"))
	admin := l.startAPIServer(ctx, store)
	clients := l.admit(ctx, admin)
	l.startControllers(ctx)
	l.startScheduler(ctx)
	startNode(ctx, clients)
	waitForAccounts(ctx, clients)
	fmt.Printf("ready after %.2f s\n", time.Since(begun).Seconds())
	select {} // the API server's goroutine ends the process
}

// flags gives a component its options as its own command line would.
func flags(sets cliflag.NamedFlagSets, arguments ...string) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	ok(all.Parse(arguments))
}

func must[T any](value T, err error) T {
	ok(err)
	return value
}

func ok(err error) {
	if err != nil {
		log.Fatal("kubelab: ", err)
	}
}
