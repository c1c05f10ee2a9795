//! Decides the list of parts below the drawing: the same in words and ordinary controls, so that nobody needs to see or
//! point at the drawing.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { ref } from "lit/directives/ref.js";
import { repeat } from "lit/directives/repeat.js";

import { number, t } from "../i18n";
import type { DiagramPart, Net } from "../protocol";
import type { Board, Lab } from "../state";
import { kindOf } from "./elements";
import { BOOT, BOOT_PIN, climate, contact, isPressed, press, setClimate, turn, turned, wiredPart } from "./inputs";
import { brightness, gpioOf, pixelCount, pixelsOf, rgb, sourceOf } from "./light";
import { holdable } from "./picture";

const MODES = { input: "modeInput", output: "modeOutput", open_drain: "modeOpenDrain" } as const;

export function partsList(lab: Lab, board: Board): TemplateResult {
  const diagram = board.diagram;
  const unknown = diagram.parts.filter((part) => !kindOf(part) && !part.type.startsWith("wokwi-text"));
  const parts = diagram.parts.filter((part) => kindOf(part));
  return html`
    <ul class="parts" aria-label=${t("parts")}>
      ${repeat(
        parts,
        (part) => `${board.info.id} ${part.id}`,
        (part) => row(lab, board, part),
      )}
    </ul>
    ${unknown.length > 0
      ? html`<p class="hint">${t("unknownParts", { parts: unknown.map(({ type, id }) => `${id} (${type})`).join(", ") })}</p>`
      : nothing}
  `;
}

function row(lab: Lab, board: Board, part: DiagramPart): TemplateResult | typeof nothing {
  switch (kindOf(part)) {
    case "board":
      return board.info.kind === "sim"
        ? item(t("bootButton"), t("pinLabel", { pin: BOOT_PIN }), pressControl(lab, board, BOOT, t("bootButton")))
        : nothing;
    case "led":
      return led(board, part);
    case "rgb":
      return rgbLed(board, part);
    case "button":
      return button(lab, board, part);
    case "dht22":
      return dht22(lab, board, part);
    case "potentiometer":
      return potentiometer(lab, board, part);
    case "pixel":
      return pixels(board, part, "pixel");
    case "ring":
      return pixels(board, part, "ring");
    case "matrix":
      return pixels(board, part, "matrix");
    case "buzzer": {
      const pins = wiredPart(board, part.id)?.pins ?? {};
      const sounds = brightness(board, pins["2"], pins["1"]) > 0;
      return item(named(t("buzzer"), part), pinOf(pins["2"]), html`<span>${t(sounds ? "sounding" : "silent")}</span>`);
    }
    default:
      return nothing;
  }
}

function item(name: string, pin: string, control: unknown, hint?: string): TemplateResult {
  return html`<li>
    <span class="part-name">${name}</span><span class="part-pin">${pin}</span>
    <span class="part-control">${control}</span>
    ${hint ? html`<span class="hint">${hint}</span>` : nothing}
  </li>`;
}

function named(kind: string, part: DiagramPart): string {
  const label = part.attrs?.["label"];
  return label ? `${kind} ${label}` : kind;
}

function pinOf(net: Net | undefined): string {
  const pin = gpioOf(net);
  return pin === undefined ? (net ? "" : t("notConnected")) : t("pinLabel", { pin });
}

function light(value: number): string {
  if (value <= 0) {
    return t("off");
  }
  return value > 0.995 ? t("on") : t("onPercent", { percent: Math.max(1, Math.round(value * 100)) });
}

function led(board: Board, part: DiagramPart): TemplateResult {
  const pins = wiredPart(board, part.id)?.pins ?? {};
  const pin = gpioOf(pins["A"]) === undefined ? pins["C"] : pins["A"];
  const value = brightness(board, pins["A"], pins["C"]);
  return item(named(t("led"), part), pinOf(pin), html`<span data-light=${Math.round(value * 100)}>${light(value)}</span>`);
}

function rgbLed(board: Board, part: DiagramPart): TemplateResult {
  const wired = wiredPart(board, part.id);
  const { colour, anode } = wired ? rgb(board, wired) : { colour: [0, 0, 0], anode: false };
  const values = colour.map((value) => Math.round(value * 255));
  const pins = ["R", "G", "B"].map((name) => gpioOf(wired?.pins[name]) ?? "–").join(", ");
  const common = t(anode ? "commonAnode" : "commonCathode");
  return item(
    named(t("rgbLed"), part),
    `${t("pinLabel", { pin: pins })} · ${common}`,
    html`<span class="swatch" style="background: rgb(${values.join(" ")})"></span
      ><span class="mono" data-colour=${values.join(",")}>${values.join(" ")}</span>`,
  );
}

function pressControl(lab: Lab, board: Board, id: string, name: string): TemplateResult {
  return html`<button
    type="button"
    class="press ${isPressed(board, id) ? "pressed" : ""}"
    aria-pressed=${isPressed(board, id)}
    aria-label="${t("pressButton")}: ${name}"
    title=${t("pressHint")}
    ${ref((element) => element && hold(lab, board, id, element as HTMLElement))}
  >
    ${t("pressButton")}
  </button>`;
}

/** A control outlives many drawings and is wired once. */
const wired = new WeakSet<HTMLElement>();

function hold(lab: Lab, board: Board, id: string, element: HTMLElement): void {
  if (!wired.has(element)) {
    wired.add(element);
    holdable(element, (pressed) => press(lab, board, id, pressed));
  }
}

