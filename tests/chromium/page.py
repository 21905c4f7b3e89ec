"""Opens a page in headless Chromium and says what is wrong with it.

    python3 tests/chromium/page.py report.html [FOLDER FOR SCREENSHOTS]

At 400 and at 1400 pixels, light and dark: nothing may be wider than the page, every picture must be
there, text must have a contrast of 4.5 with what is behind it, and the console must hold no error. Prints one line per fault and exits with 1; exits with 77
where chromedriver or chromium is missing. Needs nothing but Python and Debian's chromium-driver.
"""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

WIDTHS = (400, 1400)
SCHEMES = ("light", "dark")
MISSING = 77

# What is wider than the window, and pictures that are not there.
FAULTS = """
const faults = [];
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) {
  faults.push(`the page is ${document.documentElement.scrollWidth} pixels wide`);
}
for (const element of document.querySelectorAll('body *')) {
  const box = element.getBoundingClientRect();
  if (element.closest('svg') && element.tagName !== 'svg') continue;
  if (box.width > 0 && (box.right > width + 1 || box.left < -1)) {
    faults.push(`<${element.tagName.toLowerCase()} class="${element.className.baseVal ?? element.className}"> `
      + `reaches from ${Math.round(box.left)} to ${Math.round(box.right)}`);
  }
  if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0
      && getComputedStyle(element).display !== 'inline') {
    faults.push(`<${element.tagName.toLowerCase()}> holds more than it is wide: ${element.textContent.slice(0, 40)}`);
  }
}
for (const image of document.images) {
  if (!image.complete || image.naturalWidth === 0) faults.push(`no picture: ${image.alt}`);
}
return {faults: faults.slice(0, 20), ground: getComputedStyle(document.documentElement).backgroundColor,
        height: document.documentElement.scrollHeight};
"""


# Text that is hard to see.
FAINT_TEXT = pathlib.Path(__file__).with_name("faint_text.js").read_text()


class Browser:
    """A session of chromedriver, by the WebDriver protocol."""

    def __init__(self, driver, binary):
        self.process = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.process.stdout:
            if match := re.search(r"started successfully on port (\d+)", line):
                break
        else:
            raise RuntimeError("chromedriver named no port")
        self.root = f"http://127.0.0.1:{match[1]}"
        options = {"binary": binary, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.root += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait()


def main(page, shots):
    driver = shutil.which("chromedriver")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not driver or not binary:
        print("chromium or chromedriver is missing (Debian: chromium, chromium-driver)")
        return MISSING
    faults = []
    grounds = set()
    browser = Browser(driver, binary)
    try:
        for scheme in SCHEMES:
            browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for width in WIDTHS:
                browser.devtools(
                    "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
                )
                browser.call("POST", "/url", {"url": page.resolve().as_uri()})
                found = browser.call("POST", "/execute/sync", {"script": FAULTS, "args": []})
                grounds.add(found["ground"])
                faint = browser.call("POST", "/execute/sync", {"script": FAINT_TEXT, "args": []})
                faults += [f"{width} {scheme}: {fault}" for fault in found["faults"] + faint]
                for entry in browser.call("POST", "/se/log", {"type": "browser"}):
                    if entry["level"] in ("SEVERE", "WARNING"):
                        faults.append(f"{width} {scheme}: console: {entry['message']}")
                if shots:
                    whole = {"x": 0, "y": 0, "width": width, "height": found["height"], "scale": 1}
                    png = browser.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=whole)
                    (shots / f"{page.stem}-{width}-{scheme}.png").write_bytes(base64.b64decode(png["data"]))
        if shots:
            pdf = browser.devtools("Page.printToPDF", printBackground=True)
            (shots / f"{page.stem}.pdf").write_bytes(base64.b64decode(pdf["data"]))
    finally:
        browser.close()
    if len(grounds) < len(SCHEMES):
        faults.append(f"the ground is {grounds} in light and in dark")
    print("\n".join(faults) or f"{page}: no fault at {WIDTHS} pixels, light and dark")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    sys.exit(main(pathlib.Path(sys.argv[1]), folder))
