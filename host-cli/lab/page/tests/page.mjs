// What the page does beside the examples: stopping, errors at their line, typing to the board, several boards, a broker
// that stops, a server that goes and comes back.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Page, sharedLab, startLab, startMosquitto, test, testOnPage } from "./lab.mjs";

const lab = sharedLab();

const onPage = (name, body) => testOnPage(lab, name, body);

onPage("a program that does not end is stopped", async (page) => {
  await page.write("import time\nn = 0\nwhile True:\n    n += 1\n    print('vuelta', n)\n    time.sleep_ms(100)\n");
  await page.run();
  await page.printed("vuelta 3");
  await page.stop();
  await page.locator(".ending.stopped", { hasText: "Programa parado." }).waitFor();
  // It can be run again at once.
  await page.run();
  await page.locator(".run-state.state-running").waitFor();
  await page.stop();
});

onPage("an error is marked at its line until the line is edited", async (page) => {
  await page.write("import time\n\n\ndef dividir(a, b):\n    return a / b\n\n\nprint(dividir(1, 0))\n");
  await page.run();
  await page.locator(".ending.error", { hasText: "ZeroDivisionError" }).waitFor();
  const marked = page.locator(".cm-traceback");
  assert.equal(await marked.innerText(), "    return a / b");
  assert.match(await page.locator(".ending").innerText(), /main\.py, línea 5/);
  await page.shot("error");
  await page.page.getByRole("button", { name: "Ir a la línea 5" }).click();
  await page.page.keyboard.press("End");
  await page.page.keyboard.type("  # aquí");
  await page.write("print('sin error')\n");
  await marked.waitFor({ state: "detached" });
  await page.run();
  await page.printed("sin error");
  await page.locator(".ending.finished").waitFor();
  assert.equal(await marked.count(), 0);
});

onPage("what is typed reaches the program", async (page) => {
  await page.write("nombre = input('¿Cómo te llamas? ')\nprint('Hola,', nombre + '!')\n");
  await page.run();
  await page.printed("¿Cómo te llamas?");
  // MicroPython's line editor drops what is not ASCII, on every board.
  await page.page.getByLabel("Escribir a la placa").fill("Lucia");
  await page.page.keyboard.press("Enter");
  await page.printed("Hola, Lucia!");
  await page.locator(".run-state.state-idle").waitFor();
});

onPage("a second file is imported, and its error marked in it", async (page) => {
  await page.write("import ayuda\n\nprint(ayuda.doble(21))\nayuda.falla()\n");
  await page.page.getByRole("button", { name: "Fichero nuevo" }).click();
  await page.page.getByLabel("Nombre del fichero").fill("../fuera.py");
  await page.page.getByRole("button", { name: "Crear" }).click();
  await page.locator("#file-complaint", { hasText: "ayuda.py" }).waitFor();
  await page.page.getByLabel("Nombre del fichero").fill("ayuda.py");
  await page.page.getByRole("button", { name: "Crear" }).click();
  await page.page.getByRole("tab", { name: "ayuda.py" }).and(page.locator("[aria-selected=true]")).waitFor();
  await page.write("def doble(n):\n    return 2 * n\n\n\ndef falla():\n    raise ValueError('a propósito')\n");
  await page.run();
  await page.printed("42");
  await page.locator(".ending.error", { hasText: "ValueError: a propósito" }).waitFor();
  await page.locator(".cm-traceback", { hasText: "raise ValueError" }).waitFor();
});

/** Publishes with every quality of service and subscribes: what a board says to another. */
const TALK = (name, filter, topic) => `
import time
import network
from umqtt.simple import MQTTClient
wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect("Wokwi-GUEST", "")
while not wifi.isconnected():
    time.sleep_ms(50)
c = MQTTClient("${name}", "test.mosquitto.org", keepalive=60)
c.set_callback(lambda t, m: print("${name} oye", m.decode()))
c.connect()
c.subscribe(b"${filter}")
print("${name} lista")
n = 0
while True:
    c.check_msg()
    if n % 20 == 0:
        c.publish(b"${topic}", "{} dice {}".format("${name}", n // 20).encode(), qos=1)
    n += 1
    time.sleep_ms(50)
`;

onPage("two boards talk to each other", async (page) => {
  await page.write(TALK("ana", "aula/luis", "aula/ana"));
  await page.run();
  await page.printed("ana lista");
  await page.page.getByRole("button", { name: "Añadir placa" }).click();
  await page.locator(".boards [role=tab]").nth(1).and(page.locator("[aria-selected=true]")).waitFor();
  await page.locator(".run-state.state-idle").waitFor();
  await page.write(TALK("luis", "aula/ana", "aula/luis"));
  await page.run();
  await page.printed("luis oye ana dice");
  await page.shot("dos-placas");
  await page.stop();
  await page.locator(".boards [role=tab]").first().click();
  await page.printed("ana oye luis dice");
  await page.locator(".tree .level", { hasText: "luis" }).waitFor();
  await page.tab("clients");
  await page.locator(".clients li", { hasText: "aula/luis" }).first().waitFor();
  await page.shot("clientes");
  await page.stop();
  await page.locator(".boards [role=tab]").nth(1).click();
  await page.page.getByRole("button", { name: /^Quitar Placa/ }).click();
  await page.locator(".boards [role=tab]").nth(1).waitFor({ state: "detached" });
});

