# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style of the HTML report: light and dark, from 390 to 1,920 px, and on paper."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #fff; --text: #1c1e21; --quiet: #565b63; --line: #d9d7d2; --soft: #f0eee9;
  --ok: #1a7044; --bad: #b3261e; --bad-soft: #fbe9e7; --accent: #2f5f9e; --accent-soft: #c9d9ee; --mark: #1c1e21;
  --s0: #9db8dc; --s1: #e0913b; --s2: #6aa88a; --s3: #a98bc4; --s4: #c9b458; --s5: #8a8f98;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --card: #1e2125; --text: #e6e4e0; --quiet: #a9adb4; --line: #383c42; --soft: #272b30;
    --ok: #6ac796; --bad: #ff8a80; --bad-soft: #3b2220; --accent: #8db8ef; --accent-soft: #2f4a6d; --mark: #e6e4e0;
    --s0: #4f75a8; --s1: #cf7f2a; --s2: #4b8a6b; --s3: #8465a3; --s4: #9a8632; --s5: #70757e;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; background: var(--page); color: var(--text); }
body { margin: 0 auto; max-width: 84rem; padding: 2rem clamp(1rem, 3vw, 3rem) 4rem; overflow-wrap: anywhere; }
h1, h2, h3, h4, p, figure, ul, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 2rem; line-height: 1.15; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 3rem 0 0.8rem; }
h3 { font-size: 0.95rem; font-weight: 650; margin: 1.6rem 0 0.4rem; }
h4 { font-size: 0.85rem; font-weight: 600; margin: 1rem 0 0.2rem; }
a { color: var(--accent); }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.84rem; }
.quiet { color: var(--quiet); }
.verdict { display: inline-block; font-weight: 650; padding: 0.15rem 0.7rem; border-radius: 1rem; border: 1.5px solid; margin: 0 0 0.9rem; }
.verdict.ok { color: var(--ok); }
.verdict.bad { color: var(--bad); background: var(--bad-soft); }
.summary { font-size: 1.1rem; color: var(--quiet); margin: 0.3rem 0 1.2rem; max-width: 60rem; }
dl.facts { display: flex; flex-wrap: wrap; gap: 0.6rem 2.4rem; }
dl.facts dt { font-size: 0.75rem; color: var(--quiet); }
dl.facts dd { font-variant-numeric: tabular-nums; }
ul { list-style: none; }
.expectations li { display: grid; grid-template-columns: 1.4rem minmax(0, 1fr) minmax(8rem, 13rem) minmax(8rem, 15rem); gap: 0 1rem;
  align-items: center; padding: 0.4rem 0; border-top: 1px solid var(--line); }
.expectations .sign { font-weight: 700; align-self: start; }
.expectations .ok .sign { color: var(--ok); }
.expectations .bad .sign, .expectations .bad .observed { color: var(--bad); }
.expectations .numbers { font-variant-numeric: tabular-nums; font-size: 0.9rem; }
.expectations .observed { font-weight: 650; }
.expectations .detail { grid-column: 2 / -1; color: var(--quiet); font-size: 0.9rem; }
.failures { margin-top: 2rem; background: var(--bad-soft); border-left: 4px solid var(--bad); border-radius: 0.3rem;
  padding: 0.2rem 1.1rem 0.9rem; }
.failures h2 { margin-top: 0.9rem; }
.reasons li { padding: 0.15rem 0 0.15rem 1.1rem; text-indent: -1.1rem; }
.reasons li::before { content: "→ "; color: var(--bad); }
svg.scale { width: 100%; height: 1rem; }
.track { stroke: var(--line); stroke-width: 1.5; }
.accepted { fill: var(--accent-soft); stroke: var(--accent); stroke-width: 0.8; }
circle.ok { fill: var(--ok); stroke: var(--card); }
circle.bad { fill: var(--bad); stroke: var(--card); }
.scrolls, .frame { overflow-x: auto; border: 1px solid var(--line); border-radius: 0.4rem; background: var(--card); }
.frame { padding: 0.8rem; }
.frame, section > .scrolls { margin: 0.8rem 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); font-size: 0.8rem; padding: 0.5rem 0.8rem 0.2rem; }
th, td { text-align: left; padding: 0.3rem 0.8rem; border-top: 1px solid var(--line); vertical-align: top; font-weight: 400;
  min-width: 4.5rem; max-width: 26rem; }
