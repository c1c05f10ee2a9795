// The pages that `umqtt bench --html` writes, in a browser: each needs nothing but itself, can be read in both themes and
// on a phone, and shows what a run was like: one size or several, a QoS that the baseline lacks, a failed round, Ctrl-C.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { pathToFileURL } from "node:url";

import { closeBrowser, openBrowser, PATIENCE, REPOSITORY, screenshot, test, violations } from "./lab.mjs";

/** Knows no QoS 2, and one of its rounds fails. Its name is wider than a phone, and has no place to break. */
const BASELINE = `${"a_long_name_".repeat(6)}.py`;

let home;

before(() => {
  home = mkdtempSync(join(tmpdir(), "umqtt-bench-"));
  copyFileSync(join(REPOSITORY, "python/tests/bench_baseline.py"), join(home, BASELINE));
});

after(async () => {
  await closeBrowser();
  rmSync(home, { recursive: true, force: true });
});

/** Runs the command; `interruptAt` is what it says before it gets Ctrl-C. Gives what it said. */
async function bench(page, options, { status = 0, interruptAt } = {}) {
  const child = spawn(process.env.UMQTT, ["bench", "--port", "sim", "--html", page, ...options], {
    cwd: home,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, UMQTT_SIM_ROOT: join(home, "flash") },
  });
  let said = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      said += data;
      if (interruptAt && said.includes(interruptAt)) {
        interruptAt = undefined;
        child.kill("SIGINT");
      }
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), 5 * PATIENCE);
  assert.equal(await ended, status, said);
  clearTimeout(timer);
  return said;
}

/** Opens a page as a reader would, and gives its text. */
async function read(name, { width, colorScheme }) {
  const what = `${name}, ${width} px, ${colorScheme}`;
  const context = await (await openBrowser()).newContext({ viewport: { width, height: 900 }, colorScheme });
  const faults = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const address = pathToFileURL(join(home, name)).href;
    page.on("console", (message) => faults.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
    page.on("request", (request) => {
      const url = request.url();
      if (url !== address && !url.startsWith("data:")) {
        faults.push(`a request to ${url}`);
      }
    });
    await page.goto(address);
    const text = await page.locator("body").innerText();
    await screenshot(page, `bench-${name}-${width}-${colorScheme}`, { fullPage: true });

    // Nothing but the frames for wide things is wider than the window; nothing leaves its plot; words do not overlap.
    const layout = await page.evaluate(() => {
      const found = [];
      if (document.documentElement.scrollWidth > innerWidth) {
        found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
      }
      for (const svg of document.querySelectorAll("svg")) {
        const frame = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
        if (frame.width < 600 || boxes.length === 0) {
          found.push(`a plot of ${frame.width} px with ${boxes.length} words`);
        }
        boxes.forEach(([words, box], index) => {
          if (box.left < frame.left || box.right > frame.right || box.top < frame.top || box.bottom > frame.bottom) {
            found.push(`"${words}" leaves its plot`);
          }
          for (const [others, other] of boxes.slice(index + 1)) {
            const apart = box.right <= other.left + 1 || other.right <= box.left + 1 || box.bottom <= other.top + 4 || other.bottom <= box.top + 4;
            if (!apart) {
              found.push(`"${words}" lies over "${others}"`);
            }
          }
        });
      }
      return found;
    });
    assert.deepEqual(layout, [], what);

    assert.deepEqual(await violations(page), [], what);
    return text;
  } finally {
    await context.close();
    assert.deepEqual(faults, [], what);
  }
}

/** In all themes and widths. */
async function readEverywhere(name) {
  let text;
  for (const width of [1280, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      text = await read(name, { width, colorScheme });
    }
  }
  return text;
}

test("a report with several sizes, a missing QoS and a failed round can be read anywhere", async () => {
  await bench("many.html", ["--baseline", BASELINE, "--sizes", "16,1024,65535", "--rounds", "9", "--messages", "100", "--lang", "en"]);
  const text = await readEverywhere("many.html");
  assert.match(text, /umqtt: Python and native, compared/);
  assert.match(text, /umqtt in Python cannot do this \(AssertionError\)/);
  assert.match(text, /1 of 9 rounds of umqtt in Python failed/);
  // Its fifth message of each fresh start, again.
  assert.match(text, /heap after 100 messages: umqtt in Python failed \(OSError/);
  assert.match(text, /65535 B/);
  assert.doesNotMatch(text, /INTERRUPTED/);
});

test("a report with one size is in Spanish where that is asked for", async () => {
  await bench("uno.html", ["--baseline", "none", "--sizes", "16", "--qos", "0", "--rounds", "9", "--messages", "100", "--lang", "es"]);
  const text = await readEverywhere("uno.html");
  assert.match(text, /umqtt: Python y nativo, comparados/);
  assert.match(text, /módulo nativo/);
  assert.match(text, /Memoria y red/);
});

test("a report of a run that was interrupted says so", async () => {
  const options = ["--baseline", "none", "--rounds", "999", "--messages", "1000000", "--lang", "en"];
  await bench("part.html", options, { status: 1, interruptAt: "this takes about" });
  const text = await readEverywhere("part.html");
  assert.match(text, /INTERRUPTED: these are the results up to then/);
  assert.match(text, /only \d+ of \d+ rounds were made/);
});
