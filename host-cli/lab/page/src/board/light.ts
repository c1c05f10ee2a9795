//! Decides what a part gets from the board's pins: how bright an LED is, with whichever side is driven, and which colours
//! a chain of NeoPixels shows.

import type { Diagram, Net, Pixel, WiredPart } from "../protocol";
import type { Board } from "../state";

/** Between 0 (ground) and 1 (3.3 V), the average of a PWM; undefined where nothing drives it. */
export function voltage(board: Board, net: Net | undefined): number | undefined {
  if (!net) {
    return undefined;
  }
  if ("net" in net) {
    return net.net === "gnd" ? 0 : 1;
  }
  const pwm = board.pwm[String(net.gpio)];
  if (pwm) {
    return pwm.duty / 65535;
  }
  const pin = board.pins.find((state) => state.pin === net.gpio);
  if (pin?.mode === "output") {
    return Number(pin.level);
  }
  // An open drain pulls down or lets go.
  return pin?.mode === "open_drain" && !Number(pin.level) ? 0 : undefined;
}

/** Brightness of a diode, 0 to 1. */
export function brightness(board: Board, anode: Net | undefined, cathode: Net | undefined): number {
  const high = voltage(board, anode);
  const low = voltage(board, cathode);
  return high === undefined || low === undefined ? 0 : Math.max(0, high - low);
}

/** The three diodes of an RGB LED and whether what they share is the anode. */
export function rgb(board: Board, wired: WiredPart): { colour: [number, number, number]; anode: boolean } {
  const common = wired.pins["COM"];
  const anode = voltage(board, common) === 1;
  const one = (name: string) =>
    anode ? brightness(board, common, wired.pins[name]) : brightness(board, wired.pins[name], common);
  return { colour: [one("R"), one("G"), one("B")], anode };
}

/** How an eye sees an average: half the light looks much brighter than half. */
export function seen(value: number): number {
  return value <= 0 ? 0 : Math.pow(Math.min(1, value), 1 / 2.2);
}

export function gpioOf(net: Net | undefined): number | undefined {
  return net && "gpio" in net ? net.gpio : undefined;
}

/** Where a part of a chain gets its colours: the chip's pin, the part before it, and how many pixels are before it. */
export function sourceOf(
  board: Board,
  diagram: Diagram,
  wired: WiredPart,
): { pin: number | undefined; through: string | undefined; before: number } {
  let before = 0;
  let through: string | undefined;
  let id = wired.id;
  const seenIds = new Set<string>();
  for (;;) {
    seenIds.add(id);
    const pin = gpioOf(board.wiring.find((part) => part.id === id)?.pins["DIN"]);
    const previous = pin === undefined ? feeds(diagram, id) : undefined;
    if (previous === undefined || seenIds.has(previous)) {
      return { pin, through, before };
    }
    through ??= previous;
    before += pixelCount(diagram, previous);
    id = previous;
  }
}

/** Pixels that a part of a chain shows, and those behind it. */
export function pixelsOf(board: Board, diagram: Diagram, wired: WiredPart): Pixel[] {
  const { pin, before } = sourceOf(board, diagram, wired);
  return pin === undefined ? [] : (board.pixels[String(pin)] ?? []).slice(before);
}

/** The part whose DOUT leads to this one's DIN. */
function feeds(diagram: Diagram, id: string): string | undefined {
  for (const [from, to] of diagram.connections) {
    const other = from === `${id}:DIN` ? to : to === `${id}:DIN` ? from : undefined;
    if (other?.endsWith(":DOUT")) {
      return other.slice(0, -":DOUT".length);
    }
  }
  return undefined;
}

export function pixelCount(diagram: Diagram, id: string): number {
  const part = diagram.parts.find((candidate) => candidate.id === id);
  const attribute = (name: string, otherwise: number) => Number(part?.attrs?.[name] ?? otherwise);
  switch (part?.type) {
    case "wokwi-led-ring":
      return attribute("pixels", 16);
    case "wokwi-neopixel-matrix":
      return attribute("rows", 8) * attribute("cols", 8);
    default:
      return 1;
  }
}
