//! Decides what each part's pin reaches in a diagram: wires and resistors join pins, a pushbutton joins its own two and
//! two, and the board's pins are the chip's or a supply.

import type { Diagram, Net, WiredPart } from "../protocol";
import { kindOf } from "./elements";

/** Names of the board's pins that are no number (Wokwi's, of both boards). */
const NAMED_PINS: Record<string, number> = { VP: 36, VN: 39, TX: 1, RX: 3, TX0: 1, RX0: 3, TX2: 17, RX2: 16 };
const POWER = /^(3V3|5V|VIN)(\.\d+)?$/;
const GROUND = /^GND(\.\d+)?$/;

/** What the board's pin of this name is; nothing for one that is no use to a program. */
export function boardNet(name: string): Net {
  if (GROUND.test(name)) {
    return { net: "gnd" };
  }
  if (POWER.test(name)) {
    return { net: "3v3" };
  }
  const number = /^(?:D|GPIO)?(\d+)$/.exec(name)?.[1];
  const gpio = number === undefined ? NAMED_PINS[name] : Number(number);
  return gpio === undefined ? null : { gpio };
}

/** The devkit's pins D0 to D3 lead to the flash (GPIO 7, 8, 9, 10), not to GPIO 0 to 3. */
const FLASH_PINS = new Set(["D0", "D1", "D2", "D3", "CMD", "CLK"]);

export function resolve(diagram: Diagram): WiredPart[] {
  const boards = new Map(diagram.parts.filter((part) => kindOf(part) === "board").map((part) => [part.id, part.type]));
  const joined = new Joined();
  const pins = new Map<string, Set<string>>();
  for (const [from, to] of diagram.connections) {
    joined.join(from, to);
    for (const end of [from, to]) {
      const [id, name] = split(end);
      pins.set(id, (pins.get(id) ?? new Set()).add(name));
    }
  }
  for (const part of diagram.parts) {
    const kind = kindOf(part);
    if (kind === "resistor") {
      joined.join(`${part.id}:1`, `${part.id}:2`);
    } else if (kind === "button") {
      for (const side of ["1", "2"]) {
        joined.join(`${part.id}:${side}.l`, `${part.id}:${side}.r`);
      }
    }
  }
  // What each group of joined pins is, as the board's pins in it say; a supply is stronger than a pin.
  const nets = new Map<string, Net>();
  for (const [id, type] of boards) {
    for (const name of pins.get(id) ?? []) {
      const net = type === "board-esp32-devkit-c-v4" && FLASH_PINS.has(name) ? null : boardNet(name);
      const group = joined.find(`${id}:${name}`);
      const known = nets.get(group);
      if (net && (!known || "net" in net)) {
        nets.set(group, net);
      }
    }
  }
  return diagram.parts
    .filter((part) => !boards.has(part.id))
    .map((part) => ({
      part: part.type,
      id: part.id,
      pins: Object.fromEntries(
        [...(pins.get(part.id) ?? [])].map((name) => [name, nets.get(joined.find(`${part.id}:${name}`)) ?? null]),
      ),
    }));
}

function split(end: string): [string, string] {
  const colon = end.indexOf(":");
  return [end.slice(0, colon), end.slice(colon + 1)];
}

/** Which names belong together. */
class Joined {
  private readonly parents = new Map<string, string>();

  find(name: string): string {
    let at = name;
    for (let parent = this.parents.get(at); parent !== undefined; parent = this.parents.get(at)) {
      at = parent;
    }
    return at;
  }

  join(one: string, other: string): void {
    const [a, b] = [this.find(one), this.find(other)];
    if (a !== b) {
      this.parents.set(a, b);
    }
  }
}
