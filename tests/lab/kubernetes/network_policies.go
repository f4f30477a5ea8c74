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

// Everything about a cluster that decides which packet may pass.
type cluster struct {
	namespaces map[string]labels.Set
	pods       []*core.Pod
	policies   []*networking.NetworkPolicy
}

// Makes the cluster's NetworkPolicies true on its one node, by a table of nftables that is written anew, in one go, whenever
// something changes. Pods' packets to each other are routed here, so that the forward hook sees all of them, after kube-proxy
// has put a pod's address in the place of a service's. What the node itself sends or receives is not filtered: the kubelet's
// probes have to come through.
func networkPolicies() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the cluster")
	readyAddress := flag.String("ready-address", "", "where to answer GET /ready")
	table := flag.String("table", "", "the name of the table of nftables")
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
		default: // it is noted already
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
		// In an order that does not change by itself.
		slices.SortFunc(now.pods, func(a, b *core.Pod) int { return cmp.Compare(a.UID, b.UID) })
		slices.SortFunc(now.policies, func(a, b *networking.NetworkPolicy) int { return cmp.Compare(a.UID, b.UID) })
		if rules := now.rules(*table); rules != written {
			nft := exec.Command("nft", "-f", "-")
			nft.Stdin = strings.NewReader(rules)
			if said, err := nft.CombinedOutput(); err != nil {
				klog.Errorf("nft refuses the rules: %v: %s\n%s", err, said, rules)
			} else if written == "" {
				serveReady(*readyAddress)
			}
			written = rules
		}
		<-changed
		time.Sleep(20 * time.Millisecond) // changes come in crowds
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

// What may come to this pod, and whether any policy cares.
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

// What this pod may reach, and whether any policy cares.
func (c cluster) egress(pod *core.Pod) (rules string, isolated bool) {
	for _, policy := range c.selecting(pod, networking.PolicyTypeEgress) {
		isolated = true
		for _, rule := range policy.Spec.Egress {
			for _, peer := range c.peerMatches("daddr", policy.Namespace, rule.To) {
				// A port that has a name is the other side's.
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

// One side of a connection: how nftables tells it, and the pod that it is, if it is one.
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

// How nftables tells these ports; false where there are some, but this pod has none of their names.
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

// Whether it has an address of its own that it still uses.
func hasAddress(pod *core.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork &&
		pod.Status.Phase != core.PodSucceeded && pod.Status.Phase != core.PodFailed
}
