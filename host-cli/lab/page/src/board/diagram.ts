//! Decides what of somebody's diagram.json is taken: Wokwi's parts and connections, whatever else stands in the file.

import type { Diagram, DiagramPart } from "../protocol";

/** The board alone, where no diagram says what is around it. */
export const BARE: Diagram = {
  parts: [{ type: "board-esp32-devkit-c-v4", id: "esp", top: 0, left: 0 }],
  connections: [],
};

/** Parts and wires that are drawn at most. */
const PARTS = 200;
const WIRES = 1000;

/** The diagram in a parsed file; nothing where it has no parts. */
export function readDiagram(value: unknown): Diagram | undefined {
  if (!isRecord(value) || !Array.isArray(value["parts"])) {
    return undefined;
  }
  const parts = value["parts"].map(readPart).filter((part) => part !== undefined);
  const connections = Array.isArray(value["connections"]) ? value["connections"] : [];
  return parts.length === 0
    ? undefined
    : {
        parts: parts.slice(0, PARTS),
        connections: connections.map(readWire).filter((wire) => wire !== undefined).slice(0, WIRES),
      };
}

function readPart(value: unknown): DiagramPart | undefined {
  if (!isRecord(value) || typeof value["type"] !== "string" || typeof value["id"] !== "string") {
    return undefined;
  }
  const position = (name: string) => Number(value[name] ?? 0) || 0;
  const attrs = isRecord(value["attrs"]) ? Object.entries(value["attrs"]) : [];
  return {
    type: value["type"],
    id: value["id"],
    top: position("top"),
    left: position("left"),
    rotate: position("rotate"),
    hide: value["hide"] === true,
    attrs: Object.fromEntries(attrs.map(([name, text]) => [name, String(text)])),
  };
}

function readWire(value: unknown): Diagram["connections"][number] | undefined {
  if (!Array.isArray(value) || typeof value[0] !== "string" || typeof value[1] !== "string") {
    return undefined;
  }
  const path = Array.isArray(value[3]) ? value[3].filter((step) => typeof step === "string") : [];
  return [value[0], value[1], typeof value[2] === "string" ? value[2] : "", path];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
