// What the page's tests share: a laboratory of their own, a browser, and the rule that every page keeps: nothing in its
// console, and no request to any other host.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test as nodeTest } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** Milliseconds that anything may take: a busy computer is slow, and what never comes is as wrong after a minute. */
export const PATIENCE = 60_000;

export const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const SCREENSHOTS = process.env.UMQTT_SCREENSHOTS ?? join(REPOSITORY, "target/lab-screenshots");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let passed = 0;
let failed = 0;

/** A test, and a line about it as cargo writes them, which `cargo xtask test` counts. */
export function test(name, body, timeout = 10 * PATIENCE) {
  nodeTest(name, { timeout }, async (context) => {
    try {
      await body(context);
      passed += 1;
      console.log(`test ${name} ... ok`);
    } catch (error) {
      failed += 1;
      console.log(`test ${name} ... FAILED`);
      throw error;
    }
  });
}

/** A laboratory for all tests of a file: what comes of this is asked for in the tests, once it runs. */
export function sharedLab(options) {
  let lab;
  before(async () => {
    lab = await startLab(options);
  });
  after(async () => {
    await closeBrowser();
    await lab?.stop();
  });
  return () => lab;
}

/** A test with a page of its own, in the laboratory that `lab` gives. */
export function testOnPage(lab, name, body) {
  test(name, async () => {
    const page = await Page.open(lab());
    try {
      await page.clear();
      await body(page);
    } catch (error) {
      await page.shot(`failed-${name.replace(/\W+/g, "-")}`);
      throw error;
    } finally {
      await page.close();
    }
  });
}

/** A picture of a page of Playwright's, for whoever wants to see what the tests saw. */
export async function screenshot(page, name, options) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), ...options });
}

/** The faults that axe finds on a page of Playwright's, if `counts` says that they count. */
export async function violations(page, counts = () => true) {
  if (!(await page.evaluate(() => "axe" in window))) {
    // Not by a script element: the laboratory's own policy refuses scripts that are not the server's.
    await page.evaluate(readFileSync(AXE, "utf8"));
  }
  const found = await page.evaluate(async () => (await globalThis.axe.run(document)).violations);
  const places = (nodes) => nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).slice(0, 4).join(" | ");
  return found.filter(counts).map(({ id, help, nodes }) => `${id}: ${help}: ${places(nodes)}`);
}

