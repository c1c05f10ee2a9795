// Every example as a student does it on the page: open, run, press, turn, publish, and see what comes.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { closeBrowser, Page, startLab, test } from "./lab.mjs";

let lab;
let page;

before(async () => {
  lab = await startLab();
  page = await Page.open(lab);
});

after(async () => {
  await page?.close();
  await closeBrowser();
  await lab?.stop();
});

/** Examples that have a test. */
const tried = new Set();

/** Runs an example and stops it at the end, however it ends. */
function example(name, body) {
  tried.add(name);
  test(`example ${name}`, async () => {
    await page.clear();
    await page.example(name);
    await page.run();
    try {
      await body();
    } catch (error) {
      await page.shot(`failed-${name}`);
      throw error;
    } finally {
      await page.stop();
    }
  });
}

example("alarma", async () => {
  const topic = await page.printedAfter("publico en");
  const drawn = page.locator("wokwi-pushbutton").locator("button");
  await drawn.hover();
  await page.page.mouse.down();
  const message = await page.arrived(topic, "Alarma activada");
  await page.page.mouse.up();
  assert.match(await message.innerText(), /retenido/);
  await page.part("LED").locator("[data-light='100']").waitFor();
  await page.shot("alarma");
  // The second press is made with the keyboard, on the list below the drawing.
  await page.part("Botón").locator("button.press").last().focus();
  await page.page.keyboard.down(" ");
  await page.arrived(topic, "Alarma desactivada");
  await page.page.keyboard.up(" ");
  await page.part("LED").locator("[data-light='0']").waitFor();
});

example("boton", async () => {
  const topic = await page.printedAfter("publico en");
  const press = page.part("Botón").locator("button.press").last();
  for (const count of ["1", "2"]) {
    await press.hover();
    await page.page.mouse.down();
    await page.arrived(topic, count);
    await page.page.mouse.up();
  }
});

example("dht22", async () => {
  const topic = await page.printedAfter("Publico en");
  await page.slide("Temperatura", 30.5);
  await page.slide("Humedad", 61);
  await page.arrived(topic, '"temperatura": 30.5');
  await page.arrived(topic, '"humedad": 61');
  await page.page.getByLabel("Desconectado").check();
  await page.printed("El sensor no responde");
  await page.shot("dht22-desconectado");
  await page.page.getByLabel("Desconectado").uncheck();
  await page.slide("Temperatura", -12.5);
  await page.arrived(topic, '"temperatura": -12.5');
  await page.tab("plot");
  await page.locator(".series-name", { hasText: "temperatura" }).waitFor();
  await page.locator(".plot-canvas canvas").waitFor();
  await page.shot("dht22-grafica");
});

example("rgb", async () => {
  const topic = await page.printedAfter("Espero colores en");
  const colour = (values) => page.part("LED RGB").locator(`[data-colour="${values}"]`).waitFor();
  await page.publish(topic, '{"r": 255, "g": 0, "b": 0}');
  await colour("255,0,0");
  await page.publish(topic, '{"r": 0, "g": 128, "b": 255}', { qos: 1 });
  await colour("0,128,255");
  await page.shot("rgb");
  await page.publish(topic, "azul");
  await page.printed("No es un color");
  await colour("0,128,255");
});

example("publicar", async () => {
  const topic = await page.printedAfter("Publico en");
  const sent = await page.printedAfter("Enviado:");
  await page.arrived(topic, sent);
  await page.tab("plot");
  await page.locator(".series-name", { hasText: topic }).waitFor();
});

example("suscribirse", async () => {
  const filter = await page.printedAfter("Escucho");
  await page.publish(filter.replace("#", "prueba").replace("+", "prueba"), "¿Hay alguien ahí? ñ 23,5 °C");
  await page.printed("¿Hay alguien ahí? ñ 23,5 °C");
});

