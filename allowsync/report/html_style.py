"""The style of the page: light and dark, from 360 px up, self-contained.

Colours have a contrast of at least 4.5 to their background (WCAG 2.1, 1.4.3), and none carries
information that is not in words as well. On a narrow screen the cells of a row are stacked; the
roles in the page keep it a table for screen readers.
"""

from __future__ import annotations

from typing import Final

CSS: Final = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a;
  --line: #d0d7de; --card: #f6f8fa; --good: #116329; --warn: #7d4e00; --bad: #a40e26;
  --bar: #0a6cbd; --old: #b7791f; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --card: #161b22;
    --good: #56d364; --warn: #e3b341; --bad: #ff8182; --bar: #58a6ff; --old: #d29922; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
.good { color: var(--good); }
.warn { color: var(--warn); }
.bad { color: var(--bad); }
.verdict { font-weight: 600; }
.wrong { border: 1px solid var(--line); border-left: .3rem solid var(--bad);
  background: var(--card); padding: .5rem 1rem; margin: 1rem 0; }
.known { border: 1px solid var(--line); border-left: .3rem solid var(--old);
  background: var(--card); padding: .5rem 1rem; margin: 1rem 0; }
.wrong h2, .known h2 { margin: 0; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .95rem; }
caption { text-align: left; color: var(--soft); }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; }
.net { font-family: ui-monospace, monospace; font-size: .9rem; }
.row { margin: .35rem 0; }
.row svg { display: block; width: 100%; height: .7rem; background: var(--card);
  border: 1px solid var(--line); }
.bar { fill: var(--bar); }
.past { fill: var(--soft); }
.scale { display: flex; justify-content: space-between; color: var(--soft);
  font-size: .85rem; }
time { white-space: nowrap; }
th .soft { font-weight: 400; }
@media (max-width: 40rem) {
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; clip-path: inset(50%); }
  th, td { border: 0; padding: 0; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; } }
@media print { body { max-width: none; } }
"""
