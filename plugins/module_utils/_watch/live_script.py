# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script and the additional style of a live page. The script changes only what differs, so that scrolled tables and selections stay."""

from __future__ import annotations

SCRIPT = """
(() => {
  const live = document.getElementById('live'), link = document.getElementById('link');
  const show = (text) => { link.textContent = text; link.hidden = !text; };
  const update = (from, to) => {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) { from.replaceWith(to.cloneNode(true)); return; }
    if (from.nodeType === Node.TEXT_NODE) { if (from.data !== to.data) from.data = to.data; return; }
    for (const one of [...(from.attributes || [])]) if (!to.hasAttribute(one.name)) from.removeAttribute(one.name);
    for (const one of to.attributes || []) if (from.getAttribute(one.name) !== one.value) from.setAttribute(one.name, one.value);
    const before = [...from.childNodes], after = [...to.childNodes];
    after.forEach((one, at) => { if (at < before.length) update(before[at], one); else from.append(one.cloneNode(true)); });
    before.slice(after.length).forEach((one) => one.remove());
  };
  const events = new EventSource('events');
  events.onopen = () => show('');
  events.onerror = () => show('No connection. This page connects again when the demo is watched at this address.');
  events.onmessage = (event) => {
    const { title, html } = JSON.parse(event.data);
    const next = new DOMParser().parseFromString(`<div id="live">${html}</div>`, 'text/html');
    document.title = title;
    update(live, next.getElementById('live'));
    show('');
  };
  events.addEventListener('end', (event) => { events.close(); show(JSON.parse(event.data)); });
})();
"""

LIVE_STYLE = """
header { padding-bottom: 0.4rem; }
dl.facts.live { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 0.6rem 1.4rem; }
dl.facts.live dd { font-size: 1.1rem; font-weight: 600; white-space: nowrap; }
th, td { max-width: none; white-space: nowrap; overflow-wrap: normal; }
.programs td { white-space: normal; min-width: 12rem; max-width: 40rem; }
section.calm { display: none; }
main > section:first-child + section h2 { margin-top: 2rem; }
.good { color: var(--ok); white-space: nowrap; }
.fault { color: var(--bad); font-weight: 650; white-space: nowrap; }
.area { fill: var(--accent-soft); }
.area.failed { fill: var(--bad); }
#link { position: fixed; inset: auto 1rem 1rem; max-width: 40rem; margin: 0 auto; padding: 0.6rem 1rem; border-radius: 0.4rem;
  background: var(--bad-soft); color: var(--text); border: 1.5px solid var(--bad); }
#link[hidden] { display: none; }
"""