thead th { border-top: 0; color: var(--quiet); font-size: 0.78rem; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 9rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.4rem 2rem; margin-top: 0.6rem; }
.plot { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.25rem 0.5rem; }
.plot figcaption { grid-column: 1 / -1; font-size: 0.85rem; color: var(--quiet); }
.plot svg { width: 100%; height: 7rem; display: block; }
.plot .y { display: flex; flex-direction: column; justify-content: space-between; }
.plot .x { grid-column: 2; display: flex; justify-content: space-between; }
.plot .x, .plot .y { color: var(--quiet); font-size: 0.75rem; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); fill: none; vector-effect: non-scaling-stroke; }
rect.bar { fill: var(--accent-soft); }
rect.bad { fill: var(--bad); }
.curve { fill: none; stroke: var(--accent); stroke-width: 1.8; vector-effect: non-scaling-stroke; }
path.mark { stroke: var(--mark); stroke-width: 1.4; stroke-dasharray: 3 3; vector-effect: non-scaling-stroke; }
.s0 { fill: var(--s0); background: var(--s0); } .s1 { fill: var(--s1); background: var(--s1); }
.s2 { fill: var(--s2); background: var(--s2); } .s3 { fill: var(--s3); background: var(--s3); }
.s4 { fill: var(--s4); background: var(--s4); } .s5 { fill: var(--s5); background: var(--s5); }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; font-size: 0.82rem; margin: 0.3rem 0 0 1.6rem; }
.key { display: inline-block; width: 0.75rem; height: 0.75rem; border-radius: 0.15rem; margin-right: 0.4rem; }
.traffic { border-top: 1px solid var(--line); padding: 0.9rem 0 1.2rem; }
.traffic h3 { margin: 0 0 0.5rem; }
details { border-top: 1px solid var(--line); padding: 0.35rem 0; }
summary { cursor: pointer; }
pre { overflow-x: auto; background: var(--soft); border-radius: 0.3rem; padding: 0.6rem 0.8rem; margin: 0.3rem 0 0.8rem; line-height: 1.45;
  white-space: pre; overflow-wrap: normal; }
pre.demo { counter-reset: line; }
pre.demo span { counter-increment: line; }
pre.demo span::before { content: counter(line); display: inline-block; width: 2.2rem; margin-right: 0.8rem; text-align: right;
  color: var(--quiet); }
pre.demo span:target { background: var(--accent-soft); }
svg.topology { display: block; max-width: max(100%, 60rem); height: auto; }
svg.topology rect { fill: var(--card); stroke: var(--quiet); }
svg.topology rect.envoy { fill: var(--soft); stroke: var(--accent); }
svg.topology rect.host, svg.topology rect.outside { stroke-dasharray: 4 3; }
svg.topology rect.failing { stroke: var(--bad); stroke-width: 2.5; }
svg.topology .arrow { stroke: var(--quiet); }
svg.topology .head, svg.topology .what, svg.topology .caption { fill: var(--quiet); }
svg.topology .label { fill: var(--accent); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
svg.topology .label.failed { fill: var(--bad); font-weight: 700; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 0.8rem; font-size: 0.85rem; color: var(--quiet); }
@media (max-width: 46rem) {
  .expectations li { grid-template-columns: 1.4rem minmax(0, 1fr) minmax(0, 1fr); }
  .expectations .what { grid-column: 2 / -1; }
  .expectations span.scale { display: none; }
  .expectations .scale { grid-column: 2; }
  .expectations .numbers { grid-column: 3; }
  .expectations span.scale + .numbers { grid-column: 2 / -1; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --text: #000; --quiet: #444; --soft: #f4f4f4; }
  body { max-width: none; padding: 0; print-color-adjust: exact; }
  details::details-content { content-visibility: visible; }
  .scrolls, .frame, pre { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th, td { min-width: 0; max-width: none; }
  tbody th { min-width: 5rem; }
  thead th { white-space: normal; }
  svg.topology { max-width: 100%; }
  li, figure, tr, .traffic { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
