// Copyright: meshlab.envoy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"flag"
	"net/http"
)

func networkPolicies() {
	flag.String("kubeconfig", "", "")
	ready := flag.String("ready-address", "", "")
	flag.String("pods", "", "")
	flag.Parse()
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {})
	panic(http.ListenAndServe(*ready, nil))
}
