// A Wokwi project that was brought along: the other board, the parts that no example has, and what a student stumbles over
// with them. One project has them all; each test writes the program that uses its part.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { closeBrowser, Page, startLab, test } from "./lab.mjs";

const DIAGRAM = fileURLToPath(new URL("wokwi.json", import.meta.url));

let folder;
let lab;
let page;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "umqtt-wokwi-"));
  writeFileSync(join(folder, "main.py"), "print('de Wokwi')\n");
  writeFileSync(join(folder, "diagram.json"), readFileSync(DIAGRAM));
  lab = await startLab({ target: [folder] });
  page = await Page.open(lab);
});

after(async () => {
  await page?.close();
  await closeBrowser();
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program for as long as `body` takes. */
function withProgram(name, program, body) {
  test(name, async () => {
    await page.clear();
    await page.write(program);
    await page.run();
    try {
      await body();
    } catch (error) {
      await page.shot(`failed-${name.replace(/\W+/g, "-")}`);
      throw error;
    } finally {
      await page.stop();
    }
  });
}

const WAIT = "import time\nwhile True:\n    time.sleep_ms(20)\n";

/** Prints what `expression` is whenever it is another than before. */
const watching = (setUp, expression) =>
  `from machine import *\nimport time\n${setUp}\nbefore = None\nwhile True:\n    now = ${expression}\n    if now != before:\n        before = now\n        print('ahora', now)\n    time.sleep_ms(20)\n`;

/** The row of a pin in the table of pins. */
const pinRow = (pin) => page.locator(".pins tbody tr", { has: page.page.getByRole("cell", { name: pin, exact: true }) });

async function openPins() {
  if ((await page.locator("details.pins[open]").count()) === 0) {
    await page.locator("details.pins summary").click();
  }
}

test("a project of Wokwi's opens with its board, its parts, and words for those that are not drawn", async () => {
  await page.locator("wokwi-esp32-devkit-v1").waitFor();
  const drawn = JSON.parse(readFileSync(DIAGRAM, "utf8")).parts.map(({ type }) => type);
  for (const type of new Set(drawn.filter((type) => !/servo|breadboard|vcc|gnd/.test(type)))) {
    assert.equal(await page.locator(`.stage ${type}`).count(), drawn.filter((other) => other === type).length, type);
  }
  const words = page.locator(".board .hint", { hasText: "no se dibujan" });
  assert.match(await words.innerText(), /servo1 \(wokwi-servo\)/);
  assert.match(await words.innerText(), /bb1 \(wokwi-breadboard-mini\)/);
  // Nothing that can be pressed or turned lies outside of the drawing.
  const picture = await page.locator(".picture").boundingBox();
  for (const part of await page.locator(".stage .part").all()) {
    const box = await part.boundingBox();
    assert.ok(box.x >= picture.x && box.x + box.width <= picture.x + picture.width, "a part is cut off");
    assert.ok(box.y >= picture.y && box.y + box.height <= picture.y + picture.height, "a part is cut off");
  }
  await page.accessibleInAll("wokwi");
  await page.shot("wokwi");
});

withProgram("a potentiometer is measured", watching("adc = ADC(Pin(34))", "adc.read_uv() // 100000"), async () => {
  // The diagram has it in the middle: 1.65 V.
  await page.printed("ahora 16");
  const slider = page.page.getByRole("slider", { name: "Potenciómetro", exact: true });
  await slider.fill("0.25");
  await page.printed("ahora 8");
  assert.match(await page.part("Potenciómetro").innerText(), /0,8[23] V/);
  // More than the converter's range cannot be measured.
  await slider.fill("1");
  await page.printed("ahora 24");
  assert.match(await page.part("Potenciómetro").innerText(), /3,30 V/);
  assert.equal(await page.locator("wokwi-potentiometer").evaluate((element) => element.value), 1023);
});

withProgram("a button without a pull-up floats, and the page says so", watching("pin = Pin(4, Pin.IN)", "pin.value()"), async () => {
  const button = page.part("Botón suelto");
  await button.locator(".hint", { hasText: "El pin 4 está al aire" }).waitFor();
  assert.match(await button.innerText(), /Pin\.PULL_UP/);
  await openPins();
  await pinRow("4").getByText("al aire").waitFor();
  // The program sees it: now this, now that.
  await page.printed("ahora 0");
  await page.printed("ahora 1");
  await button.scrollIntoViewIfNeeded();
  await page.accessibleInAll("a pin that floats");
  await page.shot("al-aire");
  const press = button.locator("button.press");
  await press.focus();
  await page.page.keyboard.down(" ");
  await pinRow("4").getByRole("cell", { name: "0", exact: true }).waitFor();
  await button.locator(".hint").waitFor({ state: "detached" });
  await page.page.keyboard.up(" ");
  await button.locator(".hint").waitFor();
});

withProgram("with a pull-up it does not float", watching("pin = Pin(4, Pin.IN, Pin.PULL_UP)", "pin.value()"), async () => {
  await page.printed("ahora 1");
  await openPins();
  await pinRow("4").getByRole("cell", { name: "1", exact: true }).waitFor();
  assert.equal(await page.part("Botón suelto").locator(".hint").count(), 0);
});

withProgram(
  "a resistor on a breadboard holds a button's pin",
  watching("pin = Pin(5, Pin.IN)\nprint({pin.value() for _ in range(2000)})", "pin.value()"),
  async () => {
    await page.printed("{0}");
    const button = page.part("Botón con resistencia");
    assert.equal(await button.locator(".hint").count(), 0);
    const press = button.locator("button.press");
    await press.focus();
    await page.page.keyboard.down(" ");
    await page.printed("ahora 1");
    await page.clear();
    await page.page.keyboard.press("Tab");
    await page.printed("ahora 0");
  },
);

withProgram(
  "an RGB LED with a common anode lights where its pin is low",
  `from machine import Pin, PWM\nred, green = Pin(25, Pin.OUT, value=0), Pin(26, Pin.OUT, value=1)\nblue = PWM(Pin(27), freq=1000, duty_u16=32768)\n${WAIT}`,
  async () => {
    const led = page.part("LED RGB");
    await led.locator('[data-colour="255,0,127"], [data-colour="255,0,128"]').waitFor();
    assert.match(await led.innerText(), /ánodo común/);
    await openPins();
    await pinRow("27").getByText("PWM, 1000 Hz").waitFor();
    await pinRow("27").getByText("50 %").waitFor();
    await pinRow("25").getByText("salida").waitFor();
    const looks = await page.locator("wokwi-rgb-led").evaluate(({ ledRed, ledGreen, ledBlue }) => [ledRed, ledGreen, ledBlue]);
    assert.ok(looks[0] === 1 && looks[1] === 0 && looks[2] > 0.4 && looks[2] < 1, String(looks));
  },
);

withProgram(
  "a pixel, a ring and a matrix in one chain show their own colours",
  `from machine import Pin\nfrom neopixel import NeoPixel\nnp = NeoPixel(Pin(13), 1 + 12 + 64)\nnp[0] = (255, 0, 0)\nnp[1] = (0, 255, 0)\nnp[13] = (0, 0, 255)\nnp[14] = (9, 8, 7)\nnp.write()\n${WAIT}`,
  async () => {
    const first = (name, colour) => page.part(name).locator(".swatch").first().and(page.page.getByLabel(colour, { exact: true }));
    await first(/^NeoPixel$/, "255 0 0").waitFor();
    await first("Anillo NeoPixel", "0 255 0").waitFor();
    await first("Matriz NeoPixel", "0 0 255").waitFor();
    assert.match(await page.part("Matriz NeoPixel").innerText(), /pin 13 · detrás de ring1[^]*\+56/);
    assert.match(await page.part("Anillo NeoPixel").innerText(), /pin 13 · detrás de pixel1[^]*\+4/);
    await openPins();
    await pinRow("13").getByText("77 píxeles").waitFor();
    const ring = (element) => [...element.shadowRoot.querySelectorAll(".pixel")].map((pixel) => pixel.style.fill);
    assert.deepEqual((await page.locator("wokwi-led-ring").evaluate(ring)).slice(0, 2), ["rgb(0, 255, 0)", "rgb(0, 0, 0)"]);
    // Of each of the matrix' pixels, the spot of its blue.
    const blue = (element) => [...element.shadowRoot.querySelectorAll("g.pixel")].map((pixel) => Number(pixel.querySelectorAll("ellipse")[2].style.opacity));
    const [corner, ...others] = await page.locator("wokwi-neopixel-matrix").evaluate(blue);
    assert.ok(corner === 1 && others[0] > 0 && others[0] < 1 && others.slice(1).every((value) => value === 0), String(others));
    assert.equal(await page.locator("wokwi-neopixel").evaluate(({ r, g, b }) => r > 0 && g === 0 && b === 0), true);
    await page.shot("pixeles");
  },
);

withProgram(
  "a buzzer sounds while its pin swings",
  `from machine import Pin, PWM\nprint('listo')\ninput()\np = PWM(Pin(14), freq=440, duty_u16=32768)\ninput()\np.deinit()\n${WAIT}`,
  async () => {
    await page.printed("listo");
    const buzzer = page.part("Zumbador");
    await buzzer.getByText("callado").waitFor();
    const enter = async () => {
      await page.page.getByLabel("Escribir a la placa").focus();
      await page.page.keyboard.press("Enter");
    };
    await enter();
    await buzzer.getByText("sonando").waitFor();
    await openPins();
    await pinRow("14").getByText("PWM, 440 Hz").waitFor();
    await enter();
    await buzzer.getByText("callado").waitFor();
  },
);

withProgram("the sensor begins with what the diagram says", "import dht, time\nfrom machine import Pin\ns = dht.DHT22(Pin(15))\nwhile True:\n    s.measure()\n    print('mide', s.temperature(), s.humidity())\n    time.sleep(2)\n", async () => {
  await page.printed("mide 31.5 72.0");
  assert.match(await page.part("DHT22").innerText(), /31,5 °C[^]*72,0 %/);
});
