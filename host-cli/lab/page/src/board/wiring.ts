//! Decides what each part's pin reaches in a diagram: wires join pins, as do breadboards, and a pushbutton its own two and
//! two; the board's pins are the chip's or a supply; and where no wire leads, the way goes on through resistors.

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

/** A resistor between a pin of the chip and a supply: the level at which it holds the pin. */
export type Held = Map<number, 0 | 1>;

/** What each pin of each part reaches, and which of the chip's pins are held by a resistor. */
export function resolve(diagram: Diagram): { wiring: WiredPart[]; held: Held } {
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
    if (kindOf(part) === "button") {
      for (const side of ["1", "2"]) {
        joined.join(`${part.id}:${side}.l`, `${part.id}:${side}.r`);
      }
    } else if (part.type.startsWith("wokwi-breadboard")) {
      // "12t.a" to "12t.e" are one strip of metal, as are all holes of a rail, "tp.1" to "tp.50".
      for (const name of pins.get(part.id) ?? []) {
        joined.join(`${part.id}:${name}`, `${part.id}:${name.split(".")[0] ?? name}`);
      }
    }
  }
  // What each group of joined pins is, as the board's pins in it say; a supply is stronger than a pin.
  const nets = new Map<string, Net>();
  const name = (end: string, net: Net) => {
    const group = joined.find(end);
    const known = nets.get(group);
    if (net && (!known || "net" in net)) {
      nets.set(group, net);
    }
  };
  for (const [id, type] of boards) {
    for (const pin of pins.get(id) ?? []) {
      name(`${id}:${pin}`, type === "board-esp32-devkit-c-v4" && FLASH_PINS.has(pin) ? null : boardNet(pin));
    }
  }
  for (const part of diagram.parts) {
    const supply = SUPPLIES[part.type];
    for (const pin of supply ? (pins.get(part.id) ?? []) : []) {
      name(`${part.id}:${pin}`, supply ?? null);
    }
  }
  const resistors = neighbours(diagram, joined);
  const wiring = diagram.parts
    .filter((part) => !boards.has(part.id))
    .map((part) => ({
      part: part.type,
      id: part.id,
      pins: Object.fromEntries(
        [...(pins.get(part.id) ?? [])].map((pin) => [pin, reached(joined.find(`${part.id}:${pin}`), nets, resistors)]),
      ),
    }));
  return { wiring, held: holds(nets, resistors) };
}

/** The supplies that a diagram may have beside the board's. */
const SUPPLIES: Record<string, Net> = { "wokwi-gnd": { net: "gnd" }, "wokwi-vcc": { net: "3v3" } };

/** Which groups a resistor joins. */
function neighbours(diagram: Diagram, joined: Joined): Map<string, string[]> {
  const resistors = new Map<string, string[]>();
  for (const part of diagram.parts.filter((each) => kindOf(each) === "resistor")) {
    const [one, other] = ["1", "2"].map((pin) => joined.find(`${part.id}:${pin}`)) as [string, string];
    resistors.set(one, [...(resistors.get(one) ?? []), other]);
    resistors.set(other, [...(resistors.get(other) ?? []), one]);
  }
  return resistors;
}

/** What a group is: by wires, or else what is nearest through resistors. What has a name of its own ends the way. */
function reached(group: string, nets: Map<string, Net>, resistors: Map<string, string[]>): Net {
  const seen = new Set([group]);
  for (let near = [group]; near.length > 0; ) {
    const found = near.map((each) => nets.get(each)).filter((net) => net !== undefined && net !== null);
    const pin = found.find((net) => "gpio" in net) ?? found[0];
    if (pin) {
      return pin;
    }
    near = near.flatMap((each) => resistors.get(each) ?? []).filter((each) => !seen.has(each) && seen.add(each));
  }
  return null;
}

function holds(nets: Map<string, Net>, resistors: Map<string, string[]>): Held {
  const held: Held = new Map();
  for (const [group, net] of nets) {
    if (net && "gpio" in net) {
      for (const other of resistors.get(group) ?? []) {
        const end = reached(other, new Map([...nets].filter(([each]) => each !== group)), resistors);
        if (end && "net" in end) {
          held.set(net.gpio, end.net === "gnd" ? 0 : 1);
        }
      }
    }
  }
  return held;
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
