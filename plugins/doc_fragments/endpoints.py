# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that ask endpoints: where, what is expected, how long."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments of the options that modules share."""

    # Where to ask: ENDPOINT_ARGS in module_utils/_endpoints/endpoint_options.py.
    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Where to ask, side by side.
      - Either this or O(url) has to be given.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the endpoint is called in assertions, results and messages. Has to differ from all others.
          - By default the container's name, the pods' namespace and selector, or O(endpoints[].url) without its scheme and its query.
          - Of pods it is what all of them are called together. Each is an endpoint of its own, called as the pod. Where that name is
            taken already, as by an entry for another port of the same pods, it is V(name/pod).
        type: str
      proxy:
        description: Which proxy this is the endpoint of, as a plan says it. For the reader only.
        type: str
      host:
        description: Name of the host that reaches the endpoint, as a plan states it. For the reader only.
        type: str
      url:
        description:
          - The admin's address, V(http://host:port), V(https://host:port), V(unix:///run/envoy/admin.sock) or V(unix://~/admin.sock).
            V(unix://@name) is an abstract socket. A socket's path may be longer than the 107 bytes that the kernel takes.
          - For O(endpoints[].format=prometheus) the page itself, V(/metrics) where the address names none. Of a Unix socket the page
            comes after a colon, as in V(unix:///run/app.sock:/metrics).
          - With O(endpoints[].container), the address as it is inside that container, V(http://127.0.0.1:9901) by default.
        type: str
      container:
        description:
          - A Docker container that the admin is asked in, by its name or id. For an admin that listens on the container's own loopback.
          - Goes through C(docker exec) and what the image offers to open a connection with (C(bash), C(python3) or C(nc)).
            C(DOCKER_HOST) decides which daemon.
          - With O(endpoints[].selector), a container of the pods. A pod is then ready when this container is.
        type: str
      namespace:
        description: The namespace of the pods. By default that of O(cluster).
        type: str
      selector:
        description:
          - A label selector, such as V(app=web). Every pod that it selects and that is ready is an endpoint, however many.
            Which these are is looked up anew at each look. A pod that is not ready is warned of.
          - Goes through the API server's port-forward, so that the admin may listen on the pod's own loopback. O(cluster) says which
            cluster; what it takes there is C(get) and C(list) of pods, and C(get) and C(create) of C(pods/portforward).
          - A pod that goes away while it is asked fails with C(unreachable), whatever came of its answer. One that is gone since
            O(meshlab.envoy.envoy_stats#module:since) took with it what it counted, so a difference fails with C(restarted); one that
            was started since counts from 0.
        type: str
      port:
        description: The port in the pods, by its number or by the name that the pod gives it. V(9901) by default.
        type: str
      path:
        description: For O(endpoints[].format=prometheus) the page in the pods, V(/metrics) by default. Else what comes before C(/stats).
        type: str
      format:
        description:
          - V(envoy) is an admin interface, V(prometheus) any page in Prometheus' text format.
          - V(promql) is a Prometheus server, for O(meshlab.envoy.envoy_stats#module:assertions[].promql). What comes before
            C(/api/v1) belongs to its address.
        type: str
        choices: [envoy, prometheus, promql]
        default: envoy
      headers:
        description:
          - Headers to send along, such as C(authorization).
          - Their values are secret. Ansible strikes them out of the result wherever they appear.
        type: dict
      ca_path:
        description: The certificates that V(https) is checked with. By default those of the system.
        type: path
      client_cert:
        description: The certificate to show to a server that asks for one.
        type: path
      client_key:
        description: The key of O(endpoints[].client_cert), where it is in a file of its own.
        type: path
      validate_certs:
        description: Whether a server's certificate has to be right.
        type: bool
        default: true
  url:
    description:
      - The address of one Envoy's admin, in place of O(endpoints). The endpoint's name is then V(envoy).
    type: str
  concurrency:
    description:
      - How many endpoints are asked at the same time.
      - One that is still busy after half a second gives up its place to the next, so that a slow one holds up nobody. There are never more
        than four times as many connections.
    type: int
    default: 64
  request_timeout:
    description: How many seconds one endpoint may take for all that it is asked at one look.
    type: float
    default: 5.0
  max_bytes:
    description: How long one answer may be, in bytes, after it was unpacked.
    type: int
    default: 67108864
"""

    # What is expected: ASSERTION_ARGS.
    ASSERTIONS = r"""
options:
  assertions:
    description:
      - What the numbers have to be, one or more. Every one is evaluated; the module fails where at least one does not hold.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Why this is expected, or what it is called. Comes first in messages.
        type: str
      endpoint:
        description:
          - The endpoints that it is about, by name or by shell pattern such as V(web-*).
          - By default all whose format is V(envoy), or all if there is none of that.
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
          - The whole name of a stat. With O(endpoints[].format=prometheus) or O(assertions[].labels), the metric's name, and every one
            of its series that has the labels is meant.
          - Either this, O(assertions[].match), O(assertions[].labels) or O(assertions[].promql) has to be given.
        type: str
      match:
        description:
          - A regular expression for whole names, as RE2 reads it (which is what Envoy uses). With O(endpoints[].format=prometheus) or
            O(assertions[].labels), for metrics' names without their labels.
          - What Python and RE2 read differently, such as look-around, C(\1) or C([[:alpha:]]), is refused with the reason. No pattern
            takes longer than in proportion to the names' length.
        type: str
      promql:
        description:
          - A query for a Prometheus server (O(endpoints[].format=promql)), such as one that is there anyway. By default all of
            these are asked.
          - A scalar is one number, and of a vector every series is one. What is not a number, as C(0/0), is absent.
          - Differences, rates, quantiles and labels are said in the query. That a server holds what it scraped is said by
            O(assertions[].value), as what its source reads.
        type: str
      labels:
        description:
          - The labels that a metric has to have, whatever others it has. On an Envoy, this looks at its Prometheus format, where its tags
            are labels; O(assertions[].stat) and O(assertions[].match) are then of the names in that format.
          - With neither of the two, every metric that has these labels is meant, and the whole page becomes part of the C(snapshot).
        type: dict
      over:
        description:
          - Another stat of the same endpoint. What is compared is the ratio of O(assertions[].stat) (or the sum of all that
            O(assertions[].match) and O(assertions[].labels) find) to it.
          - In Prometheus' format it is the sum of all series of that name that have O(assertions[].over_labels).
          - With O(assertions[].across=sum), the ratio of the sums of all endpoints. One that counted nothing takes no part in it.
          - A ratio to 0 does not hold.
        type: str
      over_match:
        description: The same for the sum of all stats whose whole name matches this regular expression, in place of O(assertions[].over).
        type: str
      over_labels:
        description:
          - The labels that what the ratio is to has to have. By default those of O(assertions[].labels), as far as it has them. So
            C(envoy_cluster_upstream_rq_xx) with the C(envoy_response_code_class) V(5) has its share in
            C(envoy_cluster_upstream_rq_completed) of the same cluster, which counts all classes.
        type: dict
      of:
        description:
          - V(value) is what is read now, V(delta) the difference to O(since), and V(rate) that difference per second.
          - A difference across a restart, a hot restart or a reset of the counters says nothing, so it fails, with C(restarted).
          - What went back is a gauge or a counter that was reset, which Envoy is asked. Of snapshots
            (O(meshlab.envoy.envoy_stats#module:snapshots)) it cannot be asked, so a difference of a gauge that fell fails there, and
            the C(message) says why.
          - Which process answers is read from C(/server_info), or from the stats C(server.uptime) and C(server.hot_restart_epoch) where
            the admin's C(allow_paths) keeps that back, and of O(endpoints[].format=prometheus) from C(process_start_time_seconds) or
            Envoy's uptime. Where none of them is there, or O(since) was taken without (O(identify=false)), the C(message) and a
            warning say that a restart cannot be excluded. The C(message) also says so of an Envoy that had been started within the
            second before O(since), since its uptime is in whole seconds, and older in its stats.
          - A stat that was looked for in O(since) and was not there yet counts as 0 there, since Envoy makes many when they first count.
            So does everything of an Envoy that was started after O(since).
          - A histogram is read as it is after a flush that is made for it. Where Envoy has no C(stats_flush_on_admin), it is as old as
            Envoy's last flush, 5 s by default, and a difference may count samples that came in that time before O(since).
          - What O(assertions[].match) or O(assertions[].labels) find in O(since) and is there no longer, as of a cluster that was removed,
            took with it what it counted. That fails with C(restarted), too.
        type: str
        choices: [value, delta, rate]
        default: value
      across:
        description:
          - How several stats, of one endpoint or of many, make one number.
          - V(each) compares every one of them, V(any) is content with one that fits, or with one endpoint where it is absent. V(count)
            is how many there are.
          - V(spread) is the difference of the largest and the smallest, as a share of the larger of the two without its sign.
          - V(sum) with O(assertions[].quantile) is the quantile of all samples together. The V(sum) and the V(count) of no stat at all
            are 0, where that is what O(assertions[].match) or O(assertions[].labels) find. So is the V(count) of what
            O(assertions[].promql) gives, but not its V(sum), since a query that gives nothing is mostly a misspelt one. All others
            fail there, with C(absent).
        type: str
        choices: [each, sum, min, max, avg, any, count, spread]
        default: each
      quantile:
        description:
          - A share from V(0) to V(1). What is compared is the value of a histogram that this share of its samples does not exceed.
          - It is read from the histogram's buckets; C(error) in the result is how far off it may be.
          - With O(assertions[].of=delta), of the samples that came after O(since).
        type: float
      bucket:
        description:
          - A bound. What is compared is how many samples of a histogram are at most that, V(inf) for all of them.
          - Envoy keeps samples in bins of two digits, such as 100 to 109. Of a bin that begins at the bound all are counted, as Envoy
            itself does in Prometheus' format. C(error) in the result is how many of them may be more than that.
        type: float
      window:
        description: Of a histogram, all samples, or those of Envoy's last flush interval.
        type: str
        choices: [cumulative, interval]
        default: cumulative
      op:
        description:
          - The comparison. V(matches) is a regular expression for a whole text.
          - V(present) and V(absent) take no O(assertions[].value). They fail where an endpoint cannot be asked.
        type: str
        required: true
        choices: [eq, ne, lt, le, gt, ge, between, in, matches, present, absent]
      value:
        description:
          - What to compare with, a number or a text. For V(between) the list of the lowest and the highest, for V(in) a list.
          - Or what another stat reads at the same look, a dictionary with O(assertions[].stat), O(assertions[].match),
            O(assertions[].labels) or O(assertions[].promql), and with O(assertions[].endpoint), O(assertions[].of), O(assertions[].across),
            O(assertions[].bucket) and whatever else says which number of it is meant. It goes with V(eq), V(ne), V(lt), V(le), V(gt)
            and V(ge).
        type: raw
      tolerance:
        description:
          - How far off a number may be, as a number or as a share of the expected, such as V(5%).
          - V(binomial) is for a share that chance decides, such as the requests that a weighted route or a fault's percentage picks.
            O(assertions[].value) is the probability, O(assertions[].stat) counts those that were picked and O(assertions[].over) all of
            them; how far off the share may be follows from how many they are. It goes with V(eq), V(le), V(ge) and V(between).
          - "That bound is exceeded by chance in one of a million runs at most. V({binomial: 1e-9}) says another number of false alarms."
          - A probability of exactly 0 or 1 leaves nothing to chance.
        type: raw
      default:
        description:
          - What an absent stat counts as, for those that Envoy makes when they first count, such as C(upstream_rq_5xx).
          - Of a histogram, how many samples it has in O(assertions[].bucket). It does not go with O(assertions[].quantile).
          - Without it, an absent stat fails with C(absent), and the nearest names are said.
        type: float
  since:
    description:
      - An earlier C(snapshot), registered from a task of this module or of M(meshlab.envoy.envoy_stats_info), or the whole result
        of that task. Needed for O(assertions[].of=delta) and O(assertions[].of=rate).
      - Or the path of a file that O(snapshot_file) made. What nobody looks at is left in the file.
    type: raw
  snapshot_file:
    description:
      - A file on the managed host to write the C(snapshot) to, in place of returning it. For fleets, whose numbers would be carried
        to the controller and back again. It is replaced as a whole, and only its owner can read it.
      - The C(snapshot) that is returned then names the file, and is taken as O(since) like any other, on the same host.
      - Not written in check mode, where the C(snapshot) itself is returned. Where it cannot be written, the task fails with the
        assertions' results, and without a C(snapshot).
    type: path
"""

    # How long: WAIT_ARGS.
    WAIT = r"""
options:
  wait:
    description:
      - Whether to look again until everything holds. An assertion that can no longer come true, such as a counter that is already above
        what it has to be equal to, ends the waiting at once.
    type: bool
    default: false
  timeout:
    description:
      - For how many seconds to wait. One look is finished in any case, within a second or O(request_timeout), whichever is less.
      - Where a stat is absent, asking for the nearest names takes half a second more at most.
    type: float
    default: 30.0
  sleep:
    description: How many seconds to sleep between two looks.
    type: float
    default: 0.5
"""

    # Of a module that looks once.
    ONCE = r"""
options:
  timeout:
    description: After how many seconds to be done with all endpoints.
    type: float
    default: 30.0
"""

    # Of a module that only reads.
    STRICT = r"""
options:
  strict:
    description: Whether to fail where an endpoint cannot be asked. Otherwise its entry in the C(endpoints) that are returned says why.
    type: bool
    default: true
"""
