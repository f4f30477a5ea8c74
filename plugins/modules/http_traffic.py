#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends requests, counts their answers, and holds the counts against expectations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_traffic
short_description: Send requests and assert on the counts of their answers
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Sends a stated number of requests at a stated concurrency and counts the answers by status, by the host
    that gave them and by the values of headers, with the quantiles of their latencies.
  - Fails when a number is not what O(expect) says, with all results in the answer.
  - Besides HTTP/1.1 with and without TLS it speaks WebSocket, plain TCP, TLS and UDP.
  - Redirects are not followed, and answers are read completely.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - Sends nothing, checks the options only, and says so in RV(msg).
  diff_mode:
    support: N/A
    details:
      - There is nothing that it changes.
  idempotent:
    support: N/A
    details:
      - It changes nothing itself, and sends its requests each time.
options:
  traffic:
    description:
      - Several traffics, sent one after the other.
      - For a single one its options may be given directly instead.
    type: list
    elements: dict
    suboptions: &traffic
      name:
        description:
          - What messages and results call this traffic.
          - Default is its address.
        type: str
      url:
        description:
          - "Where to send: C(http://), C(https://), C(ws://), C(wss://), or C(tcp://), C(tls://) or C(udp://) with a host and
            a port."
          - Over C(ws://) and C(wss://) a request is a message that is sent, and its answer the message that comes back. A
            connection is upgraded once; an upgrade that is refused is an answer with its own status instead of 101.
          - This one is required.
        type: str
      requests:
        description:
          - How many requests to send, all in all; at most 1000000.
          - Default is one, where no O(duration) is given.
        type: int
      concurrency:
        description:
          - How many requests may be under way at a time, each on a connection of its own; at most 1000.
          - Default is one.
        type: int
      connections:
        description:
          - Whether a connection is kept for the next request (V(reuse)) or each request gets one of its own (V(new)).
          - A request is sent again, once, only when it was sent on a kept connection that the server closed before
            the first byte of an answer. Results count this.
          - Default is V(reuse).
        type: str
        choices: [reuse, new]
      method:
        description:
          - The method of HTTP.
          - Default is C(GET), or C(POST) where there is a O(body).
        type: str
      headers:
        description:
          - Headers to send, by their names.
        type: dict
      host:
        description:
          - What to send as C(host), which Envoy calls the authority.
          - Default is the host of O(url), with its port where that is not the usual one.
        type: str
      body:
        description:
          - What to send as the body of a request.
        type: str
      timeout:
        description:
          - Seconds that one request may take, from connecting to the last byte of its answer.
          - Default is 10.
        type: float
      rate:
        description:
          - At most that many requests per second. What a slow server held up is not made up for later.
        type: float
      duration:
        description:
          - Send for that many seconds, instead of a number of requests.
          - After a connection that could not be opened the next one is tried 10 ms later.
        type: float
      while_file:
        description:
          - For a traffic that flows while something else is done. It makes this file as soon as the outcome of its first request is
            known, so that others can wait for it, and goes on after O(duration) until somebody removed it, 10 minutes at most.
          - It must not be there before.
        type: path
      within:
        description:
          - What is expected may come true within that many seconds. Until then all requests are sent again, and the last
            time counts.
          - By default they are sent once.
        type: float
      ca:
        description:
          - Path of the CA certificates, in PEM, that the server's certificate has to lead to.
          - Default are those of the system.
        type: str
      client_certificate:
        description:
          - The certificate to show to the server.
        type: dict
        suboptions:
          certificate:
            description:
              - Path of the certificate, in PEM, with the certificates that it needs to be verified.
            type: str
            required: true
          key:
            description:
              - Path of its key, in PEM and not encrypted.
            type: str
            required: true
      server_name:
        description:
          - The name to ask for by SNI, which the server's certificate has to be for.
          - Default is the host of O(url). An IP address is verified, and not asked for.
        type: str
      pod:
        description:
          - Pods of a Kubernetes cluster that connections go to, through the API server's port-forward. Several take turns, connection
            by connection.
          - O(url) says everything else as before, what is asked for, as which host, and by which name in TLS. What its host resolves to
            does not matter.
          - Not for C(udp://), which a port-forward does not carry.
        type: dict
        suboptions:
          selector:
            description:
              - A label selector, such as V(app=web). Of the pods that it selects, those that are ready are connected to.
              - They are looked up before the first connection, and again when one of them is gone.
            type: str
            required: true
          namespace:
            description:
              - The namespace of the pods. By default that of O(cluster).
            type: str
          container:
            description:
              - A container of the pods. A pod is then ready when this container is.
            type: str
          port:
            description:
              - The port in the pods, by its number or by the name that the pod gives it. By default that of O(url).
            type: str
      tls_version:
        description:
          - The one version of TLS to offer.
          - Default are all of them.
        type: str
        choices: [TLSv1.2, TLSv1.3]
      ciphers:
        description:
          - Ciphers of TLS 1.2 to offer, in OpenSSL's words. Those of TLS 1.3 are not to be chosen.
        type: str
      alpn:
        description:
          - Protocols to offer by ALPN, the best first.
          - Default is C(http/1.1) over https and wss, and none over tls. Only over tls anything else can be offered, since
            HTTP/1.1 is what is spoken.
        type: list
        elements: str
      payload:
        description:
          - What to send over ws, wss, tcp, tls and udp.
        type: str
      reply:
        description:
          - A regular expression for what has to come back over ws, wss, tcp, tls and udp, found anywhere in it; C(^) and
            C($) stand for the start and the end of a line. Anything else, or nothing until O(timeout), is an error.
          - Without it the first bytes that come back are the reply.
        type: str
      host_from:
        description:
          - Where to read the name of the host that answered.
          - Default is the header C(x-served-by) for HTTP, and a line C(served-by NAME) for the others.
        type: dict
        suboptions:
          header:
            description:
              - Name of a header of the answer.
            type: str
          body:
            description:
              - A regular expression for the answer's body; its first group, or else all that it matches, is the name.
            type: str
      expect:
        description:
          - What has to be true of the counts in the end.
          - Each expectation has an operator, a number, and exactly one of O(expect[].status), O(expect[].header),
            O(expect[].hosts), O(expect[].latency), O(expect[].error), O(expect[].bytes) and O(expect[].body), which says
            what the number is.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - What the expectation is about, for messages.
            type: str
          op:
            description:
              - How to compare. Both ends of V(between) belong to it.
            type: str
            required: true
            choices: [eq, ne, lt, le, gt, ge, between, in]
          value:
            description:
              - The number to compare with; two, the lower one first, for V(between), and a list for V(in).
            type: raw
            required: true
          of:
            description:
              - Whether to compare the number of answers itself, or its share of the requests that were sent, from 0 to 1.
              - Default is V(count).
            type: str
            choices: [count, share]
          tolerance:
            description:
              - How far off the number may be, as a number or as a share of the expected, such as V(5%).
              - V(binomial) is for a share (O(expect[].of=share)) that chance decides, such as the requests that a weighted route
                picks. O(expect[].value) is the probability; how far off the share may be follows from the number of requests.
                It goes with V(eq), V(le), V(ge) and V(between).
              - "That bound is exceeded by chance in one of a million runs at most. V({binomial: 1e-9}) says another number of
                false alarms."
              - A probability of exactly 0 or 1 leaves nothing to chance.
            type: raw
          status:
            description:
              - The number of answers with this status, such as V(200), with one of a class, such as V(2xx), or with V(any).
              - V(any) counts the answers of protocols that have no status, too.
            type: str
          header:
            description:
              - The number of answers that have this header.
            type: dict
            suboptions:
              name:
                description:
                  - Name of the header.
                type: str
                required: true
              value:
                description:
                  - Only those where it has this value.
                type: str
              matches:
                description:
                  - Only those where this regular expression is found in it.
                type: str
          hosts:
            description:
              - V(count) is the number of hosts that answered.
              - V(spread) is how unevenly they did, as the difference of most and fewest answers by the mean; V(0) is even.
              - Anything else is the name of a host, and means the number of its answers.
            type: str
          among:
            description:
              - Hosts that have to be part of O(expect[].hosts=spread) even if they never answered.
            type: list
            elements: str
          latency:
            description:
              - A quantile, such as V(0.99), of the answers' latencies, in milliseconds.
            type: float
          error:
            description:
              - The number of requests without a complete answer, for this reason or for V(any).
              - V(connect) is a connection that could not be opened, V(tls) a handshake that failed, V(reset) a
                connection that was closed too early, V(protocol) an answer that is not HTTP, and V(reply) one that
                O(reply) does not match.
            type: str
            choices: [any, connect, timeout, tls, reset, protocol, reply]
          bytes:
            description:
              - How many bytes the bodies of all answers have, as they came, so compressed ones are not unpacked.
            type: str
            choices: [total, mean]
          body:
            description:
              - The number of answers in whose body (its first MiB, as it came) this regular expression is found.
            type: str
          tls:
            description:
              - The number of answers that came over a connection that agreed on all of these.
            type: dict
            suboptions:
              version:
                description:
                  - Version of TLS, such as C(TLSv1.3).
                type: str
              cipher:
                description:
                  - Cipher, as OpenSSL names it.
                type: str
              alpn:
                description:
                  - What the server chose of O(alpn); empty for none.
                type: str
  <<: *traffic
notes:
  - Requests are sent from the managed host. It needs nothing but Python 3.11 or newer.
  - A C(~) in paths is expanded on the managed host.
  - Without expectations nothing but a file that cannot be used makes it fail, even if no request is answered.
seealso:
  - module: ansible.builtin.uri
    description: For one request, when its answer is of interest and not a number.
"""

EXAMPLES = r"""
- name: Send 20 requests and expect 20 answers through Envoy
  meshlab.envoy.http_traffic:
    url: http://127.0.0.1:8080/service/1
    requests: 20
    expect:
      - status: "200"
        op: eq
        value: 20
      - header: {name: server, value: envoy}
        op: eq
        value: 20

- name: Expect three hosts to share the answers, and a tenth to come from the new version
  meshlab.envoy.http_traffic:
    traffic:
      - name: balanced
        url: http://127.0.0.1:8080/service/1
        requests: 300
        concurrency: 4
        expect:
          - hosts: count
            op: eq
            value: 3
          - hosts: spread
            op: le
            value: 0.2
      - name: canary
        url: http://127.0.0.1:8080/service/2
        requests: 1000
        concurrency: 4
        expect:
          - name: new version
            header: {name: x-app-version, value: v2}
            of: share
            op: eq
            value: 0.1
            tolerance: binomial
          - latency: 0.99
            op: lt
            value: 50

- name: Ask with a client certificate, by another name
  meshlab.envoy.http_traffic:
    url: https://127.0.0.1:8443/
    server_name: shop.example.com
    host: shop.example.com
    ca: ~/certs/ca.pem
    client_certificate:
      certificate: ~/certs/client.pem
      key: ~/certs/client.key
    expect:
      - status: "200"
        op: eq
        value: 1

- name: Send through a Deployment's pods, which nothing outside the cluster reaches
  meshlab.envoy.http_traffic:
    cluster: {context: kind-lab, namespace: shop}
    url: https://shop.example.com/
    pod: {selector: "app=front", port: 8443}
    requests: 20
    connections: new
    ca: ~/certs/ca.pem
    expect:
      - {status: "200", op: eq, value: 20}

- name: Send to a TCP server and count the hosts that reply
  meshlab.envoy.http_traffic:
    url: tcp://127.0.0.1:9000
    connections: new
    requests: 10
    payload: "ping\n"
    reply: "^ping$"
    expect:
      - hosts: count
        op: eq
        value: 2
"""

RETURN = r"""
msg:
  description: What came of it, in a sentence; on failure with each expectation that does not hold.
  returned: always
  type: str
  sample: "4 expectations held; 20 requests sent, 20 answered"
traffic:
  description:
    - The results, one to one with the traffic that was sent, on success and on failure alike.
    - Empty in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the traffic.
      returned: always
      type: str
      sample: service 1
    url:
      description: Where it was sent to.
      returned: always
      type: str
      sample: http://127.0.0.1:8080/service/1
    sent:
      description: Requests that were sent, or tried to; the sum of RV(traffic[].answered) and all RV(traffic[].errors).
      returned: always
      type: int
      sample: 20
    answered:
      description: Requests with a complete answer, whichever its status.
      returned: always
      type: int
      sample: 20
    statuses:
      description: Answers by status.
      returned: always
      type: dict
      sample: {"200": 18, "503": 2}
    errors:
      description: Requests without a complete answer, by reason.
      returned: always
      type: dict
      sample: {"timeout": 1}
    headers:
      description:
        - Answers by value of a header, for C(server) and the headers that expectations name.
        - At most 50 values of 200 characters each; all others are counted as C((others\)).
      returned: always
      type: dict
      sample: {"server": {"envoy": 20}}
    hosts:
      description: Answers by the host that gave them.
      returned: always
      type: dict
      sample: {"service1-1": 10, "service1-2": 10}
    tls:
      description: Answers by what their connection agreed on, version, protocol and cipher; empty without TLS.
      returned: always
      type: dict
      sample: {"TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384": 20}
    latency_ms:
      description:
        - Latencies of the answers in milliseconds, from sending (or connecting, where a connection had to be
          opened) to the last byte. Null where nothing was answered.
      returned: always
      type: dict
      contains:
        min:
          description: The shortest.
          returned: always
          type: float
          sample: 0.4
        mean:
          description: The arithmetic mean.
          returned: always
          type: float
          sample: 0.7
        p50:
          description: What half of the answers did not exceed.
          returned: always
          type: float
          sample: 0.6
        p90:
          description: What 90 percent of the answers did not exceed.
          returned: always
          type: float
          sample: 1.1
        p99:
          description: What 99 percent of the answers did not exceed.
          returned: always
          type: float
          sample: 2.3
        max:
          description: The longest.
          returned: always
          type: float
          sample: 2.3
    bytes_received:
      description: Bytes of all bodies, as they came.
      returned: always
      type: int
      sample: 1740
    connections:
      description: Connections that were opened.
      returned: always
      type: int
      sample: 1
    retries:
      description: Requests sent a second time, since the server had closed the kept connection.
      returned: always
      type: int
      sample: 0
    elapsed:
      description: Seconds from the first request to the last answer.
      returned: always
      type: float
      sample: 0.021
    last_error:
      description: Reason and words of one of the last errors; empty where there was none.
      returned: always
      type: str
      sample: "connect: cannot connect to 127.0.0.1:8080: connection refused"
    expect:
      description: The expectations, one to one with those of the traffic.
      returned: always
      type: list
      elements: dict
      contains:
        ok:
          description: Whether it holds.
          returned: always
          type: bool
          sample: false
        name:
          description: Its name, or nothing.
          returned: always
          type: str
          sample: all answered
        expected:
          description: What was expected, in words.
          returned: always
          type: str
          sample: at least 20
        observed:
          description: The number that was seen; null where there was no answer to take it from.
          returned: always
          type: float
          sample: 18
        message:
          description: All of it in a sentence.
          returned: always
          type: str
          sample: "service 1: expected 20 answers with status 200, saw 18 (2 × 503)"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_ARGS,
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_options import TRAFFIC_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def summary(results: list[TrafficResult]) -> tuple[bool, str]:
    """Return whether all expectations hold, and the module's message."""
    outcomes = [outcome for result in results for outcome in result["expect"]]
    failed = [outcome["message"] for outcome in outcomes if not outcome["ok"]]
    if failed:
        return False, "\n".join([f"{len(failed)} of {len(outcomes)} expectations failed:", *failed])
    sent, answered = sum(result["sent"] for result in results), sum(result["answered"] for result in results)
    return (
        True,
        f"{len(outcomes)} of {len(outcomes)} expectations hold: {sent} requests sent, {answered} answered.",
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "traffic": {"type": "list", "elements": "dict", "options": TRAFFIC_ARGS},
            **TRAFFIC_ARGS,
            **CLUSTER_ARGS,
        },
        mutually_exclusive=[("traffic", key) for key in TRAFFIC_ARGS],
        required_one_of=[("traffic", "url")],
        supports_check_mode=True,
    )
    allow_kubeconfig_path_in_output(module)
    entries = module.params["traffic"]
    single = entries is None
    if single:
        entries = [{key: module.params[key] for key in TRAFFIC_ARGS}]
    results: list[TrafficResult] = []
    try:
        traffics: list[Any] = parse_traffic(entries, module.params["cluster"])
        if module.check_mode:
            module.exit_json(changed=False, msg="Check mode: no request was sent.", traffic=results)
        results.extend(send_traffic(traffic) for traffic in traffics)
    except ArgumentError as error:
        message = str(error).removeprefix("traffic[0]").lstrip(".: ") if single else str(error)
        module.fail_json(changed=False, msg=message, traffic=results)
    ok, message = summary(results)
    if not ok:
        module.fail_json(changed=False, msg=message, traffic=results)
    module.exit_json(changed=False, msg=message, traffic=results)


if __name__ == "__main__":
    main()
