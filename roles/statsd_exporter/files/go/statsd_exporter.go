// Copyright: meshlab.envoy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

//go:build never

// Package statsdexporter is never built: its import keeps the requirement in go.mod. The role builds the imported program.
package statsdexporter

import _ "github.com/prometheus/statsd_exporter"
