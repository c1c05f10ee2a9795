//! Decides what the page and the server say to each other: the JSON messages of the WebSocket, as types.

/** A board's number, which is never given twice. */
export type BoardId = number;
export type Lang = "es" | "en";
export type BoardState = "starting" | "idle" | "running" | "gone";
export type WifiState = "off" | "connecting" | "connected";

/** Wokwi's diagram.json, version 1; positions in CSS pixels. */
export interface Diagram {
  parts: DiagramPart[];
  /** From pin, to pin ("id:pin"), colour, and the path in Wokwi's words. */
  connections: [string, string, string, string[]?][];
}

export interface DiagramPart {
  type: string;
  id: string;
  top?: number;
  left?: number;
  /** Degrees, clockwise. */
  rotate?: number;
  hide?: boolean;
  attrs?: Record<string, string>;
}

/** What a part's pin reaches: a pin of the chip, a supply, or nothing. */
export type Net = { gpio: number } | { net: "gnd" | "3v3" | string } | null;

export interface WiredPart {
  /** Wokwi's type. */
  part: string;
  id: string;
  pins: Record<string, Net>;
}

export interface SourceFile {
  name: string;
  text: string;
}

export interface NetworkState {
  cut: boolean;
  delay_ms: number;
  /** Percent of the packets that are swallowed, with their connection. */
  loss: number;
  wifi: WifiState;
}

export interface BoardInfo {
  id: BoardId;
  name: string;
  kind: "sim" | "real";
  port?: string | null;
  micropython?: string | null;
  state: BoardState;
  /** Files and diagram are there where they are new to the page. */
  files?: SourceFile[];
  diagram?: Diagram | null;
  /** The name of the file that is run. */
  main?: string;
  /** The files are those of a folder of the computer, and `save` writes them there. */
  can_save?: boolean;
  /** Null for a real board, whose network is not this computer's. */
  network: NetworkState | null;
  /** The example that was opened last. */
  example?: string | null;
  /** What is set from outside, by pin. */
  inputs: {
    climate: Record<string, { temperature: number; humidity: number; unplugged: boolean }>;
    /** Microvolts. */
    adc: Record<string, number>;
    /** Pins whose button is held down. */
    pressed: number[];
  };
}

export interface PinState {
  pin: number;
  mode: "unused" | "input" | "output" | "open_drain";
  level: 0 | 1 | boolean;
  /** An input that nothing drives and no resistor holds: what it reads is chance. */
  floats?: boolean;
}

export interface Pwm {
  /** Hertz. */
  frequency: number;
  /** 0 to 65535, the latter always on. */
  duty: number;
}

/** Red, green, blue and, where there is one, white: 0 to 255. */
export type Pixel = number[];

export interface Traceback {
  /** Null where it happened in none of the page's files. */
  file: string | null;
  /** From 1. */
  line: number | null;
  message: string;
  text: string;
}

export type Direction = "ToBroker" | "ToClient";

export interface Will {
  topic: string;
  payload: number[];
  qos: number;
  retain: boolean;
}

export interface PublishPacket {
  topic: string;
  /** The first bytes. */
  payload: number[];
  /** Bytes of the whole payload. */
  length: number;
  qos: number;
  retain: boolean;
  duplicate: boolean;
  packet_id: number | null;
}

export type CloseReason =
  | "Disconnected"
  | "Lost"
  | "NoConnect"
  | "TakenOver"
  | { KeepAlive: number }
  | { Refused: number }
  | { Protocol: string };

/** One packet as the broker's tap shows it: the name of its kind leads to its fields. */
export type TapPacket =
  | "PingReq"
  | "PingResp"
  | "Disconnect"
  | { Opened: { peer: string } }
  | { Connect: { clean_session: boolean; keep_alive: number; user: string | null; will: Will | null } }
  | { ConnAck: { session_present: boolean; code: number } }
  | { Publish: PublishPacket }
  | { PubAck: { packet_id: number } }
  | { PubRec: { packet_id: number } }
  | { PubRel: { packet_id: number } }
  | { PubComp: { packet_id: number } }
  | { Subscribe: { packet_id: number; filters: [string, number][] } }
  | { SubAck: { packet_id: number; codes: number[] } }
  | { Unsubscribe: { packet_id: number; filters: string[] } }
  | { UnsubAck: { packet_id: number } }
  | { Malformed: { reason: string; bytes: number[] } }
  | { Dropped: { topic: string; length: number } }
  | { NotRetained: { topic: string; length: number } }
  | { Closed: { reason: CloseReason } };

