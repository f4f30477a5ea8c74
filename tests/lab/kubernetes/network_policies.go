// Copyright: meshlab.envoy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// The objects of the cluster that decide which packets pass.
type cluster struct {
	namespaces map[string]labels.Set
	pods       []*core.Pod
	policies   []*networking.NetworkPolicy
}

// Enforces the NetworkPolicies of the cluster on its one node with an nftables table. Each change of the cluster replaces the
// table at once. This machine routes the packets between pods, so the forward hook sees all of them, after kube-proxy has
// replaced the address of a service with that of a pod. Packets of the node itself are not filtered, because the kubelet's
// probes must reach the pods.
func networkPolicies() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	readyAddress := flag.String("ready-address", "", "address of the HTTP server for GET /ready")
	table := flag.String("table", "", "name of the nftables table")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	exitOn(err)
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	namespaces := factory.Core().V1().Namespaces()
	pods := factory.Core().V1().Pods()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default: // a change is pending already
		}
	}
	for _, informer := range []cache.SharedIndexInformer{namespaces.Informer(), pods.Informer(), policies.Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { note() },
			UpdateFunc: func(any, any) { note() },
			DeleteFunc: func(any) { note() },
		})
		exitOn(err)
	}
	factory.Start(context.Background().Done())
	factory.WaitForCacheSync(context.Background().Done())

	for written := ""; ; {
		now := cluster{namespaces: map[string]labels.Set{}}
		all, _ := namespaces.Lister().List(labels.Everything())
		for _, namespace := range all {
			now.namespaces[namespace.Name] = namespace.Labels
		}
		now.pods, _ = pods.Lister().List(labels.Everything())
		now.policies, _ = policies.Lister().List(labels.Everything())
		// Sorted, so that the rules change only with the objects.
		slices.SortFunc(now.pods, func(a, b *core.Pod) int { return cmp.Compare(a.UID, b.UID) })
		slices.SortFunc(now.policies, func(a, b *networking.NetworkPolicy) int { return cmp.Compare(a.UID, b.UID) })
		if rules := now.rules(*table); rules != written {
			nft := exec.Command("nft", "-f", "-")
			nft.Stdin = strings.NewReader(rules)
			if output, err := nft.CombinedOutput(); err != nil {
				klog.Errorf("nft rejects the rules: %v: %s\n%s", err, output, rules)
			} else if written == "" {
				serveReady(*readyAddress)
			}
			written = rules
		}
		<-changed
		time.Sleep(20 * time.Millisecond) // collects changes that occur together
	}
}

func serveReady(address string) {
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	go func() { exitOn(http.ListenAndServe(address, nil)) }()
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c cluster) rules(table string) string {
	var chains, from, to strings.Builder
	for _, pod := range c.pods {
		if !hasAddress(pod) {
			continue
		}
		if rules, isolated := c.egress(pod); isolated {
			fmt.Fprintf(&chains, "chain out-%s {\n%sdrop\n}\n", pod.Status.PodIP, rules)
			fmt.Fprintf(&from, "%[1]s : jump out-%[1]s, ", pod.Status.PodIP)
		}
		if rules, isolated := c.ingress(pod); isolated {
			fmt.Fprintf(&chains, "chain in-%s {\n%sdrop\n}\n", pod.Status.PodIP, rules)
			fmt.Fprintf(&to, "%[1]s : jump in-%[1]s, ", pod.Status.PodIP)
		}
	}
	forward := "type filter hook forward priority filter; policy accept;\nct state established,related accept\n"
	if from.Len() > 0 {
		forward += fmt.Sprintf("ip saddr vmap { %s }\n", from.String())
	}
	if to.Len() > 0 {
		forward += fmt.Sprintf("ip daddr vmap { %s }\n", to.String())
	}
	return fmt.Sprintf("table ip %[1]s\ndelete table ip %[1]s\ntable ip %[1]s {\n%[2]schain forward {\n%[3]s}\n}\n",
		table, chains.String(), forward)
}

