"""The status page and HTML reports in a real Chromium: they work, and whatever names and rows hold stays text."""

import json
import os
import re
import sqlite3
import subprocess

import pytest
from browser import Browser
from conftest import ROOT
from test_run import make, running, wait_for

EVIL = "<img src=x onerror=document.title=`ran`>"
SCRIPT = "</td></style></script><script>document.title=`ran`</script>"
# Where a careless page would meet its own language: prototypes, markup, paths.
FRAGMENTS = ["#/constructor/" + EVIL, "#/__proto__/" + EVIL, "#/toString/" + EVIL, "#/hasOwnProperty/pipeline",
             "#/pipeline/" + EVIL, "#/run/" + SCRIPT, "#/stream/" + EVIL, "#/dataset/" + EVIL, "#/dataset/..", "#/pipeline/.",
             "#/pipeline/%", "#/pipeline/%E0%A4%A", "#/run/..%2F..%2Fconfig", "#" + EVIL, "#javascript:document.title=`ran`",
             "#/pipeline/constructor", "#/dataset/__proto__"]


@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


def parts(browser):
    return browser.run("return document.getElementById('parts').innerText")


def state(browser):
    return browser.run("return document.getElementById('state').textContent")


def go(browser, run, fragment=""):
    browser.open("about:blank")
    browser.open(f"http://127.0.0.1:{run.port}/{fragment}")


def nothing_ran(browser):
    """No script of a name's own ran, and none has even become an element."""
    assert browser.run("return document.title") == "neuron"
    assert browser.run("return document.querySelectorAll('img,iframe,object,embed,script').length") == 1
    assert browser.dialog() is None
    evil = """return [...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(
        a => /^on/i.test(a.name) || /^\\s*javascript:/i.test(a.value)).map(a => a.name + '=' + a.value)"""
    assert browser.run(evil) == []


def test_fragments_run_nothing(neuron, browser):
    make(neuron)
    with running(neuron) as run:
        for fragment in FRAGMENTS:
            for text in (fragment, fragment.replace("<", "%3C").replace(">", "%3E")):
                go(browser, run, text)
                wait_for(lambda: state(browser) != "…" and parts(browser) or "no" in state(browser) or "not" in state(browser)
                         or "URI" in state(browser))
                nothing_ran(browser)
        # An unknown page is the overview.
        go(browser, run, "#/constructor/x")
        wait_for(lambda: "Pipelines" in parts(browser))