export interface TapEvent {
  /** Milliseconds. */
  t: number;
  connection: number;
  client_id: string;
  direction: Direction;
  packet: TapPacket;
}

export interface ClientState {
  client_id: string;
  connection: [number, string] | null;
  subscriptions: [string, number][];
  waiting: number;
}

export interface RetainedMessage {
  topic: string;
  payload: number[];
  length: number;
  qos: number;
}

export interface BrokerInfo {
  /** IP:PORT, or the name of an outside one. */
  address: string;
  /** An outside one runs where the laboratory is connected to it. */
  running: boolean;
  /** It is somebody else's: it cannot be stopped, and only its messages are seen. */
  external: boolean;
  /** Where it listens for TLS. */
  secure: string | null;
  /** Boards of the local network reach it, and their programs are told where it is. */
  lan: boolean;
}

export type ServerMessage =
  | {
      type: "hello";
      version: string;
      lang: Lang;
      embedded: boolean;
      broker: BrokerInfo;
      boards: BoardInfo[];
      examples: { name: string; title: string }[];
      ports: { port: string; name: string }[];
    }
  | ({ type: "board" } & BoardInfo)
  | { type: "board_gone"; id: BoardId }
  | { type: "console"; board: BoardId; text: string }
  | {
      type: "pins";
      board: BoardId;
      pins: PinState[];
      pwm: Record<string, Pwm>;
      pixels: Record<string, Pixel[]>;
    }
  | {
      type: "ended";
      board: BoardId;
      how: "finished" | "stopped" | "exited" | "error";
      traceback?: Traceback | null;
    }
  | { type: "mqtt"; events: TapEvent[]; dropped: number }
  | { type: "mqtt_state"; clients: ClientState[]; retained: RetainedMessage[] }
  | ({ type: "broker" } & BrokerInfo)
  | { type: "notice"; level: "info" | "warning" | "error"; board?: BoardId | null; text: string }
  | { type: "saved"; board: BoardId; name: string };

export type PageMessage =
  | { type: "run"; board: BoardId; files: SourceFile[]; main: string }
  | { type: "stop" | "reset"; board: BoardId }
  | { type: "input"; board: BoardId; text: string }
  | { type: "pin"; board: BoardId; pin: number; level: 0 | 1 | null }
  | { type: "resistor"; board: BoardId; pin: number; level: 0 | 1 | null }
  | { type: "press"; board: BoardId; pin: number; pressed: boolean; active_low: boolean; bounces: boolean }
  | { type: "adc"; board: BoardId; pin: number; microvolts: number }
  | { type: "climate"; board: BoardId; pin: number; temperature: number; humidity: number }
  | { type: "climate"; board: BoardId; pin: number; unplugged: true }
  | { type: "network"; board: BoardId; cut?: boolean; delay_ms?: number; loss?: number }
  | { type: "broker"; running: boolean }
  | { type: "publish"; topic: string; payload: string; qos: number; retain: boolean }
  | { type: "open_example"; board: BoardId; name: string }
  | { type: "add_board"; kind: "sim" }
  | { type: "add_board"; kind: "real"; port: string }
  | { type: "remove_board"; id: BoardId }
  | { type: "lang"; lang: Lang }
  | { type: "save"; board: BoardId; name: string; text: string };

/** The kind of a packet, "Publish" for example. */
export function packetName(packet: TapPacket): string {
  return typeof packet === "string" ? packet : (Object.keys(packet)[0] ?? "");
}

/** The fields of a packet of this kind; nothing where it is of another. */
export function packetOf<Name extends string>(
  packet: TapPacket,
  name: Name,
): Extract<TapPacket, Record<Name, unknown>> extends Record<Name, infer Fields> ? Fields | undefined : never {
  return (typeof packet === "object" ? (packet as Record<string, unknown>)[name] : undefined) as never;
}

/** A message of the server; nothing where the text is none. */
export function decode(text: string): ServerMessage | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message === "object" && message !== null && "type" in message) {
      return message as ServerMessage;
    }
  } catch {
    // What is no JSON is no message.
  }
  return undefined;
}
