package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// startEtcd starts one member that never syncs to disk: its data dies with the test run.
func startEtcd(dir string) *embed.Etcd {
	config, anywhere := embed.NewConfig(), []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.Dir, config.LogLevel, config.UnsafeNoFsync = dir, "error", true
	config.InitialCluster = config.Name + "=http://127.0.0.1:0"
	config.ListenClientUrls, config.AdvertiseClientUrls = anywhere, anywhere
	config.ListenPeerUrls, config.AdvertisePeerUrls = anywhere, anywhere
	etcd := must(embed.StartEtcd(config))
	<-etcd.Server.ReadyNotify()
	return etcd
}

// startAPIServer starts it and returns how an administrator reaches it. When it ends, the process does.
func (l lab) startAPIServer(ctx context.Context, etcd *embed.Etcd) *rest.Config {
	token := l.keys()
	server := options.NewServerRunOptions()
	arguments := []string{
		"--etcd-servers=http://" + etcd.Clients[0].Addr().String(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprint("--secure-port=", l.port),
		"--cert-dir=" + l.at("certs"), "--token-auth-file=" + l.at("tokens.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
		"--service-account-issuer=https://kubelab", "--service-account-key-file=" + l.at("accounts.key"),
		"--service-account-signing-key-file=" + l.at("accounts.key"),
		// Nobody here would take the taint away: that is the node-lifecycle controller's work, which needs a kubelet.
		"--disable-admission-plugins=TaintNodesByCondition",
	}
	if l.clientCA != "" {
		arguments = append(arguments, "--client-ca-file="+l.clientCA)
	}
	flags(server.Flags(), arguments...)
	ok(server.GenericServerRunOptions.ComponentGlobalsRegistry.Set())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	complete := must(server.Complete(ctx))
	for _, err := range complete.Validate() {
		ok(err)
	}
	go func() {
		ok(app.Run(ctx, complete))
		etcd.Close()
		os.Exit(0)
	}()
	authority := rest.TLSClientConfig{CAFile: l.at("certs/apiserver.crt")}
	host := fmt.Sprint("https://127.0.0.1:", l.port)
	return &rest.Config{Host: host, BearerToken: token, QPS: -1, TLSClientConfig: authority}
}

// keys are made once for a folder; returns the administrator's token.
func (l lab) keys() string {
	if known, err := os.ReadFile(l.at("token")); err == nil {
		return string(known)
	}
	token := rand.Text()
	ok(os.WriteFile(l.at("tokens.csv"), []byte(token+",admin,admin,system:masters\n"), 0o600))
	ok(os.WriteFile(l.at("accounts.key"), must(keyutil.MakeEllipticPrivateKeyPEM()), 0o600))
	ok(os.WriteFile(l.at("token"), []byte(token), 0o600))
	return token
}

// admit waits until the API server answers, and writes the administrator's kubeconfig, whole in itself.
func (l lab) admit(ctx context.Context, admin *rest.Config) kubernetes.Interface {
	clients := must(kubernetes.NewForConfig(admin))
	for clients.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() != nil {
		time.Sleep(50 * time.Millisecond)
	}
	config := api.NewConfig()
	config.Clusters["lab"] = &api.Cluster{Server: admin.Host, CertificateAuthorityData: must(os.ReadFile(admin.CAFile))}
	config.AuthInfos["admin"] = &api.AuthInfo{Token: admin.BearerToken}
	config.Contexts["lab"] = &api.Context{Cluster: "lab", AuthInfo: "admin", Namespace: "default"}
	config.CurrentContext = "lab"
	ok(clientcmd.WriteToFile(*config, l.at("kubeconfig")))
	return clients
}