onPage("the handshakes of QoS 1 and 2 are told apart", async (page) => {
  await page.tab("packets");
  await page.publish("prueba/qos", "dos", { qos: 2, retain: true });
  await page.locator(".packets tr", { hasText: "PUBCOMP" }).first().waitFor();
  const steps = await page.locator(".packets .handshake").first().getAttribute("aria-label");
  assert.match(steps, /^QoS 2, paquete \d+: paso 4 de 4$/);
  await page.tab("messages");
  const message = await page.arrived("prueba/qos", "dos");
  assert.match(await message.innerText(), /QoS 2[^]*retenido/);
  // The topic can be taken for the next message.
  await message.locator(".topic").click();
  assert.equal(await page.locator("#publish-topic").inputValue(), "prueba/qos");
  // A retained message goes with an empty one.
  await page.publish("prueba/qos", "", { retain: true });
  await page.arrived("prueba/qos", "(vacío)");
  await page.publish("prueba/#", "no");
  await page.locator("#publish-complaint", { hasText: "comodines" }).waitFor();
});

onPage("a stopped broker is said to be stopped", async (page) => {
  const broker = page.page.getByRole("switch", { name: "Broker en marcha" });
  await broker.click();
  await page.locator(".broker.down").waitFor();
  await page.publish("prueba/parado", "no llega");
  await page.locator("#publish-complaint", { hasText: "parado" }).waitFor();
  await broker.click();
  await page.locator(".broker.up").waitFor();
  await page.publish("prueba/parado", "ahora sí");
  await page.arrived("prueba/parado", "ahora sí");
});

onPage("what is set on the parts is there after a reload, and a run goes without a word", async (page) => {
  await page.example("dht22");
  await page.run();
  const topic = await page.printedAfter("Publico en");
  await page.slide("Temperatura", 30.5);
  await page.arrived(topic, '"temperatura": 30.5');
  await page.page.reload();
  const slider = page.page.getByRole("slider", { name: "Temperatura" });
  await slider.waitFor();
  assert.equal(await slider.inputValue(), "30.5");
  await page.locator("button.stop:enabled").waitFor();
  assert.equal(await page.locator(".notice").count(), 0);
  await page.stop();
});

test("an outside broker's messages are seen, and what cannot be known of it is said", async () => {
  const mosquitto = await startMosquitto();
  const own = await startLab({ target: ["--broker", mosquitto.address] });
  const page = await Page.open(own);
  try {
    await page.locator(".broker.up", { hasText: mosquitto.address }).waitFor();
    await page.write(TALK("ana", "aula/luis", "aula/ana"));
    await page.run();
    await page.arrived("aula/ana", "ana dice 0");
    await page.publish("aula/luis", "qué tal", { qos: 2 });
    await page.printed("ana oye qué tal");
    const message = await page.arrived("aula/luis", "qué tal");
    assert.match(await message.innerText(), /QoS 2/);
    assert.equal(await page.page.getByRole("switch", { name: "Broker en marcha" }).isDisabled(), true);
    await page.locator(".network .hint", { hasText: "es de otro" }).waitFor();
    for (const tab of ["packets", "clients"]) {
      await page.tab(tab);
      await page.locator("#mqtt-view .empty", { hasText: "no cuenta quién está conectado" }).waitFor();
    }
    await page.shot("broker-ajeno");
    await page.accessible("an outside broker");
    // The board's own network can still be cut.
    await page.page.getByRole("switch", { name: "Cortar la red" }).click();
    await page.locator(".ending.error").waitFor();
    await mosquitto.stop();
    await page.locator(".broker.down", { hasText: "No hay conexión" }).waitFor();
    await page.publish("aula/luis", "no llega");
    await page.locator("#publish-complaint", { hasText: "No hay conexión" }).waitFor();
  } finally {
    await page.close();
    await own.stop();
    await mosquitto.stop();
  }
});

test("a server that ends is missed and found again", async () => {
  const first = await startLab();
  const page = await Page.open(first, { expected: /WebSocket|ERR_CONNECTION_REFUSED/ });
  let second;
  try {
    await page.write("print('se queda')\n");
    await first.stop();
    await page.locator(".notice.error", { hasText: "Se perdió la conexión" }).waitFor();
    assert.equal(await page.locator("button.run").isDisabled(), true);
    await page.shot("sin-servidor");
    second = await startLab({ listen: new URL(first.address).host });
    await page.locator(".notice.error").waitFor({ state: "detached" });
    await page.locator("button.run:enabled").waitFor();
  } finally {
    await page.close();
    await second?.stop();
  }
});

test("a program of a folder is edited, marked as not saved, and saved", async () => {
  const folder = mkdtempSync(join(tmpdir(), "umqtt-program-"));
  writeFileSync(join(folder, "main.py"), "print('de la carpeta')\n");
  const own = await startLab({ target: [folder] });
  const page = await Page.open(own);
  try {
    await page.locator(".cm-content", { hasText: "de la carpeta" }).waitFor();
    const tab = page.page.getByRole("tab", { name: /main\.py/ });
    await page.write("print('cambiado')\n");
    await page.page.getByRole("tab", { name: /main\.py.*sin guardar/ }).waitFor();
    await page.page.getByRole("button", { name: "Guardar" }).click();
    await page.page.getByRole("tab", { name: "main.py", exact: true }).waitFor();
    assert.equal(await tab.count(), 1);
    assert.equal(readFileSync(join(folder, "main.py"), "utf8"), "print('cambiado')\n");
  } finally {
    await page.close();
    await own.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
