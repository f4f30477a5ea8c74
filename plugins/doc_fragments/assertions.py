# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of assertions and of waiting for them."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments of the options of module_utils/_assertions/assertion_options.py."""

    # ASSERTION_ARGS
    DOCUMENTATION = r"""
options:
  assertions:
    description:
      - The assertions, at least one. Each is evaluated, and the module fails if one of them fails.
      - An assertion selects stats with O(assertions[].stat), O(assertions[].match), O(assertions[].labels) or
        O(assertions[].promql), and compares them with O(assertions[].op) and O(assertions[].value). All other options are optional.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Text at the beginning of the assertion's message.
        type: str
      endpoint:
        description:
          - Names of endpoints, or shell patterns such as V(web-*).
          - The default is all endpoints of O(endpoints[].format=envoy), or all endpoints if none has this format.
        type: list
        elements: str
      source:
        description:
          - What to read. Each source has readings, which are names with a number or a text. O(assertions[].stat) and
            O(assertions[].match) select them.
          - V(stats) has Envoy's counters, gauges, text readouts and histograms.
          - V(server_info) has C(state), C(version), C(build), C(uptime), C(uptime_all_epochs), C(epoch), C(concurrency), C(node.id) and
            C(node.cluster).
          - V(ready) has C(state), such as V(LIVE), and C(status), the HTTP status of C(/ready).
          - V(clusters) has for each cluster C(<cluster>.hosts), C(.healthy), C(.degraded), C(.ejected), C(.draining), C(.weight) and
            C(.added_via_api). It has for each host of a cluster C(<cluster>.<address>.healthy), C(.ejected), C(.weight), C(.priority),
            C(.eds_health) and the stats of the host, such as C(.rq_total). A host is healthy if Envoy counts it in
            C(membership_healthy), which excludes degraded hosts.
          - V(listeners) has C(<listener>.address) and C(<listener>.port), as bound.
          - V(certs) has C(chain.<name>.days_left), C(.valid_from), C(.expires), C(.serial) and C(.names), and the same fields below
            C(ca.<name>). The name is the path of the certificate, or its first subject alternative name if it is inline or from SDS. If
            several certificates have one name, for example RSA and ECDSA of one domain, the serial number follows the name, as in
            C(chain.<name>.<serial>.days_left).
          - V(config) has for each of C(lds), C(cds), C(rds), C(sds) and C(eds) the fields C(<service>.resources) and
            C(<service>.rejected), the number of updates that Envoy rejected since its start. The number comes from Envoy's stats, and
            is missing if C(allow_paths) excludes C(/stats). C(lds) and C(cds) have C(<service>.version_info). Each dynamic resource
            except those of C(eds) has C(<service>.<name>.version_info) and C(.last_updated).
          - For listeners only, V(config) also has C(lds.<name>.rejected), and if it is V(1) C(lds.<name>.error) with the reason,
            without secrets, until the next update. The reasons for other resources are in Envoy's log. No other part of the
            configuration becomes part of a result.
          - V(runtime) has each runtime key with its final value.
        type: str
        choices: [stats, server_info, ready, clusters, listeners, certs, config, runtime]
        default: stats
      stat:
        description:
          - The full name of a stat.
          - For O(endpoints[].format=prometheus), and with O(assertions[].labels), the name of a metric. It selects all series of the
            metric that have the labels.
        type: str
      match:
        description:
          - A regular expression for full names, in the RE2 syntax that Envoy uses. It selects all stats that match.
          - For O(endpoints[].format=prometheus), and with O(assertions[].labels), it matches names of metrics without labels.
          - An expression that Python and RE2 interpret differently is an error, for example look-around, C(\1) or C([[:alpha:]]). The
            time to match grows linearly with the length of the names.
        type: str
      promql:
        description:
          - A query for a Prometheus server, an endpoint of O(endpoints[].format=promql). The default of O(assertions[].endpoint) is
            all Prometheus servers.
          - A scalar is one number, and each series of a vector is one number. A result that is not a number, such as C(0/0), is absent.
          - Write differences, rates, quantiles and labels in the query. To check that a server has what it scraped, compare with a
            stat of its source in O(assertions[].value).
        type: str
      labels:
        description:
          - Labels that a metric has, with their values. The metric can have further labels.
          - An Envoy endpoint is then read in the Prometheus format, where tags are labels. O(assertions[].stat) and
            O(assertions[].match) are names in this format.
          - Without O(assertions[].stat) and O(assertions[].match), all metrics with these labels are selected, and the C(snapshot) of
            the result contains all stats.
        type: dict
      over:
        description:
          - Full name of the stat that the selected stats are divided by. The assertion compares the ratio, of the same endpoint.
            Several selected stats are added up first.
          - For the Prometheus format the denominator is the sum of all series with O(assertions[].over_labels).
          - With O(assertions[].across=sum), the ratio of the sums of all endpoints. An endpoint whose denominator is 0 is left out.
          - The assertion fails if the denominator is 0.
        type: str
      over_match:
        description: A regular expression for the full names of the stats that are added up as the denominator. It replaces
          O(assertions[].over).
        type: str
      over_labels:
        description:
          - Labels of the denominator. The default is those of O(assertions[].labels) that the denominator has. For example,
            C(envoy_cluster_upstream_rq_xx) with C(envoy_response_code_class) V(5) is divided by C(envoy_cluster_upstream_rq_completed)
            of the same cluster, which has no response code class.
        type: dict
      of:
        description:
          - V(value) is the value now, V(delta) is the difference to O(since), and V(rate) is the difference per second.
          - A stat that O(since) selected and that did not exist then was 0, because Envoy creates many stats when they first count. All
            stats of an Envoy that started after O(since) were 0.
          - A delta or a rate fails with C(restarted) if the process was restarted or hot restarted, if its counters were reset, or if a
            stat that O(assertions[].match) or O(assertions[].labels) selects was removed, for example with its cluster.
          - If a stat fell, the module reads from Envoy whether it is a gauge or a counter that was reset. With
            O(meshlab.envoy.envoy_stats#module:snapshots) it cannot read that, and the delta of a gauge that fell fails.
          - The process is identified by C(/server_info), by the stats C(server.uptime) and C(server.hot_restart_epoch) where
            C(allow_paths) excludes C(/server_info), and for O(endpoints[].format=prometheus) by C(process_start_time_seconds) or Envoy's
            uptime. If none of them exists, or O(since) was read with O(identify=false), the message and a warning state that a restart
            cannot be excluded. The message also states it for an Envoy that started in the second before O(since), because its uptime is
            in whole seconds.
          - Histograms are read after a flush. Without C(stats_flush_on_admin) they are as old as Envoy's last flush, up to 5 seconds by
            default, and a delta can include samples from that time before O(since).
        type: str
        choices: [value, delta, rate]
        default: value
      across:
        description:
          - How to reduce the selected stats of all endpoints.
          - V(each) compares each of them, and V(any) requires one that fits.
          - V(sum), V(min), V(max) and V(avg) compare one number. V(count) is the number of stats. V(spread) is the difference between the
            largest and the smallest value, divided by the larger absolute value.
          - V(sum) with O(assertions[].quantile) is the quantile of all samples together.
          - If O(assertions[].match) or O(assertions[].labels) select no stats, V(sum) and V(count) are 0, and the others fail with
            C(absent). If O(assertions[].promql) has no result, only V(count) is 0.
        type: str
        choices: [each, sum, min, max, avg, any, count, spread]
        default: each
      quantile:
        description:
          - A share from V(0) to V(1) of a histogram's samples. The assertion compares the value that this share does not exceed.
          - The value is computed from the histogram's buckets. C(error) in the result is its maximum error.
          - With O(assertions[].of=delta), of the samples since O(since).
        type: float
      bucket:
        description:
          - A bound. The assertion compares the number of samples of a histogram up to this bound; V(inf) counts all samples.
          - Envoy keeps samples in bins of two significant digits, such as 100 to 109. A bin that begins at the bound counts, as in Envoy's
            Prometheus format. C(error) in the result is how many of its samples can be above the bound.
        type: float
      window:
        description: Whether to use all samples of a histogram, or those of Envoy's last flush interval.
        type: str
        choices: [cumulative, interval]
        default: cumulative
      op:
        description:
          - How to compare. Integers are compared exactly, and other numbers with a relative tolerance of 1e-9.
          - V(matches) is a regular expression for a whole text.
          - V(present) and V(absent) have no O(assertions[].value). They fail if an endpoint cannot be read.
        type: str
        required: true
        choices: [eq, ne, lt, le, gt, ge, between, in, matches, present, absent]
      value:
        description:
          - The expected number or text. For V(between), the list of the lowest and the highest number; for V(in), a list.
          - A dictionary reads the value from another stat in the same snapshot. Its keys are the options of an assertion except
            O(assertions[].name), O(assertions[].op), O(assertions[].value) and O(assertions[].tolerance). It is for V(eq), V(ne),
            V(lt), V(le), V(gt) and V(ge).
        type: raw
      tolerance:
        description:
          - How far a number may be from O(assertions[].value), as a number or as a share of the value, such as V(5%).
          - V(binomial) is for a share that is random, such as the requests that a weighted route or a fault's percentage selects.
            O(assertions[].value) is the probability, O(assertions[].stat) counts the selected requests, and O(assertions[].over) counts all
            requests. The accepted range follows from the number of requests. It is for V(eq), V(le), V(ge) and V(between).
          - "With V(binomial), one of a million runs of a correct system fails. V({binomial: 1e-9}) sets another probability of a false
            alarm, from 1e-15 to 0.5."
        type: raw
      default:
        description:
          - Value of a stat that does not exist, for those that Envoy creates when they first count, such as C(upstream_rq_5xx).
          - With O(assertions[].bucket), the number of samples of a histogram that does not exist. It cannot be combined with
            O(assertions[].quantile).
          - Without it, an assertion about a stat that does not exist fails with C(absent), and its message has the nearest names.
        type: float
  since:
    description:
      - An earlier C(snapshot) that O(assertions[].of=delta) and O(assertions[].of=rate) start from. Set it to the registered result of a
        task of this module or of M(meshlab.envoy.envoy_stats_info), or to the C(snapshot) in it.
      - The path of a file that O(snapshot_file) wrote is possible, too. Only the parts that the assertions need are read from it.
    type: raw
  snapshot_file:
    description:
      - Path of a file on the managed host to write the C(snapshot) to, instead of returning it. For fleets, whose snapshots are large.
        The file is replaced atomically, and only its owner can read it.
      - The returned C(snapshot) then contains the path, and can be used as O(since) on the same host.
      - Not written in check mode. If the file cannot be written, the task fails with the results of the assertions and without a
        C(snapshot).
    type: path
"""

    # WAIT_ARGS
    WAIT = r"""
options:
  wait:
    description:
      - Whether to evaluate the assertions again until all of them hold.
      - Waiting ends early if an assertion cannot become true any more, for example if a counter is above the value that it has to equal.
    type: bool
    default: false
  timeout:
    description:
      - Number of seconds after which waiting ends. The assertions are evaluated at least once, within one second or O(request_timeout),
        whichever is less.
      - If a stat does not exist, reading the nearest names takes up to half a second longer.
    type: float
    default: 30.0
  sleep:
    description: Number of seconds between two evaluations.
    type: float
    default: 0.5
"""
