//! Decides which parts can be drawn and by which element, and where a board has its own buttons.

import "@wokwi/elements/dist/esm/buzzer-element.js";
import "@wokwi/elements/dist/esm/dht22-element.js";
import "@wokwi/elements/dist/esm/esp32-devkit-v1-element.js";
import "@wokwi/elements/dist/esm/led-element.js";
import "@wokwi/elements/dist/esm/led-ring-element.js";
import "@wokwi/elements/dist/esm/neopixel-element.js";
import "@wokwi/elements/dist/esm/neopixel-matrix-element.js";
import "@wokwi/elements/dist/esm/potentiometer-element.js";
import "@wokwi/elements/dist/esm/pushbutton-6mm-element.js";
import "@wokwi/elements/dist/esm/pushbutton-element.js";
import "@wokwi/elements/dist/esm/resistor-element.js";
import "@wokwi/elements/dist/esm/rgb-led-element.js";
import "./devkit";

import type { DiagramPart } from "../protocol";

/** What all elements of parts have. */
export interface PartElement extends HTMLElement {
  pinInfo: { name: string; x: number; y: number }[];
  updateComplete?: Promise<unknown>;
}

export type Kind =
  | "board"
  | "led"
  | "rgb"
  | "button"
  | "dht22"
  | "pixel"
  | "ring"
  | "matrix"
  | "potentiometer"
  | "resistor"
  | "buzzer";

const ELEMENTS: Record<string, { tag: string; kind: Kind }> = {
  "board-esp32-devkit-c-v4": { tag: "umqtt-esp32-devkit-c-v4", kind: "board" },
  "wokwi-esp32-devkit-v1": { tag: "wokwi-esp32-devkit-v1", kind: "board" },
  "wokwi-led": { tag: "wokwi-led", kind: "led" },
  "wokwi-rgb-led": { tag: "wokwi-rgb-led", kind: "rgb" },
  "wokwi-pushbutton": { tag: "wokwi-pushbutton", kind: "button" },
  "wokwi-pushbutton-6mm": { tag: "wokwi-pushbutton-6mm", kind: "button" },
  "wokwi-dht22": { tag: "wokwi-dht22", kind: "dht22" },
  "wokwi-neopixel": { tag: "wokwi-neopixel", kind: "pixel" },
  "wokwi-led-ring": { tag: "wokwi-led-ring", kind: "ring" },
  "wokwi-neopixel-matrix": { tag: "wokwi-neopixel-matrix", kind: "matrix" },
  "wokwi-potentiometer": { tag: "wokwi-potentiometer", kind: "potentiometer" },
  "wokwi-resistor": { tag: "wokwi-resistor", kind: "resistor" },
  "wokwi-buzzer": { tag: "wokwi-buzzer", kind: "buzzer" },
};

/** Where a board has BOOT and EN, in its own pixels. */
export const BOARD_BUTTONS: Record<string, { boot: [number, number]; reset: [number, number] }> = {
  "umqtt-esp32-devkit-c-v4": { boot: [75, 189], reset: [32, 189] },
  "wokwi-esp32-devkit-v1": { boot: [83, 182], reset: [23, 182] },
};

export function kindOf(part: DiagramPart): Kind | undefined {
  return ELEMENTS[part.type]?.kind;
}

export function makeElement(part: DiagramPart): PartElement | undefined {
  const entry = ELEMENTS[part.type];
  if (!entry) {
    return undefined;
  }
  const element = document.createElement(entry.tag) as PartElement;
  for (const [name, value] of Object.entries(part.attrs ?? {})) {
    // Only what decides a part's looks: the others are the server's business, and none may become a handler or a style.
    if (["color", "lightColor", "label", "background"].includes(name)) {
      Object.assign(element, { [name]: value });
    } else if (["pixels", "rows", "cols"].includes(name) || (name === "value" && entry.kind === "resistor")) {
      // A diagram of somebody's may ask for millions of pixels.
      Object.assign(element, { [name]: name === "value" ? value : Math.min(256, Math.max(1, Number(value) || 1)) });
    } else if (name === "flip") {
      Object.assign(element, { flip: value === "1" || value === "true" });
    }
  }
  return element;
}