function button(lab: Lab, board: Board, part: DiagramPart): TemplateResult {
  const joined = contact(board, part.id);
  const name = named(t("button"), part);
  const floats = joined && board.pins.some(({ pin, floats }) => pin === joined.pin && floats);
  return item(
    name,
    joined ? t("pinLabel", { pin: joined.pin }) : t("notConnected"),
    pressControl(lab, board, part.id, name),
    joined
      ? floats
        ? t("floating", { pin: joined.pin, pull: joined.activeLow ? "PULL_UP" : "PULL_DOWN" })
        : undefined
      : t("buttonAlone"),
  );
}

function slider(
  label: string,
  value: number,
  range: { min: number; max: number; step: number },
  text: string,
  set: (value: number) => void,
): TemplateResult {
  return html`<label class="slider">
    <span>${label}</span>
    <input
      type="range"
      min=${range.min}
      max=${range.max}
      step=${range.step}
      .value=${live(String(value))}
      aria-label=${label}
      aria-valuetext=${text}
      @input=${(event: Event) => set(Number((event.target as HTMLInputElement).value))}
    />
    <output>${text}</output>
  </label>`;
}

function dht22(lab: Lab, board: Board, part: DiagramPart): TemplateResult {
  const now = climate(board, part);
  return item(
    named(t("dht22"), part),
    pinOf(wiredPart(board, part.id)?.pins["SDA"]),
    html`<span class="stack">
      ${slider(t("temperature"), now.temperature, { min: -40, max: 80, step: 0.1 }, `${number(now.temperature, 1)} °C`, (temperature) =>
        setClimate(lab, board, part, { temperature }),
      )}
      ${slider(t("humidity"), now.humidity, { min: 0, max: 100, step: 0.1 }, `${number(now.humidity, 1)} %`, (humidity) =>
        setClimate(lab, board, part, { humidity }),
      )}
      <label class="check">
        <input
          type="checkbox"
          .checked=${live(now.unplugged)}
          @change=${(event: Event) => setClimate(lab, board, part, { unplugged: (event.target as HTMLInputElement).checked })}
        />
        ${t("unplugged")}
      </label>
    </span>`,
  );
}

function potentiometer(lab: Lab, board: Board, part: DiagramPart): TemplateResult {
  const value = turned(board, part);
  return item(
    named(t("potentiometer"), part),
    pinOf(wiredPart(board, part.id)?.pins["SIG"]),
    slider(t("potentiometer"), Math.round(value * 1000) / 1000, { min: 0, max: 1, step: 0.005 }, t("volts", { volts: number(value * 3.3, 2) }), (to) =>
      turn(lab, board, part, to),
    ),
  );
}

/** Pixels of one part that are listed at most; all are drawn. */
const SWATCHES = 8;

function pixels(board: Board, part: DiagramPart, kind: "pixel" | "ring" | "matrix"): TemplateResult {
  const wired = wiredPart(board, part.id);
  const all = (wired ? pixelsOf(board, board.diagram, wired) : []).slice(0, pixelCount(board.diagram, part.id));
  const name = t(kind === "ring" ? "ring" : kind === "matrix" ? "matrix" : "neopixel");
  const { pin, through } = wired ? sourceOf(board, board.diagram, wired) : { pin: undefined, through: undefined };
  const source = pin === undefined ? t("notConnected") : t("pinLabel", { pin });
  return item(
    named(name, part),
    through === undefined ? source : `${source} · ${t("behind", { part: through })}`,
    all.length === 0
      ? html`<span>${t("off")}</span>`
      : html`${all.slice(0, SWATCHES).map((pixel) => {
          const values = pixel.slice(0, 3).join(" ");
          return html`<span class="swatch" role="img" aria-label=${values} style="background: rgb(${values})"></span>`;
        })}${all.length > SWATCHES ? html`<span class="hint">+${all.length - SWATCHES}</span>` : nothing}`,
  );
}

/** What the program uses, by number: pins, square waves and strips of pixels. */
function usedPins(board: Board): { pin: number; mode: string; level: string }[] {
  const { pins, pwm, pixels } = board;
  const used = new Map<number, { pin: number; mode: string; level: string }>();
  for (const { pin, mode, level, floats } of pins) {
    if (mode !== "unused") {
      used.set(pin, { pin, mode: t(MODES[mode]), level: floats ? t("floats") : String(Number(level)) });
    }
  }
  for (const [name, colours] of Object.entries(pixels)) {
    const pin = Number(name);
    used.set(pin, { pin, mode: t("neopixel"), level: t("pixelCount", { count: colours.length }) });
  }
  for (const [name, { frequency, duty }] of Object.entries(pwm)) {
    const pin = Number(name);
    const level = t("percent", { value: number((duty / 65535) * 100, 0) });
    used.set(pin, { pin, mode: t("modePwm", { frequency }), level });
  }
  return [...used.values()].sort((one, other) => one.pin - other.pin);
}

/** The pins that the program set up, as a table. */
export function pinTable(board: Board): TemplateResult {
  if (board.info.kind === "real") {
    return html`<p class="hint">${t("realNoPins")}</p>`;
  }
  const used = usedPins(board);
  return html`<details class="pins">
    <summary>${t("pins")} <span class="count">${used.length}</span></summary>
    ${used.length === 0
      ? html`<p class="hint">${t("pinsNone")}</p>`
      : html`<table>
          <thead>
            <tr>
              <th scope="col">${t("pin")}</th>
              <th scope="col">${t("mode")}</th>
              <th scope="col">${t("level")}</th>
            </tr>
          </thead>
          <tbody>
            ${used.map(
              ({ pin, mode, level }) => html`<tr>
                <td>${pin}</td>
                <td>${mode}</td>
                <td>${level}</td>
              </tr>`,
            )}
          </tbody>
        </table>`}
  </details>`;
}
