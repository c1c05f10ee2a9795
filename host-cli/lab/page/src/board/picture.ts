//! Decides how the board and its parts are drawn: Wokwi's elements where the diagram puts them, wires between their pins,
//! and their looks as the pins' levels change.

import { t } from "../i18n";
import type { Diagram, DiagramPart } from "../protocol";
import type { Board, Lab } from "../state";
import { BOARD_BUTTONS, kindOf, makeElement, type Kind, type PartElement } from "./elements";
import { BOOT, climate, isPressed, press, setClimate, turn, turned, wiredPart } from "./inputs";
import { brightness, pixelsOf, rgb, seen, voltage } from "./light";
import { wirePath, type Point } from "./wires";

const SVG = "http://www.w3.org/2000/svg";
/** Pixels around the drawing, and how much it is enlarged at most. */
const MARGIN = 14;
const LARGEST = 1.7;
const HIGHEST = 430;
/** The ESP32's development boards have their LED at GPIO2. */
const LED_PIN = 2;

interface Placed {
  part: DiagramPart;
  kind: Kind;
  element: PartElement;
  holder: HTMLElement;
}

export class Picture {
  readonly root = document.createElement("div");
  private readonly stage = document.createElement("div");
  private readonly wires = document.createElementNS(SVG, "svg");
  private placed: Placed[] = [];
  private boot: HTMLButtonElement | undefined;
  private shown = "";
  /** What is drawn, once all its elements are there. */
  private diagram: Diagram | undefined;
  /** Sizes are known: not while the drawing is hidden, as on a phone that shows another part of the page. */
  private measured = false;
  private size = { left: 0, top: 0, width: 0, height: 0 };
  private build = 0;

  constructor(private readonly lab: Lab) {
    this.root.className = "picture";
    this.root.setAttribute("role", "group");
    this.stage.className = "stage";
    this.wires.setAttribute("class", "wires");
    this.wires.setAttribute("aria-hidden", "true");
    this.root.append(this.stage);
    new ResizeObserver(() => this.layOut()).observe(this.root);
  }

  /** Builds the drawing anew where another board or diagram is to be seen. */
  update(board: Board): void {
    this.root.setAttribute("aria-label", t("picture"));
    const diagram = board.diagram;
    const signature = board.info.id + JSON.stringify(diagram);
    if (signature !== this.shown) {
      this.shown = signature;
      void this.draw(board, diagram);
    } else {
      this.name();
    }
    this.light(board);
  }

  private async draw(board: Board, diagram: Diagram): Promise<void> {
    const build = ++this.build;
    this.diagram = undefined;
    this.stage.replaceChildren();
    this.wires.replaceChildren();
    this.placed = [];
    this.boot = undefined;
    for (const part of diagram.parts) {
      const element = part.hide ? undefined : makeElement(part);
      const kind = kindOf(part);
      if (element && kind) {
        this.place(board, part, kind, element);
      }
    }
    this.stage.append(this.wires);
    await Promise.all(this.placed.map(({ element }) => element.updateComplete));
    if (build !== this.build) {
      return;
    }
    this.diagram = diagram;
    this.measured = false;
    this.layOut();
    this.name();
    this.light(board);
  }

  private place(board: Board, part: DiagramPart, kind: Kind, element: PartElement): void {
    const holder = document.createElement("div");
    holder.className = `part part-${kind}`;
    holder.style.left = `${part.left ?? 0}px`;
    holder.style.top = `${part.top ?? 0}px`;
    if (part.rotate) {
      holder.style.transform = `rotate(${Number(part.rotate)}deg)`;
    }
    holder.append(element);
    if (kind === "button") {
      element.addEventListener("button-press", () => press(this.lab, board, part.id, true));
      element.addEventListener("button-release", () => press(this.lab, board, part.id, false));
    } else if (kind === "potentiometer") {
      element.addEventListener("input", () => {
        turn(this.lab, board, part, (element as PartElement & { value: number }).value / 1023);
      });
    } else if (kind === "dht22") {
      // A click on the sensor pulls its plug or puts it back; the list below the drawing has all that can be set.
      element.addEventListener("click", () => {
        setClimate(this.lab, board, part, { unplugged: !climate(board, part).unplugged });
      });
    } else if (kind === "board") {
      this.boardButtons(board, element, holder);
    }
    this.stage.append(holder);
    this.placed.push({ part, kind, element, holder });
  }

