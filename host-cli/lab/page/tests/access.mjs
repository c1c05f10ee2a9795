// Who uses the page and on what: both languages, both themes, a phone, no mouse, a screen reader's rules.

import assert from "node:assert/strict";

import { Page, sharedLab, test } from "./lab.mjs";

const lab = sharedLab();

const TABS = ["messages", "packets", "plot", "clients"];

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing serious in the ${theme} theme`, async () => {
    const page = await Page.open(lab(), { colorScheme: theme });
    try {
      await page.example("dht22");
      await page.run();
      const topic = await page.printedAfter("Publico en");
      await page.arrived(topic, "temperatura");
      await page.publish(topic, '{"temperatura": 20}', { qos: 2, retain: true });
      for (const tab of TABS) {
        await page.tab(tab);
        await page.accessible(`${theme}, ${tab}`);
        await page.shot(`${theme}-${tab}`);
      }
      await page.stop();
      await page.write("1 / 0\n");
      await page.run();
      await page.locator(".ending.error").waitFor();
      await page.accessible(`${theme}, an error`);
      await page.locator(".settings .examples").click();
      await page.accessible(`${theme}, the examples`);
      await page.shot(`${theme}-ejemplos`);
      await page.page.keyboard.press("Escape");
      for (const name of ["rgb", "alarma"]) {
        await page.locator(".settings .examples").click();
        await page.locator(`[data-example="${name}"]`).click();
        const discard = page.page.getByRole("button", { name: "Abrir de todos modos" });
        if (await discard.isVisible()) {
          await discard.click();
        }
        await page.locator(".parts li").nth(1).waitFor();
        await page.accessible(`${theme}, ${name}`);
      }
    } finally {
      await page.close();
    }
  });
}

test("the page speaks English as well as Spanish", async () => {
  const page = await Page.open(lab());
  try {
    assert.equal(await page.locator("html").getAttribute("lang"), "es");
    await page.page.getByLabel("Idioma").selectOption("en");
    await page.page.getByRole("button", { name: "Run", exact: true }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    await page.write("1 / 0\n");
    await page.run();
    await page.locator(".ending.error", { hasText: "main.py, line 1" }).waitFor();
    assert.equal(await page.locator(".cm-content").getAttribute("aria-label"), "Code of main.py");
    // Nothing Spanish is left: the words of one language are none of the other's.
    const text = await page.locator("body").innerText();
    assert.match(text, /Board 1/);
    for (const word of ["Programa", "Mensajes", "Placa", "Consola", "Publicar", "Pulsar", "Retardo"]) {
      assert.ok(!text.includes(word), `${word} is left`);
    }
    await page.shot("english");
    // The choice outlives the page.
    await page.page.reload();
    await page.page.getByRole("button", { name: "Run", exact: true }).waitFor();
    await page.page.getByLabel("Language").selectOption("es");
    await page.page.getByRole("button", { name: "Ejecutar", exact: true }).waitFor();
  } finally {
    await page.close();
  }
});

test("a screen reader hears of new lines, unless they come faster than they can be read", async () => {
  const page = await Page.open(lab());
  const live = (value) => page.locator(`.output[role=log][aria-live=${value}]`).waitFor();
  try {
    await page.clear();
    await page.write("import time\nfor n in range(200):\n    print('deprisa', n)\ninput()\nprint('despacio')\n");
    await page.run();
    await page.printed("deprisa 199");
    await live("off");
    // What was said before is not read again with it.
    const lines = await page.locator(".output").evaluate(async (output) => {
      const added = [];
      new MutationObserver((records) => added.push(...records.flatMap(({ addedNodes }) => [...addedNodes]).map((node) => node.textContent))).observe(output, { childList: true });
      globalThis.added = added;
      await new Promise((resolve) => setTimeout(resolve, 3500));
      return output.childElementCount;
    });
    assert.ok(lines > 200, String(lines));
    await page.page.getByLabel("Escribir a la placa").focus();
    await page.page.keyboard.press("Enter");
    await page.printed("despacio");
    await live("polite");
    assert.ok((await page.page.evaluate(() => globalThis.added)).every((text) => !text.includes("deprisa")));
    // How it ended is said in a region that was there before.
    await page.locator(".program-foot[role=status] .ending.finished").waitFor();
  } finally {
    await page.close();
  }
});

test("on a phone everything is within reach of a thumb", async () => {
  const page = await Page.open(lab(), { width: 360, height: 740, touch: true });
  const view = (name) => page.page.getByRole("navigation").getByRole("button", { name }).tap();
  const fits = async (what) => {
    const [inner, outer] = await page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inner <= outer, `${what}: ${inner} pixels wide on ${outer}`);
    const cut = await page.page.evaluate(() =>
      [...document.querySelectorAll("button, input, select")]
        .filter((element) => !element.closest(".top .tabs, .files, .cm-editor, .stage") && element.getClientRects().length > 0)
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(cut, [], what);
    await page.accessible(what);
    await page.shot(`movil-${what}`);
  };
  try {
    await page.locator(".settings .examples").tap();
    await page.locator('[data-example="boton"]').tap();
    const discard = page.page.getByRole("button", { name: "Abrir de todos modos" });
    if (await discard.isVisible()) {
      await discard.tap();
    }
    await page.locator(".cm-content", { hasText: "MQTTClient" }).waitFor();
    await page.locator(".console header button").tap();
    await page.locator("button.run").tap();
    const topic = await page.printedAfter("publico en");
    await fits("programa");
    await view("Placa");
    await fits("placa");
    // A finger on the drawn button.
    const drawn = await page.locator("wokwi-pushbutton").locator("button").boundingBox();
    const touch = await page.context.newCDPSession(page.page);
    const point = { x: drawn.x + drawn.width / 2, y: drawn.y + drawn.height / 2 };
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
    await page.page.waitForFunction(() => document.querySelector("button.press.pressed"));
    await page.page.waitForFunction(() => /Pulsación 1/.test(document.querySelector(".output").textContent));
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await view("Mensajes");
    await page.arrived(topic, "1");
    await fits("mensajes");
    await view("Programa");
    await page.stop();
    // The newest line stays in sight, also where the keyboard of the phone takes half of the screen.
    await page.write("import time\nfor n in range(60):\n    print('antes', n)\ninput()\nprint('la última')\n");
    await page.locator("button.run").tap();
    await page.printed("antes 59");
    await view("Placa");
    await view("Programa");
    await page.page.getByLabel("Escribir a la placa").tap();
    await page.page.setViewportSize({ width: 360, height: 500 });
    await page.page.keyboard.press("Enter");
    await page.printed("la última");
    await page.page.waitForFunction(() => {
      const output = document.querySelector(".output");
      return output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    });
  } finally {
    await page.close();
  }
});

test("no button or tab is cut off, from a small tablet to a wide screen", async () => {
  const page = await Page.open(lab());
  try {
    await page.example("dht22");
    for (const lang of ["en", "es"]) {
      await page.locator("#language").selectOption(lang);
      await page.locator(`html[lang=${lang}]`).waitFor();
      for (const [width, height] of [[770, 1024], [820, 1180], [1024, 600], [1100, 700], [1280, 720], [1366, 640], [1920, 1080]]) {
        await page.page.setViewportSize({ width, height });
        const cut = await page.page.evaluate(() =>
          [...document.querySelectorAll("button, input, select, .broker")]
            .filter((element) => !element.closest(".cm-editor, .stage") && element.getClientRects().length > 0)
            .filter((element) => {
              const room = (element.closest(".tabs, .panel") ?? document.documentElement).getBoundingClientRect();
              const { left, right } = element.getBoundingClientRect();
              return left < room.left - 1 || right > room.right + 1;
            })
            .map((element) => element.outerHTML.slice(0, 120)),
        );
        assert.deepEqual(cut, [], `${lang}, ${width}`);
        await page.shot(`ancho-${width}-${lang}`);
      }
    }
    // On a low screen with two columns the form can be reached by scrolling, and the program stays in sight.
    await page.page.setViewportSize({ width: 1024, height: 600 });
    await page.locator(".publish button[type=submit]").scrollIntoViewIfNeeded();
    const [publish, run] = await Promise.all([".publish button[type=submit]", "button.run"].map((each) => page.locator(each).boundingBox()));
    for (const box of [publish, run]) {
      assert.ok(box.y >= 0 && box.y + box.height <= 600, JSON.stringify(box));
    }
  } finally {
    await page.close();
  }
});

test("everything can be done without a mouse", async () => {
  const page = await Page.open(lab());
  const keys = page.page.keyboard;
  const focused = () => page.page.evaluate(() => document.activeElement?.outerHTML.replace(/>[^]*/, ">") ?? "");
  /** Tab until what has the focus matches; a page has fewer stops than that. */
  const tabTo = async (pattern) => {
    for (let step = 0; step < 80; step++) {
      if (/cm-content/.test(await focused())) {
        // In the editor, Tab indents.
        await keys.press("Escape");
      }
      await keys.press("Tab");
      if (pattern.test(await focused())) {
        return;
      }
    }
    assert.fail(`${pattern} is not reached with Tab; the focus is at ${await focused()}`);
  };
  try {
    // The examples: opened, walked and chosen.
    await tabTo(/class="examples"/);
    await keys.press("Enter");
    await tabTo(/data-example="alarma"/);
    await keys.press("Enter");
    if (await page.page.getByRole("button", { name: "Abrir de todos modos" }).isVisible()) {
      await tabTo(/button type="button" class="primary"/);
      await keys.press("Enter");
    }
    await page.locator(".cm-content", { hasText: "MQTTClient" }).waitFor();
    // The skip link leads into the editor, Ctrl+Enter runs, Escape and Tab lead out.
    await tabTo(/class="skip"/);
    await keys.press("Enter");
    assert.match(await focused(), /cm-content/);
    await page.locator(".console header button").click();
    await page.locator(".cm-content").focus();
    await keys.press("Control+Enter");
    const topic = await page.printedAfter("publico en");
    await page.locator(".cm-content").focus();
    await keys.press("Escape");
    await keys.press("Tab");
    assert.doesNotMatch(await focused(), /cm-content/);
    // The button below the drawing, held by the space bar.
    await tabTo(/class="press/);
    await tabTo(/aria-label="Pulsar: Botón"/);
    await keys.down(" ");
    await page.arrived(topic, "Alarma activada");
    await keys.up(" ");
    // The tabs of the messages by arrows, and the form.
    await tabTo(/id="mqtt-tab-messages"/);
    await keys.press("ArrowRight");
    assert.match(await focused(), /id="mqtt-tab-packets"/);
    await keys.press("Home");
    await tabTo(/role="treeitem"/);
    await keys.press("ArrowDown");
    await page.locator('.tree [aria-selected="true"][data-path="umqtt"]').waitFor();
    await tabTo(/id="publish-topic"/);
    await keys.type("teclado/prueba");
    await keys.press("Tab");
    await keys.type("sin ratón");
    await keys.press("Enter");
    await keys.press("Tab");
    await page.locator('.tree [data-path=""]').focus();
    await keys.press("Enter");
    await page.arrived("teclado/prueba", "sin ratón");
    await page.shot("teclado");
    await page.page.getByRole("button", { name: "Parar" }).focus();
    await keys.press("Enter");
    await page.locator(".run-state.state-idle").waitFor();
  } finally {
    await page.close();
  }
});
