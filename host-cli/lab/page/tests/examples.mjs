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

/** Runs an example and stops it at the end, however it ends. */
function example(name, body) {
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

for (const name of ["publicar", "publicar-asyncio"]) {
  example(name, async () => {
    const topic = await page.printedAfter("Publico en");
    const sent = await page.printedAfter("Enviado:");
    await page.arrived(topic, sent);
    await page.tab("plot");
    await page.locator(".series-name", { hasText: topic }).waitFor();
  });
}

for (const name of ["suscribirse", "suscribirse-asyncio"]) {
  example(name, async () => {
    const filter = await page.printedAfter("Escucho");
    await page.publish(filter.replace("#", "prueba").replace("+", "prueba"), "¿Hay alguien ahí? ñ 23,5 °C");
    await page.printed("¿Hay alguien ahí? ñ 23,5 °C");
  });
}

example("robusto", async () => {
  const topic = await page.printedAfter("Publico en");
  await page.arrived(topic, "2");
  const broker = page.page.getByRole("switch", { name: "Broker en marcha" });
  await broker.click();
  await page.printed("lo intento otra vez");
  await page.shot("robusto-sin-broker");
  const before = Number(await page.printedAfter("Confirmado:"));
  await broker.click();
  await page.printed(`Confirmado: ${before + 2}`);
  await page.tab("packets");
  await page.locator(".packets .state", { hasText: "completo" }).first().waitFor();
  await page.locator(".packets tr", { hasText: "PUBACK" }).first().waitFor();
  await page.shot("robusto-paquetes");
});

example("ultima-voluntad", async () => {
  const topic = await page.printedAfter("Mi estado está en");
  await page.arrived(topic, "conectada");
  // A board that restarts says no goodbye.
  await page.page.getByRole("button", { name: "Reiniciar", exact: true }).click();
  const will = await page.arrived(topic, "desconectada sin avisar");
  assert.match(await will.innerText(), /testamento/);
  await page.shot("ultima-voluntad");
});