  private boardButtons(board: Board, element: PartElement, holder: HTMLElement): void {
    const where = BOARD_BUTTONS[element.localName];
    if (!where || board.info.kind !== "sim") {
      return;
    }
    const make = ([x, y]: [number, number]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "board-button";
      button.tabIndex = -1;
      button.style.left = `${x}px`;
      button.style.top = `${y}px`;
      holder.append(button);
      return button;
    };
    this.boot = make(where.boot);
    this.boot.dataset["name"] = "bootButton";
    holdable(this.boot, (pressed) => press(this.lab, board, BOOT, pressed));
    const reset = make(where.reset);
    reset.dataset["name"] = "resetBoard";
    reset.addEventListener("click", () => this.lab.send({ type: "reset", board: board.info.id }));
  }

  /** Where a pin is on the stage. */
  private pin(placed: Placed, name: string): Point | undefined {
    const info = placed.element.pinInfo;
    const pin =
      info.find((candidate) => candidate.name === name) ??
      // "GND" stands for the first of "GND.1", "GND.2".
      info.find((candidate) => candidate.name.startsWith(`${name}.`));
    if (!pin) {
      return undefined;
    }
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = placed.holder;
    const angle = (Number(placed.part.rotate ?? 0) * Math.PI) / 180;
    const centre = { x: offsetWidth / 2, y: offsetHeight / 2 };
    const x = pin.x - centre.x;
    const y = pin.y - centre.y;
    return {
      x: offsetLeft + centre.x + x * Math.cos(angle) - y * Math.sin(angle),
      y: offsetTop + centre.y + x * Math.sin(angle) + y * Math.cos(angle),
    };
  }

  private drawWires(diagram: Diagram): void {
    for (const [from, to, colour, path] of diagram.connections) {
      const ends = [from, to].map((end) => {
        const colon = end.indexOf(":");
        const placed = this.placed.find(({ part }) => part.id === end.slice(0, colon));
        return placed && this.pin(placed, end.slice(colon + 1));
      });
      const [a, b] = ends;
      if (!a || !b) {
        continue;
      }
      const d = wirePath(a, b, path);
      for (const [name, stroke] of [
        ["wire-case", ""],
        ["wire", colour || "green"],
      ] as const) {
        const line = document.createElementNS(SVG, "path");
        line.setAttribute("class", name);
        line.setAttribute("d", d);
        if (stroke) {
          line.setAttribute("stroke", stroke);
        }
        this.wires.append(line);
      }
    }
  }

