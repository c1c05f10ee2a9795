// A class on one page: 30 boards that publish once a second. The page gets every message, answers what is done on it, and
// keeps no more memory at the end than at the start. UMQTT_LAB_SECONDS says for how long, 20 seconds without it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { closeBrowser, Page, PATIENCE, startLab, test } from "./lab.mjs";

after(closeBrowser);

const BOARDS = 30;
const SECONDS = Number(process.env.UMQTT_LAB_SECONDS ?? 20);
/**
 * Bytes that the page's objects may take more at the end. What it keeps of each message for longer than that, its point in
 * the plot and its share of the console, is bounded too, but not yet full; a message that was kept would be ten times that.
 */
const GROWTH = 1_500_000 + SECONDS * BOARDS * 150;
/** Messages of each board before the counting: with them the page has as many as it keeps. */
const FIRST = 70;

const PROGRAM = `
import time
import network
import machine
from binascii import hexlify
from umqtt.simple import MQTTClient
wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect("Wokwi-GUEST", "")
while not wifi.isconnected():
    time.sleep_ms(100)
name = hexlify(machine.unique_id()).decode()
c = MQTTClient(name, "test.mosquitto.org", keepalive=60)
c.connect()
n = 0
while True:
    n += 1
    c.publish("clase/" + name, str(n), qos=1)
    if n > ${FIRST}:
        if n % 10 == 1:
            print("enviado", n)
        time.sleep(1)
`;

/** What the page holds, after all that nobody uses any more is gone. */
async function memory(devtools) {
  await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const value = (name) => metrics.find((metric) => metric.name === name).value;
  return { heap: value("JSHeapUsedSize"), nodes: value("Nodes"), listeners: value("JSEventListeners") };
}

/** By topic, how many messages came and the number in the last one, as the tree shows them. */
async function counted(page) {
  const rows = await page.locator('.tree [data-path^="clase/"]').evaluateAll((items) =>
    items.map((item) => [
      item.dataset.path,
      Number(item.querySelector(".count").textContent),
      Number(item.querySelector(".last").textContent),
    ]),
  );
  return new Map(rows.map(([topic, count, last]) => [topic, { count, last }]));
}

test(
  `${BOARDS} boards publish once a second for ${SECONDS} seconds, and the page keeps up`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "umqtt-class-"));
    writeFileSync(join(folder, "main.py"), PROGRAM);
    const lab = await startLab({ target: [folder, "--boards", String(BOARDS)] });
    const page = await Page.open(lab);
    try {
      const devtools = await page.context.newCDPSession(page.page);
      await devtools.send("Performance.enable");
      const tabs = page.locator(".boards [role=tab]");
      await tabs.nth(BOARDS - 1).waitFor();
      await page.page.evaluate(() => {
        globalThis.longest = 0;
        new PerformanceObserver((list) => {
          globalThis.longest = Math.max(globalThis.longest, ...list.getEntries().map(({ duration }) => duration));
        }).observe({ entryTypes: ["longtask"] });
      });
      for (let at = 0; at < BOARDS; at++) {
        await tabs.nth(at).click();
        await page.locator("button.run:enabled").click();
      }
      // Each has sent its first ones and goes on slowly.
      for (let at = 0; at < BOARDS; at++) {
        await tabs.nth(at).click();
        await page.printed("enviado");
      }
      await page.page.waitForFunction((boards) => document.querySelectorAll('.tree [data-path^="clase/"]').length === boards, BOARDS);
      await page.accessible("a class");
      await page.shot("clase");
      await page.page.evaluate(() => (globalThis.longest = 0));
      const begin = Date.now();
      const before = await counted(page);
      const first = await memory(devtools);
      const heaps = [Math.round(first.heap / 1000)];
      let slowest = 0;
      let clicks = 0;
      const click = async (tab, name) => {
        const at = performance.now();
        await tab.click();
        await page.locator("#board-title", { hasText: new RegExp(`^${name}$`) }).waitFor();
        clicks += 1;
        slowest = Math.max(slowest, performance.now() - at);
      };
      for (let minute = 1; Date.now() - begin < SECONDS * 1000; ) {
        const at = clicks % BOARDS;
        await click(tabs.nth(at), `Placa ${at + 1}`);
        await page.page.waitForTimeout(1000);
        if (Date.now() - begin > minute * 60_000) {
          minute += 1;
          heaps.push(Math.round((await memory(devtools)).heap / 1000));
        }
      }
      // The same board in front as at the start.
      await click(tabs.nth(BOARDS - 1), `Placa ${BOARDS}`);
      const last = await memory(devtools);
      heaps.push(Math.round(last.heap / 1000));
      const after = await counted(page);
      let messages = 0;
      for (const [topic, { count, last: number }] of after) {
        const start = before.get(topic);
        assert.equal(count - start.count, number - start.last, `${topic}: messages that the page did not get`);
        assert.ok(number > start.last, `${topic} went on`);
        messages += count - start.count;
      }
      assert.equal(after.size, BOARDS);
      const longest = Math.round(await page.page.evaluate(() => globalThis.longest));
      console.log(`seconds: ${Math.round((Date.now() - begin) / 1000)}`);
      console.log(`messages that reached the page: ${messages}`);
      console.log(`the page's objects after a collection, at the start, each minute and at the end, kB: [${heaps.join(", ")}]`);
      console.log(`nodes: ${first.nodes} at the start, ${last.nodes} at the end; listeners: ${first.listeners}, ${last.listeners}`);
      console.log(`clicks answered: ${clicks}, the slowest in ${Math.round(slowest)} ms; the page's longest task: ${longest} ms`);
      // What is no longer listed leaves nothing behind, as it did with a release of lit-html.
      const listed = await page.locator("ol.messages").evaluate((list) => [list.querySelectorAll("li").length, list.childNodes.length]);
      assert.ok(listed[1] <= 3 * listed[0] + 10, `the list of ${listed[0]} messages has ${listed[1]} nodes`);
      assert.ok(last.heap - first.heap < GROWTH, `the page grew from ${first.heap} to ${last.heap} bytes`);
      await page.shot("clase-al-final");
    } catch (error) {
      await page.shot("failed-class");
      throw error;
    } finally {
      await page.close();
      await lab.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  10 * PATIENCE + 2000 * SECONDS,
);