example("asincrono", async () => {
  const topic = await page.printedAfter("Espero el ritmo en");
  await page.publish(topic, "20");
  await page.printed("Ritmo: 20");
  for (const light of [100, 0, 100]) {
    await page.part("LED").locator(`[data-light="${light}"]`).waitFor();
  }
});

example("temperatura", async () => {
  const topic = await page.printedAfter("Publico y escucho en");
  await page.arrived(topic, '"temperatura"');
  // Without the Internet the page says that the answer is made up.
  await page.locator(".notice", { hasText: "Open-Meteo" }).waitFor();
  await page.shot("temperatura");
});

example("calidad-de-servicio", async () => {
  // Packets are lost from when the program is connected: it does not begin again by itself.
  await page.printed("Publico y escucho en");
  await page.slide("Paquetes que se pierden", 3);
  // Whatever was lost on the way, with QoS 2 nothing comes twice.
  await page.printed(/QoS 2: 100 enviados, \d+ llegan, 0 repetidos/);
  await page.shot("calidad-de-servicio");
  await page.slide("Paquetes que se pierden", 0);
});

example("usuario-y-clave", async () => {
  const user = await page.printedAfter("He entrado como");
  await page.arrived(`aula/${user}/saludo`, "");
  await page.tab("packets");
  await page.locator(".packets tr", { hasText: `usuario ${user}` }).first().waitFor();
});

example("tls", async () => {
  // The simulated board has the authority's certificate among its files.
  await page.printed("Conexión cifrada con localhost");
  const topic = await page.printedAfter("Publico en");
  const message = await page.arrived(topic, "secreto número 1");
  assert.match(await message.innerText(), /QoS 1/);
  await page.shot("tls");
});

example("robusto", async () => {
  const topic = await page.printedAfter("Publico en");
  await page.arrived(topic, "2");
  // The network's end, the broker's end and lost packets look the same to the program.
  const press = (name) => () => page.page.getByRole("switch", { name }).click();
  const loss = (percent) => () => page.slide("Paquetes que se pierden", percent);
  for (const [fault, end, shot] of [
    [press("Cortar la red"), press("Cortar la red"), "robusto-sin-red"],
    [press("Broker en marcha"), press("Broker en marcha"), "robusto-sin-broker"],
    [loss(50), loss(0), "robusto-con-perdidas"],
  ]) {
    await page.clear();
    const before = Number(await page.printedAfter("Confirmado:"));
    await fault();
    await page.printed("lo intento otra vez");
    await page.shot(shot);
    await end();
    await page.printed(`Confirmado: ${before + 3}`);
  }
  await page.tab("packets");
  await page.locator(".packets .state", { hasText: "completo" }).first().waitFor();
  await page.locator(".packets tr", { hasText: "PUBACK" }).first().waitFor();
  await page.shot("robusto-paquetes");
});

example("ultima-voluntad", async () => {
  const topic = await page.printedAfter("Mi estado está en");
  await page.arrived(topic, "conectada");
  const cut = page.page.getByRole("switch", { name: "Cortar la red" });
  await cut.click();
  const will = await page.arrived(topic, "desconectada sin avisar");
  assert.match(await will.innerText(), /testamento/);
  await page.shot("ultima-voluntad");
  await cut.click();
});

test("every example that the page offers opens with its parts", async () => {
  await page.locator(".settings .examples").click();
  const names = await page
    .locator("[data-example]")
    .evaluateAll((buttons) => buttons.map((button) => button.getAttribute("data-example")));
  await page.page.keyboard.press("Escape");
  const parts = { alarma: 4, boton: 2, dht22: 2, rgb: 5 };
  for (const [name, count] of Object.entries(parts)) {
    assert.ok(names.includes(name), `${name} is not offered`);
    await page.example(name);
    await page.locator(".stage .part").nth(count - 1).waitFor();
    assert.equal(await page.locator(".stage .part").count(), count, name);
    assert.ok((await page.locator(".stage path.wire").count()) >= count - 1, name);
  }
  assert.deepEqual(
    names.filter((name) => !tried.has(name)),
    [],
    "examples without a test of their own",
  );
});
