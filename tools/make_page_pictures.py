#!/usr/bin/env python3
"""Pictures of the pages for the README, from a run of the demo.

    SAESCOPE=build/release/saescope tools/make_page_pictures.py demo-run [docs]

Writes page-feature.png and page-map.png. Needs chromium with chromedriver.
"""
import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/web"))
from browser import Browser  # noqa: E402

run, out = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs")
FEATURE = 360
PICTURES = {"page-feature.png": (f"#/feature/{FEATURE}", 760), "page-map.png": ("#/map", 700)}

with tempfile.TemporaryDirectory() as folder:
    report = Path(folder) / "report.html"
    subprocess.run([os.environ.get("SAESCOPE", ROOT / "build/release/saescope"), "report", "-q", run, "-o", report], check=True)
    browser = Browser(folder)
    try:
        for name, (fragment, height) in PICTURES.items():
            browser.cdp("Emulation.setDeviceMetricsOverride", width=960, height=height, deviceScaleFactor=1, mobile=False)
            browser.open(report.as_uri(), fragment)
            browser.wait("document.querySelectorAll('.item, canvas').length > 0")
            (out / name).write_bytes(base64.b64decode(browser.call("GET", f"{browser.session}/screenshot")))
    finally:
        browser.close()
