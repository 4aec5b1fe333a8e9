package main

import (
	"context"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// onlyPulls is the command of pods that are there for their images alone: no image has it.
const onlyPulls = "/belay/only-pulls"

// backOff is what a kubelet takes from a pull that failed to saying that it waits before the next one.
const backOff = 200 * time.Millisecond

// refusals are what registries and disks say, by a word in an image's name.
var refusals = map[string]string{
	"missing": "rpc error: code = NotFound desc = failed to pull and unpack image: failed to resolve reference: not found",
	"away":    "failed to pull image: dial tcp 192.0.2.1:443: connect: connection refused",
	"nospace": "failed to pull image: write /var/lib/containerd/ingest/data: no space left on device",
}

func onlyPullsImages(pod *v1.Pod) bool {
	return len(pod.Spec.Containers[0].Command) == 1 && pod.Spec.Containers[0].Command[0] == onlyPulls
}

// refusal is why an image cannot be pulled; empty = it can.
func refusal(image string) string {
	for word, message := range refusals {
		if strings.Contains(image, word) {
			return message
		}
	}
	return ""
}

// setPulled says of each container what a kubelet says of one whose image it has, or has not, and whose command is none.
func setPulled(pod *v1.Pod) {
	now := metav1.Now()
	pod.Status.Phase, pod.Status.PodIP, pod.Status.StartTime = v1.PodFailed, addressOf(pod), &now
	pod.Status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		status := pulledOrNot(container)
		if status.State.Terminated == nil {
			pod.Status.Phase = v1.PodPending
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
}

func pulledOrNot(container v1.Container) v1.ContainerStatus {
	now, status := metav1.Now(), v1.ContainerStatus{Name: container.Name, Image: container.Image}
	waits := func(reason, message string) {
		status.State.Waiting = &v1.ContainerStateWaiting{Reason: reason, Message: message}
	}
	switch why := refusal(container.Image); {
	case why != "":
		waits("ErrImagePull", why)
	case strings.Contains(container.Image, "slow"): // until a test says that it is there
		waits("ContainerCreating", "")
	default:
		status.ImageID = "sha256:" + strings.Repeat("a", 64)
		status.State.Terminated = &v1.ContainerStateTerminated{
			ExitCode: 128, Reason: "StartError", Message: "exec: " + onlyPulls + ": no such file", StartedAt: now, FinishedAt: now,
		}
	}
	return status
}

// backsOff says of pulls that failed that the next one is waited for, as kubelets do between two tries.
func backsOff(ctx context.Context, clients kubernetes.Interface, pod *v1.Pod) {
	time.Sleep(backOff)
	pods := clients.CoreV1().Pods(pod.Namespace)
	retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil || now.UID != pod.UID {
			return err
		}
		for i, status := range now.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil && waiting.Reason == "ErrImagePull" {
				message := "Back-off pulling image \"" + status.Image + "\": ErrImagePull: " + waiting.Message
				now.Status.ContainerStatuses[i].State.Waiting = &v1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: message}
			}
		}
		_, err = pods.UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
}

var onNodes = struct {
	sync.Mutex
	names map[string]bool
}{names: map[string]bool{}}

// keepImages lists the images that a pod brought, or runs, among those of its node.
func keepImages(ctx context.Context, clients kubernetes.Interface, pod *v1.Pod) {
	onNodes.Lock()
	defer onNodes.Unlock()
	for _, status := range pod.Status.ContainerStatuses {
		key := pod.Spec.NodeName + " " + status.Image
		if status.State.Waiting == nil && !onNodes.names[key] {
			keepImage(ctx, clients, pod.Spec.NodeName, status.Image)
			onNodes.names[key] = true
		}
	}
}

func keepImage(ctx context.Context, clients kubernetes.Interface, name, image string) {
	nodes := clients.CoreV1().Nodes()
	retry.RetryOnConflict(retry.DefaultRetry, func() error {
		node, err := nodes.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		node.Status.Images = append(node.Status.Images, v1.ContainerImage{Names: []string{image}, SizeBytes: 1 << 20})
		_, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
		return err
	})
}
