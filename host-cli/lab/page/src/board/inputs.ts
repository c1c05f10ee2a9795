//! Decides what a person does to the parts: pressed buttons, turned knobs, the air around a sensor. Whichever control is
//! used, drawn or listed, it goes through here.

import type { DiagramPart, WiredPart } from "../protocol";
import { touch } from "../schedule";
import type { Board, Lab } from "../state";
import { kindOf } from "./elements";
import { gpioOf } from "./light";

/** GPIO0 has the button BOOT on every board of Espressif's. */
export const BOOT_PIN = 0;
export const BOOT = "$boot";

export interface Climate {
  temperature: number;
  humidity: number;
  unplugged: boolean;
}

interface Inputs {
  pressed: Set<string>;
  climate: Map<string, Climate>;
  /** Of 3.3 V, 0 to 1. */
  turned: Map<string, number>;
}

/** They belong to a diagram: another one has other parts. */
const inputs = new WeakMap<Board, { signature: string; values: Inputs }>();

function of(board: Board): Inputs {
  const signature = JSON.stringify(board.diagram);
  const known = inputs.get(board);
  if (known?.signature === signature) {
    return known.values;
  }
  const values = { pressed: new Set<string>(), climate: new Map(), turned: new Map() };
  inputs.set(board, { signature, values });
  return values;
}

export function wiredPart(board: Board, id: string): WiredPart | undefined {
  return board.wiring.find((part) => part.id === id);
}

/** Held here, or on another page. */
export function isPressed(board: Board, id: string): boolean {
  const pin = contact(board, id)?.pin;
  return of(board).pressed.has(id) || (pin !== undefined && board.info.inputs.pressed.includes(pin));
}

/** What a button joins: the chip's pin, and whether the other side is ground. */
export function contact(board: Board, id: string): { pin: number; activeLow: boolean } | undefined {
  if (id === BOOT) {
    return { pin: BOOT_PIN, activeLow: true };
  }
  const pins = wiredPart(board, id)?.pins ?? {};
  const side = (first: string) =>
    Object.entries(pins)
      .filter(([name]) => name.startsWith(first))
      .map(([, net]) => net);
  const sides = [side("1"), side("2")];
  for (const [mine, other] of [sides, [...sides].reverse()]) {
    const pin = mine?.map(gpioOf).find((gpio) => gpio !== undefined);
    const supply = other?.find((net) => net && "net" in net);
    if (pin !== undefined && supply && "net" in supply) {
      return { pin, activeLow: supply.net === "gnd" };
    }
  }
  return undefined;
}

/** Every contact does, unless the diagram says with Wokwi's attribute that it does not. */
function bounces(board: Board, id: string): boolean {
  return board.diagram?.parts.find((part) => part.id === id)?.attrs?.["bounce"] !== "0";
}

export function press(lab: Lab, board: Board, id: string, pressed: boolean): void {
  const set = of(board).pressed;
  if (set.has(id) === pressed && isPressed(board, id) === pressed) {
    return;
  }
  if (pressed) {
    set.add(id);
  } else {
    set.delete(id);
  }
  const joined = contact(board, id);
  if (joined) {
    const { pin, activeLow } = joined;
    lab.send({ type: "press", board: board.info.id, pin, pressed, active_low: activeLow, bounces: bounces(board, id) });
  }
  touch("lights");
}

export function climate(board: Board, part: DiagramPart): Climate {
  const known = of(board).climate.get(part.id);
  if (known) {
    return known;
  }
  const pin = gpioOf(wiredPart(board, part.id)?.pins["SDA"]);
  const set = pin === undefined ? undefined : board.info.inputs.climate[String(pin)];
  return {
    // As in Wokwi where the diagram says nothing.
    temperature: set?.temperature ?? Number(part.attrs?.["temperature"] ?? 24),
    humidity: set?.humidity ?? Number(part.attrs?.["humidity"] ?? 40),
    unplugged: set?.unplugged ?? false,
  };
}

export function setClimate(lab: Lab, board: Board, part: DiagramPart, change: Partial<Climate>): void {
  const now = { ...climate(board, part), ...change };
  of(board).climate.set(part.id, now);
  const pin = gpioOf(wiredPart(board, part.id)?.pins["SDA"]);
  if (pin !== undefined) {
    const { temperature, humidity } = now;
    const values = now.unplugged ? ({ unplugged: true } as const) : { temperature, humidity };
    lab.send({ type: "climate", board: board.info.id, pin, ...values });
  }
  touch("lights");
}

/** The resistors that were put there for an earlier diagram. */
const resistors = new WeakMap<Board, Iterable<number>>();

/** Connects a simulated board's parts as its diagram has them; what the server says is set stays. */
export function setUp(lab: Lab, board: Board): void {
  const { info, held, diagram } = board;
  if (info.kind !== "sim") {
    return;
  }
  for (const pin of resistors.get(board) ?? []) {
    if (!held.has(pin)) {
      lab.send({ type: "resistor", board: info.id, pin, level: null });
    }
  }
  resistors.set(board, [...held.keys()]);
  for (const [pin, level] of held) {
    lab.send({ type: "resistor", board: info.id, pin, level });
  }
  for (const part of diagram.parts) {
    const pins = wiredPart(board, part.id)?.pins ?? {};
    const kind = kindOf(part);
    if (kind === "dht22" && info.inputs.climate[String(gpioOf(pins["SDA"]))] === undefined) {
      setClimate(lab, board, part, {});
    } else if (kind === "potentiometer" && info.inputs.adc[String(gpioOf(pins["SIG"]))] === undefined) {
      turn(lab, board, part, turned(board, part));
    }
  }
}

export function turned(board: Board, part: DiagramPart): number {
  const known = of(board).turned.get(part.id);
  if (known !== undefined) {
    return known;
  }
  const pin = gpioOf(wiredPart(board, part.id)?.pins["SIG"]);
  const microvolts = pin === undefined ? undefined : board.info.inputs.adc[String(pin)];
  return microvolts === undefined ? Number(part.attrs?.["value"] ?? 0) / 1023 : microvolts / 3_300_000;
}

export function turn(lab: Lab, board: Board, part: DiagramPart, value: number): void {
  of(board).turned.set(part.id, value);
  const pin = gpioOf(wiredPart(board, part.id)?.pins["SIG"]);
  if (pin !== undefined) {
    lab.send({ type: "adc", board: board.info.id, pin, microvolts: Math.round(value * 3_300_000) });
  }
  touch("lights");
}
