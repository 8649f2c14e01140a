"""The style sheet of a report: light and dark, desktop, phone and paper."""

CSS = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2230;--soft:#5b6577;
--rule:#e1e5eb;--accent:#2563c9;--pale:#a9c4f2;--dash:#b4541a;--code:#f0f2f6;--tint:#eaf1fd}
@media(prefers-color-scheme:dark){:root{--page:#12151b;--card:#1b2029;--ink:#e6e9ef;
--soft:#9aa4b5;--rule:#2c3440;--accent:#78a9ff;--pale:#3a5482;--dash:#f0a066;--code:#12161d;
--tint:#202c42}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:36px 20px 56px}
h1{font-size:clamp(1.45rem,4vw,2rem);line-height:1.2;margin:0 0 10px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:36px 0 12px}
p{margin:0 0 10px}
.lead{font-size:1.1rem;margin-bottom:4px}
.soft,figcaption span{color:var(--soft)}
.note{border-left:3px solid var(--dash);padding:6px 12px;background:var(--card);margin:12px 0}
.under{margin-top:8px;font-size:.92rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:22px 0 0}
.card,.tile,figure{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tile{padding:12px 16px}
.tile b{display:block;font-size:1.55rem;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.88rem}
.charts,.shots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));
gap:14px}
figure{margin:0;padding:12px;min-width:0}
figcaption{padding:2px 4px 8px;overflow-wrap:anywhere}
figcaption span{font-size:.86rem;display:block;min-height:1.5em}
figure.wide{margin-top:14px}
.shots img,.wide img{display:block;width:100%;height:auto;border-radius:5px}
.badge{display:inline-block;border-radius:20px;padding:0 9px;margin-right:8px;font-size:.82rem;
color:var(--card);background:var(--accent);font-weight:600}
.badge.worst{background:var(--dash)}
.scroll{overflow-x:auto;padding:4px 12px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:8px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
tr:last-child td,tr:last-child th{border-bottom:0}
th:first-child,td:first-child{text-align:left;font-weight:500}
thead th{color:var(--soft);font-weight:500;font-size:.9rem}
tr.model>*{background:var(--tint)}
td.best{font-weight:700}
dl{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:6px 18px;margin:0;
padding:14px 16px}
dt{color:var(--soft)}
dd{margin:0;min-width:0;overflow-wrap:anywhere}
pre{background:var(--code);border:1px solid var(--rule);border-radius:8px;margin:0 0 12px;
padding:10px 14px;white-space:pre-wrap;overflow-wrap:anywhere;
font:.86rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:13.5px}
svg .halo{fill:var(--dash);stroke:var(--card);stroke-width:4px;paint-order:stroke}
svg .grid{stroke:var(--rule)}
svg .axis{stroke:var(--soft)}
svg .line{fill:none;stroke:var(--accent);stroke-width:2.4;stroke-linejoin:round}
svg .raw{stroke:var(--pale);stroke-width:1.4}
svg .dot{fill:var(--accent);stroke:var(--card);stroke-width:1.5}
svg .reference{stroke:var(--dash);stroke-width:1.4;stroke-dasharray:6 4}
@media(max-width:560px){main{padding:22px 12px 40px}dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:8px}figure{padding:8px}th:first-child,td:first-child{position:sticky;left:0;
background:var(--card)}tr.model>:first-child{background:var(--tint)}.scroll{padding:4px 0}
svg text{font-size:17px}}
@media print{body{background:#fff}figure,.tile,tr,pre{break-inside:avoid}}
"""
