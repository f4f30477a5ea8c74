// Copyright: meshlab.envoy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Envoy's rate limit service. Its module has a program only under the name service_cmd, which ends if Redis does not answer at the start.
// This one waits for Redis, because the programs of a demo start at the same time.
package main

import (
	"log"
	"net"
	"time"

	"github.com/envoyproxy/ratelimit/src/service_cmd/runner"
	"github.com/envoyproxy/ratelimit/src/settings"
)

const patience = time.Minute

func main() {
	configured := settings.NewSettings()
	wait(configured.RedisSocketType, configured.RedisUrl)
	service := runner.NewRunner(configured)
	service.Run()
}

func wait(network, address string) {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		connection, err := net.Dial(network, address)
		if err == nil {
			connection.Close()
			return
		}
		if time.Now().After(end) {
			log.Fatal(err)
		}
	}
}