  private measure(): void {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { holder, part } of this.placed) {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = holder;
      const turned = Math.abs(Number(part.rotate ?? 0)) % 180 === 90;
      const [width, height] = turned ? [offsetHeight, offsetWidth] : [offsetWidth, offsetHeight];
      const [x, y] = [offsetLeft + offsetWidth / 2, offsetTop + offsetHeight / 2];
      left = Math.min(left, x - width / 2);
      top = Math.min(top, y - height / 2);
      right = Math.max(right, x + width / 2);
      bottom = Math.max(bottom, y + height / 2);
    }
    if (this.wires.childElementCount > 0) {
      const wires = this.wires.getBBox();
      left = Math.min(left, wires.x);
      top = Math.min(top, wires.y);
      right = Math.max(right, wires.x + wires.width);
      bottom = Math.max(bottom, wires.y + wires.height);
    }
    if (left > right) {
      [left, top, right, bottom] = [0, 0, 1, 1];
    }
    this.size = {
      left: left - MARGIN,
      top: top - MARGIN,
      width: right - left + 2 * MARGIN,
      height: bottom - top + 2 * MARGIN,
    };
  }

  private layOut(): void {
    if (!this.diagram || this.root.clientWidth === 0) {
      return;
    }
    if (!this.measured) {
      this.measured = true;
      this.wires.replaceChildren();
      this.drawWires(this.diagram);
      this.measure();
    }
    this.fit();
  }

  private fit(): void {
    const { left, top, width, height } = this.size;
    if (width === 0 || this.root.clientWidth === 0) {
      return;
    }
    const scale = Math.min(LARGEST, this.root.clientWidth / width, HIGHEST / height);
    const spare = (this.root.clientWidth - width * scale) / 2;
    this.stage.style.transform = `translate(${spare}px, 0) scale(${scale}) translate(${-left}px, ${-top}px)`;
    this.root.style.height = `${height * scale}px`;
  }

  /** Names in the page's language what can be used in the drawing; Wokwi's elements have English names. */
  private name(): void {
    for (const { part, kind, element } of this.placed) {
      const inner = element.shadowRoot;
      const label = part.attrs?.["label"] || part.id;
      if (kind === "button") {
        const button = inner?.querySelector("button");
        button?.setAttribute("aria-label", `${t("button")} ${label}`);
        button?.setAttribute("tabindex", "-1");
        // The element's own grey is too pale to be read.
        inner?.querySelector<HTMLElement>(".label")?.style.setProperty("color", "var(--ink-soft)");
      } else if (kind === "potentiometer") {
        const input = inner?.querySelector("input");
        input?.setAttribute("aria-label", `${t("potentiometer")} ${label}`);
        input?.setAttribute("tabindex", "-1");
        const drawing = inner?.querySelector("svg");
        drawing?.removeAttribute("role");
        drawing?.setAttribute("aria-hidden", "true");
      } else if (kind !== "board") {
        element.setAttribute("aria-hidden", "true");
      }
    }
    for (const button of this.stage.querySelectorAll<HTMLElement>(".board-button")) {
      const text = t(button.dataset["name"] === "bootButton" ? "bootButton" : "resetBoard");
      button.setAttribute("aria-label", text);
      button.title = text;
    }
  }

  private light(board: Board): void {
    const alive = board.info.state !== "gone" && board.info.state !== "starting";
    const diagram = board.diagram;
    this.boot?.classList.toggle("pressed", isPressed(board, BOOT));
    for (const { part, kind, element } of this.placed) {
      const wired = wiredPart(board, part.id);
      const set = (values: Record<string, unknown>) => Object.assign(element, values);
      switch (kind) {
        case "board":
          set({ led1: seen(voltage(board, { gpio: LED_PIN }) ?? 0) > 0.1, power: alive, ledPower: alive });
          break;
        case "led": {
          const value = seen(wired ? brightness(board, wired.pins["A"], wired.pins["C"]) : 0);
          set({ value: value > 0, brightness: value });
          break;
        }
        case "rgb": {
          const [red, green, blue] = wired ? rgb(board, wired).colour.map(seen) : [0, 0, 0];
          set({ ledRed: red, ledGreen: green, ledBlue: blue });
          break;
        }
        case "button":
          set({ pressed: isPressed(board, part.id) });
          break;
        case "potentiometer":
          set({ value: Math.round(turned(board, part) * 1023) });
          break;
        case "dht22":
          element.classList.toggle("unplugged", climate(board, part).unplugged);
          break;
        case "buzzer":
          set({ hasSignal: wired ? brightness(board, wired.pins["2"], wired.pins["1"]) > 0 : false });
          break;
        case "pixel":
        case "ring":
        case "matrix":
          if (wired) {
            paint(kind, part, element, pixelsOf(board, diagram, wired));
          }
          break;
        case "resistor":
          break;
      }
    }
  }
}

interface PixelsElement extends PartElement {
  reset(): void;
  setPixel(...values: unknown[]): void;
}

function paint(kind: "pixel" | "ring" | "matrix", part: DiagramPart, element: PartElement, pixels: number[][]): void {
  const colour = (pixel: number[] | undefined) => {
    const white = pixel?.[3] ?? 0;
    const [r, g, b] = [0, 1, 2].map((at) => seen(Math.min(255, (pixel?.[at] ?? 0) + white) / 255));
    return { r: r ?? 0, g: g ?? 0, b: b ?? 0 };
  };
  if (kind === "pixel") {
    Object.assign(element, colour(pixels[0]));
    return;
  }
  const many = element as PixelsElement;
  many.reset();
  const columns = Number(part.attrs?.["cols"] ?? 8);
  const most = kind === "ring" ? Number(part.attrs?.["pixels"] ?? 16) : columns * Number(part.attrs?.["rows"] ?? 8);
  pixels.slice(0, most).forEach((pixel, at) => {
    if (kind === "ring") {
      many.setPixel(at, colour(pixel));
    } else {
      many.setPixel(Math.floor(at / columns), at % columns, colour(pixel));
    }
  });
}

/** Makes a button that is down for as long as it is held, by pointer or by keyboard. */
export function holdable(button: HTMLElement, set: (pressed: boolean) => void): void {
  button.addEventListener("pointerdown", (event) => {
    if (event.button === 0) {
      button.setPointerCapture(event.pointerId);
      set(true);
    }
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    button.addEventListener(name, () => set(false));
  }
  button.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      set(true);
    }
  });
  button.addEventListener("keyup", (event) => {
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      set(false);
    }
  });
  // A long touch is a long press here, and opens no menu.
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}
