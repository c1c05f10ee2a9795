// What a board can do and suffer beside its program: its own two buttons, a slow network, and a real board, for which a
// simulated one behind a serial line of its own stands in.

import assert from "node:assert/strict";

import { Page, sharedLab, startBoard, startLab, test, testOnPage } from "./lab.mjs";

const lab = sharedLab();

const onPage = (name, body) => testOnPage(lab, name, body);

const LED = "from machine import Pin\nimport time\nPin(2, Pin.OUT, value=1)\nprint('luce')\nwhile True:\n    time.sleep_ms(20)\n";

onPage("the reset button ends the program and clears the pins", async (page) => {
  const resets = [
    page.page.getByRole("button", { name: "Reiniciar", exact: true }),
    page.locator('.board-button[data-name="resetBoard"]'),
  ];
  for (const reset of resets) {
    await page.clear();
    await page.write(LED);
    await page.run();
    await page.printed("luce");
    await page.locator(".pins .count", { hasText: "1" }).waitFor();
    await reset.click();
    await page.locator(".run-state.state-idle").waitFor();
    await page.printed(/MicroPython v\d/);
    await page.locator(".pins .count", { hasText: "0" }).waitFor();
  }
});

onPage("the board's own button works on the drawing and in the list", async (page) => {
  await page.write("from machine import Pin\nimport time\npin = Pin(0, Pin.IN)\nn = 0\nprint('espera')\nwhile True:\n    if not pin.value():\n        n += 1\n        print('BOOT', n)\n        while not pin.value():\n            time.sleep_ms(20)\n        time.sleep_ms(100)\n    time.sleep_ms(20)\n");
  await page.run();
  await page.printed("espera");
  await page.locator('.board-button[data-name="bootButton"]').hover();
  await page.page.mouse.down();
  await page.printed("BOOT 1");
  await page.page.mouse.up();
  await page.locator(".board-button.pressed").waitFor({ state: "detached" });
  const press = page.part("BOOT").locator("button.press");
  await press.focus();
  await page.page.keyboard.down("Enter");
  await page.printed("BOOT 2");
  await page.page.keyboard.up("Enter");
  await page.stop();
});

/** Asks for an answer of the broker with each Enter, and says whether it took as long as it has to. */
const ROUND = `
import network, time
from umqtt.simple import MQTTClient
wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect("Wokwi-GUEST", "")
while not wifi.isconnected():
    time.sleep_ms(50)
c = MQTTClient("vuelta", "test.mosquitto.org", keepalive=60)
c.connect()
print("lista")
while True:
    least = int(input())
    begin = time.ticks_ms()
    c.publish(b"prueba/vuelta", b"ida", qos=1)
    print("al menos", least, time.ticks_diff(time.ticks_ms(), begin) >= least)
`;

onPage("the dial of delays makes the network slow", async (page) => {
  await page.write(ROUND);
  await page.run();
  await page.printed("lista");
  const ask = async (least) => {
    await page.page.getByLabel("Escribir a la placa").fill(String(least));
    await page.page.keyboard.press("Enter");
  };
  await page.slide("Retardo", 600);
  await page.page.getByRole("slider", { name: "Retardo" }).and(page.locator('[aria-valuetext="600 ms"]')).waitFor();
  await page.locator("details.network.failing").waitFor();
  // There and back.
  await ask(1200);
  await page.printed("al menos 1200 True");
  await page.slide("Retardo", 0);
  await page.locator("details.network.failing").waitFor({ state: "detached" });
  await page.stop();
});

test("a real board does all that a real board can show", async () => {
  const board = await startBoard();
  const own = await startLab({ target: ["--port", board.device] });
  const page = await Page.open(own);
  try {
    await page.locator(".board .hint", { hasText: "placa real ·" }).waitFor();
    await page.locator(".board", { hasText: board.device }).waitFor();
    // Nothing is offered that only a simulated board has.
    assert.equal(await page.locator(".parts button.press, .board-button").count(), 0);
    assert.equal(await page.page.getByRole("switch", { name: "Cortar la red" }).count(), 0);
    await page.locator(".board .hint", { hasText: "sus pines no se pueden leer" }).waitFor();
    const [host, port] = (await page.locator(".mqtt .broker .mono").innerText()).split(":");
    await page.write(
      `import time\nfrom umqtt.simple import MQTTClient\nc = MQTTClient("de-verdad", "${host}", port=${port})\nc.connect()\nnombre = input("nombre: ")\nc.publish(b"placa/real", nombre.encode())\nwhile True:\n    time.sleep_ms(50)\n`,
    );
    await page.run();
    await page.printed("nombre:");
    await page.page.getByLabel("Escribir a la placa").fill("Ada");
    await page.page.keyboard.press("Enter");
    await page.arrived("placa/real", "Ada");
    await page.accessibleInAll("a real board");
    await page.shot("placa-real");
    await page.stop();
    await page.locator(".ending.stopped").waitFor();
    await page.write("print('va')\n\n1 / 0\n");
    await page.run();
    await page.locator(".ending.error", { hasText: "ZeroDivisionError" }).waitFor();
    assert.match(await page.locator(".ending").innerText(), /main\.py, línea 3/);
    // Its line is lost: the page says so and can try again.
    await board.stop();
    await page.locator(".run-state.state-gone").waitFor();
    await page.locator(".notice.error").first().waitFor();
    await page.page.getByRole("button", { name: "Reconectar" }).waitFor();
    await page.accessibleInAll("a board that is gone");
    await page.shot("placa-desconectada");
  } catch (error) {
    await page.shot("failed-real");
    throw error;
  } finally {
    await page.close();
    await own.stop();
    await board.stop();
  }
});
