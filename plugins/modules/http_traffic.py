#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module http_traffic."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_traffic
short_description: Send requests and assert the counts of their answers
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Sends a number of requests with a number of them at the same time. Counts the answers by status, by answering host and by values of
    headers, and measures their latencies.
  - Fails if a count is not as O(expect) states. The result has all counts on success and on failure.
  - Supports HTTP/1.1, HTTP/2, HTTP/3, gRPC, gRPC-Web, WebSocket and TCP, each with and without TLS, and UDP.
  - Reads answers completely. Follows redirects and keeps cookies only with O(follow_redirects) and O(session).
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - Checks the options and sends no request. RV(msg) states it.
  diff_mode:
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    support: N/A
    details:
      - The module changes nothing, and sends its requests in each run.
options:
  traffic:
    description:
      - Several traffics, which are sent one after the other. Each has the options below.
      - For one traffic, set the options at the top level instead.
    type: list
    elements: dict
    suboptions: &traffic
      name:
        description:
          - Name of the traffic in messages and results.
          - The default is O(url).
        type: str
      url:
        description:
          - "Where to send the requests: an address that begins with C(http://), C(https://), C(ws://), C(wss://), C(tcp://), C(tls://) or
            C(udp://). The last three need a port."
          - With C(ws://) and C(wss://), each connection is upgraded once. A request is then one message, and its answer is one message with
            status 101. If the server refuses the upgrade, its response is the answer.
          - This option is required.
        type: str
      protocol:
        description:
          - Version of HTTP for C(http://) and C(https://). V(http2) uses ALPN with TLS and prior knowledge without. V(http3) needs
            C(https://) and UDP. V(grpc) and V(grpc_web) send calls over HTTP/2; the path of O(url) is the method, such as
            C(/shop.Cart/Add).
          - The default is V(http2) if V(h2) is the first of O(alpn), and V(http1) otherwise.
          - The first traffic with another protocol than V(http1) on a host installs its libraries into a virtual environment in the
            cache folder of the user, C(~/.cache/meshlab.envoy). Their versions and hashes are part of the collection.
        type: str
        choices: [http1, http2, http3, grpc, grpc_web]
      streams:
        description:
          - Number of requests at the same time on each connection of HTTP/2, HTTP/3 and gRPC, up to 1000.
          - The default is 1.
        type: int
      messages:
        description:
          - Request messages of each gRPC call, as dictionaries in protobuf's JSON. All are sent, and then the request ends. A method
            without a stream of requests takes exactly one.
          - The response messages are the body of the answer for O(expect[].body), each as JSON in one line.
          - The default is one empty message.
        type: list
        elements: dict
      descriptor_set:
        description:
          - Path to the descriptors of the gRPC service, the output of C(protoc --include_imports --descriptor_set_out).
          - The default is the server's reflection.
        type: path
      requests:
        description:
          - Number of requests, up to 1000000.
          - The default is O(users), and otherwise 1. It cannot be combined with O(duration).
        type: int
      concurrency:
        description:
          - Number of requests at the same time, each on its own connection unless O(streams) is set, up to 10000.
          - The default is 1.
        type: int
      session:
        description:
          - Name of the users that send the requests. Each user has its own cookies, saved values and connections, as a browser has.
          - The first request is that of the first user, the second one that of the second user, and so on in turn. A user has one request
            at a time.
          - Later traffic with the same session has the same users. HTTP/2, HTTP/3 and gRPC send the cookies and saved values of a session
            with one user, and change neither.
          - It excludes O(phases), O(warm_up), O(processes) and O(streams).
        type: str
      users:
        description:
          - Number of users of O(session), up to 1000. The first traffic of a session defines it.
          - The default is 1.
        type: int
      save:
        description:
          - Values of the response for later requests of the same user, by name. Each has one of C(header), C(cookie) and C(json), the
            path of a value such as C(user.roles.0), and optionally C(matches), a regular expression whose first group is the value.
          - C(%SAVED(NAME\)%) stands for the value in the path and query of O(url), in O(headers), O(host), O(body) and O(messages).
          - A response without the value is an error of kind V(save). Needs O(session).
        type: dict
      follow_redirects:
        description:
          - Number of redirects that a request follows at most, up to 20. The last answer counts, and the latency is that of all together.
          - Only origins of O(url) and O(redirects_to) get requests. Another redirect, and one too many, is an error of kind V(redirect).
          - The default is 0, so that the redirect is the answer.
        type: int
      redirects_to:
        description: Further servers that redirects can lead to.
        type: list
        elements: dict
        suboptions:
          origins:
            description:
              - Scheme, host and port of the server in redirects, such as V(http://login.example.com:8080).
              - The default is that of O(redirects_to[].url).
            type: list
            elements: str
          url:
            description: Address of the server. The path is that of the redirect.
            type: str
            required: true
          ca:
            description: Path to the CA certificates, as O(ca).
            type: str
          server_name:
            description: Name for SNI, as O(server_name).
            type: str
          unix_socket:
            description: Path to a Unix socket, as O(unix_socket).
            type: path
          pod:
            description: Pods of a cluster, as O(pod).
            type: dict
            suboptions:
              selector:
                description: A label selector.
                type: str
                required: true
              namespace:
                description: Namespace of the pods.
                type: str
              container:
                description: Name of a container.
                type: str
              port:
                description: Number or name of the port in the pods.
                type: str
      connections:
        description:
          - Whether a connection serves several requests (V(reuse)) or only one (V(new)).
          - A request is sent again, once, if the server closed a reused connection before the first byte of the answer.
            RV(traffic[].retries) counts this.
          - The default is V(reuse).
        type: str
        choices: [reuse, new]
      method:
        description:
          - The HTTP method.
          - The default is C(POST) with a O(body), and C(GET) without.
        type: str
      headers:
        description:
          - Headers of each request, by name. The value is text, or a list for a header that is sent several times.
          - Booleans and fractions have to be in quotes, because YAML changes their text.
        type: dict
      host:
        description:
          - Value of the header C(host), which Envoy calls the authority.
          - The default is the host of O(url), with its port unless it is the default port of the scheme.
        type: str
      body:
        description:
          - Body of each request. Text is sent unchanged.
          - A dictionary or a list is sent as JSON, with the header C(content-type) unless O(headers) has it.
        type: raw
      body_encoding:
        description: Encoding of O(body). V(base64) is for bytes that are not text. The default is V(text).
        type: str
        choices: [text, base64]
      timeout:
        description:
          - Number of seconds for one request, from connecting to the last byte of its answer.
          - The default is 10.
        type: float
      rate:
        description:
          - Number of requests per second, at times that the answers do not change (an open loop). A latency is measured from the time at
            which the request was due, so a server that stops for a second delays all requests of that second.
          - At most O(concurrency) requests are open at the same time; a further one is sent as soon as one has ended.
          - Without this option, each connection sends its next request when it has the answer to the previous one (a closed loop).
        type: float
      phases:
        description:
          - Parts of an open loop, one after the other, instead of O(requests), O(duration) and O(rate). Connections are opened when they
            are needed, up to O(concurrency), whose default is then 1000.
        type: list
        elements: dict
        suboptions:
          duration:
            description: Number of seconds of this phase.
            type: float
            required: true
          rate:
            description: Number of requests per second, at the beginning of the phase.
            type: float
            required: true
          to_rate:
            description:
              - Number of requests per second at the end of the phase. The rate changes evenly.
              - The default is O(phases[].rate), a step.
            type: float
      warm_up:
        description: Number of seconds at the beginning whose requests are sent, but not counted.
        type: float
      processes:
        description:
          - Number of processes that send the requests, up to 64. Connections and requests are divided among them.
          - The default is 1.
        type: int
      duration:
        description:
          - Number of seconds to send requests for, instead of a number of requests.
          - After a refused connection, the next request is sent 10 ms later.
        type: float
      while_file:
        description:
          - Path of a file that extends O(duration), for traffic during another task. The module creates the file when its first request has
            ended, and sends requests until the file is removed, at most 10 minutes longer than O(duration).
          - The file must not exist before.
        type: path
      within:
        description:
          - Number of seconds in which the expectations can become true. Until then, all requests are sent again; the last time counts.
          - By default the requests are sent once.
        type: float
      ca:
        description:
          - Path to the CA certificates, in PEM, that verify the server's certificate.
          - The default is the CA certificates of the system.
        type: str
      client_certificate:
        description: Certificate of the client.
        type: dict
        suboptions:
          certificate:
            description: Path to the certificate, in PEM, with the intermediate certificates that the server needs.
            type: str
            required: true
          key:
            description: Path to its key, in PEM and not encrypted.
            type: str
            required: true
      server_name:
        description:
          - Name for SNI, which the server's certificate has to contain.
          - The default is the host of O(url). An IP address is verified, but not sent.
        type: str
      unix_socket:
        description:
          - Path to a Unix socket to connect to, instead of the host of O(url). V(@name) is an abstract socket. The path can be longer
            than the kernel's limit of 107 bytes.
          - O(url) still defines the scheme, the path, the header C(host) and the name for TLS. Its host is not resolved, and it needs no
            port.
          - Not possible with C(udp://) and with O(pod).
        type: path
      pod:
        description:
          - Pods of a Kubernetes cluster to connect to through the API server's port-forward, instead of the host of O(url). Connections
            are opened to the ready pods in turn.
          - O(url) still defines the header C(host) and the name for TLS. Its host is not resolved.
          - Not possible with C(udp://).
        type: dict
        suboptions:
          selector:
            description:
              - A label selector, such as V(app=web).
              - The pods are looked up before the first connection, and again if one of them was deleted.
            type: str
            required: true
          namespace:
            description:
              - Namespace of the pods.
              - The default is the namespace of O(cluster).
            type: str
          container:
            description: Name of a container. A pod is ready if this container is ready.
            type: str
          port:
            description:
              - Number or name of the port in the pods.
              - The default is the port of O(url).
            type: str
      tls_version:
        description:
          - The only version of TLS to offer.
          - By default TLS 1.2 and later are offered.
        type: str
        choices: [TLSv1.2, TLSv1.3]
      ciphers:
        description: Ciphers of TLS 1.2 to offer, in OpenSSL's notation. Those of TLS 1.3 cannot be selected.
        type: str
      alpn:
        description:
          - Protocols to offer with ALPN, the preferred one first.
          - The default is that of O(protocol) for C(https://), C(http/1.1) for C(wss://), and no ALPN for C(tls://).
        type: list
        elements: str
      payload:
        description: What to send with C(ws://), C(wss://), C(tcp://), C(tls://) and C(udp://).
        type: raw
      payload_encoding:
        description: Encoding of O(payload). V(base64) is for bytes that are not text. The default is V(text).
        type: str
        choices: [text, base64]
      reply:
        description:
          - A regular expression that is searched in the reply over C(ws://), C(wss://), C(tcp://), C(tls://) and C(udp://). C(^) and C($)
            match at each line. Another reply, or none within O(timeout), is an error.
          - By default the first bytes are the reply.
        type: str
      host_from:
        description:
          - Where to read the name of the answering host.
          - The default is the header C(x-served-by) for HTTP, and a line C(served-by NAME) for the other protocols.
        type: dict
        suboptions:
          header:
            description: Name of a header of the answer.
            type: str
          body:
            description: A regular expression for the body of the answer. The name is its first group, or the whole match without a group.
            type: str
      expect:
        description:
          - What is expected of the counts.
          - Each expectation has exactly one of O(expect[].status), O(expect[].header), O(expect[].hosts), O(expect[].latency),
            O(expect[].error), O(expect[].bytes), O(expect[].body), O(expect[].tls), O(expect[].trailer), O(expect[].grpc_status),
            O(expect[].messages), O(expect[].redirects), O(expect[].connections) and O(expect[].response_flag), which selects a number,
            and compares this number with O(expect[].op) and O(expect[].value).
        type: list
        elements: dict
        suboptions:
          name:
            description: Text at the beginning of the expectation's message.
            type: str
          op:
            description: How to compare. Integers are compared exactly, and other numbers with a relative tolerance of 1e-9.
            type: str
            required: true
            choices: [eq, ne, lt, le, gt, ge, between, in]
          value:
            description: The expected number. For V(between), the lowest and the highest number; for V(in), a list.
            type: raw
            required: true
          of:
            description:
              - Whether to compare the number of answers (V(count)), or its share of all requests, from 0 to 1 (V(share)).
              - The default is V(count).
            type: str
            choices: [count, share]
          tolerance:
            description:
              - How far the number may be from O(expect[].value), as a number or as a share of the value, such as V(5%).
              - V(binomial) is for a share (O(expect[].of=share)) that is random, such as the requests that a weighted route selects.
                O(expect[].value) is the probability. The accepted range follows from the number of requests. It is for V(eq), V(le), V(ge)
                and V(between).
              - "With V(binomial), one of a million runs of a correct system fails. V({binomial: 1e-9}) sets another probability of a false
                alarm, from 1e-15 to 0.5."
            type: raw
          status:
            description:
              - Selects the number of answers with this status, such as V(200), with a status of a class, such as V(2xx), or with V(any)
                status.
              - V(any) also counts the answers of protocols without a status.
            type: str
          header:
            description: Selects the number of answers with this header.
            type: dict
            suboptions:
              name:
                description: Name of the header.
                type: str
                required: true
              value:
                description: Counts only headers with this value.
                type: str
              matches:
                description: Counts only headers whose value contains a match of this regular expression.
                type: str
          hosts:
            description:
              - V(count) selects the number of hosts that answered.
              - V(spread) selects the difference between the most and the fewest answers of a host, divided by the mean. V(0) is even.
              - Any other value is the name of a host, and selects the number of its answers.
            type: str
          among:
            description: Names of hosts that O(expect[].hosts=spread) includes even if they did not answer.
            type: list
            elements: str
          latency:
            description: A share from 0 to 1, such as V(0.99). Selects the latency in milliseconds that this share of the answers does not
              exceed.
            type: float
          error:
            description:
              - Selects the number of requests without a complete answer, for this reason or for V(any) reason.
              - V(connect) is a connection that could not be opened, V(tls) a failed handshake, V(reset) a connection that was closed too
                early, V(protocol) an invalid answer, V(reply) a reply that O(reply) does not match, V(redirect) a redirect that is not
                followed, and V(save) an answer without a value of O(save).
            type: str
            choices: [any, connect, timeout, tls, reset, protocol, reply, redirect, save]
          bytes:
            description: Selects the number of bytes of all bodies, or the mean of a body. Compressed bodies are not decompressed.
            type: str
            choices: [total, mean]
          body:
            description: Selects the number of answers whose body contains a match of this regular expression. The first MiB is searched.
            type: str
          tls:
            description: Selects the number of answers over connections that negotiated all of these.
            type: dict
            suboptions:
              version:
                description: Version of TLS, such as C(TLSv1.3).
                type: str
              cipher:
                description: Cipher, by OpenSSL's name.
                type: str
              alpn:
                description: Protocol that the server chose from O(alpn); empty for none.
                type: str
          trailer:
            description: Selects the number of answers with this trailer.
            type: dict
            suboptions:
              name:
                description: Name of the trailer.
                type: str
                required: true
              value:
                description: Counts only trailers with this value.
                type: str
              matches:
                description: Counts only trailers whose value contains a match of this regular expression.
                type: str
          grpc_status:
            description: Selects the number of answers with this gRPC status, a name such as V(UNAVAILABLE) or its number.
            type: str
          messages:
            description: Selects the number of all response messages of gRPC, or their mean in a call.
            type: str
            choices: [total, mean]
          redirects:
            description: Selects the number of all redirects that were followed, or their mean for a request.
            type: str
            choices: [total, mean]
          connections:
            description: Selects the number of connections that were opened, or of requests that were sent again (RV(traffic[].retries)).
            type: str
            choices: [opened, retried]
          response_flag:
            description:
              - Selects the number of requests with this response flag of Envoy, such as V(UH), or with V(none).
              - Only the traffic of a demo supports it, because the flags are in the access log of the proxy that gets the traffic. The log
                is read for up to 500 requests. If it does not have all requests, the expectation fails.
            type: str
  <<: *traffic
notes:
  - The managed host sends the requests. It needs Python 3.9 or newer, and no other package except C(kubernetes) for O(pod). With
    another O(protocol) than V(http1) it needs the module C(venv) and a package index once.
  - C(~) in paths is the home directory on the managed host.
  - Without O(expect), the module also succeeds if no request is answered. It fails only if an option or a file cannot be used.
seealso:
  - module: ansible.builtin.uri
    description: For one request whose answer you need.
"""

EXAMPLES = r"""
- name: Send 20 requests and expect 20 answers from Envoy
  meshlab.envoy.http_traffic:
    url: http://127.0.0.1:8080/service/1
    requests: 20
    expect:
      - {status: "200", op: eq, value: 20}
      - {header: {name: server, value: envoy}, op: eq, value: 20}

- name: Expect three hosts to answer evenly, and a tenth of the answers from the new version
  meshlab.envoy.http_traffic:
    traffic:
      - name: balanced
        url: http://127.0.0.1:8080/service/1
        requests: 300
        concurrency: 4
        expect:
          - {hosts: count, op: eq, value: 3}
          - {hosts: spread, op: le, value: 0.2}
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
          - {latency: 0.99, op: lt, value: 50}

- name: Send requests over HTTP/3, ten at the same time on each of two connections
  meshlab.envoy.http_traffic:
    url: https://127.0.0.1:8443/
    protocol: http3
    requests: 200
    concurrency: 20
    streams: 10
    server_name: shop.example.com
    ca: ~/certs/ca.pem
    expect:
      - {status: "200", op: eq, value: 200}
      - {tls: {alpn: h3}, op: eq, value: 200}

- name: Call a gRPC method and expect its status, trailer and messages
  meshlab.envoy.http_traffic:
    url: http://127.0.0.1:8080/shop.Cart/Add
    protocol: grpc
    messages: [{name: book, count: 3}]
    requests: 20
    expect:
      - {grpc_status: OK, op: eq, value: 20}
      - {trailer: {name: x-cost, value: "1"}, op: eq, value: 20}
      - {messages: total, op: eq, value: 20}

- name: Log in as ten users, and use the token of each in its next requests
  meshlab.envoy.http_traffic:
    traffic:
      - name: login
        session: shoppers
        users: 10
        url: http://127.0.0.1:8080/login
        follow_redirects: 5
        body: {user: example}
        save:
          token: {json: access_token}
        expect:
          - {status: "200", op: eq, value: 10}
      - name: orders
        session: shoppers
        url: http://127.0.0.1:8080/orders
        headers: {authorization: "Bearer %SAVED(token)%"}
        requests: 30
        concurrency: 10
        expect:
          - {status: "200", op: eq, value: 30}

- name: Send a request with a client certificate and another server name
  meshlab.envoy.http_traffic:
    url: https://127.0.0.1:8443/
    server_name: shop.example.com
    host: shop.example.com
    ca: ~/certs/ca.pem
    client_certificate:
      certificate: ~/certs/client.pem
      key: ~/certs/client.key
    expect:
      - {status: "200", op: eq, value: 1}

- name: Send requests to the pods of a Deployment through the API server
  meshlab.envoy.http_traffic:
    cluster: {context: kind-lab, namespace: shop}
    url: https://shop.example.com/
    pod: {selector: "app=front", port: 8443}
    requests: 20
    connections: new
    ca: ~/certs/ca.pem
    expect:
      - {status: "200", op: eq, value: 20}

- name: Send requests over a Unix socket
  meshlab.envoy.http_traffic:
    url: http://localhost/
    unix_socket: /run/envoy/http.sock
    requests: 20
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
      - {hosts: count, op: eq, value: 2}
"""

RETURN = r"""
msg:
  description: How many expectations hold, or one line for each that fails.
  returned: always
  type: str
  sample: "All 4 expectations hold: 20 requests sent, 20 answered."
traffic:
  description:
    - One entry for each traffic that was sent, with the same keys on success and on failure.
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
      description: Address of the traffic.
      returned: always
      type: str
      sample: http://127.0.0.1:8080/service/1
    sent:
      description: Number of requests, the sum of RV(traffic[].answered) and all RV(traffic[].errors).
      returned: always
      type: int
      sample: 20
    answered:
      description: Number of requests with a complete answer of any status.
      returned: always
      type: int
      sample: 20
    statuses:
      description: Number of answers by status.
      returned: always
      type: dict
      sample: {"200": 18, "503": 2}
    errors:
      description: Number of requests without a complete answer, by reason.
      returned: always
      type: dict
      sample: {"timeout": 1}
    headers:
      description:
        - Number of answers by value of a header, for C(server) and for the headers that expectations name.
        - Up to 50 values of up to 200 characters. C((others\)) is the sum of the rest.
      returned: always
      type: dict
      sample: {"server": {"envoy": 20}}
    hosts:
      description: Number of answers by host.
      returned: always
      type: dict
      sample: {"service1-1": 10, "service1-2": 10}
    tls:
      description: Number of answers by version, protocol and cipher of their connection; empty without TLS.
      returned: always
      type: dict
      sample: {"TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384": 20}
    grpc_statuses:
      description: Number of answers by gRPC status; empty for other protocols.
      returned: always
      type: dict
      sample: {"OK": 19, "UNAVAILABLE": 1}
    messages:
      description: Number of response messages of gRPC.
      returned: always
      type: int
      sample: 19
    redirects:
      description: Number of redirects that were followed.
      returned: always
      type: int
      sample: 0
    response_flags:
      description: Number of requests by response flag of Envoy; null unless an expectation of a demo's traffic is about them.
      returned: always
      type: dict
      sample: null
    trailers:
      description: Number of answers by value of a trailer, for the trailers that expectations name.
      returned: always
      type: dict
      sample: {"x-cost": {"1": 19}}
    latency_ms:
      description:
        - Latencies of the answers in milliseconds, to the last byte. The first request of a connection includes connecting.
        - Null without an answer.
      returned: always
      type: dict
      contains:
        min:
          description: The shortest latency.
          returned: always
          type: float
          sample: 0.4
        mean:
          description: The arithmetic mean.
          returned: always
          type: float
          sample: 0.7
        p50:
          description: The latency that half of the answers do not exceed.
          returned: always
          type: float
          sample: 0.6
        p90:
          description: The latency that 90 percent of the answers do not exceed.
          returned: always
          type: float
          sample: 1.1
        p99:
          description: The latency that 99 percent of the answers do not exceed.
          returned: always
          type: float
          sample: 2.3
        max:
          description: The longest latency.
          returned: always
          type: float
          sample: 2.3
    latency_histogram:
      description:
        - Distribution of the latencies. Each entry is the upper bound of a bucket in milliseconds and the number of answers in it.
        - The bounds grow by a tenth of a decade. Buckets without an answer are omitted.
      returned: always
      type: list
      elements: list
      sample: [[0.631, 17], [0.794, 3]]
    hdr_histogram:
      description: Latencies in microseconds as an HdrHistogram, with three significant digits (V2, compressed, Base64).
      returned: always
      type: str
      sample: HISTFAAAACF4nJNpmSzMwMDAxQABzFCaEUzOmNZg/wEiwQQAVHYD9w==
    timeline:
      description:
        - What came of the requests that ended in each second, from the first request on.
        - A traffic of more than 600 seconds has intervals of 2, 4 or more seconds.
      returned: always
      type: list
      elements: dict
      contains:
        second:
          description: Number of seconds from the first request to the start of the interval.
          returned: always
          type: int
          sample: 0
        requests:
          description: Number of requests.
          returned: always
          type: int
          sample: 20
        failed:
          description: Number of requests without an answer, or with a status of 500 and above.
          returned: always
          type: int
          sample: 0
        by_status:
          description: Number of answers by status.
          returned: always
          type: dict
          sample: {"200": 20}
        by_header:
          description: Number of answers by value, for each header that an expectation of the traffic selects.
          returned: always
          type: dict
          sample: {"x-app-version": {"v1": 18, "v2": 2}}
    began:
      description: Time of the first request, in seconds since 1970.
      returned: always
      type: float
      sample: 1790000000.125
    bytes_received:
      description: Number of bytes of all bodies, without decompression.
      returned: always
      type: int
      sample: 1740
    connections:
      description: Number of connections that were opened.
      returned: always
      type: int
      sample: 1
    retries:
      description: Number of requests that were sent again because the server had closed the reused connection.
      returned: always
      type: int
      sample: 0
    elapsed:
      description: Number of seconds from the first request to the last answer.
      returned: always
      type: float
      sample: 0.021
    last_error:
      description: Reason and text of one of the last errors; empty without an error.
      returned: always
      type: str
      sample: "connect: cannot connect to 127.0.0.1:8080: connection refused"
    expect:
      description: One entry for each expectation, in their order.
      returned: always
      type: list
      elements: dict
      contains:
        ok:
          description: Whether the expectation holds.
          returned: always
          type: bool
          sample: false
        name:
          description: Name of the expectation, or empty.
          returned: always
          type: str
          sample: all answered
        expected:
          description: What was expected, as text.
          returned: always
          type: str
          sample: at least 20
        observed:
          description: The actual number; null if no answer has it.
          returned: always
          type: float
          sample: 18
        accepted:
          description:
            - The lowest and the highest number that holds. Null in place of a number is no limit.
            - Null for operators without a range, such as V(ne).
          returned: always
          type: list
          elements: float
          sample: [20, null]
        texts:
          description: The parts of the message as texts - C(subject), C(expected) and C(observed).
          returned: always
          type: dict
          sample: {subject: answers with status 200 of traffic service 1, expected: at least 20, observed: "18"}
        message:
          description: The expected and the actual number in one line.
          returned: always
          type: str
          sample: "expected 20, got 18 (answers with status 200 of traffic service 1). Other answers: 2 × 503."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_ARGS,
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    outcome_summary,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_options import TRAFFIC_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


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
            module.exit_json(
                **printable_result(changed=False, msg="Check mode: no request was sent.", traffic=results)
            )
        results.extend(send_traffic(traffic) for traffic in traffics)
    except ArgumentError as error:
        message = str(error).removeprefix("traffic[0]").lstrip(".: ") if single else str(error)
        module.fail_json(**printable_result(changed=False, msg=message, traffic=results))
    ok, message = outcome_summary(results)
    if not ok:
        module.fail_json(**printable_result(changed=False, msg=message, traffic=results))
    module.exit_json(**printable_result(changed=False, msg=message, traffic=results))


if __name__ == "__main__":
    main()
