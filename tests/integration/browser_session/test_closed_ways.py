"""A hostile page reaches nothing but public addresses, opens nothing, keeps nothing, and cannot outlast its time."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from studio.browser.session import PASSED_ON, BrowserSession, browser_session
from studio.errors import BrowserUnavailable
from studio.settings import Settings
from tests.integration.browser_session import works
from tests.integration.browser_session.conftest import Look
from tests.integration.browser_session.internet import Canary, Internet
from tests.support.local_web import LocalWeb, Request, html, redirect


def test_a_redirect_to_a_private_address_ends_there(session: BrowserSession, web: LocalWeb, bird: Canary) -> None:
    targets = [f"http://{host}:{bird.port}/" for host in ("127.0.0.1", "localhost", "[::1]")]
    targets += ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://inside.test/"]
    for number, target in enumerate(targets):
        web.pages[f"/away{number}"] = redirect(target)
    urls = [f"http://site.test/away{number}" for number in range(len(targets))]
    before = len(session.requests())
    visits = session.run(works.visit, {"urls": urls}).result["visits"]
    for url, target, visit in zip(urls, targets, visits, strict=True):
        assert visit["status"] is None
        assert "may not or cannot be visited" in visit["failure"]
        assert visit["hops"] == [url, target]
    asked = session.requests()[before:]
    assert {request.host for request in asked if request.refused is None} == {"site.test"}
    assert {"10.0.0.1", "169.254.169.254", "inside.test", "127.0.0.1", "localhost", "::1"} <= {
        request.host for request in asked if request.refused
    }
    assert bird.heard() == []


def everything_inside(port: int, *, peer_milliseconds: int) -> str:
    """A page that asks for private addresses in every way there is; it has finished when each has come to an end."""
    return """<!doctype html><title>hostile</title>
<link rel="icon" href="http://127.0.0.1:PORT/icon"><link rel="prefetch" href="http://127.0.0.1:PORT/prefetch">
<link rel="preconnect" href="http://127.0.0.1:PORT"><link rel="dns-prefetch" href="//inside.test">
<link rel="stylesheet" href="http://10.0.0.1/style.css"><style>@import "http://127.0.0.1:PORT/import.css";</style>
<img src="http://127.0.0.1:PORT/image"><img src="/to-metadata"><iframe src="http://127.0.0.1:PORT/frame"></iframe>
<iframe src="https://169.254.169.254/latest/"></iframe><iframe src="file:///etc/passwd"></iframe>
<object data="http://127.0.0.1:PORT/object"></object><video src="http://127.0.0.1:PORT/video"></video>
<a ping="http://127.0.0.1:PORT/ping" href="#here" id="ping">x</a>
<script>
const inside = "http://127.0.0.1:PORT/", ended = [];
const soon = (name, promise, limit = 15000) => ended.push(
  Promise.race([promise, new Promise(done => setTimeout(done, limit, "nothing"))])
    .then(value => name + ": " + value, error => name + ": error"));
soon("fetch", fetch(inside).then(answer => answer.status));
soon("no-cors", fetch(inside, {mode: "no-cors"}).then(answer => answer.type));
soon("rebound", fetch("http://rebind.test/hello").then(answer => answer.text())
  .then(() => fetch("http://rebind.test/hello?again")).then(answer => answer.status));
soon("socket", new Promise((done, fail) => {
  const socket = new WebSocket("ws://127.0.0.1:PORT/");
  socket.onopen = () => done("open"); socket.onerror = fail; }));
soon("events", new Promise((done, fail) => {
  const events = new EventSource(inside); events.onopen = () => done("open"); events.onerror = fail; }));
soon("worker", new Promise((done, fail) => {
  const code = "fetch('http://127.0.0.1:PORT/worker').then(a => postMessage(a.status), () => postMessage('error'))";
  const worker = new Worker(URL.createObjectURL(new Blob([code])));
  worker.onmessage = message => done(message.data); worker.onerror = fail; }));
