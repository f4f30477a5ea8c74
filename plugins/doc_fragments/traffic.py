# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of traffic: as a list (DOCUMENTATION), and for one traffic at a module's top level (ONE)."""

from __future__ import annotations

from textwrap import indent

_TRAFFIC = r"""
name:
  description:
    - What messages and results call this traffic.
    - Default is its address.
  type: str
url:
  description:
    - "Where to send: C(http://), C(https://), or C(tcp://), C(tls://) or C(udp://) with a host and a port."
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
    - Default is the host of O(url).
  type: str
payload:
  description:
    - What to send over tcp, tls and udp.
  type: str
reply:
  description:
    - A regular expression for what has to come back over tcp, tls and udp, found anywhere in it; C(^) and
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
"""


class ModuleDocFragment:
    """Found by Ansible by this name."""

    DOCUMENTATION = f"""
options:
  traffic:
    description:
      - The traffic to send, one after the other.
    type: list
    elements: dict
    suboptions:
{indent(_TRAFFIC.replace("O(", "O(traffic[]."), "      ")}
"""

    ONE = f"""
options:
{indent(_TRAFFIC, "  ")}
"""
