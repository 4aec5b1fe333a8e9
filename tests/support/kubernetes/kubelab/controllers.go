package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// The components' own commands cannot share a process, so each is run by its options.
func (l lab) common() []string {
	return []string{"--kubeconfig=" + l.at("kubeconfig"), "--leader-elect=false", "--secure-port=0"}
}

func (l lab) startControllers(ctx context.Context) {
	manager := must(controlleroptions.NewKubeControllerManagerOptions())
	known, off := controllers.KnownControllers(), controllers.ControllersDisabledByDefault()
	sets := manager.Flags(known, off, controllers.ControllerAliases())
	manager.ParsedFlags = &sets
	flags(sets, append(l.common(),
		"--controllers=*,-node-lifecycle-controller",
		"--root-ca-file="+l.at("certs/apiserver.crt"),
		"--service-account-private-key-file="+l.at("accounts.key"),
		"--kube-api-qps=500", "--kube-api-burst=500")...)
	config := must(manager.Config(ctx, known, off, controllers.ControllerAliases()))
	go func() { ok(controllers.Run(ctx, config.Complete())) }()
}

func (l lab) startScheduler(ctx context.Context) {
	options := scheduleroptions.NewOptions()
	flags(*options.Flags, l.common()...)
	config, made, err := scheduler.Setup(ctx, options)
	ok(err)
	go func() {
		if err := scheduler.Run(ctx, config, made); ctx.Err() == nil {
			ok(err)
		}
	}()
}

// waitForAccounts waits for the account that each pod of the namespace default needs.
func waitForAccounts(ctx context.Context, clients kubernetes.Interface) {
	for must(clients.CoreV1().ServiceAccounts("default").List(ctx, metav1.ListOptions{})).Items == nil {
		time.Sleep(20 * time.Millisecond)
	}
}