navigator.sendBeacon(inside + "beacon", "x");
document.getElementById("ping").click();
soon("service worker", navigator.serviceWorker ? navigator.serviceWorker.register("/worker.js") : "none");
soon("peer", new Promise(done => {
  const peer = new RTCPeerConnection({iceServers: [{urls: "stun:127.0.0.1:PORT"}]});
  peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done("asked");
  peer.createDataChannel("x"); peer.createOffer().then(offer => peer.setLocalDescription(offer)); }), PEER);
soon("transport", new Promise((done, fail) => new WebTransport("https://127.0.0.1:PORT/").ready.then(done, fail)));
const form = document.createElement("form");
form.action = inside + "form"; form.method = "post"; form.target = "sink";
const sink = document.createElement("iframe"); sink.name = "sink";
addEventListener("load", () => { document.body.append(sink, form); form.submit(); });
Promise.all(ended).then(all => { window.said = all; window.finished = true; });
</script>""".replace("PORT", str(port)).replace("PEER", str(peer_milliseconds))


def look_inside(session: BrowserSession) -> dict[str, Any]:
    task = {"url": "http://site.test/hostile", "finishes": True, "script": "window.said"}
    return session.run(works.look, task).result


def check_inside(seen: dict[str, Any], session: BrowserSession, bird: Canary) -> None:
    said = dict(line.split(": ", 1) for line in seen["value"])
    assert said["fetch"] in ("error", "403")
    assert said["rebound"] in ("error", "403"), "the second look-up said something else, and was checked"
    assert said["socket"] == "error"
    assert said["events"] == "error"
    assert said["worker"] in ("error", "403")
    assert bird.heard() == []
    reached = {request.host for request in session.requests() if request.refused is None}
    assert reached <= {"site.test", "rebind.test"}, "and nothing of the browser's own"
    assert {"127.0.0.1", "10.0.0.1", "169.254.169.254", "rebind.test"} <= {
        request.host for request in session.requests() if request.refused
    }


def hostile_pages(web: LocalWeb, bird: Canary, *, alone: bool) -> None:
    # In a network of its own there is nobody to answer, and it waits for half a minute.
    web.pages["/hostile"] = html(everything_inside(bird.port, peer_milliseconds=10 if alone else 15000))
    web.pages["/to-metadata"] = redirect("http://169.254.169.254/latest/meta-data/")
    web.pages["/hello"] = lambda request: request.answer(200, b"hello", Access_Control_Allow_Origin="*")
    web.pages["/hello?again"] = web.pages["/hello"]


def test_no_way_of_asking_leads_inside(session: BrowserSession, web: LocalWeb, bird: Canary) -> None:
    hostile_pages(web, bird, alone=session.facts.alone)
    check_inside(look_inside(session), session, bird)


def test_no_way_leads_inside_without_namespaces_either(web: LocalWeb, bird: Canary) -> None:
    """Then the network is the machine's own, and nothing but the browser's arguments and the proxy keep it."""
    hostile_pages(web, bird, alone=False)
    with browser_session(Settings(), resolve=Internet(web), seconds=120, namespaces=False) as plain:
        assert not plain.facts.alone
        check_inside(look_inside(plain), plain, bird)
        web.pages["/who"] = lambda request: request.answer(401, b"who?", WWW_Authenticate='Basic realm="x"')
        web.requests.clear()
        plain.run(works.look, {"url": "http://site.test/who"})
        assert "/who" in [path for _, path, _ in web.requests]
        assert [set(headers) & {"Authorization", "Proxy-Authorization"} for _, _, headers in web.requests] == [
            set()
        ] * len(web.requests)


def test_only_web_addresses_are_visited(session: BrowserSession, web: LocalWeb) -> None:
    """Nor does a redirect lead anywhere else."""
    closed = [
        "file:///etc/passwd",
        "data:text/html,x",
        "chrome://version",
        "javascript:1",
        "http://a:b@site.test/",
        "x",
    ]
    web.pages["/file"] = redirect("file:///etc/passwd")
    web.pages["/data"] = redirect("data:text/html,x")
    redirects = ["http://site.test/file", "http://site.test/data"]
    visits = session.run(works.visit, {"urls": [*closed, *redirects]}).result["visits"]
    for visit in visits[: len(closed)]:
        assert visit["failure"] == "Only http and https addresses are visited."
        assert visit["at"] == "about:blank"
    for visit in visits[len(closed) :]:
        assert "ERR_UNSAFE_REDIRECT" in visit["failure"]


def test_a_page_cannot_go_to_another_scheme(look: Look, web: LocalWeb) -> None:
    """Nor leave anything behind on the way: what is clicked or assigned stays without effect."""
    targets = [
        "file:///etc/passwd",
        "data:text/html,<title>elsewhere</title>",
        "view-source:http://site.test/",
        "chrome://version",
        "chrome://crash",
        "mailto:a@example.com",
        "ssh://site.test",
        "intent://x",
        "filesystem:http://site.test/x",
    ]
    web.pages["/targets"] = html(
        f"""<title>here</title><script>
        const targets = {json.dumps(targets)};
        const next = () => {{
          const target = targets.shift();
          if (!target) {{ window.finished = true; return; }}
          try {{ const a = document.createElement("a"); a.href = target; document.body.append(a); a.click(); }}
          catch (error) {{}}
          try {{ location.href = target; }} catch (error) {{}}
          setTimeout(next, 30);
        }};
        addEventListener("load", next);</script>"""
    )
    seen = look("/targets", finishes=True, script="document.title")
    assert (seen["value"], seen["url"], seen["crashed"]) == ("here", "http://site.test/targets", False)


def test_windows_are_counted_and_closed(look: Look, web: LocalWeb) -> None:
    web.pages["/storm"] = html(
        "<script>for (let i = 0; i < 30; i++) window.open('/storm-child?' + i); window.finished = true</script>"
    )
    seen = look("/storm", finishes=True)
    assert seen["popups"] == 30
    assert seen["pages"] == 1
    web.pages["/link"] = html("<a id=a target=_blank href=/child>x</a>")
    seen = look("/link", script="document.getElementById('a').click()")
    assert seen["url"] == "http://site.test/link"


def test_a_download_is_refused(look: Look, web: LocalWeb) -> None:
    attached = {"Content_Disposition": 'attachment; filename="x.exe"', "Content_Type": "application/octet-stream"}
    web.pages["/file"] = lambda request: request.answer(200, b"MZ", **attached)
    assert "Download is starting" in look("/file")["arrival"]["failure"]
    web.pages["/blob"] = html(
        """<script>const a = document.createElement("a"); a.download = "x.exe";
        a.href = URL.createObjectURL(new Blob(["MZ"])); document.documentElement.append(a); a.click();
        setTimeout(() => window.finished = true, 200)</script>"""
    )
    assert look("/blob", finishes=True)["downloads"] == 1


def test_permissions_are_denied(look: Look, web: LocalWeb) -> None:
    web.pages["/wish"] = html("<title>x</title>")
    script = """async () => [
      (await navigator.permissions.query({name: "geolocation"})).state,
      (await navigator.permissions.query({name: "notifications"})).state,
      await new Promise(done => navigator.geolocation
        ? navigator.geolocation.getCurrentPosition(() => done("here"), error => done("denied")) : done("denied"))]"""
    assert look("/wish", script=script)["value"] == ["denied", "denied", "denied"]


def test_a_page_that_asks_in_a_loop_ends_with_its_time(look: Look, web: LocalWeb) -> None:
    web.pages["/alerts"] = html("<script>while (true) alert('again')</script>")
    seen = look("/alerts", seconds=3)
    assert seen["dialogs"]
    assert seen["out_of_time"]
    assert seen["error"] or seen["arrival"]["failure"]


def test_a_page_that_never_stops_loading_is_looked_at_all_the_same(look: Look, web: LocalWeb) -> None:
    def forever(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>slow</title><p>so far")
        request.endlessly(b"<p>more", 0.05)

    web.pages["/forever"] = forever
    seen = look("/forever", settle=1, script="document.title")
    assert (seen["arrival"]["status"], seen["arrival"]["loaded"]) == (200, False)
    assert seen["value"] == "slow"
    assert seen["error"] is None


def test_a_server_that_never_answers_is_a_failure(look: Look, web: LocalWeb) -> None:
    web.pages["/silence"] = lambda request: request.server.web.closing.wait(5) and None
    assert look("/silence", answer=0.5)["arrival"]["failure"] == "There was no answer within 0.5 s."


def test_a_busy_page_frees_whoever_waits_for_it(look: Look, web: LocalWeb) -> None:
    seen = look("/calm", script="(() => { while (true); })()", seconds=1.5)
    assert seen["out_of_time"]
    assert "crashed" in seen["error"].lower() or "closed" in seen["error"].lower()
    assert look("/calm", script="document.title")["value"] == "calm", "the next page has another process"


def test_a_page_that_is_busy_from_the_start_ends_with_its_time(look: Look, web: LocalWeb) -> None:
    web.pages["/busy"] = html("<script>while (true);</script>")
    seen = look("/busy", seconds=1.5)
    assert seen["out_of_time"]
    assert seen["error"]


def test_a_page_that_goes_on_and_on_is_looked_at(look: Look, web: LocalWeb) -> None:
    web.pages["/reload"] = html("<title>again</title><script>setTimeout(() => location.reload(), 1)</script>")
    seen = look("/reload", settle=1, seconds=5)
    assert seen["out_of_time"] or seen["arrival"]["status"] == 200


def test_a_page_that_takes_too_much_is_cut_off(web: LocalWeb) -> None:
    """Memory costs it its process, bytes the connection; the browser goes on to the next page."""

    def text(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            request.wfile.write(b" " * 100_000)

    web.pages["/large"] = html("<title>large</title>")
    web.pages["/text"] = text
    hog = "(() => { const all = []; for (;;) all.push(new Uint8Array(16e6).fill(1)); })()"
    # All of it is wanted: nobody but the proxy has a reason to end it.
    greed = "fetch('/text').then(it => it.text()).then(() => 'whole', () => document.title + ' is cut off')"
    with browser_session(
        Settings(), resolve=Internet(web), seconds=120, max_bytes=2_000_000, memory_bytes=900_000_000
    ) as small:
        greedy = small.run(works.look, {"url": "http://site.test/calm", "script": hog}).result
        assert greedy["error"]
        assert not greedy["out_of_time"]
        large = small.run(works.look, {"url": "http://site.test/large", "script": greed}).result
        assert large["value"] == "large is cut off"
        assert "It sends more than is taken." in [request.failed for request in small.requests()]
        assert sum(request.bytes_received for request in small.requests()) < 2_500_000


def test_broken_work_says_how_it_broke(session: BrowserSession) -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'no such thing'"):
        session.run(works.break_down, {})
    assert session.kept["before"] == 1


def test_the_browser_has_neither_the_workers_environment_nor_its_rights(session: BrowserSession) -> None:
    environment = session.run(works.surroundings, {}).result["environment"]
    assert set(environment) <= {*PASSED_ON, "LC_CTYPE"}
    if os.geteuid() == 0:
        assert session.facts.user != 0
    possible = subprocess.run(
        ["unshare", "--user", "--net", "true"], user=None if os.geteuid() else 65534, check=False, capture_output=True
    )
    assert session.facts.sandboxed == (possible.returncode == 0)


def test_a_browser_that_is_not_there_is_named_with_a_remedy(tmp_path: Any) -> None:
    settings = Settings(GREENLIGHT_BROWSER_PATH=str(tmp_path / "none"))
    with pytest.raises(BrowserUnavailable, match="apt install chromium-headless-shell") as caught:
        with browser_session(settings, resolve=lambda host, port: []):
            pass
    assert "playwright install chromium" in str(caught.value)


def test_a_browser_that_does_not_start_is_unavailable(tmp_path: Any) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(BrowserUnavailable, match="no display"):
        with browser_session(Settings(GREENLIGHT_BROWSER_PATH=str(broken)), resolve=lambda host, port: []):
            pass