// The packets that may reach a pod, and whether a policy selects the pod.
func (c cluster) ingress(pod *core.Pod) (rules string, isolated bool) {
	for _, policy := range c.selecting(pod, networking.PolicyTypeIngress) {
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			ports, some := portMatches(rule.Ports, pod)
			if !some {
				continue
			}
			for _, peer := range c.peerMatches("saddr", policy.Namespace, rule.From) {
				rules += passes(peer.match, ports)
			}
		}
	}
	return rules, isolated
}

// The packets that a pod may send, and whether a policy selects the pod.
func (c cluster) egress(pod *core.Pod) (rules string, isolated bool) {
	for _, policy := range c.selecting(pod, networking.PolicyTypeEgress) {
		isolated = true
		for _, rule := range policy.Spec.Egress {
			for _, peer := range c.peerMatches("daddr", policy.Namespace, rule.To) {
				// A named port is a port of the other pod.
				if ports, some := portMatches(rule.Ports, peer.pod); some {
					rules += passes(peer.match, ports)
				}
			}
		}
	}
	return rules, isolated
}

func (c cluster) selecting(pod *core.Pod, direction networking.PolicyType) (found []*networking.NetworkPolicy) {
	for _, policy := range c.policies {
		if policy.Namespace != pod.Namespace || !matches(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		for _, one := range policy.Spec.PolicyTypes {
			if one == direction {
				found = append(found, policy)
			}
		}
	}
	return found
}

// One side of a connection: its nftables expression, and its pod, if it is a pod.
type side struct {
	match string
	pod   *core.Pod
}

func (c cluster) peerMatches(field, namespace string, peers []networking.NetworkPolicyPeer) (sides []side) {
	if len(peers) == 0 {
		return []side{{}}
	}
	for _, peer := range peers {
		if block := peer.IPBlock; block != nil {
			if strings.Contains(block.CIDR, ":") {
				continue // the lab's network is IPv4
			}
			match := fmt.Sprintf("ip %s %s ", field, block.CIDR)
			if len(block.Except) > 0 {
				match += fmt.Sprintf("ip %s != { %s } ", field, strings.Join(block.Except, ", "))
			}
			sides = append(sides, side{match: match})
			continue
		}
		for _, pod := range c.pods {
			there := pod.Namespace == namespace
			if peer.NamespaceSelector != nil {
				there = matches(peer.NamespaceSelector, c.namespaces[pod.Namespace])
			}
			if there && hasAddress(pod) && (peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels)) {
				sides = append(sides, side{fmt.Sprintf("ip %s %s ", field, pod.Status.PodIP), pod})
			}
		}
	}
	return sides
}

// The nftables expressions of ports; false if all ports are named and the pod has none of the names.
func portMatches(ports []networking.NetworkPolicyPort, pod *core.Pod) (found []string, some bool) {
	if len(ports) == 0 {
		return []string{""}, true
	}
	for _, port := range ports {
		protocol := core.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		match := strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			match = "meta l4proto " + match
		case port.EndPort != nil:
			match += fmt.Sprintf(" dport %d-%d", port.Port.IntVal, *port.EndPort)
		case port.Port.StrVal == "":
			match += fmt.Sprintf(" dport %d", port.Port.IntVal)
		default:
			number := named(pod, port.Port.StrVal, protocol)
			if number == 0 {
				continue
			}
			match += fmt.Sprintf(" dport %d", number)
		}
		found = append(found, match+" ")
	}
	return found, len(found) > 0
}

func named(pod *core.Pod, name string, protocol core.Protocol) int32 {
	if pod != nil {
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				if port.Name == name && port.Protocol == protocol {
					return port.ContainerPort
				}
			}
		}
	}
	return 0
}

func passes(peer string, ports []string) (rules string) {
	for _, port := range ports {
		rules += peer + port + "return\n"
	}
	return rules
}

func matches(selector *meta.LabelSelector, set map[string]string) bool {
	compiled, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(labels.Set(set))
}

// Whether a pod runs and has its own address.
func hasAddress(pod *core.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork &&
		pod.Status.Phase != core.PodSucceeded && pod.Status.Phase != core.PodFailed
}
