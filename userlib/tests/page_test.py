#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""page_test.py PAGE FOLDER: looks at a report in a browser. TAP.

Chromium, without a window, is spoken to over two pipes (its debugging protocol). The
page is shown light and dark, wide and narrow; the pictures of it are left in FOLDER.
Without a browser all of it is skipped.
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

WIDE, NARROW = 1280, 360
PATIENCE = 1200		# s for all of it: a machine may have other work
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """One tab of one browser; what it complains of is in @complaints."""

    def __init__(self, program, home):
        to_us, from_it = os.pipe()
        to_it, from_us = os.pipe()

        def ends():
            os.dup2(to_it, 3)
            os.dup2(from_it, 4)

        # above 4, so that dup2() overwrites neither
        to_it, from_it = (self.high(fd) for fd in (to_it, from_it))
        self.child = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={home}",
             "about:blank"],
            preexec_fn=ends, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_it)
        os.close(from_it)
        self.read, self.write = os.fdopen(to_us, "rb"), os.fdopen(from_us, "wb")
        self.nr, self.session, self.complaints = 0, None, []
        self.loaded = False
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    @staticmethod
    def high(fd):
        if fd > 4:
            return fd
        other = os.dup(fd)
        got = Browser.high(other)
        os.close(fd)
        return got

    def message(self):
        text = b""
        while not text.endswith(b"\0"):
            byte = self.read.read(1)
            if not byte:
                raise RuntimeError("the browser has ended")
            text += byte
        return json.loads(text[:-1])

    def heard(self, msg):
        what, params = msg.get("method"), msg.get("params", {})
        if what == "Page.loadEventFired":
            self.loaded = True
        elif what == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("text")))
        elif what == "Runtime.consoleAPICalled" and \
                params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif what == "Log.entryAdded":
            self.complaints.append(str(params["entry"].get("text")))
        elif what == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:")):
                self.complaints.append(f"it asks for {url}")

    def call(self, method, **params):
        self.nr += 1
        msg = {"id": self.nr, "method": method, "params": params}
        if self.session:
            msg["sessionId"] = self.session
        self.write.write(json.dumps(msg).encode() + b"\0")
        self.write.flush()
        while True:
            got = self.message()
            if got.get("id") == self.nr:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']}")
                return got["result"]
            self.heard(got)

    def show(self, path, width, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.loaded = False
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not self.loaded:
            self.heard(self.message())

    def ask(self, expression):
        got = self.call("Runtime.evaluate", expression=expression,
                        returnByValue=True)
        if "exceptionDetails" in got:
            raise RuntimeError(f"{expression}: {got['exceptionDetails']}")
        return got["result"].get("value")

    def picture(self, path):
        height = self.ask("document.documentElement.scrollHeight")
        width = self.ask("innerWidth")
        got = self.call("Page.captureScreenshot", captureBeyondViewport=True,
                        clip={"x": 0, "y": 0, "width": width, "scale": 1,
                              "height": min(height, 4000)})
        with open(path, "wb") as f:
            f.write(base64.b64decode(got["data"]))

    def end(self):
        self.child.kill()
        self.child.wait()


CONTRAST = """(() => {
	const lum = c => {
		const v = c.map(x => x / 255).map(x =>
			x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
		return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
	};
	const rgb = s => s.match(/[\\d.]+/g).map(Number);
	let worst = [99, ""];
	for (const el of document.querySelectorAll("body *")) {
		const text = [...el.childNodes].some(n => n.nodeType === 3 &&
			n.textContent.trim());
		if (!text || !el.getClientRects().length ||
		    el.closest("script,style")) continue;
		const style = getComputedStyle(el);
		const svg = el.namespaceURI.endsWith("svg");
		let back = el, b = [0, 0, 0, 0];
		while (back && !(b = rgb(getComputedStyle(back).backgroundColor),
				 b.length < 4 || b[3] > 0)) back = back.parentElement;
		const one = lum(rgb(svg ? style.fill : style.color).slice(0, 3));
		const two = lum((back ? b : [255, 255, 255]).slice(0, 3));
		const got = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
		if (got < worst[0]) worst = [got, el.tagName + " " +
			el.textContent.slice(0, 30)];
	}
	return worst;
})()"""


# Of all curves: words of one picture that stand on each other.
ON_EACH_OTHER = """[...document.querySelectorAll("svg.lines")].flatMap(svg => {
	const words = [...svg.querySelectorAll("text")].map(el =>
		[el.textContent, el.getBoundingClientRect()]);
	return words.flatMap(([a, p], i) => words.slice(i + 1)
		.filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1 &&
			p.top < q.bottom - 1 && q.top < p.bottom - 1)
		.map(([b]) => svg.getAttribute("aria-label") + ": " + a + ", " + b));
})"""


def checks(browser, page, folder):
    """(sentence, what is wrong or None) of each."""
    for scheme in ("light", "dark"):
        browser.show(page, WIDE, scheme)
        browser.picture(os.path.join(folder, f"report-{scheme}.png"))
        worst = browser.ask(CONTRAST)
        yield (f"every text of the {scheme} page has a contrast of 4.5",
               None if worst[0] >= 4.5 else worst)
        got = browser.ask("getComputedStyle(document.body).backgroundColor")
        is_dark = sum(map(int, got[4:-1].split(","))) < 384
        yield (f"the page is {scheme} where the system is",
               None if is_dark == (scheme == "dark") else got)
    before = browser.ask("getComputedStyle(document.body).backgroundColor")
    browser.ask("document.getElementById('theme').click()")
    after = browser.ask("getComputedStyle(document.body).backgroundColor")
    yield "its switch changes that", None if before != after else after
    yield from of_filter(browser)
    browser.show(page, NARROW, "light")
    browser.picture(os.path.join(folder, "report-narrow.png"))
    yield from of_width(browser, NARROW)
    browser.show(page, WIDE, "light")
    yield from of_width(browser, WIDE)
    broken = browser.ask("[...document.querySelectorAll('a[href^=\"#\"]')]"
                         ".map(a => a.getAttribute('href').slice(1))"
                         ".filter(id => !document.getElementById(id))")
    yield "every link leads somewhere", broken or None
    yield ("it has pictures, each with words for who does not see it",
           None if browser.ask("document.querySelectorAll('svg').length") and
           not browser.ask("document.querySelectorAll('svg:not([aria-label])"
                           ":not([aria-hidden])').length") else "svg")
    yield ("it asks nobody for anything and complains of nothing",
           browser.complaints or None)


def of_filter(browser):
    rows = "[...document.querySelectorAll('tbody[data-behind]')]"
    browser.ask("document.getElementById('only').click()")
    wrong = browser.ask(f"{rows}.filter(r => (r.dataset.behind === '1') ==="
                        " r.hidden).length")
    browser.ask("document.getElementById('only').click()")
    yield "only what is behind is shown where one asks so", wrong or None
    browser.ask("(() => { const f = document.getElementById('find');"
                "f.value = 'zzq zqz'; f.dispatchEvent(new Event('input'));"
                "})()")
    left = browser.ask(f"{rows}.filter(r => !r.hidden).length")
    yield "only rows with the words are shown", left or None


def of_width(browser, width):
    got = browser.ask("document.documentElement.scrollWidth")
    yield (f"a window of {width} pixels is wide enough",
           None if got <= width else f"it takes {got}")
    yield (f"no words of a curve stand on each other, {width} pixels wide",
           browser.ask(ON_EACH_OTHER) or None)


def main(page, folder):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        print("1..1\nok 1 - the report in a browser # SKIP no chromium")
        return 0
    os.makedirs(folder, exist_ok=True)
    nr = bad = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(program, home)
        # who does not answer is ended, which is an error of whoever waits
        guard = subprocess.Popen(
            ["sh", "-c", f"sleep {PATIENCE}; kill -9 {browser.child.pid}"])
        try:
            for nr, (text, wrong) in enumerate(
                    checks(browser, page, folder), 1):
                bad += wrong is not None
                print(f"{'not ' if wrong is not None else ''}ok {nr} - {text}")
                if wrong is not None:
                    print(f"# {wrong}")
        finally:
            guard.kill()
            guard.wait()
            browser.end()
    print(f"1..{nr}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