process.on("exit", () => {
  console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed`);
});

function onPath(names) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      if (existsSync(path)) {
        return path;
      }
    }
  }
  throw new Error(`none of ${names.join(", ")} is on PATH: apt install chromium`);
}

function umqtt() {
  const program = process.env.UMQTT;
  if (!program) {
    throw new Error("UMQTT has to name the command umqtt that is tested");
  }
  return program;
}

/** A running laboratory. `stop` ends it by Ctrl-C and waits until it is gone. */
export async function startLab({ lang = "es", listen = "127.0.0.1:0", target = [] } = {}) {
  const home = mkdtempSync(join(tmpdir(), "umqtt-lab-"));
  const child = spawn(umqtt(), ["lab", ...target, "--listen", listen, "--no-open", "--lang", lang], {
    stdio: ["ignore", "pipe", "pipe"],
    // The certificates of the person who runs the tests are none of their business.
    env: { ...process.env, XDG_DATA_HOME: home },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  const address = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`umqtt lab said no address:\n${said}`)), PATIENCE);
    const listenTo = (stream) =>
      stream.on("data", (data) => {
        said += data;
        const found = /http:\/\/[\d.]+:\d+\//.exec(said);
        if (found) {
          clearTimeout(timer);
          resolve(found[0]);
        }
      });
    listenTo(child.stdout);
    listenTo(child.stderr);
    child.once("exit", (status) => reject(new Error(`umqtt lab ended (${status}):\n${said}`)));
  });
  return {
    address,
    async stop() {
      child.kill("SIGINT");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Debian's Mosquitto, open, on a free port of the loopback. */
export async function startMosquitto() {
  const home = mkdtempSync(join(tmpdir(), "umqtt-mosquitto-"));
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const config = join(home, "mosquitto.conf");
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  const path = [process.env.PATH, "/usr/sbin"].join(delimiter);
  const child = spawn("mosquitto", ["-c", config], { stdio: "ignore", env: { ...process.env, PATH: path } });
  const ended = new Promise((resolve, reject) => {
    child.once("exit", resolve);
    child.once("error", () => reject(new Error("mosquitto is not there: apt install mosquitto")));
  });
  ended.catch(() => {});
  const answers = async () => {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };
  const deadline = Date.now() + PATIENCE;
  while (!(await answers())) {
    if (Date.now() > deadline || child.exitCode !== null) {
      throw new Error("mosquitto does not listen");
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A simulated board with a serial line of its own, as if it were plugged in. */
export async function startBoard() {
  const program = process.env.UMQTT_BOARD;
  if (!program) {
    throw new Error("UMQTT_BOARD has to name the example `board` of board-sim: cargo build -p board-sim --example board");
  }
  const flash = mkdtempSync(join(tmpdir(), "umqtt-board-"));
  const child = spawn(program, [flash], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const device = await new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      if (said.includes("\n")) {
        resolve(said.trim());
      }
    });
    child.once("exit", (status) => reject(new Error(`the board ended (${status})`)));
  });
  return {
    device,
    async stop() {
      // Enter ends it.
      child.stdin.end("\n");
      await ended;
      rmSync(flash, { recursive: true, force: true });
    },
  };
}

let browser;

/** The browser that all tests of a process share; it is started once, whoever asks first. */
export function openBrowser() {
  browser ??= chromium.launch({
    executablePath: onPath(["chromium", "chromium-browser", "google-chrome"]),
    // Chromium's own sandbox refuses to work for root.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  return browser;
}

export async function closeBrowser() {
  const open = browser;
  browser = undefined;
  await (await open)?.close();
}

/** A page of a laboratory, and what a test does with it. */
export class Page {
  constructor(page, context, lab, expected) {
    Object.assign(this, { page, context, lab, expected, faults: [] });
    page.setDefaultTimeout(PATIENCE);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !expected.test(message.text())) {
        this.faults.push(`console: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => this.faults.push(`error: ${error.stack}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.protocol !== "blob:" && url.host !== new URL(lab.address).host) {
        this.faults.push(`a request to ${url.host}`);
      }
    });
  }

  /** `expected`: what may stand in the console, where a test takes the server away. */
  static async open(lab, { width = 1440, height = 900, colorScheme = "light", touch = false, expected = /(?!)/ } = {}) {
    const context = await (
      await openBrowser()
    ).newContext({ viewport: { width, height }, colorScheme, hasTouch: touch, locale: "es-ES", reducedMotion: "reduce" });
    const page = new Page(await context.newPage(), context, lab, expected);
    await page.page.goto(lab.address);
    await page.page.locator(".run-state.state-idle, .run-state.state-running").waitFor();
    return page;
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }

  locator(selector, options) {
    return this.page.locator(selector, options);
  }

  async example(name) {
    await this.locator(".settings .examples").click();
    await this.locator(`[data-example="${name}"]`).click();
    await this.locator("dialog").waitFor({ state: "hidden" });
    const program = readFileSync(join(REPOSITORY, "examples", name, "main.py"), "utf8");
    await this.locator(".cm-line").first().filter({ hasText: program.split("\n")[0] }).waitFor();
  }

  /** Writes a program in place of what is there. */
  async write(program) {
    await this.locator(".cm-content").fill(program);
  }

  async run() {
    await this.locator("button.run").click();
  }

  /** Ends what runs; a board that restarted or a program that ended has nothing to stop. */
  async stop() {
    await this.locator("button.stop:enabled").or(this.locator(".run-state.state-idle")).first().waitFor();
    if (await this.locator("button.stop").isEnabled()) {
      await this.locator("button.stop").click();
    }
    await this.locator(".run-state.state-idle").waitFor();
  }

  /** Waits for a text that the board prints. */
  async printed(text) {
    await this.locator(".output").getByText(text).first().waitFor();
  }

  /** The first thing that the board printed after `before`, to the end of the line. */
  async printedAfter(before) {
    await this.printed(before);
    const output = await this.locator(".output").innerText();
    return output.slice(output.lastIndexOf(before) + before.length).split("\n")[0].trim();
  }

  /** Leaves nothing in the console and the lists that came before. */
  async clear() {
    // A dialog that a test before left open would be in the way.
    await this.page.keyboard.press("Escape");
    await this.locator(".console header button").click();
    await this.tab("messages");
    await this.locator(".mqtt .tab-tools button").nth(1).click();
  }

  async tab(name) {
    await this.locator(`#mqtt-tab-${name}`).click();
  }

  /** Waits for a message in the list with this topic and payload. */
  message(topic, payload) {
    return this.locator(".message", { has: this.page.locator(".topic", { hasText: topic }) }).filter({
      has: this.page.locator(".payload", { hasText: payload }),
    });
  }

  async arrived(topic, payload) {
    const message = this.message(topic, payload).first();
    await message.waitFor();
    return message;
  }

  async publish(topic, payload, { qos = 0, retain = false } = {}) {
    await this.locator("#publish-topic").fill(topic);
    await this.locator("#publish-payload").fill(payload);
    await this.locator(".publish select").selectOption(String(qos));
    await this.locator(".publish input[type=checkbox]").setChecked(retain);
    await this.locator(".publish button[type=submit]").click();
  }

  /** Sets a slider as a person would: with the keyboard or the pointer, the page gets the same events. */
  async slide(label, value) {
    await this.page.getByRole("slider", { name: label }).fill(String(value));
  }

  part(name) {
    return this.locator(".parts li", { has: this.page.locator(".part-name", { hasText: name }) });
  }

  async shot(name) {
    await screenshot(this.page, name);
  }

  /** The same in both themes and both languages; the page is light and Spanish afterwards. */
  async accessibleInAll(what) {
    for (const lang of ["en", "es"]) {
      await this.locator("#language").selectOption(lang);
      await this.locator(`html[lang=${lang}]`).waitFor();
      for (const colorScheme of ["dark", "light"]) {
        await this.page.emulateMedia({ colorScheme });
        await this.locator(`html[data-theme=${colorScheme}]`).waitFor();
        await this.accessible(`${what}, ${lang}, ${colorScheme}`);
        if (colorScheme === "dark" && lang === "en") {
          await this.shot(`${what.replace(/\W+/g, "-")}-dark-en`);
        }
      }
    }
  }

  /** No fault that axe calls serious or critical. */
  async accessible(what) {
    const grave = ({ impact }) => impact === "serious" || impact === "critical";
    assert.deepEqual(await violations(this.page, grave), [], what);
  }
}
