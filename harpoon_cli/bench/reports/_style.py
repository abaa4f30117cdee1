"""The page's style sheet, for light, dark and paper; text only."""

STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--faint:#57606a;--line:#d0d7de;--good:#1a7f37;--bad:#cf222e;
--shade:#eef4fb;--c0:#0072b2;--c1:#c2410c;--c2:#00795a;--c3:#a3447f;--c4:#8a6d00;--c5:#444}
@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--faint:#9aa4af;--line:#30363d;
--good:#3fb950;--bad:#ff7b72;--shade:#15202e;--c0:#56b4e9;--c1:#f0964b;--c2:#2bc79a;--c3:#e19ac2;
--c4:#e3c44f;--c5:#bbb}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
.verdict{border-left:6px solid var(--bad);padding:.4rem 1rem;background:var(--shade)}
.verdict.passed{border-color:var(--good)}.verdict .word{font-weight:600;margin:.3rem 0}
.wide{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--faint);padding:.2rem 0}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;overflow-wrap:break-word}
thead th{color:var(--faint);font-weight:600}tbody th{font-weight:400}
figure{margin:1rem 0}figcaption{color:var(--faint)}
.plot{width:100%;height:auto;display:block}
.plot text{fill:var(--faint);font-size:12px;font-family:inherit}
.plot .end{text-anchor:end}.plot .middle{text-anchor:middle}.plot .mark{fill:var(--ink)}
.plot .grid{stroke:var(--line);stroke-width:1}.plot .axis{stroke:var(--faint)}.plot .shade{fill:var(--shade)}
.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}.plot .dot{stroke:none}
.plot .line.s0{stroke:var(--c0)}.plot .line.s1{stroke:var(--c1);stroke-dasharray:7 3}
.plot .line.s2{stroke:var(--c2);stroke-dasharray:2 3}.plot .line.s3{stroke:var(--c3);stroke-dasharray:9 3 2 3}
.plot .line.s4{stroke:var(--c4);stroke-dasharray:4 4}.plot .line.s5{stroke:var(--c5);stroke-dasharray:1 4}
.plot .dot.s0{fill:var(--c0)}.plot .dot.s1{fill:var(--c1)}.plot .dot.s2{fill:var(--c2)}
.plot .dot.s3{fill:var(--c3)}.plot .dot.s4{fill:var(--c4)}.plot .dot.s5{fill:var(--c5)}
summary{cursor:pointer}
@media print{body{font-size:11px}details{display:block}}
"""
