package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// address is an annotation of a pod: the IP it shall have, where a test answers for it.
const address = "kubelab/address"

var addresses atomic.Uint32

// startNode registers the one node, and acts as its kubelet would if it had nothing to run.
func startNode(ctx context.Context, clients kubernetes.Interface) {
	factory := informers.NewSharedInformerFactory(clients, 0)
	act := func(object any) { go actOn(ctx, clients, object.(*v1.Pod)) }
	must(factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: act, UpdateFunc: func(_, object any) { act(object) },
	}))
	factory.Start(ctx.Done())
	if _, err := clients.CoreV1().Nodes().Create(ctx, node(), metav1.CreateOptions{}); !errors.IsAlreadyExists(err) {
		ok(err)
	}
}

func node() *v1.Node {
	room := v1.ResourceList{}
	for name, size := range map[v1.ResourceName]string{"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "1Ti"} {
		room[name] = resource.MustParse(size)
	}
	labels := map[string]string{"kubernetes.io/hostname": "pretend", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "pretend", Labels: labels},
		Status: v1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []v1.NodeCondition{
			{Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "Pretend"},
		}},
	}
}

// actOn lets go of deleted pods, and calls a new one whatever its images' names say.
func actOn(ctx context.Context, clients kubernetes.Interface, pod *v1.Pod) {
	pods := clients.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.Spec.NodeName == "":
	case pod.DeletionTimestamp != nil:
		pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
	case pod.Status.PodIP == "":
		pod = pod.DeepCopy()
		if onlyPullsImages(pod) {
			setPulled(pod)
			keepImages(ctx, clients, pod)
		} else {
			setStatus(pod)
		}
		pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		if onlyPullsImages(pod) {
			backsOff(ctx, clients, pod)
		}
	}
}

func setStatus(pod *v1.Pod) {
	now, fate := metav1.Now(), fateOf(pod)
	status := &pod.Status
	status.Phase, status.PodIP, status.HostIP, status.StartTime = fate.phase, addressOf(pod), "127.0.0.1", &now
	ready := v1.ConditionFalse
	if fate.ready {
		ready = v1.ConditionTrue
	}
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, v1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: fate.ready, State: fate.state,
		})
	}
	for _, kind := range []v1.PodConditionType{v1.PodInitialized, v1.ContainersReady, v1.PodReady} {
		status.Conditions = append(status.Conditions, v1.PodCondition{Type: kind, Status: ready, LastTransitionTime: now})
	}
}

type fate struct {
	phase v1.PodPhase
	ready bool
	state v1.ContainerState
}

// fateOf is what becomes of a pod: ready, or ended where it shall not run for ever; otherwise by a word in an image's name.
func fateOf(pod *v1.Pod) fate {
	now := metav1.Now()
	ended := func(code int32) v1.ContainerState {
		return v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: code, StartedAt: now, FinishedAt: now}}
	}
	waits := func(reason, message string) v1.ContainerState {
		return v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	runs := v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: now}}
	once := pod.Spec.RestartPolicy != v1.RestartPolicyAlways
	switch {
	case has(pod, "missing"):
		return fate{v1.PodPending, false, waits("ImagePullBackOff", "Back-off pulling image: "+refusals["missing"])}
	case has(pod, "broken"):
		return fate{v1.PodPending, false, waits("ImagePullBackOff", "Back-off pulling image")}
	case has(pod, "crashing") && once:
		return fate{v1.PodFailed, false, ended(1)}
	case has(pod, "crashing"):
		return fate{v1.PodRunning, false, waits("CrashLoopBackOff", "back-off restarting failed container")}
	case has(pod, "unready"):
		return fate{v1.PodRunning, false, runs}
	case once:
		return fate{v1.PodSucceeded, false, ended(0)}
	}
	return fate{v1.PodRunning, true, runs}
}

func has(pod *v1.Pod, word string) bool {
	for _, container := range pod.Spec.Containers {
		if strings.Contains(container.Image, word) {
			return true
		}
	}
	return false
}

func addressOf(pod *v1.Pod) string {
	if named := pod.Annotations[address]; named != "" {
		return named
	}
	number := addresses.Add(1)
	return fmt.Sprintf("10.244.%d.%d", number>>8, number&255)
}