def test_the_policy_stands_alone(neuron, browser):
    """Even a page that wrote markup, or let it through, would run nothing."""
    make(neuron, token="right")
    with running(neuron) as run:
        for path, headers in (("/", {}), ("/", {"Authorization": "Bearer right"}), ("/api/v1/status", {})):
            policy = run.ask(path, headers=headers)[2]["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        go(browser, run)
        for attempt in ("document.body.innerHTML = arguments[0]", "document.write(arguments[0])",
                        "document.body.insertAdjacentHTML('beforeend', arguments[0])"):
            with pytest.raises(AssertionError):
                browser.run(attempt, EVIL)
        browser.run("const s = document.createElement('style'); s.textContent = 'body{color:red}'; document.head.append(s)")
        assert browser.run("return getComputedStyle(document.body).color") != "rgb(255, 0, 0)"


HOSTILE = """
neuron: {{ id: hostile, name: "{evil}" }}
http: {{ listen: "127.0.0.1:0" }}
connections: {{ source: "sqlite:///source.db", target: "sqlite:///target.db" }}
pipelines:
  good: {{ from: source, from_table: raw, to: target, table: t, key: [id] }}
  bad: {{ from: source, from_table: "{evil}", to: target, table: u, mode: append }}
  constructor: {{ from: source, from_table: raw, to: target, table: v, key: [id] }}
quality:
  __proto__: {{ from: source, table: odd, rules: [ row_count > 100 ] }}
  data: {{ from: source, table: odd, columns: {{ "{evil}": [ {{ accepted_values: [1], name: "{evil}" }} ], plain: [ {{ accepted_values: [x] }} ] }} }}
alerts: {{ interval: 200ms, thresholds: {{ disk: 0%, memory: 100% }} }}
"""


def make_hostile(neuron):
    with sqlite3.connect(os.path.join(neuron.folder, "source.db")) as db:
        db.execute("CREATE TABLE raw(id INTEGER, amount REAL)")
        db.execute("INSERT INTO raw VALUES (1, 2)")
        db.execute(f'CREATE TABLE odd("{EVIL}" INTEGER, plain TEXT, "__proto__" TEXT, "constructor" TEXT)')
        db.execute("INSERT INTO odd VALUES (2, ?, ?, ?)", (EVIL, SCRIPT, EVIL))
    neuron.write("neuron.yaml", HOSTILE.format(evil=EVIL))


def test_hostile_names_and_values_are_text(neuron, browser):
    make_hostile(neuron)
    with running(neuron) as run:
        wait_for(lambda: [r for r in run.runs() if r["pipeline"] == "bad" and r["status"] == "failed"])
        for name in ("data", "__proto__"):
            run.get(f"/api/v1/quality/{name}/checks", "POST", 202)
            wait_for(lambda name=name: run.get(f"/api/v1/quality/{name}/reports")["reports"])
        failed = run.runs("&pipeline=bad")[0]["run_id"]
        for fragment, shown in (("#/", "bad"), ("#/pipeline/bad", EVIL), ("#/run/" + failed, EVIL), ("#/dataset/data", EVIL),
                                ("#/pipeline/constructor", "constructor"), ("#/dataset/__proto__", "__proto__")):
            go(browser, run, fragment)
            wait_for(lambda shown=shown: shown in parts(browser))
            nothing_ran(browser)
        assert browser.run("return document.getElementById('name').textContent") == EVIL


def test_the_page_draws_and_acts(neuron, browser):
    make(neuron, more="""
quality:
  data: { from: target, table: t, rules: [ row_count > 0 ] }
alerts:
  interval: 200ms
  thresholds: { disk: 0%, memory: 100% }
""")
    with running(neuron) as run:
        wait_for(lambda: run.get("/api/v1/alerts")["alerts"])
        wait_for(lambda: [r for r in run.runs() if r["status"] == "success"])
        run.get("/api/v1/quality/data/checks", "POST", 202)
        wait_for(lambda: run.get("/api/v1/quality/data/reports")["reports"])
        run_id = run.runs("&status=success")[0]["run_id"]
        go(browser, run)
        wait_for(lambda: "Quality" in parts(browser))
        drawn = parts(browser)
        for text in ("Alerts", "DiskFull", "Silence 4 h", "Pipelines", "good", "Quality", "data"):
            assert text in drawn, text
        assert browser.run("return document.querySelector(`a.success[href='#/run/${arguments[0]}']`).offsetHeight", run_id) > 4
        browser.run("document.querySelector('button[data-silence]').click()")
        wait_for(lambda: run.get("/api/v1/alerts")["alerts"][0]["silence"])
        assert run.get("/api/v1/alerts")["alerts"][0]["silence"]["by"] == "status page"
        wait_for(lambda: "silent, ends in" in parts(browser) and "Listen" in parts(browser))
        before = len(run.runs())
        browser.run("document.querySelector('button[data-run=good]').click()")
        wait_for(lambda: len(run.runs()) == before + 1)
        browser.run("document.querySelector('button[data-check=data]').click()")
        for fragment, texts in (("#/pipeline/good", ["Pipeline", "Over time", "Runs", run_id[:8]]),
                                ("#/run/" + run_id, ["Result", "records loaded"]),
                                ("#/dataset/data", ["row_count", "Reports"])):
            browser.run("location.hash = arguments[0]", fragment)
            wait_for(lambda texts=texts: all(text in parts(browser) for text in texts))
            assert state(browser) in ("healthy", "degraded")
        browser.run("location.hash = '#/pipeline/none'")
        wait_for(lambda: "no pipeline" in state(browser))
        # Nothing is wider than a phone, in either scheme, and both have colours of their own.
        browser.run("location.hash = '#/'")
        wait_for(lambda: "Quality" in parts(browser))
        browser.size(390, 800)
        colours = set()
        for dark in (False, True):
            browser.dark(dark)
            assert browser.run("return document.documentElement.scrollWidth") <= 390
            colours.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        assert len(colours) == 2
        browser.size(1200, 900)
        page = run.ask("/")[1]
        assert len(page) < 150_000 and not re.search(r"https?://", page) and "innerHTML" not in page
        assert subprocess.run([os.path.join(ROOT, "tools/make_page"), "--check"], check=False).returncode == 0


def test_a_federation_that_is_away_is_seen(neuron, browser):
    make(neuron, more='federation: { url: "http://127.0.0.1:1" }\n')
    with running(neuron) as run:
        wait_for(lambda: run.get("/health")["dependencies"]["federation"]["status"] == "degraded")
        go(browser, run)
        wait_for(lambda: "federation unregistered" in parts(browser))
        assert "does not answer" in parts(browser) and state(browser) == "degraded"


def test_signing_in_and_out(neuron, browser):
    make(neuron, token="right")
    with running(neuron) as run:
        go(browser, run)
        for token, shown in (("wrong", "This is not the token."), ("right", "Pipelines")):
            browser.run("document.querySelector('input').value = arguments[0]; document.querySelector('form').submit()", token)
            wait_for(lambda shown=shown: shown in browser.run("return document.body ? document.body.innerText : ''"))
        browser.run("document.getElementById('out').submit()")
        wait_for(lambda: "asks for its token" in browser.run("return document.body ? document.body.innerText : ''"))


def test_hostile_reports_are_text(neuron, browser):
    make_hostile(neuron)
    neuron("check", "data", "--format", "html", "-o", "report.html", code=1)
    page = neuron.read("report.html")
    assert EVIL not in page and "unsafe" not in page
    browser.open(f"file://{neuron.folder}/report.html")
    shown = browser.run("return document.body.textContent")
    assert EVIL in shown and SCRIPT.split("<", 1)[0] in shown
    assert browser.run("return document.querySelectorAll('img,script').length") == 0
    assert browser.run("return document.title") != "ran"
    assert browser.run("return getComputedStyle(document.querySelector('main')).maxWidth") == "1000px"
    # The policy holds where escaping would not.
    neuron.write("report.html", page.replace("<main>", f"<main>{EVIL}{SCRIPT}<p id=p style='color:red'>p</p>"))
    browser.open(f"file://{neuron.folder}/report.html")
    assert browser.run("return document.querySelectorAll('img').length") == 1
    assert browser.run("return document.title") != "ran"
    assert browser.run("return getComputedStyle(document.getElementById('p')).color") != "rgb(255, 0, 0)"
    assert json.dumps(browser.dialog()) == "null"
