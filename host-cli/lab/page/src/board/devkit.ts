//! Decides how the board ESP32-DevKitC V4 is drawn, which Wokwi's elements do not have; its pins have Wokwi's names.

import { LitElement, svg, html } from "lit";

/** Wokwi's names of the pins, from the antenna to the plug. */
const LEFT = "3V3 EN VP VN 34 35 32 33 25 26 27 14 12 GND.1 13 D2 D3 CMD 5V".split(" ");
const RIGHT = "GND.2 23 22 TX RX 21 GND.3 19 18 5 17 16 4 0 2 15 D1 D0 CLK".split(" ");

const WIDTH = 107;
const HEIGHT = 222;
const LEFT_X = 5;
const RIGHT_X = 102;
const FIRST_Y = 30;
/** A tenth of an inch in CSS pixels. */
const PITCH = 9.6;

export class DevkitElement extends LitElement {
  static override properties = { led1: { type: Boolean }, power: { type: Boolean } };
  declare led1: boolean;
  declare power: boolean;

  readonly pinInfo = [
    ...LEFT.map((name, at) => ({ name, x: LEFT_X, y: FIRST_Y + at * PITCH })),
    ...RIGHT.map((name, at) => ({ name, x: RIGHT_X, y: FIRST_Y + at * PITCH })),
  ];

  constructor() {
    super();
    this.led1 = false;
    this.power = false;
  }

  override render() {
    const label = (name: string) => (name.startsWith("GND") ? "GND" : name);
    const pins = (names: string[], x: number, textX: number, anchor: string) =>
      names.map((name, at) => {
        const y = FIRST_Y + at * PITCH;
        return svg`<circle cx=${x} cy=${y} r="2.9" fill="#d6b656" /><circle cx=${x} cy=${y} r="1.3" fill="#22302d" />
          <text x=${textX} y=${y + 1.9} text-anchor=${anchor}>${label(name)}</text>`;
      });
    return html`<svg width=${WIDTH} height=${HEIGHT} viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="5.6">
      <rect width=${WIDTH} height=${HEIGHT - 6} rx="5" fill="#22302d" stroke="#5d6d67" stroke-width="0.8" />
      <path d="M28 17V5h8v8h8V5h8v8h8V5h8v8h8V5" fill="none" stroke="#8b9a95" stroke-width="1.6" />
      <rect x="24" y="20" width="59" height="76" rx="2" fill="#b9c0bd" />
      <rect x="26" y="22" width="55" height="72" rx="1.5" fill="#ced4d1" />
      <text x="53.5" y="56" text-anchor="middle" font-size="11" fill="#38443f">ESP32</text>
      <text x="53.5" y="66" text-anchor="middle" font-size="5.4" fill="#5a6762">DevKitC V4</text>
      <rect x="40" y="112" width="27" height="27" rx="1.5" fill="#141c1a" />
      <g fill="#e9efec">${pins(LEFT, LEFT_X, LEFT_X + 5, "start")}${pins(RIGHT, RIGHT_X, RIGHT_X - 5, "end")}</g>
      <circle cx="36" cy="156" r="2.6" fill=${this.power ? "#ff6257" : "#5b3a38"} />
      ${this.led1 ? svg`<circle cx="71" cy="156" r="8" fill="#5aa7ff" opacity=".35" />` : ""}
      <circle cx="71" cy="156" r="2.6" fill=${this.led1 ? "#9dcbff" : "#38506b"} />
      ${[26, 69].map(
        (x) => svg`<rect x=${x} y="184" width="12" height="10" rx="1" fill="#c9cecb" /><circle cx=${x + 6} cy="189" r="3.3" fill="#1a2422" />`,
      )}
      <text x="32" y="181" text-anchor="middle" fill="#e9efec">EN</text>
      <text x="75" y="181" text-anchor="middle" fill="#e9efec">BOOT</text>
      <rect x="40" y="196" width="27" height="26" rx="2" fill="#9aa5a1" /><rect x="43" y="212" width="21" height="10" rx="1" fill="#7b8783" />
    </svg>`;
  }
}

customElements.define("umqtt-esp32-devkit-c-v4", DevkitElement);
